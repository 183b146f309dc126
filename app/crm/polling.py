"""Asking a CRM what changed: page after page of each kind, each stored before the place in it is moved on.

A crash in between repeats a page, which changes nothing: what is said again under the same name is stored once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.crm import queries
from app.crm.api import Denied, Failed, Throttled
from app.crm.calls import (
    DENIED_FOR,
    LEASE,
    PATIENCE_SECONDS,
    Calls,
    end_pauses,
    here,
    in_words,
    is_outage,
    pause_after,
    seconds_to_wait,
)
from app.crm.providers import Client, Page, Provider
from app.db import insert_new
from app.sites.connections import Connection

FIRST_MONTHS = 12
"""How far back the first round reads, in months, unless somebody says otherwise."""
_OVERLAP = timedelta(minutes=5)
"""A round begins this long before the one before it did: clocks differ, and a CRM's index lags behind its records."""
_LOST_PAGE_TRIES = 5
"""A page that fails so often may be gone (places in a list expire): the round begins again."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Polled:
    """A page that was read."""

    kind: str
    records: int
    stored: int
    """How many of them said something new."""
    is_last: bool


async def begin_polls(connection: AsyncConnection, sender: Connection, kinds: Iterable[str], since: datetime, now: datetime) -> None:
    """Ask for these kinds from now on, beginning with what changed since then. Kinds that are asked for already go on."""
    fresh = {"since": since, "cursor": None, "began_at": None, "next_try_at": now, "tries": 0, "last_error": None, "records": 0}
    rows = [
        {"site_id": sender.site_id, "connection_id": sender.connection_id, "kind": kind, **fresh, "finished_at": None} for kind in kinds
    ]
    if rows:
        await connection.execute(insert_new(connection.dialect.name == "sqlite", tables.crm_polls), rows)


async def begin_anew(connection: AsyncConnection, sender: Connection, kinds: Iterable[str], since: datetime, now: datetime) -> None:
    """Ask for these kinds again from `since`, now, whatever was under way, and whatever pauses the calls."""
    kinds = list(kinds)
    await begin_polls(connection, sender, kinds, since, now)
    await connection.execute(queries.begin_polls_anew(), {**here(sender), "kinds": kinds, "since_at": since, "now": now})
    await end_pauses(connection, sender)


def months_before(now: datetime, months: int) -> datetime:
    """So many months of 30.4 days before."""
    return now - timedelta(days=30.4 * months)


async def poll_page(calls: Calls, sender: Connection, provider: Provider, client: Client) -> Polled | None:
    """Read the next page of the first kind that is due. None if none is, or it has to wait."""
    row = await _lease(calls, sender, provider)
    if row is None:
        return None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            page = await _page(provider, client, sender, row)
    except Exception as error:  # noqa: BLE001  whatever the answer did to its reader, the others are read
        await _postpone(calls, sender, row, error)
        return None
    except asyncio.CancelledError:
        await _release(calls, sender, row)
        raise
    try:
        stored = await calls.store(sender, page.said)
    except BaseException:
        await _release(calls, sender, row)
        raise
    await _move_on(calls, sender, row, page)
    return Polled(row.kind, len(page.said), stored, page.cursor is None)


async def _lease(calls: Calls, sender: Connection, provider: Provider) -> Any:
    now = calls.clock()
    async with calls.database.write() as connection:
        due = {row.kind for row in await connection.execute(queries.polls_due(), {**here(sender), "now": now})}
        kind = next((each for each in provider.polls if each in due), None)
        if kind is None:
            return None
        named = {**here(sender), "of_kind": kind, "now": now, "leased_until": now + LEASE}
        return (await connection.execute(queries.lease_poll(), named)).one_or_none()


async def _page(provider: Provider, client: Client, sender: Connection, row: Any) -> Page:
    assert provider.poll is not None
    page = await provider.poll(client, sender, row.kind, tables.to_micros(row.since), row.cursor)
    if page.cursor is not None and page.cursor == row.cursor:
        raise Failed("the CRM names a page as the one that follows it")
    return page


# ---------------------------------------------------------------- what becomes of the row


async def _move_on(calls: Calls, sender: Connection, row: Any, page: Page) -> None:
    now, read = calls.clock(), row.records + len(page.said)
    on = {"cursor": page.cursor, "tries": 0, "last_error": None, "records": read}
    if page.cursor is None:
        next_round = {"since": row.began_at - _OVERLAP, "began_at": None, "finished_at": now}
        on |= {**next_round, "next_try_at": max(row.began_at + calls.poll_every, now)}
    else:
        on |= {"next_try_at": now}
    await _write(calls, sender, row, on, works=True)


async def _release(calls: Calls, sender: Connection, row: Any) -> None:
    """The page was not read, for no fault of the CRM's: whoever runs next reads it at once."""
    with suppress(Exception):
        await _write(calls, sender, row, {"next_try_at": calls.clock()})


async def _postpone(calls: Calls, sender: Connection, row: Any, error: Exception) -> None:
    """Try the same page again later. A kind that is denied is asked for again in an hour, while the others go on."""
    now, tries = calls.clock(), row.tries + 1
    seconds = timedelta(seconds=seconds_to_wait(row.tries, f"{sender.connection_id}:{row.kind}"))
    later: dict[str, Any] = {"tries": tries, "last_error": in_words(error), "next_try_at": now + seconds}
    if row.cursor is None:
        later["began_at"] = None  # nothing was read yet: what changes until then will be
    if isinstance(error, Throttled) or (isinstance(error, Denied) and error.is_token):
        later |= {"tries": row.tries, "next_try_at": now}
    elif isinstance(error, Denied):
        later["next_try_at"] = now + DENIED_FOR
    elif not is_outage(error):
        logger.warning("a page could not be read", connection=sender.connection_id, kind=row.kind, error=type(error).__name__)
        if tries % _LOST_PAGE_TRIES == 0:
            later |= {"cursor": None, "began_at": None}
    await _write(calls, sender, row, later)
    if not (isinstance(error, Denied) and not error.is_token):
        async with calls.database.write() as connection:
            await pause_after(connection, sender, row.kind, error, now)


async def _write(calls: Calls, sender: Connection, row: Any, values: dict[str, Any], *, works: bool = False) -> None:
    """Write the row, unless it was told meanwhile to begin anew."""
    async with calls.database.write() as connection:
        named = {**here(sender), "of_kind": row.kind, "leased_until": row.next_try_at}
        await connection.execute(queries.leased_poll().values(**values), named)
        if works:
            await end_pauses(connection, sender)
