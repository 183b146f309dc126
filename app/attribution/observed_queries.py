"""Distinct journeys with how often they were seen: what the data-driven models are computed from.

A journey is told as the numbers of its touches' labels with commas between them, in order: `names_of_numbers` says what
each number means. Repeated channels stay. The database groups, so that what leaves it is as many rows as there are
distinct journeys and amounts.

Every statement is for one site and takes the parameters of `Question.parameters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, Text, bindparam, cast, func, literal, or_, select

from app import tables
from app.attribution.joins import KEY, bytewise, dimension
from app.attribution.journeys import own_minor
from app.attribution.ledger import sides
from app.attribution.paths import touches_of_sides, touches_without_conversion
from app.attribution.question import MILLION, Question

UNLABELLED = 0
"""The number of a touch whose origin has no label yet."""


def names_of_numbers(question: Question, by: str) -> Select[Any]:
    """A row a number of a label of the dimension `by`, in order: its `name`. Reads `origin_labels`."""
    labels = _labels_numbered(question, by)
    return select(labels.c.number, labels.c.name).distinct().order_by(labels.c.number)


def converting_journeys(question: Question, by: str) -> Select[Any]:
    """A row a distinct journey and worth of a conversion that is counted, with a touch in reach: `path`, `counts`, `net`, `times`.

    `counts` is 1 where the conversion itself is counted, 0 where only a change of its money is; `net` is what its money
    changed by, in minor units, 0 if it cannot be converted. Reads what `sides` and `touches_of_sides` read, and `origin_labels`.
    """
    worth = ("counts", "net")
    touches = touches_of_sides(question, _conversions_asked(question), of_side=worth)
    spelled = _spelled(touches, _labels_numbered(question, by), worth)
    return _distinct([bytewise(spelled.c.path).label("path"), *(spelled.c[name] for name in worth)]).where(spelled.c.place == 1)


def non_converting_journeys(question: Question, by: str) -> Select[Any]:
    """A row a distinct journey of people without any conversion of the kind: `path`, `times`, and 0 as `counts` and `net`.

    Reads what `touches_without_conversion` reads, and `origin_labels`.
    """
    spelled = _spelled(touches_without_conversion(question), _labels_numbered(question, by))
    nothing = literal(0, BigInteger)
    return _distinct([bytewise(spelled.c.path).label("path")], nothing.label("counts"), nothing.label("net")).where(spelled.c.place == 1)


def _distinct(keys: list[ColumnElement[Any]], *more: ColumnElement[Any]) -> Select[Any]:
    """A row a distinct tuple of the keys, in order, with how often it was seen."""
    return select(*keys, *more, func.count().label("times")).group_by(*keys).order_by(*keys)


def _labels_numbered(question: Question, by: str) -> CTE:
    """A row an origin: the `number` of its label in the dimension, from 1, and the label as `name`."""
    labels = question.rows(tables.origin_labels)
    name = dimension(by, labels)
    number = func.dense_rank().over(order_by=bytewise(name)).label("number")
    return select(labels.c.origin_id, name.label("name"), number).where(labels.c.site_id == bindparam("site_id")).cte("labels_numbered")


def _conversions_asked(question: Question) -> CTE:
    """A row a conversion with an entry that is counted: what it counts and what its money changed by, over these entries.

    One whose money changed by nothing in the end has no row. It is named by its smallest `side`.
    """
    over = sides(question)
    keys = [over.c[name] for name in (*KEY, "occurred_at", "lead_at", "opportunity_at")]
    counts = cast(func.sum(over.c.millionths), BigInteger) // literal(MILLION, BigInteger)
    net = cast(func.sum(own_minor(over.c)), BigInteger) if question.has_money else literal(0, BigInteger)
    columns = [func.min(over.c.side).label("side"), *keys, counts.label("counts"), net.label("net")]
    return select(*columns).group_by(*keys).having(or_(counts != 0, net != 0)).cte("conversions_asked")


def _spelled(touches: CTE, labels: CTE, kept: Sequence[str] = ()) -> CTE:
    """A row a touch: its `place` in its journey, the whole journey's `path`, and what is `kept`.

    An aggregate takes its rows in a stated order on both databases only as a window: SQLite learnt `ORDER BY` inside
    aggregates in 3.44.
    """
    number = cast(func.coalesce(labels.c.number, literal(UNLABELLED, BigInteger)), Text)
    window: Any = {"partition_by": touches.c.journey, "order_by": touches.c.position}
    path = func.aggregate_strings(number, ",").over(**window, rows=(None, None)).label("path")
    place = func.row_number().over(**window).label("place")
    joined = touches.outerjoin(labels, labels.c.origin_id == touches.c.origin_id)
    return select(*(touches.c[name] for name in kept), path, place).select_from(joined).cte("spelled")
