"""The SQL of the pipeline's stages as both databases get it, so that a review shows it. Rewrite with `pytest --snapshot-update`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ClauseElement, event, insert
from sqlalchemy.dialects import postgresql, sqlite
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from app import queue
from app.attribution import months_stage as months
from app.attribution import sums_stage as sums
from app.db import Database
from app.deals import stage as deals
from app.identity import spans_stage as spans
from app.identity import stage as identity
from app.journeys import conversions_stage as conversions
from app.journeys import journeys_stage as journeys
from app.properties import stage as properties
from app.sales import opportunities_stage as opportunities
from app.sales import stages_stage as stages
from app.sites.site import Site
from app.swap import Stage
from app.touches import stage as touches
from tests.facts import at
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

STAGES = {
    stage.name: stage
    for stage in (
        touches.STAGE, identity.STAGE, spans.STAGE, properties.STAGE, deals.STAGE, conversions.STAGE, journeys.STAGE, sums.STAGE,
        months.STAGE, opportunities.STAGE, stages.STAGE,
    )
}  # fmt: skip


class SqlFiles(SingleFileSnapshotExtension):
    """One `.sql` file a stage and database, under tests/snapshots/test_pipeline_sql."""

    file_extension = "sql"
    _write_mode = WriteMode.TEXT

    @classmethod
    def dirname(cls, *, test_location: Any) -> str:
        return str(Path(test_location.filepath).parent / "snapshots" / test_location.basename)


def _text_of(statement: ClauseElement, *, is_sqlite: bool) -> str:
    """The statement with its constants written out; what each run brings stays `:named`."""
    dialect = (sqlite if is_sqlite else postgresql).dialect(paramstyle="named")
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": False})
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    written = re.sub(r":(\w+)", lambda found: repr(constants[found[1]]) if found[1] in constants else found[0], str(compiled))
    broken = re.sub(r" (SELECT|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LEFT OUTER JOIN|JOIN|UNION ALL|UNION) ", r"\n\1 ", written)
    return broken.replace(" \n", "\n").strip() + ";\n"


async def _executed(database: Database, site: Site, stage: Stage) -> list[str]:
    """The distinct statements that a stage executes for one dirty key of which nothing is known, after taking it."""
    found: list[ClauseElement] = []

    def note(_connection: Any, statement: ClauseElement, *_rest: Any) -> None:
        found.append(statement)

    key = ("nobody",) * len(queue.dirty_columns(stage.queue))
    async with database.write() as connection:
        await connection.execute(insert(stage.queue), queue.rows_to_enqueue(stage.queue, site.site_id, [key], at(0)))
    event.listen(database.engine.sync_engine, "before_execute", note)
    await run_stage(database, site, stage)
    event.remove(database.engine.sync_engine, "before_execute", note)
    texts = dict.fromkeys(_text_of(statement, is_sqlite=database.is_sqlite) for statement in found)
    return [text for text in texts if "taken_rows" not in text and "sqlite_stat1" not in text]


@pytest.mark.parametrize("name", STAGES)
async def test_sql(database: Database, site: Site, name: str, snapshot: SnapshotAssertion) -> None:
    statements = await _executed(database, site, STAGES[name])
    assert len(statements) > len(STAGES[name].targets) * 4
    assert "\n".join(statements) == snapshot(extension_class=SqlFiles)
