"""A collector on the site's own domain, in a real browser: the cookies that it sets, a page without scripts, and opting out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext
from sqlalchemy import func, select
from starlette.responses import HTMLResponse

from app import tables
from app.db import Database
from tests.collect.web import A_PERSONS_BROWSER, serving, until
from tests.rows import assert_rows
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@dataclass
class Brand:
    """A site, and the collector on its domain."""

    shop: str
    collector: str
    browser: Browser
    database: Database

    @asynccontextmanager
    async def window(self, **options: Any) -> AsyncIterator[BrowserContext]:
        context = await self.browser.new_context(user_agent=A_PERSONS_BROWSER, **options)
        yield context
        await context.close()

    async def until_stored(self, count: int) -> None:
        async def stored() -> bool:
            async with self.database.read() as connection:
                return await connection.scalar(select(func.count()).select_from(tables.events)) == count

        assert await until(stored)


@pytest.fixture
async def brand(browser: Browser, application: FastAPI, database: Database) -> AsyncIterator[Brand]:
    pages = FastAPI()
    async with serving(application) as collector, serving(pages) as sites:
        at = f"http://loop.brand.example:{collector.port}"
        bodies = {
            "": f'<script defer src="{at}/loop.js" data-key="{WRITE_KEY}"></script>',
            "plain": f"""<img src="{at}/v1/pixel.gif?key={WRITE_KEY}" alt=""><form method="post" action="{at}/v1/forms/demo?key={WRITE_KEY}">
                <input type="email" name="email"><input type="hidden" name="redirect" value="/thanks"><button>Send</button></form>""",
            "thanks": "Thank you",
        }

        @pages.get("/{path:path}")
        async def page(path: str) -> HTMLResponse:
            return HTMLResponse(f"<!doctype html><title>{path}</title>{bodies[path]}" if path in bodies else "", 200 if path in bodies else 204)

        yield Brand(f"http://www.brand.example:{sites.port}", at, browser, database)


async def cookies(context: BrowserContext, address: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in await context.cookies(address)}


async def test_the_browser_keeps_the_cookie_that_comes_with_the_answer(brand: Brand) -> None:
    async with brand.window() as context:
        page = await context.new_page()
        # No script can set a cookie here, so what there is is the collector's.
        await (await context.new_cdp_session(page)).send("Emulation.setDocumentCookieDisabled", {"disabled": True})
        await page.goto(brand.shop + "/")
        await brand.until_stored(2)

        async def is_kept() -> bool:
            return "_loop" in await cookies(context, brand.shop)

        assert await until(is_kept)
        named = (await cookies(context, brand.shop))["_loop"]
        [kept] = [each for each in await context.cookies(brand.shop) if each["name"] == "_loop"]
    assert (kept["domain"], kept["sameSite"]) == (".brand.example", "Lax")
    await assert_rows(brand.database, tables.events, ["type", "visitor_id"], [["visit", named], ["pageview", named]])


async def test_without_scripts_a_page_and_a_form_are_one_visitors(brand: Brand) -> None:
    async with brand.window(java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(brand.shop + "/plain", wait_until="networkidle")
        await page.fill("input[name=email]", "ada@example.com")
        await page.click("button")
        await page.wait_for_url("**/thanks")
        assert page.url == brand.shop + "/thanks"
        named = (await cookies(context, brand.shop))["_loop"]
    await assert_rows(brand.database, tables.events, ["type", "visitor_id", "has_email"], [["pageview", named, False], ["form_submit", named, True]])
    await assert_rows(brand.database, tables.contacts, ["value"], [["ada@example.com"]])


async def test_who_opts_out_is_not_counted_and_who_comes_back_is(brand: Brand) -> None:
    async with brand.window() as context:
        page = await context.new_page()
        await page.goto(brand.shop + "/")
        await brand.until_stored(2)

        await page.goto(brand.collector + "/opt-out")
        assert await page.inner_text("h1") == "This browser is counted"
        await page.click("button")
        await page.wait_for_selector("text=This browser is not counted")
        assert await cookies(context, brand.shop) == {"closedloop_opt_out": "1"}
        await page.goto(brand.shop + "/", wait_until="networkidle")
        await page.goto(brand.shop + "/thanks", wait_until="networkidle")
        assert await cookies(context, brand.shop) == {"closedloop_opt_out": "1"}
        async with brand.database.read() as connection:
            before = await connection.scalar(select(func.count()).select_from(tables.events))

        await page.goto(brand.collector + "/opt-out")
        await page.click("button")
        await page.wait_for_selector("text=This browser is counted")
        assert await cookies(context, brand.shop) == {}
        await page.goto(brand.shop + "/")
        await brand.until_stored(before + 2)
