"""Small facts for tests of the pipeline: rows of the log with sensible defaults, and the running of one stage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert

from app import ids, tables
from app.db import Database, insert_new
from app.touches.queries import EMPTY_ORIGIN

DAY_ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday morning."""


def at(minutes: float) -> datetime:
    """So many minutes after the beginning of the tests' world."""
    return DAY_ZERO + timedelta(minutes=minutes)


def an_event(visitor_id: str, event_id: str, minutes: float, type: str = "pageview", **others: Any) -> dict[str, Any]:
    """A row of `events`; `campaign` is short for an origin and a campaign key of that name."""
    campaign = others.pop("campaign", None)
    ranks = {"visit": 2, "pageview": 2, "touch": 2, "engagement": 0, "identify": 0}
    row = {
        "site_id": "default",
        "visitor_id": visitor_id,
        "event_id": event_id,
        "type": type,
        "occurred_at": at(minutes),
        "sequence": 0,
        "type_rank": 0 if type == "visit" else 1,
        "start_rank": ranks.get(type, 1),
        "is_web": type != "touch",
        "received_at": at(minutes),
        "origin_id": EMPTY_ORIGIN,
        "campaign_key": None,
        "has_internal_referrer": False,
        "host": "shop.example",
        "path": "/",
        "url": None,
        "referrer": None,
        "title": None,
        "form_id": None,
        "has_email": False,
        "click_id": None,
        "engaged_ms": None,
        "is_trusted": False,
        "properties": None,
    }
    if campaign is not None:
        row |= {"origin_id": campaign, "campaign_key": ids.digest_64(campaign)}
    return row | others


def a_sighting(keys: str, visitor_id: str, fact_id: str, minutes: float, **others: Any) -> list[tuple[Table, dict[str, Any]]]:
    """Rows of `sightings` and `link_keys` for keys separated by spaces (`e_ada u_7`)."""
    key_ids = sorted(keys.split())
    link_id = ids.digest(*key_ids)
    row = {
        "site_id": "default",
        "link_id": link_id,
        "visitor_id": visitor_id,
        "fact_id": fact_id,
        "occurred_at": at(minutes),
        "sequence": 0,
        "is_trusted": False,
        "received_at": at(minutes),
    }
    members = [(tables.link_keys, {"site_id": "default", "link_id": link_id, "key_id": key_id}) for key_id in key_ids]
    return [(tables.sightings, row | others), *members]


async def put(database: Database, table: Table, *rows: dict[str, Any]) -> None:
    """Write rows, as ingestion would."""
    async with database.write() as connection:
        if rows:
            await connection.execute(insert_new(database.is_sqlite, table), list(rows))


async def put_all(database: Database, rows: list[tuple[Table, dict[str, Any]]]) -> None:
    """Write rows of several tables, as ingestion would."""
    async with database.write() as connection:
        for table, row in rows:
            await connection.execute(insert_new(database.is_sqlite, table), [row])


async def enqueue(database: Database, queue: Table, *keys: tuple[str, ...]) -> None:
    """Mark keys dirty."""
    names = [c.name for c in queue.columns if c.name not in ("queue_id", "site_id", "received_at")]
    rows = [{"site_id": "default", "received_at": at(0), **dict(zip(names, key, strict=True))} for key in keys]
    async with database.write() as connection:
        await connection.execute(insert(queue), rows)
