"""A check: each stage computed from its stored inputs and compared with what is stored. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from app import swap
from app.db import Database
from app.pipeline.rebuild import fill_dirty
from app.pipeline.stages import STAGES
from app.pipeline.unsettled import leave_out
from app.sites.site import Site
from app.swap import Stage


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
        last, count = await fill_dirty(connection, stage, site, after, min(chunk, stage.batch.most))
        rows: dict[str, int] = {}
        if last is not None:
            for statement in leave_out(stage):
                await connection.execute(statement, {"site_id": site.site_id})
            changes = await swap.compute(connection, database.is_sqlite, stage, site, enqueue=False)
            rows = {table: change.rows for table, change in changes.items()}
    if not database.is_sqlite:
        await connection.commit()
    return last, count, rows
