"""Journeys: the touches of a conversion's people before it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, case, false, func, literal, or_, select

from app import tables
from app.db import greatest, least, micros
from app.journeys.conversions import same_conversion
from app.swap import of_site

LONGEST_LOOKBACK = 730 * 86_400_000_000
"""The longest look-back that a report may ask for, in microseconds: a length of time, never calendar days."""
MOST_TOUCHES = 1_000
"""A journey keeps the first touch and the newest 999."""

_dirty = tables.dirty["journeys_queue"]
_spans = tables.visitor_spans.c
_touches = tables.touches.c


def _dirty_conversions() -> CTE:
    """A row for each dirty conversion that stands. Index: the key of `conversions`."""
    conversion = tables.conversions
    is_dirty = and_(of_site(conversion), same_conversion(conversion.c, _dirty.c))
    return (
        select(*_key(conversion.c), micros(conversion.c.occurred_at).label("converted_at"))
        .join_from(_dirty, conversion, is_dirty)
        .where(of_site(_dirty))
        .cte("dirty_conversions")
    )


def _key(source: Any) -> tuple[ColumnElement[Any], ...]:
    return (source.kind, source.holder_id, source.fact_id)


def _spans_of_conversions(conversions: CTE) -> CTE:
    """A row for each span, begun by the conversion, of a visitor that was one of its people.

    Index: the key of `conversion_people`, `ix_visitor_spans__person`.
    """
    person = tables.conversion_people
    return (
        select(
            *conversions.columns, _spans.visitor_id,
            micros(_spans.starts_at).label("starts_at"), micros(_spans.ends_at).label("ends_at"), _spans.first_touched_at,
        )
        .join_from(conversions, person, and_(of_site(person), same_conversion(person.c, conversions.c)))
        .join(tables.visitor_spans, and_(of_site(tables.visitor_spans), _spans.person_id == person.c.person_id))
        .where(micros(_spans.starts_at) <= conversions.c.converted_at)
        .cte("spans_of_conversions")
    )  # fmt: skip


def _within_lookback(spans: CTE) -> ColumnElement[bool]:
    """Whether a touch lies in a span and in the 730 days up to the conversion, both ends included.

    Index: `ix_touches__order`.
    """
    span = spans.c
    at = micros(_touches.occurred_at)
    return and_(
        of_site(tables.touches),
        _touches.visitor_id == span.visitor_id,
        at >= greatest(span.starts_at, span.converted_at - literal(LONGEST_LOOKBACK)),
        at <= least(span.ends_at - 1, span.converted_at),
    )


def touches_of_journeys() -> Select[Any]:
    """A row for each touch kept of a dirty conversion's journey: the first and the newest 999."""
    spans = _spans_of_conversions(_dirty_conversions())
    in_order: Any = (_touches.occurred_at, _touches.sequence, _touches.type_rank, _touches.event_id, _touches.visitor_id)
    conversion = _key(spans.c)
    touches = (
        select(
            *conversion, _touches.visitor_id, _touches.event_id, _touches.occurred_at, _touches.origin_id,
            func.row_number().over(partition_by=conversion, order_by=in_order).label("number"),
            func.count().over(partition_by=conversion).label("of_journey"),
        )
        .join_from(spans, tables.touches, _within_lookback(spans))
        .cte("touches_numbered")
    ).c  # fmt: skip
    left_out = touches.of_journey - MOST_TOUCHES
    position = case((and_(touches.number > 1, left_out > 0), touches.number - left_out), else_=touches.number)
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), *_key(touches),
        touches.visitor_id.label("touch_visitor_id"), touches.event_id.label("touch_event_id"),
        position.label("position"), touches.occurred_at, touches.origin_id, false().label("is_gone"),
    ).where(or_(touches.number == 1, touches.number > left_out + 1))  # fmt: skip


def _first_touches(spans: CTE) -> CTE:
    """A row for each journey with a touch at or before its conversion, however long ago: when the first was."""
    span = spans.c
    return (
        select(*_key(span), func.min(span.first_touched_at).label("first_touched_at"))
        .where(micros(span.first_touched_at) <= span.converted_at)
        .group_by(*_key(span))
        .cte("first_touches")
    )


def _lengths(spans: CTE) -> CTE:
    """A row for each journey with touches: how many, those left out included."""
    return (
        select(*_key(spans.c), func.count().label("touches"))
        .join_from(spans, tables.touches, _within_lookback(spans))
        .group_by(*_key(spans.c))
        .cte("lengths")
    )


def journeys_of_conversions() -> Select[Any]:
    """A row for each dirty conversion that stands: its journey as a whole."""
    conversions = _dirty_conversions()
    spans = _spans_of_conversions(conversions)
    first, length = _first_touches(spans), _lengths(spans)
    left_out = func.coalesce(length.c.touches, 0) - MOST_TOUCHES
    return (
        select(
            bindparam("site_id", type_=tables.Key).label("site_id"), *_key(conversions.c), first.c.first_touched_at,
            case((left_out > 0, left_out), else_=0).label("touches_left_out"), false().label("is_gone"),
        )
        .join_from(conversions, first, same_conversion(first.c, conversions.c), isouter=True)
        .outerjoin(length, same_conversion(length.c, conversions.c))
    )  # fmt: skip
