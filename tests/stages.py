"""Runs one stage of the pipeline over its queue, without the stages around it."""

from __future__ import annotations

from app import queue as queues
from app import swap, tables
from app.db import Database
from app.sites.site import Site
from app.swap import Stage


async def run_stage(database: Database, site: Site, stage: Stage, *, limit: int = 1_000) -> None:
    """Compute and swap everything that is queued for a stage."""
    here = {"site_id": site.site_id}
    async with database.worker() as connection:
        while True:
            async with database.computing(connection):
                await connection.execute(swap.clear(tables.taken_rows), here)
                await connection.execute(swap.clear(stage.dirty), here)
                await connection.execute(queues.take(stage.queue), {**here, "limit": limit})
                await connection.execute(queues.taken_keys(stage.queue), here)
                taken, oldest = (await connection.execute(queues.oldest_taken(stage.queue), here)).one()
                if taken:
                    changes = await swap.compute(connection, database.is_sqlite, stage, site, enqueue=True)
            async with database.swapping(connection):
                if taken:
                    await swap.swap(connection, database.is_sqlite, stage, site, changes, oldest, enqueue=True)
                    await connection.execute(queues.delete_taken(stage.queue), here)
            if not taken:
                return
