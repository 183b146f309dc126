"""Medians and percentiles in SQL, exactly: by ranks, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, BigInteger, Select, case, cast, func, select


@dataclass(frozen=True)
class Quantiles:
    """Of a group's values; `median` is the mean of the two in the middle where their number is even."""

    count: int
    median: float
    ninetieth: int
    """The 90th percentile by nearest rank: the smallest value that 90 % of all do not exceed."""


def quantiles_by(values: CTE, by: Sequence[str], value: str) -> Select[Any]:
    """A row a group, by its names: `count`, the sum of the one or two values in the `middle`, and the `ninetieth` percentile.

    `values` has a row a value, which is an integer and not null.
    """
    keys = [values.c[name] for name in by]
    rank = func.row_number().over(partition_by=keys or None, order_by=values.c[value])
    count = func.count().over(partition_by=keys or None)
    ranked = select(*keys, values.c[value].label("value"), rank.label("rank"), count.label("count")).cte("ranked_values")
    row = ranked.c
    middle = row.rank.in_([(row.count + 1) // 2, (row.count + 2) // 2])
    groups = [row[name] for name in by]
    statement = select(
        *groups,
        func.max(row.count).label("count"),
        cast(func.sum(case((middle, row.value))), BigInteger).label("middle"),
        func.max(case((row.rank == (row.count * 9 + 9) // 10, row.value))).label("ninetieth"),
    )
    return statement.group_by(*groups) if groups else statement


def quantiles(row: Any) -> Quantiles | None:
    """A row of `quantiles_by`; none where there was no value."""
    if not row.count:
        return None
    return Quantiles(row.count, row.middle if row.count % 2 else row.middle / 2, row.ninetieth)
