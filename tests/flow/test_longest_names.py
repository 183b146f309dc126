"""Whatever the door takes, every stage takes: the longest names fit into every key of every table."""

from __future__ import annotations

import random

import httpx
import pytest
from sqlalchemy import select

from app import tables
from app.db import Database
from app.pipeline import run_until_idle
from tests.facts import at
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

_chance = random.Random(1)


def longest(length: int) -> str:
    """A name that no database can compress, of characters that take four bytes each."""
    return "".join(chr(_chance.randrange(0x20000, 0x2A000)) for _ in range(length))


@pytest.mark.parametrize("named", [{"form": longest(1_000)}, {"url": f"https://shop.example/{longest(1_500)}"}], ids=["form", "path"])
async def test_the_longest_names_pass_every_stage(client: httpx.AsyncClient, database: Database, named: dict[str, str]) -> None:
    visitor, happened = longest(128), at(0).isoformat()
    deal = {"id": longest(200), "amount": "1.00", "currency": "USD", "contacts": ["ada@example.com"]}
    events = [
        {"id": longest(128), "type": "visit", "visitor_id": visitor, "occurred_at": happened, "url": "https://shop.example/"},
        {"id": longest(128), "type": "form_submit", "visitor_id": visitor, "occurred_at": happened, "email": "ada@example.com", **named},
        {"id": longest(128), "type": "deal_closed", "occurred_at": happened, "deal": deal},
    ]
    answer = await client.post("/v1/events", json={"events": events}, headers={"Authorization": f"Bearer {SECRET_KEY}"})
    assert answer.json() == {"accepted": 3, "duplicates": 0, "rejected": []}
    await run_until_idle(database)
    await assert_rows(database, tables.failed_keys, ["stage"], [])
    name = (named.get("form") or named["url"].removeprefix("https://shop.example"))[:100]
    async with database.read() as connection:
        kinds = set(await connection.scalars(select(tables.journey_touches.c.kind)))
    assert kinds == {"lead", f"form:{name}", "opportunity", "customer"}
