"""The service killed while fifty clients post: every acknowledged event is stored, and exactly once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app import tables
from app.db import Database
from tests.faults.storm import Storm, free_port, service, until_ready

pytestmark = pytest.mark.anyio

KILLS = 3
MANY_KILLS = int(os.environ.get("CLOSEDLOOP_KILLS", "100"))
STARTUP_SECONDS = 4.0
"""About how long the service takes to start on a busy machine: half of the kills fall into it."""


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that syncs each commit. Empty where it can be, so that the first migration is among what is killed."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'closedloop.db'}"
    return str(request.getfixturevalue("durable_postgresql_url"))


async def stored(database_url: str) -> tuple[set[str], int]:
    """The event IDs stored, and how many rows they have."""
    database = Database(database_url)
    try:
        async with database.read() as connection:
            ids = set(await connection.scalars(select(tables.events.c.event_id)))
            return ids, int(await connection.scalar(select(func.count()).select_from(tables.events)) or 0)
    finally:
        await database.dispose()


async def kill_after(process: subprocess.Popen[bytes], seconds: float, number: signal.Signals) -> int:
    """The exit code of the service after a signal at that moment."""
    await asyncio.sleep(seconds)
    process.send_signal(number)
    return await asyncio.to_thread(process.wait, 60)


async def storm_through(durable_url: str, folder: Path, kills: int, number: signal.Signals) -> tuple[Storm, list[int]]:
    """Starts and kills the service at random moments under load; then starts it once more and lets it serve."""
    chance, port, until = random.Random(kills), free_port(), asyncio.Event()
    storm, codes = Storm(f"http://127.0.0.1:{port}"), []
    blowing = asyncio.create_task(storm.blow(until))
    for kill in range(kills):
        with service(durable_url, port, folder) as process:
            if kill % 2:
                await until_ready(storm.url)
                codes.append(await kill_after(process, chance.uniform(0, 1.5), number))
            else:
                codes.append(await kill_after(process, chance.uniform(0, STARTUP_SECONDS), number))
    with service(durable_url, port, folder):
        await until_ready(storm.url)
        await asyncio.sleep(1)
        until.set()
        await blowing
        again = await storm.send_again()
        assert again["accepted"] + again["duplicates"] == len(storm.sent)
        assert again["duplicates"] >= len(storm.acknowledged)
        assert await storm.send_again() == {"accepted": 0, "duplicates": len(storm.sent)}
    return storm, codes


async def assert_exactly_once(durable_url: str, storm: Storm) -> None:
    assert len(storm.acknowledged) > 100, f"too few were acknowledged to show anything: {storm.answers}"
    assert set(storm.answers) <= {202, 503}, storm.answers
    ids, rows = await stored(durable_url)
    assert storm.acknowledged <= ids
    assert rows == len(ids) == len(storm.sent)


async def test_what_was_acknowledged_outlives_a_kill(durable_url: str, tmp_path: Path) -> None:
    storm, _ = await storm_through(durable_url, tmp_path, KILLS, signal.SIGKILL)
    await assert_exactly_once(durable_url, storm)


async def test_a_service_that_is_told_to_stop_answers_what_it_has_begun(durable_url: str, tmp_path: Path) -> None:
    port, until = free_port(), asyncio.Event()
    storm = Storm(f"http://127.0.0.1:{port}")
    with service(durable_url, port, tmp_path) as process:
        await until_ready(storm.url)
        blowing = asyncio.create_task(storm.blow(until))
        code = await kill_after(process, 1.5, signal.SIGTERM)
        until.set()
        await blowing
    assert code == 0, (tmp_path / "service.log").read_text()
    ids, rows = await stored(durable_url)
    assert len(storm.acknowledged) > 20, storm.answers
    assert storm.acknowledged <= ids, "an acknowledged event is missing"
    assert rows == len(ids)
    assert ids <= storm.acknowledged, "an event was stored whose sender got no answer"


@pytest.mark.faults
async def test_many_kills(durable_url: str, tmp_path: Path) -> None:
    storm, _ = await storm_through(durable_url, tmp_path, MANY_KILLS, signal.SIGKILL)
    await assert_exactly_once(durable_url, storm)


@pytest.mark.faults
async def test_many_stops(durable_url: str, tmp_path: Path) -> None:
    storm, codes = await storm_through(durable_url, tmp_path, MANY_KILLS, signal.SIGTERM)
    await assert_exactly_once(durable_url, storm)
    assert set(codes) <= {0, -signal.SIGTERM, 130, 143}, codes
