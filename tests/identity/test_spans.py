"""Which person a visitor was, from when to when: shared browsers, returning owners, CRM facts."""

from __future__ import annotations

from typing import Any

import pytest

from app import tables
from app.db import Database
from app.identity.spans_stage import STAGE
from app.sites.site import Site
from app.tables import BEGINNING, END_OF_TIME, from_micros
from app.touches.stage import STAGE as TOUCHES
from tests.facts import a_sighting, an_event, at, enqueue, put, put_all
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

FIRST, LAST = from_micros(BEGINNING), from_micros(END_OF_TIME)


def just_after(minutes: float) -> Any:
    return from_micros(tables.to_micros(at(minutes)) + 1)


# name, minutes of the visitor's pages, sightings as (keys, minutes), spans as (person, from, to)
STORIES: list[tuple[str, list[float], list[tuple[str, float]], list[tuple[str, Any, Any]]]] = [
    ("nobody identified", [0], [], [("v_nobody identified", FIRST, LAST)]),
    ("history goes to the first who identifies", [0, 60], [("e_ada", 65)], [("e_ada", FIRST, LAST)]),
    ("the same person again changes nothing", [0], [("e_ada", 1), ("u_ada e_ada", 2)], [("e_ada", FIRST, LAST)]),
    ("a second person begins with the session", [0, 120], [("e_ada", 5), ("e_bob", 125)], [("e_ada", FIRST, at(120)), ("e_bob", at(120), LAST)]),
    ("a second person in one session begins after the first's last sign", [0], [("e_ada", 5), ("e_ada", 7), ("e_bob", 9)], [("e_ada", FIRST, just_after(7)), ("e_bob", just_after(7), LAST)]),
    (
        "a returning owner gets a new span", [0, 120, 240], [("e_ada", 5), ("e_bob", 125), ("e_ada", 245)],
        [("e_ada", FIRST, at(120)), ("e_bob", at(120), at(240)), ("e_ada", at(240), LAST)],
    ),
    ("a CRM fact long after the session takes the session", [0, 120], [("e_ada", 5), ("e_bob", 9_000)], [("e_ada", FIRST, at(120)), ("e_bob", at(120), LAST)]),
    ("without a session it begins where it was seen", [], [("e_ada", 5), ("e_bob", 50)], [("e_ada", FIRST, at(50)), ("e_bob", at(50), LAST)]),
    ("two at one instant: the later in order holds what follows", [0], [("e_ada", 5), ("e_bob", 5)], [("e_ada", FIRST, just_after(5)), ("e_bob", just_after(5), LAST)]),
]  # fmt: skip


@pytest.fixture
async def known(database: Database, site: Site) -> Site:
    rows = [("e_ada", "e_ada"), ("u_ada", "e_ada"), ("e_bob", "e_bob")]
    await put(
        database,
        tables.key_people,
        *({"site_id": "default", "key_id": key, "person_id": person, "is_crowded": False} for key, person in rows),
    )
    return site


async def test_spans(database: Database, known: Site) -> None:
    for name, pages, sightings, _ in STORIES:
        await put(database, tables.events, *(an_event(name, f"p{number}", minutes) for number, minutes in enumerate(pages)))
        for number, (keys, minutes) in reversed(list(enumerate(sightings))):
            await put_all(database, a_sighting(keys, name, f"f{number}", minutes))
        await enqueue(database, tables.touches_queue, (name,))
    await run_stage(database, known, TOUCHES)
    await run_stage(database, known, STAGE)
    rows = [[name, person, starts, ends] for name, _, _, spans in STORIES for person, starts, ends in spans]
    await assert_rows(database, tables.visitor_spans, ["visitor_id", "person_id", "starts_at", "ends_at"], rows)


async def test_each_span_has_its_own_first_touch_and_evidence(database: Database, known: Site) -> None:
    await put(database, tables.events, an_event("v", "a", 0), an_event("v", "b", 120, campaign="ad"))
    await put_all(database, [*a_sighting("e_ada", "v", "f1", 5), *a_sighting("e_bob", "v", "f2", 125)])
    await enqueue(database, tables.touches_queue, ("v",))
    await run_stage(database, known, TOUCHES)
    await run_stage(database, known, STAGE)
    await assert_rows(
        database, tables.visitor_spans, ["person_id", "fact_id", "first_touch_event_id", "first_touched_at"],
        [["e_ada", "f1", "a", at(0)], ["e_bob", "f2", "b", at(120)]],
    )  # fmt: skip


async def test_an_undone_sighting_counts_no_more(database: Database, known: Site) -> None:
    rows = [*a_sighting("e_ada", "v", "f1", 5), *a_sighting("e_bob", "v", "f2", 125), *a_sighting("e_bob", "v", "f3", 300)]
    await put_all(database, rows)
    link_id = rows[2][1]["link_id"]
    await put(database, tables.unlinks, {"site_id": "default", "visitor_id": "v", "link_id": link_id, "fact_id": "f2", "created_at": 0})
    await enqueue(database, tables.spans_queue, ("v",))
    await run_stage(database, known, STAGE)
    await assert_rows(database, tables.visitor_spans, ["person_id"], [["e_ada"]])


async def test_a_crowded_key_starts_no_span_through_a_write_key(database: Database, known: Site) -> None:
    day = tables.to_micros(at(0)) // 86_400_000_000
    await put(database, tables.crowded_days, {"site_id": "default", "key_id": "e_bob", "day_number": day, "visitors": 21})
    await put_all(database, [*a_sighting("e_bob", "v", "f1", 5), *a_sighting("e_bob", "w", "f2", 5, is_trusted=True)])
    await put(database, tables.events, an_event("v", "a", 0), an_event("w", "b", 0))
    await enqueue(database, tables.touches_queue, ("v",), ("w",))
    await run_stage(database, known, TOUCHES)
    await run_stage(database, known, STAGE)
    await assert_rows(database, tables.visitor_spans, ["visitor_id", "person_id"], [["v", "v_v"], ["w", "e_bob"]])
    await assert_rows(database, tables.conversions_queue, ["person_id"], [["e_bob"]])
