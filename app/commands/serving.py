"""serve, worker, demo: what runs until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime

import uvloop
from rich.console import Console

from app.commands.running import make_first_site
from app.commands.terminal import fail, progress_console, say
from app.crm.calls import Calls
from app.crm.running import calling
from app.db import Database
from app.demo.delivery import Refused
from app.demo.run import Screen, run_demo
from app.log import Log
from app.logs import configure_logs
from app.main import create_app
from app.migrate import migrate
from app.notices.delivery import Notifier
from app.notices.running import notifying
from app.pipeline import run_worker
from app.server import Server, listen, url_of
from app.settings import Settings, settings
from app.sites.directory import Directory

_WIDTH_ON_PAPER = 120


def serve_until_stopped(host: str, port: int, *, run_pipeline: bool) -> None:
    """`closedloop serve`."""
    # Read when numpy is first imported. A thread for each core would take from ingestion what small matrices cannot use.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    configured = settings()
    configure_logs(configured.log_level)
    try:
        listener = listen(host, port)
    except OSError as error:
        fail(f"cannot listen on {host} port {port} ({error.strerror}): choose another with --host and --port")

    async def serve() -> None:
        await _prepare()
        url = url_of(listener)
        ready = f"Closed Loop is at {url} (API: {url}/docs)"
        await Server(create_app(configured, run_pipeline=run_pipeline), listener, configured, lambda: say(ready)).until_stopped()

    with listener:
        uvloop.run(serve())


def work_until_stopped() -> None:
    """`closedloop worker`."""
    configured = settings()
    configure_logs(configured.log_level)

    async def work() -> None:
        await _prepare()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        say("The pipeline runs; Ctrl-C ends it.")
        database = Database(configured.database_url)
        try:
            await _work(database, configured, stop)
        finally:
            await database.dispose()

    uvloop.run(work())


async def _work(database: Database, configured: Settings, stop: asyncio.Event) -> None:
    """Compute, call CRMs, and tell others what happens."""
    log = Log(database)
    await log.start()
    try:
        calls = Calls.configured(database, log, Directory(database), configured)
        async with calling(calls), notifying(Notifier.configured(database, configured)):
            await run_worker(database, stop)
    finally:
        await log.stop()


def demonstrate(port: int, *, once: bool) -> None:
    """`closedloop demo`."""
    configure_logs("WARNING")
    results = Console() if sys.stdout.isatty() else Console(width=_WIDTH_ON_PAPER)
    screen = Screen(results, progress_console)
    try:
        uvloop.run(run_demo(screen, datetime.now(UTC), port=port, once=once))
    except Refused as refused:
        fail(f"the demo went wrong: {refused}")
    except OSError as error:
        fail(f"the demo cannot serve on port {port} ({error.strerror}): choose another with --port")


async def _prepare() -> None:
    configured = settings()
    await migrate(configured.database_url)
    database = Database(configured.database_url)
    try:
        await make_first_site(database, configured)
    finally:
        await database.dispose()
