"""`/v1/notice-endpoints`, what `/v1/status` says of them, and what an erasure leaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.db import Database
from app.main import create_app
from app.notices.delivery import Notifier
from app.notices.finding import find_notices
from app.notices.running import deliver_due
from app.pipeline import run_until_idle
from app.settings import Settings
from app.sites.site import Site
from tests.crm.test_endpoints import ADMIN, Crm
from tests.notices.conftest import World
from tests.notices.receiver import Listener
from tests.reports.story import form, get, tell
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

PATH = "/v1/notice-endpoints"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The receiver is on this machine."""
    return settings.model_copy(update={"allow_private_addresses": True})


async def made(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(PATH, headers=ADMIN, json={"id": "ours", "url": "https://hooks.example/x", **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_endpoint_is_made_shown_changed_and_forgotten(client: httpx.AsyncClient) -> None:
    first = await made(client)
    assert first["secret"].startswith("whsec_")
    assert (first["kinds"], first["format"]) == (["stage_changed", "contact_due", "hot_visit"], "standard")
    shown = {name: value for name, value in first.items() if name != "secret"}
    assert (await client.get(f"{PATH}/ours", headers=ADMIN)).json() == shown
    assert (await client.get(PATH, headers=ADMIN)).json() == {"notice_endpoints": [shown]}
    assert (await client.post(PATH, headers=ADMIN, json={"id": "ours", "url": "https://hooks.example/y"})).status_code == 409

    changes = {"kinds": ["hot_visit", "stage_changed"], "secret": None, "disabled": True}
    changed = (await client.patch(f"{PATH}/ours", headers=ADMIN, json=changes)).json()
    assert changed["secret"] != first["secret"]
    assert (changed["kinds"], changed["has_previous_secret"], changed["disabled_because"]) == (["stage_changed", "hot_visit"], True, "by hand")
    ended = (await client.patch(f"{PATH}/ours", headers=ADMIN, json={"previous_secret": None, "disabled": False})).json()
    assert (ended["has_previous_secret"], ended["disabled_at"], "secret" in ended) == (False, None, False)

    assert (await client.delete(f"{PATH}/ours", headers=ADMIN)).status_code == 204
    assert (await client.get(f"{PATH}/ours", headers=ADMIN)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": "ftp://hooks.example/"}, "url"),
        ({"url": "https://me:pass@hooks.example/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["deal_won"]}, "kinds"),
        ({"format": "xml"}, "format"),
        ({"id": "a b"}, "id"),
        ({"secret": "whsec_short"}, "secret"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_not_allowed_is_named(client: httpx.AsyncClient, fields: dict[str, Any], named: str) -> None:
    answer = await client.post(PATH, headers=ADMIN, json={"id": "ours", "url": "https://hooks.example/x", **fields})
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
    assert "pass" not in answer.text


async def test_only_an_administrator_sees_them(client: httpx.AsyncClient) -> None:
    reader = (await client.post("/v1/keys", headers=ADMIN, json={"scopes": ["read"]})).json()["key"]
    assert (await client.get(PATH, headers={"Authorization": f"Bearer {reader}"})).status_code == 403


async def test_a_test_message(client: httpx.AsyncClient, listener: Listener) -> None:
    listener.secret = (await made(client, url=listener.url))["secret"]
    assert (await client.post(f"{PATH}/ours/test", headers=ADMIN)).json() == {"delivered": True, "status": 200, "error": None}
    assert listener.taken[0].json["type"] == "test"
    listener.faults.append((404, {}))
    answer = (await client.post(f"{PATH}/ours/test", headers=ADMIN)).json()
    assert answer == {"delivered": False, "status": 404, "error": "it answered 404"}
    await client.patch(f"{PATH}/ours", headers=ADMIN, json={"format": "slack"})
    listener.secret = None
    await client.post(f"{PATH}/ours/test", headers=ADMIN)
    assert listener.taken[-1].json == {"text": "A test from Closed Loop: notices arrive here."}


async def test_status_says_what_waits(world: World, client: httpx.AsyncClient) -> None:
    await world.stage("e_ada", "lead")
    await world.stage("e_bob", "lead", fact_id="f2", entered_at=world.ago(hours=2))
    world.listener.faults.extend([(200, {}), (500, {})])
    await deliver_due(world.notifier)
    [shown] = (await get(client, "/v1/status"))["notice_endpoints"]
    assert (shown["id"], shown["waiting"], shown["delivered"], shown["given_up"], shown["last_error"]) == ("ours", 1, 1, 0, "it answered 500")


async def test_a_text_for_a_chat_system_names_and_never_runs(world: World, client: httpx.AsyncClient, database: Database) -> None:
    await tell(client, database, form("v1", 3, "ada@example.com"))
    person = (await get(client, "/v1/people", email="ada@example.com"))["people"][0]["id"]
    await client.patch(f"{PATH}/ours", headers=ADMIN, json={"format": "slack"})
    world.listener.secret = None
    await world.stage(person, "sql", 50, detail="<!channel> budget & need\n*now* [x](http://evil.example) @here", entered_at=world.ago(hours=1))
    await world.stage("e_gone", "customer", fact_id="f2")
    await world.tell()
    first, second = (told.json["text"] for told in world.listener.taken)
    assert first == (
        "ada@\u200bexample.com is sales qualified: &lt;!channel&gt; budget &amp; need *now* [x]\u200b(http://evil.example) @\u200bhere."
    )
    assert second == "e_gone bought."
    assert all("webhook-signature" not in told.headers for told in world.listener.taken)


async def test_an_erasure_takes_what_is_to_be_told_of_a_person(
    world: World, client: httpx.AsyncClient, database: Database, application: FastAPI
) -> None:
    await tell(client, database, form("v1", 3, "ada@example.com"), form("v2", 3, "bob@example.com"))
    people = {}
    for name in ("ada", "bob"):
        people[name] = (await get(client, "/v1/people", email=f"{name}@example.com"))["people"][0]["id"]
        await world.stage(people[name], "recycled", 50, fact_id=name, entered_at=world.ago(hours=1))
    await world.stage("generic/7", "lost", fact_id="x", detail="ada@example.com chose another")
    await world.put_deal("generic", "7")
    assert await find_notices(database, world.clock()) == 3
    exported = (await client.get(f"/v1/people/{people['ada']}/export", headers=ADMIN)).json()
    assert "notices" in str(exported)
    assert (await client.post(f"/v1/people/{people['ada']}/erase", headers=ADMIN)).status_code == 200
    await run_until_idle(database)
    rows = await world.notices()
    assert [(row.person_id or row.deal_id, row.body == "{}") for row in rows] == [(people["bob"], False), ("7", True)]
    world.listener.secret = None
    await deliver_due(Notifier(database, allow_private=True, clock=lambda: world.clock() + timedelta(minutes=1)))
    assert [told.json["data"]["person_id"] for told in world.listener.taken] == [people["bob"]]


async def test_a_site_without_facts_goes_with_its_endpoints(client: httpx.AsyncClient, database: Database) -> None:
    from app import tables

    await client.post("/v1/sites", headers=ADMIN, json={"id": "other"})
    answer = await client.post(f"{PATH}?site=other", headers=ADMIN, json={"id": "theirs", "url": "https://hooks.example/x"})
    assert answer.status_code == 201, answer.text
    assert (await client.delete("/v1/sites/other", headers=ADMIN)).status_code == 204
    await assert_rows(database, tables.notice_endpoints, ["endpoint_id"], [])


async def test_a_running_service_tells(settings: Settings, database: Database, site: Site, listener: Listener) -> None:
    app = create_app(settings, run_pipeline=True)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://loop.example") as client:
        listener.secret = (await made(client, url=listener.url))["secret"]
        hot = await client.patch("/v1/sites/default", headers=ADMIN, json={"hot_pages": ["/pricing"]})
        assert hot.status_code == 200
        now = datetime.now(UTC).isoformat()
        asked = {"id": "1", "type": "form_submit", "visitor_id": "v", "occurred_at": now, "url": "https://shop.example/", "email": "ada@example.com"}
        crm = await client.post("/v1/connections", headers=ADMIN, json={"id": "crm", "provider": "generic"})
        await Crm(client, crm.json()["secret"]).send("deal.created", {"id": "7", "contacts": ["ada@example.com"]}, timestamp=now)
        seen = {"id": "3", "type": "pageview", "visitor_id": "v", "url": "https://shop.example/pricing"}
        answer = await client.post("/v1/events", headers=ADMIN, json={"events": [asked, seen]})
        assert answer.json()["accepted"] == 2
        async with asyncio.timeout(60):
            while "hot_visit" not in {told.json["type"] for told in listener.taken}:  # noqa: ASYNC110  it is a thread's
                await asyncio.sleep(0.05)
    assert listener.bad == []
