"""What a journey looks like as a whole: how many touches it has in reach, and which is the first.

Every statement works on the sides of ledger entries (`app.attribution.ledger.sides`), whose figures are additive, so that
whatever they are grouped by, they add up to the ledger. A side that counts a conversion stands for it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, FromClause, Label, Select, and_, case, cast, func, select

from app import tables
from app.attribution.joins import bytewise, dimension, label_of, touch_of, with_labels
from app.attribution.ledger import sides
from app.attribution.question import Question
from app.attribution.reach import is_in_reach
from app.db import micros


def own_minor(over: Any) -> ColumnElement[int]:
    """What a side counts of money in the site's own currency, signed."""
    return case((over.is_convertible, over.direction * over.magnitude), else_=0)


def summed(rows: Any) -> list[Label[int]]:
    """The sums of `millionths` and `minor` of a group's rows."""
    return [cast(func.sum(rows[name]), BigInteger).label(name) for name in ("millionths", "minor")]


def grouped(question: Question, rows: FromClause) -> list[ColumnElement[str]]:
    """The columns of the properties that are grouped by, of sides or of what was made of them."""
    return [rows.c[each.column] for each in question.grouped]


def journeys(question: Question) -> CTE:
    """A row a side: its `millionths` and `minor` (in the site's currency), the properties that are grouped by, and of the touches in
    reach the `length`, the `first_position` and the `lag` in microseconds from the first to the conversion (both null where none is in
    reach).

    Reads what `sides` reads, and `journey_touches` by primary key.
    """
    over = sides(question)
    touches = question.rows(tables.journey_touches)
    touch = touches.c
    in_reach = and_(touch.position.is_not(None), is_in_reach(question, over.c))
    joined = with_labels(question, over.outerjoin(touches, touch_of(touches, over.c)), needed=question.exclude_direct)
    measured = (
        select(
            over.c.side,
            func.count(case((in_reach, 1))).label("length"),
            func.min(case((in_reach, touch.position))).label("first_position"),
            func.min(case((in_reach, micros(touch.occurred_at)))).label("first_touched_at"),
        )
        .select_from(joined)
        .group_by(over.c.side)
        .cte("measured")
    )
    lag = micros(over.c.occurred_at) - measured.c.first_touched_at
    names = ("kind", "holder_id", "fact_id", "millionths")
    figures = [*(over.c[name] for name in names), own_minor(over.c).label("minor"), *grouped(question, over)]
    return (
        select(over.c.side, *figures, measured.c.length, measured.c.first_position, lag.label("lag"))
        .join_from(over, measured, measured.c.side == over.c.side)
        .cte("journeys")
    )


def with_first_touch(question: Question, found: CTE) -> FromClause:
    """Rows of `journeys` with their first touch in reach and its label, if any. Reads `journey_touches` by primary key."""
    touches, labels = question.rows(tables.journey_touches), question.rows(tables.origin_labels)
    is_first = and_(touch_of(touches, found.c), touches.c.position == found.c.first_position)
    return found.outerjoin(touches, is_first).outerjoin(labels, label_of(labels, touches.c.origin_id))


def first_labels(question: Question, found: CTE, by: Sequence[str]) -> list[ColumnElement[Any]]:
    """The dimensions of the first touch; null where no touch is in reach."""
    labels = question.rows(tables.origin_labels)
    return [case((found.c.first_position.is_not(None), dimension(name, labels))).label(name) for name in by]


def conversions_by_length(question: Question) -> Select[Any]:
    """A row a number of touches in reach (0: none), the smallest first: its `millionths` and `minor`. At most 1,001 rows, or as many
    for each group.

    Reads what `journeys` reads.
    """
    found = journeys(question)
    keys = [*grouped(question, found), found.c.length]
    order = [*(bytewise(key) for key in keys[:-1]), found.c.length]
    return select(*keys, *summed(found.c)).group_by(*keys).order_by(*order)
