"""Conversions with their ledger and journeys, as derived rows, for tests of credit alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert

from app import tables
from app.attribution.question import Question
from app.db import Database

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOON = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z: when conversions of these tests happen unless they say otherwise."""


@dataclass(frozen=True)
class Entry:
    """One entry of a ledger: net before and after, in minor units."""

    before: int = 0
    after: int = 0
    counts: int = 0
    counted_at: int = NOON


@dataclass(frozen=True)
class Touched:
    """One touch of a journey: microseconds before the conversion, and its channel (which is its origin, too)."""

    age: int
    channel: str


@dataclass(frozen=True)
class Conversion:
    """One conversion of kind `customer`, touches in order of time."""

    touches: Sequence[Touched] = ()
    entries: Sequence[Entry] = (Entry(after=10_000, counts=1),)
    currency: str | None = "USD"
    has_people: bool = True
    occurred_at: int = NOON
    lead_age: int | None = None
    """Microseconds from the lead to the conversion; None: no lead."""
    opportunity_age: int | None = None
    older_touch_at: int | None = None
    """The first touch, where it lies beyond what a journey stores."""

    @property
    def first_touched_at(self) -> int | None:
        if self.older_touch_at is not None:
            return self.older_touch_at
        return self.occurred_at - self.touches[0].age if self.touches else None


def question(**changes: Any) -> Question:
    """All of the kind `customer`, look-back of a year."""
    asked: dict[str, Any] = {
        "site_id": "default", "kind": "customer", "currency": "USD",
        "lookback_seconds": 365 * 86_400, "half_life_seconds": 7 * 86_400,
    }  # fmt: skip
    return Question(**{**asked, **changes})


def day_of(moment: int) -> str:
    """The day in UTC, which is the site's zone in these tests."""
    return tables.from_micros(moment).date().isoformat()


async def store(database: Database, conversions: Iterable[Conversion], tracking_began_at: int | None = 0) -> None:
    """Replace everything derived by these conversions; deals are named `d0`, `d1`, …; each channel is an origin."""
    rows: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (tables.conversions, tables.ledger_entries, tables.journeys, tables.journey_touches, tables.visitor_spans)
    }
    for number, conversion in enumerate(conversions):
        key = {"site_id": "default", "kind": "customer", "holder_id": "generic", "fact_id": f"d{number}"}
        rows[tables.conversions].append(
            {
                **key,
                "occurred_at": conversion.occurred_at,
                "currency": conversion.currency,
                "has_people": conversion.has_people,
                "lead_at": _before(conversion, conversion.lead_age),
                "opportunity_at": _before(conversion, conversion.opportunity_age),
            }
        )
        rows[tables.journeys].append({**key, "first_touched_at": conversion.first_touched_at, "touches_left_out": 0})
        rows[tables.ledger_entries] += [
            {**key, "entry": at, "counted_at": entry.counted_at, "counted_on": day_of(entry.counted_at), "occurred_at": entry.counted_at, "counts": entry.counts,
             "before_minor": entry.before, "after_minor": entry.after}
            for at, entry in enumerate(conversion.entries)
        ]  # fmt: skip
        rows[tables.journey_touches] += [
            {**key, "touch_visitor_id": f"v{number}", "touch_event_id": f"e{99 - at:02d}", "position": at + 1,
             "occurred_at": conversion.occurred_at - touch.age, "origin_id": touch.channel, "is_reported": False}
            for at, touch in enumerate(conversion.touches)
        ]  # fmt: skip
    if tracking_began_at is not None:
        rows[tables.visitor_spans].append(
            {"site_id": "default", "visitor_id": "v", "starts_at": 0, "ends_at": tables.END_OF_TIME, "person_id": "v_v",
             "first_touched_at": tracking_began_at, "first_touch_event_id": "e"}
        )  # fmt: skip
    async with database.write() as connection:
        for table, of_table in rows.items():
            await connection.execute(delete(table))
            if of_table:
                await connection.execute(insert(table), of_table)


def _before(conversion: Conversion, age: int | None) -> int | None:
    return None if age is None else conversion.occurred_at - age


async def store_labels(database: Database, channels: Iterable[str]) -> None:
    """An origin for each channel, whose source is the channel in lower case."""
    labels = [
        {"site_id": "default", "origin_id": channel, "channel": channel, "rule": "test", "source": channel.lower(), "medium": "(none)",
         "campaign": "(not set)", "term": "(not set)", "content": "(not set)", "referrer": "(none)", "is_ignored": False}
        for channel in channels
    ]  # fmt: skip
    async with database.write() as connection:
        await connection.execute(insert(tables.origin_labels), labels)
