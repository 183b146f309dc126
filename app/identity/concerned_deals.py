"""Which deals may have other people once keys have others: they name them, or are of a company that a key is of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, select, union

from app import tables
from app.identity.queries import changed_keys
from app.tables import of_site

BY_DOMAIN = ""
"""`company_space` of a company that a domain names, and not a CRM."""

_dirty = tables.dirty["identity_queue"]
_people = tables.key_people


def deals_of_changed_people() -> Select[Any]:
    """A row for each deal that names a person, old or new, of a changed key: a person's e-mails may tell the deal's company.

    Index: `ix_deal_people__person`, the key of `key_people`.
    """
    changed, deal, now = changed_keys().subquery("changed"), tables.deal_people, tables.staged["key_people"]

    def of(people: Any) -> Select[Any]:
        return (
            select(deal.c.site_id, deal.c.space, deal.c.deal_id)
            .join_from(changed, people, and_(of_site(people), people.c.key_id == changed.c.key_id))
            .join(deal, and_(of_site(deal), deal.c.person_id == people.c.person_id))
            .where(deal.c.is_contact.is_(True))
        )

    return select(union(of(_people), of(now)).subquery("deals_of_people"))


def deals_of_changed_domains() -> Select[Any]:
    """A row for each deal of a company whose domain an e-mail has whose person changed.

    Index: the key of `key_domains`, `ix_deal_companies__company`.
    """
    changed, domain, deal = changed_keys().subquery("changed"), tables.key_domains, tables.deal_companies
    is_of_domain = and_(of_site(deal), deal.c.company == domain.c.domain, deal.c.company_space == BY_DOMAIN)
    return (
        select(deal.c.site_id, deal.c.space, deal.c.deal_id)
        .join_from(changed, domain, and_(of_site(domain), domain.c.key_id == changed.c.key_id))
        .join(deal, is_of_domain)
    )


def deals_of_contacts_companies() -> Select[Any]:
    """A row for each deal of a company that a changed or dirty key was ever said to be of: it may be of another by now.

    Index: the key of `contact_companies`, `ix_deal_companies__company`.
    """
    keys = union(select(_dirty.c.key_id).where(of_site(_dirty)), changed_keys()).subquery("concerned")
    return deals_of_companies_said_of(keys)


def deals_of_companies_said_of(keys: Any) -> Select[Any]:
    """A row for each deal of a company that one of `keys` (`key_id`) was ever said to be of. Index: as above."""
    said, deal = tables.contact_companies, tables.deal_companies
    is_of_company = and_(of_site(deal), deal.c.company == said.c.company_id, deal.c.company_space == said.c.space)
    return (
        select(deal.c.site_id, deal.c.space, deal.c.deal_id)
        .join_from(keys, said, and_(of_site(said), said.c.key_id == keys.c.key_id))
        .join(deal, is_of_company)
    )
