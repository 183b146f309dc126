"""Commands run in this process, on a database of each kind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from app.cli import app
from app.settings import settings

Command = Callable[..., Result]


@pytest.fixture
def logs_restored() -> Iterator[None]:
    """A command sets up the logs of its process, which here is the tests' own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs_restored: None) -> Iterator[Command]:
    """`command("keys", "list")` runs `closedloop keys list` in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOSEDLOOP_DATABASE_URL", database_url)
    monkeypatch.delenv("CLOSEDLOOP_SECRET_KEY", raising=False)
    settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, list(arguments))
    settings.cache_clear()
