"""Migrations: from an empty database to `app/tables.py` and back, with another process at it, and after a kill."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, DefaultClause, MetaData, inspect, text

from app import tables
from app.commands.complaints import complaint
from app.db import Database
from app.migrate import downgrade, migrate, upgrade

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[1]

MIGRATE = "import sys; from app.migrate import upgrade; upgrade(sys.argv[1])"

# Stops, and says so, in the middle of the first migration: the connection that migrates has made some tables by then.
MIGRATE_HALFWAY = """
import sys, time
from alembic import op
from app.migrate import upgrade
create_table = op.create_table
def create_and_stop(name, *columns, **rest):
    create_table(name, *columns, **rest)
    if name == "events":
        print("halfway", flush=True)
        time.sleep(600)
op.create_table = create_and_stop
upgrade(sys.argv[1])
"""


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of its own, killed at the end if it still runs."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()


def wait_for_output(started: subprocess.Popen[bytes], seconds: float = 60) -> bytes:
    """The first line that the process prints."""
    assert started.stdout is not None
    assert select.select([started.stdout], [], [], seconds)[0], "nothing was printed in time"
    return started.stdout.readline()


async def differences(database: Database, metadata: MetaData) -> list[Any]:
    """What Alembic would have to do to make the database equal to the tables; other tables do not count."""

    def is_ours(_thing: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
        return kind != "table" or name in metadata.tables

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_server_default": is_another_default if database.is_sqlite else True, "include_object": is_ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)


def is_another_default(_context: Any, _column: Any, _table_column: Any, found: str | None, _default: Any, wanted: str | None) -> bool:
    """Alembic's own comparison takes SQLite's `('')` for another default than the empty text."""
    return (found is None) != (wanted is None) or (found or "").strip("()'") != (wanted or "").strip("'")


async def table_names(database: Database) -> set[str]:
    """The tables that are there, temporary ones left out."""
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_upgrading_from_empty_gives_the_tables(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    database = Database(empty_database_url)
    assert await differences(database, tables.metadata) == []
    expected = {*tables.metadata.tables, "alembic_version"}
    if not database.is_sqlite:
        assert await differences(database, tables.staging) == []
        expected |= set(tables.staging.tables)
    assert await table_names(database) == expected
    await database.dispose()


async def test_the_comparison_sees_a_changed_comment_default_and_column(database: Database) -> None:
    changed = MetaData(naming_convention=tables.metadata.naming_convention)
    sites = tables.sites.to_metadata(changed)
    sites.c.created_at.comment = "Another comment."
    sites.c.created_at.server_default = DefaultClause("5")
    sites.append_column(tables.Column("more", tables.Text))
    found = await differences(database, changed)
    kinds = {kind for change in found for kind, *_ in (change if isinstance(change, list) else [change])}
    assert kinds == {"add_column", "modify_default"} | (set() if database.is_sqlite else {"modify_comment"})


async def test_staging_tables_are_unlogged(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    query = text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'")
    async with database.read() as connection:
        assert set((await connection.execute(query)).scalars()) == set(tables.staging.tables)
    await database.dispose()


async def test_key_columns_compare_byte_by_byte(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    query = text(
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND collation_name = 'C' AND table_name <> 'alembic_version'"
    )
    everything = [*tables.metadata.tables.values(), *tables.staging.tables.values()]
    expected = {f"{table.name}.{column.name}" for table in everything for column in table.columns if column.type is tables.Key}
    async with database.read() as connection:
        assert set((await connection.execute(query)).scalars()) == expected
    await database.dispose()


@pytest.mark.parametrize("queue", tables.QUEUES, ids=lambda queue: queue.name)
async def test_queue_numbers_are_given_by_the_database(database: Database, queue: Any) -> None:
    row = {"site_id": "default", "received_at": 0}
    async with database.write() as connection:
        await connection.execute(queue.insert(), [row, row])
        numbers = list((await connection.execute(queue.select())).scalars())
    assert len(set(numbers)) == 2


async def test_upgrading_again_changes_nothing(database_url: str) -> None:
    await migrate(database_url)
    await migrate(database_url)
    database = Database(database_url)
    async with database.read() as connection:
        versions = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all()
    assert len(versions) == 1
    await database.dispose()


def test_downgrading_leaves_nothing_behind(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    downgrade(empty_database_url, "base")
    assert _table_names(empty_database_url) == {"alembic_version"}
    upgrade(empty_database_url)
    assert "events" in _table_names(empty_database_url)


def test_two_processes_may_migrate_at_once(empty_database_url: str) -> None:
    with process(MIGRATE, empty_database_url) as first, process(MIGRATE, empty_database_url) as second:
        assert first.wait(60) == 0
        assert second.wait(60) == 0
    assert "events" in _table_names(empty_database_url)


def test_a_second_process_waits_for_the_first(empty_database_url: str) -> None:
    with process(MIGRATE_HALFWAY, empty_database_url) as first:
        assert wait_for_output(first) == b"halfway\n"
        with process(MIGRATE + "; print('done')", empty_database_url) as second:
            assert second.stdout is not None
            assert not select.select([second.stdout], [], [], 3)[0]
            assert second.poll() is None
            os.kill(first.pid, signal.SIGKILL)
            assert wait_for_output(second) == b"done\n"
            assert second.wait(60) == 0
    assert "events" in _table_names(empty_database_url)


def test_a_kill_half_way_leaves_nothing_of_the_migration(empty_database_url: str) -> None:
    with process(MIGRATE_HALFWAY, empty_database_url) as first:
        assert wait_for_output(first) == b"halfway\n"
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait(60) == -signal.SIGKILL
    assert "events" not in _table_names(empty_database_url)
    upgrade(empty_database_url)
    assert {*tables.metadata.tables} <= _table_names(empty_database_url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="name a file"):
        upgrade(url)


def _table_names(url: str) -> set[str]:
    async def read() -> set[str]:
        database = Database(url)
        try:
            return await table_names(database)
        finally:
            await database.dispose()

    return asyncio.run(read())


def test_a_database_of_another_version_is_refused_with_what_to_do(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    asyncio.run(_pretend_version(empty_database_url, "somebody_elses"))
    with pytest.raises(CommandError) as refused:
        upgrade(empty_database_url)
    assert "another version" in str(complaint(refused.value))


async def _pretend_version(url: str, version: str) -> None:
    database = Database(url)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    await database.dispose()
