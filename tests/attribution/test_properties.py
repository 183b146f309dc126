"""Whatever credit is filtered or grouped by, it adds up: on both databases, for random ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from app import tables
from app.attribution.question import Question
from app.attribution.rules import MODELS
from app.db import Database
from app.sites.properties import NOT_SET, Condition, Property
from app.sites.site import Site
from tests.attribution.ledgers import Conversion, store
from tests.attribution.test_credit import conversions, credit, groupings, labels, ledger, questions  # noqa: F401 - a fixture
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


@given(
    st.lists(st.tuples(conversions, st.sampled_from([None, *VALUES])), max_size=6),
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
