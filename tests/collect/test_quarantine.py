"""What was refused can be seen, and tried again as if it had been taken at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from app import tables
from app.collect.quarantine import as_text, purge, quarantine_row
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OLD = {"type": "pageview", "visitor_id": "ann", "id": "1", "occurred_at": "2026-02-01T12:00:00Z", "url": "https://example.com/"}
BROWSER = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"}


async def send(client, event):
    return await client.post("/v1/events", params={"key": WRITE_KEY}, json=event, headers=BROWSER)


async def test_an_event_that_is_too_old_waits_for_somebody_who_vouches_for_it(client, database):
    await send(client, OLD)
    await send(client, OLD)
    [shown] = (await client.get("/v1/quarantine", headers=ADMIN)).json()["quarantined"]
    assert shown["reason"] == "older than 7 days, which needs a secret key"
    assert json.loads(shown["body"]) == OLD

    # It came in at another time than it is tried again.
    async with database.write() as connection:
        await connection.execute(update(tables.quarantine), {"received_at": NOW})
    replayed = (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()

    assert replayed == {"stored": 1, "duplicates": 0, "refused": []}
    occurred_at = datetime(2026, 2, 1, 12, tzinfo=UTC)
    await assert_rows(database, tables.events, ["event_id", "occurred_at", "received_at", "is_trusted"], [["1", occurred_at, NOW, False]])
    await assert_rows(database, tables.quarantine, ["quarantine_id"], [])


async def test_what_is_still_wrong_stays_and_says_why(client, database):
    await send(client, {"type": 5})
    await send(client, OLD)
    shown = (await client.get("/v1/quarantine", headers=ADMIN)).json()["quarantined"]
    [bad] = [each["id"] for each in shown if "type" in each["reason"]]

    assert (await client.post("/v1/quarantine", json={"ids": [bad]}, headers=ADMIN)).json()["refused"][0]["id"] == bad
    replayed = (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()
    assert (replayed["stored"], [each["id"] for each in replayed["refused"]]) == (1, [bad])
    await assert_rows(database, tables.quarantine, ["quarantine_id"], [[bad]])


async def test_what_is_nested_too_deeply_keeps_nothing_else_back(client, database):
    deep = "[" * 5_000 + "]" * 5_000
    rows = [
        {**quarantine_row("default", door, "?", f'{{"type": "track", "userId": "u", "x": {deep}}}', is_trusted=False, received_at=0), "received_at": NOW}
        for door in ("events", "segment")
    ]
    async with database.write() as connection:
        await connection.execute(insert(tables.quarantine), rows)
    await send(client, OLD)
    replayed = (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()
    assert (replayed["stored"], len(replayed["refused"])) == (1, 2)


async def test_the_senders_clock_is_kept_for_the_replay(client, database):
    now = datetime.now(UTC)
    event = {**OLD, "occurred_at": (now - timedelta(days=30)).isoformat(), "sent_at": (now - timedelta(hours=1)).isoformat()}
    await send(client, event)
    await client.post("/v1/quarantine", json={}, headers=ADMIN)

    [shown] = await _occurred(database)
    assert abs(shown - (now - timedelta(days=30) + timedelta(hours=1))) < timedelta(seconds=30)


async def _occurred(database):
    async with database.read() as connection:
        return list(await connection.scalars(tables.events.select().with_only_columns(tables.events.c.occurred_at)))


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {WRITE_KEY}"}])
async def test_it_is_for_administrators(client, headers):
    assert (await client.get("/v1/quarantine", headers=headers)).status_code in (401, 403)
    assert (await client.post("/v1/quarantine", json={}, headers=headers)).status_code in (401, 403)


async def test_it_is_kept_small(database, site):
    ages = [timedelta(days=31), timedelta(days=29), timedelta(days=2), timedelta(days=1)]
    rows = [
        quarantine_row("default", "events", "bad", str(n), is_trusted=False, received_at=tables.to_micros(NOW - age))
        for n, age in enumerate(ages)
    ]
    async with database.write() as connection:
        await connection.execute(insert(tables.quarantine), rows)

    await purge(database, NOW, days=30, cap=10)
    await assert_rows(database, tables.quarantine, ["body"], [["1"], ["2"], ["3"]])
    await purge(database, NOW, days=30, cap=2)
    await assert_rows(database, tables.quarantine, ["body"], [["2"], ["3"]])


@pytest.mark.parametrize("raw", [{"a": "\ud800"}, {"a": "\0"}, {"ü": 1}, 5, [None]])
def test_what_cannot_be_stored_as_it_is_can_still_be_kept(raw):
    row = quarantine_row("default", "events", "bad \0 \ud800", as_text(raw), is_trusted=False, received_at=0)
    assert json.loads(row["body"]) == raw
    assert "\0" not in row["reason"]
    row["reason"].encode()
