"""closedloop doctor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from typer.testing import Result

from app.db import Database
from app.pipeline import run_until_idle

Command = Callable[..., Result]

DEAL = {"id": "d1", "outcome": "won", "amount": "64.00", "currency": "USD", "contacts": [], "name": "[bold]\x1b[31mBig[/bold]"}
CLICK = {"url": "https://acme.example/?gclid=abc", "type": "visit", "visitor_id": "v1", "id": "e1", "occurred_at": "2026-03-01T12:00:00Z"}
EVENTS = [CLICK, {"type": "deal_closed", "id": "w1", "occurred_at": "2026-03-02T12:00:00Z", "deal": DEAL}]
MARCH = ("--from", "2026-03-01", "--to", "2026-04-01")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_wrong_is_shown_and_strictness_ends_in_an_error(command: Command, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, EVENTS)))
    assert command("import", "events.jsonl").exit_code == 0
    anyio.run(compute, database_url)
    shown = command("doctor", *MARCH)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0] == "2026-03-01 to 2026-04-01 (exclusive), 1 conversion (customer): 1 error, 2 warnings, 1 piece of advice."
    assert "ERROR  won_without_contacts  1 conversion, 64.00 USD" in lines
    assert "    · d1, name [bold]\N{REPLACEMENT CHARACTER}[31mBig[/bold]" in lines
    assert "  1 of 1 paid click (100.0 %) names no campaign: clicks on ads of google." in lines
    assert "  $ closedloop sites change default --set 'hosts=[\"acme.example\"]'" in lines
    assert any(line.startswith("All is well with ") for line in lines)
    assert any(line.startswith("    · Connections that tell nothing any more: No connection told ") for line in lines)
    assert command("doctor", *MARCH, "--strict").exit_code == 1
    assert command("doctor", "--from", "2026-03-05", "--to", "2026-03-06", "--strict").exit_code == 0
    assert json.loads(command("doctor", *MARCH, "--format", "json").stdout)["findings"][0]["such_as"]
    assert command("doctor", *MARCH, "--format", "csv").stdout.startswith("code,state,severity,seen,")
    for arguments, named in ((("--from", "soon"), "YYYY-MM-DD"), (("--conversion", "x"), "allowed"), (("--site", "x"), "no site")):
        refused = command("doctor", *arguments)
        assert refused.exit_code == 1
        assert named in str(refused.exception) + refused.stderr


async def compute(database_url: str) -> None:
    database = Database(database_url)
    await run_until_idle(database)
    await database.dispose()
