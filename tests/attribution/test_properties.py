"""Whatever credit is filtered or grouped by, it adds up: on both databases, for random ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Select, delete, insert

from app import tables
from app.attribution.journeys import conversions_by_length
from app.attribution.question import Question
from app.attribution.rules import MODELS
from app.db import Database
from app.reports.overlap_queries import labels_of_journeys, pairs_of_labels
from app.reports.path_queries import Shape, paths
from app.reports.sourced import conversions_by_first_channel
from app.reports.time_lag import conversions_by_lag
from app.sites.properties import NOT_SET, Condition, Property
from app.sites.site import Site
from tests.attribution.ledgers import Conversion, store
from tests.attribution.test_credit import CHANNELS, conversions, credit, groupings, labels, ledger, questions  # noqa: F401 - a fixture
from tests.facts import at

pytestmark = pytest.mark.anyio

PRODUCT = Property("product", "deal", "Plan")
VALUES = ("Pro", "Lite", "")


async def store_products(database: Database, products: list[str | None]) -> None:
    """What is said of the deals `d0`, `d1`, …, in order."""
    rows = [
        {"site_id": "default", "holder_id": f"deal:generic/d{n}", "property": "Plan", "value": product, "occurred_at": at(0), "fact_id": "f"}
        for n, product in enumerate(products)
        if product is not None
    ]
    async with database.write() as connection:
        await connection.execute(delete(tables.properties))
        if rows:
            await connection.execute(insert(tables.properties), rows)


async def _whole(database: Database, asked: Question, model: str, by: Sequence[str]) -> tuple[int, int]:
    """All that is counted, of which rows and uncredited must be the parts."""
    parts = await ledger(database, asked)
    rows = (await credit(database, asked, model, by)).values()
    assert (sum(row[0] for row in rows), sum(row[1] for row in rows)) == parts.get(None, (0, 0))
    return sum(part[0] for part in parts.values()), sum(part[1] for part in parts.values())


described = st.lists(st.tuples(conversions, st.sampled_from([None, *VALUES])), max_size=6)


@given(
    described,
    st.lists(st.sampled_from([*VALUES, NOT_SET, "Else"]), min_size=1, max_size=3, unique=True),
    questions,
    groupings,
    st.sampled_from([*MODELS]),
)
async def test_a_filter_and_its_opposite_make_the_whole(
    database: Database, site: Site, stored: list[tuple[Conversion, str | None]], values: list[str], asked: Question, by: list[str], model: str
) -> None:
    assert site.site_id == "default"
    await store(database, [conversion for conversion, _ in stored])
    await store_products(database, [product for _, product in stored])
    whole = await _whole(database, asked, model, by)
    conditions = (Condition(PRODUCT, tuple(values), is_not) for is_not in (False, True))
    filtered = [await _whole(database, replace(asked, conditions=(condition,)), model, by) for condition in conditions]
    assert tuple(sum(each) for each in zip(*filtered, strict=True)) == whole

    grouped = await credit(database, replace(asked, grouped=(PRODUCT,)), model, ("product", "channel"))
    for product in {key[0] for key in grouped}:
        only = await credit(database, replace(asked, conditions=(Condition(PRODUCT, (product,)),)), model, ("channel",))
        assert {key[1]: row for key, row in grouped.items() if key[0] == product} == only


def _of_journeys(asked: Question) -> dict[str, Select[Any]]:
    """What the reports on journeys read, each report's own figures last."""
    return {
        "path-length": conversions_by_length(asked),
        "time-lag": conversions_by_lag(asked, ()),
        "time-lag by channel": conversions_by_lag(asked, ("channel",)),
        "sourced": conversions_by_first_channel(asked),
        "paths": paths(asked, Shape("channel", is_collapsed=True, longest=3)),
        "labels that meet": labels_of_journeys(asked, "channel"),
        "pairs that meet": pairs_of_labels(asked, "channel"),
    }


_FIGURES = ("millionths", "minor", "millionths_alone", "minor_alone", "others")
_OF_ALL_ROWS = ("all_names", "all_paths", "all_millionths", "all_minor", "all_others")


async def _figures_by_rest(database: Database, statement: Select[Any], asked: Question) -> dict[Any, list[int]]:
    """The sums of the figures by what else a row says, but for its product: what that parts must be the whole again."""
    values = {**asked.parameters, "limit": 1_000, "labels": [*CHANNELS, "Direct"]}
    sums: dict[Any, list[int]] = {}
    async with database.read() as connection:
        for row in (await connection.execute(statement, values)).mappings():
            rest = tuple(value for name, value in row.items() if name not in {*_FIGURES, *_OF_ALL_ROWS, PRODUCT.column})
            figures = [row[name] for name in _FIGURES if name in row]
            sums[rest] = [a + b for a, b in zip(sums.get(rest, [0] * len(figures)), figures, strict=True)]
    return sums


@given(described, questions)
async def test_journeys_by_a_property_make_the_whole(
    database: Database, site: Site, stored: list[tuple[Conversion, str | None]], asked: Question
) -> None:
    assert site.site_id == "default"
    await store(database, [conversion for conversion, _ in stored])
    await store_products(database, [product for _, product in stored])
    whole, parted = _of_journeys(asked), _of_journeys(replace(asked, grouped=(PRODUCT,)))
    for report, statement in whole.items():
        expected = await _figures_by_rest(database, statement, asked)
        assert (report, await _figures_by_rest(database, parted[report], asked)) == (report, expected)
    only = conversions_by_length(replace(asked, conditions=(Condition(PRODUCT, ("Pro",)),)))
    of_group = await _rows(database, parted["path-length"], asked)
    assert [row[1:] for row in of_group if row[0] == "Pro"] == await _rows(database, only, asked)


async def _rows(database: Database, statement: Select[Any], asked: Question) -> list[tuple[Any, ...]]:
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(statement, asked.parameters)]
