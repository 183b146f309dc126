"""Which conversions a finding concerns: each whole, once, from the same ledger as the attribution report.

Nothing is split here: a conversion with one bad touch among five is affected as a whole. So the figures of several findings
overlap, and do not add up; those of one are at most the report's totals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from app import tables
from app.attribution.joins import bytewise, event_of, label_of, same_conversion, touch_of, with_labels
from app.attribution.journeys import own_minor, summed
from app.attribution.ledger import is_reached, sides
from app.attribution.question import Question
from app.attribution.reach import is_in_reach
from app.db import micros
from app.tables import of_site

Condition = Callable[[Question, CTE], ColumnElement[bool]]
"""Of a side of a ledger entry (`sides`): whether its conversion is concerned."""

DAY = 86_400_000_000
"""Microseconds."""
CLOCKS_DIFFER = 14 * 3_600_000_000
"""How far the local days of two places can be apart, in microseconds."""

_origin = tables.origins.c
_event = tables.events.c


def conversions_affected(question: Question, condition: Condition, *, limit: int) -> Select[Any]:
    """A row a conversion that meets the condition, those with most money first: at most `limit`. Each carries the sums of all of
    them, `all_millionths` and `all_minor`, in the site's currency.

    Reads what `sides` reads, and what the condition does.
    """
    over = sides(question)
    hit = (
        select(over.c.holder_id, over.c.fact_id, over.c.millionths, own_minor(over.c).label("minor"))
        .where(condition(question, over))
        .cte("sides_affected")
    )
    each = select(hit.c.holder_id, hit.c.fact_id, *summed(hit.c)).group_by(hit.c.holder_id, hit.c.fact_id).cte("conversions_affected")
    every = (cast(func.sum(each.c[name]).over(), BigInteger).label(f"all_{name}") for name in ("millionths", "minor"))
    order = (func.abs(each.c.minor).desc(), each.c.millionths.desc(), bytewise(each.c.holder_id), bytewise(each.c.fact_id))
    return select(each.c.holder_id, each.c.fact_id, *every).order_by(*order).limit(limit)


# ---------------------------------------------------------------- by a touch of the journey


def with_touch(*of_origin: ColumnElement[bool]) -> Condition:
    """Conversions with a touch in reach whose origin (`origins`, and its label) meets these conditions.

    Index: the keys of `journey_touches`, `origins` and `origin_labels`.
    """

    def condition(question: Question, over: CTE) -> ColumnElement[bool]:
        touches = question.rows(tables.journey_touches)
        labelled = with_labels(question, touches, needed=True)
        return _has(question, over, labelled.join(tables.origins, label_of(tables.origins, touches.c.origin_id)), *of_origin)

    return condition


def with_landing(*of_event: ColumnElement[bool]) -> Condition:
    """Conversions with a touch in reach whose event (`events`) meets these conditions. Index: the keys of `journey_touches`, `events`."""

    def condition(question: Question, over: CTE) -> ColumnElement[bool]:
        touches = question.rows(tables.journey_touches)
        labelled = with_labels(question, touches, needed=question.exclude_direct)
        return _has(question, over, labelled.join(tables.events, event_of(touches.c)), *of_event)

    return condition


def with_internal_campaign(question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions with a touch in reach that a link of the site's own made (`is_internal_campaign`).

    Index: the keys of `journey_touches`, `touches`, `events` and `origins`.
    """
    journey = question.rows(tables.journey_touches)
    touch = tables.touches.c
    is_same = and_(of_site(tables.touches), touch.visitor_id == journey.c.touch_visitor_id, touch.event_id == journey.c.touch_event_id)
    labelled = with_labels(question, journey, needed=question.exclude_direct)
    joined = labelled.join(tables.touches, is_same).join(tables.events, event_of(journey.c))
    joined = joined.join(tables.origins, label_of(tables.origins, journey.c.origin_id))
    return _has(question, over, joined, is_internal_campaign())


def is_internal_campaign() -> ColumnElement[bool]:
    """Whether a touch (`touches`, with its `events` and `origins`) lies inside a session, and came by a tagged link of the site's own.

    The first touch of a session is left alone: a page of the site's own may redirect what comes from a mail or an ad.
    """
    is_own_host = _origin.referring_host.in_(bindparam("own_hosts", expanding=True))
    is_own = or_(_event.has_internal_referrer.is_(True), and_(_origin.referring_host != "", is_own_host))
    is_tagged = or_(_origin.source != "", _origin.medium != "", _origin.campaign != "")
    return and_(tables.touches.c.occurred_at > tables.touches.c.session_started_at, is_own, is_tagged)


def _has(question: Question, over: CTE, joined: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    touches = question.rows(tables.journey_touches)
    found = exists().select_from(joined).where(touch_of(touches, over.c), is_in_reach(question, over.c), *conditions)
    return found.correlate(over)


# ---------------------------------------------------------------- by the whole of the journey, or the deal


def without_touch(question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions without any touch at or before them, however long ago. Index: the key of `journeys`."""
    journeys = question.rows(tables.journeys)
    return ~exists().where(same_conversion(journeys.c, over.c), journeys.c.first_touched_at.is_not(None)).correlate(over)


def touched_too_early(question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions whose touches all lie before the look-back. Index: the keys of `journeys`, `journey_touches`."""
    return and_(~without_touch(question, over), ~is_reached(replace(question, exclude_direct=False, touches_until="close"), over))


def only_direct(question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions of whose touches in reach all are Direct. Index: the keys of `journey_touches` and `origin_labels`."""
    return and_(is_reached(replace(question, exclude_direct=False), over), ~is_reached(replace(question, exclude_direct=True), over))


def without_people(_question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions of whom nobody is known."""
    found: ColumnElement[bool] = over.c.has_people.is_(False)
    return found


def in_other_currency(_question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions whose money is in another currency than the site's."""
    found: ColumnElement[bool] = over.c.is_convertible.is_(False)
    return found


def everything(_question: Question, over: CTE) -> ColumnElement[bool]:
    """All that the question asks about."""
    found: ColumnElement[bool] = over.c.side.is_not(None)
    return found


def with_people(_question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions of whom somebody is known."""
    found: ColumnElement[bool] = over.c.has_people.is_(True)
    return found


def never_seen(question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions of whose people no browser is known. Index: the key of `conversion_people`, `ix_visitor_spans__person`."""
    people, span = question.rows(tables.conversion_people), tables.visitor_spans.c
    is_browser = and_(span.site_id == bindparam("site_id"), span.person_id == people.c.person_id, func.substr(span.visitor_id, 1, 1) != "~")
    joined = people.join(tables.visitor_spans, is_browser)
    return and_(with_people(question, over), ~exists().select_from(joined).where(same_conversion(people.c, over.c)).correlate(over))


def without_amount(question: Question, over: CTE) -> ColumnElement[bool]:
    """Conversions that were worth nothing when they were counted. Index: the key of `ledger_entries`."""
    first = question.rows(tables.ledger_entries).alias("first_entries").c
    return exists().where(same_conversion(first, over.c), first.entry == 0, first.after_minor == 0).correlate(over)


def closed_before_created(question: Question, over: CTE) -> ColumnElement[bool]:
    """Won deals whose close (the end of the CRM's close date, else the win) lies before the creation that the CRM states, by more
    than the clocks of two places can differ. Index: the keys of `ledger_entries`, `deals` and `deal_fields`."""
    entries, deals = question.rows(tables.ledger_entries).alias("first_entries"), question.rows(tables.deals)
    deal, said = deals.c, tables.deal_fields.c
    is_opening = and_(said.site_id == deal.site_id, said.space == deal.space, said.deal_id == deal.deal_id, said.field == "opened_at")
    stated = select(cast(said.value, BigInteger)).where(is_opening).order_by(said.occurred_at.desc(), said.fact_id.desc()).limit(1)
    closed_by = micros(entries.c.counted_at) + case((deal.closed_on.is_not(None), literal(DAY, BigInteger)), else_=0)
    of_deal = and_(deal.site_id == entries.c.site_id, deal.space == entries.c.holder_id, deal.deal_id == entries.c.fact_id)
    is_first = and_(same_conversion(entries.c, over.c), entries.c.kind == "customer", entries.c.entry == 0)
    is_early = closed_by + CLOCKS_DIFFER < stated.correlate(deals).scalar_subquery()
    return exists().select_from(entries.join(deals, of_deal)).where(is_first, is_early).correlate(over)
