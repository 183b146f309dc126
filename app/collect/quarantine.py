"""What could not be understood or stored: kept for a while with its reason, shown, and tried again on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Delete, Select, bindparam, delete, select

from app import ids, tables
from app.db import Database
from app.log import Fact, Log, Refused
from app.sites.site import Site

_LONGEST_BODY = 65_536
_PAGE = 200


@dataclass(frozen=True)
class Quarantined:
    """What a row of the quarantine holds, for a reader that tries again."""

    door: str
    body: str
    is_trusted: bool
    received_at: int
    """Microseconds; what is read again keeps it."""


Reader = Callable[[Site, Quarantined], Fact]
"""Makes the fact of a quarantined body. ValueError if it cannot be understood still."""

READERS: dict[str, Reader] = {}
"""By the door's name up to a colon: each package that owns a door puts its reader here."""


class QuarantinedItem(BaseModel):
    """One thing that could not be understood or stored."""

    id: str
    door: str = Field(description="`events`, `segment`, `segment:deal` (its event is stored, the deal is not) or `webhook:<connection>`.")
    reason: str
    body: str = Field(description="As it was sent; a long one is cut.")
    is_trusted: bool = Field(description="It came with a secret key.")
    received_at: datetime


class Quarantine(BaseModel):
    """What is in a site's quarantine."""

    quarantined: list[QuarantinedItem]


class Chosen(BaseModel):
    """What to try again."""

    ids: list[str] | None = Field(None, max_length=10_000, description="Absent: all.")


class StillRefused(BaseModel):
    """One that stays."""

    id: str
    reason: str


class Replayed(BaseModel):
    """How a replay went."""

    stored: int = 0
    duplicates: int = 0
    refused: list[StillRefused] = []


def quarantine_row(site_id: str, door: str, reason: str, body: str, *, is_trusted: bool, received_at: int) -> dict[str, Any]:
    """A row of `quarantine`. The same body at the same door is one row, however often it comes."""
    kept = _clean(body[:_LONGEST_BODY])
    return {
        "site_id": site_id, "quarantine_id": ids.digest(door, kept), "door": door, "reason": _clean(reason), "body": kept,
        "is_trusted": is_trusted, "received_at": received_at,
    }  # fmt: skip


def _clean(text: str) -> str:
    """The text without what a database would refuse."""
    return text.replace("\0", "").encode(errors="replace").decode()


def as_text(raw: Any) -> str:
    """A parsed JSON value as text again, so that reading it gives the same value."""
    try:
        text = json.dumps(raw, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(raw)
    except RecursionError:
        return '"nested too deeply to be kept"'
    return text


# ---------------------------------------------------------------- statements


def newest_rows() -> Select[Any]:
    """Rows of a site's quarantine, newest first, `:limit` of them. Index: `ix_quarantine__received_at`."""
    row = tables.quarantine.c
    return (
        select(row.quarantine_id.label("id"), row.door, row.reason, row.body, row.is_trusted, row.received_at)
        .where(row.site_id == bindparam("site_id"))
        .order_by(row.received_at.desc(), row.quarantine_id)
        .limit(bindparam("limit"))
    )


def rows_after() -> Select[Any]:
    """The `:limit` rows of a site whose IDs follow `:after`, by ID. Index: the key."""
    row = tables.quarantine.c
    return (
        select(row.quarantine_id, row.door, row.body, row.is_trusted, row.received_at)
        .where(row.site_id == bindparam("site_id"), row.quarantine_id > bindparam("after"))
        .order_by(row.quarantine_id)
        .limit(bindparam("limit"))
    )


def delete_rows() -> Delete:
    """Deletes the rows of a site with `:quarantine_ids`. Index: the key."""
    row = tables.quarantine.c
    return delete(tables.quarantine).where(
        row.site_id == bindparam("site_id"), row.quarantine_id.in_(bindparam("quarantine_ids", expanding=True))
    )


def oldest_kept() -> Select[Any]:
    """At most one row: when the newest of those came in that are one too many (`:cap` are kept)."""
    row = tables.quarantine.c
    newest_first = select(row.received_at).where(row.site_id == bindparam("site_id")).order_by(row.received_at.desc())
    return newest_first.limit(1).offset(bindparam("cap"))


def delete_until() -> Delete:
    """Deletes a site's rows that came in at `:until` or before. Index: `ix_quarantine__received_at`."""
    row = tables.quarantine.c
    return delete(tables.quarantine).where(row.site_id == bindparam("site_id"), row.received_at <= bindparam("until", type_=tables.Moment))


# ---------------------------------------------------------------- what is done with it


async def listed(database: Database, site_id: str, limit: int) -> list[QuarantinedItem]:
    """The newest `limit` rows."""
    async with database.read() as connection:
        rows = await connection.execute(newest_rows(), {"site_id": site_id, "limit": limit})
        return [QuarantinedItem.model_validate(row) for row in rows.mappings()]


async def replay(database: Database, log: Log, site: Site, chosen: Sequence[str] | None = None) -> Replayed:
    """Try again what is quarantined (all, or the IDs chosen); what is stored now leaves the quarantine.

    Each keeps its original `received_at`. Age is no obstacle: whoever replays vouches for it.
    """
    replayed, after = Replayed(), ""
    while True:
        async with database.read() as connection:
            page = (await connection.execute(rows_after(), {"site_id": site.site_id, "after": after, "limit": _PAGE})).all()
        if not page:
            return replayed
        after = page[-1].quarantine_id
        await _replay_page(database, log, site, [row for row in page if chosen is None or row.quarantine_id in chosen], replayed)


async def _replay_page(database: Database, log: Log, site: Site, rows: Sequence[Any], replayed: Replayed) -> None:
    facts: list[tuple[str, Fact]] = []
    for row in rows:
        try:
            facts.append((row.quarantine_id, replace(_fact_again(site, row), refused=partial(_row_again, site, row))))
        except ValueError as error:
            replayed.refused.append(StillRefused(id=row.quarantine_id, reason=str(error)))
    outcomes = await log.append([fact for _, fact in facts])
    done = []
    for (quarantine_id, _), outcome in zip(facts, outcomes, strict=True):
        if isinstance(outcome, Refused):
            replayed.refused.append(StillRefused(id=quarantine_id, reason=outcome.reason))
            continue
        done.append(quarantine_id)
        replayed.stored += bool(outcome)
        replayed.duplicates += not outcome
    if done:
        async with database.write() as connection:
            await connection.execute(delete_rows(), {"site_id": site.site_id, "quarantine_ids": done})


def _fact_again(site: Site, row: Any) -> Fact:
    reader = READERS.get(row.door.partition(":")[0])
    if reader is None:
        raise ValueError(f"nothing reads what came in through {row.door!r}")
    try:
        return reader(site, Quarantined(row.door, row.body, row.is_trusted, tables.to_micros(row.received_at)))
    except RecursionError as error:
        # It was just readable where it came in. One such row must not keep the others here.
        raise ValueError("nested too deeply") from error


def _row_again(site: Site, row: Any, reason: str) -> dict[str, Any]:
    """The row that is there already: what the database refuses once more is not set aside twice."""
    return {**row._mapping, "site_id": site.site_id, "reason": reason}  # noqa: SLF001 - SQLAlchemy's documented name


async def purge(database: Database, now: datetime, *, days: int, cap: int) -> None:
    """Delete what is older than `days`, and the oldest of each site beyond `cap` rows."""
    async with database.read() as connection:
        site_ids = list(await connection.scalars(select(tables.sites.c.site_id)))
        too_many = {site_id: await connection.scalar(oldest_kept(), {"site_id": site_id, "cap": cap}) for site_id in site_ids}
    for site_id in site_ids:
        until = max(now - timedelta(days=days), too_many[site_id] or tables.from_micros(0))
        async with database.write() as connection:
            await connection.execute(delete_until(), {"site_id": site_id, "until": until})
