"""`@segment/analytics-next` in a real browser, on pages of another server, with `cdnURL` and key changed and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from playwright.async_api import Page, async_playwright
from sqlalchemy import func, select
from starlette.responses import FileResponse, HTMLResponse

from app import tables
from app.db import Database
from tests.rows import assert_rows
from tests.sdks.conftest import FOLDER, Relay, serving
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

_ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * 127.0.0.1"]
_A_PERSONS_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_BUNDLE = FOLDER / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd" / "index.js"
_SECONDS = 30
_LANDING = "/?utm_source=news&utm_medium=cpc&utm_campaign=Spring&gclid=x1"
_PAGE = """<!doctype html><html><head><title>Home</title><link rel="canonical" href="{canonical}"></head><body>
<script src="/analytics.js"></script>
<script>analytics = AnalyticsNext.AnalyticsBrowser.load({{writeKey: "{key}", cdnURL: "{service}"}}, {options})</script></body></html>"""
_BATCHES = '{integrations: {"Segment.io": {deliveryStrategy: {strategy: "batching", config: {size: 2, timeout: 200}}}}}'


@dataclass
class Shop:
    """A site with Segment's SDK on it, and a window on it."""

    page: Page
    relay: Relay
    database: Database
    origin: str
    options: str = "{}"
    key: str = WRITE_KEY

    async def until_stored(self, count: int) -> None:
        """Wait for so many events."""
        deadline, found = time.monotonic() + _SECONDS, None
        while found != count:
            assert time.monotonic() < deadline, f"{found} events, not {count}"
            await asyncio.sleep(0.05)
            async with self.database.read() as connection:
                found = await connection.scalar(select(func.count()).select_from(tables.events))


@pytest.fixture
async def shop(node: str, chromium: str, relay: Relay, database: Database) -> AsyncIterator[Shop]:
    pages = FastAPI()
    async with async_playwright() as playwright, serving(pages) as port:
        browser = await playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        page = await browser.new_page(user_agent=_A_PERSONS_BROWSER, locale="de-DE", timezone_id="Europe/Berlin")
        opened = Shop(page, relay, database, f"http://www.brand.example:{port}")

        @pages.get("/analytics.js")
        async def bundle() -> FileResponse:
            return FileResponse(_BUNDLE)

        @pages.get("/{path:path}")
        async def html(path: str) -> HTMLResponse:
            service = f"http://loop.vendor.example:{relay.port}"
            return HTMLResponse(_PAGE.format(key=opened.key, service=service, options=opened.options, canonical=f"{opened.origin}/{path}"))

        yield opened
        await browser.close()


WHAT_A_PAGE_SAYS = (
    "page()", "track('Demo Booked', {seats: 3})", "alias('u7')", "identify('u7', {email: 'Ada@Example.com', plan: 'pro'})",
    "group('acme', {industry: 'Software'})",
)  # fmt: skip
REST = '"context":{"locale":"de-DE","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"Europe/Berlin"}}}'


@pytest.mark.parametrize("options", ["{}", _BATCHES])
async def test_what_a_page_says_and_says_again(shop, relay, database, options):
    shop.options, relay.lose = options, 1
    await shop.page.goto(shop.origin + _LANDING)
    for said in WHAT_A_PAGE_SAYS:
        await shop.page.evaluate(f"analytics.{said}.then(() => 0)")
    await shop.until_stored(5)
    await relay.until_taken(6 if options == "{}" else 4)

    page = shop.origin + _LANDING
    kept = '"$segment":{' + ("" if options == "{}" else '"integrations":{"Segment.io":true},')
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
    await assert_rows(database, tables.person_fields, ["field", "value"], [["plan", "pro"], ["", "company:segment/id:acme"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])
    await assert_rows(database, tables.drops, ["reason"], [])


async def test_a_wrong_key_is_said_in_the_pages_console(shop):
    shop.key = "unknown"
    async with shop.page.expect_console_message(lambda message: "This key is unknown or was revoked." in message.text):
        await shop.page.goto(shop.origin)
