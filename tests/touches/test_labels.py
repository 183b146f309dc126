"""The stage `labels`: what is labelled, and which visitors a changed label concerns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app import ids, swap, tables
from app.collect.origins import Origin, origin_id
from app.db import Database
from app.sites.settings import SiteSettings
from app.sites.site import Site
from app.touches.labels import STAGE
from tests.facts import an_event, at, enqueue, put
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

SEARCH = Origin(referring_host="google.com")
CAMPAIGN = Origin(source="fb", medium="cpc", campaign="Spring")
SHOP = Origin(referring_host="pay.shop.example")


def form_id(name: str, path: str) -> str:
    return ids.digest(name, path)


async def put_origins(database: Database, *origins: Origin) -> None:
    await put(database, tables.origins, *({"site_id": "default", "origin_id": origin_id(o), **o._asdict()} for o in origins))


async def put_forms(database: Database, *forms: tuple[str, str]) -> None:
    await put(database, tables.forms, *({"site_id": "default", "form_id": form_id(*f), "name": f[0], "path": f[1]} for f in forms))


async def relabel(
    database: Database, site: Site, after: tuple[str, ...] | None = None, limit: int = 1_000
) -> tuple[str, ...] | None:
    """Run the stage over the keys that a rebuild finds after one. Answers the last of them."""
    here = {"site_id": site.site_id}
    bounds = {f"after_{n}": part for n, part in enumerate(after or ())}
    async with database.worker() as connection:
        async with database.computing(connection):
            await connection.execute(swap.clear(STAGE.dirty), here)
            await connection.execute(swap.next_keys(STAGE, after), {**here, "limit": limit, **bounds})
            last = (await connection.execute(swap.last_dirty(STAGE), here)).one_or_none()
            changes = await swap.compute(connection, database.is_sqlite, STAGE, site, enqueue=True)
        async with database.swapping(connection):
            await swap.swap(connection, database.is_sqlite, STAGE, site, changes, at(0), enqueue=True)
    return tuple(last) if last else None


def under(site: Site, **changes: Any) -> Site:
    return replace(site, settings=SiteSettings(**changes))


LABEL = ["origin_id", "channel", "rule", "source", "medium", "campaign", "referrer", "is_ignored"]
DIRECT_ROW = [origin_id(Origin()), "Direct", "direct", "(direct)", "(none)", "(not set)", "(none)", False]


async def test_distinct_origins_and_forms_are_labelled(database: Database, site: Site) -> None:
    await put_origins(database, SEARCH, CAMPAIGN)
    await put_forms(database, ("demo", "/demo"), ("log-in", "/"))
    await relabel(database, site)
    await assert_rows(database, tables.origin_labels, LABEL, [
        DIRECT_ROW,
        [origin_id(SEARCH), "Organic Search", "search engine or organic medium", "google", "organic", "(not set)", "google.com", False],
        [origin_id(CAMPAIGN), "Paid Social", "paid social", "facebook", "cpc", "spring", "(none)", False],
    ])  # fmt: skip
    await assert_rows(database, tables.form_labels, ["form_id", "name", "is_lead_form", "needs_email"], [
        [form_id("demo", "/demo"), "demo", True, True],
        [form_id("log-in", "/"), "log-in", False, True],
    ])  # fmt: skip
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [])


async def test_only_what_is_dirty_is_labelled(database: Database, site: Site) -> None:
    await put_origins(database, SEARCH, CAMPAIGN)
    await put_forms(database, ("demo", "/demo"), ("log-in", "/"))
    await enqueue(database, tables.labels_queue, (origin_id(SEARCH), ""), ("", form_id("demo", "/demo")))
    await run_stage(database, site, STAGE)
    await assert_rows(database, tables.origin_labels, ["origin_id"], [[origin_id(Origin())], [origin_id(SEARCH)]])
    await assert_rows(database, tables.form_labels, ["name"], [["demo"]])
    await assert_rows(database, tables.labels_queue, ["queue_id"], [])


async def test_a_rebuild_finds_every_key_page_by_page(database: Database, site: Site) -> None:
    await put_origins(database, SEARCH, CAMPAIGN)
    await put_forms(database, ("demo", "/demo"), ("log-in", "/"))
    after: tuple[str, ...] | None = None
    for _ in range(5):
        after = await relabel(database, site, after, limit=1)
    assert after is not None
    assert await relabel(database, site, after, limit=1) is None
    await assert_rows(database, tables.origin_labels, ["origin_id"], [[origin_id(o)] for o in (Origin(), SEARCH, CAMPAIGN)])
    await assert_rows(database, tables.form_labels, ["name"], [["demo"], ["log-in"]])


async def test_a_label_without_its_origin_goes(database: Database, site: Site) -> None:
    orphan = {"channel": "Direct", "rule": "", "source": "", "medium": "", "campaign": "", "term": "", "content": "", "referrer": ""}
    await put(database, tables.origin_labels, {"site_id": "default", "origin_id": "orphan", "is_ignored": False, **orphan})
    await put(database, tables.form_labels, {"site_id": "default", "form_id": "orphan", "name": "", "is_lead_form": True, "needs_email": True})
    await relabel(database, site)
    await assert_rows(database, tables.origin_labels, ["origin_id"], [[origin_id(Origin())]])
    await assert_rows(database, tables.form_labels, ["form_id"], [])


async def test_a_changed_rule_shows_without_touching_an_event(database: Database, site: Site) -> None:
    await put_origins(database, CAMPAIGN)
    await put(database, tables.events, an_event("ada", "1", 0, origin_id=origin_id(CAMPAIGN)))
    await relabel(database, site)
    await relabel(database, under(site, channel_rules=[{"channel": "Brand", "campaign": "spr*"}]))
    await assert_rows(database, tables.origin_labels, LABEL, [
        DIRECT_ROW,
        [origin_id(CAMPAIGN), "Brand", "site rule 1", "facebook", "cpc", "spring", "(none)", False],
    ])  # fmt: skip
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [])


async def test_a_host_newly_ignored_concerns_exactly_its_visitors(database: Database, site: Site) -> None:
    await put_origins(database, SHOP, SEARCH)
    await put(
        database,
        tables.events,
        an_event("ada", "1", 0, origin_id=origin_id(SHOP)),
        an_event("ada", "2", 5, origin_id=origin_id(SHOP)),
        an_event("bob", "3", 0, origin_id=origin_id(SHOP)),
        an_event("eve", "4", 0, origin_id=origin_id(SEARCH)),
    )
    await relabel(database, site)
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [])
    await relabel(database, under(site, ignored_hosts=["shop.example"]))
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [["ada"], ["bob"]])


async def test_a_form_that_newly_makes_leads_concerns_exactly_its_visitors(database: Database, site: Site) -> None:
    forms = [("newsletter", "/"), ("demo", "/")]
    await put_forms(database, *forms)
    await put(
        database,
        tables.events,
        an_event("ada", "1", 0, type="form_submit", form_id=form_id("newsletter", "/")),
        an_event("bob", "2", 0, type="form_submit", form_id=form_id("demo", "/")),
        an_event("eve", "3", 0),
    )
    named = under(site, lead_forms=["demo"])
    await relabel(database, named)
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [])
    await relabel(database, under(site, lead_forms=["Demo", " newsletter"]))
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [["ada"]])
