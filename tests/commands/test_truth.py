"""closedloop truth."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app

ROOT = Path(__file__).parents[2]
SMALL = ("truth", "--people", "40", "--seed", "3")


def test_it_shows_every_model_beside_the_truth_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / ".env").write_text("CLOSEDLOOP_SECRET_KEY=short\n")
    mine = {"CLOSEDLOOP_DATABASE_URL": f"sqlite:///{tmp_path / 'mine.db'}", "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "app.cli", *SMALL, "--market", "clean", "--market", "offline"]
    shown = subprocess.run(command, cwd=tmp_path, env={**os.environ, **mine}, capture_output=True, text=True, timeout=120, check=False)
    assert shown.returncode == 0, shown.stderr
    for words in ("would have bought anyway", "caused", "no_model", "position_based", "Events", "misplaced", "wrong channels"):
        assert words in shown.stdout, shown.stdout
    assert "offline: " in shown.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "tmp"]


def printed(*arguments: str) -> str:
    ended = CliRunner().invoke(app, [*SMALL, *arguments])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


@pytest.mark.usefixtures("logs_restored")
def test_programs_read_the_same_figures() -> None:
    [market] = json.loads(printed("--market", "clean", "--format", "json"))["markets"]
    [linear] = [each for each in market["verdicts"] if each["model"] == "linear"]
    rows = list(csv.DictReader(io.StringIO(printed("--market", "clean", "--format", "csv"))))
    credited = {row["channel"]: float(row["credited"]) for row in rows if row["model"] == "linear"}
    assert {channel: count for channel, count in credited.items() if count} == linear["credited"]
    assert {row["channel"]: int(row["caused"]) for row in rows} == market["caused"]
    assert f"| linear | {linear['misplaced_share']:.0%} |" in printed("--market", "clean", "--format", "markdown")


def test_an_unknown_market_is_refused_by_name() -> None:
    refused = CliRunner().invoke(app, ["truth", "--market", "utopia"])
    assert refused.exit_code == 2
    assert "would_have_bought" in refused.stderr


@pytest.mark.long
@pytest.mark.usefixtures("logs_restored")
def test_the_page_holds_what_the_command_prints() -> None:
    ended = CliRunner().invoke(app, ["truth", "--format", "markdown"])
    assert ended.exit_code == 0, ended.output
    page = (ROOT / "docs" / "truth-bench.md").read_text()
    assert ended.stdout.strip() == page[page.index("| market |") :].strip()
