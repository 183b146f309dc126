"""Brings a database's schema up to date: from nothing, or from any earlier version.

Each migration is one transaction on both databases, and a lock keeps a second process waiting until the first is
done. So a process killed half-way leaves the database at the last whole migration, and starting two does no harm.
"""

from __future__ import annotations

import asyncio
import fcntl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

import migrations
from app.db import Database
from app.planner import write_statistics

_ADVISORY_LOCK = 0x636C6F7365646C70
"""Names our lock among a PostgreSQL database's advisory locks: `closedlp`."""

_one_at_a_time = threading.Lock()
"""Alembic keeps its context in a global: inside one process, one migration at a time."""


async def migrate(database_url: str) -> None:
    """Upgrade to the newest version; does nothing if the database is there already. Waits for another's migration."""
    await asyncio.to_thread(upgrade, database_url)


def upgrade(database_url: str, revision: str = "head") -> None:
    """Upgrade to a version. Not for use inside a running event loop."""
    with _one_at_a_time:
        command.upgrade(_config(database_url), revision)
        asyncio.run(_inform_planner(database_url))


def downgrade(database_url: str, revision: str) -> None:
    """Go back to an earlier version (`base`: nothing). Not for use inside a running event loop."""
    with _one_at_a_time:
        command.downgrade(_config(database_url), revision)


async def _inform_planner(database_url: str) -> None:
    database = Database(database_url)
    try:
        if database.is_sqlite:
            async with database.write() as connection:
                await connection.run_sync(write_statistics)
    finally:
        await database.dispose()


async def locked(database_url: str, work: Callable[[Connection], None]) -> None:
    """Call `work` with a connection while no other process migrates the same database."""
    database = Database(database_url)
    lock = _file_lock if database.is_sqlite else _advisory_lock
    try:
        async with lock(database) as connection:
            await connection.run_sync(work)
    finally:
        await database.dispose()


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["database_url"] = database_url
    return config


@asynccontextmanager
async def _advisory_lock(database: Database) -> AsyncIterator[AsyncConnection]:
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
        await connection.commit()
        try:
            yield connection
        finally:
            # Closing gives the lock back, whatever state the transaction is in.
            await connection.invalidate()


@asynccontextmanager
async def _file_lock(database: Database) -> AsyncIterator[AsyncConnection]:
    # A file beside the database, because SQLite's own locks come too late (two first connections that both switch a
    # new file to WAL refuse each other at once), and because closing the database file itself would drop them.
    with await asyncio.to_thread(_locked_file, Path(f"{database.url.database}.migrating")):
        async with database.engine.connect() as connection:
            await connection.execution_options(begin="IMMEDIATE")
            yield connection


def _locked_file(path: Path) -> BinaryIO:
    """The file, opened and locked; waits for whoever has it. Closing it, or dying, gives the lock back."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file
