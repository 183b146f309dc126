"""What won deals were worth, each time it changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, Select, and_, bindparam, case, cast, false, func, literal, or_, select, union_all

from app import tables
from app.deals.outcomes import adjustments_in_force, of_deal, of_dirty_deals, outcome_turns, same_deal
from app.deals.queries import folded_fields


def _wins(turns: CTE) -> CTE:
    """A row for each dirty deal that is won now: when, and the fact that said so."""
    turn = turns.c
    return (
        select(turn.space, turn.deal_id, turn.occurred_at, turn.fact_id)
        .where(turn.from_last == 1, turn.change == "won")
        .cte("wins")
    )


def _prices_sent(wins: CTE) -> CTE:
    """A row for each amount that a won deal sent: the amount, the one before it (0: none), and its place.

    Index: the key of `deal_fields`.
    """
    win, field, folded = wins.c, tables.deal_fields.c, folded_fields()
    sent = (
        select(
            field.space, field.deal_id, field.occurred_at, field.fact_id,
            cast(field.value, BigInteger).label("amount"),
            (field.occurred_at > win.occurred_at).label("is_later"),
        )
        .join_from(tables.deal_fields, wins, same_deal(win, field))
        .join(folded, same_deal(folded.c, win))
        .where(of_dirty_deals(tables.deal_fields), field.field.in_(("amount_minor", "recurring_minor")))
        .where(field.field == folded.c.money_field)
        .cte("amounts_sent")
    )  # fmt: skip
    row = sent.c
    return select(
        *sent.columns,
        func.coalesce(func.lag(row.amount).over(**of_deal(row)), 0).label("amount_before"),
        func.row_number().over(**of_deal(row)).label("place"),
    ).cte("prices_sent")


def _prices(wins: CTE) -> CTE:
    """A row for each amount that a won deal sent. `win_place` is the place of the one that held at the win, or of the
    first after it; null where no amount was ever known."""
    price = _prices_sent(wins).c
    deal = (price.space, price.deal_id)
    last_at_win = func.max(case((~price.is_later, price.place))).over(partition_by=deal)
    compared = select(*price, last_at_win.label("last_at_win")).cte("prices_compared").c
    is_known = and_(compared.amount.is_not(None), or_(compared.is_later, compared.place == compared.last_at_win))
    win_place = func.min(case((is_known, compared.place))).over(partition_by=(compared.space, compared.deal_id))
    return select(*compared, win_place.label("win_place")).cte("prices")


def _changes_of_net(wins: CTE, adjustments: CTE) -> CTE:
    """A row for each part of a change of a won deal's net amount; those at the win carry the win's time and fact."""
    prices = _prices(wins)
    win, price, adjusted = wins.c, prices.c, adjustments.c
    of_win = (win.space, win.deal_id, win.occurred_at, win.fact_id, literal(0).label("is_later"))
    by_price = (price.space, price.deal_id, price.occurred_at, price.fact_id, literal(1))
    by_adjustment = (adjusted.space, adjusted.deal_id, adjusted.occurred_at, adjusted.fact_id, literal(1))
    is_later = adjusted.occurred_at > win.occurred_at
    adjusted_wins = select().join_from(adjustments, wins, same_deal(adjusted, win))
    return union_all(
        select(*of_win, literal(0).label("difference")),
        select(*of_win, price.amount).join_from(wins, prices, same_deal(price, win)).where(price.place == price.win_place),
        select(*by_price, func.coalesce(price.amount, 0) - price.amount_before).where(price.place > price.win_place),
        adjusted_wins.add_columns(*of_win, adjusted.amount_minor).where(~is_later),
        adjusted_wins.add_columns(*by_adjustment, adjusted.amount_minor).where(is_later),
    ).cte("changes_of_net")


def amounts_of_won_deals() -> Select[Any]:
    """A row for each change of the net amount of a dirty deal that is won now; entry 0 is the win.

    The net amount is the last amount sent plus the adjustments since the deal was last reopened. What lies at the
    win's instant or before it is in entry 0. An amount that was never known before the win, but sent after it, was
    the amount of the win. Reads `deal_changes`, `deal_fields`, `deal_stages` by their keys.
    """
    turns = outcome_turns()
    part = _changes_of_net(_wins(turns), adjustments_in_force(turns)).c
    difference = cast(func.sum(part.difference), BigInteger)
    moments = (
        select(part.space, part.deal_id, part.occurred_at, part.fact_id, difference.label("difference"))
        .group_by(part.space, part.deal_id, part.is_later, part.occurred_at, part.fact_id)
        .having(or_(part.is_later == 0, func.sum(part.difference) != 0))
        .cte("moments")
    )
    row = moments.c
    so_far: Any = {**of_deal(row), "rows": (None, 0)}
    net = cast(func.sum(row.difference).over(**so_far), BigInteger)
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), row.space, row.deal_id,
        (func.row_number().over(**of_deal(row)) - 1).label("entry"),
        row.occurred_at,
        (net - row.difference).label("before_minor"),
        net.label("after_minor"),
        row.fact_id, false().label("is_gone"),
    )  # fmt: skip
