"""How SQLite reads what the doctor asks for: a few tables of the site whole, each a few times, and all else by index."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from app import tables
from app.db import Database
from tests.reports.doctor.cast import page, seen, won
from tests.reports.doctor.test_doctor import examined
from tests.reports.story import tell

pytestmark = pytest.mark.anyio

WHOLE = {"events": 3, "touches": 2, "crm_facts": 1}
"""How often each large table is gone through."""
_SMALL = re.compile(r"\w*_queue|models|rebuilds|connections|sites|crm_(fetches|polls|pauses)|crowded_days|failed_keys|latest_runs|form_labels")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_large_tables_are_gone_through_as_seldom_as_can_be(client: httpx.AsyncClient, database: Database) -> None:
    tagged = page("prices?utm_source=home&utm_medium=banner&utm_campaign=hero", "https://acme.example/")
    facts = [*seen("payer", page(referrer="https://pay.bank.example/"), tagged), *won("payer", 4), *seen("click", page("?gclid=abc"))]
    await tell(client, database, *facts)
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        executed.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await examined(database)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    whole: Counter[str] = Counter()
    async with database.read() as connection:
        for statement, parameters in executed:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            whole.update(table for row in plan if (table := _gone_through(row[-1])))
    assert whole == WHOLE


def _gone_through(step: str) -> str | None:
    """The large table of whose rows of a site a step of a plan goes through all, or through each visitor's; None: none."""
    read = re.match(r"(SCAN|SEARCH) (\w+)", step)
    if read is None or read[2] not in tables.metadata.tables or _SMALL.fullmatch(read[2]):
        return None
    return read[2] if read[1] == "SCAN" or step.endswith("(site_id=?)") or "ANY(" in step else None
