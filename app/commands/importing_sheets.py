"""closedloop import --format deals|touches: a preview first, then what the sheet says, in place of what it said before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from app.collect.schemas import Event
from app.commands.running import now, opened_or_made, run, site_of
from app.commands.terminal import counted, fail, note, print_rows, say
from app.crm.messages import Said, fact_of
from app.db import Database
from app.errors import Problem
from app.imports import replacing
from app.imports.cells import Writing
from app.imports.deals import IMPORTED, Meaning, SheetDeal, facts_of_deals, read_deals
from app.imports.records import UnreadableFile
from app.imports.sheets import Sheet
from app.imports.touches import ATTENDED, TouchMeaning, facts_of_touches, read_touches
from app.log import Fact, Log
from app.logs import configure_logs
from app.sites.connections import load_connection
from app.sites.rules import GENERIC_SPACE
from app.sites.site import Site
from app.tables import from_micros, to_micros

_SHOWN = 10
_AT_ONCE = 500
_DEAL_COLUMNS = ("id", "name", "outcome", "amount", "currency", "closed on", "contacts")


@dataclass(frozen=True)
class SheetOptions:
    """What the command was told of the sheet."""

    map: list[str]
    date_format: str | None
    decimal_comma: bool
    currency: str | None
    space: str
    won: list[str]
    lost: list[str]
    replace: bool
    list_name: str | None
    counts: list[str]
    channel: str
    campaign: str | None
    yes: bool

    def writing(self, site: Site) -> Writing:
        """How it writes dates and amounts."""
        return Writing(site.settings.timezone, self.date_format, self.decimal_comma)


def import_sheet(path: Path, kind: str, site_id: str, options: SheetOptions) -> None:
    """`closedloop import` of a sheet of deals or touches."""
    configure_logs("WARNING")
    bring_in = _bring_in_deals if kind == "deals" else _bring_in_touches

    async def work() -> bool:
        async with opened_or_made() as database:
            return await bring_in(database, await site_of(database, site_id), path, options)

    try:
        is_whole = run(work())
    except UnreadableFile as error:
        fail(f"{path.name}: {error}")
    if not is_whole:
        raise typer.Exit(1)


# ---------------------------------------------------------------- deals


async def _bring_in_deals(database: Database, site: Site, path: Path, options: SheetOptions) -> bool:
    space = await _space(database, site, options.space)
    at = to_micros(now())
    won, lost = (frozenset(word.lower() for word in words) for words in (options.won, options.lost))
    meaning = Meaning(options.writing(site), options.currency, won, lost)
    with path.open("rb") as file:
        sheet = read_deals(file, options.map, meaning, at)
    _show(sheet, _DEAL_COLUMNS, (_deal_cells(deal, site) for _, deal in sheet.rows))
    facts = facts_of_deals(site, space, [deal for _, deal in sheet.rows], at)
    async with database.read() as connection:
        stored = (await connection.execute(replacing.deals_imported(), {"of_site": site.site_id, "of_space": space})).all()
    stated, deal_ids = {fact.row["fact_id"] for fact in facts}, {fact.row["deal_id"] for fact in facts}
    outdated = {row.fact_id for row in stored if row.deal_id in deal_ids and row.fact_id not in stated}
    is_deleted = {row.deal_id for row in stored if row.type == "deal.deleted"}
    gone = sorted({row.deal_id for row in stored} - deal_ids - is_deleted) if options.replace else []
    deleting = f" and delete {counted(len(gone), 'deal')} that are gone" if gone else ""
    _confirm(f"Import {counted(len(facts), 'deal')} into {space}{deleting}", options)
    deletions = [fact_of(site, IMPORTED, space, Said(f"{deal}/{at}", "deal.deleted", {"id": deal}, at), received_at=at) for deal in gone]
    new = await _store(database, site, [*facts, *deletions], outdated, replacing.forget_deal_facts, at)
    changed = new - len(deletions)
    say(
        f"{counted(changed, 'deal')} new or changed, {len(facts) - changed:,} as before, {len(deletions):,} deleted, "
        f"{counted(len(sheet.rejected), 'line')} rejected."
    )
    return _complain(sheet)


async def _space(database: Database, site: Site, named: str) -> str:
    if named == GENERIC_SPACE:
        return named
    try:
        async with database.read() as connection:
            return (await load_connection(connection, site.site_id, named)).space
    except Problem:
        fail(f"--space {named!r}: it is {GENERIC_SPACE} or the ID of a connection (`closedloop connections list`).")


def _deal_cells(deal: SheetDeal, site: Site) -> list[object]:
    data = deal.data
    currency = data.get("currency", site.settings.currency) if "amount" in data else None
    shown = (data.get("amount"), currency, data.get("closed_on"), "; ".join(data.get("contacts", ())))
    return [data["id"], data.get("name"), deal.outcome, *shown]


# ---------------------------------------------------------------- touches


async def _bring_in_touches(database: Database, site: Site, path: Path, options: SheetOptions) -> bool:
    at, name = to_micros(now()), options.list_name or path.name
    counts = frozenset(word.strip().lower() for each in options.counts for word in each.split(",")) or frozenset(ATTENDED)
    meaning = TouchMeaning(options.writing(site), name, counts, options.channel, options.campaign)
    with path.open("rb") as file:
        sheet = read_touches(file, options.map, meaning)
    _show(sheet, ("occurred_at", "who", "channel", "campaign", "becomes"), (_touch_cells(event) for _, event in sheet.rows))
    events = [event for _, event in sheet.rows if event is not None]
    facts = facts_of_touches(site, events, at)
    async with database.read() as connection:
        stored = await replacing.touches_of_list(connection, site.site_id, name)
    outdated = stored - {fact.row["event_id"] for fact in facts}
    _confirm(f"Import {counted(len(facts), 'touch', 'touches')} as the list {name!r}", options)
    new = await _store(database, site, facts, outdated, replacing.forget_touches, at)
    say(
        f"{counted(new, 'touch', 'touches')} new or changed, {len(facts) - new:,} as before, {len(outdated):,} taken away, "
        f"{counted(len(sheet.rejected), 'line')} rejected."
    )
    for status, number in sorted(meaning.left_out.items()):
        note(f"{counted(number, 'row')} {status!r}: no touch (--counts says which statuses are)")
    return _complain(sheet)


def _touch_cells(event: Event | None) -> list[object]:
    if event is None:
        return [None, None, None, None, "nothing: its status counts not"]
    at = None if event.occurred_at is None else from_micros(event.occurred_at).isoformat()
    return [at, event.email or event.phone, event.channel, event.campaign, "a touch"]


# ---------------------------------------------------------------- what they share


def _show(sheet: Sheet[Any], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Which column holds what, and what the first rows become."""
    note("Taken: " + ", ".join(f"{field} from {column!r}" for field, column in sheet.columns.items()))
    if sheet.unused:
        note("Not taken: " + ", ".join(repr(column) for column in sheet.unused))
    first = [row for row, _ in zip(rows, range(_SHOWN), strict=False)]
    print_rows(columns, first)
    for line, reason in sheet.rejected[:_SHOWN]:
        note(f"line {line}: {reason}")


def _confirm(what: str, options: SheetOptions) -> None:
    if not options.yes and not typer.confirm(f"{what}?", default=False, err=True):
        fail("nothing was imported.")


Forget = Callable[..., Awaitable[None]]


async def _store(database: Database, site: Site, facts: Sequence[Fact], outdated: set[str], forget: Forget, at: int) -> int:
    """Write the facts, after what they take the place of is gone. Answers how many are new."""
    if outdated:
        async with database.write() as connection:
            await forget(connection, site.site_id, outdated, at)
    log, new = Log(database), 0
    await log.start()
    try:
        for first in range(0, len(facts), _AT_ONCE):
            new += sum(outcome is True for outcome in await log.append(facts[first : first + _AT_ONCE]))
    finally:
        await log.stop()
    return new


def _complain(sheet: Sheet[Any]) -> bool:
    """Whether every line was taken; the lines that were not stand in the preview already, but for those beyond it."""
    for line, reason in sheet.rejected[_SHOWN:]:
        note(f"line {line}: {reason}")
    return not sheet.rejected
