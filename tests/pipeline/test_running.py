"""In which order queues are emptied."""

from __future__ import annotations

import pytest

from app import tables
from app.db import Database
from app.locks import holding
from app.pipeline.batches import Worker
from app.pipeline.running import run_once
from app.sites.site import Site
from tests.facts import enqueue
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio


async def test_whole_days_are_summed_after_a_backlog_and_not_with_each_batch_of_it(database: Database, site: Site) -> None:
    await enqueue(database, tables.touches_queue, ("ann",), ("bob",), ("eve",))
    await enqueue(database, tables.sums_queue, ("customer", "2026-03-01"))
    async with database.worker() as connection:
        with holding(database) as locks:
            worker = Worker(database, connection, locks, {"touches": 2})
            assert await locks.take(connection, site.site_id)
            await run_once(worker, site)
            await assert_rows(database, tables.touches_queue, ["visitor_id"], [["eve"]])
            await assert_rows(database, tables.sums_queue, ["day"], [["2026-03-01"]])
            await run_once(worker, site)
            await assert_rows(database, tables.touches_queue, ["visitor_id"], [])
            await assert_rows(database, tables.sums_queue, ["day"], [])
