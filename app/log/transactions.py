"""One plan, one transaction, on either database: the fewest round trips that there can be.

The ORM's way through greenlets, and for SQLite through a thread for each call, would cost more than the writing itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, Protocol

from app.db import Database, FileIdentity, prepare_sqlite
from app.log.plan import Insert, Plan, Written
from app.log.rows import as_arrays, as_json, statement


class Transactions(Protocol):
    """Where plans are run."""

    async def run(self, plan: Plan) -> Written:
        """Run the plan in one transaction; returns after COMMIT."""

    async def close(self) -> None:
        """Let go of the database."""


def transactions_on(database: Database) -> Transactions:
    """Of the kind of the database."""
    return SqliteTransactions(database) if database.is_sqlite else PostgresqlTransactions(database)


class SqliteTransactions:
    """A connection in a thread of its own: a whole transaction is one hop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._connection: sqlite3.Connection | None = None
        self._file: FileIdentity | None = None

    async def run(self, plan: Plan) -> Written:
        """Run the plan in one transaction; returns after COMMIT."""
        async with self._database.turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, plan)

    async def close(self) -> None:
        """Close the connection, in the thread that made it."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    def _run(self, plan: Plan) -> Written:
        try:
            connection = self._connect()
            with closing(connection.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                written = _run_in(cursor, plan)
                cursor.execute("COMMIT")
        except BaseException:
            # A new connection next time: whatever is wrong with this one (its file replaced, say) must not stay wrong.
            self._disconnect()
            raise
        return written

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and not self._database.file.is_still(self._file or (0, 0)):
            raise OSError("the database file was replaced")
        if self._connection is None:
            self._database.file.before_opening()
            self._connection = sqlite3.connect(self._database.url.database or "", isolation_level=None, timeout=30)
            prepare_sqlite(self._connection)
            self._file = self._database.file.opened()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with closing(connection), suppress(sqlite3.Error):
            # Closing alone would leave the transaction, and its lock, to whenever the last cursor is collected.
            connection.rollback()


def _run_in(cursor: sqlite3.Cursor, plan: Plan) -> Written:
    insert = next(plan)
    try:
        while True:
            keys = cursor.execute(statement(insert.table, is_sqlite=True), (as_json(insert.table, insert.rows),)).fetchall()
            insert = plan.send(keys)
    except StopIteration as end:
        written: Written = end.value
        return written


class PostgresqlTransactions:
    """Statements on asyncpg's own connection, lent by the engine's pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, plan: Plan) -> Written:
        """Run the plan in one transaction; returns after COMMIT."""
        async with self._database.engine.connect() as connection:
            driver = await self._driver(connection)
            if driver.is_closed():
                await connection.invalidate()
                driver = await self._driver(connection)
            try:
                async with driver.transaction():
                    return await self._run(driver, plan)
            finally:
                if driver.is_closed():
                    await connection.invalidate()

    async def close(self) -> None:
        """The engine's pool closes what it lent."""

    @staticmethod
    async def _driver(connection: Any) -> Any:
        return (await connection.get_raw_connection()).driver_connection

    @staticmethod
    async def _run(driver: Any, plan: Plan) -> Written:
        insert: Insert = next(plan)
        try:
            while True:
                rows = await driver.fetch(statement(insert.table, is_sqlite=False), *as_arrays(insert.table, insert.rows))
                insert = plan.send([tuple(row) for row in rows])
        except StopIteration as end:
            written: Written = end.value
            return written
