"""Stitching, measured as a rebuild from events to journeys, on both databases and at two sizes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from app.db import Database
from app.locks import holding
from app.migrate import upgrade
from app.pipeline import Worker, rebuild_chunk, rebuild_progress, start_rebuild
from app.settings import Settings
from app.sites.authorisation import ensure_first_site
from app.sites.site import load_site
from tests import postgresql
from tests.bench.load import SITE, fill_log
from tests.bench.reports import time_reports

_SUMS = ("sums", "months")
"""The stages after journeys: they cost by days and origins, not by events."""


@contextmanager
def fresh_databases() -> Iterator[dict[str, str]]:
    """URLs of an empty migrated database of each kind; gone afterwards."""
    postgresql.make_folder()
    with TemporaryDirectory() as folder, postgresql.server(durable=True) as server:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'bench.db'}", "postgresql": postgresql.create_database(server, "bench")}
        for url in urls.values():
            upgrade(url)
        yield urls


async def prepare(url: str, events: int) -> Database:
    """A database with a site and a log."""
    database = Database(url)
    await ensure_first_site(database, Settings(_env_file=None, database_url=url), datetime.now(UTC))
    await fill_log(database, events)
    if not database.is_sqlite:
        await vacuum(database)
    return database


async def vacuum(database: Database) -> None:
    """What PostgreSQL does by itself within minutes of a bulk load."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE"))


async def rebuild_timed(database: Database) -> dict[str, float]:
    """Run a rebuild from nothing; seconds by stage."""
    seconds: dict[str, float] = {}
    await start_rebuild(database, SITE, datetime.now(UTC))
    async with database.worker() as connection:
        with holding(database) as locks:
            worker = Worker(database, connection, locks)
            async with database.read() as reading:
                site = await load_site(reading, SITE)
            assert await locks.take(connection, SITE)
            while (progress := await rebuild_progress(database, SITE)) is not None:
                began = time.perf_counter()
                await rebuild_chunk(worker, site)
                stage = progress["stage"]
                seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began
    return seconds


@dataclass
class Measured:
    """What one size gave: events by the seconds from events to journeys, and the reports."""

    events_per_second: float
    report_milliseconds: dict[str, float]


async def measure(url: str, events: int) -> Measured:
    """A rebuild, printed by stage, then the reports over it."""
    database = await prepare(url, events)
    seconds = await rebuild_timed(database)
    total = sum(seconds.values())
    stitching = sum(value for stage, value in seconds.items() if stage not in _SUMS)
    parts = "  ".join(f"{stage} {value:.1f}s" for stage, value in seconds.items())
    print(
        f"{database.url.get_backend_name():10} {events:>9,} events: {events / stitching:>8,.0f} events/s to journeys, "
        f"{events / total:,.0f} with sums  ({parts})",
        flush=True,
    )
    if not database.is_sqlite:
        await vacuum(database)
    reports = await time_reports(database)
    print(f"{'':10} reports: " + "  ".join(f"{name} {value:,.0f} ms" for name, value in reports.items()), flush=True)
    await database.dispose()
    return Measured(events / stitching, reports)


def main(sizes: list[int], kinds: list[str]) -> None:
    """Print the rates at each size, and how they grew with it."""
    for kind in kinds:
        found = []
        for size in sizes:
            with fresh_databases() as urls:
                found.append(asyncio.run(measure(urls[kind], size)))
        if len(found) > 1:
            first, last = found[0], found[-1]
            print(
                f"{kind:10} {sizes[-1] / sizes[0]:.0f} x the events: rate {last.events_per_second / first.events_per_second:.2f} x; ",
                end="",
            )
            grown = {name: last.report_milliseconds[name] / value for name, value in first.report_milliseconds.items()}
            print("; ".join(f"{name} {ratio:.1f} x" for name, ratio in grown.items()), flush=True)


if __name__ == "__main__":
    wanted = [int(float(argument)) for argument in sys.argv[1:] if argument[0].isdigit()] or [100_000, 1_000_000]
    main(wanted, [argument for argument in sys.argv[1:] if not argument[0].isdigit()] or ["sqlite", "postgresql"])
