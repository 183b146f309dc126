"""closedloop import."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import BinaryIO

import httpx
import typer
from rich.progress import TextColumn

from app import money
from app.commands.running import opened_or_made, run, site_of
from app.commands.terminal import counted, fail, note, progress_bar, say
from app.imports.delivery import DatabaseDoor, Door, HttpDoor, NotDelivered, Result, deliver
from app.imports.paths import Tally, journeys
from app.imports.records import Record, UnreadableFile, csv_rows, json_lines
from app.log import Log
from app.logs import configure_logs
from app.settings import settings

_REJECTIONS_SHOWN = 20
_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv"}


def import_file(
    path: Path, file_format: str | None, *, site: str, url: str | None, key: str | None, ending: str, currency: str | None
) -> None:
    """`closedloop import`."""
    kind = file_format or _BY_SUFFIX.get(path.suffix.lower()) or fail(f"what does {path.name} hold? Say --format jsonl, csv or paths.")
    last_day = _day(ending)
    tally, size = Tally(), path.stat().st_size

    async def bring_in() -> tuple[Result, str]:
        async with _door(site, url, key) as (door, currency_of_site):
            units = _currency(currency) or currency_of_site
            return await _deliver_with_bar(file, _records(file, kind, last_day, units, tally), door, size), units

    try:
        with path.open("rb") as file:
            result, units = run(bring_in())
    except (UnreadableFile, NotDelivered) as error:
        fail(f"{path.name}: {error}")
    _summarise(result)
    if kind == "paths":
        _summarise_paths(tally, units)
    if result.rejected:
        raise typer.Exit(1)


def _records(file: BinaryIO, kind: str, last_day: date, currency: str, tally: Tally) -> Iterator[Record]:
    if kind == "paths":
        return journeys(file, ending=last_day, currency=currency, tally=tally)
    return csv_rows(file) if kind == "csv" else json_lines(file)


async def _deliver_with_bar(file: BinaryIO, records: Iterator[Record], door: Door, size: int) -> Result:
    result = Result()
    with progress_bar(TextColumn("{task.fields[events]:,} events")) as progress:
        bar = progress.add_task("Importing", total=size or 1, events=0)
        async for result in deliver(records, door):
            progress.update(bar, completed=file.tell(), events=result.accepted + result.duplicates)
        progress.update(bar, completed=size or 1)
    return result


@asynccontextmanager
async def _door(site_id: str, url: str | None, key: str | None) -> AsyncIterator[tuple[Door, str]]:
    """Where the events go, and the currency of the site there."""
    if url is not None:
        if not key:
            fail("--url needs --key with a secret key (or CLOSEDLOOP_SECRET_KEY).")
        async with httpx.AsyncClient(base_url=url, timeout=120) as client:
            yield HttpDoor(client, key, site_id), "USD"
        return
    configure_logs("WARNING")
    async with opened_or_made() as database:
        site = await site_of(database, site_id)
        log = Log(database)
        await log.start()
        try:
            yield DatabaseDoor(log, site), site.settings.currency
        finally:
            await log.stop()


def _summarise(result: Result) -> None:
    stored, refused = counted(result.accepted, "event"), counted(len(result.rejected), "line")
    say(f"{stored} stored, {result.duplicates:,} were there already, {refused} rejected.")
    for rejected in result.rejected[:_REJECTIONS_SHOWN]:
        note(f"line {rejected.line}: {rejected.reason}")
    if len(result.rejected) > _REJECTIONS_SHOWN:
        note(f"… and {len(result.rejected) - _REJECTIONS_SHOWN:,} more; `closedloop quarantine list` shows what the service has set aside.")


def _summarise_paths(tally: Tally, currency: str) -> None:
    say(
        f"{counted(tally.rows, 'path')}: {counted(tally.journeys, 'journey')} with {counted(tally.touches, 'touch', 'touches')}, "
        f"{tally.conversions:,} of them converted."
    )
    say(
        f"Value {tally.value} {currency}, stored as {money.as_decimal_text(tally.value_minor, currency)}: "
        f"rounding each row to minor units took away {tally.lost_to_rounding(currency)}."
    )
    if settings().database_url.startswith("sqlite"):
        note("`closedloop serve` computes it (or a worker that runs already).")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"--ending {text!r} is not a day such as 2026-01-01.")


def _currency(text: str | None) -> str | None:
    try:
        return text and money.currency_code(text)
    except ValueError as error:
        fail(f"--currency: {error}.")
