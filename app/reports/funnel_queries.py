"""How far the people of a cohort have come, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
)

from app import tables
from app.attribution.joins import dimension
from app.attribution.properties import holds_of_person, value_of_person
from app.db import micros
from app.identity.internal import internal_people
from app.reports.parameters import STAGES
from app.sites.properties import Condition, Property

VISITORS = "visitor"
"""The stage at which everybody of the cohort stands, ahead of `STAGES`."""


def _site(table: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.site_id == bindparam("site_id")
    return condition


def stages_in_use() -> Select[Any]:
    """A row a stage of which the site has any conversion at all. Index: the primary key of `conversions`."""
    conversion = tables.conversions.c
    rows = [
        select(literal(stage).label("stage")).where(exists().where(_site(conversion), conversion.kind == literal(stage)))
        for stage in STAGES
    ]
    return select(union_all(*rows).cte("stages_in_use").c.stage)


def first_touches(has_start: bool, has_end: bool, conditions: Sequence[Condition] = ()) -> CTE:
    """A row a person, no internal one, of whom the conditions hold and whose first touch lies in the interval (`:starts_at`,
    `:ends_at`): that touch.

    Index: `ix_visitor_spans__person`.
    """
    span = tables.visitor_spans.c
    rank = func.row_number().over(partition_by=span.person_id, order_by=(span.first_touched_at, span.visitor_id, span.first_touch_event_id))
    spans = (
        select(
            span.person_id,
            span.visitor_id,
            span.first_touch_event_id,
            micros(span.first_touched_at).label("touched_at"),
            rank.label("rank"),
        )
        .where(_site(span), span.first_touched_at.is_not(None))
        .cte("spans_with_touches")
    )
    wanted = [spans.c.rank == 1, spans.c.person_id.not_in(internal_people()), *(holds_of_person(_now, each, spans) for each in conditions)]
    if has_start:
        wanted.append(spans.c.touched_at >= bindparam("starts_at", type_=BigInteger))
    if has_end:
        wanted.append(spans.c.touched_at < bindparam("ends_at", type_=BigInteger))
    return (
        select(spans.c.person_id, spans.c.visitor_id, spans.c.first_touch_event_id, spans.c.touched_at)
        .where(*wanted)
        .cte("first_touches")
    )


def _now(table: Table) -> FromClause:
    return table


def progress(
    by: Sequence[str], *, has_start: bool, has_end: bool, grouped: Sequence[Property] = (), conditions: Sequence[Condition] = ()
) -> CTE:
    """A row a person of the cohort: its dimensions (and properties, those of `grouped`), and when it reached each stage since
    (null: never, or only by implication).

    Index: `ix_conversion_people__person`, the primary keys of `conversions`, `touches`, `origin_labels`, `events`.
    """
    cohort = first_touches(has_start, has_end, conditions)
    properties = {each.name: value_of_person(_now, each, cohort) for each in grouped}
    person, conversion = tables.conversion_people.c, tables.conversions.c
    same = and_(_site(conversion), *(conversion[name] == person[name] for name in ("kind", "holder_id", "fact_id")))
    # A colleague's deal makes no customer of a person, though they share its journey.
    is_theirs = and_(_site(person), person.person_id == cohort.c.person_id, person.is_contact.is_(True), person.kind.in_(STAGES))
    reached = (
        select(cohort.c.person_id, conversion.kind, func.min(micros(conversion.occurred_at)).label("reached_at"))
        .join_from(cohort, tables.conversion_people, is_theirs)
        .join(tables.conversions, and_(same, micros(conversion.occurred_at) >= cohort.c.touched_at))
        .group_by(cohort.c.person_id, conversion.kind)
        .cte("reached_stages")
    )
    times = [func.max(case((reached.c.kind == stage, reached.c.reached_at))).label(stage) for stage in STAGES]
    pivoted = select(reached.c.person_id, *times).group_by(reached.c.person_id).cte("times_of_stages")
    return (
        select(
            *((properties[name] if name in properties else dimension(name)).label(name) for name in by),
            cohort.c.touched_at.label(VISITORS),
            *(pivoted.c[stage] for stage in STAGES),
        )
        .select_from(with_labels(cohort, by).outerjoin(pivoted, pivoted.c.person_id == cohort.c.person_id))
        .cte("progress")
    )


def with_labels(cohort: CTE, by: Sequence[str]) -> Any:
    """People with their first touch, its label, and its event where a dimension needs it."""
    touch, label, event = tables.touches.c, tables.origin_labels.c, tables.events.c
    joined = cohort.outerjoin(
        tables.touches, and_(_site(touch), touch.visitor_id == cohort.c.visitor_id, touch.event_id == cohort.c.first_touch_event_id)
    ).outerjoin(tables.origin_labels, and_(_site(label), label.origin_id == touch.origin_id))
    if "landing_page" not in by:
        return joined
    is_event = and_(_site(event), event.visitor_id == cohort.c.visitor_id, event.event_id == cohort.c.first_touch_event_id)
    return joined.outerjoin(tables.events, is_event)


def people_by_stage(people: CTE, by: Sequence[str]) -> Select[Any]:
    """A row a tuple of the dimensions, the most visitors first: for each stage how many people reached it, and how many of them
    (`<stage>_implied`) only because they reached a later one."""
    keys = [people.c[name] for name in by]
    counts = [func.count().label(VISITORS)]
    for number, stage in enumerate(STAGES):
        later = func.coalesce(*(people.c[name] for name in STAGES[number:])) if number < len(STAGES) - 1 else people.c[stage]
        counts.append(func.count(later).label(stage))
        counts.append((func.count(later) - func.count(people.c[stage])).label(f"{stage}_implied"))
    statement = select(*keys, *counts).order_by(counts[0].desc(), *(cast(key, tables.Key) for key in keys))
    return statement.group_by(*keys) if keys else statement


def median_steps(people: CTE, by: Sequence[str], stages: Sequence[str]) -> Select[Any]:
    """A row a tuple of the dimensions and step between two `stages` that follow one another: its median `duration` in microseconds.

    People who reached either only by implication have no duration. A median of two is the mean of both, rounded down.
    """
    steps = [
        select(
            *(people.c[name] for name in by),
            literal(later).label("step"),
            (people.c[later] - people.c[earlier]).label("duration"),
        ).where(people.c[earlier].is_not(None), people.c[later].is_not(None))
        for earlier, later in pairwise(stages)
    ]
    durations = union_all(*steps).cte("durations")
    keys = [*(durations.c[name] for name in by), durations.c.step]
    rank = func.row_number().over(partition_by=keys, order_by=durations.c.duration)
    count = func.count().over(partition_by=keys)
    ranked = select(*keys, durations.c.duration, cast(rank, Integer).label("rank"), cast(count, Integer).label("count")).cte(
        "ranked_durations"
    )
    middle = ranked.c.rank.in_([(ranked.c.count + 1) // 2, (ranked.c.count + 2) // 2])
    keys = [*(ranked.c[name] for name in by), ranked.c.step]
    median = cast(func.sum(ranked.c.duration) // func.count(), BigInteger)
    return select(*keys, median.label("duration")).where(middle).group_by(*keys)
