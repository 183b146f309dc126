"""`@rudderstack/rudder-sdk-node`, with only its data plane and key changed."""

from __future__ import annotations

import pytest

from app import tables
from app.collect.keys import pseudo_visitor, subject_keys
from tests.rows import assert_rows
from tests.sdks.conftest import ERROR, run
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

REST = '"$segment":{"channel":"server",MORE"context":{"library":{"name":"analytics-node","version":"3.0.13"}}}}'


def rest(more=""):
    return REST.replace("MORE", more)


@pytest.mark.parametrize(("gzip", "lose"), [("gzip", 1), ("plain", 0)])
async def test_what_a_server_says(node, relay, database, site, gzip, lose):
    relay.lose, relay.instead = lose, ERROR
    await run(node, "rudder_node.mjs", WRITE_KEY, relay.url, gzip)

    # It sends its first message alone.
    assert relay.answers == 2 + lose
    ada, page = pseudo_visitor(subject_keys(site, user_id="u7")), "https://www.brand.example/prices"
    await assert_rows(database, tables.events, ["visitor_id", "type", "url", "referrer", "start_rank", "is_trusted", "properties"], [
        [ada, "identify", None, None, 0, False, '{"plan":"pro",' + rest()],
        [ada, "Demo Booked", None, None, 0, False, '{"seats":3,' + rest()],
        ["ann", "pageview", page, None, 2, False, "{" + rest('"name":"Prices",')],
        [ada, "group", None, None, 0, False, '{"industry":"Software",' + rest('"groupId":"acme",')],
        ["ann", "identify", None, None, 0, False, "{" + rest('"type":"alias",')],
    ])  # fmt: skip
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"], ["user_id", "u7"], ["user_id", "ann"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])
    await assert_rows(database, tables.drops, ["reason"], [])
