"""Real SDKs against the service as it runs: on a free port, behind a relay that can lose an answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Page, async_playwright
from sqlalchemy import func, select
from starlette.responses import FileResponse, HTMLResponse

from app import tables
from app.db import Database
from tests.world import WRITE_KEY

FOLDER = Path(__file__).parent
_SECONDS = 60
_ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * 127.0.0.1"]
_A_PERSONS_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
_PAGE = """<!doctype html><html><head><title>Home</title><link rel="canonical" href="{canonical}"></head><body>
<script src="/analytics.js"></script><script>{load}</script></body></html>"""
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

"""An answer that says only that something failed."""


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
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
class Relay:
    """Stands before the service. What it loses, the service has stored: only its answer does not come back."""

    service: int
    port: int = 0
    lose: int = 0
    """How many answers are still to be lost."""
    instead: bytes = b""
    """What is answered in their place; nothing: the connection ends."""
    answers: int = 0
    """How often the service took something, lost answers included."""
    connections: list[tuple[Any, asyncio.StreamWriter]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address for an SDK on this machine."""
        return f"http://127.0.0.1:{self.port}"

    async def until_taken(self, times: int) -> None:
        """Wait until the service has taken something so often."""
        deadline = time.monotonic() + _SECONDS
        while self.answers < times:
            assert time.monotonic() < deadline, f"{self.answers} times, not {times}"
            await asyncio.sleep(0.05)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        upstream, downstream = await asyncio.open_connection("127.0.0.1", self.service)
        self.connections.append((asyncio.current_task(), downstream))
        asked: list[bytes] = []
        asking = asyncio.create_task(_copy(reader, downstream, asked))
        try:
            await self._answer(upstream, writer, asked)
        finally:
            asking.cancel()
            for each in (writer, downstream):
                each.close()
                with contextlib.suppress(ConnectionError):
                    await each.wait_closed()

    async def _answer(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bytes]) -> None:
        with contextlib.suppress(ConnectionError):
            while answer := await upstream.read(65_536):
                is_stored = asked[-1] == b"POST" and answer.startswith(b"HTTP/1.1 200")
                self.answers += is_stored
                if self.lose and is_stored:
                    self.lose -= 1
                    writer.write(self.instead)
                    return
                writer.write(answer)
                await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bytes]) -> None:
    with contextlib.suppress(ConnectionError):
        while sent := await reader.read(65_536):
            method = sent.partition(b" ")[0]
            if method in {b"GET", b"POST", b"OPTIONS"}:
                asked.append(method)
            writer.write(sent)
            await writer.drain()


@pytest.fixture
async def relay(application: FastAPI) -> AsyncIterator[Relay]:
    """The service on a free port, and a relay before it."""
    async with serving(application) as port:
        opened = Relay(port)
        server = await asyncio.start_server(opened.connected, "127.0.0.1", 0)
        opened.port = server.sockets[0].getsockname()[1]
        yield opened
        server.close()
        for _, downstream in opened.connections:
            downstream.close()
        await asyncio.gather(*(task for task, _ in opened.connections), return_exceptions=True)


@pytest.fixture(scope="session")
def node() -> str:
    """Path of Node, with the SDKs installed. Skips where something of it is missing, or fails if CLOSEDLOOP_REQUIRE_NODE is set."""
    path = shutil.which("node")
    missing = "" if path else "There is no Node here"
    if path and not (FOLDER / "node_modules" / ".package-lock.json").exists():
        missing = "The SDKs are not installed: `make sdks`"
    if missing and os.environ.get("CLOSEDLOOP_REQUIRE_NODE"):
        pytest.fail(f"{missing}, and CLOSEDLOOP_REQUIRE_NODE is set.")
    if missing:
        pytest.skip(missing)
    return str(path)


# ---------------------------------------------------------------- in a browser


@dataclass
class Shop:
    """A site with an SDK on it, and a window on it."""

    page: Page
    relay: Relay
    database: Database
    origin: str
    key: str = WRITE_KEY
    bundle: Path = FOLDER
    """The SDK, a script."""
    load: str = ""
    """What the page says to it; `{key}` and `{service}` are filled in."""

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
            return FileResponse(opened.bundle)

        @pages.get("/{path:path}")
        async def html(path: str) -> HTMLResponse:
            service = f"http://loop.vendor.example:{relay.port}"
            load = opened.load.format(key=opened.key, service=service)
            return HTMLResponse(_PAGE.format(load=load, canonical=f"{opened.origin}/{path}"))

        yield opened
        await browser.close()


# ---------------------------------------------------------------- on a server


async def run(*command: str) -> str:
    """What a program prints, which must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    assert process.returncode == 0, printed.decode()
    return printed.decode()
