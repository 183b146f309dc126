"""The database that tests share, one after another: whatever a test does to it, the next finds it as new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

Url = Callable[[str], str]


@pytest.fixture
def fresh(reused_postgresql: Url, postgresql_site_template: str) -> Callable[[], str]:
    """Calls for the database as the next test would get it."""
    return lambda: reused_postgresql(postgresql_site_template)


def ask(url: str, *statements: str) -> Any:
    """Runs the statements, and answers the first value of the last."""

    async def connected() -> Any:
        connection = await asyncpg.connect(url)
        try:
            answers = [await connection.fetchval(statement) for statement in statements]
        finally:
            await connection.close()
        return answers[-1]

    return asyncio.run(connected())


ENQUEUE = "INSERT INTO labels_queue (site_id, received_at) VALUES ('default', 0) RETURNING queue_id"
MARK = "CREATE TABLE IF NOT EXISTS kept_rows.mark ()"
"""Leaves the tables alone: it tells whether the database is still the same one."""
IS_MARKED = "SELECT to_regclass('kept_rows.mark') IS NOT NULL"


def test_rows_and_numbers_are_as_at_first(fresh: Callable[[], str]) -> None:
    url = fresh()
    days = ask(url, MARK, "SELECT count(*) FROM local_days")
    changes = ("DELETE FROM origins", "UPDATE sites SET hash_key = 'x'", "DELETE FROM local_days WHERE day > '2026'")
    assert ask(url, *changes, ENQUEUE, ENQUEUE) == 2
    assert fresh() == url
    assert ask(url, "SELECT count(*) FROM labels_queue") == 0
    assert ask(url, "SELECT count(*) FROM origins") == 1
    assert ask(url, "SELECT count(*) FROM local_days") == days
    assert ask(url, "SELECT count(*) FROM sites WHERE hash_key = 'x'") == 0
    assert ask(url, ENQUEUE) == 1
    assert ask(url, IS_MARKED)


# Other processes have databases of their own on the same server, and hold locks there.
HELD_LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND datname = current_database()
"""


def test_an_open_transaction_and_its_locks_are_ended(fresh: Callable[[], str]) -> None:
    async def left_open(url: str) -> asyncpg.Connection[Any]:
        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN; LOCK TABLE events; SELECT pg_advisory_lock(1)")
        return connection

    with asyncio.Runner() as runner:
        left = runner.run(left_open(fresh()))
        url = fresh()
        assert ask(url, HELD_LOCKS) == 0
        left.terminate()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE events RENAME TO gone",
        "CREATE INDEX ON events (title)",
        "ALTER TABLE events ALTER title SET DEFAULT 'x'",
        "CREATE TABLE another ()",
        "DROP TABLE goal_events",
    ],
)
def test_a_changed_schema_makes_a_new_copy(fresh: Callable[[], str], change: str) -> None:
    url = fresh()
    ask(url, MARK, change)
    assert not ask(fresh(), IS_MARKED)
    assert ask(fresh(), "SELECT count(*) FROM events JOIN goal_events USING (site_id) WHERE title = ''") == 0


def test_a_cut_connection_makes_a_new_copy(fresh: Callable[[], str]) -> None:
    url = fresh()
    ask(url, MARK, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    assert not ask(fresh(), IS_MARKED)
    assert ask(fresh(), "SELECT count(*) FROM sites") == 1
