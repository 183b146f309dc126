"""Ready-made sums: the same as credit computed from journeys, and used only where they answer the question."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from app import tables
from app.attribution.rules import MODELS
from app.attribution.sums import ORIGIN_DIMENSIONS, days_of, has_sums, question_of_sums
from app.db import Database
from app.pipeline import run_until_idle, start_rebuild
from app.reports.parameters import AttributionFilters
from app.reports.sources import source_of
from app.sites.site import Site
from app.tables import to_micros
from tests.attribution.ledgers import DAY, Conversion, store, store_labels
from tests.attribution.sums import assert_same
from tests.attribution.test_credit import CHANNELS, conversions
from tests.facts import at
from tests.reports.story import READER, form, get, tell, visit

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/attribution"
TODAY = date(2026, 1, 1)
"""The day of `NOON`."""


async def make_sums(database: Database) -> None:
    await start_rebuild(database, "default", at(0), "sums")
    await run_until_idle(database)


@pytest.fixture
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, [*CHANNELS, "Direct"])


days = st.one_of(st.none(), st.integers(-40, 40).map(lambda number: TODAY + timedelta(days=number)))
groupings = st.lists(st.sampled_from(sorted(ORIGIN_DIMENSIONS)), min_size=1, max_size=3, unique=True)


def moved(conversion: Conversion, number: int) -> Conversion:
    """Counted so many days later."""
    entries = [replace(entry, counted_at=entry.counted_at + number * DAY) for entry in conversion.entries]
    return replace(conversion, entries=entries)


spread = st.builds(moved, conversions, st.integers(-35, 35))


@given(st.lists(spread, min_size=1, max_size=6), groupings, days, days)
async def test_sums_equal_credit_from_journeys(
    database: Database, site: Site, labels: None, stored: list[Conversion], by: list[str], one: date | None, other: date | None
) -> None:
    await store(database, stored)
    await make_sums(database)
    first, end = sorted([one, other]) if one and other else (one, other)
    asked = {"from": first, "to": end} if first != end else {}
    question = AttributionFilters.model_validate({"conversion": "customer", "by": ",".join(by), **asked}).question(site)
    async with database.read() as connection:
        await assert_same(connection, site, question, by)


def _question(site: Site, **asked: Any) -> Any:
    return AttributionFilters.model_validate({"conversion": "customer", **asked}).question(site)


async def test_which_questions_sums_answer(site: Site) -> None:
    channel = ["channel"]
    assert has_sums(site, _question(site), ["channel", "source", "medium", "campaign", "term", "content", "referrer"])
    assert has_sums(site, _question(site, **{"from": "2026-03-15", "to": "2027-03-15"}), channel)
    assert has_sums(site, _question(site, lookback_days=365, half_life_days=7), channel)
    assert not has_sums(site, _question(site), ["channel", "landing_page"])
    for other in ({"lookback_days": 364}, {"half_life_days": 8}, {"exclude_direct": True}, {"touches_until": "lead"}):
        assert not has_sums(site, _question(site, **other), channel), other
    assert not has_sums(site, _question(site, to="2150-01-01"), channel), "a day that the site does not have"
    midnight = to_micros(at(0).replace(hour=0, minute=0))
    assert has_sums(site, question_of_sums(site, "lead", midnight), channel)
    assert not has_sums(site, question_of_sums(site, "lead", midnight + 1), channel), "not the beginning of a day"


@pytest.mark.parametrize(
    ("asked", "months"),
    [
        ({}, ("", "9999")),
        ({"from": "2026-01-01", "to": "2026-03-01"}, ("2026-01", "2026-03")),
        ({"from": "2026-01-02", "to": "2026-03-31"}, ("2026-01~", "2026-03")),
    ],
)
async def test_which_months_count_as_a_whole(site: Site, asked: dict[str, str], months: tuple[str, str]) -> None:
    found = days_of(_question(site, **asked), "UTC")
    assert found == {"from_day": asked.get("from", ""), "to_day": asked.get("to", "9999"), "first_month": months[0], "end_month": months[1]}


# ---------------------------------------------------------------- what the report takes


async def a_lead(client: httpx.AsyncClient, database: Database) -> None:
    await tell(
        client, database, visit("v", 2, "https://shop.example/?utm_source=news&utm_medium=email"), visit("v", 4), form("v", 5, "a@example.com")
    )


async def credit(client: httpx.AsyncClient, **asked: Any) -> dict[str, float]:
    answer = await get(client, PATH, conversion="lead", model="linear", **asked)
    assert sum(row["conversions"] for row in answer["rows"]) == answer["totals"]["credited"]["conversions"]
    return {row["channel"]: row["conversions"] for row in answer["rows"]}


async def tamper(database: Database) -> None:
    """Make a day's and a month's sums tell that they were read: all is Direct's."""
    everything = {"millionths": 1_000_000}
    async with database.write() as connection:
        (direct,) = await connection.scalars(select(tables.origin_labels.c.origin_id).where(tables.origin_labels.c.channel == "Direct"))
        for table in (tables.daily_credit, tables.monthly_credit):
            await connection.execute(update(table).where(table.c.origin_id == direct).values(everything))
            await connection.execute(delete(table).where(table.c.origin_id != direct))


BOTH, TAMPERED = {"Email": 0.5, "Direct": 0.5}, {"Direct": 1}


async def test_the_report_reads_sums_where_they_answer(client: httpx.AsyncClient, database: Database) -> None:
    await a_lead(client, database)
    assert await credit(client) == BOTH
    await tamper(database)
    assert await credit(client) == TAMPERED
    assert await credit(client, **{"from": "2026-03-05", "to": "2026-03-06"}) == TAMPERED
    assert await credit(client, lookback_days=89) == BOTH
    async with database.write() as connection:
        await connection.execute(
            insert(tables.failed_keys),
            {"site_id": "default", "stage": "sums", "dirty_key": '["lead", "2026-03-05"]', "error": "", "failed_at": at(0)},
        )
    assert await credit(client) == BOTH, "a day's sums could not be computed"


async def test_while_a_rebuild_is_under_way_journeys_answer(client: httpx.AsyncClient, database: Database) -> None:
    await a_lead(client, database)
    await tamper(database)
    await start_rebuild(database, "default", at(0), "sums")
    assert await credit(client) == BOTH


async def test_while_a_day_waits_to_be_summed_journeys_answer_what_asks_about_it(client: httpx.AsyncClient, database: Database) -> None:
    await a_lead(client, database)
    await tamper(database)
    assert await credit(client) == TAMPERED
    async with database.write() as connection:
        waiting = {"site_id": "default", "kind": "lead", "day": "2026-03-05", "received_at": at(0)}
        await connection.execute(insert(tables.sums_queue), waiting)
    assert await credit(client) == BOTH
    assert await credit(client, **{"from": "2026-03-05", "to": "2026-03-06"}) == BOTH
    async with database.write() as connection:
        await connection.execute(update(tables.sums_queue).values(day="2026-03-06"))
    assert await credit(client, to="2026-03-06") == TAMPERED, "another day's waiting is none of this report's"


async def test_days_are_read_until_their_month_is_summed(client: httpx.AsyncClient, database: Database) -> None:
    await a_lead(client, database)
    async with database.write() as connection:
        await connection.execute(delete(tables.monthly_credit))
        await connection.execute(insert(tables.months_queue), {"site_id": "default", "kind": "lead", "month": "2026-03", "received_at": at(0)})
    assert await credit(client) == BOTH
    await run_until_idle(database)
    async with database.write() as connection:
        await connection.execute(delete(tables.daily_credit))
    assert await credit(client) == BOTH


async def test_a_new_model_is_computed_from_journeys_until_it_is_summed(
    client: httpx.AsyncClient, database: Database, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_lead(client, database)
    monkeypatch.setitem(MODELS, "even", MODELS["linear"])
    async with database.read() as connection:
        source = await source_of(connection, site, question_of_sums(site, "lead"), ["channel"])
        assert source.models == set(MODELS) - {"even"}
        assert await source.credit(connection, "even") == await source.credit(connection, "linear")
    await make_sums(database)
    async with database.read() as connection:
        source = await source_of(connection, site, question_of_sums(site, "lead"), ["channel"])
        assert "even" in source.models
        assert await source.credit(connection, "even") == await source.credit(connection, "linear")


# ---------------------------------------------------------------- what else moves sums


async def test_an_earlier_first_visit_moves_a_conversion_without_touch(client: httpx.AsyncClient, database: Database) -> None:
    """Nobody was tracked yet when it was won; then it turns out that somebody was."""
    deal = {"id": "won-1", "type": "deal_closed", "occurred_at": "2026-03-10T18:00:00Z"}
    await tell(client, database, {**deal, "deal": {"id": "1", "outcome": "won", "amount": "5", "contacts": ["x@example.com"]}})
    await tell(client, database, visit("late", 20))
    assert await reasons(client) == ["before_tracking_began"]
    await tell(client, database, visit("early", 2))
    assert await reasons(client) == ["no_touch"]
    async with database.read() as connection:
        assert await connection.scalar(select(tables.daily_ledger.c.reason).where(tables.daily_ledger.c.kind == "customer")) == "no_touch"


async def reasons(client: httpx.AsyncClient) -> list[str]:
    answer = await get(client, PATH, conversion="customer")
    return list(answer["totals"]["uncredited"]["reasons"])


async def test_what_becomes_direct_is_passed_over(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    bot = visit("v", 4, "https://shop.example/?utm_source=bot")
    await tell(client, database, visit("v", 2, referrer="https://blog.example.net/"), bot, form("v", 5, "a@example.com"))
    assert list(await last_non_direct(client)) == ["Unassigned"]
    rules = [{"channel": "Direct", "source": "bot"}]
    changed = await client.patch("/v1/sites/default", json={"channel_rules": rules}, headers=READER)
    assert changed.is_success, changed.text
    await run_until_idle(database)
    assert list(await last_non_direct(client)) == ["Referral"]


async def last_non_direct(client: httpx.AsyncClient) -> dict[str, float]:
    answer = await get(client, PATH, conversion="lead", model="last_non_direct")
    return {row["channel"]: row["conversions"] for row in answer["rows"]}
