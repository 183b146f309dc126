"""Everything after the log is a pure function of it: any order of arrival gives the same tables, a rebuild gives them
again, and a check agrees."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app import tables
from app.db import Database
from app.pipeline import check, run_until_idle, start_rebuild
from app.sites.site import load_site
from tests.facts import DAY_ZERO, at
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

_few = settings(max_examples=max(3, settings().max_examples // 4))
_LOG = (
    tables.events, tables.sightings, tables.link_keys, tables.crm_facts, tables.deal_fields, tables.deal_changes, tables.deal_contacts,
    tables.activities, tables.contact_marks, tables.contacts, tables.unlinks, tables.quarantine,
)  # fmt: skip
_PEOPLE = ("ada", "bob", "cem", "dee")
_VISITORS = ("v1", "v2", "v3", "v4", "v5")


def facts(chance: random.Random, number: int) -> Iterator[dict[str, Any]]:
    """Events and closed deals of a few people on a few browsers, in order of time."""
    minutes = 0.0
    for place in range(number):
        minutes += chance.choice((0, 0.2, 5, 29, 31, 300, 2_000))
        happened = (DAY_ZERO + timedelta(minutes=minutes)).isoformat()
        yield {"id": f"e{place}", "occurred_at": happened, **_fact(chance)}


def _fact(chance: random.Random) -> dict[str, Any]:
    person = chance.choice(_PEOPLE)
    visitor = {"visitor_id": chance.choice(_VISITORS)}
    page = "https://shop.example" + chance.choice(
        ("/", "/pricing", "/?utm_source=news&utm_medium=email", "/?gclid=abc", "/?utm_campaign=spring")
    )
    referrer = chance.choice(
        ("", "https://www.google.com/", "https://shop.example/", "https://checkout.stripe.com/", "https://blog.example.net/")
    )
    kind = chance.random()
    if kind < 0.55:
        return {**visitor, "type": chance.choice(("visit", "pageview", "engagement")), "url": page, "referrer": referrer}
    if kind < 0.75:
        who = {"email": f"{person}@example.com"} if chance.random() < 0.7 else {"email": f"{person}@example.com", "user_id": f"u-{person}"}
        return {**visitor, "type": "form_submit", "form": chance.choice(("demo", "newsletter")), "url": page, **who}
    if kind < 0.8:
        return {"type": "touch", "email": f"{person}@example.com", "channel": "Events", "source": "fair"}
    return {"type": "deal_closed", "deal": _deal(chance, person)}


def _deal(chance: random.Random, person: str) -> dict[str, Any]:
    deal: dict[str, Any] = {"id": f"d{chance.randrange(4)}", "outcome": chance.choice(("won", "won", "lost"))}
    if chance.random() < 0.8:
        deal |= {"amount": f"{chance.randrange(1, 10_000)}.{chance.randrange(100):02}", "currency": "USD"}
    if chance.random() < 0.7:
        deal["contacts"] = [f"{person}@example.com", *([f"{chance.choice(_PEOPLE)}@example.com"] if chance.random() < 0.5 else [])]
    if chance.random() < 0.3:
        deal["closed_on"] = "2026-03-20"
    return deal


async def send(client: httpx.AsyncClient, events: list[dict[str, Any]]) -> None:
    answer = await client.post("/v1/events", json={"events": events}, headers={"Authorization": f"Bearer {SECRET_KEY}"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["rejected"] == []


async def forget_everything(database: Database) -> None:
    """Empties the log but for origins and forms, which ingestion knows that it has written, and all that follows from it."""
    labels = (tables.origin_labels, tables.form_labels)
    async with database.write() as connection:
        for table in (*_LOG, *(set(tables.DERIVED) - set(labels)), *tables.QUEUES, tables.failed_keys, tables.rebuilds):
            await connection.execute(delete(table))


async def derived(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All derived rows, by table."""
    async with database.read() as connection:
        return {table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=str) for table in tables.DERIVED}


@_few
@given(seed=st.integers(0, 2**32))
async def test_any_order_of_arrival_gives_the_same(client: httpx.AsyncClient, database: Database, seed: int) -> None:
    chance = random.Random(seed)
    story = list(facts(chance, 40))
    await forget_everything(database)
    await send(client, story)
    await run_until_idle(database)
    in_order = await derived(database)
    assert in_order["journey_touches"], "a story without a journey shows nothing"

    await forget_everything(database)
    shuffled = [*story, *chance.sample(story, 10)]
    chance.shuffle(shuffled)
    while shuffled:
        size = chance.randrange(1, 15)
        batch, shuffled = shuffled[:size], shuffled[size:]
        await send(client, batch)
        if chance.random() < 0.6:
            await run_until_idle(database)
    await run_until_idle(database)
    assert await derived(database) == in_order

    async with database.read() as connection:
        site = await load_site(connection, "default")
        assert not (await connection.execute(select(tables.failed_keys))).all()
    assert await check(database, site) == []
    for _ in range(2):
        await start_rebuild(database, "default", at(0))
        await run_until_idle(database)
        assert await derived(database) == in_order


async def test_a_check_finds_what_was_tampered_with(client: httpx.AsyncClient, database: Database) -> None:
    await forget_everything(database)
    await send(client, list(facts(random.Random(1), 40)))
    await run_until_idle(database)
    async with database.write() as connection:
        await connection.execute(tables.touches.delete())
        row = {"site_id": "default", "kind": "lead", "holder_id": "v9", "fact_id": "e9", "touch_visitor_id": "v9", "touch_event_id": "e9"}
        await connection.execute(tables.journey_touches.insert(), [{**row, "position": 1, "occurred_at": at(0), "origin_id": "x"}])
        site = await load_site(connection, "default")
    found = {(difference.stage, difference.table) for difference in await check(database, site)}
    assert ("touches", "touches") in found, "rows are missing"
    assert ("journeys", "journey_touches") in found, "a row has no conversion"


async def test_people_on_one_deal_stay_apart(client: httpx.AsyncClient, database: Database) -> None:
    deal = {"id": "d1", "outcome": "won", "amount": "10.00", "currency": "USD", "contacts": ["ada@example.com", "bob@example.com"]}
    for number in range(3):
        happened = at(number * 60).isoformat()
        await send(client, [{"id": f"d{number}", "type": "deal_closed", "occurred_at": happened, "deal": deal}])
    await run_until_idle(database)
    people = (await derived(database))["key_people"]
    assert len({person_id for _, _, person_id, _ in people}) == 2
