"""Browsers without a cookie: one name a day, the same in every process, and nothing left of it when the day is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import tables
from app.collect import endpoints
from app.collect.daily import DailyVisitors
from app.pipeline import run_until_idle
from app.tables import to_micros
from tests.collect.bodies import as_body, moment
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

NOON = moment("2026-03-10T12:00:00Z")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15"
ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
ANN = "a" * 32


def at(text):
    return to_micros(moment(text))


async def salts(database):
    async with database.read() as connection:
        return {row.day: row.salt for row in await connection.execute(select(tables.visitor_salts))}


async def test_all_processes_give_a_browser_one_name_a_day_and_keep_no_salt_longer(database, site):
    here, there = DailyVisitors(database), DailyVisitors(database)
    named = await asyncio.gather(*(process.name(site, "203.0.113.7", FIREFOX, at("2026-03-10T12:00:00Z")) for process in [here, there] * 4))
    [name] = set(named)
    assert name.startswith("d_")
    assert await there.name(site, "203.0.113.7", FIREFOX, at("2026-03-10T23:59:59Z")) == name
    assert await here.name(site, "203.0.113.8", FIREFOX, at("2026-03-10T12:00:00Z")) != name
    assert await here.name(site, "203.0.113.7", SAFARI, at("2026-03-10T12:00:00Z")) != name
    before = await salts(database)
    assert before.keys() == {"2026-03-10"}

    assert await here.name(site, "203.0.113.7", FIREFOX, at("2026-03-11T00:00:00Z")) != name
    after = await salts(database)
    assert after.keys() == {"2026-03-11"}
    assert after["2026-03-11"] != before["2026-03-10"]
    assert len(after["2026-03-11"]) == 32


async def test_a_day_that_nobody_follows_is_forgotten_too(database, site):
    visitors = DailyVisitors(database)
    name = await visitors.name(site, "203.0.113.7", FIREFOX, to_micros(NOON))
    await visitors.purge(NOON)
    assert (await salts(database)).keys() == {"2026-03-10"}
    await visitors.purge(NOON + timedelta(days=1))
    assert await salts(database) == {}
    assert await visitors.name(site, "203.0.113.7", FIREFOX, to_micros(NOON)) != name


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_day_is_the_sites_own(database, site):
    in_auckland = replace(site, settings=site.settings.changed({"timezone": "Pacific/Auckland"}))
    visitors = DailyVisitors(database)
    morning = await visitors.name(in_auckland, "203.0.113.7", FIREFOX, at("2026-03-09T20:00:00Z"))
    assert await visitors.name(in_auckland, "203.0.113.7", FIREFOX, at("2026-03-10T10:59:59Z")) == morning
    assert await visitors.name(in_auckland, "203.0.113.7", FIREFOX, at("2026-03-10T11:00:00Z")) != morning


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_ipv6_address_counts_by_its_network(database, site):
    visitors = DailyVisitors(database)

    async def name(address):
        return await visitors.name(site, address, FIREFOX, to_micros(NOON))

    assert await name("2001:db8:1:2:aaaa::1") == await name("2001:db8:1:2:bbbb::2")
    assert await name("2001:db8:1:2::1") != await name("2001:db8:1:3::1")
    assert await name("::ffff:203.0.113.7") == await name("203.0.113.7")
    assert await name("") == await name("")


# ---------------------------------------------------------------- at the door


async def send(client, *events, address="203.0.113.7", agent=FIREFOX):
    headers = {"User-Agent": agent, "X-Forwarded-For": address, "Host": "loop.brand.example"}
    answer = await client.post("/v1/events", params={"key": WRITE_KEY}, content=as_body({"events": events}), headers=headers)
    assert answer.status_code == 202
    assert "set-cookie" not in answer.headers
    return answer.json()


@pytest.fixture
def today(monkeypatch):
    """Turns the clock of the door: `today("2026-03-10T12:00:00Z")`."""

    def turn(text):
        monkeypatch.setattr(endpoints.time, "time_ns", lambda: at(text) * 1_000)

    turn("2026-03-10T12:00:00Z")
    return turn


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_two_pages_and_a_form_on_one_day_are_one_visitor_and_one_journey(client, database, today):
    assert (await client.patch("/v1/sites/default", json={"consent": "cookieless"}, headers=ADMIN)).status_code == 200
    url = "https://www.brand.example/"
    await send(client, {"type": "visit", "url": f"{url}?utm_source=news&utm_medium=email"})
    today("2026-03-10T12:01:00Z")
    await send(client, {"type": "pageview", "url": f"{url}pricing", "visitor_id": ANN})
    today("2026-03-10T12:02:00Z")
    await send(client, {"type": "form_submit", "form": "demo", "url": f"{url}demo", "email": "ann@example.com", "visitor_id": "  "})
    await send(client, {"type": "pageview", "url": url}, address="203.0.113.99")
    today("2026-03-11T12:00:00Z")
    await send(client, {"type": "pageview", "url": url})

    async with database.read() as connection:
        rows = (await connection.execute(select(tables.events).order_by(tables.events.c.occurred_at, tables.events.c.type))).all()
    names = [row.visitor_id for row in rows]
    assert [row.type for row in rows] == ["visit", "pageview", "form_submit", "pageview", "pageview"]
    assert names[0] == names[1] == names[2]
    assert len({names[0], names[3], names[4]}) == 3
    assert all(name.startswith("d_") for name in names)

    await run_until_idle(database)
    [person] = (await client.get("/v1/people", params={"email": "ann@example.com"}, headers=ADMIN)).json()["people"]
    touches = (await client.get(f"/v1/people/{person['id']}/journey", headers=ADMIN)).json()["touches"]
    assert [(touch["source"], touch["medium"]) for touch in touches] == [("news", "email")]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_page_that_names_no_visitor_is_named_for_the_day_on_any_site(client, database):
    answer = await send(client, {"type": "visit", "url": "https://brand.example/"}, {"type": "pageview", "visitor_id": ANN})
    assert answer == {"accepted": 2, "duplicates": 0, "rejected": []}
    async with database.read() as connection:
        names = set(await connection.scalars(select(tables.events.c.visitor_id)))
    assert ANN in names
    [daily] = names - {ANN}
    assert daily.startswith("d_")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_server_without_a_visitor_is_nobodys_browser(client, database):
    answer = await client.post("/v1/events", json={"type": "trial_started"}, headers={**ADMIN, "User-Agent": FIREFOX})
    assert answer.json()["rejected"][0]["reason"] == "visitor_id, or an e-mail, phone or user ID that can be read, is needed"
    assert await salts(database) == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_waits_in_the_quarantine_keeps_the_name_of_its_day(client, database, today):
    assert (await client.patch("/v1/sites/default", json={"consent": "cookieless"}, headers=ADMIN)).status_code == 200
    await send(client, {"type": "visit", "id": "now"}, {"type": "pageview", "id": "old", "visitor_id": ANN, "occurred_at": "2026-02-01T00:00:00Z"})
    async with database.read() as connection:
        [body] = await connection.scalars(select(tables.quarantine.c.body))
    assert ANN not in body

    today("2026-03-20T12:00:00Z")
    assert (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()["stored"] == 1
    async with database.read() as connection:
        names = set(await connection.scalars(select(tables.events.c.visitor_id)))
    assert len(names) == 1
    await assert_rows(database, tables.events, ["event_id"], [["now"], ["old"]])
