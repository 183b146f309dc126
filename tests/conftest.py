"""Fixtures that every test may use: a migrated database of each kind, a site, a client, a browser."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Connection, Engine, delete, event, insert, update
from sqlalchemy.util import LRUCache

from app import tables
from app.collect.origins import Origin
from app.db import Database
from app.migrate import upgrade
from app.settings import Settings
from app.sites.administration import DIRECT, create_site
from app.sites.site import Site, load_site
from app.touches.channels import label_origin
from tests import postgresql
from tests.world import HASH_KEY, SECRET_KEY, SITE_MADE_AT, WRITE_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI

# A developer's own settings must not reach the tests, nor the processes that they start.
_ours = {"CLOSEDLOOP_REQUIRE_CHROMIUM", "CLOSEDLOOP_REQUIRE_NODE", "CLOSEDLOOP_TESTS_FOLDER"}
for _name in [name for name in os.environ if name.startswith("CLOSEDLOOP_") and name not in _ours]:
    del os.environ[_name]

# Most that a test makes lives as long as the test: to look through it all the time for what is unused is a twentieth of the suite.
gc.set_threshold(100_000, 20, 100)
postgresql.make_folder()
_numbers = count(1)

# Fixtures are per test, not per example: a property that writes makes its own clean start.
_lenient = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
_common = hypothesis_settings(deadline=None, database=None, suppress_health_check=_lenient)
hypothesis_settings.register_profile("quick", _common, max_examples=6, derandomize=True)
hypothesis_settings.register_profile("long", _common, max_examples=500)
hypothesis_settings.load_profile("quick")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


# ---------------------------------------------------------------- statements


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """Lets the engines of all tests share what they have compiled: each test has its own, and compiling the pipeline's statements
    anew for it took a third of the suite's time. A statement is found by its dialect, so those of one kind are the same one. (A thousand are the
    pipeline's and the reports' own; with more, what tests ask but once would fill a gigabyte.)"""
    compiled: dict[str, LRUCache[Any, Any]] = {}

    def share(connection: Connection) -> None:
        dialect = type(connection.dialect)
        dialect.__hash__ = lambda self: hash(type(self))
        dialect.__eq__ = lambda self, other: type(self) is type(other)
        connection.engine._compiled_cache = compiled.setdefault(connection.dialect.name, LRUCache(1_000))

    event.listen(Engine, "engine_connect", share)
    yield
    event.remove(Engine, "engine_connect", share)


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
def postgresql_site_template(postgresql_server: str, postgresql_template: str, worker_name: str) -> str:
    """Name of a migrated database to copy, with the site `default` in it."""
    name = f"site_template_{worker_name}"
    asyncio.run(make_default_site(postgresql.create_database(postgresql_server, name, template=postgresql_template)))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "closedloop.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def sqlite_site_template(sqlite_template: Path) -> Path:
    """A migrated file to copy, with the site `default` in it."""
    path = sqlite_template.with_name("site.db")
    shutil.copyfile(sqlite_template, path)
    asyncio.run(make_default_site(f"sqlite:///{path}"))
    return path


async def make_default_site(url: str) -> None:
    """Makes the site `default`, with a hash key that gives the same IDs in every run, and its one origin labelled."""
    database = Database(url)
    async with database.write() as connection:
        site = await create_site(connection, "default", {}, SITE_MADE_AT)
        await connection.execute(update(tables.sites).values(hash_key=HASH_KEY))
        label = asdict(label_origin(Origin(*[""] * len(Origin._fields)), site.settings))
        await connection.execute(insert(tables.origin_labels), {"site_id": "default", "origin_id": DIRECT, **label})
        await connection.execute(delete(tables.labels_queue))
    await database.dispose()


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Tells the workers of pytest-xdist apart."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def template(request: pytest.FixtureRequest, kind: str) -> Any:
    """The template for a test: with the site where it asks for one. (Making a site takes longer than most tests.)"""
    wants_site = {"site", "application", "client"} & set(request.fixturenames)
    return request.getfixturevalue(f"{kind}_site_template" if wants_site else f"{kind}_template")


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    shutil.copyfile(template(request, "sqlite"), tmp_path / "closedloop.db")
    return f"sqlite:///{tmp_path / 'closedloop.db'}"


@pytest.fixture(scope="session")
def reused_postgresql(postgresql_server: str) -> Iterator[Callable[[str], str]]:
    """Calls for a database that is as its template: `reused_postgresql("template")` answers its URL."""
    with ExitStack() as until_the_end:

        @cache
        def copy_of(template: str) -> postgresql.Reused:
            copy = postgresql.Reused(postgresql_server, f"reused_{template}", template)
            until_the_end.callback(copy.close)
            return copy

        yield lambda template: copy_of(template).url()


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest, reused_postgresql: Callable[[str], str]) -> str:
    """A migrated PostgreSQL database for the test alone; the next test finds nothing of it."""
    return reused_postgresql(template(request, "postgresql"))


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
    async with database.read() as connection:
        return await load_site(connection, "default")


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
