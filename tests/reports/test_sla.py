"""The agreement between marketing and sales: qualified leads of a month, first contacts in time, what is broken now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.pipeline import run_until_idle
from app.reports.sla import SlaFilters, sla
from app.sites.site import load_site
from tests.crm.test_endpoints import ADMIN, Crm
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/sla"
NOW = datetime(2026, 5, 11, 12, tzinfo=UTC)
"""A Monday."""


@pytest.fixture
async def crm(client: httpx.AsyncClient) -> Crm:
    made = await client.post("/v1/connections", json={"id": "crm", "provider": "generic"}, headers=ADMIN)
    return Crm(client, made.json()["secret"])


async def set_up(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    settings = {"qualified_leads_a_month": 6, "qualified_by": "sql", "first_contact_hours": 24}
    assert (await client.patch("/v1/sites/default", json=settings, headers=ADMIN)).status_code == 200

    async def said(days: float, type_: str, **data: Any) -> None:
        answer = await crm.send(type_, data, timestamp=(NOW - timedelta(days=days)).isoformat())
        assert answer.json()["rejected"] == [], answer.text

    for days, name in ((20, "april"), (8, "may-1"), (2, "may-2")):
        await said(days, "contact.qualified", email=f"{name}@example.com")
        await said(days - 0.1, "activity.logged", kind="call", contact=f"{name}@example.com")
    kim = {"owner": "Kim", "amount": "1200", "currency": "USD"}
    await said(5, "deal.created", id="in-time", **kim)
    await said(4.5, "activity.logged", kind="call", deal="in-time")
    await said(5, "deal.created", id="late", **kim)
    await said(2, "activity.logged", kind="call", deal="late")
    await said(3, "deal.created", id="overdue", **kim, url="https://crm.example/overdue", name="Big one")
    await said(0.5, "deal.created", id="waiting", **kim)
    await said(30, "deal.created", id="since-april", owner="Lou")
    await said(6, "deal.created", id="closed", owner="Lou")
    await said(3, "deal.lost", id="closed")
    await said(6, "deal.created", id="refused", contacts=[{"email": "no@example.com", "may_contact": False}])
    await said(4, "contact.lead", email="ada@example.com", name="Ada")
    await run_until_idle(database)


async def report(database: Database, now: datetime = NOW, **asked: str) -> dict[str, Any]:
    async with database.read() as connection:
        return await sla(connection, await load_site(connection, "default"), SlaFilters(**asked), now)


async def test_targets_promises_and_what_is_broken_now(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    await set_up(client, crm, database)
    answer = await report(database)
    assert (answer["month"], answer["from"], answer["to"]) == ("2026-05", "2026-05-01", "2026-06-01")
    # Ten and a half of 31 days are gone.
    assert answer["qualified_leads"] == {
        "counted_as": "sql", "target": 6, "count": 2, "share": 0.3333, "month_gone": 0.3387, "expected_by_now": 2.0, "projected": 5.9,
        "is_on_track": False,
    }  # fmt: skip
    rows = {row["owner"]: tuple(row.values())[1:] for row in answer["rows"]}
    # The deals, and the two leads of May that were called.
    assert rows == {
        "Kim": (4, 1, 2, 1, 0.3333, 1),
        "Lou": (1, 0, 1, 0, 0.0, 1),
        "(not set)": (3, 2, 1, 0, 0.6667, 1),
    }
    first = answer["first_contact"]
    assert (first["due"], first["kept"], first["broken"], first["waiting"], first["breaches_now"]) == (8, 3, 4, 1, 3)
    found = [(row["deal_id"] or row["name"], row["owner"], row["over_hours"], row["over_hours_at_work"]) for row in answer["breaches"]]
    assert found == [("since-april", "Lou", 696.0, 696.0), ("Ada", "(not set)", 72.0, 72.0), ("overdue", "Kim", 48.0, 48.0)]
    assert (answer["breaches"][2]["amount"], answer["breaches"][2]["url"]) == ("1200.00", "https://crm.example/overdue")

    april = await report(database, month="2026-04")
    assert (april["qualified_leads"]["count"], april["qualified_leads"]["projected"], april["qualified_leads"]["month_gone"]) == (1, 1.0, 1.0)
    assert [(row["owner"], row["broken"], row["breaches_now"]) for row in april["rows"]] == [
        ("Lou", 1, 1), ("(not set)", 0, 1), ("Kim", 0, 1),
    ]  # fmt: skip
    later = (await report(database, month="2026-07"))["qualified_leads"]
    assert (later["count"], later["projected"], later["is_on_track"]) == (0, None, None)

    hours = {"business_hours": {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}, "first_contact_hours": 1}
    await client.patch("/v1/sites/default", json=hours, headers=ADMIN)
    await run_until_idle(database)
    at_work = {row["deal_id"]: row["over_hours_at_work"] for row in (await report(database))["breaches"]}
    # Created on Friday at noon, due at one: four hours on Friday, three on Monday.
    assert at_work["overdue"] == 7.0


async def test_without_activities_nobody_can_say(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    await set_up(client, crm, database)
    await client.patch("/v1/connections/crm", json={"reports_activities": False}, headers=ADMIN)
    answer = await report(database)
    assert (answer["first_contact"]["activities_are_reported"], answer["first_contact"]["due"], answer["breaches"]) == (False, 0, [])


async def test_over_http(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    answer = await get(client, PATH, month="2026-05")
    assert (answer["qualified_leads"]["target"], answer["rows"], answer["breaches"]) == (None, [], [])
    csv = await client.get(PATH, headers=READER, params={"format": "csv"})
    assert csv.text == "owner,due,kept,broken,waiting,kept_share,breaches_now\r\n"
    for month in ("2026-13", "05-2026", "1990-01", "2079-12", "2026-05-01"):
        assert (await client.get(PATH, headers=READER, params={"month": month})).status_code == 422
