"""The touches before a conversion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app import tables
from app.db import Database
from app.journeys.journeys_stage import STAGE
from app.sites.site import Site
from tests.cases import Rows, assert_cases, run_cases
from tests.deal_facts import a_span
from tests.facts import at, enqueue, put_all
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

YEARS = 730 * 24 * 60
"""Minutes of the longest look-back."""
GOAL = ("lead", "v", "goal")
TOUCH = ["touch_visitor_id", "touch_event_id", "position"]


def a_touch(visitor_id: str, event_id: str, minutes: float, *, sequence: int = 0, type_rank: int = 0, micros: int = 0) -> Rows:
    moment = at(minutes) + timedelta(microseconds=micros)
    row = {
        "site_id": "default", "visitor_id": visitor_id, "event_id": event_id, "occurred_at": moment, "sequence": sequence,
        "type_rank": type_rank, "session_started_at": moment, "origin_id": f"from-{event_id}", "touches_left_out": 0,
        "is_reported": False,
    }  # fmt: skip
    return [(tables.touches, row)]


def a_conversion(fact_id: str, minutes: float, *people: str, kind: str = "lead") -> Rows:
    key = {"site_id": "default", "kind": kind, "holder_id": "v", "fact_id": fact_id}
    row = {**key, "person_id": people[0] if kind == "lead" else "", "occurred_at": at(minutes), "has_people": bool(people)}
    nothing: dict[str, Any] = {"currency": None, "lead_at": None, "opportunity_at": None}
    return [(tables.conversions, row | nothing), *((tables.conversion_people, {**key, "person_id": person, "is_contact": True}) for person in people)]


async def run(database: Database, site: Site, rows: Rows, kind: str = "lead") -> None:
    await put_all(database, rows)
    await enqueue(database, tables.journeys_queue, (kind, "v", "goal"))
    await run_stage(database, site, STAGE)


TOUCHES: dict[str, tuple[Rows, list[list[Any]]]] = {
    "in order of time, of all its visitors": (
        a_touch("v", "b", 3) + a_touch("w", "a", 1) + a_touch("v", "c", 5),
        [["w", "a", 1], ["v", "b", 2], ["v", "c", 3]],
    ),
    "at the conversion's own instant, and not after it": (
        a_touch("v", "a", 10) + a_touch("v", "b", 10, micros=1),
        [["v", "a", 1]],
    ),
    "ties: by sequence": (a_touch("v", "a", 1, sequence=2) + a_touch("v", "b", 1, sequence=1), [["v", "b", 1], ["v", "a", 2]]),
    "ties: then the visit": (a_touch("v", "a", 1, type_rank=1) + a_touch("v", "b", 1), [["v", "b", 1], ["v", "a", 2]]),
    "ties: then by event": (a_touch("v", "b", 1) + a_touch("w", "a", 1), [["w", "a", 1], ["v", "b", 2]]),
    "ties: then by visitor": (a_touch("w", "a", 1) + a_touch("v", "a", 1), [["v", "a", 1], ["w", "a", 2]]),
    "just inside the longest look-back, and just outside": (
        a_touch("v", "a", 10 - YEARS, micros=-1) + a_touch("v", "b", 10 - YEARS),
        [["v", "b", 1]],
    ),
    "not before its span": (a_touch("shared", "a", 5, micros=-1) + a_touch("shared", "b", 5), [["shared", "b", 1]]),
    "not after its span": (a_touch("left", "a", 5, micros=-1) + a_touch("left", "b", 5), [["left", "a", 1]]),
    "a span begun after the conversion": (a_touch("later", "a", 12), []),
    "not another person's": (a_touch("x", "a", 5), []),
    "none": ([], []),
}  # fmt: skip

SPANS: Rows = [
    *a_span("v", "ada"), *a_span("w", "ada"), *a_span("x", "bob"), *a_span("later", "ada", 11), *a_span("later", "bob", None, 11),
    *a_span("shared", "bob", None, 5), *a_span("shared", "ada", 5), *a_span("left", "ada", None, 5), *a_span("left", "bob", 5),
]  # fmt: skip


async def test_touches(database: Database, site: Site) -> None:
    known = SPANS + a_conversion("goal", 10, "ada")
    await run_cases(database, site, STAGE, {case: (known + rows, [GOAL]) for case, (rows, _) in TOUCHES.items()})
    await assert_cases(database, tables.journey_touches, TOUCH, {case: expected for case, (_, expected) in TOUCHES.items()})
    columns = ["kind", "holder_id", "fact_id", "touches_left_out"]
    await assert_cases(database, tables.journeys, columns, {case: [[*GOAL, 0]] for case in TOUCHES})


async def test_a_touch_keeps_its_time_and_origin(database: Database, site: Site) -> None:
    await run(database, site, SPANS + a_conversion("goal", 10, "ada") + a_touch("v", "a", 3))
    await assert_rows(database, tables.journey_touches, ["occurred_at", "origin_id"], [[at(3), "from-a"]])


async def test_a_deals_people_share_one_journey(database: Database, site: Site) -> None:
    rows = SPANS + a_conversion("goal", 10, "ada", "bob", kind="customer") + a_touch("v", "a", 1) + a_touch("x", "b", 2) + a_touch("left", "c", 6)
    await run(database, site, rows, "customer")
    await assert_rows(database, tables.journey_touches, TOUCH, [["v", "a", 1], ["x", "b", 2], ["left", "c", 3]])


async def test_a_deal_that_names_nobody_has_an_empty_journey(database: Database, site: Site) -> None:
    await run(database, site, SPANS + a_conversion("goal", 10, kind="customer") + a_touch("v", "a", 1), "customer")
    await assert_rows(database, tables.journey_touches, TOUCH, [])
    await assert_rows(database, tables.journeys, ["kind", "first_touched_at", "touches_left_out"], [["customer", None, 0]])


FIRST: dict[str, tuple[Rows, Any]] = {
    "however long ago": (a_span("v", "ada", touched=-2 * YEARS), at(-2 * YEARS)),
    "the earliest of its visitors": (a_span("v", "ada", touched=7) + a_span("w", "ada", touched=3), at(3)),
    "at the conversion": (a_span("v", "ada", touched=10), at(10)),
    "not after it": (a_span("v", "ada", touched=10.5), None),
    "none": (a_span("v", "ada"), None),
}


async def test_the_first_touch_ever(database: Database, site: Site) -> None:
    made = a_conversion("goal", 10, "ada")
    await run_cases(database, site, STAGE, {case: (made + spans, [GOAL]) for case, (spans, _) in FIRST.items()})
    await assert_cases(database, tables.journeys, ["first_touched_at"], {case: [[expected]] for case, (_, expected) in FIRST.items()})


LONG = {"at the cap": (1_000, 0), "one over": (1_001, 1), "far over": (1_600, 600)}
"""How many touches, and how many of them are left out."""


async def test_the_cap_keeps_the_first_and_the_newest(database: Database, site: Site) -> None:
    def visitor(number: int) -> str:
        return "v" if number % 2 else "w"

    def many(touches: int) -> Rows:
        return [row for number in range(touches) for row in a_touch(visitor(number), f"{number:04}", number - 2_000)]

    def kept(touches: int, left_out: int) -> list[list[Any]]:
        numbers = [0, *range(left_out + 1, touches)]
        return [[visitor(number), f"{number:04}", place] for place, number in enumerate(numbers, 1)]

    known = SPANS + a_conversion("goal", 10, "ada")
    await run_cases(database, site, STAGE, {case: (known + many(touches), [GOAL]) for case, (touches, _) in LONG.items()})
    await assert_cases(database, tables.journey_touches, TOUCH, {case: kept(*counts) for case, counts in LONG.items()})
    await assert_cases(database, tables.journeys, ["touches_left_out"], {case: [[left_out]] for case, (_, left_out) in LONG.items()})


async def test_the_journey_of_a_conversion_that_is_gone_goes(database: Database, site: Site) -> None:
    rows = SPANS + a_conversion("goal", 10, "ada") + a_touch("v", "a", 1)
    await run(database, site, rows)
    async with database.write() as connection:
        await connection.execute(tables.conversions.delete())
    await run(database, site, [])
    await assert_rows(database, tables.journeys, ["kind"], [])
    await assert_rows(database, tables.journey_touches, TOUCH, [])
