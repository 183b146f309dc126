"""What is shown of calls to CRMs, and how they are begun again over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app import tables
from app.crm.api import Throttled
from app.crm.calls import pause_after
from app.crm.polling import begin_polls
from app.crm.registry import PROVIDERS
from app.crm.waiting import STUCK_AFTER, calls_of_site
from app.sites.connections import change_connection, create_connection, delete_connection
from app.sites.site import Site
from tests.crm.conftest import START, Crm
from tests.crm.made_up import PROVIDER, SECRET, STAND_IN, TOKEN
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
AT = tables.to_micros(START)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, STAND_IN, PROVIDER)


async def _shown(crm: Crm) -> dict[str, Any]:
    async with crm.calls.database.read() as connection:
        [shown] = await calls_of_site(connection, "default", crm.clock())
    return shown


async def test_what_waits_is_shown_with_its_oldest_and_its_trouble(made_up: Crm) -> None:
    assert await _shown(made_up) == {
        "id": "crm", "provider": STAND_IN, "has_api_token": True, "paused": [], "polls": [],
        "fetches": {"waiting": 0, "stuck": 0, "oldest_at": None, "last_error": None},
    }  # fmt: skip
    made_up.server.poisoned = {"7"}
    await made_up.told("7")
    await made_up.fetch()
    made_up.clock.forward(hours=1)
    await made_up.told("8", "9")
    reason = "Made-up CRM answered 400 (cannot read that record)"
    assert (await _shown(made_up))["fetches"] == {"waiting": 3, "stuck": 0, "oldest_at": START, "last_error": reason}
    made_up.clock.now = START + STUCK_AFTER
    assert (await _shown(made_up))["fetches"]["stuck"] == 1
    await made_up.fetch()
    assert (await _shown(made_up))["fetches"] == {"waiting": 1, "stuck": 1, "oldest_at": START, "last_error": reason}


async def test_how_far_it_was_read_and_what_pauses_it(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.ask_since(START)
    await made_up.poll()
    common = {"since": START - timedelta(minutes=5), "finished_at": START, "last_error": None, "next_try_at": START + timedelta(minutes=10)}
    assert (await _shown(made_up))["polls"] == [
        {"kind": "contacts", "records": 0, "is_under_way": False, **common},
        {"kind": "deals", "records": 1, "is_under_way": False, **common},
    ]
    made_up.server.faults.append((429, {"Retry-After": "60"}, b""))
    await made_up.told("8")
    await made_up.fetch()
    assert (await _shown(made_up))["paused"] == [{"kind": None, "until": START + timedelta(seconds=60), "reason": "Made-up CRM asks for a pause"}]
    made_up.clock.forward(seconds=60)
    assert (await _shown(made_up))["paused"] == []


async def test_status_shows_connections(made_up: Crm, client: httpx.AsyncClient) -> None:
    await made_up.told("7")
    [shown] = (await client.get("/v1/status", headers=ADMIN)).json()["connections"]
    assert shown["fetches"] == {"waiting": 1, "stuck": 1, "oldest_at": "2026-03-04T10:00:00Z", "last_error": None}
    assert TOKEN not in str(shown)


async def test_whoever_changes_a_connection_is_not_kept_waiting(made_up: Crm, site: Site) -> None:
    made_up.server.denied = {"contacts", "deals"}
    await made_up.told("7")
    await made_up.ask_since(START)
    await made_up.fetch()
    for _ in range(3):
        await made_up.poll()
    assert len(await made_up.pauses()) == 1
    async with made_up.calls.database.write() as connection:
        await change_connection(connection, site, "crm", {"api_token": TOKEN}, made_up.clock())
    made_up.server.denied.clear()
    assert await made_up.fetch() == 1
    assert [page.kind for page in await made_up.poll()] == ["contacts", "deals"]


async def test_a_connection_that_ended_leaves_nothing_to_call(made_up: Crm, site: Site) -> None:
    await made_up.told("7")
    await made_up.ask_since(START)
    async with made_up.calls.database.write() as connection:
        await delete_connection(connection, site, "crm")
    for table in (tables.crm_fetches, tables.crm_polls, tables.crm_pauses):
        assert await made_up.rows(select(table)) == []


async def test_what_was_under_way_when_a_connection_ended_is_nothing_to_the_next(made_up: Crm, site: Site) -> None:
    """A page that was asked for before the end fails after it, and is noted."""
    async with made_up.calls.database.write() as connection:
        await delete_connection(connection, site, "crm")
        await begin_polls(connection, made_up.sender, ["deals"], START, made_up.clock())
        await pause_after(connection, made_up.sender, "", Throttled(600), made_up.clock())
        await create_connection(connection, site, {"id": "crm", "provider": STAND_IN, "secret": SECRET, "api_token": TOKEN}, made_up.clock())
    for table in (tables.crm_polls, tables.crm_pauses):
        assert await made_up.rows(select(table)) == []


# ---------------------------------------------------------------- a sync over HTTP


async def test_a_sync_over_http_reads_all_again_and_changes_nothing(made_up: Crm, client: httpx.AsyncClient) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.ask_since(START)
    await made_up.poll()
    made_up.clock.now = datetime.now(UTC)
    answer = await client.post("/v1/connections/crm/sync", json={"since": "2026-03-01", "kinds": ["deals"]}, headers=ADMIN)
    assert (answer.status_code, answer.json()) == (202, {"id": "crm", "kinds": ["deals"], "since": "2026-03-01T00:00:00Z"})
    made_up.clock.now = datetime.now(UTC)
    pages = await made_up.poll()
    assert [(page.records, page.stored) for page in pages if page.kind == "deals"] == [(1, 0)]
    answer = await client.post("/v1/connections/crm/sync", json={}, headers=ADMIN)
    assert (answer.status_code, answer.json()["kinds"]) == (202, ["contacts", "deals"])


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("crm", {"kinds": ["companies"]}, 422, "it has contacts, deals"),
        ("crm", {"since": "yesterday"}, 422, "since"),
        ("crm", {"from": "2026-03-01"}, 422, "from"),
        ("other", {}, 404, "no connection"),
    ],
)
async def test_a_sync_that_cannot_be(made_up: Crm, client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, words: str) -> None:
    answer = await client.post(f"/v1/connections/{path}/sync", json=body, headers=ADMIN)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


async def test_a_sync_of_what_cannot_be_asked(made_up: Crm, client: httpx.AsyncClient) -> None:
    await client.patch("/v1/connections/crm", json={"api_token": None}, headers=ADMIN)
    assert "api_token" in (await client.post("/v1/connections/crm/sync", json={}, headers=ADMIN)).json()["detail"]
    await client.post("/v1/connections", json={"id": "own", "api_token": "x"}, headers=ADMIN)
    assert "by webhooks" in (await client.post("/v1/connections/own/sync", json={}, headers=ADMIN)).json()["detail"]
    assert (await client.post("/v1/connections/crm/sync", json={})).status_code == 401
