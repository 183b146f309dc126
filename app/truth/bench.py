"""The bench: a market told to the real pipeline on a database, and the credit of every model beside the truth."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.db import Database
from app.imports.delivery import DatabaseDoor, deliver
from app.imports.records import Record
from app.log import Log
from app.migrate import migrate
from app.pipeline import run_until_idle
from app.reports.attribution import attribution
from app.reports.parameters import AttributionFilters
from app.sites.administration import create_site
from app.sites.site import Site
from app.truth.markets import Market
from app.truth.measures import mean_error, misplaced_share
from app.truth.people import Person, Truth, people, truth
from app.truth.recording import recorded

NO_MODEL = "no_model"
"""The row to beat: the same to every channel, which needs no data at all."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""After the last deal of any market. The bench has no other time, so that its answers are the same every day."""
_ASKED = AttributionFilters(conversion="customer", model="all", by="channel")


@dataclass(frozen=True)
class Verdict:
    """What one model said of a market, and how far that is from the truth."""

    model: str
    credited: dict[str, float]
    """Conversions by channel."""
    misplaced_share: float | None
    mean_error: float


@dataclass(frozen=True)
class Played:
    """A market, its truth, and what every model made of it."""

    market: Market
    people: int
    truth: Truth
    uncredited: float
    """Conversions that no touch earned."""
    verdicts: tuple[Verdict, ...]


Told = Callable[[Market, str, float], None]
"""Called with the market, what is being done, and the share of the market that is done by then."""


async def play_all(markets: Iterable[Market], *, count: int, seed: int, told: Told) -> AsyncIterator[Played]:
    """Play markets one after the other, on a database of the bench's own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="closedloop-truth-") as folder:
        url = f"sqlite:///{Path(folder) / 'truth.db'}"
        await migrate(url)
        database = Database(url)
        try:
            for market in markets:
                yield await play(database, market, count=count, seed=seed, told=told)
        finally:
            await database.dispose()


async def play(database: Database, market: Market, *, count: int, seed: int, told: Told) -> Played:
    """Play one market on a site of its own, named as the market, in a migrated database.

    Conflict if there is such a site already; RuntimeError if the product does not take an event.
    """
    told(market, "simulating", 0.0)
    crowd = people(market, count, seed)
    caused = truth(market, crowd)
    async with database.write() as connection:
        site = await create_site(connection, market.name, {}, _NOW)
    await _store(database, site, market, crowd, seed, told)
    told(market, "computing", 0.5)
    await run_until_idle(database, site.site_id)
    told(market, "asking every model", 0.8)
    async with database.read() as connection:
        answer = await attribution(connection, site, _ASKED, _NOW)
    verdicts = {model: _credited(each["rows"]) for model, each in answer["models"].items()}
    totals = next(iter(answer["models"].values()))["totals"]
    told(market, "done", 1.0)
    return Played(market, count, caused, totals["uncredited"]["conversions"], tuple(_verdicts(verdicts, totals, caused)))


async def _store(database: Database, site: Site, market: Market, crowd: list[Person], seed: int, told: Told) -> None:
    log = Log(database)
    await log.start()
    try:
        async for result in deliver(_records(market, crowd, seed, told), DatabaseDoor(log, site)):
            if result.rejected:
                raise RuntimeError(f"the product refused an event of the bench: {result.rejected[0].reason}")
    finally:
        await log.stop()


def _records(market: Market, crowd: list[Person], seed: int, told: Told) -> Iterator[Record]:
    line = 0
    for number, person in enumerate(crowd):
        told(market, "telling the product", 0.05 + 0.45 * number / len(crowd))
        for event in recorded(person, market, seed):
            line += 1
            yield Record(line, event)


def _credited(rows: Iterable[dict[str, object]]) -> dict[str, float]:
    return {str(row["channel"]): float(str(row["conversions"])) for row in rows}


def _verdicts(credits: dict[str, dict[str, float]], totals: dict[str, dict[str, float]], caused: Truth) -> Iterator[Verdict]:
    channels = list(caused.incremental)
    for model, credited in {NO_MODEL: _the_same_to_all(channels, totals), **credits}.items():
        yield Verdict(model, credited, misplaced_share(credited, caused.incremental), mean_error(credited, caused.incremental))


def _the_same_to_all(channels: list[str], totals: dict[str, dict[str, float]]) -> dict[str, float]:
    return dict.fromkeys(channels, totals["credited"]["conversions"] / len(channels))
