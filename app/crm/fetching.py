"""The durable queue of records to fetch: leased, asked for, stored, and only then forgotten.

A webhook is answered once its notices are on disk, as rows of `crm_fetches`. What fails stays there and is tried again
with back-off, however long it takes; what was under way when the process died is tried again when its lease is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import UpdateBase
from sqlalchemy.ext.asyncio import AsyncConnection

from app.crm import queries
from app.crm.api import Denied, Failed, Throttled
from app.crm.calls import LEASE, PATIENCE_SECONDS, Calls, end_pauses, here, in_words, is_outage, pause_after, seconds_to_wait
from app.crm.messages import Said
from app.crm.providers import Client, Provider
from app.sites.connections import Connection

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Notice:
    """A row of the queue that is ours for the time of a lease."""

    record: str
    notice: str
    tries: int


@dataclass(frozen=True)
class _Batch:
    """Records of one kind, fetched with one call: several notices of one record are one fetch."""

    kind: str
    notices: tuple[_Notice, ...]

    @property
    def records(self) -> list[str]:
        return sorted({each.record for each in self.notices})


async def fetch_batch(calls: Calls, sender: Connection, provider: Provider, client: Client) -> bool:
    """Fetch the records of one kind that have waited the longest. Whether there were any to fetch."""
    batch = await _lease(calls, sender, provider)
    if batch is None:
        return False
    try:
        said, failed = await _fetch(provider, client, sender, batch)
        await calls.store(sender, tuple(said))
    except BaseException:
        # Storage is gone, or the service stops: as if nothing had been asked.
        with suppress(Exception):
            await _release(calls, sender, batch)
        raise
    await _settle(calls, sender, batch, failed)
    return True


async def _lease(calls: Calls, sender: Connection, provider: Provider) -> _Batch | None:
    now = calls.clock()
    async with calls.database.write() as connection:
        kind = await connection.scalar(queries.kind_to_fetch(), {**here(sender), "now": now})
        if kind is None:
            return None
        limits = {"limit": provider.most_fetched, "leased_until": now + LEASE}
        leased = await connection.execute(queries.lease_fetches(), {**here(sender), "of_kind": kind, "now": now, **limits})
        notices = tuple(_Notice(row.record_id, row.fact_id, row.tries) for row in leased)
    return _Batch(kind, notices) if notices else None


async def _fetch(provider: Provider, client: Client, sender: Connection, batch: _Batch) -> tuple[list[Said], dict[str, Exception]]:
    """(what the records say, why each of the others could not be had)."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _fetch_apart(provider, client, sender, batch.kind, batch.records)
    except (Throttled, Denied, Failed, TimeoutError) as error:
        return [], dict.fromkeys(batch.records, error)


async def _fetch_apart(
    provider: Provider, client: Client, sender: Connection, kind: str, records: Sequence[str]
) -> tuple[list[Said], dict[str, Exception]]:
    """The same, where one that cannot be had is not its neighbours' loss: they are asked for without it.

    Raises what holds for every record: Throttled, Denied, an outage.
    """
    assert provider.fetch is not None
    try:
        return list(await provider.fetch(client, sender, kind, records)), {}
    except Exception as error:
        if isinstance(error, Throttled | Denied) or is_outage(error):
            raise
        if len(records) == 1:
            logger.warning("a record could not be fetched", connection=sender.connection_id, kind=kind, error=type(error).__name__)
            return [], {records[0]: error}
    middle = len(records) // 2
    said, failed = await _fetch_apart(provider, client, sender, kind, records[:middle])
    more_said, more_failed = await _fetch_apart(provider, client, sender, kind, records[middle:])
    return said + more_said, failed | more_failed


# ---------------------------------------------------------------- what becomes of the rows


async def _settle(calls: Calls, sender: Connection, batch: _Batch, failed: Mapping[str, Exception]) -> None:
    """Forget what is stored; what failed is tried again later, each record at a time of its own.

    What was not let in was not tried: it waits until the pause is over, and no longer.
    """
    now = calls.clock()
    rows: dict[Callable[[], UpdateBase], list[dict[str, Any]]] = {}
    for each in batch.notices:
        error = failed.get(each.record)
        named = _parameters(sender, batch, each)
        if error is None:
            rows.setdefault(queries.delete_fetch, []).append(named)
        elif isinstance(error, Throttled | Denied):
            rows.setdefault(queries.release_fetch, []).append({**named, "now": now})
        else:
            again_at = now + timedelta(seconds=seconds_to_wait(each.tries, each.record))
            rows.setdefault(queries.postpone_fetch, []).append({**named, "again_at": again_at, "error": in_words(error)})
    async with calls.database.write() as connection:
        for statement, parameters in rows.items():
            await connection.execute(statement(), parameters)
        await _follow(connection, sender, batch, failed, now)


async def _follow(connection: AsyncConnection, sender: Connection, batch: _Batch, failed: Mapping[str, Exception], now: datetime) -> None:
    """Pause the calls, or end what paused them."""
    telling = next((error for error in failed.values() if isinstance(error, Throttled | Denied) or is_outage(error)), None)
    if telling is None:
        await end_pauses(connection, sender, batch.kind)
    else:
        await pause_after(connection, sender, batch.kind, telling, now)


async def _release(calls: Calls, sender: Connection, batch: _Batch) -> None:
    """Whoever runs next takes the rows at once."""
    now = calls.clock()
    async with calls.database.write() as connection:
        await connection.execute(queries.release_fetch(), [{**_parameters(sender, batch, each), "now": now} for each in batch.notices])


def _parameters(sender: Connection, batch: _Batch, notice: _Notice) -> dict[str, Any]:
    return {**here(sender), "of_kind": batch.kind, "of_record": notice.record, "of_notice": notice.notice}
