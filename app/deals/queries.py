"""Deals as they stand now, and their people: the CRM's facts folded, field by field."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Insert,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union,
)

from app import tables
from app.db import least, micros
from app.deals.currencies import minor_units, ten_thousandths_per_minor_unit
from app.deals.outcomes import is_in_force, of_dirty_deals, same_deal
from app.identity.internal import is_internal
from app.tables import of_site

_TEXTS = (
    "name", "currency", "closed_on", "stage", "pipeline", "type", "company_id", "company_name", "company_domain", "owner", "lost_reason",
    "account_manager", "recurring_period", "url", "visitor_id",
)  # fmt: skip
_NUMBERS = ("opened_at", "amount", "recurring")
_fields = tables.folded_deals.c
_outcome = tables.deal_outcomes.c


def _site() -> ColumnElement[Any]:
    return bindparam("site_id", type_=tables.Key)


# ---------------------------------------------------------------- the fields


def _fields_now() -> CTE:
    """A row for each field of a dirty deal: the last value by (occurred_at, fact_id). Index: the key of `deal_fields`."""
    field = tables.deal_fields.c
    latest_first = (field.occurred_at.desc(), field.fact_id.desc())
    ranked = (
        select(
            field.space, field.deal_id, field.field, field.value, micros(field.occurred_at).label("occurred_at"), field.fact_id,
            func.row_number().over(partition_by=(field.space, field.deal_id, field.field), order_by=latest_first).label("newest"),
        )
        .where(of_dirty_deals(tables.deal_fields))
        .cte("fields_ranked")
    )  # fmt: skip
    return select(*ranked.columns).where(ranked.c.newest == 1).cte("fields_now")


def _pivoted() -> Subquery:
    """A row for each dirty deal that sent a field: a column for each field."""
    row = _fields_now().c

    def of(field: str, column: ColumnElement[Any] = row.value) -> ColumnElement[Any]:
        return func.max(case((row.field == field, column)))

    return (
        select(
            row.space, row.deal_id,
            *(of(name).label(name) for name in _TEXTS),
            *(cast(of(name), BigInteger).label(name) for name in _NUMBERS),
            of("contacts", row.fact_id).label("contacts_fact_id"),
            of("visitor_id", row.occurred_at).label("visitor_named_at"),
        )
        .group_by(row.space, row.deal_id)
        .subquery("pivoted")
    )  # fmt: skip


def fields_of_deals() -> Insert:
    """Rows of `folded_deals`, one for each dirty deal. A subscription that sends no amount is worth its first period.

    An amount counts in the currency that the deal said last, whichever message brought it, else in the site's.
    Parameters: `site_id`, `site_currency`.
    """
    seen, pivoted = _deals_seen(), _pivoted()
    row = pivoted.c
    currency = func.coalesce(row.currency, bindparam("site_currency", type_=tables.Key))
    per_minor = ten_thousandths_per_minor_unit(currency)
    has_only_periods = and_(row.amount.is_(None), row.recurring.is_not(None))
    computed = {
        "site_id": _site(),
        "space": seen.c.space,
        "deal_id": seen.c.deal_id,
        "currency": currency,
        "per_minor": per_minor,
        "amount_minor": minor_units(row.amount, per_minor),
        "recurring_minor": minor_units(row.recurring, per_minor),
        "money_minor": minor_units(func.coalesce(row.amount, row.recurring), per_minor),
        "money_field": case((has_only_periods, "recurring"), else_="amount"),
    }
    names = [c.name for c in tables.folded_deals.columns]
    rows = select(*(computed[name] if name in computed else row[name] for name in names)).select_from(
        seen.outerjoin(pivoted, same_deal(row, seen.c))
    )
    return insert(tables.folded_deals).from_select(names, rows)


# ---------------------------------------------------------------- the deals


def _deals_seen() -> Subquery:
    """A row for each dirty deal: every fact about a deal has its row in `deal_changes`. Index: its key."""
    change = tables.deal_changes.c
    at = micros(change.occurred_at)
    return (
        select(
            change.space, change.deal_id,
            func.min(at).label("first_seen_at"),
            func.max(case((change.change == "churned", at))).label("churned_at"),
            func.max(case((change.change == "deleted", at))).label("deleted_at"),
            func.max(case((change.change != "deleted", at))).label("told_at"),
        )
        .where(of_dirty_deals(tables.deal_changes))
        .group_by(change.space, change.deal_id)
        .subquery("seen")
    )  # fmt: skip


def _adjusted_by() -> ColumnElement[Any]:
    """The sum of a folded deal's adjustments in force; null: none. Index: the key of `deal_changes`."""
    change = tables.deal_changes.c
    by = minor_units(change.amount, _fields.per_minor)
    total = select(cast(func.sum(by), BigInteger)).where(is_in_force(), same_deal(change, _fields))
    return total.correlate(tables.folded_deals, tables.deal_outcomes).scalar_subquery()


def _lists_contacts() -> ColumnElement[bool]:
    """Whether the list that a folded deal sent last names a contact. Index: the key of `deal_contacts`."""
    return exists().where(_is_listed())


def _is_listed() -> ColumnElement[bool]:
    contact = tables.deal_contacts.c
    return and_(of_site(tables.deal_contacts), same_deal(contact, _fields), contact.fact_id == _fields.contacts_fact_id)


def _names_only_internal() -> ColumnElement[bool]:
    """Whether a folded deal names somebody, and nobody who is not internal. Its people must be staged."""
    person = tables.staged["deal_people"]
    is_of_deal = and_(of_site(person), same_deal(person.c, _fields), person.c.is_contact.is_(True))
    return and_(exists().where(is_of_deal), ~exists().where(is_of_deal, ~is_internal(person.c.person_id)))


def _ignored_because(seen: Any, has_internal: bool) -> ColumnElement[Any]:
    """Why a folded deal counts not; null: it counts. Index: the keys of `deal_pipelines`, `deal_stages`, `excluded_deals`.

    Names are compared without the case of ASCII letters, the only ones that both databases fold alike.
    """
    pipeline, stage, excluded = tables.deal_pipelines, tables.deal_stages, tables.excluded_deals
    of_space = and_(of_site(pipeline), pipeline.c.space == seen.space)
    is_listed = exists().where(of_space, pipeline.c.pipeline == func.coalesce(_fields.pipeline, ""))
    is_ignored = exists().where(
        of_site(stage), stage.c.space == seen.space, stage.c.stage == _fields.stage, stage.c.outcome == "ignored"
    )
    is_excluded = exists().where(of_site(excluded), func.lower(_fields.name).like(excluded.c.pattern, escape="\\"))
    return case(
        (seen.deleted_at >= func.coalesce(seen.told_at, seen.deleted_at), literal("deleted")),
        (and_(exists().where(of_space), ~is_listed), literal("pipeline")),
        (is_ignored, literal("stage")),
        (is_excluded, literal("excluded")),
        *([(_names_only_internal(), literal("internal"))] if has_internal else []),
    )


def deals_now(*, has_internal: bool) -> Select[Any]:
    """A row a dirty deal, as it stands now. `has_internal`: the site names people who are internal; then the deals' own must be staged.

    Reads `deal_changes`, `deal_contacts`, staging (`folded_deals`, `deal_outcomes`) and what settings say, each by its key.
    """
    seen = _deals_seen()
    won_at = case((_outcome.outcome == "won", _outcome.turned_at))
    opened_at = func.coalesce(_fields.opened_at, seen.c.first_seen_at)
    adjusted_by = _adjusted_by()
    net = func.coalesce(_fields.money_minor, 0) + func.coalesce(adjusted_by, 0)
    columns = {
        "site_id": _site(),
        "space": seen.c.space,
        "deal_id": seen.c.deal_id,
        "outcome": case((_outcome.outcome.in_(("won", "lost")), _outcome.outcome), else_="open"),
        "first_seen_at": seen.c.first_seen_at,
        "opened_at": case((_outcome.outcome == "won", least(opened_at, _outcome.turned_at)), else_=opened_at),
        "won_at": won_at,
        "lost_at": case((_outcome.outcome == "lost", _outcome.turned_at)),
        "churned_at": case((or_(won_at.is_(None), seen.c.churned_at >= won_at), seen.c.churned_at)),
        "amount_minor": case((or_(_fields.money_minor.is_not(None), adjusted_by.is_not(None)), net)),
        "ignored_because": _ignored_because(seen.c, has_internal),
        "has_contacts": or_(_lists_contacts(), _fields.visitor_id.is_not(None)),
        "is_gone": false(),
    }
    names = [c.name for c in tables.staged["deals"].columns]
    return (
        select(*(columns[name].label(name) if name in columns else _fields[name] for name in names))
        .join_from(seen, tables.folded_deals, and_(of_site(tables.folded_deals), same_deal(_fields, seen.c)))
        .outerjoin(tables.deal_outcomes, and_(of_site(tables.deal_outcomes), same_deal(_outcome, seen.c)))
    )


# ---------------------------------------------------------------- their people


def _people_of_contacts() -> Select[Any]:
    """A row for each contact in a deal's list whose keys are known: its person.

    Index: the keys of `deal_contacts`, `link_keys`, `key_people`.
    """
    contact, key, person = tables.deal_contacts, tables.link_keys, tables.key_people
    return (
        select(_fields.space, _fields.deal_id, func.min(person.c.person_id).label("person_id"))
        .join_from(tables.folded_deals, contact, _is_listed())
        .join(key, and_(of_site(key), key.c.link_id == contact.c.link_id))
        .join(person, and_(of_site(person), person.c.key_id == key.c.key_id))
        .where(of_site(tables.folded_deals))
        .group_by(_fields.space, _fields.deal_id, contact.c.link_id)
    )


def _people_of_visitors() -> Select[Any]:
    """A row for each deal that names no contact but a visitor: who that visitor was when the deal last named it.

    Index: the key of `visitor_spans`.
    """
    span = tables.visitor_spans.c
    is_named = and_(
        of_site(tables.visitor_spans),
        span.visitor_id == _fields.visitor_id,
        micros(span.starts_at) <= _fields.visitor_named_at,
        micros(span.ends_at) > _fields.visitor_named_at,
    )
    return (
        select(_fields.space, _fields.deal_id, span.person_id)
        .join_from(tables.folded_deals, tables.visitor_spans, is_named)
        .where(of_site(tables.folded_deals), ~_lists_contacts())
    )


def people_of_deals() -> Select[Any]:
    """A row for each person whom a dirty deal names. A contact of whose keys nothing is known yet has none."""
    people = union(_people_of_contacts(), _people_of_visitors()).subquery("people")
    return select(_site().label("site_id"), *people.columns, true().label("is_contact"), false().label("is_gone"))
