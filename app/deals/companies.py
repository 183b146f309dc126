"""The account view: the companies of a deal, and everyone who is known to be of one of them.

A deal is of the company whose ID it names in its CRM, and of the one whose e-mails have the domain that it names; where
it names no domain, of those whose domains its contacts' e-mails have. Someone is of a company whose domain one of their
e-mails has, or whose ID the CRM's last word on one of their keys names. None of this joins people: they merely share
the journeys of the company's deals.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, false, literal, or_, select, union

from app import tables
from app.deals.outcomes import same_deal
from app.identity.concerned_deals import BY_DOMAIN
from app.tables import of_site

MOST_KNOWN = 1_000
"""Of a company with more addresses (or contacts, by its ID) than this nobody shares a journey: a university, a provider
that the list of free mail lacks."""
_deal = tables.folded_deals
_company = tables.staged["deal_companies"]
_person = tables.staged["deal_people"]
_domains, _said, _people = tables.key_domains, tables.contact_companies, tables.key_people


def _site() -> ColumnElement[Any]:
    return bindparam("site_id", type_=tables.Key)


# ---------------------------------------------------------------- the companies of a deal


def companies_of_deals() -> Select[Any]:
    """A row for each company of a dirty deal.

    Reads staging (`folded_deals`, the contacts in `deal_people`), `key_people` and `key_domains`. `:no_companies` are the
    domains that name none. Index: `ix_key_people__person`, the key of `key_domains`, and what `_is_crowded` reads.
    """
    of_deal = (_deal.c.space, _deal.c.deal_id)
    by_id = select(*of_deal, _deal.c.space.label("company_space"), _deal.c.company_id.label("company"))
    by_domain = select(*of_deal, literal(BY_DOMAIN, tables.Key), _deal.c.company_domain)
    named = union(
        by_id.where(of_site(_deal), _deal.c.company_id.is_not(None)),
        by_domain.where(of_site(_deal), _deal.c.company_domain.is_not(None)),
        _domains_of_contacts(),
    ).cte("companies_named")
    row = named.c
    is_one = or_(row.company_space != BY_DOMAIN, row.company.not_in(bindparam("no_companies", expanding=True)))
    return select(_site().label("site_id"), *row, _is_crowded(row).label("is_crowded"), false().label("is_gone")).where(is_one)


def _domains_of_contacts() -> Select[Any]:
    """A row for each domain of an e-mail of a person whom a deal without a domain names."""
    of_person = and_(of_site(_people), _people.c.person_id == _person.c.person_id)
    return (
        select(_deal.c.space, _deal.c.deal_id, literal(BY_DOMAIN, tables.Key), _domains.c.domain)
        .join_from(_deal, _person, and_(of_site(_person), same_deal(_person.c, _deal.c)))
        .join(_people, of_person)
        .join(_domains, and_(of_site(_domains), _domains.c.key_id == _people.c.key_id))
        .where(of_site(_deal), _deal.c.company_domain.is_(None))
    )


def _is_crowded(company: Any) -> ColumnElement[bool]:
    """Whether a company has too many known keys; no more of them are looked at than that.

    Index: `ix_key_domains__domain`, `ix_contact_companies__company`, the key of `key_people`.
    """
    by_domain = select(_domains.c.key_id).join(_people, _is_known(_domains)).where(_has_domain(company))
    by_id = select(_said.c.key_id).join(_people, _is_known(_said)).where(_is_said(company))

    def one_too_many(keys: Select[Any]) -> ColumnElement[bool]:
        beyond = keys.order_by(None).limit(1).offset(MOST_KNOWN).correlate(company.company.table).scalar_subquery()
        return beyond.is_not(None)

    return case((company.company_space == BY_DOMAIN, one_too_many(by_domain)), else_=one_too_many(by_id))


def _is_known(keys: Any) -> ColumnElement[bool]:
    return and_(of_site(_people), _people.c.key_id == keys.c.key_id)


def _has_domain(company: Any) -> ColumnElement[bool]:
    return and_(of_site(_domains), _domains.c.domain == company.company)


def _is_said(company: Any) -> ColumnElement[bool]:
    """Whether a row of `contact_companies` says that its key is of the company, and none after it says otherwise."""
    later = _said.alias("later_word").c
    is_later = or_(
        later.occurred_at > _said.c.occurred_at,
        and_(later.occurred_at == _said.c.occurred_at, later.fact_id > _said.c.fact_id),
    )
    is_overruled = exists().where(
        later.site_id == _site(), later.space == _said.c.space, later.key_id == _said.c.key_id, is_later
    )  # fmt: skip
    return and_(of_site(_said), _said.c.space == company.company_space, _said.c.company_id == company.company, ~is_overruled)


# ---------------------------------------------------------------- their people


def people_of_companies() -> Select[Any]:
    """A row for each person of a company of a dirty deal whom the deal does not name itself.

    Reads staging, `key_domains` by `ix_key_domains__domain`, `contact_companies` by `ix_contact_companies__company`, and
    `key_people` by its key.
    """
    of_deal = (_company.c.space, _company.c.deal_id, _people.c.person_id)
    is_open = (of_site(_company), _company.c.is_crowded.is_(False))
    by_domain = (
        select(*of_deal)
        .join_from(_company, _domains, _has_domain(_company.c))
        .join(_people, _is_known(_domains))
        .where(*is_open, _company.c.company_space == BY_DOMAIN)
    )
    by_id = (
        select(*of_deal)
        .join_from(_company, _said, _is_said(_company.c))
        .join(_people, _is_known(_said))
        .where(*is_open, _company.c.company_space != BY_DOMAIN)
    )
    colleague = union(by_domain, by_id).cte("colleagues")
    is_contact = exists().where(of_site(_person), same_deal(_person.c, colleague.c), _person.c.person_id == colleague.c.person_id)
    return select(_site().label("site_id"), *colleague.c, false().label("is_contact"), false().label("is_gone")).where(~is_contact)
