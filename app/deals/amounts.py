"""What won deals were worth, each time it changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, and_, bindparam, case, cast, false, func, literal, or_, select, union_all

from app import tables
from app.db import micros
from app.deals.currencies import minor_units
from app.deals.outcomes import is_in_force, same_deal
from app.tables import of_site

_outcome = tables.deal_outcomes.c
_folded = tables.folded_deals


def _is_won() -> ColumnElement[bool]:
    """Rows of `deal_outcomes` of the deals that are won now: `turned_at` is the win, by `fact_id`."""
    return and_(of_site(tables.deal_outcomes), _outcome.outcome == "won")


def _in_order(source: Any) -> dict[str, Any]:
    """A window over one deal's rows in the order of facts."""
    return {"partition_by": (source.space, source.deal_id), "order_by": (source.occurred_at, source.fact_id)}


def _prices_sent() -> CTE:
    """A row for each amount that a won deal sent: the amount, the one before it (0: none), and its place.

    Index: the keys of `folded_deals` and `deal_fields`.
    """
    field = tables.deal_fields.c
    is_money = and_(of_site(tables.deal_fields), same_deal(field, _folded.c), field.field == _folded.c.money_field)
    at = micros(field.occurred_at)
    row = (
        select(
            field.space, field.deal_id, at.label("occurred_at"), field.fact_id,
            minor_units(cast(field.value, BigInteger), _folded.c.per_minor).label("amount"),
            _outcome.turned_at.label("won_at"), _outcome.fact_id.label("win_fact_id"),
            case((at > _outcome.turned_at, 1), else_=0).label("is_later"),
        )
        .join_from(tables.deal_outcomes, _folded, and_(of_site(_folded), same_deal(_folded.c, _outcome)))
        .join(tables.deal_fields, is_money)
        .where(_is_won())
        .cte("amounts_sent")
    ).c  # fmt: skip
    before = func.coalesce(func.lag(row.amount).over(**_in_order(row)), 0)
    return select(*row, before.label("amount_before"), func.row_number().over(**_in_order(row)).label("place")).cte("prices_sent")


def _prices() -> CTE:
    """A row for each amount that a won deal sent. `win_place` is the place of the one that held at the win, or of the
    first after it; null where no amount was ever known."""
    price = _prices_sent().c
    last_at_win = func.max(case((price.is_later == 0, price.place))).over(partition_by=(price.space, price.deal_id))
    row = select(*price, last_at_win.label("last_at_win")).cte("prices_compared").c
    is_known = and_(row.amount.is_not(None), or_(row.is_later == 1, row.place == row.last_at_win))
    win_place = func.min(case((is_known, row.place))).over(partition_by=(row.space, row.deal_id))
    return select(*row, win_place.label("win_place")).cte("prices")


_Win = tuple[ColumnElement[Any], ColumnElement[Any]]
"""When a deal was won, and the fact that said so."""


def _part(source: Any, is_later: ColumnElement[bool], at: ColumnElement[Any], win: _Win, by: ColumnElement[Any]) -> Select[Any]:
    """A part of a change of the net amount; what is not later than the win bears the win's time and fact."""
    won_at, win_fact_id = win
    return select(
        source.space, source.deal_id,
        case((is_later, 1), else_=0).label("is_later"),
        case((is_later, at), else_=won_at).label("occurred_at"),
        case((is_later, source.fact_id), else_=win_fact_id).label("fact_id"),
        by.label("difference"),
    )  # fmt: skip


def _changes_of_net() -> CTE:
    """A row for each part of a change of a won deal's net amount.

    Index: the keys of `deal_outcomes`, `deal_changes`, `folded_deals`.
    """
    price, change = _prices().c, tables.deal_changes.c
    is_of_win = price.place == price.win_place
    by = case((is_of_win, price.amount), else_=func.coalesce(price.amount, 0) - price.amount_before)
    at, win = micros(change.occurred_at), (_outcome.turned_at, _outcome.fact_id)
    return union_all(
        _part(_outcome, false(), _outcome.turned_at, win, literal(0)).where(_is_won()),
        _part(price, price.place > price.win_place, price.occurred_at, (price.won_at, price.win_fact_id), by).where(
            price.place >= price.win_place
        ),
        _part(change, at > _outcome.turned_at, at, win, minor_units(change.amount, _folded.c.per_minor))
        .join_from(tables.deal_outcomes, tables.deal_changes, and_(same_deal(change, _outcome), is_in_force()))
        .join(_folded, and_(of_site(_folded), same_deal(_folded.c, _outcome)))
        .where(_is_won()),
    ).cte("changes_of_net")


def amounts_of_won_deals() -> Select[Any]:
    """A row for each change of the net amount of a dirty deal that is won now; entry 0 is the win.

    The net amount is the last amount sent plus the adjustments since the deal was last reopened. What lies at the
    win's instant or before it is in entry 0. An amount that was never known before the win, but sent after it, was
    the amount of the win. Reads `deal_changes`, `deal_fields` and staging by their keys.
    """
    part = _changes_of_net().c
    moments = (
        select(
            part.space, part.deal_id, part.occurred_at, part.fact_id, cast(func.sum(part.difference), BigInteger).label("difference")
        )
        .group_by(part.space, part.deal_id, part.is_later, part.occurred_at, part.fact_id)
        .having(or_(part.is_later == 0, func.sum(part.difference) != 0))
        .cte("moments")
    )  # fmt: skip
    row = moments.c
    net = cast(func.sum(row.difference).over(**_in_order(row), rows=(None, 0)), BigInteger)
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), row.space, row.deal_id,
        (func.row_number().over(**_in_order(row)) - 1).label("entry"),
        row.occurred_at,
        (net - row.difference).label("before_minor"),
        net.label("after_minor"),
        row.fact_id, false().label("is_gone"),
    )  # fmt: skip
