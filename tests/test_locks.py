"""One worker at a time for each site, and none that was overtaken writes."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app import tables
from app.db import Database
from app.locks import LostLock, holding
from app.pipeline import Worker, is_worker_running, run_once, run_until_idle
from app.sites.site import Site, load_sites
from tests.conftest import make_default_site
from tests.facts import an_event, enqueue, put
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio


async def test_one_worker_at_a_time(database: Database, site: Site) -> None:
    assert not await is_worker_running(database, "default")
    async with database.worker() as connection:
        with holding(database) as locks:
            assert await locks.take(connection, "default")
            assert await locks.take(connection, "default"), "it has it already"
            assert await is_worker_running(database, "default")
            assert not await is_worker_running(database, "another")
            with pytest.raises(RuntimeError, match="another worker"):
                await run_until_idle(database, "default")
    assert not await is_worker_running(database, "default")


async def test_a_worker_that_was_overtaken_writes_nothing(postgresql_url: str) -> None:
    """A session that PostgreSQL gave up on has lost its lock, whatever its worker believes."""
    database = Database(postgresql_url)
    await make_default_site(postgresql_url)
    async with database.read() as connection:
        [site] = await load_sites(connection)
    await put(database, tables.events, an_event("ann", "e1", 0))
    await enqueue(database, tables.touches_queue, ("ann",))
    async with database.worker() as slow:
        with holding(database) as locks:
            assert await locks.take(slow, "default")
            await slow.execute(text("SELECT pg_advisory_unlock_all()"))
            await slow.commit()
            async with database.worker() as quick:
                with holding(database) as others:
                    assert await others.take(quick, "default")
                    with pytest.raises(LostLock):
                        await run_once(Worker(database, slow, locks), site)
    await assert_rows(database, tables.touches, ["event_id"], [])
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [["ann"]])
    await run_until_idle(database)
    await assert_rows(database, tables.touches, ["event_id"], [["e1"]])
    await database.dispose()
