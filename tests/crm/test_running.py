"""The calls of a running service: a CRM that is down for an hour, and a service that is killed and started again meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from app import tables
from app.crm import running
from app.crm.running import calling
from app.db import Database, micros
from app.sites.connections import create_connection
from app.sites.site import Site
from tests.crm.conftest import Crm
from tests.crm.made_up import SECRET, STAND_IN, TOKEN, MadeUpCrm
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}


async def until(condition: Any, what: str, seconds: float = 60) -> None:
    """Waits for something to hold."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.05)


async def test_the_service_fetches_and_asks_by_itself(made_up: Crm) -> None:
    at = tables.to_micros(made_up.clock())
    for number in range(5):
        made_up.server.put("deals", str(number), at, name=f"asked {number}")
    made_up.server.put("deals", "named", at - 400 * 86_400_000_000, name="named")
    async with calling(made_up.calls):
        await made_up.told("named")

        async def has_all() -> bool:
            return len(await made_up.names()) == 6

        await until(has_all, "all deals are stored")
    assert len(made_up.server.fetched()) == 1


async def test_nobody_is_called_without_a_token(made_up: Crm) -> None:
    async with made_up.calls.database.write() as connection:
        await connection.execute(update(tables.connections).values(api_token=None))
    async with calling(made_up.calls):
        await made_up.told("7")
        await asyncio.sleep(1.5)
    assert made_up.server.asked == []
    assert len(await made_up.waiting()) == 1


async def test_a_connection_that_hangs_holds_up_no_other_and_not_the_end(made_up: Crm) -> None:
    made_up.server.faults.extend([(1, {}, b"{}")] * 10)
    await made_up.told("7")
    async with calling(made_up.calls):
        async def has_been_asked() -> bool:
            return bool(made_up.server.asked)

        await until(has_been_asked, "the CRM is asked")
        began = time.monotonic()
    assert time.monotonic() - began < 0.9
    assert await made_up.waiting() == [("7", 0, None)]


async def test_many_connections_each_get_their_turn(made_up: Crm, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the first of them always have more to do, and only some are called at a time."""
    monkeypatch.setattr(running, "_MOST_AT_ONCE", 2)
    monkeypatch.setattr(running, "_STEPS", 1)
    made_up.server.page_size = 1
    for number in range(30):
        made_up.server.put("deals", f"{number:02}", tables.to_micros(made_up.clock()), name=str(number))
    fields = {"provider": STAND_IN, "secret": SECRET, "api_token": TOKEN, "api_base_url": made_up.server.url}
    async with made_up.calls.database.write() as connection:
        for name in ("b", "c", "d", "z"):
            await create_connection(connection, site, {**fields, "id": name}, made_up.clock())

    async def has_begun() -> bool:
        polls = await made_up.rows(select(tables.crm_polls.c.connection_id).where(tables.crm_polls.c.records > 0).distinct())
        return len(polls) == 5

    async with calling(made_up.calls):
        await until(has_begun, "every connection has read something")
    unfinished = await made_up.rows(select(tables.crm_polls.c.kind).where(tables.crm_polls.c.finished_at.is_(None)))
    assert len(unfinished) >= 4, "none was read to its end before the last began"


# ---------------------------------------------------------------- real processes


@contextmanager
def process(database_url: str, folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `closedloop` that knows the made-up CRM, and the line that says it is ready; killed at the end."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "CLOSEDLOOP_DATABASE_URL": database_url,
        "CLOSEDLOOP_WRITE_KEY": WRITE_KEY,
        "CLOSEDLOOP_SECRET_KEY": SECRET_KEY,
        "CLOSEDLOOP_ALLOW_PRIVATE_ADDRESSES": "1",
    }
    command = [sys.executable, "-m", "tests.crm.made_up", *arguments]
    with (
        (folder / "stderr.log").open("a") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as started,
    ):
        assert started.stdout is not None
        try:
            yield started, next(line for line in started.stdout if "Closed Loop is at" in line or "pipeline runs" in line)
        finally:
            started.kill()


@contextmanager
def service(database_url: str, folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`closedloop serve`, and its address."""
    with process(database_url, folder, "serve", "--port", "0", *options) as (started, ready):
        yield started, re.search(r"http://[\w.:]+", ready).group()


class Outage:
    """A CRM that is down, while webhooks come in and time passes."""

    def __init__(self, server: MadeUpCrm, database: Database) -> None:
        self.server = server
        self.database = database
        self.told = 0

    async def webhooks(self, url: str, number: int) -> None:
        """Deals changed: each named by two notices."""
        async with httpx.AsyncClient(base_url=url, headers={"X-Secret": SECRET}, trust_env=False) as client:
            for _ in range(number):
                deal, self.told = f"deal-{self.told:03}", self.told + 1
                self.server.put("deals", deal, tables.to_micros(datetime.now(UTC)) - 500 * 86_400_000_000, name=deal)
                changes = [{"id": f"{deal}/{part}", "kind": "deals", "record": deal} for part in "ab"]
                answer = await client.post("/v1/webhooks/crm", content=json.dumps({"changes": changes}))
                assert (answer.status_code, answer.json()["accepted"]) == (202, 2)

    async def pass_time(self, minutes: float) -> None:
        """So much later: whatever waits for a moment waits that much less."""
        by = int(minutes * 60_000_000)
        async with self.database.write() as connection:
            for column in (tables.crm_fetches.c.next_try_at, tables.crm_polls.c.next_try_at, tables.crm_pauses.c.paused_until):
                earlier = func.max if self.database.is_sqlite else func.greatest
                await connection.execute(update(column.table).values({column.name: earlier(micros(column) - by, 0)}))

    async def is_asked_again(self) -> None:
        """Lets ten minutes pass, and ten more (the call before may have been under way still), until the CRM is asked."""
        before = len(self.server.asked)

        async def asked() -> bool:
            if len(self.server.asked) > before:
                return True
            await self.pass_time(minutes=10)
            await asyncio.sleep(0.5)
            return False

        await until(asked, "the CRM is asked again")

    async def waiting(self) -> int:
        async with self.database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(tables.crm_fetches)) or 0)

    async def shown(self, url: str) -> dict[str, Any]:
        """What status says of the connection."""
        async with httpx.AsyncClient(base_url=url, headers=ADMIN, trust_env=False) as client:
            [shown] = (await client.get("/v1/status")).json()["connections"]
            return dict(shown)

    async def names(self) -> list[str]:
        field = tables.deal_fields.c
        async with self.database.read() as connection:
            return sorted((await connection.scalars(select(field.value).where(field.field == "name"))).all())


async def test_an_hour_without_the_crm_and_a_restart_lose_nothing(database: Database, database_url: str, server: MadeUpCrm, tmp_path: Path) -> None:
    """It is killed while it asks; then a service that only collects, and a worker, take its place."""
    outage = Outage(server, database)
    server.is_down = True
    with service(database_url, tmp_path) as (started, url):
        connection = {"id": "crm", "provider": STAND_IN, "secret": SECRET, "api_token": TOKEN, "api_base_url": server.url}
        async with httpx.AsyncClient(base_url=url, headers=ADMIN, trust_env=False) as admin:
            assert (await admin.post("/v1/connections", json=connection)).status_code == 201
        await outage.webhooks(url, 15)
        for _ in range(3):
            await outage.is_asked_again()
        await outage.webhooks(url, 10)
        # It dies while it asks: nobody gives back what it had taken.
        server.is_down = False
        server.faults.append((1, {}, b"{}"))
        await outage.is_asked_again()
        started.kill()
        server.is_down = True
    assert await outage.waiting() == 50
    with service(database_url, tmp_path, "--no-pipeline") as (collecting, url), process(database_url, tmp_path, "worker") as (working, _):
        await outage.webhooks(url, 5)
        for _ in range(3):
            await outage.is_asked_again()
        shown = await outage.shown(url)
        assert (shown["fetches"]["waiting"], shown["fetches"]["last_error"]) == (60, "Made-up CRM answered 503")
        server.is_down = False

        async def is_all_there() -> bool:
            await outage.pass_time(minutes=10)
            return await outage.waiting() == 0

        await until(is_all_there, "everything is fetched")
        shown = await outage.shown(url)
        assert (shown["fetches"], shown["paused"]) == ({"waiting": 0, "stuck": 0, "oldest_at": None, "last_error": None}, [])
        for each in (working, collecting):
            each.terminate()
            assert each.wait(60) == 0
    assert await outage.names() == [f"deal-{number:03}" for number in range(30)]
    logged = (tmp_path / "stderr.log").read_text()
    assert "Traceback" not in logged
    assert TOKEN not in logged
    assert SECRET not in logged
