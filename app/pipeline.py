"""The pipeline: the stages in order, run over their queues, as a rebuild, or as a check that writes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Table, bindparam, delete, exists, func, insert, select, union_all, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from app import queue as queues
from app import swap, tables
from app.db import Database, insert_new
from app.deals import stage as deals
from app.identity import spans_stage as spans
from app.identity import stage as identity
from app.journeys import conversions_stage as conversions
from app.journeys import journeys_stage as journeys
from app.locks import LostLock, SiteLocks, holding
from app.sites.site import Site, load_sites
from app.swap import Stage, of_site
from app.touches import labels
from app.touches import stage as touches

STAGES: tuple[Stage, ...] = (
    labels.STAGE,
    touches.STAGE,
    identity.STAGE,
    spans.STAGE,
    deals.STAGE,
    conversions.STAGE,
    journeys.STAGE,
)

_FIRST_BATCH = 500
_LARGEST_BATCH = 20_000
_SQLITE_SWAP_SECONDS = 0.05
_POSTGRESQL_STAGE_SECONDS = 3.0
_IDLE_SECONDS = 0.25

log = structlog.get_logger(__name__)


@dataclass
class Worker:
    """One worker's connection, locks, and how many keys it takes at a time in each stage."""

    database: Database
    connection: AsyncConnection
    locks: SiteLocks
    batch: dict[str, int] = field(default_factory=dict)

    def batch_of(self, stage: Stage) -> int:
        """Keys to take next."""
        return self.batch.get(stage.name, _FIRST_BATCH)

    def learn(self, stage: Stage, seconds: float, was_full: bool) -> None:
        """Take more next time where the last swap was quick, fewer where it held the write lock too long."""
        size = self.batch_of(stage)
        target = _SQLITE_SWAP_SECONDS if self.database.is_sqlite else _POSTGRESQL_STAGE_SECONDS
        if seconds > target:
            self.batch[stage.name] = max(1, int(size * max(0.25, target / seconds)))
        elif was_full and seconds < target / 2:
            self.batch[stage.name] = min(_LARGEST_BATCH, size * 2)

    def shrink(self, stage: Stage) -> None:
        """Halve the batch after a failure, to find the key that caused it."""
        self.batch[stage.name] = max(1, self.batch_of(stage) // 2)


# ---------------------------------------------------------------- one batch


async def run_stage(worker: Worker, stage: Stage, site: Site) -> int:
    """Compute one batch of a stage's queue. Answers how many queue rows it dealt with."""
    here = {"site_id": site.site_id}
    taken, oldest = await _take(worker, stage, here)
    if not taken:
        return 0
    await _finish(worker, stage.needs_first, site)
    try:
        await _compute_and_swap(worker, stage, site, oldest, was_full=taken >= worker.batch_of(stage))
    except Exception as error:
        if _is_passing(error):
            raise
        await _isolate(worker, stage, site, taken, error)
    return taken


async def _finish(worker: Worker, stages: tuple[Stage, ...], site: Site) -> None:
    """Empty the queues of stages that must be done first."""
    for stage in stages:
        while await run_stage(worker, stage, site):
            pass


async def _take(worker: Worker, stage: Stage, here: dict[str, Any]) -> tuple[int, datetime | None]:
    """Take rows off the queue into staging (they stay queued until the swap)."""
    connection = worker.connection
    async with worker.database.computing(connection):
        await connection.execute(
            delete(tables.taken_rows).where(of_site(tables.taken_rows), tables.taken_rows.c.queue_name == stage.queue.name), here
        )
        await connection.execute(swap.clear(stage.dirty), here)
        await connection.execute(queues.take(stage.queue), {**here, "limit": worker.batch_of(stage)})
        await connection.execute(queues.taken_keys(stage.queue), here)
        count, oldest = (await connection.execute(queues.oldest_taken(stage.queue), here)).one()
    if not worker.database.is_sqlite:
        await connection.commit()
    return int(count), oldest


async def _compute_and_swap(worker: Worker, stage: Stage, site: Site, oldest: datetime | None, *, was_full: bool) -> None:
    connection, database = worker.connection, worker.database
    began = time.perf_counter()
    async with database.computing(connection):
        await swap.compute(connection, database.is_sqlite, stage, site, enqueue=True)
    if database.is_sqlite:
        began = time.perf_counter()
    async with database.swapping(connection):
        await worker.locks.confirm(connection, site.site_id)
        await swap.swap(connection, database.is_sqlite, stage, site, oldest, enqueue=True)
        await connection.execute(queues.delete_taken(stage.queue), {"site_id": site.site_id})
    worker.learn(stage, time.perf_counter() - began, was_full)


def _is_passing(error: Exception) -> bool:
    """Whether a failure is the database's (gone, locked, full), not the key's: it is tried again as it is."""
    if isinstance(error, LostLock | OSError | OperationalError | InterfaceError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


async def _isolate(worker: Worker, stage: Stage, site: Site, taken: int, error: Exception) -> None:
    """After a failure: take fewer rows next time; set a single failing key aside so that the rest goes on."""
    log.warning("stage failed", stage=stage.name, site=site.site_id, rows=taken, error=type(error).__name__)
    if taken > 1:
        worker.shrink(stage)
        return
    connection, here = worker.connection, {"site_id": site.site_id}
    async with worker.database.computing(connection):
        names = queues.dirty_columns(stage.queue)
        key = (await connection.execute(select(*(stage.dirty.c[name] for name in names)).where(of_site(stage.dirty)), here)).one()
    async with worker.database.swapping(connection):
        await connection.execute(
            insert_new(worker.database.is_sqlite, tables.failed_keys),
            {**here, "stage": stage.name, "dirty_key": json.dumps(list(key)), "error": str(error)[:2_000], "failed_at": datetime.now(UTC)},
        )
        await connection.execute(queues.delete_taken(stage.queue), here)


# ---------------------------------------------------------------- running


async def run_once(worker: Worker, site: Site) -> int:
    """One batch of each stage, in order, then one chunk of a rebuild. Answers how much was done."""
    done = 0
    for stage in STAGES:
        done += await run_stage(worker, stage, site)
    return done + await rebuild_chunk(worker, site)


async def run_until_idle(database: Database, site_id: str | None = None) -> None:
    """Run every site (or one) until no queue holds a row and no rebuild is under way.

    RuntimeError if another worker holds a site's lock.
    """
    async with database.worker() as connection:
        with holding(database) as locks:
            worker = Worker(database, connection, locks)
            for site in await _sites(database, site_id):
                if not await locks.take(connection, site.site_id):
                    raise RuntimeError(f"another worker is at work on site {site.site_id!r}")
                await _run_site(worker, site.site_id)


async def _run_site(worker: Worker, site_id: str) -> None:
    """Run one site until it is idle, with the settings in force at each round."""
    done = 1
    while done:
        (site,) = await _sites(worker.database, site_id)
        done = await run_once(worker, site)


async def run_worker(database: Database, stop: asyncio.Event) -> None:
    """Run every site whose lock can be had, until told to stop. Failures of the database are waited out."""
    wait = _IDLE_SECONDS
    while not stop.is_set():
        try:
            await _work(database, stop)
        except Exception as error:  # noqa: BLE001  whatever it was, the worker must come back
            log.warning("worker starts over", error=type(error).__name__, wait_seconds=wait)
            await _sleep(stop, wait)
            wait = min(wait * 2, 10.0)
        else:
            wait = _IDLE_SECONDS


async def _work(database: Database, stop: asyncio.Event) -> None:
    async with database.worker() as connection:
        with holding(database) as locks:
            worker = Worker(database, connection, locks)
            while not stop.is_set():
                done = 0
                for site in await _sites(database, None):
                    if await locks.take(connection, site.site_id):
                        done += await run_once(worker, site)
                    if stop.is_set():
                        break
                if not done:
                    await _sleep(stop, _IDLE_SECONDS)


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _sites(database: Database, site_id: str | None) -> list[Site]:
    async with database.read() as connection:
        sites = await load_sites(connection)
    return [site for site in sites if site_id in (None, site.site_id)]


async def is_worker_running(database: Database, site_id: str) -> bool:
    """Whether some worker holds the site's lock."""
    async with database.worker() as connection:
        with holding(database) as locks:
            return not await locks.take(connection, site_id)


# ---------------------------------------------------------------- rebuild


async def start_rebuild(database: Database, site_id: str, now: datetime, first: str = STAGES[0].name) -> None:
    """Ask for everything from a stage on to be computed anew. A rebuild under way starts over."""
    async with database.write() as connection:
        await write_rebuild(connection, site_id, now, first)


async def write_rebuild(connection: AsyncConnection, site_id: str, now: datetime, first: str) -> None:
    """Store the cursor of a new rebuild, at the beginning of a stage."""
    here = {"site_id": site_id}
    begun = STAGES[[stage.name for stage in STAGES].index(first) :]
    keys = [int(await connection.scalar(_count_of_keys(stage), here) or 0) for stage in begun]
    await connection.execute(delete(tables.rebuilds).where(of_site(tables.rebuilds)), here)
    row = {**here, "stage": first, "after_key": "[]", "keys_left": sum(keys) + 1, "keys_total": sum(keys) + 1, "started_at": now}
    await connection.execute(insert(tables.rebuilds), row)


def _count_of_keys(stage: Stage) -> Any:
    """One number: how many keys the first of a stage's sources has. An estimate, for progress."""
    source = stage.sources[0]
    keys = select(*source).where(source[0] == bindparam("site_id")).distinct().subquery()
    return select(func.count()).select_from(keys)


async def rebuild_progress(database: Database, site_id: str) -> dict[str, Any] | None:
    """`stage`, `keys_left`, `keys_total`, `started_at` of a rebuild under way; None if there is none."""
    async with database.read() as connection:
        row = (
            (await connection.execute(select(tables.rebuilds).where(of_site(tables.rebuilds)), {"site_id": site_id}))
            .mappings()
            .one_or_none()
        )
    return None if row is None else dict(row)


async def rebuild_chunk(worker: Worker, site: Site) -> int:
    """Compute the next keys of a rebuild under way and move its cursor. Answers how much was done; 0: no rebuild."""
    here = {"site_id": site.site_id}
    connection = worker.connection
    async with worker.database.computing(connection):
        row = (await connection.execute(select(tables.rebuilds).where(of_site(tables.rebuilds)), here)).mappings().one_or_none()
    if not worker.database.is_sqlite:
        await connection.commit()
    if row is None:
        return 0
    stage = next(stage for stage in STAGES if stage.name == row["stage"])
    after = tuple(json.loads(row["after_key"]))
    try:
        await _rebuild_keys(worker, stage, site, after, int(row["keys_left"]))
    except Exception as error:
        if _is_passing(error) or worker.batch_of(stage) == 1:
            raise
        worker.shrink(stage)
    return 1


async def _rebuild_keys(worker: Worker, stage: Stage, site: Site, after: tuple[str, ...], keys_left: int) -> None:
    connection, database = worker.connection, worker.database
    limit = worker.batch_of(stage)
    await _finish(worker, stage.needs_first, site)
    began = time.perf_counter()
    async with database.computing(connection):
        last, count = await fill_dirty(connection, stage, site, after, limit)
        if last is not None:
            await swap.compute(connection, database.is_sqlite, stage, site, enqueue=False)
    if database.is_sqlite:
        began = time.perf_counter()
    async with database.swapping(connection):
        await worker.locks.confirm(connection, site.site_id)
        if last is None:
            # What a rebuild from nothing has just filled, the next stages join with.
            await swap.analyse(connection, *(target.table for target in stage.targets))
        else:
            await swap.swap(connection, database.is_sqlite, stage, site, None, enqueue=False)
        await connection.execute(_moved_cursor(site, stage, last, max(1, keys_left - count)))
    worker.learn(stage, time.perf_counter() - began, count >= limit)


async def fill_dirty(
    connection: AsyncConnection, stage: Stage, site: Site, after: tuple[str, ...], limit: int
) -> tuple[tuple[str, ...] | None, int]:
    """Put the next keys into the stage's `dirty` table. Answers the last of them (None: there are none) and their number."""
    here = {"site_id": site.site_id}
    await connection.execute(swap.clear(stage.dirty), here)
    bounds = {f"after_{n}": part for n, part in enumerate(after)}
    filled = await connection.execute(swap.next_keys(stage, after or None), {**here, **bounds, "limit": limit})
    last = (await connection.execute(swap.last_dirty(stage), here)).one_or_none()
    return (None if last is None else tuple(last)), filled.rowcount


def _moved_cursor(site: Site, stage: Stage, last: tuple[str, ...] | None, keys_left: int) -> Any:
    """Moves the cursor past what was done, to the next stage, or away at the end."""
    of_this_site = tables.rebuilds.c.site_id == site.site_id
    if last is not None:
        return update(tables.rebuilds).where(of_this_site).values(after_key=json.dumps(list(last)), keys_left=keys_left)
    following = STAGES[STAGES.index(stage) + 1 :]
    if following:
        return update(tables.rebuilds).where(of_this_site).values(stage=following[0].name, after_key="[]")
    return delete(tables.rebuilds).where(of_this_site)


# ---------------------------------------------------------------- check


@dataclass(frozen=True)
class Difference:
    """Rows of a derived table that are not what its stage computes from its stored inputs."""

    stage: str
    table: str
    rows: int


async def check(
    database: Database, site: Site, on_progress: Callable[[str, int], None] = lambda stage, keys: None, chunk: int = 2_000
) -> list[Difference]:
    """Compute every stage from its stored inputs, compare both ways, write nothing. Skips what is queued."""
    found: dict[tuple[str, str], int] = {}
    async with database.worker(private=True) as connection:
        for stage in STAGES:
            after: tuple[str, ...] = ()
            while True:
                last, count, rows = await _check_keys(database, connection, stage, site, after, chunk)
                for table, number in rows.items():
                    found[stage.name, table] = found.get((stage.name, table), 0) + number
                if last is None:
                    break
                on_progress(stage.name, count)
                after = last
    return [Difference(stage, table, rows) for (stage, table), rows in found.items() if rows]


async def _check_keys(
    database: Database, connection: AsyncConnection, stage: Stage, site: Site, after: tuple[str, ...], chunk: int
) -> tuple[tuple[str, ...] | None, int, dict[str, int]]:
    async with database.computing(connection):
        last, count = await fill_dirty(connection, stage, site, after, chunk)
        rows: dict[str, int] = {}
        if last is not None:
            await connection.execute(_skip_queued(stage.queue), {"site_id": site.site_id})
            await swap.compute(connection, database.is_sqlite, stage, site, enqueue=False)
            rows = await swap.differences(connection, stage, site)
    if not database.is_sqlite:
        await connection.commit()
    return last, count, rows


def _skip_queued(queue: Table) -> Any:
    """Takes out of the `dirty` table what waits in the queue anyway."""
    dirty = tables.dirty[queue.name]
    waits = exists().where(queue.c.site_id == dirty.c.site_id, *(queue.c[name] == dirty.c[name] for name in queues.dirty_columns(queue)))
    return delete(dirty).where(of_site(dirty), waits)


def queued_rows() -> Any:
    """One row: how many rows wait in all queues of a site, and when the oldest fact behind them came in."""
    waiting = union_all(*(select(queue.c.received_at).where(of_site(queue)) for queue in tables.QUEUES)).subquery("waiting")
    return select(func.count(), func.min(waiting.c.received_at))
