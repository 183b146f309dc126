"""One worker at a time for each site.

On PostgreSQL a session lock on the worker's own connection (it goes with the connection), confirmed in each swap by
an epoch row locked `FOR UPDATE`; on SQLite a lock on a file beside the database (it goes with the process).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import Database
from app.ids import digest, digest_64

_epochs = tables.worker_epochs


class LostLock(Exception):
    """Another worker has taken over the site: what was computed is not written."""


class SiteLocks:
    """The locks that one worker holds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._files: dict[str, int] = {}
        self._epochs: dict[str, int] = {}

    async def take(self, connection: AsyncConnection, site_id: str) -> bool:
        """Whether this worker holds the site's lock now (it may have held it already)."""
        if site_id in self._files or site_id in self._epochs:
            return True
        if self._database.is_sqlite:
            return self._lock_file(site_id)
        return await self._lock_session(connection, site_id)

    async def confirm(self, connection: AsyncConnection, site_id: str) -> None:
        """Inside a swap: no other worker has taken over. LostLock otherwise."""
        if self._database.is_sqlite:
            return
        epoch = await connection.scalar(
            select(_epochs.c.epoch).where(_epochs.c.site_id == bindparam("site_id")).with_for_update(), {"site_id": site_id}
        )
        if epoch != self._epochs.get(site_id):
            self._epochs.pop(site_id, None)
            raise LostLock(f"another worker has taken over site {site_id!r}")

    def release_files(self) -> None:
        """Give up the file locks (session locks go with the connection)."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def _lock_file(self, site_id: str) -> bool:
        path = lock_path(self._database, site_id)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._files[site_id] = descriptor
        return True

    async def _lock_session(self, connection: AsyncConnection, site_id: str) -> bool:
        await connection.begin()
        try:
            if not await connection.scalar(select(func.pg_try_advisory_lock(digest_64("worker", site_id)))):
                return False
            raised = (
                postgresql.insert(_epochs)
                .values(site_id=site_id, epoch=1)
                .on_conflict_do_update(index_elements=["site_id"], set_={"epoch": _epochs.c.epoch + 1})
                .returning(_epochs.c.epoch)
            )
            self._epochs[site_id] = int(await connection.scalar(raised) or 0)
            return True
        finally:
            await connection.commit()


async def stop_swaps(connection: AsyncConnection, site_id: str) -> None:
    """Inside a transaction of whoever takes away what workers compute from: no worker swaps until it ends. On SQLite none
    does while anybody writes."""
    if connection.dialect.name != "postgresql":
        return
    await connection.execute(postgresql.insert(_epochs).values(site_id=site_id, epoch=0).on_conflict_do_nothing())
    await connection.execute(select(_epochs.c.epoch).where(_epochs.c.site_id == site_id).with_for_update())


def lock_path(database: Database, site_id: str) -> Path:
    """The lock file of a site, beside its SQLite database."""
    return Path(f"{database.url.database}.worker-{digest(site_id)[:10]}.lock")


@contextmanager
def holding(database: Database) -> Iterator[SiteLocks]:
    """Locks that are given up at the end of the block."""
    locks = SiteLocks(database)
    try:
        yield locks
    finally:
        locks.release_files()
