"""One task that calls every CRM: fetches what webhooks named, and asks at intervals what changed.

Each connection has at most one call under way, and a process at most a few: ingestion must not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import structlog

from app.crm import queries
from app.crm.api import Denied, Failed, Throttled, api_of
from app.crm.calls import Calls, pause_after
from app.crm.fetching import fetch_batch
from app.crm.polling import FIRST_MONTHS, begin_polls, months_before, poll_page
from app.crm.providers import Provider
from app.log.failures import in_words
from app.sites.connections import Connection, read_connection

_IDLE_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 10.0
_MOST_AT_ONCE = 4
_STEPS = 20
"""Batches and pages of a connection before others get their turn."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Due:
    """A connection that is to be called."""

    sender: Connection
    provider: Provider
    unknown_kinds: tuple[str, ...]
    """What its provider can be asked for, and was not yet."""


async def run_calls(calls: Calls, stop: asyncio.Event) -> None:
    """Call whom there is to call, until told to stop. Failures of the database are waited out.

    What is under way then is given back, to be taken up at once by whoever runs next.
    """
    at_work: dict[str, asyncio.Task[None]] = {}
    turns: dict[str, int] = {}
    stopped = asyncio.create_task(stop.wait(), name="crm stop")
    wait = _IDLE_SECONDS
    try:
        while not stop.is_set():
            try:
                await _begin(calls, at_work, turns)
                wait = _IDLE_SECONDS
            except Exception as error:  # noqa: BLE001  whatever it was, the loop must come back
                log.warning("calls to CRMs start over", error=in_words(error), wait_seconds=wait)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
            # Whoever is done may have more to do, so it is looked at again at once.
            await asyncio.wait({stopped, *at_work.values()}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for name in [name for name, task in at_work.items() if task.done()]:
                del at_work[name]
    finally:
        for task in (stopped, *at_work.values()):
            task.cancel()
        await asyncio.gather(stopped, *at_work.values(), return_exceptions=True)


async def _begin(calls: Calls, at_work: dict[str, asyncio.Task[None]], turns: dict[str, int]) -> None:
    """Give connections that are due, and at rest, a task: first those whose last turn is the longest ago."""
    for due in sorted(await _all_due(calls), key=lambda due: turns.get(due.sender.connection_id, 0)):
        name = due.sender.connection_id
        if len(at_work) < _MOST_AT_ONCE and name not in at_work:
            turns[name] = max(turns.values(), default=0) + 1
            at_work[name] = asyncio.create_task(_patiently(calls, due), name=f"crm {name}")


async def _all_due(calls: Calls) -> list[_Due]:
    async with calls.database.read() as connection:
        rows = (await connection.execute(queries.connections_with_a_token(), {"now": calls.clock()})).all()
    found = (_due(calls, row) for row in rows)
    return [each for each in found if each is not None]


def _due(calls: Calls, row: Any) -> _Due | None:
    """The connection, if there is something to do for it that its provider can do."""
    provider = calls.providers.get(row.provider)
    if provider is None:
        return None
    kinds = provider.polls if provider.poll is not None else ()
    unknown = kinds if row.kinds_polled < len(kinds) else ()
    if unknown or (kinds and row.polls_due) or (provider.fetch is not None and row.fetches_due):
        return _Due(read_connection(row), provider, unknown)
    return None


async def _patiently(calls: Calls, due: _Due) -> None:
    """Call the connection; then rest where nothing came of it, so that nobody is asked without pause for nothing."""
    try:
        rest = 0.0 if await call_connection(calls, due) else _IDLE_SECONDS
    except Exception as error:  # noqa: BLE001  whatever it was, others must not suffer
        log.warning("a CRM could not be called", connection=due.sender.connection_id, error=in_words(error))
        rest = _LONGEST_WAIT_SECONDS
    await asyncio.sleep(rest)


async def call_connection(calls: Calls, due: _Due) -> bool:
    """Fetch and ask, some batches and pages: what was named first, then what changed. Whether anything was done."""
    sender, provider, steps = due.sender, due.provider, 0
    if due.unknown_kinds:
        now = calls.clock()
        async with calls.database.write() as connection:
            await begin_polls(connection, sender, due.unknown_kinds, months_before(now, FIRST_MONTHS), now)
    try:
        async with api_of(sender, provider, allow_private=calls.allow_private, seconds=calls.seconds) as client:
            while steps < _STEPS:
                has_fetched = provider.fetch is not None and await fetch_batch(calls, sender, provider, client)
                has_read = provider.poll is not None and await poll_page(calls, sender, provider, client) is not None
                if not (has_fetched or has_read):
                    break
                steps += 1
    except (Throttled, Failed, Denied) as error:
        # There is no address to call, or nothing to be let in with.
        async with calls.database.write() as connection:
            await pause_after(connection, sender, "", error, calls.clock())
    return steps > 0


@contextlib.asynccontextmanager
async def calling(calls: Calls) -> AsyncIterator[None]:
    """Calls every CRM while the block runs."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_calls(calls, stop), name="crm calls")
    try:
        yield
    finally:
        stop.set()
        await task
