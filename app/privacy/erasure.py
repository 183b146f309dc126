"""Erasing a person: out of the log, out of what was computed, and out of what that was before.

The texts that mention it go first, then its events where they are many, then in one transaction everything else with
what follows from it. So a kill leaves either a person that is erased by asking again, or none. No worker swaps
meanwhile, and what one had computed before is not written (`sites.erasures`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Delete, Select, String, Text, delete, exists, func, insert, or_, select, text, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app import history, tables
from app.db import Database
from app.errors import Conflict
from app.locks import stop_swaps
from app.privacy import mentions
from app.privacy.follow import enqueued
from app.privacy.kept import KEPT
from app.privacy.scope import Scope
from app.sites.site import Site

_EVENTS_AT_ONCE = 2_000
_ROWS_AT_ONCE = 200
_PATIENCE_SECONDS = 10.0
_BETWEEN_TRIES_SECONDS = 0.2

log = structlog.get_logger(__name__)


class Unsettled(Exception):
    """Facts of the person wait to be computed: whose they are is not known yet."""


@dataclass(frozen=True)
class Erasure:
    """That a person was erased: a row of `erasures`."""

    erasure_id: str
    erased_at: datetime
    key_id: str
    row_counts: dict[str, int]


async def erase(
    database: Database, site: Site, person_id: str, *, key_id: str, now: datetime, patience: float = _PATIENCE_SECONDS
) -> Erasure:
    """Erase a person (its own ID, as `resolve` finds it). `key_id` is who asks; `patience` in seconds.

    Conflict if facts of the person are not computed after that time: a worker has to do that first.
    """
    scope = Scope(site.site_id, person_id)
    waited = 0.0
    while True:
        try:
            return await _erase(database, scope, key_id, now)
        except Unsettled:
            if waited >= patience:
                raise Conflict("Facts of this person wait to be computed. Try again, and see that a worker runs.") from None
        await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
        waited += _BETWEEN_TRIES_SECONDS


async def _erase(database: Database, scope: Scope, key_id: str, now: datetime) -> Erasure:
    counts: Counter[str] = Counter()
    async with database.read() as connection:
        await _demand_settled(connection, scope)
        found = await mentions.known(connection, scope)
        names = await _names(connection, scope)
    await _blank_mentions(database, scope, found, counts)
    await _thin_out_events(database, scope, counts)
    async with _alone(database, scope) as connection:
        erasure = await _erase_rows(connection, database.is_sqlite, scope, names, counts, key_id, now)
    await (_shrink_wal(database) if database.is_sqlite else _clean_staging(database, scope, names))
    return erasure


@asynccontextmanager
async def _alone(database: Database, scope: Scope) -> AsyncIterator[AsyncConnection]:
    """A transaction in which nothing arrives and nothing is swapped, and after which no swap writes what it read before.

    On SQLite what it deletes is overwritten in the file. Unsettled if facts of the person wait.
    """
    async with database.write() as connection:
        if database.is_sqlite:
            await connection.exec_driver_sql("PRAGMA secure_delete=ON")
        try:
            await stop_swaps(connection, scope.site_id)
            if not database.is_sqlite:
                # Each fact is written to one of these two before anything else (`app.log.plan`).
                await connection.execute(text("LOCK TABLE events, crm_facts IN SHARE ROW EXCLUSIVE MODE"))
            await _demand_settled(connection, scope)
            row = tables.sites
            await connection.execute(update(row).where(scope.here(row)).values(erasures=row.c.erasures + 1))
            yield connection
        finally:
            if database.is_sqlite:
                await connection.exec_driver_sql("PRAGMA secure_delete=OFF")


# ---------------------------------------------------------------- before anything is erased


def anything_waits(scope: Scope) -> Select[Any]:
    """One row: whether a fact of the person waits that may say whose its keys and visitors are.

    Index: those of the scope. Reads the first queues whole.
    """
    keys, visitors, spans, sighting = tables.identity_queue, tables.touches_queue, tables.spans_queue, tables.sightings
    beside = select(tables.link_keys.c.key_id).where(scope.here(tables.link_keys), tables.link_keys.c.link_id.in_(scope.links()))
    seen = select(sighting.c.visitor_id).where(scope.here(sighting), sighting.c.link_id.in_(scope.links()))
    return select(
        or_(
            exists().where(scope.here(keys), or_(keys.c.key_id.in_(scope.keys()), keys.c.key_id.in_(beside))),
            *(
                exists().where(scope.here(queue), or_(queue.c.visitor_id.in_(scope.visitors()), queue.c.visitor_id.in_(seen)))
                for queue in (visitors, spans)
            ),
        )
    )


async def _demand_settled(connection: AsyncConnection, scope: Scope) -> None:
    if await connection.scalar(anything_waits(scope)):
        raise Unsettled


async def _names(connection: AsyncConnection, scope: Scope) -> set[str]:
    """Every ID that stands for the person."""
    ids = [*await connection.scalars(scope.names()), *await connection.scalars(scope.own_visitors())]
    return set(ids)


# ---------------------------------------------------------------- what goes first


async def _blank_mentions(database: Database, scope: Scope, found: mentions.Known, counts: Counter[str]) -> None:
    for searched in mentions.SEARCHED:
        async with database.read() as connection:
            keys = (await connection.execute(mentions.rows_that_mention(searched, scope, found))).all()
        for some in _batches(keys):
            async with _alone(database, scope) as connection:
                changed = await connection.execute(mentions.blanked(searched, scope, found, some))
                counts[searched.table.name] += changed.rowcount
    quarantined = tables.quarantine
    async with database.read() as connection:
        rows = (await connection.execute(mentions.quarantined_mentions(scope, found))).all()
    for some in _batches(rows):
        ids = [row.quarantine_id for row in some]
        async with _alone(database, scope) as connection:
            gone = await connection.execute(delete(quarantined).where(scope.here(quarantined), quarantined.c.quarantine_id.in_(ids)))
            counts["quarantine"] += gone.rowcount


def _batches(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)]


def events_of_own_visitors(scope: Scope, limit: int) -> Select[Any]:
    """The oldest events of visitors that were never anybody else, at most `limit`. Index: `ix_events__order`."""
    event = tables.events
    return (
        select(event.c.site_id, event.c.visitor_id, event.c.event_id)
        .where(scope.has_own_visitor(event))
        .order_by(event.c.visitor_id, event.c.occurred_at, event.c.sequence, event.c.type_rank, event.c.event_id)
        .limit(limit)
    )


def _oldest_events_gone(scope: Scope) -> Delete:
    event = tables.events
    oldest = events_of_own_visitors(scope, _EVENTS_AT_ONCE).subquery("oldest")
    return delete(event).where(tuple_(event.c.site_id, event.c.visitor_id, event.c.event_id).in_(select(*oldest.c)))


async def _thin_out_events(database: Database, scope: Scope, counts: Counter[str]) -> None:
    """Delete the events of someone who has very many, some at a time, until the last transaction can take the rest."""
    many = events_of_own_visitors(scope, _EVENTS_AT_ONCE + 1).subquery("many")
    while True:
        async with database.read() as connection:
            if int(await connection.scalar(select(func.count()).select_from(many)) or 0) <= _EVENTS_AT_ONCE:
                return
        async with _alone(database, scope) as connection:
            counts["events"] += (await connection.execute(_oldest_events_gone(scope))).rowcount


# ---------------------------------------------------------------- everything else


async def _erase_rows(
    connection: AsyncConnection, is_sqlite: bool, scope: Scope, names: set[str], counts: Counter[str], key_id: str, now: datetime
) -> Erasure:
    for statement in enqueued(scope, now):
        await connection.execute(statement)
    for kept in KEPT:
        counts[kept.table.name] += (await connection.execute(kept.erasure(scope))).rowcount
    failed = tables.failed_keys
    rows = (await connection.execute(select(failed.c.site_id, failed.c.stage, failed.c.dirty_key).where(scope.here(failed)))).all()
    if keys := mentions.failed_keys_of(rows, names):
        gone = delete(failed).where(tuple_(failed.c.site_id, failed.c.stage, failed.c.dirty_key).in_(keys))
        counts[failed.name] += (await connection.execute(gone)).rowcount
    # A run of its own: reports that are remembered are so until the latest run changes.
    run = await history.begin_run(connection, is_sqlite, scope.site_id)
    await connection.execute(history.first_touch_moved(), {"site_id": scope.site_id, "run": run})
    erasure = Erasure(secrets.token_urlsafe(12), now, key_id, {name: number for name, number in sorted(counts.items()) if number})
    row = {"site_id": scope.site_id, "erasure_id": erasure.erasure_id, "erased_at": now, "key_id": key_id}
    await connection.execute(insert(tables.erasures), {**row, "row_counts": json.dumps(erasure.row_counts)})
    return erasure


# ---------------------------------------------------------------- what the databases keep besides


async def _clean_staging(database: Database, scope: Scope, names: set[str]) -> None:
    """Take the person out of PostgreSQL's staging tables, where a stage's last batch lies until its next. One table a
    transaction, so that this never waits for a worker that waits for it."""
    for staging in tables.staging.sorted_tables:
        columns = [c for c in staging.columns if isinstance(c.type, String | Text) and c.name != "site_id"]
        if not columns:
            continue
        try:
            for some in _batches(sorted(names)):
                async with database.write() as connection:
                    await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                    await connection.execute(delete(staging).where(scope.here(staging), or_(*(c.in_(some) for c in columns))))
        except DBAPIError as error:
            log.warning("a staging table was not cleaned; its next batch does so", table=staging.name, error=type(error).__name__)


async def _shrink_wal(database: Database) -> None:
    """Empty SQLite's write-ahead log, which still holds the pages as they were, unless somebody reads just now."""
    async with database.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.execute("PRAGMA busy_timeout=200")
        try:
            await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            await raw.execute("PRAGMA busy_timeout=30000")


async def erasures_of(connection: AsyncConnection, site_id: str) -> list[Erasure]:
    """The site's erasures, the newest first."""
    row = tables.erasures
    rows = await connection.execute(select(row).where(row.c.site_id == site_id).order_by(row.c.erased_at.desc(), row.c.erasure_id))
    return [Erasure(each.erasure_id, each.erased_at, each.key_id, json.loads(each.row_counts)) for each in rows]
