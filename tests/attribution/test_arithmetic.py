"""The arithmetic that an explanation shows is that of the report, and right to the last unit, for any journey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from sqlalchemy import RowMapping

from app.attribution.arithmetic import arithmetic_of_touches
from app.attribution.question import Question
from app.attribution.rules import MODELS
from app.db import Database
from app.reports.arithmetic import by_touch
from app.sites.site import Site
from tests.attribution.ledgers import NOON, Conversion, Entry, Touched, question, store, store_labels
from tests.attribution.test_credit import CHANNELS, conversions, journey, questions
from tests.attribution.witness import credit_by_channel

pytestmark = pytest.mark.anyio

OF_ONE = ("generic", "d0")


@pytest.fixture(autouse=True)
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, [*CHANNELS, "Direct"])


async def steps(database: Database, asked: Question, model: str) -> Sequence[RowMapping]:
    async with database.read() as connection:
        return (await connection.execute(arithmetic_of_touches(asked, model), asked.parameters)).mappings().all()


def channel_of(conversion: Conversion, event_id: str) -> str:
    """Events of the tests' touches are named backwards: `e99`, `e98`, …"""
    return conversion.touches[99 - int(event_id[1:])].channel


@given(conversions, questions)
async def test_every_step_is_right_and_all_add_up_to_the_reports_credit(database: Database, stored: Conversion, asked: Question) -> None:
    await store(database, [stored])
    explained = replace(asked, conversion=OF_ONE)
    for model in MODELS:
        found = by_touch(await steps(database, explained, model), "revenue")
        for step in (step for touch in found.values() for step in touch.steps):
            share, remainder = divmod(abs(step["whole"]) * step["weight"], step["of"])
            assert (step["share"], step["remainder"], abs(step["credit"])) == (share, remainder, share + step["extra_unit"])
        millionths: Counter[str] = Counter()
        minor: Counter[str] = Counter()
        for (_, event_id), touch in found.items():
            millionths[channel_of(stored, event_id)] += touch.figures.millionths
            minor[channel_of(stored, event_id)] += touch.figures.minor
        credited = {channel: (millionths[channel], minor[channel]) for channel in millionths if millionths[channel] or minor[channel]}
        assert credited == credit_by_channel([stored], asked, model)


async def test_of_one_conversion_only_and_without_money_where_none_is_asked_for(database: Database) -> None:
    await store(database, [journey("Email", "Referral"), journey("Direct")])
    rows = await steps(database, question(conversion=OF_ONE, has_money=False), "last_touch")
    assert [(row["touch_event_id"], row["weight"], row["millionths_share"], row["magnitude"]) for row in rows] == [
        ("e99", 0, 0, 0),
        ("e98", 1, 1_000_000, 0),
    ]


async def test_milestones_are_the_models_own(database: Database) -> None:
    """Also of touches that get nothing, and whatever the model looks at."""
    day = 86_400 * 1_000_000
    touches = [Touched(4 * day, "Email"), Touched(3 * day, "Email"), Touched(2 * day, "Direct"), Touched(day, "Email")]
    await store(database, [Conversion(touches, [Entry(after=1, counts=1)], lead_age=2 * day, opportunity_age=2 * day - 1, occurred_at=NOON)])
    for model in ("first_touch", "full_path"):
        found = by_touch(await steps(database, question(conversion=OF_ONE), model), "revenue")
        assert [touch.milestones for touch in found.values()] == [["first"], [], ["lead", "opportunity"], ["last"]]
