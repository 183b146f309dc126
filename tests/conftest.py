"""Fixtures that every test may use: a migrated database of each kind, a site, a client, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import insert

from app import ids, tables
from app.db import Database
from app.migrate import upgrade
from app.settings import Settings
from app.sites.settings import SiteSettings
from app.sites.site import Site
from tests import postgresql
from tests.world import SECRET_KEY, WRITE_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI

# A developer's own settings must not reach the tests, nor the processes that they start.
for _name in [name for name in os.environ if name.startswith("CLOSEDLOOP_") and name != "CLOSEDLOOP_REQUIRE_CHROMIUM"]:
    del os.environ[_name]

_runtime_dir = postgresql.make_runtime_dir()
_numbers = count(1)

# Fixtures are per test, not per example: a property that writes makes its own clean start.
_lenient = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
_common = hypothesis_settings(deadline=None, database=None, suppress_health_check=_lenient)
hypothesis_settings.register_profile("quick", _common, max_examples=10, derandomize=True)
hypothesis_settings.register_profile("long", _common, max_examples=500)
hypothesis_settings.load_profile("quick")


def pytest_unconfigure() -> None:
    if _runtime_dir is not None:
        postgresql.remove(_runtime_dir)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


# ---------------------------------------------------------------- databases


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL that forgets everything if the machine goes down; much faster than a durable one."""
    with postgresql.server(durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str, worker_name: str) -> str:
    """Name of a migrated database to copy."""
    name = f"template_{worker_name}"
    upgrade(postgresql.create_database(postgresql_server, name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "closedloop.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Tells the workers of pytest-xdist apart."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    shutil.copyfile(sqlite_template, tmp_path / "closedloop.db")
    return f"sqlite:///{tmp_path / 'closedloop.db'}"


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str, worker_name: str) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    name = f"test_{worker_name}_{next(_numbers)}"
    yield postgresql.create_database(postgresql_server, name, template=postgresql_template)
    postgresql.drop_database(postgresql_server, name)


@pytest.fixture
def empty_postgresql_url(postgresql_server: str, worker_name: str) -> Iterator[str]:
    """A PostgreSQL database with nothing in it."""
    name = f"empty_{worker_name}_{next(_numbers)}"
    yield postgresql.create_database(postgresql_server, name)
    postgresql.drop_database(postgresql_server, name)


@pytest.fixture
def durable_postgresql_url(durable_postgresql_server: str, worker_name: str) -> Iterator[str]:
    """A migrated database on a PostgreSQL that syncs each commit to disk: for tests that kill things."""
    name = f"durable_{worker_name}_{next(_numbers)}"
    url = postgresql.create_database(durable_postgresql_server, name)
    upgrade(url)
    yield url
    postgresql.drop_database(durable_postgresql_server, name)


@pytest.fixture(scope="session")
def durable_postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL with its own settings."""
    with postgresql.server(durable=True) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("empty_postgresql_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A freshly migrated database of each kind."""
    opened = Database(database_url)
    yield opened
    await opened.dispose()


# ---------------------------------------------------------------- the service


@pytest.fixture
async def site(database: Database) -> Site:
    """The site `default`: UTC, USD, default settings."""
    made = Site("default", b"a hash key for tests only: 32 by", 1, SiteSettings())
    now = datetime(2026, 1, 1, tzinfo=UTC)
    here = {"site_id": made.site_id}
    direct = ids.digest("", "", "", "", "", "", "", "")
    label = {
        "channel": "Direct", "rule": "direct", "source": "(direct)", "medium": "(none)", "campaign": "(not set)",
        "term": "(not set)", "content": "(not set)", "referrer": "(none)", "is_ignored": False,
    }  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(tables.sites), {**here, "hash_key": made.hash_key, "settings_version": 1, "created_at": now})
        await connection.execute(
            insert(tables.site_versions), {**here, "version": 1, "settings": made.settings.as_json(), "created_at": now}
        )
        await connection.execute(insert(tables.local_days), [{**here, **day} for day in _utc_days()])
        await connection.execute(insert(tables.origins), {**here, "origin_id": direct})
        await connection.execute(insert(tables.origin_labels), {**here, "origin_id": direct, **label})
    return made


def _utc_days() -> Iterator[dict[str, object]]:
    day = date(2023, 1, 1)
    while day < date(2028, 1, 1):
        yield {"day": day.isoformat(), "starts_at": datetime(day.year, day.month, day.day, tzinfo=UTC)}
        day += timedelta(days=1)


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The service's settings on the test's database, with the tests' keys."""
    return Settings(_env_file=None, database_url=database_url, write_key=WRITE_KEY, secret_key=SECRET_KEY)


@pytest.fixture
async def application(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    """The service started (its first site and keys made), without a pipeline in the background."""
    from app.main import create_app

    app = create_app(settings, run_pipeline=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the service in this process. `client.get(…)` with no key unless the test sends one."""
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://closedloop.example") as opened:
        yield opened


# ---------------------------------------------------------------- the browser


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium. Skips where there is none, or fails if CLOSEDLOOP_REQUIRE_CHROMIUM is set."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    if os.environ.get("CLOSEDLOOP_REQUIRE_CHROMIUM"):
        pytest.fail("There is no Chromium, and CLOSEDLOOP_REQUIRE_CHROMIUM is set.")
    pytest.skip("There is no Chromium here: install `chromium` to run the browser tests.")
