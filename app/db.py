"""The engine, the transactions, and the few seams where SQLite and PostgreSQL differ.

Three kinds of transaction, each a context manager of `Database`; nothing else in the service commits:

- `read()`: one snapshot, for reports.
- `write()`: begins with the write lock on SQLite (a read that turns into a write is refused at once there, whatever
  the busy timeout), so it does not wait half-way.
- `worker()`: a connection of the pipeline's own with its staging tables; see `app.swap`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Insert, Select, Table, event, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import BigInteger, Integer

from app import tables
from app.planner import write_statistics

_BUSY_MILLISECONDS = 30_000

FileIdentity = tuple[int, int]
"""Device and inode."""


class DatabaseFile:
    """The file of a SQLite database. A connection goes on writing a file that was deleted or replaced under it, and
    what it acknowledges is lost: so each transaction asks first whether the file is still the one that was opened."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._has_been_there = False

    def before_opening(self) -> None:
        """FileNotFoundError where SQLite would make an empty file in the place of one that was there."""
        if self._has_been_there:
            self._path.stat()

    def opened(self) -> FileIdentity:
        """Which file has just been opened."""
        self._has_been_there = True
        return self._identity()

    def is_still(self, opened: FileIdentity) -> bool:
        """Whether the path leads to the file that was opened. FileNotFoundError if it leads nowhere."""
        return self._identity() == opened

    def _identity(self) -> FileIdentity:
        found = self._path.stat()
        return found.st_dev, found.st_ino


class Database:
    """One database: its engine and its transactions."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = async_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = DatabaseFile(self.url.database or "")
        self.engine = _sqlite_engine(self.url, self.file, pool_size) if self.is_sqlite else _postgresql_engine(self.url, pool_size)
        # SQLite's own waiting is neither fair nor quick to wake: inside one process, writers queue here.
        self.turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one snapshot. What it writes is rolled back."""
        async with self.engine.connect() as connection:
            if not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            await connection.begin()
            yield connection
            await connection.rollback()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed to disk when the block ends, rolled back if it raises."""
        if not self.is_sqlite:
            async with self.engine.begin() as connection:
                yield connection
            return
        async with self.turn, self.engine.connect() as connection:
            await connection.execution_options(begin="IMMEDIATE")
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def worker(self, *, private: bool = False) -> AsyncIterator[AsyncConnection]:
        """The pipeline's own connection, with staging tables; it begins and ends transactions by `computing`, `swapping`.

        `private` staging is this connection's alone on PostgreSQL too: temporary tables that stand before the
        permanent ones of the same names, so that a check does not disturb the worker; and each transaction sees one
        snapshot, so that what is compared belongs together.
        """
        async with self.engine.connect() as connection:
            if not self.is_sqlite:
                await self._prepare_session(connection)
            if self.is_sqlite or private:
                await self._prepare_staging(connection)
            if private and not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            try:
                yield connection
            finally:
                await connection.invalidate()

    async def _prepare_session(self, connection: AsyncConnection) -> None:
        """PostgreSQL's settings for the pipeline.

        A stage looks up a batch of keys in large tables. A merge join reads an index from its beginning to find
        keys at its end, and so costs a rebuild the square of its size (14,800 events/s at a million, and falling);
        and what a stage reads lies in memory, where a random page costs little more than the next.

        Commits do not wait for the disk, as on SQLite: a swap commits derived rows together with the deletion of their
        queue rows (or with the rebuild's cursor), and the log is written in order, so a server that crashes forgets the
        newest swaps whole, and they are computed again. Ingestion's commits wait as ever, also for all before them.
        """
        for setting in ("enable_mergejoin = off", "random_page_cost = 1.1", "work_mem = '64MB'", "synchronous_commit = off"):
            await connection.exec_driver_sql(f"SET {setting}")
        await connection.commit()

    async def _prepare_staging(self, connection: AsyncConnection) -> None:
        if self.is_sqlite:
            # Derived rows and the deletion of their queue rows commit together, so losing the newest of them to a
            # power cut loses nothing: the next commit of ingestion (FULL) makes them durable anyway.
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute("PRAGMA synchronous=NORMAL")
        for staging_table in tables.staging.sorted_tables:
            await connection.exec_driver_sql(create_staging(staging_table, self.is_sqlite, "TEMPORARY"))
        if self.is_sqlite:
            await connection.run_sync(write_statistics, tables.staging, "temp")
        await connection.commit()

    @asynccontextmanager
    async def computing(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """A transaction that only reads the database and fills staging: it takes no write lock on SQLite.

        It ends by COMMIT: a rollback would empty SQLite's temporary tables. On PostgreSQL it stays open, and
        `swapping` goes on in it.
        """
        if self.is_sqlite:
            self._check_file(connection)
        await connection.execution_options(begin="DEFERRED")
        await connection.begin()
        try:
            yield
        except BaseException:
            await connection.rollback()
            raise
        if self.is_sqlite:
            await connection.commit()

    @asynccontextmanager
    async def swapping(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """The transaction that writes what `computing` staged."""
        if not self.is_sqlite:
            try:
                yield
            except BaseException:
                await connection.rollback()
                raise
            await connection.commit()
            return
        async with self.turn:
            self._check_file(connection)
            await connection.execution_options(begin="IMMEDIATE")
            async with connection.begin():
                yield

    def _check_file(self, connection: AsyncConnection) -> None:
        """OSError if a connection that was kept (the worker's) has another file open than there is now."""
        pooled = connection.sync_connection
        if pooled is not None and not self.file.is_still(pooled.connection.info["file"]):
            raise OSError("the database file was replaced")

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def async_url(url: str) -> URL:
    """The URL with its asynchronous driver; `?sslmode=` becomes what asyncpg understands."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise ValueError("a database in memory is another one for each connection: name a file, as in sqlite:///closedloop.db")
        return parsed.set(drivername="sqlite+aiosqlite")
    if parsed.get_backend_name() != "postgresql":
        raise ValueError(f"unknown database {parsed.get_backend_name()!r}: use sqlite:///file or postgresql://…")
    query = dict(parsed.query)
    if mode := query.pop("sslmode", None):
        query["ssl"] = mode
    return parsed.set(drivername="postgresql+asyncpg", query=query)


def _sqlite_engine(url: URL, file: DatabaseFile, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        # The text of an error would carry what was being written into the log.
        hide_parameters=True,
        connect_args={"isolation_level": None, "timeout": _BUSY_MILLISECONDS / 1000},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def before_opening(*_: Any) -> None:
        file.before_opening()

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:
        prepare_sqlite(connection)
        record.info["file"] = file.opened()

    @event.listens_for(engine.sync_engine, "checkout")
    def check(_connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if not file.is_still(record.info["file"]):
            raise DisconnectionError  # the pool opens another

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")

    return engine


def prepare_sqlite(connection: Any) -> None:
    """Set a new connection up: what is committed is on disk, and readers never wait for the writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA mmap_size=1073741824")
    # 32 MB: a page that many commits change is copied back once. At the default of 4 MB, one commit in a hundred of
    # ingestion took 110 to 140 ms; here 30 to 40.
    cursor.execute("PRAGMA wal_autocheckpoint=8000")
    cursor.close()


def _postgresql_engine(url: URL, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=False,
        hide_parameters=True,
        # JIT costs more than it saves on statements of milliseconds.
        connect_args={"server_settings": {"jit": "off", "application_name": "closedloop"}},
    )


def create_staging(table: Table, is_sqlite: bool, kind: str) -> str:
    """The DDL of a staging table: `TEMPORARY` for one connection, `UNLOGGED` for PostgreSQL's permanent ones."""
    dialect: Dialect = sqlite.dialect() if is_sqlite else postgresql.dialect()  # type: ignore[no-untyped-call]
    ddl = str(CreateTable(table).compile(dialect=dialect)).strip()
    return ddl.replace("CREATE TABLE ", f"CREATE {kind} TABLE ", 1)


def upsert(is_sqlite: bool, target: Table, rows: Select[Any], columns: list[str]) -> Insert:
    """INSERT … SELECT … ON CONFLICT (primary key) DO UPDATE every other column. `rows` must have a WHERE clause
    (SQLite cannot otherwise tell its ON CONFLICT from a join's ON)."""
    construct = (sqlite.insert if is_sqlite else postgresql.insert)(target).from_select(columns, rows)
    keys = [c.name for c in target.primary_key.columns]
    others = {name: construct.excluded[name] for name in columns if name not in keys}
    if not others:
        return construct.on_conflict_do_nothing(index_elements=keys)
    return construct.on_conflict_do_update(index_elements=keys, set_=others)


def replace_rows(is_sqlite: bool, target: Table) -> Insert:
    """INSERT … ON CONFLICT (primary key) DO UPDATE every other column, for rows given as parameters."""
    construct = (sqlite.insert if is_sqlite else postgresql.insert)(target)
    keys = [c.name for c in target.primary_key.columns]
    others = {c.name: construct.excluded[c.name] for c in target.columns if not c.primary_key}
    return construct.on_conflict_do_update(index_elements=keys, set_=others)


def insert_new(is_sqlite: bool, target: Table) -> Insert:
    """INSERT … ON CONFLICT DO NOTHING, for rows given as parameters."""
    return (sqlite.insert if is_sqlite else postgresql.insert)(target).on_conflict_do_nothing()


def micros(moment: ColumnElement[Any]) -> ColumnElement[int]:
    """A `Moment` as a bare integer of microseconds, for arithmetic."""
    return type_coerce(moment, BigInteger)


class least(FunctionElement[Any]):
    """The smallest of its arguments. None of them may be null: the databases disagree about what that means."""

    inherit_cache = True
    name = "least"


class greatest(FunctionElement[Any]):
    """The largest of its arguments. None of them may be null: the databases disagree about what that means."""

    inherit_cache = True
    name = "greatest"


@compiles(least)
@compiles(greatest)
def _standard(element: FunctionElement[Any], compiler: Any, **kw: Any) -> str:
    return f"{element.name}({compiler.process(element.clauses, **kw)})"


@compiles(least, "sqlite")
@compiles(greatest, "sqlite")
def _sqlite_scalar(element: FunctionElement[Any], compiler: Any, **kw: Any) -> str:
    return f"{'min' if element.name == 'least' else 'max'}({compiler.process(element.clauses, **kw)})"


class position_of(FunctionElement[int]):
    """Where the second text first stands in the first, from 1; 0: nowhere."""

    inherit_cache = True
    name = "position_of"
    type = Integer()


@compiles(position_of)
def _strpos(element: FunctionElement[Any], compiler: Any, **kw: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **kw)})"


@compiles(position_of, "sqlite")
def _instr(element: FunctionElement[Any], compiler: Any, **kw: Any) -> str:
    return f"instr({compiler.process(element.clauses, **kw)})"
