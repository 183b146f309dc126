"""Our figures of a month beside the CRM's, and why each deal differs that does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.db import Database
from app.pipeline import run_until_idle
from app.settings import Settings
from tests.crm.fake_hubspot import TOKEN, FakeHubspot, serving
from tests.crm.messages import ADMIN, Crm
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

REPORT = "/v1/reports/reconciliation"


def _reasons(answer: dict[str, Any]) -> dict[str, str]:
    return {deal["deal_id"]: deal["reason"] for deal in answer["deals"]}


async def _set(client: httpx.AsyncClient, database: Database, **settings: Any) -> None:
    assert (await client.patch("/v1/sites/default", json=settings, headers=ADMIN)).status_code == 200
    await run_until_idle(database)


async def test_by_what_the_crm_has_told(database: Database, client: httpx.AsyncClient) -> None:
    crm = await Crm.connected(client, settings={"pipelines": {"p": {"ignored": ["Draft"]}}})
    same = {"currency": "USD", "pipeline": "p", "closed_on": "2026-03-31", "contacts": ["ada@example.com"]}
    deals: dict[str, dict[str, Any]] = {
        "good": {}, "test": {"name": "A test"}, "staff": {"contacts": ["bob@ours.example"]}, "other": {"pipeline": "q"},
        "draft": {"stage": "Draft"}, "euro": {"currency": "EUR"}, "refunded": {}, "gone": {}, "april": {"closed_on": "2026-04-01"},
    }  # fmt: skip
    for deal_id, data in deals.items():
        await crm.say("deal.won", "2026-03-20T10:00:00Z", {"id": deal_id, "amount": "100", **same, **data})
    await crm.say("deal.adjusted", "2026-03-30T10:00:00Z", {"id": "refunded", "amount": "-30", "currency": "USD"})
    # A refund in the month of a deal of another one.
    await crm.say("deal.won", "2026-02-10T10:00:00Z", {"id": "before", "amount": "50", **same, "closed_on": "2026-02-10"})
    await crm.say("deal.adjusted", "2026-03-11T10:00:00Z", {"id": "before", "amount": "-5", "currency": "USD"})
    await crm.say("deal.deleted", "2026-03-30T10:00:00Z", {"id": "gone"})
    await _set(client, database, excluded_deals=["*test"], internal_contacts=["ours.example"], timezone="America/New_York")
    answer = await get(client, REPORT, month="2026-03")
    assert (answer["according_to"], answer["stated_at"], answer["space"]) == ("messages", None, "generic")
    assert _reasons(answer) == {
        "before": "amount_differs", "draft": "ignored_stage", "euro": "currency_unconverted", "other": "ignored_pipeline",
        "refunded": "amount_differs", "staff": "internal", "test": "excluded",
    }  # fmt: skip
    euros = [{"currency": "EUR", "sum": "100.00"}]
    assert answer["crm"] == {"count": 7, "sum": "600.00", "other_currencies": euros}
    assert answer["ours"] == {"count": 3, "sum": "165.00", "other_currencies": euros}
    assert answer["difference"] == {"count": -4, "sum": "-435.00"}
    in_dollars = [deal for deal in answer["deals"] if deal["reason"] != "currency_unconverted"]
    ours, theirs = (sum(float((deal[side] or {}).get("amount") or 0) for deal in in_dollars) for side in ("ours", "crm"))
    assert ours - theirs == -435
    await _set(client, database, customer_space="generic")
    assert _reasons(await get(client, REPORT, month="2026-04", connection="generic")) == {}
    text = (await client.get(f"{REPORT}?month=2026-03&format=csv", headers=READER)).text
    assert "before,,amount_differs,,,,-5.00,USD,2026-02-10" in text.splitlines()
    for query, said in (("month=2026-13", "YYYY-MM"), ("month=2026-03&connection=hub", "crm, generic")):
        refused = await client.get(f"{REPORT}?{query}", headers=READER)
        assert (refused.status_code, said in refused.text) == (422, True)


@pytest.fixture
async def hubspot() -> AsyncIterator[FakeHubspot]:
    with serving(FakeHubspot()) as fake:
        yield fake


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allow_private_addresses": True})


async def test_by_what_the_crm_states_when_it_is_asked(database: Database, client: httpx.AsyncClient, hubspot: FakeHubspot, application: FastAPI) -> None:
    at = datetime(2026, 3, 20, 10, tzinfo=UTC)
    stated = {"dealstage": "closedwon", "hs_is_closed_won": "true", "closedate": "2026-03-20T10:00:00Z", "amount": "100", "deal_currency_code": "USD"}
    for number in range(1, 4):
        hubspot.put("deals", number, at, dealname=f"Deal {number}", **stated)
    # The last moment of March, and the first of April, where HubSpot's account is.
    hubspot.put("deals", 4, at, **stated | {"closedate": "2026-03-31T21:59:59.999Z"})
    hubspot.put("deals", 5, at, **stated | {"closedate": "2026-03-31T22:00:00Z"})
    hubspot.put("deals", 6, at, **stated | {"hs_is_closed_won": "false"})
    crm = await Crm.connected(client, "hub", provider="hubspot", api_token=TOKEN, api_base_url=hubspot.url)
    unasked = await get(client, REPORT, month="2026-03")
    assert (unasked["space"], unasked["according_to"], unasked["crm"]["count"]) == ("hub", "messages", 0)
    asked = await client.post(REPORT, params={"month": "2026-03", "connection": crm.connection_id}, headers=ADMIN)
    assert asked.status_code == 200, asked.text
    assert asked.json()["according_to"] == "statement"
    assert asked.json()["crm"] == {"count": 4, "sum": "400.00", "other_currencies": []}
    assert asked.json()["ours"]["count"] == 0
    assert _reasons(asked.json()) == dict.fromkeys("1234", "not_received")
    assert (await get(client, REPORT, month="2026-03"))["reasons"] == {"not_received": 4}
    # A deal less than before: what it states now counts.
    hubspot.archive("deals", 4, at)
    again = await client.post(REPORT, params={"month": "2026-03", "connection": "hub"}, headers=ADMIN)
    assert again.json()["crm"]["count"] == 3
    hubspot.is_down = True
    down = await client.post(REPORT, params={"month": "2026-03", "connection": "hub"}, headers=ADMIN)
    assert (down.status_code, "HubSpot did not answer" in down.text) == (502, True)
    assert (await get(client, REPORT, month="2026-03"))["crm"]["count"] == 3


async def test_only_who_has_an_api_can_be_asked(client: httpx.AsyncClient) -> None:
    await Crm.connected(client)
    refused = await client.post(REPORT, params={"month": "2026-03", "connection": "crm"}, headers=ADMIN)
    assert (refused.status_code, "hubspot" in refused.text) == (422, True)
