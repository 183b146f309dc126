"""The queue of records to fetch: nothing is lost, nothing is fetched twice, and nobody is pressed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import tables
from app.crm import fetching
from app.crm.calls import LEASE, seconds_to_wait
from app.errors import Unavailable
from app.log import Log
from tests.crm.conftest import START, Crm
from tests.crm.made_up import PROVIDER
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

AT = tables.to_micros(START)


async def test_what_was_named_is_fetched_and_stored(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech", amount=1200, currency="USD")
    made_up.server.put("deals", "8", AT, name="Hooli")
    await made_up.told("7", "8")
    assert await made_up.fetch() == 1
    assert made_up.server.fetched() == [["7", "8"]]
    assert await made_up.names() == ["Hooli", "Initech"]
    assert await made_up.waiting() == []
    assert await made_up.fetch() == 0


async def test_many_notices_of_one_record_are_one_fetch(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.told("7/a", "7/b", "7/c", "8/a")
    await made_up.fetch()
    assert made_up.server.fetched() == [["7", "8"]]
    assert await made_up.waiting() == []


async def test_as_many_records_as_one_call_takes_those_first_that_wait_longest(made_up: Crm) -> None:
    for number in range(25):
        await made_up.told(f"{(number * 7) % 25:02}")
        made_up.clock.forward(seconds=1)
    await made_up.told("ada", kind="contacts")
    await made_up.fetch()
    came = [f"{(number * 7) % 25:02}" for number in range(25)]
    assert made_up.server.fetched() == [sorted(came[:10]), sorted(came[10:20]), sorted(came[20:])]
    assert made_up.server.fetched("contacts") == [["ada"]]


async def test_a_notice_that_comes_in_while_its_record_is_fetched_is_fetched_after_it(made_up: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up.server.put("deals", "7", AT, name="before")
    await made_up.told("7/first")
    store, is_first = made_up.calls.store, [True]

    async def store_late(*arguments: Any) -> int:
        if is_first.pop():
            made_up.server.put("deals", "7", AT + 1, name="after")
            await made_up.told("7/second")
            is_first.append(False)
        return await store(*arguments)

    is_first.append(True)
    monkeypatch.setattr(type(made_up.calls), "store", lambda _self, *arguments: store_late(*arguments) if is_first else store(*arguments))
    await made_up.fetch()
    assert made_up.server.fetched() == [["7"], ["7"]]
    assert await made_up.names() == ["after", "before"]
    assert await made_up.waiting() == []


async def test_two_workers_never_fetch_the_same(made_up: Crm) -> None:
    for number in range(60):
        made_up.server.put("deals", str(number), AT, name=str(number))
    await made_up.told(*map(str, range(60)))
    await asyncio.gather(*(made_up.fetch() for _ in range(4)))
    fetched = [record for ids in made_up.server.fetched() for record in ids]
    assert sorted(fetched) == sorted(map(str, range(60)))
    assert await made_up.waiting() == []


# ---------------------------------------------------------------- what goes wrong


async def test_a_crm_that_fails_is_asked_again_and_less_and_less_often(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    made_up.server.is_down = True
    await made_up.told("7")
    waited = []
    for tries in range(12):
        assert await made_up.fetch() == 1
        assert await made_up.fetch() == 0
        assert await made_up.waiting() == [("7", tries + 1, "Made-up CRM answered 503")]
        [row] = await made_up.rows(select(tables.crm_fetches))
        waited.append((row.next_try_at - made_up.clock()).total_seconds())
        made_up.clock.now = max(row.next_try_at, made_up.clock() + timedelta(seconds=600))
    assert waited == pytest.approx([seconds_to_wait(tries, "7") for tries in range(12)], abs=1e-5)
    assert all(7.5 <= seconds / min(2**tries, 360) <= 12.5 for tries, seconds in enumerate(waited))
    made_up.server.is_down = False
    assert await made_up.fetch() == 1
    assert await made_up.names() == ["Initech"]
    assert await made_up.pauses() == {}


async def test_while_a_crm_is_down_it_is_asked_once_not_for_all_that_waits(made_up: Crm) -> None:
    made_up.server.is_down = True
    await made_up.told(*map(str, range(60)))
    assert await made_up.fetch() == 1
    await made_up.told("new")
    assert (await made_up.fetch(), len(made_up.server.asked)) == (0, 1)
    for _ in range(20):
        made_up.clock.forward(minutes=13)
        await made_up.fetch()
    assert len(made_up.server.asked) == 21
    made_up.server.is_down = False
    made_up.clock.forward(hours=2)
    await made_up.fetch()
    assert await made_up.waiting() == []


async def test_a_crm_that_asks_for_a_pause_gets_it_from_the_whole_connection(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    made_up.server.faults.append((429, {"Retry-After": "45"}, b""))
    await made_up.told("7")
    await made_up.ask_since(START)
    await made_up.fetch()
    await made_up.told("8")
    made_up.clock.forward(seconds=44)
    assert (await made_up.fetch(), await made_up.poll()) == (0, [])
    assert await made_up.pauses() == {"": ("Made-up CRM asks for a pause", 1.0)}
    assert await made_up.waiting() == [("7", 0, None), ("8", 0, None)]
    made_up.clock.forward(seconds=1)
    assert await made_up.fetch() == 1
    assert made_up.server.fetched() == [["7"], ["7", "8"]]


async def test_a_kind_that_is_denied_waits_and_the_others_do_not(made_up: Crm) -> None:
    made_up.server.denied.add("contacts")
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.told("ada", kind="contacts")
    made_up.clock.forward(seconds=1)
    await made_up.told("7")
    await made_up.fetch()
    assert await made_up.names() == ["Initech"]
    [(kind, (reason, _))] = (await made_up.pauses()).items()
    assert (kind, reason) == ("contacts", "The token may not read this (missing scope: contacts): give it the permission (scope) in Made-up CRM")
    await made_up.told("bob", kind="contacts")
    assert await made_up.fetch() == 0
    made_up.server.denied.clear()
    made_up.clock.forward(hours=1)
    await made_up.fetch()
    assert await made_up.waiting() == []
    assert await made_up.pauses() == {}


async def test_a_record_that_cannot_be_read_is_not_its_neighbours_loss(made_up: Crm) -> None:
    for record in "abcdefghij":
        made_up.server.put("deals", record, AT, name=record)
    made_up.server.poisoned = {"d", "h"}
    await made_up.told(*"abcdefghij")
    await made_up.fetch()
    assert await made_up.names() == list("abcefgij")
    reason = "Made-up CRM answered 400 (cannot read that record)"
    assert await made_up.waiting() == [("d", 1, reason), ("h", 1, reason)]
    assert await made_up.pauses() == {}


@pytest.mark.parametrize("fault", [(1, {}, b"{}"), (0, {}, b""), (200, {}, b"<html>"), (200, {}, b"{}")])
async def test_a_crm_that_stalls_breaks_off_or_talks_nonsense(made_up: Crm, fault: tuple[int, dict[str, str], bytes]) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    made_up.server.faults.append(fault)
    await made_up.told("7")
    await made_up.fetch(seconds=0.3)
    [(record, tries, reason)] = await made_up.waiting()
    assert (record, tries) == ("7", 1)
    assert reason
    made_up.clock.forward(seconds=13)
    await made_up.fetch()
    assert (await made_up.names(), await made_up.waiting()) == (["Initech"], [])


async def test_a_crash_loses_nothing(made_up: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before what was fetched is stored; and, another time, before its row is deleted."""

    class Dies(BaseException):
        pass

    def die(*_: Any) -> Any:
        raise Dies

    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.told("7")
    for where in ("_fetch", "_settle"):
        with monkeypatch.context() as patched:
            patched.setattr(fetching, where, die)
            patched.setattr(fetching, "_release", die)
            with suppress(Dies):
                await made_up.fetch()
        assert len(await made_up.waiting()) == 1
        assert await made_up.fetch() == 0, "the lease still runs"
        made_up.clock.forward(seconds=LEASE.total_seconds())
    assert await made_up.names() == ["Initech"]
    assert await made_up.fetch() == 1
    assert (await made_up.names(), await made_up.waiting()) == (["Initech"], [])


async def test_what_is_under_way_when_the_service_stops_is_taken_up_at_once(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    made_up.server.faults.append((1, {}, b"{}"))
    await made_up.told("7")
    fetching_it = asyncio.create_task(made_up.fetch())
    while not made_up.server.asked:  # noqa: ASYNC110 - asked in a thread of its own
        await asyncio.sleep(0.01)
    fetching_it.cancel()
    with suppress(asyncio.CancelledError):
        await fetching_it
    assert await made_up.fetch() == 1
    assert (await made_up.names(), await made_up.waiting()) == (["Initech"], [])


async def test_what_cannot_be_stored_is_fetched_again(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech")
    await made_up.told("7")
    closed = replace(made_up.calls, log=Log(made_up.calls.database))
    with pytest.raises(Unavailable):
        await replace(made_up, calls=closed).fetch()
    assert await made_up.waiting() == [("7", 0, None)]
    assert await made_up.fetch() == 1
    assert await made_up.waiting() == []


async def test_fetched_facts_are_those_that_a_poll_finds(made_up: Crm) -> None:
    made_up.server.put("deals", "7", AT, name="Initech", stage="won")
    await made_up.told("7")
    await made_up.fetch()
    await made_up.told("7/again")
    await made_up.fetch()
    await made_up.ask_since(START)
    await made_up.poll()
    types = select(tables.crm_facts.c.type)
    await assert_rows(made_up.calls.database, types, ["type"], [["deal.updated"], ["record.changed"], ["record.changed"]])
    assert PROVIDER.most_fetched == 10
