"""closedloop holdout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
from typer.testing import Result

from app.db import Database
from app.pipeline import run_until_idle

Command = Callable[..., Result]

PATHS = "path,total_conversions,total_null\nEmail > Display,30,100\nDisplay,20,50\n"
COUNTS = ("--shown-people", "500", "--shown-conversions", "40", "--held-out-people", "500", "--held-out-conversions", "10")


def test_an_experiment_is_compared_with_the_credit(command: Command, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "journeys.csv").write_text(PATHS)
    assert command("import", "--format", "paths", "journeys.csv").exit_code == 0
    anyio.run(compute, database_url)
    shown = command("holdout", "Email", *COUNTS)
    assert shown.exit_code == 0, shown.output
    assert "Among the 500 shown it made 30 conversions that would not have been, between" in shown.stdout
    assert "last_touch\t0\tbelow\n" in shown.stdout
    assert "first_touch\t30\twithin\n" in shown.stdout
    [row] = json.loads(command("holdout", "Email", *COUNTS, "--model", "linear", "--format", "json").stdout)["rows"]
    assert (row["credited"], row["compared"]) == (15, "below" if row["in_words"].endswith("less than the experiment allows.") else "within")
    assert command("holdout", "Email", *COUNTS, "--model", "linear", "--format", "csv").stdout.startswith("model,credited,compared,")
    for arguments, named in (
        (("Telepathy", *COUNTS), "Display, Email"),
        (("Email", *COUNTS[:-1], "501"), "at most held_out_people"),
        (("Email", *COUNTS, "--from", "soon"), "YYYY-MM-DD"),
    ):
        refused = command("holdout", *arguments)
        assert refused.exit_code == 1
        assert named in str(refused.exception) + refused.stderr


async def compute(database_url: str) -> None:
    database = Database(database_url)
    await run_until_idle(database)
    await database.dispose()
