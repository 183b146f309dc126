"""Who is counted, and as whom, in a real browser: consent, opting out, browsers' own signals, and no cookies."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext

from app import tables
from app.db import Database
from tests.collect.web import Web
from tests.rows import assert_rows

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

AD = "/?utm_source=news&utm_medium=cpc&utm_campaign=Spring"
NOTHING_KEPT = "[document.cookie, JSON.stringify(localStorage)]"


async def signalling(context: BrowserContext, header: str, script: str) -> None:
    """Make the browser say by header and by script that it is not to be tracked."""
    await context.set_extra_http_headers({header: "1"})
    await context.add_init_script(script)


# ---------------------------------------------------------------- consent


async def test_consent_that_is_given_late(web: Web, database: Database) -> None:
    """What happened before has its own time, its landing page and its referrer."""
    await web.pass_time(seconds=-30)  # what is in the future would be moved to now
    web.attributes = 'data-consent="opt-in"'
    page = await web.tab()
    await page.goto(f"{web.news}/news")
    await page.click("#ad")
    await page.wait_for_url(f"{web.shop}{AD}")
    await page.evaluate("closedloop.track('read', {chapter: 1})")
    landed_at = web.now
    await web.pass_time(seconds=20)
    consented_at = web.now
    assert await page.evaluate(NOTHING_KEPT) == ["", "{}"]
    assert await page.evaluate("closedloop.visitor()") == ""
    assert web.sent == []
    await page.evaluate("closedloop.consent(true)")
    await web.until_stored(3)
    await page.goto(f"{web.shop}/prices")
    [visitor] = await web.visitors()
    referrer = f"{web.news}/"
    await web.assert_events(["visitor_id", "type", "url", "referrer", "occurred_at"], [
        [visitor, "visit", f"{web.shop}{AD}", referrer, landed_at],
        [visitor, "pageview", f"{web.shop}{AD}", referrer, landed_at],
        [visitor, "read", f"{web.shop}{AD}", None, landed_at],
        [visitor, "engagement", f"{web.shop}{AD}", None, consented_at],
        [visitor, "pageview", f"{web.shop}/prices", None, consented_at],
    ])  # fmt: skip
    assert (await web.cookies())["_loop"] == visitor


async def test_without_consent_everything_vanishes_with_the_page(web: Web) -> None:
    web.attributes = 'data-consent="opt-in"'
    page = await web.tab()
    await page.goto(f"{web.shop}{AD}")
    await page.goto(f"{web.shop}/prices")
    assert await page.evaluate(NOTHING_KEPT) == ["", "{}"]
    await page.evaluate("closedloop.consent(true)")
    await web.assert_events(["type", "path"], [["visit", "/prices"], ["pageview", "/prices"]])


async def test_consent_that_is_refused(web: Web) -> None:
    web.attributes = 'data-consent="opt-in"'
    page = await web.tab()
    await page.goto(f"{web.shop}{AD}")
    await page.evaluate("closedloop.consent(false)")
    await page.evaluate("closedloop.track('read')")
    await page.goto(f"{web.shop}/prices")
    await page.evaluate("closedloop.identify('ada@example.com')")
    assert await page.evaluate(NOTHING_KEPT) == ["closedloop_opt_out=1", "{}"]
    assert web.sent == []
    await page.evaluate("closedloop.consent(true)")
    await web.assert_events(["type", "path", "has_email"], [["visit", "/prices", False], ["pageview", "/prices", False]])
    assert (await web.cookies()).keys() == {"_loop", "_loop_s"}


async def test_consent_that_is_taken_back(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    await page.evaluate("closedloop.track('waits'); closedloop.consent(false); closedloop.track('never')")
    assert await page.evaluate(NOTHING_KEPT) == ["closedloop_opt_out=1", "{}"]
    await page.goto(f"{web.shop}/prices")
    await page.evaluate("new Promise(done => setTimeout(done, 300))")
    await web.assert_events(["type", "path"], [["visit", "/"], ["pageview", "/"]])


async def test_the_link_to_opt_out_and_in_again(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    await page.goto(f"{web.shop}/?closedloop_opt_out=1")
    assert await web.cookies() == {"closedloop_opt_out": "1"}
    await page.goto(f"{web.shop}/prices")
    await page.evaluate("closedloop.track('never')")
    await page.goto(f"{web.shop}/demo?closedloop_opt_out=0")
    await web.assert_events(["type", "path"], [["visit", "/"], ["pageview", "/"], ["visit", "/demo"], ["pageview", "/demo"]])
    assert len(await web.visitors()) == 2
    assert (await web.cookies()).keys() == {"_loop", "_loop_s"}


async def test_a_reset_begins_another_visitor(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("closedloop.track('before'); closedloop.reset(); closedloop.track('after')")
    await web.until_stored(4)
    await page.goto(f"{web.shop}/prices")
    first, second = await web.visitors()
    await web.assert_events(["visitor_id", "type"], [
        [first, "visit"], [first, "pageview"], [first, "before"], [second, "after"], [second, "pageview"],
    ])  # fmt: skip
    assert (await web.cookies())["_loop"] == second


# ---------------------------------------------------------------- signals of browsers


async def test_global_privacy_control(web: Web, database: Database) -> None:
    await signalling(web.context, "Sec-GPC", "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    page = await web.tab()
    await page.goto(f"{web.shop}{AD}")
    await web.until_dropped(gpc=2)
    assert await page.evaluate(NOTHING_KEPT) == ["", "{}"]
    assert await page.evaluate("closedloop.visitor()") == ""
    assert not any('"visitor_id"' in each for each in web.sent)
    await assert_rows(database, tables.events, ["type"], [])


async def test_global_privacy_control_where_the_site_ignores_it(web: Web) -> None:
    """The page's half of it: the collector's is the site's setting `honour_gpc`."""
    await web.context.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    web.attributes = 'data-gpc="ignore"'
    await (await web.tab()).goto(web.shop)
    await web.until_stored(2)
    assert [(await web.cookies())["_loop"]] == await web.visitors()


async def test_do_not_track_where_the_site_honours_it(web: Web) -> None:
    await web.context.add_init_script("Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'})")
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    assert "_loop" in await web.cookies()
    await web.context.clear_cookies()
    await page.evaluate("localStorage.clear()")
    web.attributes = 'data-dnt="honour"'
    await page.goto(web.shop)
    await web.until_stored(4)
    assert await page.evaluate(NOTHING_KEPT) == ["", "{}"]


# ---------------------------------------------------------------- without cookies


async def test_cookieless(web: Web) -> None:
    web.attributes = 'data-consent="cookieless"'
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("history.pushState({}, '', '/route')")
    await page.goto(f"{web.shop}/demo")
    await page.click("button")
    await page.wait_for_url("**/thanks?*closedloop_visitor_id=&*")
    await web.until_stored(8)
    [visitor] = await web.visitors()
    await web.assert_events(["visitor_id", "type", "path"], [
        [visitor, "visit", "/"], [visitor, "pageview", "/"], [visitor, "pageview", "/route"],
        [visitor, "visit", "/demo"], [visitor, "pageview", "/demo"], [visitor, "form_submit", "/demo"],
        [visitor, "visit", "/thanks"], [visitor, "pageview", "/thanks"],
    ])  # fmt: skip
    assert await page.evaluate(NOTHING_KEPT) == ["", "{}"]
    assert not any('"visitor_id"' in each for each in web.sent)


async def test_blocked_cookies_make_each_page_a_visitor(web: Web) -> None:
    page = await web.tab(without_cookies=True)
    await page.goto(web.shop)
    await page.evaluate("closedloop.track('read')")
    await page.goto(f"{web.shop}/prices")
    await web.until_stored(5)
    first, second = await web.visitors()
    await web.assert_events(["visitor_id", "type", "path"], [
        [first, "visit", "/"], [first, "pageview", "/"], [first, "read", "/"], [second, "visit", "/prices"], [second, "pageview", "/prices"],
    ])  # fmt: skip


async def test_where_a_page_may_keep_nothing_at_all_it_does_without(web: Web) -> None:
    """In a sandboxed frame, each look at a cookie is an error."""
    page = await web.tab()
    await page.goto(f"{web.shop}/frame")
    await web.assert_events(["type", "path"], [["visit", "/frame"], ["pageview", "/frame"], ["visit", "/thanks"], ["pageview", "/thanks"]])
    assert len(await web.visitors()) == 2
