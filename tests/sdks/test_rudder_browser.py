"""`@rudderstack/analytics-js` in a real browser, with its data plane, where it asks for its settings, and its key changed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app import tables
from tests.rows import assert_rows
from tests.sdks.conftest import FOLDER

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

BUNDLE = FOLDER / "node_modules" / "@rudderstack" / "analytics-js" / "dist" / "npm" / "modern" / "bundled" / "umd" / "index.js"
LOAD = 'analytics = new rudderanalytics.RudderAnalytics(); analytics.load("{key}", "{service}", {{configUrl: "{service}"}})'


WHAT_A_PAGE_SAYS = (
    "page('Docs', 'Prices')", "track('Demo Booked', {seats: 3})", "identify('u7', {email: 'Ada@Example.com', plan: 'pro'})",
    "group('acme', {industry: 'Software'})", "alias('u8')",
)  # fmt: skip


async def test_what_a_page_says_and_says_again(shop, relay, database):
    shop.bundle, shop.load, relay.lose = BUNDLE, LOAD, 1
    await shop.page.goto(shop.origin + "/?utm_source=news&gclid=x1&email=ada%40example.com")
    for said in WHAT_A_PAGE_SAYS:
        await shop.page.evaluate(f"void analytics.{said}")
    await shop.until_stored(5)
    await relay.until_taken(6)

    page = shop.origin + "/?utm_source=news&gclid=x1"
    visitor = await shop.page.evaluate("analytics.getAnonymousId()")
    await assert_rows(database, tables.events, ["visitor_id", "type", "url", "referrer", "title", "click_id", "has_email"], [
        [visitor, "pageview", page, None, "Home", "x1", False],
        [visitor, "Demo Booked", page, None, "Home", "x1", False],
        [visitor, "identify", page, None, "Home", "x1", True],
        [visitor, "group", page, None, "Home", "x1", True],
        [visitor, "identify", page, None, "Home", "x1", True],
    ])  # fmt: skip
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"], ["user_id", "u7"], ["user_id", "u8"]])
    await assert_rows(database, tables.person_fields, ["field", "value"], [["plan", "pro"], ["", "company::segment/id:acme"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])
    await assert_rows(database, tables.drops, ["reason"], [])
    with_address = select(tables.events.c.properties).where(tables.events.c.properties.contains("ada"))
    await assert_rows(database, with_address, ["properties"], [])
