"""The account view pools journeys and joins nobody: turning it on changes no person, and turning it off leaves no trace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import tables
from app.db import Database
from app.log import Log
from app.pipeline import run_until_idle
from app.sites.site import Site
from tests.flow.stories import a_story
from tests.flow.test_any_order import _few, change, derived, forget_everything, log, tell_in_order

pytestmark = pytest.mark.anyio

__all__ = ["log"]

BEFORE_DEALS = [table.name for table in tables.DERIVED[: tables.DERIVED.index(tables.deals) + 1]]
"""What the stages compute up to the deals: touches, people, spans, and the deals themselves."""


@_few
@given(seed=st.integers(0, 2**32))
async def test_nobody_is_merged_by_being_of_one_company(database: Database, log: Log, site: Site, seed: int) -> None:
    story = a_story(site, seed)
    story.settings = []
    await forget_everything(database)
    await tell_in_order(database, log, story)
    apart = await derived(database)

    await change(database, {"account_journeys": True})
    await run_until_idle(database)
    pooled = await derived(database)
    assert {name: pooled[name] for name in BEFORE_DEALS} == {name: apart[name] for name in BEFORE_DEALS}
    contacts = [row for row in pooled["deal_people"] if row[-1]]
    assert contacts == apart["deal_people"]

    await change(database, {"account_journeys": False})
    await run_until_idle(database)
    assert await derived(database) == apart
