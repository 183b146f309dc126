"""Journeys as a whole, in SQL on both databases and in plain Python."""

from __future__ import annotations

from itertools import combinations, groupby
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Select

from app.attribution.influence import influenced_by
from app.attribution.journeys import conversions_by_length
from app.attribution.question import Question
from app.db import Database
from app.reports.overlap_queries import labels_of_journeys, pairs_of_labels
from app.reports.path_queries import CUT, SEPARATOR, Shape, paths
from app.reports.sourced import conversions_by_first_channel
from app.reports.time_lag import BUCKETS, conversions_by_lag, lag_quantiles
from app.sites.site import Site
from tests.attribution.journey_witness import figures, summed_by
from tests.attribution.ledgers import DAY, Conversion, Touched, store, store_labels
from tests.attribution.test_credit import CHANNELS, conversions, questions
from tests.attribution.witness import in_reach

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


def path(touches: list[Touched], shape: Shape) -> list[str]:
    """The text of a path, none where there is no touch."""
    steps = [touch.channel for touch in touches]
    if shape.is_collapsed:
        runs = [(step, len(list(run))) for step, run in groupby(steps)]
        steps = [f"{step} ×{times}" if times > 1 else step for step, times in runs]
    cut = [*steps[: shape.longest], CUT] if len(steps) > shape.longest else steps
    return [SEPARATOR.join(cut)] if cut else []


@given(st.lists(conversions, max_size=6), questions, st.booleans(), st.integers(1, 4))
async def test_paths_equal_those_in_python(
    database: Database, stored: list[Conversion], asked: Question, is_collapsed: bool, longest: int
) -> None:
    await store(database, stored)
    shape = Shape("channel", is_collapsed, longest)
    expected = summed_by(stored, asked, lambda touches: path(touches, shape))
    statement = paths(asked, shape)
    async with database.read() as connection:
        found = (await connection.execute(statement, {**asked.parameters, "limit": 1_000})).all()
    assert {row.path: (row.millionths, row.minor) for row in found} == expected
    assert [row.path for row in found] == sorted(expected, key=lambda text: (-expected[text][0], -expected[text][1], text.encode()))
    assert {row.all_millionths for row in found} <= {sum(each[0] for each in expected.values())}


def pairs(touches: list[Touched]) -> list[tuple[str, str]]:
    return list(combinations(sorted({touch.channel for touch in touches}), 2))


def alone(touches: list[Touched]) -> list[str]:
    channels = {touch.channel for touch in touches}
    return list(channels) if len(channels) == 1 else []


@given(st.lists(conversions, max_size=6), questions)
async def test_overlap_equals_that_in_python(database: Database, stored: list[Conversion], asked: Question) -> None:
    await store(database, stored)
    async with database.read() as connection:
        found = (await connection.execute(labels_of_journeys(asked, "channel"), {**asked.parameters, "limit": 50})).all()
        met = (await connection.execute(pairs_of_labels(asked, "channel"), {**asked.parameters, "labels": [*CHANNELS, "Direct"]})).all()
    assert {(row.one, row.other): (row.millionths, row.minor) for row in met} == summed_by(stored, asked, pairs)
    by_channel = summed_by(stored, asked, lambda touches: [touch.channel for touch in touches])
    assert {row.label: (row.millionths, row.minor) for row in found} == by_channel
    expected = summed_by(stored, asked, alone)
    assert {row.label: (row.millionths_alone, row.minor_alone) for row in found} == {
        channel: expected.get(channel, (0, 0)) for channel in by_channel
    }


@given(st.lists(conversions, max_size=6), questions)
async def test_influence_and_first_channels_equal_those_in_python(database: Database, stored: list[Conversion], asked: Question) -> None:
    await store(database, stored)
    influenced = summed_by(stored, asked, lambda touches: [touch.channel for touch in touches])
    assert await sums(database, influenced_by(asked, ("channel",)), asked) == influenced
    by_two = await sums(database, influenced_by(asked, ("channel", "landing_page")), asked)
    assert by_two == {(channel, "(none)"): each for channel, each in influenced.items()}
    first = summed_by(stored, asked, lambda touches: [touches[0].channel if touches else None])
    assert await sums(database, conversions_by_first_channel(asked), asked) == first
