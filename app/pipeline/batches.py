"""One batch of one stage: take rows off its queue, compute, swap; set aside what fails even alone."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from app import queue as queues
from app import swap, tables
from app.db import Database, insert_new
from app.locks import LostLock, SiteLocks
from app.log.failures import in_words
from app.sites.site import Site
from app.swap import Stage
from app.tables import of_site

_SQLITE_SWAP_SECONDS = 0.05
_POSTGRESQL_STAGE_SECONDS = 3.0

log = structlog.get_logger(__name__)


class SettingsChanged(Exception):
    """The site's settings changed, or something of it was erased, while a batch was computed: it is computed again."""


@dataclass
class Worker:
    """One worker's connection, locks, and how many keys it takes at a time in each stage."""

    database: Database
    connection: AsyncConnection
    locks: SiteLocks
    batch: dict[str, int] = field(default_factory=dict)

    def batch_of(self, stage: Stage) -> int:
        """Keys to take next."""
        return self.batch.get(stage.name, stage.batch.first)

    def learn(self, stage: Stage, computing: float, swapping: float, was_full: bool) -> None:
        """Take more next time where the last batch was quick, fewer where it took or held the write lock too long (seconds)."""
        size = self.batch_of(stage)
        load = self._load(stage, computing, swapping)
        if load > 1:
            self.batch[stage.name] = max(min(size, stage.batch.least), int(size * max(0.25, 1 / load)))
        elif was_full and load < 0.5:
            self.batch[stage.name] = min(stage.batch.most, size * 2)

    def _load(self, stage: Stage, computing: float, swapping: float) -> float:
        """How long a batch took, as a share of what it may take. On SQLite only a swap makes others wait."""
        if self.database.is_sqlite:
            most = stage.batch.seconds
            return max(swapping / _SQLITE_SWAP_SECONDS, computing / most if most else 0.0)
        return (computing + swapping) / (stage.batch.seconds or _POSTGRESQL_STAGE_SECONDS)

    def shrink(self, stage: Stage) -> None:
        """Halve the batch after a failure, to find the key that caused it."""
        self.batch[stage.name] = max(1, self.batch_of(stage) // 2)


async def run_stage(worker: Worker, stage: Stage, site: Site) -> int:
    """Compute one batch of a stage's queue. Answers how many queue rows it dealt with."""
    here = {"site_id": site.site_id}
    taken, oldest = await _take(worker, stage, here)
    if not taken:
        return 0
    await finish(worker, stage.needs_first, site)
    try:
        await _compute_and_swap(worker, stage, site, oldest, was_full=taken >= worker.batch_of(stage))
    except Exception as error:
        if is_passing(error):
            raise
        await _isolate(worker, stage, site, taken, error)
    return taken


async def finish(worker: Worker, stages: tuple[Stage, ...], site: Site) -> None:
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
        changes = await swap.compute(connection, database.is_sqlite, stage, site, enqueue=True)
    computing = time.perf_counter() - began
    async with database.swapping(connection):
        began = time.perf_counter()  # the wait for the write lock does not count
        await confirm(worker, site)
        await swap.swap(connection, database.is_sqlite, stage, site, changes, oldest, enqueue=True)
        await connection.execute(queues.delete_taken(stage.queue), {"site_id": site.site_id})
        worker.learn(stage, computing, time.perf_counter() - began, was_full)


async def confirm(worker: Worker, site: Site) -> None:
    """Inside a swap: this worker still holds the site, the settings that it computed with are in force, and nothing has
    been erased since.

    (A change of settings enqueues what it alters. A batch that took those rows with the old settings must not answer
    for them. And what is erased must not come back by a batch that had read it.)
    """
    await worker.locks.confirm(worker.connection, site.site_id)
    in_force = select(tables.sites.c.settings_version, tables.sites.c.erasures).where(of_site(tables.sites))
    now = (await worker.connection.execute(in_force, {"site_id": site.site_id})).one_or_none()
    if now is None or tuple(now) != (site.settings_version, site.erasures):
        raise SettingsChanged(site.site_id)


_PASSING = ("08", "40", "53", "55", "57P", "58")
"""Beginnings of PostgreSQL's SQLSTATE: connection, deadlock, no room, lock, shutdown, system."""
_SQLITE_ERROR = 1
"""SQLite's code for a statement that fails by itself (a sum beyond 64 bits); every other one tells of the storage."""


def is_passing(error: Exception) -> bool:
    """Whether a failure is the database's (gone, locked, full), not the key's: it is tried again as it is."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, LostLock | SettingsChanged | OSError)
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    if isinstance(error, OperationalError):
        return getattr(error.orig, "sqlite_errorcode", None) != _SQLITE_ERROR
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_PASSING)


async def _isolate(worker: Worker, stage: Stage, site: Site, taken: int, error: Exception) -> None:
    """After a failure: take fewer rows next time; set a single failing key aside so that the rest goes on."""
    log.warning("stage failed", stage=stage.name, site=site.site_id, rows=taken, error=in_words(error))
    if taken > 1:
        worker.shrink(stage)
        return
    connection, here = worker.connection, {"site_id": site.site_id}
    async with worker.database.computing(connection):
        names = queues.dirty_columns(stage.queue)
        key = (await connection.execute(select(*(stage.dirty.c[name] for name in names)).where(of_site(stage.dirty)), here)).one()
    async with worker.database.swapping(connection):
        await confirm(worker, site)
        await set_aside(worker, stage, site, tuple(key), error)
        await connection.execute(queues.delete_taken(stage.queue), here)


async def set_aside(worker: Worker, stage: Stage, site: Site, key: tuple[str, ...], error: Exception) -> None:
    """Inside a transaction: remember a key that made a stage fail even alone."""
    failed = {"site_id": site.site_id, "stage": stage.name, "dirty_key": json.dumps(list(key)), "failed_at": datetime.now(UTC)}
    told = str(error).replace("\0", "")[:2_000]
    await worker.connection.execute(insert_new(worker.database.is_sqlite, tables.failed_keys), failed | {"error": told})
