"""closedloop import of sheets: deals and offline touches, previewed, read as they are written, and replaced by a corrected sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from app import tables
from app.cli import app
from app.db import Database
from app.main import create_app
from app.pipeline import run_until_idle
from app.settings import Settings

Command = Callable[..., Result]

KEY = "cl_secret_for_imports_0123456789"
DEALS = """Deal ID;Titel;Betrag;Status;Abschlussdatum;E-Mail;Notiz
1;Initech;1.200,50 €;gewonnen;05.03.2026;ada@example.com;x
2;Globex;300;lost;06.03.2026;ben@example.com;
3;Hooli;77;offen;;ben@example.com;
"""
GERMAN = ("--date-format", "%d.%m.%Y", "--decimal-comma")
TOUCHES = """Email,Event,Date,Member Status
ada@example.com,Fair,2026-02-03,Attended
ada@example.com,Dinner,2026-02-04,Registered
ben@example.com,Fair,2026-02-03,Attended
"""


def _answers(database_url: str, *paths: str) -> list[Any]:
    """What a reader is told once all is computed."""

    async def ask() -> list[Any]:
        served = create_app(Settings(_env_file=None, database_url=database_url, secret_key=KEY), run_pipeline=False)
        async with served.router.lifespan_context(served):
            database: Database = served.state.database
            await run_until_idle(database)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://closedloop.example") as client:
                return [(await client.get(path, headers={"Authorization": f"Bearer {KEY}"})).json() for path in paths]

    return anyio.run(ask)


def _rows(database_url: str, table: Any) -> int:
    async def count() -> int:
        database = Database(database_url)
        async with database.read() as connection:
            found = await connection.scalar(select(func.count()).select_from(table))
        await database.dispose()
        return int(found)

    return anyio.run(count)


def _sheet(command: Command, tmp_path: Path, text: str, *arguments: str) -> Result:
    (tmp_path / "sheet.csv").write_text(text)
    return command("import", "sheet.csv", "--yes", *arguments)


def test_a_corrected_sheet_takes_the_place_of_the_one_before(command: Command, tmp_path: Path, database_url: str) -> None:
    first = _sheet(command, tmp_path, DEALS, "--format", "deals", *GERMAN)
    assert first.exit_code == 0, first.output
    assert "1\tInitech\twon\t1200.50\tUSD\t2026-03-05\tada@example.com" in first.stdout
    assert "3 deals new or changed, 0 as before, 0 deleted, 0 lines rejected." in first.stdout
    assert "Not taken: 'Notiz'" in first.stderr
    facts = _rows(database_url, tables.crm_facts)
    assert "0 deals new or changed, 3 as before" in _sheet(command, tmp_path, DEALS, "--format", "deals", *GERMAN).stdout
    [won] = _answers(database_url, "/v1/conversions")
    assert [(each["deal"]["deal_id"], each["amount"], each["counted_at"]) for each in won["conversions"]] == [("1", "1200.50", "2026-03-05T00:00:00Z")]
    # The win was a mistake, the loss too, and the third deal is gone.
    corrected = DEALS.replace("gewonnen;05.03.2026", "verloren;04.03.2026").replace("300;lost", "400;won").rpartition("3;Hooli")[0]
    again = _sheet(command, tmp_path, corrected, "--format", "deals", "--replace", *GERMAN)
    assert "2 deals new or changed, 0 as before, 1 deleted" in again.stdout
    won, status = _answers(database_url, "/v1/conversions", "/v1/status")
    assert [(each["deal"]["deal_id"], each["amount"]) for each in won["conversions"]] == [("2", "400.00")]
    assert status["ignored_deals"] == {"deleted": 1}
    assert _rows(database_url, tables.crm_facts) == facts + 1
    # Back to the first sheet: what was deleted is there again.
    _sheet(command, tmp_path, DEALS, "--format", "deals", "--replace", *GERMAN)
    assert _answers(database_url, "/v1/conversions", "/v1/status")[1]["ignored_deals"] == {}
    assert command("check").exit_code == 0


def test_a_deal_meets_the_touches_of_its_contact(command: Command, tmp_path: Path, database_url: str) -> None:
    _sheet(command, tmp_path, DEALS, "--format", "deals", *GERMAN)
    taken = _sheet(command, tmp_path, TOUCHES, "--format", "touches")
    assert taken.exit_code == 0, taken.output
    assert "2 touches new or changed, 0 as before, 0 taken away, 0 lines rejected." in taken.stdout
    assert "1 row 'Registered': no touch" in taken.stderr
    report, tracked = _answers(database_url, "/v1/reports/attribution?by=channel,campaign", "/v1/reports/attribution?tracked=true")
    assert [(row["channel"], row["campaign"], row["conversions"]) for row in report["rows"]] == [("Events", "fair", 1)]
    assert tracked["tracked"]["conversions"] == 0
    corrected = TOUCHES.replace("ada@example.com,Fair,2026-02-03,Attended\n", "").replace("Registered", "Attended")
    again = _sheet(command, tmp_path, corrected, "--format", "touches")
    assert "1 touch new or changed, 1 as before, 1 taken away" in again.stdout
    # Another list stands beside it, and its owner says what counts.
    assert "1 touch new" in _sheet(command, tmp_path, "Phone,Date,Status,Channel\n+4930901820,2026-02-05,called back,Calls\n", "--format", "touches", "--list", "calls", "--counts", "Called back,met").stdout
    [report] = _answers(database_url, "/v1/reports/attribution?by=campaign")
    assert [row["campaign"] for row in report["rows"]] == ["dinner"]
    assert _rows(database_url, tables.events) == 3
    assert command("check").exit_code == 0


BAD = """id,amount,closed_on,email,outcome
1,"1,234.50",2026-03-01,ada@example.com,won
2,"1.234,50",2026-03-01,ada@example.com,won
3,10,01/03/2026,ada@example.com,won
4,10,2026-03-01,nobody,won
5,10,2026-03-01,,perhaps
1,10,2026-03-01,,won
,10,2026-03-01,,won
7,10,,,won
"""


def test_lines_are_rejected_one_by_one(command: Command, tmp_path: Path) -> None:
    result = _sheet(command, tmp_path, BAD, "--format", "deals")
    assert result.exit_code == 1
    assert "1 deal new or changed, 0 as before, 0 deleted, 7 lines rejected." in result.stdout
    for line, reason in enumerate(("decimal-comma", "--date-format", "'nobody' is not an e-mail", "'perhaps' is neither", "earlier line", "no ID", "says when"), 3):
        assert any(text.startswith(f"line {line}: ") and reason in text for text in result.stderr.splitlines()), (line, reason, result.stderr)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_is_imported_without_a_yes(command: Command, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "deals.csv").write_text("Nr;Summe\n1;10\n")
    assert "no column seems to hold id" in command("import", "deals.csv", "--format", "deals", "--yes").stderr
    assert "no column 'No'" in command("import", "deals.csv", "--format", "deals", "--yes", "--map", "id=No").stderr
    assert "a field is one of id, name" in command("import", "deals.csv", "--format", "deals", "--yes", "--map", "what=Nr").stderr
    asked = CliRunner().invoke(app, ["import", "deals.csv", "--format", "deals", "--map", "id=Nr", "--space", "generic"], input="n\n")
    assert (asked.exit_code, "nothing was imported" in asked.stderr) == (1, True)
    assert "--space" in command("import", "deals.csv", "--format", "deals", "--map", "id=Nr", "--space", "hub", "--yes").stderr
    assert _rows(database_url, tables.crm_facts) == 0
