"""Journeys: the touches of a conversion's people before it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, case, cast, false, func, literal, or_, select

from app import tables
from app.db import greatest, least, micros
from app.journeys.conversions import same_conversion
from app.tables import of_site

LONGEST_LOOKBACK = 730 * 86_400_000_000
"""The longest look-back that a report may ask for, in microseconds: a length of time, never calendar days."""
MOST_TOUCHES = 1_000
"""A journey keeps the first touch and the newest 999."""

_dirty = tables.dirty["journeys_queue"]
_spans = tables.visitor_spans.c
_touches = tables.touches.c
_conversion = tables.conversions.c


def _key(source: Any) -> tuple[ColumnElement[Any], ...]:
    return (source.kind, source.holder_id, source.fact_id)


def _visits() -> Select[Any]:
    """A row for each span, begun by the conversion, of a visitor that was one of a dirty conversion's people; one
    without a span for a conversion that has none.

    Index: the keys of `conversions` and `conversion_people`, `ix_visitor_spans__person`.
    """
    person = tables.conversion_people
    begun = and_(of_site(tables.visitor_spans), _spans.person_id == person.c.person_id, _spans.starts_at <= _conversion.occurred_at)
    return (
        select(*_key(_conversion))
        .join_from(_dirty, tables.conversions, and_(of_site(tables.conversions), same_conversion(_conversion, _dirty.c)))
        .outerjoin(person, and_(of_site(person), same_conversion(person.c, _conversion)))
        .outerjoin(tables.visitor_spans, begun)
        .where(of_site(_dirty))
    )


def _is_within_lookback() -> ColumnElement[bool]:
    """Whether a touch lies in its visitor's span and in the 730 days up to the conversion, both ends included.

    Index: `ix_touches__order`.
    """
    at, converted_at = micros(_touches.occurred_at), micros(_conversion.occurred_at)
    return and_(
        of_site(tables.touches),
        _touches.visitor_id == _spans.visitor_id,
        at >= greatest(micros(_spans.starts_at), converted_at - literal(LONGEST_LOOKBACK)),
        at <= least(micros(_spans.ends_at) - 1, converted_at),
    )


def touches_of_journeys() -> Select[Any]:
    """A row for each touch kept of a dirty conversion's journey: the first and the newest 999."""
    in_order: Any = (_touches.occurred_at, _touches.sequence, _touches.type_rank, _touches.event_id, _touches.visitor_id)
    conversion = _key(_conversion)
    touches = (
        _visits()
        .join(tables.touches, _is_within_lookback())
        .add_columns(
            _touches.visitor_id, _touches.event_id, _touches.occurred_at, _touches.origin_id, _touches.is_reported,
            func.row_number().over(partition_by=conversion, order_by=in_order).label("number"),
            func.count().over(partition_by=conversion).label("of_journey"),
        )
        .cte("touches_numbered")
    ).c  # fmt: skip
    left_out = touches.of_journey - MOST_TOUCHES
    position = case((and_(touches.number > 1, left_out > 0), touches.number - left_out), else_=touches.number)
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), *_key(touches),
        touches.visitor_id.label("touch_visitor_id"), touches.event_id.label("touch_event_id"),
        position.label("position"), touches.occurred_at, touches.origin_id, touches.is_reported, false().label("is_gone"),
    ).where(or_(touches.number == 1, touches.number > left_out + 1))  # fmt: skip


def journeys_of_conversions() -> Select[Any]:
    """A row for each dirty conversion that stands: its journey as a whole."""
    first_touched_at = func.min(case((_spans.first_touched_at <= _conversion.occurred_at, _spans.first_touched_at)))
    of_span = select(func.count()).where(_is_within_lookback()).correlate(tables.visitor_spans, tables.conversions)
    length = cast(func.sum(of_span.scalar_subquery()), BigInteger)
    journey = _visits().add_columns(first_touched_at.label("first_touched_at"), length.label("length"))
    row = journey.group_by(*_key(_conversion)).subquery("lengths").c
    left_out = row.length - MOST_TOUCHES
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), *_key(row), row.first_touched_at,
        case((left_out > 0, left_out), else_=0).label("touches_left_out"), false().label("is_gone"),
    )  # fmt: skip
