"""Ingestion against a no-op endpoint of the same app: single events, batches of 100, and during a rebuild."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import uvloop

from app.db import Database
from app.pipeline import rebuild_progress, run_until_idle, start_rebuild
from app.settings import Settings
from app.sites.authorisation import ensure_first_site
from tests.bench.client import Result, load, request
from tests.bench.load import SITE, fill_log
from tests.bench.stitching import fresh_databases
from tests.faults.storm import free_port
from tests.world import SECRET_KEY, WRITE_KEY

SECONDS = 8.0
_ROOT = Path(__file__).parents[2]
_numbers = count()


def _event() -> dict[str, object]:
    number = next(_numbers)
    return {
        "id": f"e{number}",
        "type": "pageview",
        "visitor_id": f"v{number // 4}",
        "occurred_at": datetime.now(UTC).isoformat(),
        "url": f"https://shop.example/p/{number % 50}?utm_source=s{number % 9}&utm_campaign=c{number % 40}",
        "referrer": f"https://www.google.com/search?q={number % 100}",
        "title": "A page",
    }


def singles(path: str) -> Iterator[bytes]:
    """Requests with one event each."""
    while True:
        yield request(path, json.dumps(_event()).encode(), SECRET_KEY)


def batches(path: str, size: int) -> Iterator[bytes]:
    """Requests with so many events each."""
    while True:
        yield request(path, json.dumps({"events": [_event() for _ in range(size)]}).encode(), SECRET_KEY)


@contextmanager
def served(url: str, *options: str) -> Iterator[int]:
    """The service as a process of its own; its port."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "CLOSEDLOOP_DATABASE_URL": url}
    command = [sys.executable, "-m", "tests.bench.server", str(port), *options]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield port
        finally:
            process.send_signal(signal.SIGTERM)


def _run(port: int, requests: Iterator[bytes], connections: int = 64, seconds: float = SECONDS) -> Result:
    return uvloop.run(load(port, requests, connections=connections, seconds=seconds))


async def _prepare(url: str, events: int) -> None:
    database = Database(url)
    given = Settings(_env_file=None, database_url=url, write_key=WRITE_KEY, secret_key=SECRET_KEY)
    await ensure_first_site(database, given, datetime.now(UTC))
    if events:
        await fill_log(database, events)
        await run_until_idle(database)
        await start_rebuild(database, SITE, datetime.now(UTC))
    await database.dispose()


async def _is_rebuilding(url: str) -> bool:
    database = Database(url)
    try:
        return await rebuild_progress(database, SITE) is not None
    finally:
        await database.dispose()


def idle(kind: str, url: str) -> None:
    """Print the ratios with no pipeline running."""
    asyncio.run(_prepare(url, 0))
    with served(url) as port:
        _run(port, singles("/no-op"), seconds=2)
        no_op = _run(port, singles("/no-op"))
        single = _run(port, singles("/v1/events"))
        no_op_again = _run(port, singles("/no-op"))
        batch = _run(port, batches("/v1/events", 100), connections=8)
    base = (no_op.per_second + no_op_again.per_second) / 2
    print(
        f"{kind:10} no-op {base:,.0f}/s; one event {single.per_second:,.0f}/s = {single.per_second / base:.2f} x (budget 0.55), p99 {single.percentile(99):.0f} ms"
    )
    print(
        f"{kind:10} batches of 100: {batch.per_second * 100:,.0f} events/s = {batch.per_second * 100 / base:.2f} x (budget 2.5)", flush=True
    )


def rebuilding(kind: str, url: str, events: int) -> None:
    """Print how long ingestion takes at a tenth of its rate while everything is computed anew."""
    asyncio.run(_prepare(url, events))
    with served(url, "--pipeline") as port:
        result = _run(port, singles("/v1/events"), connections=4, seconds=15)
        was_rebuilding = asyncio.run(_is_rebuilding(url))
    state = "still rebuilding at the end" if was_rebuilding else "the rebuild ended before"
    print(
        f"{kind:10} during a rebuild: {result.per_second:,.0f}/s, p99 {result.percentile(99):.0f} ms (budget 250), {result.failures} failures; {state}",
        flush=True,
    )


def main(events: int) -> None:
    """Both databases, idle and during a rebuild."""
    for kind in ("sqlite", "postgresql"):
        with fresh_databases() as urls:
            idle(kind, urls[kind])
        with fresh_databases() as urls:
            rebuilding(kind, urls[kind], events)


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 400_000)
