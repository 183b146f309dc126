"""Touches that a rule of the site leaves out: of programs, of spam, of customers who log in.

They are taken from the staged touches of the dirty visitors, visitor by visitor, and kept in `left_out_touches` with their
reason, until the rule goes. Goals reached by a program, or between spam and the next touch, are left out as well; a customer's stay.

Statements are made once: to make them anew for each batch took longer than to run them, where nothing is left out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Delete,
    Insert,
    Select,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
)

from app import tables
from app.db import micros, position_of
from app.tables import of_site
from app.touches.queries import LeftOut, counts_page, session_starts

TOO_FAST = "too_fast"
SPAM = "spam_referrer"
CUSTOMER = "customer_area"
REASONS = (TOO_FAST, SPAM, CUSTOMER)
LEAD = "lead"

_HOUR = 3_600_000_000
_VIEWS = ("visit", "pageview")

_dirty = tables.dirty["touches_queue"]
_events = tables.events.c
_touches = tables.staged["touches"]
_goals = tables.staged["goal_events"]
_left_out = tables.staged["left_out_touches"]
_arrivals = tables.customer_arrivals


# ---------------------------------------------------------------- programs


def _too_fast() -> Select[Any]:
    """A row for each dirty visitor, and hour, with more than `:most_pages` pages that came with a write key. Who has not even
    that many events is not looked at. Index: `ix_events__order`."""
    in_hand = (of_site(tables.events), _events.visitor_id.in_(select(_dirty.c.visitor_id).where(of_site(_dirty))))
    busy = select(_events.visitor_id).where(*in_hand).group_by(_events.visitor_id).having(func.count() > bindparam("most_pages"))
    hour = micros(_events.occurred_at) // literal(_HOUR, BigInteger)
    return (
        select(_events.visitor_id)
        .where(
            of_site(tables.events),
            _events.visitor_id.in_(select(busy.cte("busy_visitors").c.visitor_id)),
            _events.type.in_(_VIEWS),
            _events.is_trusted.is_(False),
        )
        .group_by(_events.visitor_id, hour)
        .having(func.count() > bindparam("most_pages"))
    )


@cache
def touches_of_programs() -> Insert:
    """Stages the touches of visitors who saw more pages within an hour than anybody can. Parameters: `site_id`, `most_pages`."""
    stretches = _stretches(_too_fast())
    return _staged(TOO_FAST, select(stretches))


# ---------------------------------------------------------------- spam


@cache
def touches_of_spam() -> Insert:
    """Stages the touches of spam that are not staged yet. Index: the key of `origin_labels`."""
    label = tables.origin_labels
    labelled = and_(of_site(label), label.c.origin_id == _touches.c.origin_id, label.c.is_spam.is_(True))
    visitors = select(_touches.c.visitor_id).join_from(_touches, label, labelled).where(of_site(_touches))
    stretches = _stretches(visitors)
    is_spam = and_(of_site(label), label.c.origin_id == stretches.c.origin_id, label.c.is_spam.is_(True))
    is_staged = exists().where(of_site(_left_out), _left_out.c.visitor_id == stretches.c.visitor_id)
    return _staged(SPAM, select(stretches).join_from(stretches, label, is_spam).where(~is_staged))


# ---------------------------------------------------------------- customers who log in


def is_in_customer_area() -> ColumnElement[bool]:
    """Whether an event's page lies where customers log in (`app.sites.customer_area`). Index: the key of `customer_pages`.

    Only ASCII letters are folded: both databases must agree.
    """
    path = func.rtrim(func.lower(cast(_events.path, tables.Key)), "/") + "/"
    without_language = case((path.like("/__/_%"), func.substr(path, 4)), (path.like("/__-__/_%"), func.substr(path, 7)), else_=path)
    values = {
        "host": _events.host,
        "label": _before(_events.host, "."),
        "path": path,
        "first": _before(func.substr(without_language, 2), "/"),
    }
    page = tables.customer_pages.c

    def is_part(part: str, is_it: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(page.site_id == _events.site_id, page.part == part, is_it)

    begins = page.value == func.substr(path, 1, func.length(page.value))
    is_in = or_(*(is_part(part, page.value == value) for part, value in values.items()), is_part("prefix", begins))
    return and_(is_in, ~is_part("outside", page.value == values["first"]))


def _before(text: ColumnElement[str], mark: str) -> ColumnElement[str]:
    """What of a text stands before its first mark; empty if there is none."""
    end = position_of(text, literal(mark))
    return case((end > 0, func.substr(text, 1, end - 1)), else_=literal(""))


@cache
def arrivals_of_customers() -> Insert:
    """Rows of `customer_arrivals`: touches in the area that nobody paid for or sent. Index: the key of `events`."""
    is_event = and_(of_site(tables.events), _events.visitor_id == _touches.c.visitor_id, _events.event_id == _touches.c.event_id)
    is_left_out = exists().where(
        of_site(_left_out), _left_out.c.visitor_id == _touches.c.visitor_id, _left_out.c.event_id == _touches.c.event_id
    )
    rows = (
        select(_touches.c.site_id, _touches.c.visitor_id, _touches.c.event_id, micros(_touches.c.occurred_at))
        .join_from(_touches, tables.events, is_event)
        .where(of_site(_touches), _events.is_web.is_(True), _events.campaign_key.is_(None), is_in_customer_area(), ~is_left_out)
    )
    return insert(_arrivals).from_select([column.name for column in _arrivals.columns], rows)


@cache
def touches_of_customers(left_out: LeftOut) -> Insert:
    """Stages the arrivals of customers whose session saw no page outside the area and made no lead.

    Parameters: `site_id`, `session_gap`. Index: `ix_events__order`, the key of the staged `goal_events`.
    """
    sessions = _sessions(left_out)
    arrival = _arrivals.c
    is_within = and_(
        of_site(tables.events),
        _events.visitor_id == arrival.visitor_id,
        micros(_events.occurred_at) >= sessions.c.started_at,
        micros(_events.occurred_at) < sessions.c.ends_at,
    )
    is_page = and_(_events.is_web.is_(True), or_(_events.host != "", _events.path != ""))
    counted = (counts_page(),) if left_out.pages else ()
    saw_more = exists().where(is_within, is_page, ~is_in_customer_area(), *counted)
    made_lead = exists().where(
        of_site(_goals),
        _goals.c.visitor_id == arrival.visitor_id,
        _goals.c.goal == LEAD,
        micros(_goals.c.occurred_at) >= sessions.c.started_at,
        micros(_goals.c.occurred_at) < sessions.c.ends_at,
    )
    is_session = and_(sessions.c.visitor_id == arrival.visitor_id, sessions.c.started_at == arrival.occurred_at)
    rows = (
        select(arrival.visitor_id, arrival.event_id, arrival.occurred_at, sessions.c.ends_at)
        .join_from(_arrivals, sessions, is_session)
        .where(of_site(_arrivals), ~saw_more, ~made_lead)
    )
    return _staged(CUSTOMER, rows)


def _sessions(left_out: LeftOut) -> CTE:
    """A row a session of whoever arrived in the area: until the next begins."""
    started = session_starts(select(_arrivals.c.visitor_id).where(of_site(_arrivals)), left_out).cte("sessions_started")
    following: Any = {"partition_by": started.c.visitor_id, "order_by": started.c.started_at}
    ends_at = func.lead(started.c.started_at, 1, tables.END_OF_TIME).over(**following)
    return select(started.c.visitor_id, started.c.started_at, ends_at.label("ends_at")).cte("sessions")


# ---------------------------------------------------------------- what they share


def _stretches(visitors: Select[Any]) -> CTE:
    """A row a staged touch of the visitors, and when the next one begins."""
    touch = _touches.c
    in_order = (touch.occurred_at, touch.sequence, touch.type_rank, touch.event_id)
    ends_at = func.lead(micros(touch.occurred_at), 1, tables.END_OF_TIME).over(partition_by=touch.visitor_id, order_by=in_order)
    return (
        select(touch.visitor_id, touch.event_id, micros(touch.occurred_at).label("occurred_at"), ends_at.label("ends_at"), touch.origin_id)
        .where(of_site(_touches), touch.visitor_id.in_(visitors))
        .cte("stretches")
    )


def _staged(reason: str, rows: Select[Any]) -> Insert:
    row = rows.subquery("rows_left_out").c
    columns = {
        "site_id": bindparam("site_id", type_=tables.Key),
        "visitor_id": row.visitor_id,
        "event_id": row.event_id,
        "occurred_at": row.occurred_at,
        "ends_at": row.ends_at,
        "reason": literal(reason),
        "is_gone": false(),
    }
    return insert(_left_out).from_select([*columns], select(*(column.label(name) for name, column in columns.items())))


@cache
def goals_left_out() -> Delete:
    """Takes the goals of programs and of spam out of staging."""
    is_within = and_(_goals.c.occurred_at >= _left_out.c.occurred_at, _goals.c.occurred_at < _left_out.c.ends_at)
    is_left_out = exists().where(
        of_site(_left_out),
        _left_out.c.visitor_id == _goals.c.visitor_id,
        or_(_left_out.c.reason == TOO_FAST, and_(_left_out.c.reason == SPAM, is_within)),
    )
    return delete(_goals).where(of_site(_goals), is_left_out)


@cache
def touches_left_out() -> Delete:
    """Takes the touches that are left out out of staging."""
    left_out = select(_left_out.c.visitor_id, _left_out.c.event_id).where(of_site(_left_out))
    return delete(_touches).where(of_site(_touches), tuple_(_touches.c.visitor_id, _touches.c.event_id).in_(left_out))
