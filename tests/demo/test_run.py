"""`closedloop demo --once`, as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app.cli", "demo"]


def environment(tmp_path: Path) -> dict[str, str]:
    """Settings that the demo must not take over."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path / "tmp"),
        "CLOSEDLOOP_DATABASE_URL": f"sqlite:///{tmp_path / 'mine.db'}",
        "CLOSEDLOOP_MAX_BATCH_EVENTS": "1",
    }


def test_the_demo_prints_the_credit_of_every_channel_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / ".env").write_text("CLOSEDLOOP_SECRET_KEY=short\n")
    ended = subprocess.run(
        [*COMMAND, "--once"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=180, check=False
    )
    assert ended.returncode == 0, ended.stderr
    for words in ("first touch", "last non direct", "position based", "Paid Search", "Organic Search", "Webinars", "uncredited", "total"):
        assert words in ended.stdout, ended.stdout
    assert re.search(r"Funnel, in people: [\d,]+ visitors → \d+ leads → .*\d+ opportunities → \d+ customers", ended.stdout), ended.stdout
    assert "no_contact 1.00 (400.00)" in ended.stdout
    assert "Sending" in ended.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "tmp"]


def test_the_demo_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    with subprocess.Popen(
        COMMAND, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as demo:
        try:
            assert demo.stdout is not None
            serving = next(line for line in iter(demo.stdout.readline, "") if line.startswith("Serving at http://127.0.0.1:"))
            demo.send_signal(signal.SIGTERM)
            assert demo.wait(timeout=60) == 0
        finally:
            demo.kill()
    assert "/docs" in serving
    assert list((tmp_path / "tmp").iterdir()) == []
