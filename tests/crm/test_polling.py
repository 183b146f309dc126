"""Asking what changed: page by page, each stored before the next is asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import tables
from app.crm import polling
from app.crm.calls import LEASE
from app.crm.polling import FIRST_MONTHS, begin_polls, months_before
from app.crm.running import _all_due, call_connection
from tests.crm.conftest import START, Crm
from tests.crm.made_up import TOKEN

pytestmark = pytest.mark.anyio

AT = tables.to_micros(START)
MINUTE = 60 * 1_000_000


async def _polls(crm: Crm) -> dict[str, Any]:
    return {row.kind: row for row in await crm.rows(select(tables.crm_polls))}


async def test_each_kind_in_order_page_by_page(made_up: Crm) -> None:
    for number in range(7):
        made_up.server.put("deals", str(number), AT + number, name=f"deal {number}")
    made_up.server.put("deals", "old", AT - 1, name="too old")
    made_up.server.put("contacts", "ada", AT, email="ada@example.com")
    await made_up.ask_since(START)
    pages = await made_up.poll()
    assert [(page.kind, page.records, page.stored, page.is_last) for page in pages] == [
        ("contacts", 1, 1, True),
        ("deals", 3, 3, False),
        ("deals", 3, 3, False),
        ("deals", 1, 1, True),
    ]
    assert await made_up.names() == [f"deal {number}" for number in range(7)]
    deals = (await _polls(made_up))["deals"]
    assert (deals.records, deals.cursor, deals.began_at, deals.finished_at, deals.last_error) == (7, None, None, START, None)


async def test_the_next_round_begins_a_little_before_this_one_did(made_up: Crm) -> None:
    await made_up.ask_since(START - timedelta(days=30))
    await made_up.poll()
    polls = await _polls(made_up)
    assert {(row.since, row.next_try_at) for row in polls.values()} == {(START - timedelta(minutes=5), START + timedelta(minutes=10))}
    made_up.clock.forward(minutes=9)
    assert await made_up.poll() == []
    made_up.server.put("deals", "7", AT - 4 * MINUTE, name="written late into the CRM's index")
    made_up.clock.forward(minutes=1)
    assert [(page.kind, page.stored) for page in await made_up.poll()] == [("contacts", 0), ("deals", 1)]
    made_up.clock.forward(minutes=10)
    assert [(page.kind, page.records) for page in await made_up.poll()] == [("contacts", 0), ("deals", 0)]


async def test_a_crash_repeats_a_page_and_changes_nothing(made_up: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dies(BaseException):
        pass

    def die(*_: Any) -> Any:
        raise Dies

    for number in range(5):
        made_up.server.put("deals", str(number), AT, name=str(number))
    await made_up.ask_since(START, "deals")
    for where in ("_page", "_move_on"):
        with monkeypatch.context() as patched:
            patched.setattr(polling, where, die)
            patched.setattr(polling, "_release", die)
            with suppress(Dies):
                await made_up.poll()
        assert await made_up.poll() == [], "the lease still runs"
        made_up.clock.forward(seconds=LEASE.total_seconds())
    assert await made_up.names() == ["0", "1", "2"]
    assert [(page.records, page.stored) for page in await made_up.poll()] == [(3, 0), (2, 2)]
    assert await made_up.names() == list("01234")


async def test_two_workers_never_read_one_page(made_up: Crm) -> None:
    for number in range(30):
        made_up.server.put("deals", f"{number:02}", AT, name=str(number))
    await made_up.ask_since(START)
    pages = [page for found in await asyncio.gather(*(made_up.poll() for _ in range(3))) for page in found]
    asked = [(path, query.get("after")) for path, query in made_up.server.asked]
    assert len(asked) == len(set(asked)) == len(pages) == 11
    assert len(await made_up.names()) == 30


async def test_who_asks_anew_while_a_page_is_read_is_heeded(made_up: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.server.put("deals", "old", AT - MINUTE, name="old")
    made_up.server.put("deals", "7", AT, name="new")
    await made_up.ask_since(START, "deals")
    page_of = polling._page

    async def interrupted(*arguments: Any) -> Any:
        page = await page_of(*arguments)
        monkeypatch.setattr(polling, "_page", page_of)
        await made_up.ask_since(START - timedelta(minutes=1), "deals")
        return page

    monkeypatch.setattr(polling, "_page", interrupted)
    assert [page.records for page in await made_up.poll()] == [1, 2]
    assert await made_up.names() == ["new", "old"]


# ---------------------------------------------------------------- what goes wrong


async def test_a_kind_that_is_denied_says_so_and_the_others_are_read(made_up: Crm) -> None:
    made_up.server.denied.add("contacts")
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.ask_since(START)
    assert await made_up.poll() == []
    assert [page.kind for page in await made_up.poll()] == ["deals"]
    contacts = (await _polls(made_up))["contacts"]
    assert contacts.last_error.startswith("The token may not read this (missing scope: contacts)")
    assert contacts.next_try_at == START + timedelta(hours=1)
    made_up.server.denied.clear()
    made_up.clock.forward(hours=1)
    assert [page.kind for page in await made_up.poll()] == ["contacts", "deals"]
    assert (await _polls(made_up))["contacts"].last_error is None


async def test_a_crm_that_is_down_is_left_in_peace_and_found_again(made_up: Crm) -> None:
    made_up.server.is_down = True
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.ask_since(START)
    for _ in range(5):
        await made_up.poll()
        made_up.clock.forward(seconds=5)
    assert len(made_up.server.asked) == 2
    made_up.server.is_down = False
    made_up.clock.forward(minutes=10)
    assert [page.kind for page in await made_up.poll()] == ["contacts", "deals"]
    assert await made_up.pauses() == {}


async def test_a_place_that_is_lost_begins_the_round_again(made_up: Crm) -> None:
    for number in range(5):
        made_up.server.put("deals", str(number), AT, name=str(number))
    await made_up.ask_since(START, "deals")
    made_up.server.faults.extend([(200, {}, b'{"records": [], "next": "3"}'), *[(410, {}, b"")] * 5])
    pages = []
    for _ in range(6):
        pages.append([page.records for page in await made_up.poll()])
        made_up.clock.forward(hours=1)
    assert pages == [[0], [], [], [], [], [3, 2]]
    assert await made_up.names() == list("01234")


async def test_a_page_that_follows_itself_is_not_followed(made_up: Crm) -> None:
    await made_up.ask_since(START, "deals")
    made_up.server.faults.extend([(200, {}, b'{"records": [], "next": "3"}')] * 2)
    await made_up.poll()
    assert (await _polls(made_up))["deals"].last_error == "the CRM names a page as the one that follows it"


# ---------------------------------------------------------------- a connection's first round


async def test_a_new_connection_is_asked_for_its_last_months(made_up: Crm) -> None:
    [due] = await _all_due(made_up.calls)
    assert due.unknown_kinds == ("contacts", "deals")
    await call_connection(made_up.calls, due)
    since = tables.to_micros(months_before(START, FIRST_MONTHS))
    assert [int(query["since"]) for _, query in made_up.server.asked] == [since, since]
    assert await _all_due(made_up.calls) == []


async def test_kinds_that_are_asked_for_already_go_on(made_up: Crm) -> None:
    await made_up.ask_since(START, "deals")
    await made_up.poll()
    async with made_up.calls.database.write() as connection:
        await begin_polls(connection, made_up.sender, ["contacts", "deals"], START - timedelta(days=1), START)
    since = {kind: row.since for kind, row in (await _polls(made_up)).items()}
    assert since == {"contacts": START - timedelta(days=1), "deals": START - timedelta(minutes=5)}


async def test_no_token_stands_in_the_database_but_where_it_was_set(made_up: Crm) -> None:
    made_up.server.faults.append((401, {}, b'{"message": "bad token ' + TOKEN.encode() + b'"}'))
    await made_up.ask_since(START)
    await made_up.poll()
    assert "…" in (await made_up.pauses())[""][0]
    for row in [*await made_up.rows(select(tables.crm_pauses)), *await made_up.rows(select(tables.crm_polls))]:
        assert TOKEN not in str(row)
