"""What `closedloop crm connect` and `closedloop crm sync` do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.progress import TextColumn

from app.commands.running import now, opened_or_made, run, site_of
from app.commands.terminal import counted, fail, note, print_rows, progress_bar, say
from app.crm import queries
from app.crm.api import Api, Denied, Failed, Missing, Throttled, api_of
from app.crm.calls import Calls, here
from app.crm.connecting import MEANINGS, Choice, Unknown, as_the_crm_says, chosen_pipelines, preview, settings_of, with_meanings
from app.crm.polling import begin_polls, months_before, poll_page
from app.crm.providers import Pipeline, Provider
from app.crm.registry import PROVIDERS
from app.crm.waiting import read_again
from app.db import Database
from app.log import Log
from app.logs import configure_logs
from app.settings import settings
from app.sites import connections as stored
from app.sites.connections import Connection, ConnectionSettings
from app.sites.days import first_instant
from app.sites.directory import Directory
from app.sites.site import Site

_LONGEST_PAUSE_SECONDS = 120.0
"""A command waits so long for a CRM; longer pauses are left to the service."""


@dataclass(frozen=True)
class Wanted:
    """The arguments of `closedloop crm connect`."""

    provider: str
    connection_id: str
    token: str | None
    base_url: str | None
    pipelines: Sequence[str]
    meanings: Mapping[str, Sequence[str]]
    months: int
    is_asked: bool
    at_once: bool


def connect_crm(site_id: str, wanted: Wanted) -> None:
    """`closedloop crm connect`."""
    provider = _provider(wanted.provider)
    title = provider.title or provider.name
    token = wanted.token or (typer.prompt(f"API token of {title}", hide_input=True) if wanted.is_asked else fail("--yes needs --token."))
    try:
        run(_connect(site_id, replace(wanted, token=token), provider))
    except (Throttled, Failed, Denied, Missing) as error:
        fail(error.reason)
    except Unknown as error:
        fail(str(error))


def sync_crm(site_id: str, connection_id: str, kinds: Sequence[str], since: date | None) -> None:
    """`closedloop crm sync`."""

    async def read() -> bool:
        async with _calling() as calls:
            site = await site_of(calls.database, site_id)
            begin = None if since is None else first_instant(since, ZoneInfo(site.settings.timezone))
            async with calls.database.read() as connection:
                sender = await stored.load_connection(connection, site_id, connection_id)
            return await _read_now(calls, sender, kinds, begin)

    if not run(read()):
        raise typer.Exit(1)


def _provider(name: str) -> Provider:
    provider = PROVIDERS.get(name)
    if provider is None or provider.account is None:
        able = [each.name for each in PROVIDERS.values() if each.account is not None]
        fail(f"{name!r} cannot be connected by a token; {', '.join(able) or 'no provider'} can.")
    return provider


@asynccontextmanager
async def _calling() -> AsyncIterator[Calls]:
    """What calls need, on the configured database."""
    configure_logs("ERROR")
    async with opened_or_made() as database:
        log = Log(database)
        await log.start()
        try:
            yield Calls.configured(database, log, Directory(database), settings())
        finally:
            await log.stop()


# ---------------------------------------------------------------- connect


async def _connect(site_id: str, wanted: Wanted, provider: Provider) -> None:
    fields = stored.checked_fields({"provider": provider.name, "api_token": wanted.token, "api_base_url": wanted.base_url})
    async with _calling() as calls:
        site = await site_of(calls.database, site_id)
        sender = Connection(site_id, wanted.connection_id, ("",), fields, now())
        since = months_before(now(), wanted.months)
        async with api_of(sender, provider, allow_private=calls.allow_private) as client:
            assert provider.account is not None
            say(f"The token opens {provider.title or provider.name}: {await provider.account(client, sender)}.")
            sender = await _with_choices(client, sender, provider, wanted, since)
        if wanted.is_asked:
            typer.confirm("Connect it?", default=True, abort=True)
        made = await _make(calls.database, site, sender, provider, since)
        say(f"Connected as {made.connection_id}.")
        if wanted.at_once:
            await _read_now(calls, made, [], None)
            return
    every = f"{settings().poll_minutes:g} minutes"
    say(f"`closedloop serve` reads what changed since {since:%Y-%m-%d}, and asks again every {every}.")
    say(f"`closedloop crm sync {made.connection_id}` reads it here and now.")


async def _with_choices(client: Api, sender: Connection, provider: Provider, wanted: Wanted, since: datetime) -> Connection:
    """The connection with the pipelines and stages that were chosen, after a look at what they make of ten deals."""
    pipelines: Sequence[Pipeline] = []
    if provider.pipelines is not None:
        pipelines = await provider.pipelines(client, sender)
        choices = with_meanings([as_the_crm_says(each) for each in chosen_pipelines(pipelines, wanted.pipelines)], wanted.meanings)
        if wanted.is_asked:
            choices = [chosen for each in choices if (chosen := _ask(each, is_sure=bool(wanted.pipelines)))]
        else:
            _show(choices)
        chosen_settings = settings_of(choices) if choices else ConnectionSettings()
        sender = replace(sender, fields=sender.fields.model_copy(update={"settings": chosen_settings}))
    found = await preview(client, sender, provider, pipelines, since)
    if found:
        say(f"\nWhat {'a deal' if len(found) == 1 else f'{len(found)} deals'} would count as:")
        print_rows(("deal", "stage", "amount", "counts as"), [(each.name, each.stage, each.amount, each.counts_as) for each in found])
    return sender


def _show(choices: Sequence[Choice]) -> None:
    say("\nWhat the stages mean:")
    stages = [(choice, stage) for choice in choices for stage in choice.pipeline.stages]
    rows = [(choice.pipeline.name, stage.name, stage.id, _meaning(choice, stage.id) or "open") for choice, stage in stages]
    print_rows(("pipeline", "stage", "id", "means"), rows)


def _meaning(choice: Choice, stage_id: str) -> str:
    return next((meaning for meaning, stages in choice.stages.items() if any(each.id == stage_id for each in stages)), "")


def _ask(choice: Choice, *, is_sure: bool) -> Choice | None:
    """What the user says of a pipeline; None if its deals do not count."""
    stages = choice.pipeline.stages
    say(f"\nPipeline {_line(choice.pipeline.name)}")
    print_rows(("no", "stage", "means"), [(n, each.name, _meaning(choice, each.id) or "open") for n, each in enumerate(stages, 1)])
    if not is_sure and not typer.confirm("Do its deals count?", default=True):
        return None
    told: dict[str, Sequence[str]] = {}
    for meaning in MEANINGS:
        default = ",".join(str(n) for n, each in enumerate(stages, 1) if _meaning(choice, each.id) == meaning)
        question = f"Which mean {meaning}? Numbers, with commas; - for none"
        numbers = typer.prompt(question, default=default or "-", value_proc=_numbers(len(stages)))
        told[meaning] = [stages[number - 1].id for number in numbers]
    return with_meanings([Choice(choice.pipeline)], told)[0]


def _numbers(most: int) -> Any:
    """Reads an answer as numbers of stages."""

    def read(text: str) -> list[int]:
        parts = [] if text.strip() in {"", "-"} else text.split(",")
        if not all(part.strip().isascii() and part.strip().isdigit() and 1 <= int(part) <= most for part in parts):
            raise typer.BadParameter(f"numbers from 1 to {most}, with commas, or -")
        return [int(part) for part in parts]

    return read


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


async def _make(database: Database, site: Site, sender: Connection, provider: Provider, since: datetime) -> Connection:
    """Make the connection, and have its first round begin where the user said, in one transaction."""
    fields = sender.fields.model_dump(mode="json", exclude_unset=True) | {"id": sender.connection_id}
    reports = provider.poll is None or "activities" in provider.polls
    fields |= {"settings": sender.fields.settings.model_dump(mode="json"), "reports_activities": reports}
    async with database.write() as connection:
        made = await stored.create_connection(connection, site, fields, now())
        if provider.poll is not None:
            await begin_polls(connection, made, provider.polls, since, now())
    return made


# ---------------------------------------------------------------- reading here and now


async def _read_now(calls: Calls, sender: Connection, kinds: Sequence[str], since: datetime | None) -> bool:
    """Read until each kind is at its end, with a bar; whether all could be. The service may do some of it meanwhile."""
    async with calls.database.write() as connection:
        wanted = await read_again(connection, sender, kinds, since, now())
        facts_before = int(await connection.scalar(queries.facts_of_connection(), here(sender)) or 0)
    before = await _polls(calls, sender, wanted)
    troubles = await _read_with_bars(calls, sender, before)
    after = await _polls(calls, sender, wanted)
    async with calls.database.read() as connection:
        facts = int(await connection.scalar(queries.facts_of_connection(), here(sender)) or 0)
    read = ", ".join(f"{after[kind].records - before[kind].records:,} {kind}" for kind in wanted)
    say(f"Read {read}. {counted(facts - facts_before, 'fact')} {'is' if facts - facts_before == 1 else 'are'} new.")
    for trouble in troubles:
        note(trouble)
    if troubles:
        note("`closedloop serve` goes on trying; `closedloop crm status` shows how far it is.")
    return not troubles


async def _read_with_bars(calls: Calls, sender: Connection, before: dict[str, Any]) -> list[str]:
    """What could not be read, in words."""
    provider = PROVIDERS[sender.fields.provider]
    with progress_bar(TextColumn("{task.completed:,} read")) as progress:
        bars = {kind: progress.add_task(kind, total=None) for kind in before}
        try:
            async with api_of(sender, provider, allow_private=calls.allow_private) as client:
                while True:
                    has_read = await poll_page(calls, sender, provider, client) is not None
                    rows = await _polls(calls, sender, before)
                    for kind, bar in bars.items():
                        records = rows[kind].records - before[kind].records
                        progress.update(bar, completed=records, total=max(records, 1) if _is_finished(rows[kind], before[kind]) else None)
                    unfinished = [row for kind, row in rows.items() if not _is_finished(row, before[kind])]
                    if not unfinished:
                        return []
                    if not has_read:
                        seconds, reasons = await _wait(calls, sender, unfinished)
                        if seconds > _LONGEST_PAUSE_SECONDS:
                            return reasons
                        await asyncio.sleep(min(max(seconds, 0.2), 5.0))
        except (Throttled, Failed, Denied) as error:
            return [error.reason]


async def _wait(calls: Calls, sender: Connection, unfinished: Sequence[Any]) -> tuple[float, list[str]]:
    """(seconds until something may be read, why not now)."""
    moment = now()
    async with calls.database.read() as connection:
        pauses = (await connection.execute(queries.pauses_of_connection(), here(sender))).all()
    paused = [row for row in pauses if not row.kind and row.paused_until > moment]
    if paused:
        return (paused[0].paused_until - moment).total_seconds(), [paused[0].reason]
    if any(row.last_error is None for row in unfinished):
        return 0.5, []  # the service is reading it
    reasons = [f"{row.kind}: {row.last_error}" for row in unfinished]
    return min((row.next_try_at - moment).total_seconds() for row in unfinished), reasons


def _is_finished(row: Any, before: Any) -> bool:
    return row.began_at is None and row.finished_at is not None and row.finished_at != before.finished_at


async def _polls(calls: Calls, sender: Connection, kinds: Any) -> dict[str, Any]:
    async with calls.database.read() as connection:
        rows = await connection.execute(queries.polls_of_connection(), here(sender))
    found = {row.kind: row for row in rows}
    return {kind: found[kind] for kind in kinds}
