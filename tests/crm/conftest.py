"""A CRM that does not exist, a connection to it, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import tables
from app.crm.api import api_of
from app.crm.calls import Calls
from app.crm.fetching import fetch_batch
from app.crm.polling import Polled, begin_anew, poll_page
from app.db import Database
from app.log import Log
from app.sites.connections import Connection, create_connection
from app.sites.directory import Directory
from app.sites.site import Site
from tests.crm.made_up import PROVIDER, SECRET, STAND_IN, TOKEN, MadeUpCrm, serving

START = datetime(2026, 3, 4, 10, tzinfo=UTC)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Crm:
    """The made-up CRM, and the connection to it."""

    server: MadeUpCrm
    calls: Calls
    sender: Connection
    clock: Clock

    async def told(self, *records: str, kind: str = "deals") -> None:
        """Notices came in: `record` or `record/notice`."""
        changes = [{"id": each, "kind": kind, "record": each.partition("/")[0]} for each in records]
        await receive(self.calls, self.sender, changes)

    async def fetch(self, seconds: float = 5.0) -> int:
        """Fetch until nothing is due. How many batches."""
        async with api_of(self.sender, PROVIDER, allow_private=True, seconds=seconds) as client:
            batches = 0
            while await fetch_batch(self.calls, self.sender, PROVIDER, client):
                batches += 1
            return batches

    async def poll(self, seconds: float = 5.0) -> list[Polled]:
        """Read pages until none is due."""
        async with api_of(self.sender, PROVIDER, allow_private=True, seconds=seconds) as client:
            pages = []
            while page := await poll_page(self.calls, self.sender, PROVIDER, client):
                pages.append(page)
            return pages

    async def ask_since(self, since: datetime, *kinds: str) -> None:
        async with self.calls.database.write() as connection:
            await begin_anew(connection, self.sender, kinds or PROVIDER.polls, since, self.clock())

    async def rows(self, statement: Any) -> list[Any]:
        async with self.calls.database.read() as connection:
            return list((await connection.execute(statement)).all())

    async def waiting(self) -> list[tuple[str, int, str | None]]:
        """(record, how often tried, what went wrong) of each notice that waits."""
        fetch = tables.crm_fetches.c
        found = await self.rows(select(fetch.record_id, fetch.tries, fetch.last_error).order_by(fetch.record_id, fetch.fact_id))
        return [tuple(row) for row in found]

    async def names(self) -> list[str]:
        """The names of deals that facts have brought, in order."""
        field = tables.deal_fields.c
        return sorted(row.value for row in await self.rows(select(field.value).where(field.field == "name")))

    async def pauses(self) -> dict[str, tuple[str, float]]:
        """(why, for how many seconds more) by kind."""
        rows = await self.rows(select(tables.crm_pauses))
        return {row.kind: (row.reason, (row.paused_until - self.clock()).total_seconds()) for row in rows}


async def receive(calls: Calls, sender: Connection, changes: list[dict[str, Any]]) -> None:
    """What the door does with a delivery that names records."""
    from app.crm.facts import facts_of
    from app.crm.providers import Read, Wanted

    site = await calls.directory.site(sender.site_id)
    wanted = tuple(Wanted(each["id"], each["kind"], each["record"]) for each in changes)
    facts, _ = facts_of(site, sender, Read(wanted=wanted), tables.to_micros(calls.clock()))
    await calls.log.append(facts)


@pytest.fixture
def server() -> Iterator[MadeUpCrm]:
    with serving(MadeUpCrm()) as started:
        yield started


@pytest.fixture
async def made_up(database: Database, site: Site, server: MadeUpCrm) -> AsyncIterator[Crm]:
    """A connection to the made-up CRM, of the site `default`."""
    clock = Clock()
    fields = {"id": "crm", "provider": STAND_IN, "secret": SECRET, "api_token": TOKEN, "api_base_url": server.url}
    async with database.write() as connection:
        sender = await create_connection(connection, site, fields, START)
    log = Log(database, clock=clock)
    await log.start()
    calls = Calls(database, log, Directory(database), allow_private=True, providers={STAND_IN: PROVIDER}, clock=clock)
    yield Crm(server, calls, sender, clock)
    await log.stop()
