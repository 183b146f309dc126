"""Deals as they stand now, and their people: the CRM's facts folded, field by field."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    union,
)

from app import tables
from app.db import least
from app.deals.outcomes import adjustments_in_force, of_dirty_deals, outcome_turns, same_deal
from app.swap import of_site

_PLAIN_FIELDS = (
    "name", "closed_on", "currency", "stage", "pipeline", "type", "company_id", "company_name", "company_domain", "owner", "lost_reason",
    "recurring_period", "url", "visitor_id",
)  # fmt: skip
_NUMBERS = ("amount_minor", "recurring_minor", "opened_at")


def _fields_now() -> CTE:
    """A row for each field of a dirty deal: the last value by (occurred_at, fact_id). Index: the key of `deal_fields`."""
    field = tables.deal_fields.c
    latest_first = (field.occurred_at.desc(), field.fact_id.desc())
    ranked = (
        select(
            field.space, field.deal_id, field.field, field.value, field.occurred_at, field.fact_id,
            func.row_number().over(partition_by=(field.space, field.deal_id, field.field), order_by=latest_first).label("newest"),
        )
        .where(of_dirty_deals(tables.deal_fields))
        .cte("fields_ranked")
    )  # fmt: skip
    return select(*ranked.columns).where(ranked.c.newest == 1).cte("fields_now")


def folded_fields() -> CTE:
    """A row for each dirty deal that sent a field: a column for each field, and which fact sent its list of contacts.

    `visitor_named_at` is when its visitor was last named; `money` the amount, else the first period's of a
    subscription that sent none, and `money_field` which of the two.
    """
    row = _fields_now().c

    def of(field: str, column: ColumnElement[Any] = row.value) -> ColumnElement[Any]:
        return func.max(case((row.field == field, column)))

    pivoted = (
        select(
            row.space, row.deal_id,
            *(of(name).label(name) for name in _PLAIN_FIELDS),
            *(cast(of(name), BigInteger).label(name) for name in _NUMBERS),
            of("contacts", row.fact_id).label("contacts_fact_id"),
            of("visitor_id", row.occurred_at).label("visitor_named_at"),
        )
        .group_by(row.space, row.deal_id)
        .cte("pivoted_fields")
    )  # fmt: skip
    amount, recurring = pivoted.c.amount_minor, pivoted.c.recurring_minor
    return select(
        *pivoted.columns,
        func.coalesce(amount, recurring).label("money"),
        case((and_(amount.is_(None), recurring.is_not(None)), "recurring_minor"), else_="amount_minor").label("money_field"),
    ).cte("folded_fields")


def _deals_seen() -> CTE:
    """A row for each dirty deal: every fact about a deal has its row in `deal_changes`. Index: its key."""
    change = tables.deal_changes.c
    return (
        select(
            change.space, change.deal_id,
            func.min(change.occurred_at).label("first_seen_at"),
            func.max(case((change.change == "churned", change.occurred_at))).label("churned_at"),
        )
        .where(of_dirty_deals(tables.deal_changes))
        .group_by(change.space, change.deal_id)
        .cte("deals_seen")
    )  # fmt: skip


def _adjusted_by(turns: CTE) -> CTE:
    """A row for each dirty deal with adjustments in force: their sum."""
    row = adjustments_in_force(turns).c
    total = cast(func.sum(row.amount_minor), BigInteger)
    return select(row.space, row.deal_id, total.label("amount_minor")).group_by(row.space, row.deal_id).cte("adjusted_by")


def listed_contacts(fields: CTE) -> tuple[ColumnElement[bool], ...]:
    """Conditions of the contacts in the list that a deal sent last. Index: the key of `deal_contacts`."""
    contact = tables.deal_contacts.c
    return (of_site(tables.deal_contacts), same_deal(contact, fields.c), contact.fact_id == fields.c.contacts_fact_id)


def deals_now() -> Select[Any]:
    """A row a dirty deal, as it stands now.

    Reads `deal_changes`, `deal_fields`, `deal_contacts`, `deal_stages`, each by its key. Parameters: `site_id`,
    `site_currency`.
    """
    deals, fields, turns = _deals_seen(), folded_fields(), outcome_turns()
    adjusted = _adjusted_by(turns)
    seen, field, turn = deals.c, fields.c, turns.c
    won_at = case((turn.change == "won", turn.occurred_at))
    opened_at = func.coalesce(field.opened_at, seen.first_seen_at)
    net = func.coalesce(field.money, 0) + func.coalesce(adjusted.c.amount_minor, 0)
    columns = {
        "site_id": bindparam("site_id", type_=tables.Key),
        "space": seen.space,
        "deal_id": seen.deal_id,
        "outcome": case((turn.change.in_(("won", "lost")), turn.change), else_="open"),
        "first_seen_at": seen.first_seen_at,
        "opened_at": case((turn.change == "won", least(opened_at, turn.occurred_at)), else_=opened_at),
        "won_at": won_at,
        "lost_at": case((turn.change == "lost", turn.occurred_at)),
        "churned_at": case((or_(won_at.is_(None), seen.churned_at >= won_at), seen.churned_at)),
        "currency": func.coalesce(field.currency, bindparam("site_currency", type_=tables.Key)),
        "amount_minor": case((or_(field.money.is_not(None), adjusted.c.amount_minor.is_not(None)), net)),
        "has_contacts": or_(exists().where(*listed_contacts(fields)), field.visitor_id.is_not(None)),
        "is_gone": false(),
    }
    names = [c.name for c in tables.staged["deals"].columns]
    return (
        select(*(columns[name].label(name) if name in columns else field[name] for name in names))
        .join_from(deals, fields, same_deal(field, seen), isouter=True)
        .outerjoin(turns, and_(same_deal(turn, seen), turn.from_last == 1))
        .outerjoin(adjusted, same_deal(adjusted.c, seen))
    )


def _people_of_contacts(fields: CTE) -> Select[Any]:
    """A row for each contact in a deal's list whose keys are known: its person.

    Index: the keys of `deal_contacts`, `link_keys`, `key_people`.
    """
    contact, key, person = tables.deal_contacts, tables.link_keys, tables.key_people
    return (
        select(fields.c.space, fields.c.deal_id, func.min(person.c.person_id).label("person_id"))
        .join_from(fields, contact, and_(*listed_contacts(fields)))
        .join(key, and_(of_site(key), key.c.link_id == contact.c.link_id))
        .join(person, and_(of_site(person), person.c.key_id == key.c.key_id))
        .group_by(fields.c.space, fields.c.deal_id, contact.c.link_id)
    )


def _people_of_visitors(fields: CTE) -> Select[Any]:
    """A row for each deal that names no contact but a visitor: who that visitor was when the deal last named it.

    Index: the key of `visitor_spans`.
    """
    span = tables.visitor_spans.c
    is_named = and_(
        of_site(tables.visitor_spans),
        span.visitor_id == fields.c.visitor_id,
        span.starts_at <= fields.c.visitor_named_at,
        span.ends_at > fields.c.visitor_named_at,
    )
    return (
        select(fields.c.space, fields.c.deal_id, span.person_id)
        .join_from(fields, tables.visitor_spans, is_named)
        .where(~exists().where(*listed_contacts(fields)))
    )


def people_of_deals() -> Select[Any]:
    """A row for each person of a dirty deal. A contact of whose keys nothing is known yet has none."""
    fields = folded_fields()
    people = union(_people_of_contacts(fields), _people_of_visitors(fields)).subquery("people")
    return select(bindparam("site_id", type_=tables.Key).label("site_id"), *people.columns, false().label("is_gone"))
