"""Everything after the log is a pure function of it and the settings: any order of arrival, with whatever is undone or
changed in between, gives the same tables; a rebuild gives them again, and a check agrees."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app import tables
from app.db import Database
from app.deals import companies
from app.identity import queries as identity
from app.identity.unlink import unlink
from app.locks import holding
from app.log import Log
from app.pipeline import STAGES, Worker, check, rebuild_progress, run_once, run_until_idle, run_worker, start_rebuild
from app.sites import rules
from app.sites.administration import change_settings
from app.sites.connections import change_connection, create_connection
from app.sites.settings import SiteSettings
from app.sites.site import Site, load_site
from tests.attribution.sums import assert_sums_equal_journeys
from tests.facts import at
from tests.flow import stories
from tests.flow.stories import Story, Undone, a_story, batches

pytestmark = pytest.mark.anyio

_few = settings(max_examples=max(1, settings().max_examples // 4), phases=(Phase.reuse, Phase.generate))
"""A seed cannot be made smaller: another one is another story."""
_LOG = (
    tables.events, tables.sightings, tables.link_keys, tables.crm_facts, tables.deal_fields, tables.deal_changes, tables.deal_contacts,
    tables.key_domains, tables.contact_companies, tables.person_fields, tables.record_fields, tables.activities, tables.contact_marks,
    tables.contacts, tables.unlinks, tables.quarantine,
)  # fmt: skip


@pytest.fixture
async def log(database: Database, site: Site) -> AsyncIterator[Log]:
    log = Log(database)
    await log.start()
    yield log
    await log.stop()


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few visitors a day, few keys of a kind and few people of a company are too many already, so that small stories meet these rules."""
    monkeypatch.setattr(identity, "MOST_VISITORS_A_DAY", 2)
    monkeypatch.setattr(identity, "MOST_KEYS_OF_A_KIND", 3)
    monkeypatch.setattr(companies, "MOST_KNOWN", 3)


async def forget_everything(database: Database) -> None:
    """Empties the log but for origins and forms, which ingestion knows that it has written, and all that follows from it;
    puts the first settings in force."""
    labels = (tables.origin_labels, tables.form_labels)
    runs = (*tables.history.values(), tables.latest_runs, tables.first_touches)
    forgotten = (*_LOG, *(set(tables.DERIVED) - set(labels)), *runs, *tables.QUEUES, tables.failed_keys, tables.rebuilds)
    async with database.write() as connection:
        for table in (*forgotten, tables.connections, tables.deal_stages):
            await connection.execute(delete(table))
        await change_settings(connection, "default", dict.fromkeys(SiteSettings.model_fields), at(0))
        await create_connection(connection, await load_site(connection, "default"), {"id": stories.CRM}, at(0))
        for every in (rules.origins_to_label(), rules.forms_to_label()):
            await connection.execute(every, {"of_site": "default", "now": at(0)})


async def derived(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that was computed, by table: without the run that wrote it."""
    async with database.read() as connection:
        found = {
            table.name: await connection.execute(select(*(c for c in table.columns if c.name != "run_id"))) for table in tables.DERIVED
        }
    return {name: sorted((tuple(row) for row in rows), key=str) for name, rows in found.items()}


async def site_now(database: Database) -> Site:
    async with database.read() as connection:
        return await load_site(connection, "default")


async def change(database: Database, changes: dict[str, Any] | None) -> None:
    """Change the site's settings; None: say what the CRM's stages mean."""
    async with database.write() as connection:
        if changes is not None:
            await change_settings(connection, "default", changes, at(0))
            return
        site = await load_site(connection, "default")
        await change_connection(connection, site, stories.CRM, {"settings": stories.STAGES}, at(0))


async def undo(database: Database, undone: Undone) -> None:
    async with database.write() as connection:
        await unlink(connection, database.is_sqlite, "default", fact_id=undone.fact_id, visitor_id=undone.visitor_id, now=at(0))


async def run_a_little(database: Database, chance: random.Random) -> None:
    """A few small batches, as of a worker that is killed then."""
    async with database.worker() as connection:
        with holding(database) as locks:
            assert await locks.take(connection, "default")
            worker = Worker(database, connection, locks, batch={stage.name: chance.randrange(1, 9) for stage in STAGES})
            for _ in range(chance.randrange(1, 4)):
                await run_once(worker, await site_now(database))


async def tell_in_order(database: Database, log: Log, story: Story) -> None:
    """The settings from the start, all facts in order of time, computed at once."""
    for changes in _changes(story):
        await change(database, changes)
    assert all(await log.append(story.facts))
    for undone in story.undone:
        await undo(database, undone)
    await run_until_idle(database)


async def tell_in_any_order(database: Database, log: Log, story: Story, chance: random.Random) -> None:
    """Everything at random moments, with the pipeline at work in between. (An undoing needs its fact.)"""
    changes, undone = _changes(story), list(story.undone)
    told: set[int] = set()
    for batch in batches(chance, story.facts):
        await log.append(batch)
        told.update(story.facts.index(fact) for fact in batch)
        if changes and chance.random() < 0.5:
            await change(database, changes.pop())
        for ready in [each for each in undone if each.place in told and chance.random() < 0.5]:
            await undo(database, ready)
            undone.remove(ready)
        await chance.choice((_nothing, _nothing, run_a_little, run_a_little, _run_and_check, _rebuild_a_little))(database, chance)
    for left in changes:
        await change(database, left)
    for left in undone:
        await undo(database, left)
    await run_until_idle(database)


def _changes(story: Story) -> list[dict[str, Any] | None]:
    return [*story.settings, *([None] if story.knows_stages else [])]


async def _nothing(database: Database, chance: random.Random) -> None:
    pass


async def _run_and_check(database: Database, chance: random.Random) -> None:
    """What is stored is right, but for what is queued, at any moment (while no rebuild is under way)."""
    await run_a_little(database, chance)
    if await rebuild_progress(database, "default") is None:
        assert await check(database, await site_now(database)) == []


async def _rebuild_a_little(database: Database, chance: random.Random) -> None:
    await start_rebuild(database, "default", at(chance.random()))
    await run_a_little(database, chance)


@_few
@given(seed=st.integers(0, 2**32))
async def test_any_order_of_arrival_gives_the_same(database: Database, log: Log, site: Site, strict: None, seed: int) -> None:
    story = a_story(site, seed)
    await forget_everything(database)
    await tell_in_order(database, log, story)
    in_order = await derived(database)
    assert in_order["journey_touches"], "a story without a journey shows nothing"
    assert in_order["opportunities"], "nor does one in which nobody needs contact"

    await forget_everything(database)
    await tell_in_any_order(database, log, story, random.Random(seed))
    assert await derived(database) == in_order

    async with database.read() as connection:
        assert not (await connection.execute(select(tables.failed_keys))).all()
    await assert_sums_equal_journeys(database, await site_now(database))
    assert await check(database, await site_now(database)) == []
    for _ in range(2):
        await start_rebuild(database, "default", at(0))
        await run_until_idle(database)
        assert await derived(database) == in_order


async def test_a_worker_beside_ingestion_gives_the_same(database: Database, log: Log, site: Site, strict: None) -> None:
    """Facts, changes and undone joins are committed between any two of the worker's statements."""
    story = a_story(site, 3, length=50)
    story.settings = [{"session_gap_minutes": 20}, {"ignored_hosts": ["blog.example.net"]}]
    await tell_in_order(database, log, story)
    in_order = await derived(database)

    await forget_everything(database)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(database, stop))
    for place, fact in enumerate(reversed(story.facts)):
        await log.append([fact])
        if place in (15, 35):
            await change(database, story.settings[place // 35])
    for undone in story.undone:
        await undo(database, undone)
    stop.set()
    await worker
    await run_until_idle(database)
    assert await derived(database) == in_order


async def test_a_check_finds_what_was_tampered_with(database: Database, log: Log, site: Site) -> None:
    await log.append(a_story(site, 1).facts)
    await run_until_idle(database)
    async with database.write() as connection:
        await connection.execute(tables.touches.delete())
        row = {"site_id": "default", "kind": "lead", "holder_id": "v9", "fact_id": "e9", "touch_visitor_id": "v9", "touch_event_id": "e9"}
        await connection.execute(tables.journey_touches.insert(), [{**row, "position": 1, "occurred_at": at(0), "origin_id": "x", "is_reported": False}])
        await connection.execute(tables.daily_credit.update().values(millionths=7))
        await connection.execute(tables.monthly_credit.delete())
    found = {(difference.stage, difference.table) for difference in await check(database, site)}
    assert ("touches", "touches") in found, "rows are missing"
    assert ("journeys", "journey_touches") in found, "a row has no conversion"
    assert ("sums", "daily_credit") in found, "a sum is another"
    assert ("months", "monthly_credit") in found, "sums are missing"
