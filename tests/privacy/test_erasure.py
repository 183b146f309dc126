"""Ada shares a laptop and a deal with Bob, and wants to be forgotten: nothing of her is left, and nothing of his is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from app import pipeline, swap, tables
from app.collect.keys import subject_keys
from app.db import Database
from app.pipeline import check, run_until_idle
from app.privacy import erasure
from app.privacy.erasure import erase
from app.reports.people import resolve
from app.sites.site import Site, load_site
from tests.flow.test_first_click_to_closed_deal import AUTHORISED, form, make_connection, send, tell, visit

pytestmark = pytest.mark.anyio

ADA, BOB = "ada@initech.example", "bob@initech.example"
PHONE = "+4930123456789"
ADA_IN_CRM = {"id": "record-of-ada", "email": ADA, "phone": PHONE, "name": "Ada Lovelace", "company": {"id": "k1", "name": "Initech"}}
MENTIONS = (ADA, PHONE, "3012345", "Lovelace", "user-of-ada", "record-of-ada", "adas-phone")
AD = "/?utm_source=google&utm_medium=cpc&utm_campaign=crm"


async def told(client: httpx.AsyncClient, database: Database) -> None:
    """The story, computed after each part of it, so that there is history."""
    await make_connection(client)
    await send(client, visit("laptop", "2026-05-04T09:00:00Z", "/", referrer="https://www.bing.com/"))
    await send(client, visit("adas-phone", "2026-05-04T08:00:00Z", "/", referrer="https://www.linkedin.com/"))
    await send(client, form("adas-phone", "2026-05-04T08:05:00Z", "/contact", "Contact", ADA) | {"user_id": "user-of-ada", "phone": PHONE})
    await run_until_idle(database)
    await send(client, form("laptop", "2026-05-04T09:05:00Z", "/demo", "Demo", ADA) | {"properties": {"country": "DE"}})
    await run_until_idle(database)
    await send(client, visit("laptop", "2026-05-04T20:00:00Z", AD))
    await send(client, form("laptop", "2026-05-04T20:05:00Z", "/demo", "Demo", BOB))
    await run_until_idle(database)
    await tell(client, "contact.created", "2026-05-05T10:00:00Z", ADA_IN_CRM | {"visitor_id": "adas-phone"})
    await tell(client, "contact.qualified", "2026-05-05T11:00:00Z", {"id": "record-of-ada", "bant": {"need": True}})
    shared = {"id": "d1", "name": "Initech: Ada Lovelace", "amount": "1000.00", "currency": "USD", "owner": "Sal"}
    await tell(client, "deal.created", "2026-05-06T10:00:00Z", shared | {"contacts": [ADA_IN_CRM]})
    alone = {"id": "d2", "name": "Training", "amount": "300.00", "currency": "USD", "visitor_id": "adas-phone"}
    await tell(client, "deal.created", "2026-05-06T10:05:00Z", alone | {"contacts": [ADA_IN_CRM], "properties": {"billing": ADA.upper()}})
    await tell(client, "activity.logged", "2026-05-06T11:00:00Z", {"kind": "call", "contact": "record-of-ada", "deal": "d1"})
    await tell(client, "activity.logged", "2026-05-06T12:00:00Z", {"kind": "call", "contact": ADA})
    await run_until_idle(database)
    await tell(client, "deal.updated", "2026-05-07T10:00:00Z", {"id": "d1", "contacts": [ADA_IN_CRM, BOB]})
    await tell(client, "deal.won", "2026-05-08T10:00:00Z", {"id": "d1"})
    await tell(client, "deal.won", "2026-05-08T10:05:00Z", {"id": "d2"})
    await run_until_idle(database)
    # A late touch moves those after it, which history keeps.
    await send(client, visit("adas-phone", "2026-05-03T08:00:00Z", "/", referrer="https://www.linkedin.com/"))
    await run_until_idle(database)
    await client.post("/v1/events", json={"type": "touch", "visitor_id": "x", "phone": "030 123456789", "email": 7}, headers=AUTHORISED)
    await client.post("/v1/events", json={"type": "touch", "visitor_id": "x", "email": ADA, "url": 7}, headers=AUTHORISED)
    row = {"site_id": "default", "stage": "spans", "dirty_key": '["adas-phone"]', "error": "", "failed_at": 0}
    async with database.write() as connection:
        await connection.execute(insert(tables.failed_keys), row)


async def told_in_short(client: httpx.AsyncClient, database: Database, site: Site) -> str:
    """One form of Ada's, computed. Answers her ID."""
    await send(client, visit("adas-phone", "2026-05-04T08:00:00Z", "/"), form("adas-phone", "2026-05-04T08:05:00Z", "/demo", "Demo", ADA))
    await run_until_idle(database)
    async with database.read() as connection:
        return await resolve(connection, site, str(await id_of(client, ADA)))


async def everything(database: Database) -> dict[str, str]:
    """Every table as text, PostgreSQL's staging tables too."""
    staging = [] if database.is_sqlite else tables.staging.sorted_tables
    async with database.read() as connection:
        return {
            table.name: repr([tuple(row) for row in await connection.execute(select(table))])
            for table in (*tables.metadata.sorted_tables, *staging)
        }


async def found(database: Database, words: tuple[str, ...]) -> set[tuple[str, str]]:
    """Which words stand in which tables."""
    return {(word, name) for name, text in (await everything(database)).items() for word in words if word.lower() in text.lower()}


def words_of_ada(site: Site) -> tuple[str, ...]:
    keys = subject_keys(site, email=ADA, phone=PHONE, user_id="user-of-ada", contact=("generic", "record-of-ada"))
    assert len(keys) == 4
    return (*MENTIONS, *keys)


async def id_of(client: httpx.AsyncClient, email: str) -> str | None:
    people = (await client.get("/v1/people", params={"email": email}, headers=AUTHORISED)).json()["people"]
    return people[0]["id"] if people else None


async def report(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    answer = await client.get("/v1/reports/attribution", params={"model": "linear", "by": "channel", **query}, headers=AUTHORISED)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def revenue(answer: dict[str, Any]) -> dict[str, str]:
    return {row["channel"]: row["revenue"] for row in answer["rows"]}


async def test_nothing_is_left_of_her_and_nothing_of_his_is_lost(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await told(client, database)
    before = await report(client, conversion="customer")
    assert revenue(before) == {"Organic Social": "700.00", "Organic Search": "350.00", "Paid Search": "250.00"}
    where = {name for _, name in await found(database, words_of_ada(site))}
    assert where > {"events", "sightings", "contacts", "crm_facts", "deals", "deals_history", "quarantine", "record_fields", "properties"}
    assert where > {"journey_touches", "journey_touches_history", "conversions_history", "conversion_people_history", "failed_keys"}

    answer = await client.post(f"/v1/people/{await id_of(client, ADA)}/erase", headers=AUTHORISED)
    assert answer.status_code == 200, answer.text
    counts = answer.json()["row_counts"]
    assert (counts["events"], counts["contacts"], counts["quarantine"]) == (5, 4, 2)
    assert await found(database, words_of_ada(site)) == set()
    await run_until_idle(database)
    assert await found(database, words_of_ada(site)) == set()

    # The money is the company's: one deal is Bob's alone now, the other nobody's.
    after = await report(client, conversion="customer")
    assert revenue(after) == {"Paid Search": "1000.00"}
    assert after["totals"]["revenue"] == before["totals"]["revenue"] == "1300.00"
    assert after["totals"]["uncredited"]["reasons"]["no_contact"] == {"conversions": 1, "revenue": "300.00"}
    assert (await report(client, conversion="lead"))["totals"]["conversions"] == 1
    journey = (await client.get(f"/v1/people/{await id_of(client, BOB)}/journey", headers=AUTHORISED)).json()
    assert [touch["channel"] for touch in journey["touches"]] == ["Paid Search"]
    assert [deal["deal_id"] for deal in journey["deals"]] == ["d1"]

    # What was is answered without her, what is computed is what the log gives, and computing it anew brings nothing back.
    [done] = (await client.get("/v1/erasures", headers=AUTHORISED)).json()["erasures"]
    assert done == answer.json()
    then = await report(client, conversion="customer", as_of=done["erased_at"])
    assert revenue(then) == {"Paid Search": "1000.00"}
    async with database.read() as connection:
        now = await load_site(connection, "default")
    assert await check(database, now) == []
    await pipeline.start_rebuild(database, "default", now=tables.from_micros(0))
    await run_until_idle(database)
    assert await check(database, now) == []
    assert await found(database, words_of_ada(site)) == set()

    # She is unknown now: there is nothing to erase again, and what the CRM repeats is a duplicate.
    again = await client.post(f"/v1/people/{await id_of(client, BOB)}x/erase", headers=AUTHORISED)
    assert again.status_code == 404
    assert await id_of(client, ADA) is None
    await tell(client, "contact.created", "2026-05-05T10:00:00Z", ADA_IN_CRM)
    await run_until_idle(database)
    assert await found(database, words_of_ada(site)) == set()


async def test_the_one_who_came_first_may_stay(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await told(client, database)
    ada = (await client.get(f"/v1/people/{await id_of(client, ADA)}/journey", headers=AUTHORISED)).json()
    answer = await client.post(f"/v1/people/{await id_of(client, BOB)}/erase", headers=AUTHORISED)
    assert answer.status_code == 200, answer.text
    assert answer.json()["row_counts"]["events"] == 2
    await run_until_idle(database)
    assert await found(database, (BOB, *subject_keys(site, email=BOB))) == set()
    left = (await client.get(f"/v1/people/{await id_of(client, ADA)}/journey", headers=AUTHORISED)).json()
    assert (left["events"], left["touches"]) == (ada["events"], ada["touches"])
    assert revenue(await report(client, conversion="customer")) == {"Organic Social": "866.67", "Organic Search": "433.33"}
    async with database.read() as connection:
        assert await check(database, await load_site(connection, "default")) == []


async def test_export_shows_what_erasing_takes(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await told(client, database)
    answer = await client.get(f"/v1/people/{await id_of(client, ADA)}/export", headers=AUTHORISED)
    assert answer.status_code == 200, answer.text
    kept = answer.json()["tables"]
    assert {row["value"] for row in kept["contacts"]} == {ADA, PHONE, "user-of-ada", "record-of-ada"}
    assert sorted((row["visitor_id"], row["type"]) for row in kept["events"]) == [
        ("adas-phone", "form_submit"),
        ("adas-phone", "visit"),
        ("adas-phone", "visit"),
        ("laptop", "form_submit"),
        ("laptop", "visit"),
    ]
    assert {"crm_facts", "sightings", "activities", "contact_marks", "person_fields", "properties", "quarantine"} < set(kept)
    assert {"conversions", "conversions_history", "journey_touches", "deal_people", "visitor_spans", "key_people"} < set(kept)
    assert BOB not in answer.text
    async with database.read() as connection:
        person_id = await resolve(connection, site, str(await id_of(client, ADA)))
    done = await erase(database, site, person_id, key_id="test", now=tables.from_micros(0))
    # Quarantine and the texts that mention her are counted besides; everything else is what was shown.
    blanked = {"deals", "deals_history", "record_fields", "properties", "crm_facts", "deal_fields", "failed_keys"}
    assert {name: len(rows) for name, rows in kept.items() if name not in blanked} == {
        name: number for name, number in done.row_counts.items() if name not in blanked
    } | {"activities": 2}


async def test_what_a_worker_had_computed_before_is_not_written_after(
    client: httpx.AsyncClient, database: Database, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await told(client, database)
    person_id = subject_keys(site, email=ADA, phone=PHONE, user_id="user-of-ada", contact=("generic", "record-of-ada"))[0]
    async with database.write() as connection:
        dirty = {"site_id": "default", "person_id": person_id, "space": "", "deal_id": "", "received_at": 0}
        deal = {"site_id": "default", "person_id": "", "space": "generic", "deal_id": "d1", "received_at": 0}
        await connection.execute(insert(tables.conversions_queue), [dirty, deal])
        # So that the batch has something to write that the erasure takes away.
        await connection.execute(tables.journey_touches.delete())
    compute, erasing = swap.compute, []

    async def computes_while_she_is_erased(connection: Any, is_sqlite: bool, running: Any, *rest: Any, **others: Any) -> Any:
        changes = await compute(connection, is_sqlite, running, *rest, **others)
        if running.name == "journeys" and not erasing:
            assert any(change.rows for change in changes.values())
            erasing.append(asyncio.create_task(erase(database, site, person_id, key_id="test", now=tables.from_micros(0))))
            while not (await everything(database))["erasures"].count("test"):  # noqa: ASYNC110 - a commit sends no event
                await asyncio.sleep(0.05)
        return changes

    monkeypatch.setattr(swap, "compute", computes_while_she_is_erased)
    await run_until_idle(database)
    await asyncio.gather(*erasing)
    monkeypatch.undo()
    assert erasing
    assert await found(database, words_of_ada(site)) == set()
    async with database.read() as connection:
        assert await check(database, await load_site(connection, "default")) == []


async def test_what_is_not_computed_is_waited_for(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    person_id = await told_in_short(client, database, site)
    await send(client, form("new-browser", "2026-05-09T09:05:00Z", "/demo", "Demo", ADA))
    with pytest.raises(erasure.Conflict):
        await erase(database, site, person_id, key_id="test", now=tables.from_micros(0), patience=0)
    assert "new-browser" in (await everything(database))["events"]
    await run_until_idle(database)
    await erase(database, site, person_id, key_id="test", now=tables.from_micros(0), patience=0)
    assert "new-browser" not in (await everything(database))["events"]


async def test_a_kill_between_two_steps_leaves_somebody_to_erase_again(
    client: httpx.AsyncClient, database: Database, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_id = await told_in_short(client, database, site)
    monkeypatch.setattr(erasure, "_EVENTS_AT_ONCE", 1)

    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erasure, "_erase_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        await erase(database, site, person_id, key_id="test", now=tables.from_micros(0))
    assert await id_of(client, ADA) is not None
    assert "visit-" not in (await everything(database))["events"]
    monkeypatch.undo()
    assert (await client.post(f"/v1/people/{await id_of(client, ADA)}/erase", headers=AUTHORISED)).status_code == 200
    await run_until_idle(database)
    assert await found(database, words_of_ada(site)) == set()


async def test_an_unidentified_visitor_is_erased_too(client: httpx.AsyncClient, database: Database) -> None:
    await send(client, visit("stranger", "2026-05-04T09:00:00Z", "/"))
    await run_until_idle(database)
    assert (await client.post("/v1/people/stranger/erase", headers=AUTHORISED)).status_code == 200
    await run_until_idle(database)
    assert await found(database, ("stranger",)) == set()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_deleted_text_is_overwritten_in_the_file(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await told_in_short(client, database, site)
    assert (await client.post(f"/v1/people/{await id_of(client, ADA)}/erase", headers=AUTHORISED)).status_code == 200
    file = Path(str(database.url.database))
    files = [file, file.with_name(f"{file.name}-wal")]
    assert [ADA.encode() in each.read_bytes() for each in files] == [False, False]


async def test_only_an_administrator_may(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/keys", json={"kind": "secret", "scopes": ["read"]}, headers=AUTHORISED)
    reader = {"Authorization": f"Bearer {made.json()['key']}"}
    assert (await client.post("/v1/people/x/erase", headers=reader)).status_code == 403
    assert (await client.get("/v1/people/x/export", headers=reader)).status_code == 403
    assert (await client.get("/v1/people/x/export", headers=AUTHORISED)).status_code == 404
