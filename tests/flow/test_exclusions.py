"""Test deals and internal contacts count not, are counted as such, and come back when the site takes its patterns away."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.db import Database
from app.pipeline import check, run_until_idle
from tests.crm.messages import ADMIN, Crm
from tests.reports.story import form, get, tell, visit, won

pytestmark = pytest.mark.anyio

STAFF, CUSTOMER = "staff@ours.example", "ada@example.com"
NAMES = {"d1": "TEST order", "d2": "Latest_100% news", "d3": "TÄST", "d4": "täst", "d5": "Contest"}


async def _set(client: httpx.AsyncClient, database: Database, **settings: Any) -> None:
    answer = await client.patch("/v1/sites/default", json=settings, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    await run_until_idle(database)


async def _won(client: httpx.AsyncClient) -> set[str]:
    return {each["deal"]["deal_id"] for each in (await get(client, "/v1/conversions"))["conversions"]}


@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        (["*test*"], {"d1", "d2", "d5"}),
        (["Test*"], {"d1"}),
        (["*TEST"], {"d5"}),
        (["*_100% *"], {"d2"}),
        (["*t_100*", "tes_ order", "%"], {"d2"}),
        # The case of what is not ASCII is told apart, on either database.
        (["tÄst"], {"d3"}),
    ],
)
async def test_names_of_deals(database: Database, client: httpx.AsyncClient, patterns: list[str], excluded: set[str]) -> None:
    await _set(client, database, excluded_deals=patterns)
    await tell(client, database, *(won(deal, 5, "10", CUSTOMER, name=name) for deal, name in NAMES.items()))
    assert await _won(client) == NAMES.keys() - excluded
    assert (await get(client, "/v1/status"))["ignored_deals"] == {"excluded": len(excluded)}


async def test_all_comes_back(database: Database, client: httpx.AsyncClient, application: FastAPI) -> None:
    crm = await Crm.connected(client)
    goals = [{"name": "pricing", "path": "/pricing"}]
    await _set(client, database, goals=goals)
    seen = (visit("v1", 2, "https://shop.example/pricing"), form("v1", 3, STAFF), visit("v2", 2, "https://shop.example/pricing"), form("v2", 3, CUSTOMER))
    deals = (won("mine", 5, "10", STAFF), won("both", 5, "20", STAFF, CUSTOMER), won("yours", 5, "30", CUSTOMER), won("test", 5, "40", name="A test"))
    await tell(client, database, *seen, *deals)
    await crm.say("contact.qualified", "2026-03-04T00:00:00Z", {"email": STAFF})
    await run_until_idle(database)
    before = {kind: (await get(client, "/v1/conversions", conversion=kind))["conversions"] for kind in ("lead", "sql", "pricing", "customer")}
    assert [len(each) for each in before.values()] == [2, 1, 2, 4]
    for internal in ([STAFF.upper()], ["ours.example"]):
        await _set(client, database, internal_contacts=internal, excluded_deals=["*test"])
        counts = {kind: (await get(client, "/v1/conversions", conversion=kind))["conversions"] for kind in before}
        assert [len(each) for each in counts.values()] == [1, 0, 1, 2]
        assert await _won(client) == {"both", "yours"}
        status = await get(client, "/v1/status")
        assert (status["ignored_deals"], status["internal_people"]) == ({"internal": 1, "excluded": 1}, 1)
        assert await check(database, await application.state.directory.site("default")) == []
    await _set(client, database, internal_contacts=[], excluded_deals=[])
    assert {kind: (await get(client, "/v1/conversions", conversion=kind))["conversions"] for kind in before} == before
    status = await get(client, "/v1/status")
    assert (status["ignored_deals"], status["internal_people"]) == ({}, 0)


async def test_whoever_turns_out_to_be_staff_is_internal_from_then_on(database: Database, client: httpx.AsyncClient) -> None:
    crm = await Crm.connected(client)
    await _set(client, database, internal_contacts=["ours.example"])
    await crm.say("contact.created", "2026-03-01T00:00:00Z", {"id": "7", "email": "bob@private.example"})
    await tell(client, database, visit("v1", 2), form("v1", 3, "bob@private.example"), won("d", 5, "10", "bob@private.example"))
    assert len((await get(client, "/v1/conversions", conversion="lead"))["conversions"]) == 1
    await crm.say("contact.updated", "2026-03-06T00:00:00Z", {"id": "7", "email": "bob@ours.example"})
    await run_until_idle(database)
    for kind in ("lead", "customer"):
        assert (await get(client, "/v1/conversions", conversion=kind))["conversions"] == []


@pytest.mark.parametrize("changes", [{"excluded_deals": ["*"]}, {"excluded_deals": ["a*b"]}, {"internal_contacts": ["nobody@"]}])
async def test_what_is_no_pattern_is_refused(client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    answer = await client.patch("/v1/sites/default", json=changes, headers=ADMIN)
    assert answer.status_code == 422
    assert "is not a pattern" in answer.text or "neither an e-mail" in answer.text
