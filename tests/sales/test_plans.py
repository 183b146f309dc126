"""How SQLite reads what the stages of sales ask for: by keys, however large the site."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event, insert

from app import queue, tables
from app.db import Database
from app.sales import activities_stage, opportunities_stage
from app.sites.site import Site
from app.swap import Stage
from tests.facts import at
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

_SMALL = re.compile(r"dirty_|staged_|taken_|concerned_|sqlite_|changed_")
"""Beginnings of the tables that hold no more than what is dirty."""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("stage", [activities_stage.STAGE, opportunities_stage.STAGE], ids=lambda stage: stage.name)
async def test_no_table_of_the_site_is_read_whole(database: Database, site: Site, stage: Stage) -> None:
    key = ("nobody",) * len(queue.dirty_columns(stage.queue))
    async with database.write() as connection:
        await connection.execute(insert(stage.queue), queue.rows_to_enqueue(stage.queue, site.site_id, [key], at(0)))
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if re.search(r"INSERT INTO (staged|concerned)_", statement):
            executed.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await run_stage(database, site, stage)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert executed
    async with database.worker() as connection, database.computing(connection):
        plans = [await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", each) for statement, each in executed]
        steps = [row[-1] for plan in plans for row in plan]
    assert [step for step in steps if _reads_all(step)] == []


def _reads_all(step: str) -> bool:
    """Whether a step of a plan goes through all rows of a site."""
    read = re.match(r"(SCAN|SEARCH) (\w+)", step)
    if read is None or _SMALL.match(read[2]):
        return False
    return step.endswith("(site_id=?)") or (read[1] == "SCAN" and read[2] in tables.metadata.tables)
