"""A SQLite file that is taken away, or replaced, under the running service: nothing is acknowledged that is lost with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from app import tables
from app.db import Database
from app.pipeline import run_until_idle
from tests.rows import assert_rows
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.fixture
def file(database: Database) -> Path:
    return Path(str(database.url.database))


async def post(client: httpx.AsyncClient, event_id: str) -> int:
    event = {"id": event_id, "type": "visit", "visitor_id": "ann", "url": "https://brand.example/"}
    answer = await client.post(
        "/v1/events", params={"key": WRITE_KEY}, json=event, headers={"User-Agent": "Mozilla/5.0 (X11) Firefox/140.0"}
    )
    return answer.status_code


def is_there(file: Path) -> bool:
    return file.exists()


def move(file: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for part in file.parent.glob(f"{file.name}*"):
        part.rename(folder / part.name)


async def stored(database: Database, *event_ids: str) -> None:
    await assert_rows(database, tables.events, ["event_id"], [[event_id] for event_id in event_ids])


async def test_a_file_taken_away_stops_the_service_until_it_is_back(
    client: httpx.AsyncClient, database: Database, file: Path, tmp_path: Path
) -> None:
    assert (await post(client, "1"), (await client.get("/readyz")).status_code) == (202, 200)
    move(file, tmp_path / "away")
    assert (await post(client, "2"), (await client.get("/readyz")).status_code) == (503, 503)
    assert not is_there(file), "an empty database stands in its place"
    move(tmp_path / "away" / file.name, file.parent)
    assert (await post(client, "3"), (await client.get("/readyz")).status_code) == (202, 200)
    await stored(database, "1", "3")


async def test_a_file_put_in_its_place_is_the_database_from_then_on(
    client: httpx.AsyncClient, database: Database, file: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    async with database.read() as connection:
        await connection.exec_driver_sql("SELECT 1")
    await database.dispose()
    shutil.copy(file, backup)
    assert await post(client, "1") == 202
    move(file, tmp_path / "away")
    backup.rename(file)
    assert await post(client, "2") == 503, "who still has the old file open says so, once"
    assert await post(client, "2") == 202
    await stored(database, "2")


async def test_the_pipeline_does_not_compute_into_a_file_that_is_gone(database: Database, file: Path, tmp_path: Path) -> None:
    async with database.worker() as connection:
        async with database.computing(connection):
            pass
        move(file, tmp_path / "away")
        with pytest.raises(FileNotFoundError):
            async with database.swapping(connection):
                pytest.fail("it would be lost")
    move(tmp_path / "away" / file.name, file.parent)
    await run_until_idle(database)
