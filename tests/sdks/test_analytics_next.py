"""`@segment/analytics-next` in a real browser, on pages of another server, with `cdnURL` and key changed and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app import tables
from tests.rows import assert_rows
from tests.sdks.conftest import FOLDER

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

LANDING = "/?utm_source=news&utm_medium=cpc&utm_campaign=Spring&gclid=x1"
BUNDLE = FOLDER / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd" / "index.js"
LOAD = 'analytics = AnalyticsNext.AnalyticsBrowser.load({{writeKey: "{key}", cdnURL: "{service}"}}, OPTIONS)'
BATCHES = '{{integrations: {{"Segment.io": {{deliveryStrategy: {{strategy: "batching", config: {{size: 2, timeout: 200}}}}}}}}}}'
WHAT_A_PAGE_SAYS = (
    "page()", "track('Demo Booked', {seats: 3})", "alias('u7')", "identify('u7', {email: 'Ada@Example.com', plan: 'pro'})",
    "group('acme', {industry: 'Software'})",
)  # fmt: skip
REST = '"context":{"locale":"de-DE","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"Europe/Berlin"}}}'


@pytest.mark.parametrize("options", ["{{}}", BATCHES])
async def test_what_a_page_says_and_says_again(shop, relay, database, options):
    shop.bundle, shop.load, relay.lose = BUNDLE, LOAD.replace("OPTIONS", options), 1
    await shop.page.goto(shop.origin + LANDING)
    for said in WHAT_A_PAGE_SAYS:
        await shop.page.evaluate(f"analytics.{said}.then(() => 0)")
    await shop.until_stored(5)
    await relay.until_taken(6 if options == "{{}}" else 4)

    page = shop.origin + LANDING
    kept = '"$segment":{' + ("" if options == "{{}}" else '"integrations":{"Segment.io":true},')
    visitor = await shop.page.evaluate("analytics.instance.user().anonymousId()")
    await assert_rows(database, tables.events, ["visitor_id", "type", "url", "referrer", "title", "click_id", "is_web", "has_email", "properties"], [
        [visitor, "pageview", page, None, "Home", "x1", True, False, "{" + kept + REST],
        [visitor, "Demo Booked", page, None, "Home", "x1", True, False, '{"seats":3,' + kept + REST],
        [visitor, "identify", page, None, "Home", "x1", True, False, "{" + kept + '"type":"alias",' + REST],
        [visitor, "identify", page, None, "Home", "x1", True, True, '{"plan":"pro",' + kept + REST],
        [visitor, "group", page, None, "Home", "x1", True, False, '{"industry":"Software",' + kept + '"groupId":"acme",' + REST],
    ])  # fmt: skip
    parts = ["source", "medium", "campaign", "click_id_kind"]
    await assert_rows(database, select(tables.origins).where(tables.origins.c.source != ""), parts, [["news", "cpc", "Spring", "gclid"]])
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"], ["user_id", "u7"]])
    await assert_rows(database, tables.person_fields, ["field", "value"], [["plan", "pro"], ["", "company::segment/id:acme"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])
    await assert_rows(database, tables.drops, ["reason"], [])


async def test_a_wrong_key_is_said_in_the_pages_console(shop):
    shop.bundle, shop.load, shop.key = BUNDLE, LOAD.replace("OPTIONS", "{{}}"), "unknown"
    async with shop.page.expect_console_message(lambda message: "This key is unknown or was revoked." in message.text):
        await shop.page.goto(shop.origin)
