"""Journeys as a whole, in SQL on both databases and in plain Python."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Select

from app.attribution.journeys import conversions_by_length
from app.attribution.question import Question
from app.db import Database
from app.reports.time_lag import BUCKETS, conversions_by_lag, lag_quantiles
from app.sites.site import Site
from tests.attribution.journey_witness import figures, in_reach, summed_by
from tests.attribution.ledgers import DAY, Conversion, store, store_labels
from tests.attribution.test_credit import CHANNELS, conversions, questions

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, [*CHANNELS, "Direct"])


async def rows(database: Database, statement: Select[Any], asked: Question) -> list[tuple[Any, ...]]:
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(statement, asked.parameters)]


async def sums(database: Database, statement: Select[Any], asked: Question) -> dict[Any, tuple[int, int]]:
    """(millionths, minor units) by what precedes them in a row."""
    return {row[0] if len(row) == 3 else row[:-2]: row[-2:] for row in await rows(database, statement, asked)}


@given(st.lists(conversions, max_size=6), questions)
async def test_lengths_and_lags_equal_those_in_python(database: Database, stored: list[Conversion], asked: Question) -> None:
    await store(database, stored)
    assert await sums(database, conversions_by_length(asked), asked) == summed_by(stored, asked, lambda touches: [len(touches)])
    assert await sums(database, conversions_by_lag(asked, ()), asked) == summed_by(
        stored, asked, lambda touches: [bucket(touches[0].age) if touches else None]
    )
    by_channel = await sums(database, conversions_by_lag(asked, ("channel",)), asked)
    assert by_channel == summed_by(
        stored, asked, lambda touches: [(touches[0].channel, bucket(touches[0].age)) if touches else (None, None)]
    )


def bucket(age: int) -> int:
    """The number of the bucket that whole days of an age fall into."""
    days = age // DAY
    ends = [int(name.split("-")[-1]) for name in BUCKETS[:-1]]
    return next((number for number, last in enumerate(ends) if days <= last), len(ends))


@given(st.lists(conversions, max_size=8), questions)
async def test_quantiles_equal_those_in_python(database: Database, stored: list[Conversion], asked: Question) -> None:
    await store(database, stored)
    lags = [
        touches[0].age for conversion in stored if (touches := in_reach(conversion, asked)) and (figures(conversion, asked) or (0, 0))[0]
    ]
    ((count, middle, ninetieth),) = await rows(database, lag_quantiles(asked, ()), asked)
    assert count in ((len(lags),) if lags else (0, None))
    if lags:
        assert (middle if count % 2 else middle / 2) == median(lags)
        assert ninetieth == next(lag for lag in sorted(lags) if 10 * sum(each <= lag for each in lags) >= 9 * len(lags))
