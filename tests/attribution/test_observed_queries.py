"""Which journeys the data-driven models are computed from, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, insert

from app import tables
from app.attribution.observed_queries import converting_journeys, names_of_numbers, non_converting_journeys
from app.attribution.question import Question
from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, NOON, Conversion, Entry, Touched, question, store, store_labels

pytestmark = pytest.mark.anyio

# In order of bytes: Direct 1, Email 2, Search 3; an origin without label is 0.


@pytest.fixture(autouse=True)
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, ["Search", "Email", "Direct"])


async def found(database: Database, statement: Select[Any], asked: Question) -> list[tuple[Any, ...]]:
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(statement, asked.parameters)]


def journey(*channels: str, **more: Any) -> Conversion:
    return Conversion([Touched((len(channels) - at) * DAY, channel) for at, channel in enumerate(channels)], **more)


async def test_numbers_are_those_of_the_labels_in_order(database: Database) -> None:
    assert await found(database, names_of_numbers(question(), "channel"), question()) == [(1, "Direct"), (2, "Email"), (3, "Search")]
    sources = await found(database, names_of_numbers(question(), "source"), question())
    assert sources == [(1, "(direct)"), (2, "direct"), (3, "email"), (4, "search")]


async def test_journeys_in_order_with_repeats_and_what_is_not_labelled(database: Database) -> None:
    paid = Entry(after=500, counts=1)
    await store(
        database,
        [journey("Search", "Email", "Email"), journey("Search", "Email", "Email"), journey("Email", "new", entries=[paid]), journey()],
    )
    assert await found(database, converting_journeys(question(), "channel"), question()) == [("2,0", 1, 500, 1), ("3,2,2", 1, 10_000, 2)]
    counted_only = question(has_money=False)
    assert await found(database, converting_journeys(counted_only, "channel"), counted_only) == [("2,0", 1, 0, 1), ("3,2,2", 1, 0, 2)]


async def test_lookback_direct_and_interval_are_those_of_the_question(database: Database) -> None:
    refund = [Entry(after=100, counts=1), Entry(before=100, after=30, counted_at=NOON + DAY)]
    foreign = journey("Email", currency="EUR", entries=refund)
    await store(database, [journey("Search", "Direct", "Email", entries=refund), journey("Direct"), foreign])
    asked = question(lookback_seconds=2 * 86_400)
    assert await found(database, converting_journeys(asked, "channel"), asked) == [("1", 1, 10_000, 1), ("1,2", 1, 30, 1), ("2", 1, 0, 1)]
    asked = question(exclude_direct=True, ends_at=NOON + DAY)
    assert await found(database, converting_journeys(asked, "channel"), asked) == [("2", 1, 0, 1), ("3,2", 1, 100, 1)]
    # Later only money is taken back: the conversion counted before, and the foreign one has nothing to tell.
    asked = question(starts_at=NOON + DAY)
    assert await found(database, converting_journeys(asked, "channel"), asked) == [("3,1,2", 0, -70, 1)]


async def others(database: Database, *touches: tuple[str, str, int, str]) -> None:
    """Touches as (person, visitor, microseconds since noon, origin); each visitor is one person for ever."""
    spans = {visitor: person for person, visitor, _, _ in touches}
    async with database.write() as connection:
        await connection.execute(
            insert(tables.visitor_spans),
            [{"site_id": "default", "visitor_id": visitor, "starts_at": 0, "ends_at": tables.END_OF_TIME, "person_id": person, "first_touched_at": NOON} for visitor, person in spans.items()],
        )  # fmt: skip
        await connection.execute(
            insert(tables.touches),
            [{"site_id": "default", "visitor_id": visitor, "event_id": f"e{at}", "occurred_at": NOON + moment, "sequence": 0, "type_rank": 0, "session_started_at": NOON + moment, "origin_id": origin, "touches_left_out": 0, "is_reported": False} for at, (_, visitor, moment, origin) in enumerate(touches)],
        )  # fmt: skip


async def test_who_never_converted_by_their_last_touch_in_the_interval(database: Database) -> None:
    await store(database, [journey("Email")], tracking_began_at=None)
    async with database.write() as connection:
        buyer = {
            "site_id": "default",
            "kind": "customer",
            "holder_id": "generic",
            "fact_id": "d0",
            "person_id": "buyer",
            "is_contact": True,
        }
        await connection.execute(insert(tables.conversion_people), buyer)
    await others(
        database,
        ("both", "phone", 0, "Email"), ("both", "laptop", DAY, "Search"), ("both", "phone", 2 * DAY, "Direct"),
        ("same", "x", 0, "Email"), ("same", "x", DAY, "Search"), ("same", "x", 2 * DAY, "Direct"),
        ("buyer", "b", 0, "Email"), ("early", "early", -9 * DAY, "Email"), ("only", "o", DAY, "Direct"),
    )  # fmt: skip
    asked = question()
    assert await found(database, non_converting_journeys(asked, "channel"), asked) == [("1", 0, 0, 1), ("2", 0, 0, 1), ("2,3,1", 0, 0, 2)]
    asked = question(starts_at=NOON, ends_at=NOON + 2 * DAY)
    assert await found(database, non_converting_journeys(asked, "channel"), asked) == [("1", 0, 0, 1), ("2,3", 0, 0, 2)]
    asked = question(exclude_direct=True, lookback_seconds=86_400)
    assert await found(database, non_converting_journeys(asked, "channel"), asked) == [("2", 0, 0, 1), ("3", 0, 0, 2)]
    # Who bought never sent a lead, which is a kind of its own.
    asked = question(kind="lead", has_money=False)
    assert ("2", 0, 0, 2) in await found(database, non_converting_journeys(asked, "channel"), asked)
