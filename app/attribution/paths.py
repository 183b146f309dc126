"""Journeys as sequences: of those who converted, and of those who did not.

A *non-converting journey* is one person's who has no conversion of the kind asked for, at any time, and whose last touch before
the interval's end lies in the interval. It has the touches within the look-back before that last touch (and, if so asked,
none that is Direct). So, as with those who converted, the interval decides which journeys count and never cuts one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, and_, bindparam, exists, func, select

from app import tables
from app.attribution.joins import is_direct, label_of, touch_of, with_labels
from app.attribution.properties import whoever_is_asked
from app.attribution.question import Question
from app.attribution.reach import is_in_reach
from app.db import micros
from app.identity.internal import internal_people


def touches_of_sides(question: Question, over: CTE, carried: Sequence[str] = (), of_side: Sequence[str] = ()) -> CTE:
    """A row a touch in reach of a side: `journey` (the side), `position`, `origin_id`, the columns of `journey_touches` that are
    `carried`, and those `of_side` (to join a side again later costs the square of their number: nothing indexes a CTE).
    Reads `journey_touches` by primary key.
    """
    touches = question.rows(tables.journey_touches)
    joined = with_labels(question, over.join(touches, touch_of(touches, over.c)), needed=question.exclude_direct)
    return (
        select(over.c.side.label("journey"), touches.c.position, touches.c.origin_id)
        .add_columns(*(touches.c[name] for name in carried), *(over.c[name] for name in of_side))
        .select_from(joined)
        .where(is_in_reach(question, over.c))
        .cte("touches_of_sides")
    )


def touches_without_conversion(question: Question) -> CTE:
    """A row a touch of a non-converting journey: `journey` (the person), `position`, `origin_id`.

    Reads all of the site's `touches` up to the interval's end, `visitor_spans` by primary key, and `conversion_people` by
    `ix_conversion_people__person`.
    """
    touches = _touches_of_people(question)
    row = touches.c
    lookback = bindparam("lookback", type_=BigInteger)
    conditions = [row.touched_at >= row.ended_at - lookback]
    if question.starts_at is not None:
        conditions.append(row.ended_at >= bindparam("starts_at", type_=BigInteger))
    joined: Any = touches
    if question.exclude_direct:
        labels = question.rows(tables.origin_labels)
        joined = touches.outerjoin(labels, label_of(labels, row.origin_id))
        conditions.append(~is_direct(question))
    in_order = (row.touched_at, row.sequence, row.type_rank, row.event_id, row.visitor_id)
    position = func.row_number().over(partition_by=row.person_id, order_by=in_order)
    columns = [row.person_id.label("journey"), position.label("position"), row.origin_id]
    return select(*columns).select_from(joined).where(*conditions).cte("touches_without_conversion")


def _touches_of_people(question: Question) -> CTE:
    """A row a touch, before the interval's end and within a look-back of its beginning, of a person without conversion of whom the
    question's conditions on people hold, and who is not internal; `ended_at` is the person's last."""
    touch, span, person = tables.touches.c, tables.visitor_spans.c, question.rows(tables.conversion_people).c
    within = and_(span.visitor_id == touch.visitor_id, span.starts_at <= touch.occurred_at, span.ends_at > touch.occurred_at)
    has_converted = exists().where(
        person.site_id == bindparam("site_id"), person.person_id == span.person_id, person.kind == bindparam("kind")
    )
    touched_at = micros(touch.occurred_at)
    asked = whoever_is_asked(question, tables.visitor_spans)
    conditions = [touch.site_id == bindparam("site_id"), ~has_converted, span.person_id.not_in(internal_people()), *asked]
    if question.ends_at is not None:
        conditions.append(touched_at < bindparam("ends_at", type_=BigInteger))
    if question.starts_at is not None:
        conditions.append(touched_at >= bindparam("starts_at", type_=BigInteger) - bindparam("lookback", type_=BigInteger))
    names = ("visitor_id", "event_id", "sequence", "type_rank", "origin_id")
    return (
        select(
            span.person_id,
            *(touch[name] for name in names),
            touched_at.label("touched_at"),
            func.max(touched_at).over(partition_by=span.person_id).label("ended_at"),
        )
        .join_from(tables.touches, tables.visitor_spans, and_(span.site_id == bindparam("site_id"), within))
        .where(*conditions)
        .cte("touches_of_people")
    )
