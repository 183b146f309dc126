"""Which touches of a journey a question looks at, and what the models see of each."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import CTE, BigInteger, ColumnElement, and_, bindparam, case, func, select

from app import tables
from app.attribution.joins import is_direct, touch_of, with_labels
from app.attribution.question import Question
from app.db import micros


def is_in_reach(question: Question, ended_at: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a journey's touch is no older than the look-back (inclusive) and, if so asked, not Direct.

    Where Direct is left out, `origin_labels` must be joined.
    """
    within = micros(question.rows(tables.journey_touches).c.occurred_at) >= ended_at - bindparam("lookback", type_=BigInteger)
    return and_(within, ~is_direct(question)) if question.exclude_direct else within


def reached(question: Question, over: CTE, carried: Sequence[str], *, labels: bool) -> CTE:
    """A row a touch in reach of a side, with what the models look at. Reads `journey_touches` by primary key."""
    touches = question.rows(tables.journey_touches)
    touch, journey = touches.c, over.c.side
    position = touch.position
    last = func.max(position).over(partition_by=journey)
    last_non_direct = func.max(case((~is_direct(question), position))).over(partition_by=journey) if labels else last
    statement = (
        select(
            over.c.side,
            over.c.millionths,
            case((over.c.is_convertible, over.c.magnitude), else_=0).label("magnitude"),
            over.c.direction,
            position,
            *(touch[name] for name in carried),
            (position == func.min(position).over(partition_by=journey)).label("is_first"),
            (position == last).label("is_last"),
            (position == func.coalesce(last_non_direct, last)).label("is_last_non_direct"),
            func.count().over(partition_by=journey).label("length"),
            (func.max(micros(touch.occurred_at)).over(partition_by=journey) - micros(touch.occurred_at)).label("age"),
        )
        .select_from(with_labels(question, over.join(touches, touch_of(touches, over.c)), needed=labels))
        .where(is_in_reach(question, over.c.ended_at))
    )
    return statement.cte("reached")
