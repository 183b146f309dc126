"""What commands stand on: the configured database, migrated, and an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from app.commands.terminal import fail, say
from app.db import Database, async_url
from app.logs import configure_logs
from app.migrate import migrate
from app.settings import Settings, settings
from app.sites.site import Site, load_site

_Answer = TypeVar("_Answer")


def run(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a command's work to its end."""
    return asyncio.run(work)


def now() -> datetime:
    """The moment at which a command runs: below, time is an argument."""
    return datetime.now(UTC)


@asynccontextmanager
async def opened() -> AsyncIterator[Database]:
    """The database that is there already, brought up to date. Says what to do where there is none."""
    configured = settings()
    configure_logs("WARNING")
    _demand_file(configured.database_url)
    async with _database(configured) as database:
        yield database


@asynccontextmanager
async def opened_or_made() -> AsyncIterator[Database]:
    """The database, made if there is none, with its first site. Prints keys that were made: they are shown once."""
    async with _database(settings()) as database:
        await make_first_site(database, settings())
        yield database


async def make_first_site(database: Database, configured: Settings) -> None:
    """Make the site `default` and its keys, if there is none yet, and print the keys."""
    from app.sites.authorisation import ensure_first_site

    for key in await ensure_first_site(database, configured, now()):
        say(f"New {key.kind} key of the site default (shown once): {key.value}")


async def site_of(database: Database, site_id: str) -> Site:
    """The site. NotFound if there is none."""
    async with database.read() as connection:
        return await load_site(connection, site_id)


def _demand_file(database_url: str) -> None:
    url = async_url(database_url)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        fail(f"there is no database {url.database}. `closedloop serve` makes it; CLOSEDLOOP_DATABASE_URL names another.")


@asynccontextmanager
async def _database(configured: Settings) -> AsyncIterator[Database]:
    await migrate(configured.database_url)
    database = Database(configured.database_url)
    try:
        yield database
    finally:
        await database.dispose()
