"""Messages of a CRM come in any order, and more than once: what is folded from them is the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, select
from standardwebhooks import Webhook

from app import tables
from app.db import Database
from app.pipeline import run_until_idle
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
ADA, BEN = {"id": "ada", "email": "ada@example.com"}, {"id": "ben", "email": "ben@example.com"}
MESSAGES: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("contact.created", 1, ADA),
    ("deal.created", 2, {"id": "d1", "name": "Initech", "amount": "100", "currency": "USD", "contacts": [ADA]}),
    ("activity.logged", 3, {"kind": "call", "contact": "ada", "deal": "d1"}),
    ("contact.qualified", 4, {"id": "ada", "bant": {"need": True}}),
    ("deal.updated", 5, {"id": "d1", "amount": "150", "contacts": [ADA, BEN]}),
    ("deal.won", 6, {"id": "d1"}),
    ("deal.reopened", 7, {"id": "d1"}),
    ("deal.won", 8, {"id": "d1", "amount": "200"}),
    ("deal.adjusted", 9, {"id": "d1", "amount": "-50", "currency": "USD"}),
    ("deal.lost", 10, {"id": "d2", "lost_reason": "price", "contacts": [BEN]}),
)


async def _send_all(client: httpx.AsyncClient, connection_id: str, secret: str, messages: Sequence[tuple[str, int, dict[str, Any]]]) -> None:
    for type_, day, data in messages:
        body = json.dumps({"type": type_, "timestamp": f"2026-03-{day:02}T10:00:00Z", "data": data})
        message_id, now = f"{type_}/{day}", datetime.now(UTC)
        signature = Webhook(secret).sign(message_id, now, body)
        headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
        answer = await client.post(f"/v1/webhooks/{connection_id}", content=body, headers=headers)
        assert (answer.status_code, answer.json()["rejected"]) == (202, [])


async def _folded(database: Database, site_id: str, table: Table, without: set[str]) -> list[tuple[Any, ...]]:
    columns = [column for column in table.c if column.name not in {*without, "run_id"}]
    async with database.read() as connection:
        rows = await connection.execute(select(*columns).where(table.c.site_id == site_id))
        return sorted((tuple(row) for row in rows), key=repr)


async def test_any_order_gives_the_same_deals(database: Database, client: httpx.AsyncClient) -> None:
    shuffled = [*MESSAGES, *MESSAGES[:4]]
    Random(7).shuffle(shuffled)
    for site_id, messages in (("default", MESSAGES), ("backward", MESSAGES[::-1]), ("shuffled", shuffled)):
        if site_id != "default":
            assert (await client.post("/v1/sites", json={"id": site_id}, headers=ADMIN)).status_code == 201
        made = await client.post(f"/v1/connections?site={site_id}", json={"id": f"crm-{site_id}"}, headers=ADMIN)
        await _send_all(client, f"crm-{site_id}", made.json()["secret"], messages)
    await run_until_idle(database)
    deals = await _folded(database, "default", tables.deals, {"site_id"})
    assert [(deal[1], deal[3]) for deal in deals] == [("d1", "won"), ("d2", "lost")]
    # Facts are named by their connection, so what names them or hashed keys differs between the sites.
    for table, without in (
        (tables.deals, {"site_id"}),
        (tables.deal_amounts, {"site_id", "fact_id"}),
        (tables.conversions, {"site_id", "fact_id", "holder_id", "person_id"}),
        (tables.ledger_entries, {"site_id", "fact_id", "holder_id"}),
    ):
        expected = await _folded(database, "default", table, without)
        assert expected
        for site_id in ("backward", "shuffled"):
            assert await _folded(database, site_id, table, without) == expected, table.name
