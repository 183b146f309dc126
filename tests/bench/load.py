"""A log of any size, written straight into the database: what ingestion would have stored, without its time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert

from app import ids, tables
from app.db import Database
from app.touches.queries import EMPTY_ORIGIN

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SITE = "default"
EVENTS_OF_A_VISITOR = 8
_CHANNELS = ("Paid Search", "Organic Search", "Email", "Paid Social", "Referral", "Organic Social", "Display", "Affiliates")
_SPACE = "generic"


def _origins() -> list[dict[str, Any]]:
    return [
        {
            "site_id": SITE,
            "origin_id": ids.digest(channel),
            "explicit_channel": "",
            "source": channel,
            "medium": "bench",
            "campaign": channel,
        }
        for channel in _CHANNELS
    ]


def _event(visitor: str, number: int, at: datetime, kind: str, origin: str, campaign: int | None) -> dict[str, Any]:
    return {
        "site_id": SITE, "visitor_id": visitor, "event_id": f"{visitor}-{number}", "type": kind, "occurred_at": at, "sequence": 0,
        "type_rank": 0 if kind == "visit" else 1, "start_rank": 1 if kind == "form_submit" else 2, "is_web": True, "received_at": at,
        "origin_id": origin, "campaign_key": campaign, "has_internal_referrer": False, "host": "shop.example", "path": f"/page/{number}",
        "url": f"https://shop.example/page/{number}", "form_id": "form" if kind == "form_submit" else None,
        "has_email": kind == "form_submit", "is_trusted": True,
    }  # fmt: skip


def _visitor(number: int, chance: random.Random) -> Iterator[tuple[Table, dict[str, Any]]]:
    """One visitor: two sessions of three pages, a form for one in eight, a won deal for one in four of those."""
    visitor = ids.digest("visitor", str(number))
    at = BEGINNING + timedelta(seconds=chance.randrange(300 * 86_400))
    has_form = number % 8 == 0
    for place in range(EVENTS_OF_A_VISITOR):
        is_start = place in (0, 4)
        at += timedelta(days=3) if place == 4 else timedelta(seconds=40)
        channel = chance.choice(_CHANNELS) if is_start and chance.random() < 0.7 else None
        origin = EMPTY_ORIGIN if channel is None else ids.digest(channel)
        campaign = None if channel is None else ids.digest_64(channel)
        kind = "visit" if is_start else "form_submit" if has_form and place == 7 else "pageview"
        yield tables.events, _event(visitor, place, at, kind, origin, campaign)
    if has_form:
        yield from _identified(visitor, number, at)


def _identified(visitor: str, number: int, at: datetime) -> Iterator[tuple[Table, dict[str, Any]]]:
    key = "e_" + ids.digest("key", str(number))
    link = ids.digest(key)
    yield tables.sightings, {"site_id": SITE, "link_id": link, "visitor_id": visitor, "fact_id": f"{visitor}-7", "occurred_at": at, "sequence": 0, "is_trusted": True, "received_at": at}  # fmt: skip
    yield tables.link_keys, {"site_id": SITE, "link_id": link, "key_id": key}
    if number % 32 == 0:
        yield from won_deal(str(number), link, at + timedelta(days=20))


def won_deal(deal_id: str, link: str, at: datetime) -> Iterator[tuple[Table, dict[str, Any]]]:
    """The facts of a won deal with one contact."""
    deal = {"site_id": SITE, "space": _SPACE, "deal_id": deal_id, "fact_id": f"deal-{deal_id}"}
    fields = {"name": f"Deal {deal_id}", "amount": "12345600", "currency": "USD", "contacts": "1"}
    for name, value in fields.items():
        yield tables.deal_fields, {**deal, "field": name, "occurred_at": at, "value": value}
    yield tables.deal_changes, {**deal, "change": "won", "occurred_at": at, "amount": None}
    yield tables.deal_contacts, {**deal, "link_id": link}


async def fill_log(database: Database, events: int) -> None:
    """Write the log of `events` events. The site `default` must be there."""
    chance = random.Random(7)
    async with database.write() as connection:
        await connection.execute(insert(tables.origins), _origins())
        await connection.execute(insert(tables.forms), [{"site_id": SITE, "form_id": "form", "name": "demo", "path": "/demo"}])
    rows: dict[Table, list[dict[str, Any]]] = {}
    for number in range(events // EVENTS_OF_A_VISITOR):
        for table, row in _visitor(number, chance):
            rows.setdefault(table, []).append(row)
        if number % 2_500 == 2_499:
            await _write(database, rows)
    await _write(database, rows)


async def _write(database: Database, rows: dict[Table, list[dict[str, Any]]]) -> None:
    async with database.write() as connection:
        for table, found in rows.items():
            if found:
                await connection.execute(insert(table), found)
    rows.clear()
