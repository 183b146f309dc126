"""The snippet in a real browser, on pages of another server, against the service as it runs: what is stored is just this."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select

from app import tables
from app.db import Database
from tests.collect.web import Web
from tests.rows import assert_rows

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

SHOWN = ["type", "path", "title", "referrer", "sequence", "has_internal_referrer", "has_email"]


async def test_from_an_ad_to_a_form(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(f"{web.news}/news")
    await page.click("#ad")
    await web.until_stored(2)
    await page.click("#demo")
    await web.until_stored(3)
    await page.click("button")
    await page.wait_for_url("**/thanks**")
    await web.until_stored(5)

    ad = f"{web.shop}/?utm_source=news&utm_medium=cpc&utm_campaign=Spring"
    await assert_rows(database, tables.events, SHOWN, [
        ["visit", "/", "Home", f"{web.news}/", 0, False, False],
        ["pageview", "/", "Home", f"{web.news}/", 1, False, False],
        ["pageview", "/demo", "Demo", ad, 0, True, False],
        ["form_submit", "/demo", "Demo", None, 1, False, True],
        ["pageview", "/thanks", "Thanks", f"{web.shop}/demo", 0, True, False],
    ])  # fmt: skip
    [visitor] = await web.visitors()
    assert len(visitor) == 32
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"]])
    await assert_rows(database, tables.forms, ["name", "path"], [["f", "/demo"]])
    arrivals = select(tables.events.c.url, tables.origins.c.source, tables.origins.c.campaign, tables.origins.c.referring_host).join(
        tables.origins, tables.origins.c.origin_id == tables.events.c.origin_id
    )
    await assert_rows(database, arrivals.where(tables.events.c.type == "visit"), ["url", "source", "campaign", "referring_host"], [
        [ad, "news", "Spring", "news.example"],
    ])  # fmt: skip


async def test_a_page_that_changes_its_address_without_loading(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("history.pushState({}, '', '/prices?plan=pro')")
    await page.evaluate("history.pushState({}, '', '/prices?plan=pro#table')")
    await page.evaluate("history.replaceState({}, '', '/prices?plan=pro&x=1#table')")
    await page.click("#faq")
    await page.evaluate("history.replaceState({}, '', '/contact')")
    await page.evaluate("history.go(-3)")
    await page.wait_for_url(f"{web.shop}/")
    await web.until_stored(5)
    await assert_rows(database, tables.events, ["type", "url", "referrer"], [
        ["visit", f"{web.shop}/", None],
        ["pageview", f"{web.shop}/", None],
        ["pageview", f"{web.shop}/prices?plan=pro", f"{web.shop}/"],
        ["pageview", f"{web.shop}/contact", f"{web.shop}/prices?plan=pro&x=1"],
        ["pageview", f"{web.shop}/", f"{web.shop}/contact"],
    ])  # fmt: skip


async def test_routes_in_the_hash_are_pages_where_the_site_says_so(web: Web) -> None:
    web.attributes = "data-hash"
    page = await web.tab()
    await page.goto(f"{web.shop}/#/start")
    await page.evaluate("location.hash = '#/prices?plan=pro'")
    await page.evaluate("history.replaceState({}, '', '#/prices?plan=free')")
    await page.evaluate("history.pushState({}, '', '#/contact')")
    await page.evaluate("history.back()")
    await page.wait_for_url("**/#/prices?plan=free")
    await web.assert_events(["type", "url", "referrer"], [
        ["visit", f"{web.shop}/#/start", None],
        ["pageview", f"{web.shop}/#/start", None],
        ["pageview", f"{web.shop}/#/prices?plan=pro", f"{web.shop}/#/start"],
        ["pageview", f"{web.shop}/#/contact", f"{web.shop}/#/prices?plan=free"],
        ["pageview", f"{web.shop}/#/prices?plan=free", f"{web.shop}/#/contact"],
    ])  # fmt: skip


async def test_two_tabs_are_one_visitor_in_one_session(web: Web) -> None:
    first, second = await web.tab(), await web.tab()
    await first.goto(web.shop)
    await second.goto(f"{web.shop}/prices")
    await first.evaluate("closedloop.track('read')")
    await second.goto(f"{web.shop}/demo")
    await web.until_stored(5)
    [visitor] = await web.visitors()
    await web.assert_events(["visitor_id", "type", "path"], [
        [visitor, "visit", "/"], [visitor, "pageview", "/"], [visitor, "read", "/"],
        [visitor, "pageview", "/prices"], [visitor, "pageview", "/demo"],
    ])  # fmt: skip


async def test_a_page_that_is_loaded_ahead_counts_when_it_is_shown(web: Web) -> None:
    await web.context.add_init_script("Object.defineProperty(document, 'prerendering', {get: () => !window.isShown})")
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("closedloop.track('ahead'); new Promise(done => setTimeout(done, 300))")
    assert await page.evaluate("document.cookie") == ""
    assert web.sent == []
    await page.evaluate("window.isShown = true; document.dispatchEvent(new Event('prerenderingchange'))")
    await web.assert_events(["type", "path"], [["visit", "/"], ["pageview", "/"], ["ahead", ""]])


async def test_a_session_ends_with_its_cookie(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    await page.reload()
    await web.until_stored(3)
    [session] = [each for each in await web.context.cookies() if each["name"] == "_loop_s"]
    assert session["expires"] - time.time() == pytest.approx(30 * 60, abs=60)
    await web.context.clear_cookies(name="_loop_s")
    await page.reload()
    [visitor] = await web.visitors()
    await web.assert_events(["visitor_id", "type"], [[visitor, "visit"]] * 2 + [[visitor, "pageview"]] * 3)


async def test_a_page_that_stays_open_begins_a_session_after_half_an_hour(web: Web) -> None:
    page = await web.tab(without_cookies=True)
    await page.goto(web.shop)
    await web.pass_time(minutes=29)
    await page.evaluate("history.pushState({}, '', '/a')")
    await web.pass_time(minutes=31)
    await page.evaluate("history.pushState({}, '', '/b')")
    await web.assert_events(["type", "path"], [
        ["visit", "/"], ["pageview", "/"], ["pageview", "/a"], ["visit", "/b"], ["pageview", "/b"],
        ["engagement", "/"], ["engagement", "/a"],
    ])  # fmt: skip


async def test_the_cookie_serves_the_whole_domain_and_lasts_thirteen_months(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    visitor, session = sorted(await web.context.cookies(), key=lambda each: each["name"])
    assert (visitor["name"], visitor["domain"], visitor["path"], visitor["sameSite"]) == ("_loop", ".brand.example", "/", "Lax")
    assert (session["name"], session["domain"], session["path"], session["sameSite"]) == ("_loop_s", ".brand.example", "/", "Lax")
    assert visitor["expires"] - time.time() == pytest.approx(396 * 86_400, abs=600)
    assert [visitor["value"]] == await web.visitors()
    await page.goto(web.at("blog.brand.example"))
    await (await web.tab()).goto(web.shop)
    await web.until_stored(4)
    assert len(await web.visitors()) == 1
    assert len(await web.context.cookies()) == 2


async def test_a_cookie_that_is_there_is_not_written_again(web: Web) -> None:
    """So that what the collector has set keeps the life that it gave it."""
    until = int(time.time()) + 86_400
    kept = {"name": "_loop", "value": "0123456789abcdef", "domain": ".brand.example", "path": "/", "expires": until}
    await web.context.add_cookies([kept])  # type: ignore[list-item]
    await (await web.tab()).goto(web.shop)
    await web.assert_events(["visitor_id", "type"], [["0123456789abcdef", "visit"], ["0123456789abcdef", "pageview"]])
    [visitor] = [each for each in await web.context.cookies() if each["name"] == "_loop"]
    assert (visitor["value"], visitor["expires"]) == ("0123456789abcdef", until)


async def test_what_a_page_says_itself(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("closedloop.track('demo_booked', {plan: 'pro'})")
    await page.evaluate("closedloop.identify('Ada@example.com')")
    await page.evaluate("closedloop.identify(7)")
    await page.evaluate("closedloop.identify({email: 'ada@example.com', user_id: 'u7'})")
    await page.evaluate("const round = {}; round.round = round; closedloop.track('impossible', round)")
    await web.until_stored(6)
    await assert_rows(database, tables.events, ["type", "properties"], [
        ["visit", None], ["pageview", None], ["demo_booked", '{"plan":"pro"}'], ["identify", None], ["identify", None], ["identify", None],
    ])  # fmt: skip
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"], ["user_id", "7"], ["user_id", "u7"]])
