"""The site's first visit: the earliest first touch of all spans. It tells a conversion before tracking from one without a touch."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, Select, and_, exists, func, literal, select

from app import tables
from app.db import greatest, least, micros
from app.tables import of_site

_spans, _staged = tables.visitor_spans, tables.staged["visitor_spans"]
_NEVER = literal(tables.END_OF_TIME, BigInteger)


def days_between_first_visits() -> Select[Any]:
    """A row of `sums_queue`'s key for each day on which a conversion without a touch counts that lies between the first
    visit as it was and as it will be. None at all where it stays.

    Reads `visitor_spans` by `ix_visitor_spans__first_touch`; where it moves, all `conversions`, once.
    """
    before, after = _first_visit_before(), _first_visit_after()
    conversion, journey, entry = tables.conversions, tables.journeys, tables.ledger_entries
    ended_at = micros(conversion.c.occurred_at)
    return (
        select(entry.c.site_id, entry.c.kind, entry.c.counted_on.label("day"))
        .join_from(conversion, journey, and_(of_site(journey), _is_of(journey, conversion)))
        .join(entry, and_(of_site(entry), _is_of(entry, conversion)))
        .where(of_site(conversion), before != after, ended_at >= least(before, after), ended_at < greatest(before, after))
        .where(journey.c.first_touched_at.is_(None))
    )


def _is_of(table: Any, conversion: Any) -> ColumnElement[bool]:
    return and_(*(table.c[name] == conversion.c[name] for name in ("kind", "holder_id", "fact_id")))


def _first_visit_before() -> ScalarSelect[int]:
    stored = select(func.coalesce(func.min(micros(_spans.c.first_touched_at)), _NEVER)).where(of_site(_spans))
    return stored.scalar_subquery()


def _first_visit_after() -> ColumnElement[int]:
    """The earlier of the staged spans' first touches and of those that stay."""
    earliest = func.coalesce(func.min(micros(_staged.c.first_touched_at)), _NEVER)
    written = select(earliest).where(of_site(_staged), _staged.c.is_gone.is_(False))
    is_replaced = exists().where(of_site(_staged), _staged.c.visitor_id == _spans.c.visitor_id, _staged.c.starts_at == _spans.c.starts_at)
    kept = (
        select(micros(_spans.c.first_touched_at))
        .where(of_site(_spans), _spans.c.first_touched_at.is_not(None), ~is_replaced)
        .order_by(_spans.c.first_touched_at)
        .limit(1)
    )
    return least(written.scalar_subquery(), func.coalesce(kept.scalar_subquery(), _NEVER))
