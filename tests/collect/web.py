"""A small web for the snippet's tests: a shop of several pages, another domain of it, and others' sites, beside the collector as it runs.

Every host name leads to this machine. The clock of the browser stands still unless a test moves it, so that the time for
which a page was seen is known exactly.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI
from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError
from sqlalchemy import Select, func, select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app import tables
from app.db import Database
from tests.rows import assert_rows
from tests.world import WRITE_KEY

A_PERSONS_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_SECONDS = 20
# What Chromium does where a person blocks the cookies of a site. (Its own switch for tools reaches a page now and then too late.)
_BLOCKED = """
    Object.defineProperty(Document.prototype, "cookie", {get: () => "", set() {}});
    Object.defineProperty(window, "localStorage", {get() { throw new DOMException("Access is denied for this document.", "SecurityError"); }});
"""

PAGES = {
    "": '<title>Home</title><a id="demo" href="/demo">Demo</a><a id="faq" href="#faq">FAQ</a>',
    "prices": '<title>Prices</title><a id="home" href="/">Home</a>',
    "demo": """<title>Demo</title>
        <form id="f" action="/thanks">
          <input name="name" value="Ada"><input name="id" value="7"><input type="hidden" name="email_to" value="sales@brand.example">
          <input type="hidden" name="closedloop_visitor_id">
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
    "late": """<title>Late</title><form id="later" action="/thanks"><button>Send</button></form><script>
        function add() { document.forms[0].insertAdjacentHTML("afterbegin", '<input type="hidden" name="closedloop_visitor_id">') }</script>""",
}


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Serving:
    """An application on a port of its own, which can go down and come back."""

    app: Any
    port: int = 0
    _server: _Server | None = None
    _running: asyncio.Task[None] | None = None

    async def up(self) -> None:
        """Listen, on the same port as before."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._server = _Server(uvicorn.Config(self.app, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=1))
        self._running = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def down(self) -> None:
        """Refuse connections."""
        if self._server is not None and self._running is not None:
            self._server.should_exit = True
            await self._running
            self._server = None


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Serving]:
    """Serve on a free port."""
    server = Serving(app)
    await server.up()
    try:
        yield server
    finally:
        await server.down()


@dataclass
class Web:
    """A browser's window on these sites, what it asked the collector, and what went wrong on their pages."""

    context: BrowserContext
    database: Database
    collector: Serving
    pages: int
    """Their port."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    """What the browser's clock shows."""
    attributes: str = ""
    """Of the snippet's tag, beside the usual."""
    before: str = ""
    """What stands before it."""
    errors: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    """Bodies of what came to `/v1/events`."""

    @property
    def origin(self) -> str:
        """Of the collector."""
        return f"http://loop.vendor.example:{self.collector.port}"

    @property
    def shop(self) -> str:
        return self.at("www.brand.example")

    @property
    def news(self) -> str:
        return self.at("news.example")

    def at(self, host: str) -> str:
        """The origin of another of the sites."""
        return f"http://{host}:{self.pages}"

    async def tab(self, *, is_watched: bool = True, without_cookies: bool = False) -> Page:
        """A new one, in which anything that goes wrong is an error, where it is watched. `without_cookies`: they are blocked."""
        page = await self.context.new_page()
        if without_cookies:
            await page.add_init_script(_BLOCKED)
        if is_watched:
            page.on("pageerror", lambda error: self.errors.append(str(error)))
            page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        return page

    async def pass_time(self, **of: float) -> None:
        """Let the browser's clock go on: `seconds=`, `minutes=`."""
        self.now += timedelta(**of)
        await self.context.clock.set_fixed_time(self.now)

    async def until_stored(self, count: int) -> None:
        """Wait for so many events."""

        async def stored() -> bool:
            return await self.count() == count

        assert await until(stored), f"{await self.count()} events, not {count}, of {self.sent}"
        assert self.errors == []

    async def count(self) -> int:
        """Events that are stored."""
        async with self.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(tables.events)) or 0

    async def visitors(self) -> list[str]:
        """Each visitor of whom there is an event, as it appeared."""
        event = tables.events.c
        async with self.database.read() as connection:
            return list(await connection.scalars(select(event.visitor_id).group_by(event.visitor_id).order_by(func.min(event.received_at))))

    async def assert_events(self, columns: list[str], rows: list[list[Any]], *, of: Select[Any] | None = None) -> None:
        """These are stored, and no others."""
        await self.until_stored(len(rows) if of is None else await self.count())
        await assert_rows(self.database, tables.events if of is None else of, columns, rows)

    async def until_dropped(self, **wanted: int) -> None:
        """Wait for so many events to be dropped, by reason; and for no others."""
        found: dict[str, int] = {}

        async def dropped() -> bool:
            async with self.database.read() as connection:
                row = tables.drops.c
                found.update({name: int(count) for name, count in await connection.execute(select(row.reason, row.count))})
            return found == wanted

        assert await until(dropped), found

    async def cookies(self) -> dict[str, str]:
        """Those of the shop, by name."""
        return {each["name"]: each["value"] for each in await self.context.cookies(self.shop)}


async def until_true(page: Page, expression: str) -> None:
    """Wait until it is true in the page. (Playwright's own way evaluates text in the page, which its policy forbids.)"""

    async def is_true() -> bool:
        try:
            return bool(await page.evaluate(expression))
        except PlaywrightError:
            return False  # it is on its way to another page

    assert await until(is_true), expression


async def until(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Wait for a condition; false if it never held."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if await holds():
            return True
        await asyncio.sleep(0.02)
    return False


def _overheard(app: Any, sent: list[str]) -> Any:
    """The collector, which writes down what it is sent before anything else becomes of it."""

    async def overhear(scope: Any, receive: Any, send: Any) -> None:
        body = b""

        async def listen() -> Any:
            nonlocal body
            message = await receive()
            if scope.get("path") == "/v1/events" and message["type"] == "http.request":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    sent.append(body.decode())
            return message

        await app(scope, listen, send)

    return overhear


@asynccontextmanager
async def open_web(context: BrowserContext, application: FastAPI, database: Database) -> AsyncIterator[Web]:
    """The collector and the sites."""
    pages = FastAPI()
    sent: list[str] = []
    async with serving(_overheard(application, sent)) as collector, serving(pages) as sites:
        web = Web(context, database, collector, sites.port, sent=sent)
        policy = f"default-src 'none'; script-src {web.origin} 'unsafe-inline'; connect-src {web.origin}; frame-src 'self'"

        @pages.get("/{path:path}")
        async def page(path: str, request: Request) -> HTMLResponse:
            if path == "news":
                return HTMLResponse(f'<title>News</title><a id="ad" href="{web.shop}/?utm_source=news&utm_medium=cpc&utm_campaign=Spring">Ad</a>')
            if path not in PAGES:
                return HTMLResponse(status_code=204)
            snippet = f'<script defer src="{web.origin}/loop.js" data-key="{WRITE_KEY}" {web.attributes}></script>'
            body = PAGES[path].replace("{other}", web.at("www.other.example"))
            html = f"<!doctype html><html><head>{web.before}{snippet}</head><body>{body}</body></html>"
            return HTMLResponse(html, headers={"Content-Security-Policy": policy})

        await web.pass_time()
        yield web


BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",
    # For all: what a page sends when it has gone from the screen does not have the user agent of a context.
    f"--user-agent={A_PERSONS_BROWSER}",
]
