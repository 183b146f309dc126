"""What makes a stage fail is set aside, and only that; what is the database's own failure is tried again."""

from __future__ import annotations

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from app import tables
from app.db import Database
from app.pipeline import run_until_idle, start_rebuild
from app.pipeline.batches import is_passing
from app.sites.site import Site
from tests.deal_facts import deal_rows, said
from tests.facts import at, enqueue, put_all
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

MOST = 2**63 - 1
"""Of a currency of four places, so that it is as many minor units: two of them are beyond 64 bits."""
GOOD = ("a", "b", "y", "z")


async def test_a_failing_key_is_set_aside_alone(database: Database, site: Site) -> None:
    for deal_id in GOOD:
        await put_all(database, deal_rows(deal_id, said(f"of {deal_id}", 0)))
    await put_all(database, deal_rows("bad", said("f1", 1, "adjusted", by=MOST, currency="CLF"), said("f2", 2, "adjusted", by=MOST)))
    await enqueue(database, tables.deals_queue, *(("generic", deal_id) for deal_id in ("bad", *GOOD)))
    await run_until_idle(database)
    await assert_rows(database, tables.deals, ["deal_id"], [[deal_id] for deal_id in GOOD])
    await assert_rows(database, tables.failed_keys, ["stage", "dirty_key"], [["deals", '["generic", "bad"]']])
    await assert_rows(database, tables.deals_queue, ["deal_id"], [])


async def test_a_rebuild_passes_over_a_failing_key_and_tries_it_again(database: Database, site: Site) -> None:
    for deal_id in GOOD:
        await put_all(database, deal_rows(deal_id, said(f"of {deal_id}", 0)))
    await put_all(database, deal_rows("bad", said("f1", 1, "adjusted", by=MOST, currency="CLF"), said("f2", 2, "adjusted", by=MOST)))
    for _ in range(2):
        await start_rebuild(database, "default", at(0), "deals")
        await run_until_idle(database)
        await assert_rows(database, tables.deals, ["deal_id"], [[deal_id] for deal_id in GOOD])
        await assert_rows(database, tables.failed_keys, ["stage", "dirty_key"], [["deals", '["generic", "bad"]']])
    async with database.write() as connection:
        await connection.execute(delete(tables.deal_changes).where(tables.deal_changes.c.fact_id == "f2"))
    await start_rebuild(database, "default", at(0), "deals")
    await run_until_idle(database)
    await assert_rows(database, tables.failed_keys, ["stage"], [])
    await assert_rows(database, tables.deals, ["deal_id"], [[deal_id] for deal_id in (*GOOD, "bad")])


@pytest.mark.parametrize(
    ("sqlstate", "passes"),
    [("40P01", True), ("40001", True), ("53100", True), ("53200", True), ("55P03", True), ("57P01", True), ("58030", True), ("22003", False), ("23505", False), ("54000", False)],
)
async def test_which_failures_of_postgresql_pass(postgresql_url: str, sqlstate: str, passes: bool) -> None:
    database = Database(postgresql_url)
    with pytest.raises(DBAPIError) as raised:
        async with database.write() as connection:
            await connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$")
    await database.dispose()
    assert is_passing(raised.value) is passes


async def test_which_failures_of_sqlite_pass(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with pytest.raises(DBAPIError) as overflow:
        async with database.read() as connection:
            await connection.exec_driver_sql(f"SELECT sum(x) FROM (SELECT {MOST} AS x UNION ALL SELECT 1)")
    async with database.read() as connection:
        await connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(DBAPIError) as refused:
            await connection.exec_driver_sql("DELETE FROM deals")
    await database.dispose()
    assert not is_passing(overflow.value)
    assert is_passing(refused.value)
