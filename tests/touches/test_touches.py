"""Sessions and touches: each rule of the touch stream, as a small story of one visitor."""

from __future__ import annotations

from typing import Any

import pytest

from app import tables
from app.db import Database
from app.sites.site import Site
from app.touches.queries import EMPTY_ORIGIN
from app.touches.stage import STAGE
from tests.facts import an_event, at, enqueue, put
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

GATEWAY = "gateway"
SEARCH = "search"


def e(event_id: str, minutes: float, type: str = "pageview", **others: Any) -> dict[str, Any]:
    return an_event("ann", event_id, minutes, type, **others)


def internal(event_id: str, minutes: float, type: str = "pageview", **others: Any) -> dict[str, Any]:
    return e(event_id, minutes, type, has_internal_referrer=True, **others)


# name, events, touches as (event, session start in minutes, origin)
STORIES: list[tuple[str, list[dict[str, Any]], list[tuple[str, float, str]]]] = [
    ("a visit and its page are one touch", [e("v", 0, "visit"), e("p", 0)], [("v", 0, EMPTY_ORIGIN)]),
    ("a visit sorts before a page of the same instant", [e("a", 0), e("b", 0, "visit", campaign="ad")], [("b", 0, "ad")]),
    ("sequence orders one instant", [e("a", 0, sequence=2, campaign="late"), e("b", 0, sequence=1)], [("b", 0, EMPTY_ORIGIN), ("a", 0, "late")]),
    ("just within the gap", [e("a", 0), internal("b", 30)], [("a", 0, EMPTY_ORIGIN)]),
    ("just over the gap, from a search", [e("a", 0), e("b", 30.001, origin_id=SEARCH)], [("a", 0, EMPTY_ORIGIN), ("b", 30.001, SEARCH)]),
    ("an engagement keeps the session alive", [e("a", 0), e("g", 25, "engagement"), e("b", 50, origin_id=SEARCH)], [("a", 0, EMPTY_ORIGIN)]),
    ("midnight does nothing", [e("a", 895), internal("b", 905)], [("a", 895, EMPTY_ORIGIN)]),
    ("an idle tab clicked on is no touch", [e("a", 0, campaign="ad"), internal("b", 31)], [("a", 0, "ad")]),
    ("back from the payment gateway is no touch", [e("a", 0, campaign="ad"), e("b", 40, origin_id=GATEWAY)], [("a", 0, "ad")]),
    ("a first visit from a gateway is Direct", [e("a", 0, origin_id=GATEWAY)], [("a", 0, EMPTY_ORIGIN)]),
    ("a first page with an internal referrer is Direct", [internal("a", 0)], [("a", 0, EMPTY_ORIGIN)]),
    ("a campaign on an internal link of a new session counts", [e("a", 0), internal("b", 60, campaign="mail")], [("a", 0, EMPTY_ORIGIN), ("b", 60, "mail")]),
    ("an external referrer inside a session starts nothing", [e("a", 0), e("b", 5, origin_id=SEARCH)], [("a", 0, EMPTY_ORIGIN)]),
    ("a campaign inside a session is a touch of it", [e("a", 0), e("b", 5, campaign="ad")], [("a", 0, EMPTY_ORIGIN), ("b", 0, "ad")]),
    ("the same campaign again inside a session is none", [e("a", 0, campaign="ad"), e("b", 5, campaign="ad"), e("c", 6, campaign="ad")], [("a", 0, "ad")]),
    ("two campaigns in turn are three touches", [e("a", 0, campaign="x"), e("b", 1, campaign="y"), e("c", 2, campaign="x")], [("a", 0, "x"), ("b", 0, "y"), ("c", 0, "x")]),
    ("the same campaign in a new session is a touch", [e("a", 0, campaign="ad"), e("b", 45, campaign="ad")], [("a", 0, "ad"), ("b", 45, "ad")]),
    ("a form starts no session where a page does", [e("f", 0, "form_submit"), e("a", 1, campaign="ad")], [("a", 1, "ad")]),
    ("a visitor with nothing but a form has a touch", [e("f", 0, "form_submit"), e("g", 90, "form_submit")], [("f", 0, EMPTY_ORIGIN)]),
    ("identify and engagement alone are no touch", [e("i", 0, "identify"), e("g", 1, "engagement")], []),
    ("an event with an explicit source may start a session", [e("s", 0, "signed_up", start_rank=2, campaign="ad")], [("s", 0, "ad")]),
    ("an offline touch is always one", [e("a", 0), e("t", 5, "touch", origin_id="fair")], [("a", 0, EMPTY_ORIGIN), ("t", 0, "fair")]),
    ("an offline touch keeps no session alive", [e("t", 0, "touch", origin_id="fair"), e("a", 10, origin_id=SEARCH)], [("t", 0, "fair"), ("a", 10, SEARCH)]),
    ("two offline touches of one origin are two", [e("t", 0, "touch", origin_id="fair"), e("u", 1, "touch", origin_id="fair")], [("t", 0, "fair"), ("u", 1, "fair")]),
    ("an idle return leaves the campaign before it in force", [e("a", 0, campaign="ad"), internal("b", 60), e("c", 61, campaign="ad")], [("a", 0, "ad")]),
]  # fmt: skip


@pytest.fixture
async def labelled(database: Database, site: Site) -> Site:
    for origin_id, ignored in ((GATEWAY, True), (SEARCH, False)):
        row = {"site_id": "default", "origin_id": origin_id, "channel": "x", "rule": "x", "source": "x", "medium": "x", "campaign": "x"}
        await put(database, tables.origin_labels, {**row, "term": "x", "content": "x", "referrer": "x", "is_ignored": ignored})
    return site


async def test_touches(database: Database, labelled: Site) -> None:
    """Each story is a visitor of its own, so that one run also shows that no visitor minds another."""
    for name, events, _ in STORIES:
        await put(database, tables.events, *({**event, "visitor_id": name} for event in reversed(events)))
    await enqueue(database, tables.touches_queue, *((name,) for name, _, _ in STORIES), (STORIES[0][0],))
    await run_stage(database, labelled, STAGE)
    rows = [[name, event_id, at(session), origin] for name, _, touches in STORIES for event_id, session, origin in touches]
    await assert_rows(database, tables.touches, ["visitor_id", "event_id", "session_started_at", "origin_id"], rows)


async def test_the_cap_keeps_the_first_and_the_newest(database: Database, site: Site) -> None:
    capped = Site(site.site_id, site.hash_key, 1, site.settings.changed({"touch_cap": 3}))
    await put(database, tables.events, *(e(f"e{n}", n * 60) for n in range(6)))
    await enqueue(database, tables.touches_queue, ("ann",))
    await run_stage(database, capped, STAGE)
    await assert_rows(database, tables.touches, ["event_id", "touches_left_out"], [["e0", 3], ["e4", 0], ["e5", 0]])


async def test_another_visitor_is_left_alone(database: Database, site: Site) -> None:
    await put(database, tables.events, e("a", 0), an_event("bob", "b", 0))
    await enqueue(database, tables.touches_queue, ("ann",))
    await run_stage(database, site, STAGE)
    await assert_rows(database, tables.touches, ["visitor_id"], [["ann"]])
    await assert_rows(database, tables.spans_queue, ["visitor_id"], [["ann"]])


async def test_a_second_run_writes_and_enqueues_nothing(database: Database, site: Site) -> None:
    await put(database, tables.events, e("a", 0))
    for _ in range(2):
        await enqueue(database, tables.touches_queue, ("ann",))
        await run_stage(database, site, STAGE)
    await assert_rows(database, tables.spans_queue, ["visitor_id"], [["ann"]])
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [])


async def test_excluded_pages_make_neither_touches_nor_goals(database: Database, site: Site) -> None:
    rule = {"site_id": "default", "host": "", "path": "/admin", "path_is_prefix": True}
    await put(database, tables.excluded_pages, rule)
    excluding = Site(site.site_id, site.hash_key, 1, site.settings.changed({"excluded_paths": ["/admin*"]}))
    await put(database, tables.events, e("a", 0, path="/admin/users"), e("b", 5, path="/", campaign="ad"))
    await enqueue(database, tables.touches_queue, ("ann",))
    await run_stage(database, excluding, STAGE)
    await assert_rows(database, tables.touches, ["event_id", "session_started_at"], [["b", at(5)]])


async def test_goals(database: Database, site: Site) -> None:
    label = {"site_id": "default", "is_lead_form": True, "needs_email": True}
    await put(
        database,
        tables.form_labels,
        {**label, "form_id": "f1", "name": "demo"},
        {**label, "form_id": "f2", "name": "", "is_lead_form": False},
    )
    rule = {"site_id": "default", "purpose": "goal", "event_type": "", "path": "", "path_is_prefix": False, "once_per": "event"}
    await put(
        database,
        tables.goal_rules,
        {**rule, "goal": "pricing", "path": "/pricing"},
        {**rule, "goal": "trial", "event_type": "trial_started", "once_per": "person"},
    )
    goals = Site(site.site_id, site.hash_key, 1, site.settings.changed({"goals": [{"name": "pricing", "path": "/pricing"}]}))
    await put(
        database, tables.events,
        e("a", 0, "form_submit", form_id="f1", has_email=True), e("b", 1, "form_submit", form_id="f1"),
        e("c", 2, "form_submit", form_id="f2", has_email=True, path="/login"), e("d", 3, path="/pricing"), e("t", 4, "trial_started"),
    )  # fmt: skip
    await enqueue(database, tables.touches_queue, ("ann",))
    await run_stage(database, goals, STAGE)
    await assert_rows(
        database, tables.goal_events, ["event_id", "goal", "once_per"],
        [["a", "form:demo", "person"], ["a", "lead", "person"], ["b", "form:demo", "person"], ["c", "form:/login", "person"], ["d", "pricing", "event"], ["t", "trial", "person"]],
    )  # fmt: skip
