"""A rebuild: everything computed anew from a stage on, in chunks of keys, by a stored cursor."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import swap, tables
from app.db import Database
from app.pipeline.batches import Worker, confirm, finish, is_passing, set_aside
from app.pipeline.stages import STAGES
from app.sites.site import Site
from app.swap import Stage
from app.tables import of_site


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


@dataclass(frozen=True)
class Cursor:
    """How far a rebuild has come."""

    started_at: datetime
    stage: str
    after_key: str
    keys_left: int

    @property
    def after(self) -> tuple[str, ...]:
        """The last key done in the stage; empty at its beginning."""
        return tuple(json.loads(self.after_key))


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
    cursor = Cursor(row["started_at"], row["stage"], row["after_key"], int(row["keys_left"]))
    try:
        await _rebuild_keys(worker, stage, site, cursor)
    except Exception as error:
        if is_passing(error):
            raise
        if worker.batch_of(stage) > 1:
            worker.shrink(stage)
        else:
            await _pass_over(worker, stage, site, cursor, error)
    return 1


async def _pass_over(worker: Worker, stage: Stage, site: Site, cursor: Cursor, error: Exception) -> None:
    """Set the next key aside, which made the stage fail, and move the cursor past it. The error, if there is none."""
    async with worker.database.computing(worker.connection):
        last, count = await fill_dirty(worker.connection, stage, site, cursor.after, 1)
    if last is None:
        raise error
    async with worker.database.swapping(worker.connection):
        await confirm(worker, site)
        await set_aside(worker, stage, site, last, error)
        await worker.connection.execute(_moved_cursor(site, stage, cursor, last, count))


async def _rebuild_keys(worker: Worker, stage: Stage, site: Site, cursor: Cursor) -> None:
    connection, database = worker.connection, worker.database
    limit = worker.batch_of(stage)
    await finish(worker, stage.needs_first, site)
    began = time.perf_counter()
    changes: swap.Changes = {}
    async with database.computing(connection):
        last, count = await fill_dirty(connection, stage, site, cursor.after, limit)
        if last is not None:
            changes = await swap.compute(connection, database.is_sqlite, stage, site, enqueue=False)
    computing = time.perf_counter() - began
    async with database.swapping(connection):
        began = time.perf_counter()
        await confirm(worker, site)
        if not cursor.after:
            await connection.execute(_forget_failed(stage), {"site_id": site.site_id})
        if last is None:
            # What a rebuild from nothing has just filled, the next stages join with.
            await swap.analyse(connection, *(target.table for target in stage.targets))
        else:
            await swap.swap(connection, database.is_sqlite, stage, site, changes, None, enqueue=False)
        await connection.execute(_moved_cursor(site, stage, cursor, last, count))
        worker.learn(stage, computing, time.perf_counter() - began, count >= limit)


def _forget_failed(stage: Stage) -> Any:
    """Forgets which keys of a stage were set aside: a rebuild tries them all again."""
    return delete(tables.failed_keys).where(of_site(tables.failed_keys), tables.failed_keys.c.stage == stage.name)


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


def _moved_cursor(site: Site, stage: Stage, cursor: Cursor, last: tuple[str, ...] | None, count: int) -> Any:
    """Moves the cursor past what was done, to the next stage, or away at the end; not if it is another one by now
    (a rebuild that was asked for meanwhile)."""
    row = tables.rebuilds.c
    is_this = and_(
        row.site_id == site.site_id, row.started_at == cursor.started_at, row.stage == cursor.stage, row.after_key == cursor.after_key
    )
    if last is not None:
        left = max(1, cursor.keys_left - count)
        return update(tables.rebuilds).where(is_this).values(after_key=json.dumps(list(last)), keys_left=left)
    following = STAGES[STAGES.index(stage) + 1 :]
    if following:
        return update(tables.rebuilds).where(is_this).values(stage=following[0].name, after_key="[]")
    return delete(tables.rebuilds).where(is_this)
