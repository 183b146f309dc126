"""The greatest of what a report lists, each with all of its groups, so that a limit never cuts through one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, Integer, Select, bindparam, func, select

from app.attribution.joins import bytewise


def rows_of_greatest(groups: CTE, name: str, measures: Sequence[str], by: Sequence[str]) -> Select[Any]:
    """The rows of `groups` whose column `name` has one of the `:limit` values with the greatest sums of `measures`, compared one after
    another; in that order, within one value by the columns `by`. `all_names` is how many values there are.

    `groups` has a row a value and tuple of the columns `by`.
    """
    wholes = [func.sum(groups.c[measure]).over(partition_by=groups.c[name]).label(f"whole_{measure}") for measure in measures]
    whole = select(*groups.c, *wholes).cte("with_wholes")
    order = [*(whole.c[f"whole_{measure}"].desc() for measure in measures), bytewise(whole.c[name])]
    placed = select(*whole.c, func.dense_rank().over(order_by=order).label("place")).cte("placed")
    every = select(*placed.c, func.max(placed.c.place).over().label("all_names")).cte("every_place")
    columns = [every.c[column.name] for column in groups.c]
    return (
        select(*columns, every.c.all_names)
        .where(every.c.place <= bindparam("limit", type_=Integer))
        .order_by(every.c.place, *(bytewise(every.c[column]) for column in by))
    )
