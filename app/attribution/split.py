"""The split of a whole over the touches of a journey, by the largest remainder, in integers; one step a CTE.

With A the whole, w a weight and W the sum of them, a share is (A div W)·w + ((A mod W)·w) div W and the claim to a
left-over unit ((A mod W)·w) mod W, ties to the earlier touch: all of it fits into 64 bits, and both databases agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, case, cast, func, select


def split(weighted: CTE, kept: Sequence[str], quantities: Sequence[str]) -> CTE:
    """A row a touch with a weight: its part of each of the `quantities`, under the quantity's own name, and what is `kept`.

    `weighted` has a row a touch of a side: `side`, `position`, `weight`, the quantities and what is to be kept.
    """
    ranked = shares(weighted, kept, quantities)
    parts = [(ranked.c[f"{name}_share"] + left_over_unit(ranked, name)).label(name) for name in quantities]
    return select(*(ranked.c[name] for name in kept), *parts).cte("split")


def shares(weighted: CTE, kept: Sequence[str], quantities: Sequence[str]) -> CTE:
    """A row a touch with a weight, before the left-over units are given out: what is `kept` (the `total` of the weights may be),
    and of each of the `quantities` its `…_share`, its `…_claim` to a unit, how many units are `…_left`, and its `…_rank` for them."""
    return _ranked(_shared(_totalled(weighted), kept, quantities), kept, quantities)


def left_over_unit(ranked: CTE, name: str) -> ColumnElement[int]:
    """1 where a touch gets one of the units that are left, else 0."""
    return case((ranked.c[f"{name}_rank"] <= ranked.c[f"{name}_left"], 1), else_=0)


def _totalled(weighted: CTE) -> CTE:
    total = cast(func.sum(weighted.c.weight).over(partition_by=weighted.c.side), BigInteger)
    return select(*weighted.c, total.label("total")).where(weighted.c.weight > 0).cte("totalled")


def _shared(totalled: CTE, kept: Sequence[str], quantities: Sequence[str]) -> CTE:
    weight, total = totalled.c.weight, totalled.c.total
    columns: list[ColumnElement[Any]] = [totalled.c[name] for name in kept]
    for name in quantities:
        whole = totalled.c[name]
        rest = (whole % total) * weight
        columns += [whole, ((whole // total) * weight + rest // total).label(f"{name}_share"), (rest % total).label(f"{name}_claim")]
    return select(*columns).cte("shared")


def _ranked(shared: CTE, kept: Sequence[str], quantities: Sequence[str]) -> CTE:
    columns: list[ColumnElement[Any]] = [shared.c[name] for name in kept]
    for name in quantities:
        share, claim = shared.c[f"{name}_share"], shared.c[f"{name}_claim"]
        left = shared.c[name] - cast(func.sum(share).over(partition_by=shared.c.side), BigInteger)
        rank = func.row_number().over(partition_by=shared.c.side, order_by=(claim.desc(), shared.c.position))
        columns += [share, claim, left.label(f"{name}_left"), rank.label(f"{name}_rank")]
    return select(*columns).cte("ranked")
