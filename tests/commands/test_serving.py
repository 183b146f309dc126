"""serve and worker, as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.commands.conftest import Command

ROOT = Path(__file__).parents[2]
EVENT = {"type": "visit", "visitor_id": "v1", "url": "https://shop.example/"}


@contextmanager
def running(database_url: str, folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A command under way, and the lines that it has printed up to the one that says that it is ready."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLOSEDLOOP_")}
    with (
        (folder / "stderr.log").open("a") as log,
        subprocess.Popen(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "CLOSEDLOOP_DATABASE_URL": database_url},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield process, list(_until_ready(process))
        finally:
            process.kill()


def _until_ready(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in iter(process.stdout.readline, ""):
        yield line.strip()
        if "Closed Loop is at" in line or "pipeline runs" in line:
            return


def ended_well(process: subprocess.Popen[str]) -> bool:
    """Whether a SIGTERM ends it in good order."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60) == 0


def test_serve_prints_its_keys_once_and_ends_in_good_order(empty_database_url: str, tmp_path: Path) -> None:
    with running(empty_database_url, tmp_path, "serve", "--port", "0") as (process, lines):
        keys = dict(re.findall(r"New (\w+) key of the site default \(shown once\): (\S+)", "\n".join(lines)))
        url = re.search(r"http://\S+", lines[-1]).group().rstrip(")")
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {keys['secret']}"}) as client:
            assert client.post("/v1/events", json=EVENT).json()["accepted"] == 1
            until_computed(client)
        assert ended_well(process)
    with running(empty_database_url, tmp_path, "serve", "--port", "0", "--no-pipeline") as (process, lines):
        assert "shown once" not in "\n".join(lines)
        assert ended_well(process)
    logged = (tmp_path / "stderr.log").read_text()
    assert "Traceback" not in logged
    assert all(key not in logged for key in keys.values())


def until_computed(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while client.get("/v1/status").json()["pending"]:
        assert time.monotonic() < deadline, "nothing computes"


def test_a_worker_computes_what_serve_leaves(empty_database_url: str, tmp_path: Path) -> None:
    with running(empty_database_url, tmp_path, "serve", "--port", "0", "--no-pipeline") as (server, lines):
        secret = re.search(r"New secret key .*: (\S+)", "\n".join(lines)).group(1)
        url = re.search(r"http://\S+", lines[-1]).group().rstrip(")")
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as client:
            client.post("/v1/events", json=EVENT).raise_for_status()
            assert client.get("/v1/status").json()["pending"] > 0
            with running(empty_database_url, tmp_path, "worker") as (worker, _):
                until_computed(client)
                assert ended_well(worker)
        assert ended_well(server)
    assert "Traceback" not in (tmp_path / "stderr.log").read_text()


def test_a_file_goes_over_http_into_a_running_service(command: Command, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(f"{json.dumps({**EVENT, 'occurred_at': '2026-03-02T09:00:00Z'})}\n{{}}\n")
    with running(sqlite_url, tmp_path, "serve", "--port", "0") as (_, lines):
        secret = re.search(r"New secret key .*: (\S+)", "\n".join(lines)).group(1)
        url = re.search(r"http://\S+", lines[-1]).group().rstrip(")")
        arguments = ("import", "events.jsonl", "--url", url, "--key")
        first, again, refused = command(*arguments, secret), command(*arguments, secret), command(*arguments, "not a key")
    assert "1 event stored, 0 were there already, 1 line rejected." in first.stdout
    assert "0 events stored, 1 were there already, 1 line rejected." in again.stdout
    assert "401 This key is unknown" in refused.stderr
    assert refused.exit_code == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CLOSEDLOOP_DATABASE_URL", "mysql://nowhere/x", "CLOSEDLOOP_DATABASE_URL"),
        ("CLOSEDLOOP_DATABASE_URL", "postgresql://127.0.0.1:1/x", "CLOSEDLOOP_DATABASE_URL"),
        ("CLOSEDLOOP_SECRET_KEY", "short", "CLOSEDLOOP_SECRET_KEY"),
        ("CLOSEDLOOP_LOG_LEVEL", "LOUD", "CLOSEDLOOP_LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, variable: str, value: str, said: str) -> None:
    ended = serve(tmp_path, {variable: value}, "--port", "0")
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert value == "LOUD" or value not in ended.stderr


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = serve(tmp_path, {}, "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


def serve(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
