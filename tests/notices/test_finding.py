"""What is told, and that it is told once: after merges, rebuilds, facts that come late, and from several processes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from app import tables
from app.db import Database
from app.notices.finding import find_notices
from app.notices.receivers import change_receiver
from app.notices.running import deliver_due
from app.pipeline import run_until_idle
from app.sites import rules
from app.sites.administration import change_settings
from tests.crm.test_endpoints import ADMIN
from tests.notices.conftest import World
from tests.reports.story import READER

pytestmark = pytest.mark.anyio


async def found(world: World) -> list[tuple[str, str, str]]:
    """(kind, person or deal, mark) of each notice, in order."""
    await find_notices(world.database, world.clock())
    return [(row.kind, row.person_id or row.deal_id, row.mark) for row in await world.notices()]


async def test_only_what_happened_since_the_endpoint_was_made_and_lately(world: World) -> None:
    await world.stage("e_old", "lead", entered_at=world.ago(days=8))
    await world.stage("e_implied", "lead", is_implied=True, fact_id="")
    await world.stage("e_visitor", "visitor")
    await world.stage("e_new", "lead", entered_at=world.ago(days=6))
    await world.stage("e_future", "lead", entered_at=world.ago(days=-1))
    async with world.database.write() as connection:
        await connection.execute(update(tables.notice_endpoints).values(created_at=world.ago(days=1)))
    assert await found(world) == []
    async with world.database.write() as connection:
        await connection.execute(update(tables.notice_endpoints).values(created_at=world.ago(days=20)))
    assert await found(world) == [("stage_changed", "e_new", "lead#1")]


async def test_each_time_that_a_stage_is_entered_is_told_but_no_time_twice(world: World) -> None:
    await world.stage("crm/7", "offer", 1, "a", entered_at=world.ago(hours=4))
    await world.put_deal("crm", "7")
    assert await found(world) == [("stage_changed", "7", "offer#1")]
    # A fact that comes late takes the first place; then the stage is left and entered again.
    await world.database.engine.dispose()
    async with world.database.write() as connection:
        await connection.execute(update(tables.stage_changes).values(position=2))
    await world.stage("crm/7", "new", 1, "b", entered_at=world.ago(hours=5))
    await world.stage("crm/7", "new", 3, "c", entered_at=world.ago(hours=3))
    await world.stage("crm/7", "offer", 4, "d", entered_at=world.ago(hours=2))
    await world.stage("crm/8", "offer", 1, "e")  # of a deal that counts not
    await world.put_deal("crm", "8", ignored_because="pipeline")
    marks = [("7", mark) for mark in ("new#1", "offer#1", "new#2", "offer#2")]
    assert await found(world) == [("stage_changed", deal, mark) for deal, mark in marks]


async def test_nothing_is_told_twice_of_people_who_turn_out_to_be_one(world: World) -> None:
    await world.stage("e_bob", "lead", 1, "late form", entered_at=world.ago(hours=2))
    await world.stage("v_1", "lead", 1, "form", entered_at=world.ago(hours=3))
    assert len(await found(world)) == 2
    # Both are c_7 now, whose first form is the visitor's; a mark of sales came meanwhile.
    async with world.database.write() as connection:
        await connection.execute(delete(tables.stage_changes))
    keys = [{"key_id": key, "person_id": "c_7", "is_crowded": False} for key in ("c_7", "e_bob")]
    await world.put(tables.key_people, *keys)
    await world.stage("c_7", "lead", 1, "form", entered_at=world.ago(hours=3))
    await world.stage("c_7", "sql", 2, "mark", entered_at=world.ago(hours=1))
    assert [mark for _, _, mark in await found(world)] == ["lead#1", "lead#1", "sql#1"]
    # An earlier form turns up: they became a lead earlier, which they were told to be.
    async with world.database.write() as connection:
        await connection.execute(update(tables.stage_changes).where(tables.stage_changes.c.stage == "lead").values(fact_id="early", entered_at=world.ago(hours=9)))
    assert [mark for _, _, mark in await found(world)] == ["lead#1", "lead#1", "sql#1"]


async def test_several_processes_tell_once(world: World) -> None:
    for number in range(30):
        await world.stage(f"e_{number}", "lead", fact_id=f"f{number}")
    world.listener.secret = None
    for _ in range(6):
        await asyncio.gather(*(deliver_due(world.notifier) for _ in range(3)))
    assert len(world.listener.taken) == 30
    assert len({each.id for each in world.listener.taken}) == 30


async def test_more_than_one_batch_is_found_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.notices.finding._ROWS_AT_ONCE", 3)
    for number in range(7):
        await world.stage(f"e_{number}", "lead", fact_id=f"f{number}")
    assert await find_notices(world.database, world.clock()) == 7


# ---------------------------------------------------------------- contacts that are due


async def _opportunity(world: World, deal_id: str, due_in_hours: float, **others: Any) -> None:
    row = {
        "person_id": "", "space": "crm", "deal_id": deal_id, "contact_id": "", "started_at": world.ago(hours=20), "contacted_at": None,
        "due_at": world.ago(hours=-due_in_hours), "waited": None, "last_activity_at": None, "closed_at": None, "closed_as": "", "reason": None,
    }  # fmt: skip
    await world.put(tables.opportunities, row | others)
    if deal_id:
        await world.put_deal("crm", deal_id)


async def _reports_activities(world: World) -> None:
    row = {"connection_id": "crm", "provider": "generic", "secrets": '["x"]', "settings": "{}", "reports_activities": True}
    await world.put(tables.connections, row | {"created_at": world.clock()})


async def test_who_is_about_to_be_missed(world: World) -> None:
    await _opportunity(world, "soon", 3.9)
    await _opportunity(world, "later", 4.1)
    await _opportunity(world, "over", -24)
    await _opportunity(world, "long over", -24 * 8)
    await _opportunity(world, "called", 1, contacted_at=world.ago(hours=1))
    await _opportunity(world, "closed", 1, closed_at=world.ago(hours=1), closed_as="lost")
    await _opportunity(world, "", 1, person_id="e_ada", space="", contact_id="e_ada")
    await _opportunity(world, "", 1, person_id="e_no", space="", contact_id="e_no")
    await world.put(tables.properties, {"holder_id": "e_no", "property": ":may_contact", "value": "false", "occurred_at": world.clock(), "fact_id": "f"})
    assert await found(world) == []  # nobody can say who was contacted
    await _reports_activities(world)
    everybody = [("contact_due", who, "") for who in ("over", "e_ada", "soon")]
    assert await found(world) == everybody
    # The promise changes, the lead turns out to be a contact of the CRM: nobody is told again.
    async with world.database.write() as connection:
        due = tables.opportunities.c.due_at
        await connection.execute(update(tables.opportunities).values(due_at=tables.opportunities.c.started_at, person_id="c_1").where(tables.opportunities.c.person_id == "e_ada"))
        await connection.execute(update(tables.opportunities).values(due_at=world.ago(hours=-2)).where(due < world.ago(hours=-3), due > world.ago(hours=-4)))
    await world.put(tables.key_people, *({"key_id": key, "person_id": "c_1", "is_crowded": False} for key in ("c_1", "e_ada")))
    assert await found(world) == everybody
    data = (await world.notices())[2].body
    assert '"owner":"Kim","amount":"1200.00","currency":"EUR","url":"https://crm.example/7"' in data
    world.clock.forward(minutes=7)
    assert await found(world) == [*everybody, ("contact_due", "later", "")]


# ---------------------------------------------------------------- hot visits


@pytest.fixture
async def hot(world: World) -> World:
    """The site calls its prices hot."""
    async with world.database.write() as connection:
        await change_settings(connection, "default", {"hot_pages": ["/pricing*"], "timezone": "Europe/Berlin"}, world.clock())
        await change_receiver(connection, "default", "ours", {"kinds": ["hot_visit"]}, world.clock())
    return world


async def test_a_contact_of_an_open_deal_on_a_hot_page(hot: World, client: httpx.AsyncClient, database: Database) -> None:
    at = datetime.now(tables.from_micros(0).tzinfo).replace(hour=12) - timedelta(days=2)
    seen = {"type": "pageview", "url": "https://shop.example/pricing/plans?email=ada@example.com"}
    events = [
        {"id": "form", "type": "form_submit", "visitor_id": "v1", "email": "ada@example.com", "occurred_at": (at - timedelta(hours=9)).isoformat(), "url": "https://shop.example/contact"},
        *({"id": f"p{hours}", "visitor_id": "v1", "occurred_at": (at + timedelta(hours=hours)).isoformat(), **seen} for hours in (0, 1, 9, 14, 15)),
        {"id": "other", "visitor_id": "v1", "type": "pageview", "occurred_at": at.isoformat(), "url": "https://shop.example/blog"},
        {"id": "stranger", "visitor_id": "v2", "occurred_at": at.isoformat(), **seen},
    ]
    answer = await client.post("/v1/events", headers=READER, json={"events": events})
    assert answer.json()["rejected"] == [], answer.text
    await run_until_idle(database)
    assert await found(hot) == []
    deal = {"id": "7", "contacts": ["ada@example.com"], "opened_at": (at - timedelta(hours=8)).isoformat(), "owner": "Kim"}
    made = await client.post("/v1/connections", json={"id": "crm", "provider": "generic"}, headers=ADMIN)
    from tests.crm.test_endpoints import Crm

    crm = Crm(client, made.json()["secret"])
    assert (await crm.send("deal.created", deal, timestamp=(at - timedelta(hours=8)).isoformat())).status_code == 202
    await run_until_idle(database)
    [first, second] = await found(hot)
    # At 22:00 UTC the next day begins in Berlin or has begun, by the season.
    assert [each[2] for each in (first, second)] == [f"/pricing* {at + timedelta(days=days):%Y-%m-%d}" for days in (0, 1)]
    assert await hot.tell() == 2
    data = hot.listener.taken[0].json["data"]
    assert (data["page"], data["deal_id"], data["owner"]) == ("shop.example/pricing/plans", "7", "Kim")
    assert "ada@" not in hot.listener.taken[0].body.decode()
    async with database.write() as connection:
        await rules.request_rebuild(connection, "default", "touches", hot.clock())
    await run_until_idle(database)
    assert len(await found(hot)) == 2
    # After the deal is closed, visits are nobody's business.
    await crm.send("deal.lost", {"id": "7"}, timestamp=(at - timedelta(hours=1)).isoformat())
    async with database.write() as connection:
        await connection.execute(delete(tables.notices))
    await run_until_idle(database)
    assert await found(hot) == []
    assert (await hot.rows(select(tables.conversions.c.kind).where(tables.conversions.c.kind.like("/pricing%")))) == []
