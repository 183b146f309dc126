"""What is in the log and counts not, by the rule that leaves it out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Label, Select, and_, bindparam, cast, func, literal, select

from app import tables
from app.db import micros
from app.identity.internal import internal_people
from app.tables import of_site
from app.touches.queries import counts_page

_events = tables.events.c
_left_out = tables.left_out_touches.c


def _in_interval(moment: ColumnElement[Any], *, has_start: bool, has_end: bool) -> list[ColumnElement[bool]]:
    bounds = []
    if has_start:
        bounds.append(micros(moment) >= bindparam("starts_at", type_=BigInteger))
    if has_end:
        bounds.append(micros(moment) < bindparam("ends_at", type_=BigInteger))
    return bounds


def _counted(reason: str, touches: ColumnElement[Any]) -> list[Label[Any]]:
    counts = {"events": func.count(), "visitors": func.count(_events.visitor_id.distinct()), "touches": touches}
    return [literal(reason).label("reason"), *(count.label(name) for name, count in counts.items())]


def drops_by_reason(*, has_start: bool, has_end: bool) -> Select[Any]:
    """A row a reason for which something was dropped at the door on the UTC days from `:first_day` to before `:last_day`, and how
    often. Index: the primary key of `drops`."""
    drop = tables.drops.c
    days = [drop.day >= bindparam("first_day")] if has_start else []
    days += [drop.day < bindparam("last_day")] if has_end else []
    count = cast(func.sum(drop.count), BigInteger).label("events")
    return select(drop.reason, count).where(of_site(tables.drops), *days).group_by(drop.reason).order_by(drop.reason)


def touches_by_reason(*, has_start: bool, has_end: bool) -> Select[Any]:
    """A row a rule that left out touches in the interval: how many, of how many visitors, and the events that belong to them.

    Index: `ix_left_out_touches__occurred_at`, `ix_events__order`.
    """
    belongs = and_(
        of_site(tables.events),
        _events.visitor_id == _left_out.visitor_id,
        _events.occurred_at >= _left_out.occurred_at,
        _events.occurred_at < _left_out.ends_at,
    )
    events = select(func.count()).where(belongs).correlate(tables.left_out_touches).scalar_subquery()
    in_interval = _in_interval(_left_out.occurred_at, has_start=has_start, has_end=has_end)
    rows = (
        select(_left_out.reason, _left_out.visitor_id, events.label("events"))
        .where(of_site(tables.left_out_touches), *in_interval)
        .cte("touches_left_out")
    )
    return (
        select(
            rows.c.reason,
            cast(func.sum(rows.c.events), BigInteger).label("events"),
            func.count(rows.c.visitor_id.distinct()).label("visitors"),
            func.count().label("touches"),
        )
        .group_by(rows.c.reason)
        .order_by(rows.c.reason)
    )


def excluded_pages(*, has_start: bool, has_end: bool) -> Select[Any]:
    """One row: events on excluded pages in the interval, and their visitors. Reads all of the site's `events`."""
    in_interval = _in_interval(_events.occurred_at, has_start=has_start, has_end=has_end)
    columns = _counted("excluded_page", literal(None, BigInteger))
    return select(*columns).where(of_site(tables.events), ~counts_page(), *in_interval)


def unwanted_reports(*, has_start: bool, has_end: bool) -> Select[Any]:
    """One row: touches in the interval that a CRM has told of, which the site leaves out. Reads all of the site's `events`."""
    in_interval = _in_interval(_events.occurred_at, has_start=has_start, has_end=has_end)
    return select(*_counted("crm_touch", func.count())).where(of_site(tables.events), _events.reported_by == "crm", *in_interval)


def internal_visits(*, has_start: bool, has_end: bool) -> Select[Any]:
    """One row: what staff and testers did in the interval. Index: what `internal_people` reads, `ix_visitor_spans__person`,
    `ix_events__order`, the key of `touches`."""
    span, touch = tables.visitor_spans.c, tables.touches.c
    is_touch = and_(of_site(tables.touches), touch.visitor_id == _events.visitor_id, touch.event_id == _events.event_id)
    within = and_(
        of_site(tables.events),
        _events.visitor_id == span.visitor_id,
        _events.occurred_at >= span.starts_at,
        _events.occurred_at < span.ends_at,
    )
    return (
        select(*_counted("internal_contact", func.count(touch.event_id)))
        .join_from(tables.visitor_spans, tables.events, within)
        .outerjoin(tables.touches, is_touch)
        .where(
            of_site(tables.visitor_spans),
            span.person_id.in_(internal_people()),
            *_in_interval(_events.occurred_at, has_start=has_start, has_end=has_end),
        )
    )
