"""Many small cases in one database: each is a site of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import Table, insert

from app import queue, tables
from app.db import Database, insert_new
from app.sites.site import Site
from app.swap import Stage
from tests.facts import at
from tests.rows import assert_rows
from tests.stages import run_stage

Rows = list[tuple[Table, dict[str, Any]]]


async def run_cases(database: Database, site: Site, stage: Stage, cases: Mapping[str, tuple[Rows, Sequence[tuple[str, ...]]]]) -> None:
    """Write each case's rows and dirty keys under a site of the case's name, and run the stage for it."""
    async with database.write() as connection:
        for name, (rows, keys) in cases.items():
            in_order = sorted(rows, key=lambda row: row[0].name)
            for table, group in groupby(in_order, key=lambda row: row[0]):
                await connection.execute(insert_new(database.is_sqlite, table), [{**row, "site_id": name} for _, row in group])
            await connection.execute(insert(stage.queue), queue.rows_to_enqueue(stage.queue, name, keys, at(0)))
    for name in cases:
        await run_stage(database, replace(site, site_id=name), stage)


async def assert_cases(database: Database, table: Table, columns: Sequence[str], expected: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Fails unless the table has these rows of each case, and no others."""
    rows = [[name, *row] for name, of_case in expected.items() for row in of_case]
    await assert_rows(database, table, ["site_id", *columns], rows)


def a_local_day(day: str, minutes: float) -> Rows:
    """A day of the case's site, and when it starts."""
    return [(tables.local_days, {"site_id": "default", "day": day, "starts_at": at(minutes)})]
