"""The score of a lead: points for what somebody did, fading by half-lives, and for what they are.

Points are counted in thousandths, integers on both databases. What was done `days` whole days ago is worth
points · f ÷ 1,000 thousandths, towards zero, where f = floor(10⁶·2^(−days ÷ half-life) + ½) (10⁶ where it never fades).
Of each rule only the newest `at_most` times count. Nothing here depends on now: a moment is always given.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Double,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union,
    union_all,
)

from app import tables
from app.db import greatest, micros
from app.tables import of_site

MOST_MOMENTS = 1_000
"""Of what somebody did, in order of time, this many events are looked at for the moment at which the score reached the
threshold: each is held against all before it."""
_DAY = 86_400_000_000
_MILLION = 1_000_000
_spans = tables.visitor_spans.c
_goals = tables.goal_events.c
_rules = tables.score_rules.c


# ---------------------------------------------------------------- what counts


def scored_events(people: FromClause, *, most: int | None = None) -> CTE:
    """A row for each rule of the score that an event of the `people` (`person_id`) meets: its points and half-life, and the
    moment from which newer ones count in its place (`until`). With `most`, only the first so many of a person.

    Index: `ix_visitor_spans__person`, the keys of `goal_events` and `score_rules`.
    """
    is_within_span = and_(
        of_site(tables.goal_events),
        _goals.visitor_id == _spans.visitor_id,
        _goals.purpose == "score",
        _goals.occurred_at >= _spans.starts_at,
        _goals.occurred_at < _spans.ends_at,
    )
    in_order = (_goals.occurred_at, _goals.sequence, _goals.event_id, _goals.visitor_id)
    done = (
        select(
            _spans.person_id, _goals.visitor_id, _goals.event_id, micros(_goals.occurred_at).label("occurred_at"), _goals.sequence,
            _rules.rule, _rules.points, _rules.at_most, _rules.half_life,
            func.row_number().over(partition_by=_spans.person_id, order_by=(*in_order, _rules.rule)).label("number"),
        )
        .join_from(people, tables.visitor_spans, and_(of_site(tables.visitor_spans), _spans.person_id == people.c.person_id))
        .join(tables.goal_events, is_within_span)
        .join(tables.score_rules, and_(of_site(tables.score_rules), _rules.rule == _goals.goal))
        .cte("scored_events_numbered")
    )  # fmt: skip
    row = done.c
    newer = func.lead(row.occurred_at, cast(row.at_most, Integer), tables.END_OF_TIME)
    until = newer.over(partition_by=(row.person_id, row.rule), order_by=row.number).label("until")
    counted = select(*done.columns, until)
    return (counted if most is None else counted.where(row.number <= most)).cte("scored_events")


def fits(people: FromClause) -> CTE:
    """A row for each fit of the `people` (`person_id`) that holds now: its points, and since when (`occurred_at`).

    Index: the key of `properties`; `score_rules` are few.
    """
    rule = tables.score_rules.alias("fit_rules")
    said, employer = tables.properties.alias("said"), tables.properties.alias("employers")
    has_value = or_(rule.c.value.is_(None), rule.c.value == said.c.value)
    of_company = and_(of_site(employer), employer.c.holder_id == people.c.person_id, employer.c.property == "")

    def held(of: str, since: ColumnElement[Any]) -> Select[Any]:
        return select(people.c.person_id, rule.c.rule, rule.c.points, since.label("occurred_at")).where(
            of_site(rule), rule.c.of == of, of_site(said), said.c.property == rule.c.property, has_value
        )

    of_people = held("person", micros(said.c.occurred_at)).join_from(people, said, said.c.holder_id == people.c.person_id)
    since = greatest(micros(said.c.occurred_at), micros(employer.c.occurred_at))
    of_companies = (
        held("company", since).join_from(people, employer, of_company).join(said, said.c.holder_id == employer.c.value)
    )
    both = (each.join(rule, true()) for each in (of_people, of_companies))
    return union_all(*both).cte("fits")


def worth(points: ColumnElement[Any], half_life: ColumnElement[Any], age: ColumnElement[Any]) -> ColumnElement[int]:
    """What points of so many microseconds' age are worth, in thousandths."""
    days = age // _DAY
    # PostgreSQL refuses to underflow, and 2⁻⁶⁴ of a million is nothing anyway.
    exponent = greatest(-cast(days, Double) / cast(half_life, Double), literal(-64.0, Double))
    millionths = literal(float(_MILLION), Double) * func.power(literal(2.0, Double), exponent)
    faded = cast(func.floor(millionths + literal(0.5, Double)), BigInteger)
    return points * case((half_life.is_(None), literal(_MILLION, BigInteger)), else_=faded) // 1_000


# ---------------------------------------------------------------- the score at moments


def scores_at(moments: FromClause, events: CTE, held: CTE) -> Select[Any]:
    """A row for each of `moments` (`person_id`, `at` in microseconds): the score then, in thousandths, and what it was
    `before` anything happened at that moment."""
    moment = moments.c

    def of(source: CTE, points: ColumnElement[Any], has_begun: ColumnElement[bool], goes_on: ColumnElement[bool]) -> Select[Any]:
        was_there = source.c.occurred_at < moment.at
        return select(
            moment.person_id, moment.at,
            case((goes_on, points), else_=0).label("score"),
            case((was_there, points), else_=0).label("before"),
        ).join_from(moments, source, and_(source.c.person_id == moment.person_id, has_begun))  # fmt: skip

    event, fit = events.c, held.c
    counts = and_(event.occurred_at <= moment.at, event.until >= moment.at)
    done = of(events, worth(event.points, event.half_life, moment.at - event.occurred_at), counts, event.until > moment.at)
    are = of(held, fit.points * 1_000, fit.occurred_at <= moment.at, true())
    parts = union_all(done, are).cte("parts_of_scores").c
    total = {name: cast(func.sum(parts[name]), BigInteger).label(name) for name in ("score", "before")}
    return select(parts.person_id, parts.at, *total.values()).group_by(parts.person_id, parts.at)


def scores_of_people(people: FromClause, at: ColumnElement[Any]) -> Select[Any]:
    """A row for each of the `people` (`person_id`, each once) who has a score at a moment (`at`, microseconds):
    `person_id`, `at`, `score` and `before`, in thousandths of a point. Who has none has 0."""
    moments = select(people.c.person_id, at.label("at")).cte("moments_asked_for")
    return scores_at(moments, scored_events(people), fits(people))


def reasons_of_scores(people: FromClause, at: ColumnElement[Any]) -> Select[Any]:
    """A row for each event and each fit that counts for the `people` (`person_id`) at a moment: `rule`, `points`,
    `occurred_at`, the event (null for a fit), and what is `left` of the points, in thousandths."""
    events, held = scored_events(people), fits(people)
    event, fit = events.c, held.c
    left = worth(event.points, event.half_life, at - event.occurred_at)
    is_counted = and_(event.occurred_at <= at, event.until > at)
    done = select(
        event.person_id, event.rule, event.points, event.occurred_at, event.visitor_id, event.event_id, event.half_life, left.label("left")
    ).where(is_counted)
    nothing = (null().label("visitor_id"), null().label("event_id"), null().label("half_life"))
    whole = (fit.points * 1_000).label("left")
    are = select(fit.person_id, fit.rule, fit.points, fit.occurred_at, *nothing, whole).where(fit.occurred_at <= at)
    reasons = union_all(done, are).subquery("reasons")
    row = reasons.c
    return select(*reasons.columns).order_by(row.person_id, row.occurred_at.desc(), row.rule, row.event_id, row.visitor_id)


def rises_of_scores(people: FromClause) -> Select[Any]:
    """A row for each moment at which the score of one of the `people` (`person_id`) rose: `at`, `score`, `before`."""
    events, held = scored_events(people, most=MOST_MOMENTS), fits(people)
    of_both: CompoundSelect[Any] = union(*(select(source.c.person_id, source.c.occurred_at.label("at")) for source in (events, held)))
    scores = scores_at(of_both.cte("moments_of_change"), events, held).subquery("scores")
    return select(*scores.columns).where(scores.c.score > scores.c.before).order_by(scores.c.person_id, scores.c.at)


def first_reached(people: FromClause, threshold: ColumnElement[Any]) -> Select[Any]:
    """A row for each event at whose moment the score of one of the `people` (`person_id`) first reached the threshold (points):
    `person_id`, `visitor_id`, `event_id`, `occurred_at`, `sequence`; of events of one moment the last.

    Only what people do makes an `mql`: a property that comes to hold counts from the next event on.
    """
    events, held = scored_events(people, most=MOST_MOMENTS), fits(people)
    row = events.c
    moments = select(row.person_id, row.occurred_at.label("at")).distinct().cte("moments_of_events")
    scores = scores_at(moments, events, held).subquery("scores")
    reached = (
        select(scores.c.person_id, func.min(scores.c.at).label("at"))
        .where(scores.c.score >= threshold * 1_000)
        .group_by(scores.c.person_id)
        .cte("moments_reached")
    )
    last = func.row_number().over(partition_by=row.person_id, order_by=row.number.desc()).label("last")
    then = and_(reached.c.person_id == row.person_id, reached.c.at == row.occurred_at)
    events_then = select(*row, last).join_from(reached, events, then).cte("events_then")
    names = ("person_id", "visitor_id", "event_id", "occurred_at", "sequence")
    return select(*(events_then.c[name] for name in names)).where(events_then.c.last == 1)
