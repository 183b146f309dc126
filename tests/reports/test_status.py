"""Status, health and readiness."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import insert

from app import tables
from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import NOON
from tests.facts import an_event
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

READER = {"Authorization": f"Bearer {SECRET_KEY}"}


async def test_health_and_readiness_are_open(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200


async def test_status_wants_a_key(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/status")).status_code == 401


async def test_status_counts_what_is_pending_and_since_when(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    here = {"site_id": site.site_id}
    drop = {**here, "reason": "bot", "count": 2}
    started = {**here, "stage": "touches", "after_key": "[]", "keys_left": 40, "keys_total": 100, "started_at": NOON}
    async with database.write() as connection:
        await connection.execute(insert(tables.events), an_event("ada", "1", 0))
        await connection.execute(insert(tables.drops), [{**drop, "day": "2026-01-01"}, {**drop, "day": "2026-01-02"}])
        await connection.execute(insert(tables.touches_queue), [{**here, "visitor_id": "ada", "received_at": NOON + 1} for _ in range(2)])
        await connection.execute(insert(tables.journeys_queue), {**here, "kind": "lead", "received_at": NOON})
        await connection.execute(insert(tables.identity_queue), {"site_id": "another", "key_id": "e_x", "received_at": 0})
        await connection.execute(insert(tables.rebuilds), started)
    answer = (await client.get("/v1/status", headers=READER)).json()
    assert answer == {
        "pending": 43,
        "computed_through": "2026-01-01T12:00:00Z",
        "rebuilding": {"stage": "touches", "keys_left": 40, "keys_total": 100, "started_at": "2026-01-01T12:00:00Z"},
        "events": 1,
        "crm_facts": 0,
        "quarantined": 0,
        "dropped": {"bot": 4},
        "set_aside": {},
        "connections": [],
        "notice_endpoints": [],
        "left_out_touches": {},
        "ignored_deals": {},
        "internal_people": 0,
        "settings_version": 1,
        "as_of": None,
        "history_since": None,
        "latest_run_at": None,
    }


async def test_an_idle_service_has_computed_up_to_now(client: httpx.AsyncClient, site: Site) -> None:
    answer = (await client.get("/v1/status", headers=READER)).json()
    assert (answer["pending"], answer["rebuilding"]) == (0, None)
    assert answer["computed_through"] > "2026-06"
    assert site.site_id == "default"
