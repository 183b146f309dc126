"""The snippet in a real browser, on pages of another server, against the service as it runs: what is stored is just this."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from sqlalchemy import func, select
from starlette.responses import HTMLResponse

from app import tables
from app.db import Database
from tests.rows import assert_rows
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",
]
_A_PERSONS_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_SECONDS = 20

PAGES = {
    "": '<title>Home</title><a id="demo" href="/demo">Demo</a><a id="faq" href="#faq">FAQ</a>',
    "demo": """<title>Demo</title>
        <form id="f" aria-label="Book a demo" action="/thanks">
          <input name="name" value="Ada"><input name="id" value="7"><input type="hidden" name="email_to" value="sales@brand.example">
          <input type="password" name="email_password" value="a@secret"><input type="email" name="address" value=" Ada@Example.com ">
          <button>Send</button>
        </form>""",
    "thanks": "<title>Thanks</title>",
    "forms": """<title>Forms</title>
        <form name="by-name" id="x" onsubmit="return false"><input name="your_e-mail" value="bob@example.com"><button>1</button></form>
        <form data-loop-form="by-attribute" name="x" onsubmit="return false"><input autocomplete="email" value="eve@example.com"><button>2</button></form>
        <form id="log-in" onsubmit="return false"><input type="password" name="email" value="a@secret"><button>3</button></form>
        <form onsubmit="return false"><input name="q" value="what@ever"><button>4</button></form>""",
    "frame": '<title>Frame</title><iframe sandbox="allow-scripts" src="/thanks"></iframe>',
}
NEWS = '<title>News</title><a id="ad" href="{shop}/?utm_source=news&utm_medium=cpc&utm_campaign=Spring">Ad</a>'


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serving(app: Any) -> AsyncIterator[int]:
    """Serve on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running


@dataclass
class Web:
    """A browser's window on two sites, of which one has the snippet, and what went wrong there."""

    context: BrowserContext
    database: Database
    shop: str
    blog: str
    news: str
    errors: list[str] = field(default_factory=list)

    async def tab(self) -> Page:
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        return page

    async def until_stored(self, count: int) -> None:
        """Wait for so many events."""
        deadline = time.monotonic() + _SECONDS
        found = None
        while found != count:
            assert time.monotonic() < deadline, f"{found} events, not {count}"
            await asyncio.sleep(0.05)
            async with self.database.read() as connection:
                found = await connection.scalar(select(func.count()).select_from(tables.events))
        assert self.errors == []

    async def visitors(self) -> list[str]:
        async with self.database.read() as connection:
            return list(await connection.scalars(select(tables.events.c.visitor_id).distinct()))


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield opened
        await opened.close()


@pytest.fixture
async def web(browser: Browser, application: FastAPI, database: Database) -> AsyncIterator[Web]:
    pages = FastAPI()
    context = await browser.new_context(user_agent=_A_PERSONS_BROWSER)
    async with _serving(application) as service, _serving(pages) as port:
        origin = f"http://loop.vendor.example:{service}"
        snippet = f'<script defer src="{origin}/loop.js" data-key="{WRITE_KEY}"></script>'
        policy = f"default-src 'none'; script-src {origin} 'unsafe-inline'; connect-src {origin}; frame-src 'self'"
        shop = f"http://www.brand.example:{port}"

        @pages.get("/{path:path}")
        async def page(path: str) -> HTMLResponse:
            if path == "news":
                return HTMLResponse(NEWS.format(shop=shop))
            if path not in PAGES:
                return HTMLResponse(status_code=204)
            html = f"<!doctype html><html><head>{snippet}</head><body>{PAGES[path]}</body></html>"
            return HTMLResponse(html, headers={"Content-Security-Policy": policy})

        yield Web(context, database, shop, f"http://blog.brand.example:{port}", f"http://news.example:{port}")
        await context.close()


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


async def test_a_session_ends_after_half_an_hour(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.reload()
    await web.until_stored(3)
    [cookie] = await web.context.cookies()
    visitor, _, minute = cookie["value"].partition(".")
    await web.context.add_cookies([{**cookie, "value": f"{visitor}.{int(minute) - 29}"}])  # type: ignore[typeddict-item]
    await page.reload()
    await web.until_stored(4)
    await web.context.add_cookies([{**cookie, "value": f"{visitor}.{int(minute) - 31}"}])  # type: ignore[typeddict-item]
    await page.reload()
    await web.until_stored(6)
    await assert_rows(database, tables.events, ["visitor_id", "type"], [[visitor, "visit"]] * 2 + [[visitor, "pageview"]] * 4)


async def test_the_cookie_serves_the_whole_domain_and_lasts_thirteen_months(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    [cookie] = await web.context.cookies()
    assert (cookie["name"], cookie["domain"], cookie["path"], cookie["sameSite"]) == ("_loop", ".brand.example", "/", "Lax")
    assert cookie["expires"] - time.time() == pytest.approx(396 * 86_400, abs=600)
    await page.goto(web.blog)
    await (await web.tab()).goto(web.shop)
    await web.until_stored(4)
    assert len(await web.visitors()) == 1
    assert len(await web.context.cookies()) == 1


async def test_of_a_form_only_its_name_and_email_leave_the_page(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(f"{web.shop}/forms")
    for number in "1234":
        await page.get_by_role("button", name=number).click()
    await web.until_stored(6)
    await assert_rows(database, tables.forms, ["name", "path"], [["by-name", "/forms"], ["by-attribute", "/forms"], ["log-in", "/forms"], ["", "/forms"]])
    await assert_rows(database, tables.contacts, ["value"], [["bob@example.com"], ["eve@example.com"]])
    await assert_rows(database, tables.quarantine, ["body"], [])


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


async def test_where_no_cookie_is_allowed_it_does_without(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(f"{web.shop}/frame")
    await web.until_stored(4)
    await assert_rows(database, tables.events, ["type", "path"], [
        ["visit", "/frame"], ["pageview", "/frame"], ["visit", "/thanks"], ["pageview", "/thanks"],
    ])  # fmt: skip
    assert len(await web.visitors()) == 2


async def test_without_beacons_it_fetches(web: Web, database: Database) -> None:
    await web.context.add_init_script("navigator.sendBeacon = undefined")
    page = await web.tab()
    await page.goto(f"{web.shop}/demo")
    await page.click("button")
    await page.wait_for_url("**/thanks**")
    await web.until_stored(4)
    await assert_rows(database, tables.events, ["type"], [["visit"], ["pageview"], ["form_submit"], ["pageview"]])
