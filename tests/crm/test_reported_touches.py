"""Touches that a CRM tells of: in journeys, credited, marked, told once; and gone while the site does not want them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.db import Database
from app.pipeline import check, run_until_idle
from tests.crm.messages import ADMIN, Crm
from tests.reports.story import get, tell, visit, won

pytestmark = pytest.mark.anyio

FIRST = {"occurred_at": "2026-02-01T09:00:00Z", "channel": "Paid Search", "source": "google", "campaign": "spring", "click_id": "abc"}
LATEST = {"occurred_at": "2026-02-20T09:00:00Z", "url": "https://shop.example/?utm_source=news&utm_medium=email&gclid=x"}
ADA = {"id": "7", "email": "ada@example.com"}
WON = {"id": "d1", "amount": "300", "currency": "USD", "contacts": [{"id": "7"}]}
REPORT = "/v1/reports/attribution"


async def test_they_are_credited_once_however_often_they_are_told(database: Database, client: httpx.AsyncClient) -> None:
    crm = await Crm.connected(client)
    await crm.say("contact.created", "2026-02-02T00:00:00Z", {**ADA, "reported_touches": [FIRST]})
    # Another address, another state: the contact is the same, and so is the touch.
    await crm.say("contact.updated", "2026-02-21T00:00:00Z", {"id": "7", "email": "ada@new.example", "reported_touches": [FIRST, LATEST]})
    await crm.say("contact.qualified", "2026-02-22T00:00:00Z", {"id": "7", "reported_touches": [LATEST]})
    await crm.say("deal.won", "2026-03-09T18:00:00Z", WON)
    await run_until_idle(database)
    answer = await get(client, REPORT, tracked=True)
    assert [(row["channel"], row["revenue"]) for row in answer["rows"]] == [("Email", "150.00"), ("Paid Search", "150.00")]
    assert answer["tracked"] == {"conversions": 0, "revenue": "0.00", "share": 0.0}
    [person] = (await get(client, "/v1/people", email="ada@new.example"))["people"]
    journey = await get(client, f"/v1/people/{person['id']}/journey")
    assert [(touch["campaign"], touch["reported_by_crm"]) for touch in journey["touches"]] == [("spring", True), ("(not set)", True)]
    assert len({touch["visitor_id"] for touch in journey["touches"]}) == 1
    async with database.read() as connection:
        clicks = set(await connection.scalars(select(tables.events.c.click_id)))
    assert clicks == {"abc", "x"}


async def test_what_we_saw_ourselves_is_tracked_end_to_end(database: Database, client: httpx.AsyncClient) -> None:
    crm = await Crm.connected(client)
    await tell(client, database, visit("v1", 2, referrer="https://www.google.com/"), won("seen", 10, "100", visitor_id="v1"))
    await crm.say("contact.created", "2026-02-02T00:00:00Z", {**ADA, "reported_touches": [FIRST]})
    await crm.say("deal.won", "2026-03-09T18:00:00Z", WON)
    await run_until_idle(database)
    answer = await get(client, REPORT, tracked=True, model="all")
    assert answer["models"]["linear"]["tracked"] == {"conversions": 1, "revenue": "100.00", "share": 0.25}
    assert (await get(client, REPORT, tracked=True, conversion="opportunity"))["tracked"]["pipeline"] == "100.00"
    # The visit of the second of March is beyond this look-back, so nothing that we saw is in reach.
    assert (await get(client, REPORT, tracked=True, lookback_days=5))["tracked"]["share"] == 0.0
    assert "tracked" not in await get(client, REPORT)
    listed = {each["deal"]["deal_id"]: each for each in (await get(client, "/v1/conversions"))["conversions"]}
    assert {deal: (each["is_tracked"], each["reported_by_crm"]) for deal, each in listed.items()} == {"seen": (True, False), "d1": (False, True)}
    explained = await get(client, f"/v1/conversions/{listed['d1']['id']}/explain")
    assert [touch["reported_by_crm"] for touch in explained["touches"]] == [True]


async def test_a_site_can_do_without_them_and_have_them_back(database: Database, client: httpx.AsyncClient, application: FastAPI) -> None:
    crm = await Crm.connected(client)
    await crm.say("contact.created", "2026-02-02T00:00:00Z", {"email": "ada@example.com", "reported_touches": [FIRST]})
    await crm.say("deal.won", "2026-03-09T18:00:00Z", {**WON, "contacts": ["ada@example.com"]})
    await run_until_idle(database)
    credited = (await get(client, REPORT))["rows"]
    assert [row["channel"] for row in credited] == ["Paid Search"]
    for wants_them, rows in ((False, []), (True, credited)):
        changed = await client.patch("/v1/sites/default", json={"crm_touches": wants_them}, headers=ADMIN)
        assert changed.status_code == 200
        await run_until_idle(database)
        assert (await get(client, REPORT))["rows"] == rows
        assert await check(database, await application.state.directory.site("default")) == []


async def test_an_address_that_is_none_does_not_cost_the_contact(database: Database, client: httpx.AsyncClient) -> None:
    crm = await Crm.connected(client)
    touch = {"occurred_at": "2026-02-01", "source": "fair", "url": "http://[broken"}
    assert (await crm.say("contact.created", "2026-02-02T00:00:00Z", {**ADA, "reported_touches": [touch]}))["accepted"] == 1
    async with database.read() as connection:
        [row] = (await connection.execute(select(tables.events).where(tables.events.c.reported_by == "crm"))).all()
    assert (row.url, row.is_trusted, row.type) == (None, True, "touch")
