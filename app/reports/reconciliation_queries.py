"""The deals of one month, as the CRM has them and as our figures have them.

Every statement is for one space, and takes `site_id`, `space`, `month` (YYYY-MM), its first local day `first_day` and the first
after it `next_day`, and in microseconds when they start, `starts_at` and `ends_at`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    cast,
    func,
    null,
    or_,
    select,
    union,
)

from app import tables
from app.deals.currencies import minor_units, ten_thousandths_per_minor_unit
from app.tables import of_site

_deal = tables.deals.c
_statement = tables.crm_statements.c
_entry = tables.ledger_entries


def _of_space(table: FromClause) -> ColumnElement[bool]:
    return and_(of_site(table), table.c.space == bindparam("space"))


def asked_at() -> Select[Any]:
    """At most one row: when the CRM was asked for the month. Index: the key of `crm_statements`."""
    return select(_statement.stated_at).where(_is_stated(), _statement.deal_id == "")


def _is_stated() -> ColumnElement[bool]:
    return and_(_of_space(tables.crm_statements), _statement.month == bindparam("month"))


def _stated() -> CTE:
    """A row a deal that the CRM stated when it was asked. Index: the key of `crm_statements`."""
    per_minor = ten_thousandths_per_minor_unit(func.coalesce(_statement.currency, bindparam("currency", type_=tables.Key)))
    names = (_statement.deal_id, _statement.name, _statement.currency, _statement.closed_on)
    minor = minor_units(_statement.amount, per_minor).label("minor")
    return select(*names, minor).where(_is_stated(), _statement.deal_id != "").cte("crm_side")


def _told() -> CTE:
    """A row a deal that by all that the CRM has told us is won and was closed in the month, whether it counts or not.

    Its amount is the last one told, without the adjustments that were told beside it. Index: the keys of `deals`, `deal_fields`.
    """
    closed_then = case(
        (_deal.closed_on.is_not(None), func.substr(_deal.closed_on, 1, 7) == bindparam("month")),
        else_=and_(_deal.won_at >= bindparam("starts_at", type_=BigInteger), _deal.won_at < bindparam("ends_at", type_=BigInteger)),
    )
    amount = func.coalesce(_last_told("amount"), _last_told("recurring"))
    minor = minor_units(amount, ten_thousandths_per_minor_unit(func.coalesce(_deal.currency, bindparam("currency", type_=tables.Key))))
    is_there = or_(_deal.ignored_because.is_(None), _deal.ignored_because != "deleted")
    return (
        select(_deal.deal_id, _deal.name, _deal.currency, _deal.closed_on, minor.label("minor"))
        .where(_of_space(tables.deals), _deal.outcome == "won", closed_then, is_there)
        .cte("crm_side")
    )


def _last_told(field: str) -> ColumnElement[Any]:
    """The last value of a field of a deal, in ten-thousandths; null: none, or cleared."""
    said = tables.deal_fields.c
    values = select(cast(said.value, BigInteger)).where(
        said.site_id == _deal.site_id, said.space == _deal.space, said.deal_id == _deal.deal_id, said.field == field
    )
    return values.order_by(said.occurred_at.desc(), said.fact_id.desc()).limit(1).correlate(tables.deals).scalar_subquery()


def _ours() -> CTE:
    """A row a deal of which the ledger counts something in the month: whether it is the deal itself, and what its money changed by.

    Index: `ix_ledger_entries__day`.
    """
    entry = _entry.c
    in_month = and_(entry.counted_on >= bindparam("first_day"), entry.counted_on < bindparam("next_day"))
    return (
        select(
            entry.fact_id.label("deal_id"),
            cast(func.sum(entry.counts), BigInteger).label("counts"),
            cast(func.sum(entry.after_minor - entry.before_minor), BigInteger).label("minor"),
        )
        .where(of_site(_entry), entry.kind == "customer", in_month, entry.holder_id == bindparam("space"))
        .group_by(entry.fact_id)
        .cte("our_side")
    )


def _counted_on() -> ColumnElement[Any]:
    """The local day on which the ledger counts a deal; null: it counts it not. Index: the key of `ledger_entries`."""
    entry = _entry.alias("first_entries").c
    of_deal = and_(entry.site_id == _deal.site_id, entry.holder_id == _deal.space, entry.fact_id == _deal.deal_id)
    first = select(entry.counted_on).where(of_deal, entry.kind == "customer", entry.entry == 0)
    return first.correlate(tables.deals).scalar_subquery()


def deals_of_month(*, is_stated: bool) -> Select[Any]:
    """A row a deal that either side has in the month, by ID: what the CRM says (`crm_minor`, null: no amount; `is_in_crm`), what we count
    (`counts`, `our_minor`; null: nothing in this month), and the deal as we know it (`is_known`).

    `is_stated`: by what the CRM answered when it was asked, else by what it has told.
    """
    crm, ours = (_stated() if is_stated else _told()), _ours()
    either = union(select(crm.c.deal_id), select(ours.c.deal_id)).cte("either_side")
    joined = (
        either.outerjoin(crm, crm.c.deal_id == either.c.deal_id)
        .outerjoin(ours, ours.c.deal_id == either.c.deal_id)
        .outerjoin(tables.deals, and_(_of_space(tables.deals), _deal.deal_id == either.c.deal_id))
    )
    return (
        select(
            either.c.deal_id,
            func.coalesce(_deal.name, crm.c.name).label("name"),
            _deal.url,
            crm.c.deal_id.is_not(None).label("is_in_crm"),
            crm.c.minor.label("crm_minor"),
            crm.c.currency.label("crm_currency"),
            crm.c.closed_on.label("crm_closed_on"),
            ours.c.counts,
            ours.c.minor.label("our_minor"),
            _deal.deal_id.is_not(None).label("is_known"),
            _deal.currency,
            _deal.outcome,
            _deal.ignored_because,
            case((_deal.deal_id.is_not(None), _counted_on()), else_=null()).label("counted_on"),
        )
        .select_from(joined)
        .order_by(cast(either.c.deal_id, tables.Key))
    )
