"""Group commit: what is acknowledged is stored, first stored wins, and a bad row costs only itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import column, func, select, table

from app import tables
from app.db import Database
from app.errors import Unavailable
from app.log import Fact, Log, Refused
from app.log.plan import Group, plan_of
from app.log.rows import key_columns
from app.sites.site import Site
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = {
    "site_id": "default", "visitor_id": "ann", "event_id": "1", "type": "visit", "occurred_at": NOON, "sequence": 0, "type_rank": 0,
    "start_rank": 2, "is_web": True, "received_at": NOON, "origin_id": "o", "has_internal_referrer": False, "has_email": False,
    "is_trusted": False,
}  # fmt: skip
DIRTY = (tables.touches_queue, {"site_id": "default", "visitor_id": "ann", "received_at": NOON})


def event(event_id: str, *satellites: Any, **changes: Any) -> Fact:
    return Fact(tables.events, {**EVENT, "event_id": event_id, **changes}, satellites)


def origin(source: str) -> tuple[Any, dict[str, Any]]:
    return tables.origins, {"site_id": "default", "origin_id": source, "source": source}


def contact(value: str, occurred_at: datetime, **details: Any) -> tuple[Any, dict[str, Any]]:
    return tables.contacts, {
        "site_id": "default", "key_id": "e_1", "kind": "email", "value": value, "occurred_at": occurred_at, **details
    }  # fmt: skip


@asynccontextmanager
async def opened(database: Database, **options: Any) -> AsyncIterator[Log]:
    log = Log(database, **options)
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


@pytest.fixture
async def log(database: Database) -> AsyncIterator[Log]:
    async with opened(database, clock=lambda: NOON) as log:
        yield log


async def test_a_fact_is_stored_with_its_satellites_and_found_again(database: Database, log: Log) -> None:
    fact = event("1", origin("google"), DIRTY, DIRTY, title="Ünïcödé 'quoted'", engaged_ms=2**63 - 1)

    assert await log.append([fact]) == [True]
    assert await log.append([fact]) == [False]

    await assert_rows(
        database, tables.events, ["event_id", "occurred_at", "title", "engaged_ms", "host", "is_web"],
        [["1", NOON, "Ünïcödé 'quoted'", 2**63 - 1, "", True]],
    )  # fmt: skip
    await assert_rows(database, tables.touches_queue, ["visitor_id", "received_at"], [["ann", NOON]])


def test_every_insert_is_in_order_of_keys() -> None:
    """Two processes that write the same new origins in two orders would wait for one another."""
    facts = [event("2", origin("b"), DIRTY), event("1", origin("c"), origin("a"), contact("x", NOON))]
    plan = plan_of(Group(facts), {}, NOON)
    inserts = [next(plan)]
    with suppress(StopIteration):
        while True:
            inserts.append(plan.send([tuple(row.get(name, "") for name in key_columns(inserts[-1].table)) for row in inserts[-1].rows]))
    written = {insert.table.name: [tuple(row.get(name, "") for name in key_columns(insert.table)) for row in insert.rows] for insert in inserts}
    assert {"events", "origins", "labels_queue", "contacts", "touches_queue"} == written.keys()
    assert len(written["origins"]) == 3
    assert written == {table: sorted(keys) for table, keys in written.items()}


async def test_of_two_bodies_with_one_id_the_first_wins_with_its_satellites_only(database: Database, log: Log) -> None:
    first, second = event("1", origin("google"), title="first"), event("1", origin("bing"), title="second")

    assert await log.append([first, second]) == [True, False]
    assert await log.append([second]) == [False]

    await assert_rows(database, tables.events, ["title"], [["first"]])
    await assert_rows(database, tables.origins, ["source"], [["google"]])


async def test_a_new_origin_is_to_be_labelled_and_a_known_one_is_not(database: Database, log: Log) -> None:
    await log.append([event("1", origin("google"))])
    await log.append([event("2", origin("google"))])
    async with opened(database) as another:
        await another.append([event("3", origin("google"))])

    await assert_rows(database, tables.labels_queue, ["origin_id", "form_id"], [["google", ""]])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_contact_shows_its_newest_details_in_any_order(
    database: Database, log: Log, order: tuple[int, ...], at_once: bool
) -> None:
    rows = [
        contact("a@example.com", NOON, company="Old"),
        contact("a@example.com", NOON.replace(hour=13), company="New"),
        contact("a@example.com", NOON.replace(hour=14)),
    ]
    facts = [event(str(n), rows[n]) for n in order]
    for batch in [facts] if at_once else [[fact] for fact in facts]:
        await log.append(batch)

    await assert_rows(database, tables.contacts, ["company", "occurred_at"], [["New", NOON.replace(hour=13)]])


async def test_concurrent_callers_share_a_transaction_and_each_has_its_own_answer(database: Database, site: Site) -> None:
    async with opened(database) as log:
        answers = await asyncio.gather(*(log.append([event(str(n % 40))]) for n in range(50)))

    assert sum(outcome is True for [outcome] in answers) == 40
    await assert_rows(database, tables.events, ["event_id"], [[str(n)] for n in range(40)])


async def test_a_poisoned_row_in_a_group_costs_only_itself(database: Database, log: Log) -> None:
    poisoned = event("bad", type=None)
    calls = [log.append([event(str(n)), event(f"{n}b")]) for n in range(20)]

    *good, bad = await asyncio.gather(*calls, log.append([event("x"), poisoned, event("y")]))

    assert good == [[True, True]] * 20
    assert [bool(outcome) for outcome in bad] == [True, False, True]
    assert isinstance(bad[1], Refused)
    expected = [[str(n)] for n in range(20)] + [[f"{n}b"] for n in range(20)] + [["x"], ["y"]]
    await assert_rows(database, tables.events, ["event_id"], expected)
    await assert_rows(database, tables.quarantine, ["site_id", "door", "is_trusted"], [["default", "log", False]])


@pytest.mark.parametrize("bad", [{"sequence": 2**63}, {"title": "half a pair \ud800"}, {"occurred_at": 2**70}])
async def test_what_a_driver_cannot_even_send_is_set_aside_too(database: Database, log: Log, bad: dict[str, Any]) -> None:
    first, second = await asyncio.gather(log.append([event("1")]), log.append([event("2", **bad)]))

    assert first == [True]
    assert isinstance(second[0], Refused)
    await assert_rows(database, tables.events, ["event_id"], [["1"]])


async def test_a_fact_leaves_its_own_row_in_the_quarantine(database: Database, log: Log) -> None:
    def refused(reason: str) -> dict[str, Any]:
        return {
            "site_id": "default", "quarantine_id": "q", "door": "events", "reason": "refused", "body": "{}",
            "is_trusted": False, "received_at": NOON,
        }  # fmt: skip

    await log.append([Fact(tables.events, {**EVENT, "type": None}, (), refused)])

    await assert_rows(database, tables.quarantine, ["quarantine_id", "door", "received_at"], [["q", "events", NOON]])


async def test_drops_are_counted_by_day(database: Database, log: Log) -> None:
    await asyncio.gather(*(log.append([], dropped={("default", "bot"): 2, ("default", "gpc"): 1}) for _ in range(3)))

    await assert_rows(database, tables.drops, ["day", "reason", "count"], [["2026-03-01", "bot", 6], ["2026-03-01", "gpc", 3]])


async def test_too_much_waiting_is_refused_and_the_rest_is_written(database: Database) -> None:
    async with opened(database, most_waiting=10) as log:
        answers = await asyncio.gather(*(log.append([event(f"{n}-{m}") for m in range(5)]) for n in range(5)), return_exceptions=True)

    assert sum(isinstance(answer, Unavailable) for answer in answers) == 3
    assert sum(answer == [True] * 5 for answer in answers) == 2


async def test_stopping_writes_what_waits_and_takes_nothing_more(database: Database) -> None:
    log = Log(database)
    await log.start()
    waiting = asyncio.create_task(log.append([event("1")]))
    await asyncio.sleep(0)
    await log.stop()

    assert await waiting == [True]
    with pytest.raises(Unavailable):
        await log.append([event("2")])
    await assert_rows(database, tables.events, ["event_id"], [["1"]])


async def test_storage_that_is_gone_is_said_so_and_comes_back(database: Database, log: Log) -> None:
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
    with pytest.raises(Unavailable) as caught:
        await log.append([event("1")])
    assert caught.value.headers["Retry-After"]

    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE gone RENAME TO events")
    assert await log.append([event("1")]) == [True]
    await assert_rows(database, tables.quarantine, ["quarantine_id"], [])


async def test_a_caller_that_went_away_harms_nobody(database: Database, log: Log) -> None:
    gone = asyncio.create_task(log.append([event("1")]))
    await asyncio.sleep(0)
    gone.cancel()

    assert await log.append([event("2")]) == [True]
    async with database.read() as connection:
        assert "2" in set(await connection.scalars(select(tables.events.c.event_id)))


async def test_a_bad_row_of_the_quarantine_takes_nothing_with_it(database: Database, log: Log) -> None:
    row = {
        "site_id": "default", "quarantine_id": "q", "door": "events", "reason": "bad", "body": "{}", "is_trusted": False, "received_at": NOON
    }  # fmt: skip
    rows = [row, {**row, "quarantine_id": "r", "reason": None}, {**row, "quarantine_id": "s"}]

    assert await log.append([event("1")], quarantined=rows, dropped={("default", "bot"): 1}) == [True]
    await assert_rows(database, tables.quarantine, ["quarantine_id"], [["q"], ["s"]])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bot", 1]])


async def test_two_processes_write_the_same_at_once_and_neither_waits_for_ever(database: Database, log: Log) -> None:
    facts = [event(str(n), origin(f"o{n % 7}"), DIRTY, contact(f"{n}@example.com", NOON, company=str(n))) for n in range(60)]
    async with opened(database, group_size=10) as another:
        calls = [writer.append(order) for order in (facts, facts[::-1]) for writer in (log, another)]
        outcomes = await asyncio.gather(*calls)

    assert sum(map(sum, outcomes)) == 60
    await assert_rows(database, tables.events, ["event_id"], [[str(n)] for n in range(60)])
    await assert_rows(database, tables.origins, ["source"], [[f"o{n}"] for n in range(7)])
    await assert_rows(database, tables.contacts, ["company"], [["9"]])


async def test_a_server_that_went_away_is_found_again(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    async with opened(database) as log:
        await log.append([event("1")])
        async with database.read() as connection:
            backends = select(func.pg_terminate_backend(column("pid"))).select_from(table("pg_stat_activity"))
            await connection.execute(backends.where(column("pid") != func.pg_backend_pid(), column("datname") == func.current_database()))
        outcomes = [await asyncio.wait_for(_stored_in_the_end(log, event("2")), 30)]

    assert outcomes == [[True]]
    await assert_rows(database, tables.events, ["event_id"], [["1"], ["2"]])
    await database.dispose()


async def _stored_in_the_end(log: Log, fact: Fact) -> list[Any]:
    while True:
        try:
            return list(await log.append([fact]))
        except Unavailable:
            continue
