"""`@segment/analytics-node`, with only its host and key changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app import tables
from app.collect.keys import pseudo_visitor, subject_keys
from tests.rows import assert_rows
from tests.sdks.conftest import ERROR, run
from tests.world import SECRET_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.mark.parametrize(("lose", "instead"), [(1, b""), (1, ERROR)])
async def test_what_a_server_says_and_says_again(node, relay, client, database, site, lose, instead):
    meant = {"segment_deals": [{"event": "Order Completed"}]}
    assert (await client.patch("/v1/sites/default", json=meant, headers={"Authorization": f"Bearer {SECRET_KEY}"})).status_code == 200
    relay.lose, relay.instead = lose, instead
    await run(node, "analytics_node.mjs", SECRET_KEY, relay.url)

    assert relay.answers == 1 + lose
    ada = pseudo_visitor(subject_keys(site, user_id="u7"))
    page = "https://www.brand.example/prices?utm_source=ads"
    await assert_rows(database, tables.events, ["visitor_id", "type", "url", "title", "start_rank", "has_email", "is_trusted"], [
        [ada, "identify", None, None, 0, True, True],
        [ada, "Order Completed", None, None, 0, False, True],
        ["ann", "Demo Booked", None, None, 1, False, True],
        ["ann", "pageview", page, "Prices", 2, False, True],
        ["ann", "pageview", None, "Home", 2, False, True],
        [ada, "group", None, None, 0, False, True],
        ["ann", "identify", None, None, 0, False, True],
    ])  # fmt: skip
    await assert_rows(database, tables.crm_facts, ["type", "space", "deal_id"], [["deal.won", "generic", "50"]])
    await assert_rows(database, tables.deal_fields, ["field", "value"], [["amount", "300000"], ["currency", "EUR"], ["contacts", "1"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])
    booked = select(tables.events.c.occurred_at, tables.events.c.properties).where(tables.events.c.type == "Demo Booked")
    await assert_rows(database, booked, ["occurred_at", "properties"], [
        [datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC), '{"seats":3,"$segment":{"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}}}}'],
    ])  # fmt: skip
