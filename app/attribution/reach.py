"""Which touches of a journey a question looks at, and what the models see of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, and_, bindparam, case, func, select

from app import tables
from app.attribution.joins import is_direct, touch_of, with_labels
from app.attribution.question import Question
from app.db import micros


def is_in_reach(question: Question, conversion: Any) -> ColumnElement[bool]:
    """Whether a journey's touch is no older than the look-back (inclusive), not after the milestone up to which touches
    take part, and, if so asked, not Direct.

    `conversion` has the columns `occurred_at`, `lead_at` and `opportunity_at`. Where Direct is left out, `origin_labels`
    must be joined.
    """
    touched_at = question.rows(tables.journey_touches).c.occurred_at
    conditions = [micros(touched_at) >= micros(conversion.occurred_at) - bindparam("lookback", type_=BigInteger)]
    if question.touches_until != "close":
        conditions.append(touched_at <= conversion[f"{question.touches_until}_at"])
    if question.exclude_direct:
        conditions.append(~is_direct(question))
    return and_(*conditions)


def reached(question: Question, over: CTE, carried: Sequence[str], looked_at: Collection[str]) -> CTE:
    """A row a touch in reach of a side, with what a model looks at, fields of `Touch`, and the columns of either that are `carried`.

    Reads `journey_touches` by primary key.
    """
    touches = question.rows(tables.journey_touches)
    touch, journey = touches.c, over.c.side
    windows = {name: window.over(partition_by=journey) for name, window in _windows(question, over).items()}
    windows["last_non_direct_position"] = func.coalesce(windows["last_non_direct_position"], windows["last_position"])
    windows["age"] = windows["age"] - micros(touch.occurred_at)
    needs_labels = question.exclude_direct or "last_non_direct_position" in looked_at
    statement = (
        select(
            over.c.side,
            over.c.millionths,
            case((over.c.is_convertible, over.c.magnitude), else_=0).label("magnitude"),
            over.c.direction,
            touch.position,
            *(touch[name] if name in touch else over.c[name] for name in carried),
            *(window.label(name) for name, window in windows.items() if name in looked_at),
        )
        .select_from(with_labels(question, over.join(touches, touch_of(touches, over.c)), needed=needs_labels))
        .where(is_in_reach(question, over.c))
    )
    return statement.cte("reached")


def _windows(question: Question, over: CTE) -> dict[str, Any]:
    """What is computed over a whole journey, by the field of `Touch` that it becomes. `age` begins with the last touch's time."""
    touch = question.rows(tables.journey_touches).c
    return {
        "first_position": func.min(touch.position),
        "last_position": func.max(touch.position),
        "last_non_direct_position": func.max(case((~is_direct(question), touch.position))),
        "lead_position": func.max(case((touch.occurred_at <= over.c.lead_at, touch.position))),
        "opportunity_position": func.max(case((touch.occurred_at <= over.c.opportunity_at, touch.position))),
        "length": func.count(),
        "age": func.max(micros(touch.occurred_at)),
    }
