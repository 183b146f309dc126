"""closedloop import, and what it leaves in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx
from sqlalchemy import update
from typer.testing import Result

from app import tables
from app.db import Database
from app.main import create_app
from app.pipeline import run_until_idle, start_rebuild
from app.settings import Settings

Command = Callable[..., Result]

KEY = "cl_secret_for_imports_0123456789"
PATHS = """path,total_conversions,total_conversion_value,total_null
Social > Search > Social,2,10.005,1
Email,1,0.334,0
Search,0,0,3
"""


def test_a_file_of_events_is_safe_to_repeat(command: Command, tmp_path: Path) -> None:
    good = {"type": "visit", "visitor_id": "v1", "occurred_at": "2026-03-02T09:00:00Z", "url": "https://shop.example/"}
    (tmp_path / "events.jsonl").write_text(f"{json.dumps(good)}\nnot json\n{json.dumps({**good, 'visitor_id': 'v2'})}\n")
    first = command("import", "events.jsonl")
    assert "2 events stored, 0 were there already, 1 line rejected." in first.stdout
    assert "line 2: not JSON" in first.stderr
    assert first.exit_code == 1
    again = command("import", "events.jsonl")
    assert "0 events stored, 2 were there already, 1 line rejected." in again.stdout
    assert command("quarantine", "list").stdout.count("not JSON") == 1


UNREADABLE: list[tuple[str, str, tuple[str, ...], str]] = [
    ("x.csv", "type,occurred_at,utm_source\n", (), "utm_source"),
    ("x.dat", "", (), "--format"),
    ("x.csv", "path\n", ("--format", "paths"), "total_conversions"),
    ("x.csv", "path,total_conversions\n", ("--format", "paths", "--ending", "soon"), "--ending"),
    ("x.csv", "path,total_conversions\n", ("--format", "paths", "--currency", "XXX"), "--currency"),
    ("x.jsonl", "", ("--url", "http://127.0.0.1:1"), "--key"),
]


def test_a_file_that_cannot_be_read_says_what_to_do(command: Command, tmp_path: Path) -> None:
    for name, content, arguments, said in UNREADABLE:
        (tmp_path / name).write_text(content)
        result = command("import", name, *arguments)
        assert result.exit_code == 1, (name, result.output)
        assert said in result.stderr


def test_journeys_are_credited_as_the_table_says(command: Command, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "journeys.csv").write_text(PATHS)
    imported = command("import", "--format", "paths", "journeys.csv")
    assert imported.exit_code == 0, imported.output
    assert "3 paths: 7 journeys with 13 touches, 3 of them converted." in imported.stdout
    assert "took away 0.009." in imported.stdout
    models = anyio.run(credit_by_channel, database_url)
    assert {row["channel"]: row["conversions"] for row in models["first_touch"]["rows"]} == {"Social": 2, "Email": 1}
    assert {row["channel"]: row["conversions"] for row in models["last_touch"]["rows"]} == {"Social": 2, "Email": 1}
    linear = {row["channel"]: Decimal(str(row["conversions"])) for row in models["linear"]["rows"]}
    assert linear == {"Social": Decimal("1.333334"), "Search": Decimal("0.666666"), "Email": 1}
    assert all(answer["totals"]["credited"] == {"conversions": 3, "revenue": "10.33"} for answer in models.values())
    assert command("check").exit_code == 0
    assert command("rebuild").stdout == "Rebuilt.\n"
    assert command("check").exit_code == 0


def test_check_names_what_is_not_as_the_log_says(command: Command, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "journeys.csv").write_text(PATHS)
    assert command("import", "--format", "paths", "journeys.csv").exit_code == 0
    anyio.run(spoil, database_url)
    checked = command("check")
    assert checked.exit_code == 1
    assert "\ndeals\tdeals\t" in checked.stdout
    anyio.run(begin_rebuild, database_url)
    assert "A rebuild is under way, in stage labels" in command("check").stderr
    assert command("rebuild").exit_code == 0
    checked = command("check")
    assert (checked.exit_code, "under way" in checked.stderr) == (0, False)


async def begin_rebuild(database_url: str) -> None:
    database = Database(database_url)
    await start_rebuild(database, "default", datetime.now(UTC))
    await database.dispose()


async def spoil(database_url: str) -> None:
    """Compute everything, then change what was computed."""
    database = Database(database_url)
    await run_until_idle(database)
    async with database.write() as connection:
        await connection.execute(update(tables.deals).values(amount_minor=1))
    await database.dispose()


async def credit_by_channel(database_url: str) -> dict[str, Any]:
    """The answer to `model=all`, computed."""
    configured = Settings(_env_file=None, database_url=database_url, secret_key=KEY)
    app = create_app(configured, run_pipeline=False)
    async with app.router.lifespan_context(app):
        database: Database = app.state.database
        await run_until_idle(database)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://closedloop.example") as client:
            query = {"conversion": "customer", "model": "all"}
            answer = await client.get("/v1/reports/attribution", params=query, headers={"Authorization": f"Bearer {KEY}"})
    models: dict[str, Any] = answer.json()["models"]
    return models
