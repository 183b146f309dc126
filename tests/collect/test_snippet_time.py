"""For how long a page was read, in a real browser: what is visible counts while somebody is there, once, for the page that was shown."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.collect.web import Web, until_true

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

SHOWN = ["type", "path", "engaged_ms"]


async def show(page: Page, *, is_shown: bool) -> None:
    """Tells the page that its tab came to the front, or went behind another. (Without a screen, Chromium shows every tab.)"""
    await page.evaluate(
        """isHidden => {
            Object.defineProperty(document, "hidden", {get: () => isHidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        not is_shown,
    )


async def test_a_tab_that_is_hidden_shown_and_closed(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.pass_time(seconds=12)
    await show(page, is_shown=False)
    await web.until_stored(3)
    await web.pass_time(minutes=10)
    await show(page, is_shown=True)
    await web.pass_time(seconds=5)
    await page.close()
    await web.assert_events(SHOWN, [
        ["visit", "/", None], ["pageview", "/", None], ["engagement", "/", 12_000], ["engagement", "/", 5_000],
    ])  # fmt: skip


async def test_time_counts_for_half_a_minute_after_each_sign_of_life(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.pass_time(seconds=20)
    await page.mouse.move(5, 5)
    await web.pass_time(seconds=20)
    await page.keyboard.press("ArrowDown")
    await web.pass_time(minutes=5)
    await page.close()
    await web.assert_events(SHOWN, [["visit", "/", None], ["pageview", "/", None], ["engagement", "/", 70_000]])


async def test_each_route_of_an_application_has_its_own(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.pass_time(seconds=7)
    await page.evaluate("history.pushState({}, '', '/a')")
    await web.pass_time(seconds=3)
    await page.evaluate("history.pushState({}, '', '/b')")
    await web.pass_time(seconds=0.9)
    await page.close()
    await web.assert_events(SHOWN, [
        ["visit", "/", None], ["pageview", "/", None], ["engagement", "/", 7_000],
        ["pageview", "/a", None], ["engagement", "/a", 3_000], ["pageview", "/b", None],
    ])  # fmt: skip


async def pass_time(page: Page, seconds: float) -> None:
    """As `Web.pass_time`, which does not reach pages that come after one that was kept."""
    await page.evaluate("by => { const then = Date.now() + by; Date.now = () => then; }", seconds * 1_000)


async def test_a_page_that_was_kept_for_the_way_back_goes_on(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("window.isKept = true")
    await pass_time(page, 4)
    await page.goto(f"{web.shop}/prices")
    await pass_time(page, 2)
    await page.evaluate("setTimeout(() => history.back())")
    await until_true(page, "window.isKept")
    await web.until_stored(6)
    await pass_time(page, 6)
    await page.close()
    await web.assert_events(SHOWN, [
        ["visit", "/", None], ["pageview", "/", None], ["engagement", "/", 4_000],
        ["pageview", "/prices", None], ["engagement", "/prices", 2_000],
        ["pageview", "/", None], ["engagement", "/", 6_000],
    ])  # fmt: skip
