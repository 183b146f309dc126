"""The demo: the real service on a database of its own, a month of traffic over HTTP, and what comes out of it."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.demo.delivery import CONNECTION, Keys, Refused, deliver, plan
from app.demo.report import calls_table, credit_tables, funnel_line, outcomes_line, reasons_line
from app.demo.traffic import DAYS, month
from app.demo.world import cast
from app.main import create_app
from app.migrate import migrate
from app.server import Server, listen, url_of
from app.settings import Settings

_PATIENCE_SECONDS = 300


class _OwnSettings(Settings):
    """Settings that no environment and no `.env` reaches: the demo never touches the user's database."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the constructor is given."""
        return (init_settings,)


@dataclass(frozen=True)
class Screen:
    """Results go to one console, progress to another."""

    results: Console
    progress: Console


async def run_demo(screen: Screen, now: datetime, *, port: int = 0, once: bool = False) -> None:
    """Play the month that ends at `now`, print the credit, and serve until stopped (`once`: end instead).

    OSError if the port cannot be had; Refused if the service does not take the traffic.
    """
    keys = Keys(
        write=f"cl_write_{secrets.token_urlsafe(16)}",
        secret=f"cl_secret_{secrets.token_urlsafe(32)}",
        webhook="whsec_" + b64encode(secrets.token_bytes(24)).decode(),
    )
    with tempfile.TemporaryDirectory(prefix="closedloop-demo-") as folder, listen("127.0.0.1", port) as listener:
        settings = _OwnSettings(
            database_url=f"sqlite:///{Path(folder) / 'demo.db'}", write_key=keys.write, secret_key=SecretStr(keys.secret)
        )
        await migrate(settings.database_url)
        ready = asyncio.Event()
        server = Server(create_app(settings), listener, settings, ready.set)
        serving = asyncio.create_task(server.until_stopped())
        playing = asyncio.create_task(_play(screen, url_of(listener), keys, now, ready))
        await asyncio.wait((serving, playing), return_when=asyncio.FIRST_COMPLETED)
        was_stopped = server.should_exit
        if playing.done() and not playing.exception() and not once and not was_stopped:
            _say_where(screen, url_of(listener), keys)
            await serving
        server.should_exit = True
        playing.cancel()
        await serving
        # What was under way when a signal came has failed, and that is no news.
        with suppress(asyncio.CancelledError, *((Exception,) if was_stopped else ())):
            await playing


async def _play(screen: Screen, url: str, keys: Keys, now: datetime, ready: asyncio.Event) -> None:
    await ready.wait()
    first_day = (now - timedelta(days=DAYS)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    stories = [*cast(first_day), *month(first_day, now - timedelta(minutes=1))]
    administrator = {"Authorization": f"Bearer {keys.secret}"}
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        await _connect_crm(client, keys, administrator)
        with _progress(screen.progress) as progress:
            whole = plan(stories, now)
            bar = progress.add_task("Sending a month of visits, forms and webhooks", total=whole.requests)
            await deliver(client, whole, keys, lambda: progress.advance(bar))
            await _until_computed(client, administrator, progress)
        await _show(screen.results, client, administrator)


def _progress(console: Console) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


async def _connect_crm(client: httpx.AsyncClient, keys: Keys, administrator: dict[str, str]) -> None:
    connection = {"id": CONNECTION, "provider": "generic", "secret": keys.webhook, "reports_activities": True}
    answer = await client.post("/v1/connections", json=connection, headers=administrator)
    if not answer.is_success:
        raise Refused(f"the connection was refused: {answer.status_code} {answer.text[:500]}")


async def _until_computed(client: httpx.AsyncClient, administrator: dict[str, str], progress: Progress) -> None:
    bar = progress.add_task("Computing people, journeys and conversions", total=None)
    most, deadline = 0, time.monotonic() + _PATIENCE_SECONDS
    while pending := await _pending(client, administrator):
        if time.monotonic() > deadline:
            raise Refused(f"after {_PATIENCE_SECONDS} s, {pending} rows still wait to be computed")
        most = max(most, pending)
        progress.update(bar, total=most, completed=most - pending)
        await asyncio.sleep(0.1)
    progress.update(bar, total=most or 1, completed=most or 1)


async def _pending(client: httpx.AsyncClient, administrator: dict[str, str]) -> int:
    return int((await _get(client, "/v1/status", administrator))["pending"])


async def _get(client: httpx.AsyncClient, path: str, administrator: dict[str, str]) -> dict[str, Any]:
    answer = await client.get(path, headers=administrator)
    if not answer.is_success:
        raise Refused(f"{path} answered {answer.status_code}: {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found


async def _show(console: Console, client: httpx.AsyncClient, administrator: dict[str, str]) -> None:
    credit = await _get(client, "/v1/reports/attribution?conversion=customer&model=all&by=channel", administrator)
    for table in credit_tables(credit["models"]):
        console.print(table)
    console.print(reasons_line(credit["models"]["linear"]))
    console.print(funnel_line(await _get(client, "/v1/reports/funnel?by=channel", administrator)))
    console.print(calls_table(await _get(client, "/v1/opportunities?outcome=uncontacted,missed&closed=false&limit=8", administrator)))
    console.print(outcomes_line(await _get(client, "/v1/reports/opportunities", administrator)))


def _say_where(screen: Screen, url: str, keys: Keys) -> None:
    screen.results.print(f"\nServing at {url} (Ctrl-C ends it, and nothing is kept). The API: {url}/docs", soft_wrap=True)
    screen.results.print(f"Secret key: {keys.secret}\nWrite key:  {keys.write}", soft_wrap=True)
    curl = f"curl -H 'Authorization: Bearer {keys.secret}' '{url}/v1/reports/attribution?conversion=customer&model=linear'"
    screen.results.print(f"Try: {curl}", soft_wrap=True)
