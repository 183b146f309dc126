"""The examples under docs/examples are run as they stand, against the service on a port: what is stored is just this."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.db import Database
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
ANN = "a" * 32
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Cookie": f"_loop={ANN}"}


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def collector(application: FastAPI) -> AsyncIterator[str]:
    """Address of the service."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(uvicorn.Config(application, lifespan="off", log_config=None, ws="none"))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await running


class _Page(HTMLParser):
    """A page as a browser without scripts reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.action = self.image = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "input":
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "img":
            self.image = given["src"]


@one_database
async def test_a_plain_form_and_its_pixel(collector: str, client: httpx.AsyncClient, database: Database) -> None:
    admin = {"Authorization": f"Bearer {SECRET_KEY}"}
    assert (await client.patch("/v1/sites/default", json={"form_fields": ["company"]}, headers=admin)).status_code == 200
    html = (EXAMPLES / "form.html").read_text().replace("https://loop.example.com", collector).replace("WRITE_KEY", WRITE_KEY)
    page, seen_at = _Page(html), "https://www.example.com/demo?utm_source=news"
    headers = {**BROWSER, "Referer": seen_at, "Origin": "https://www.example.com"}
    async with httpx.AsyncClient(headers=headers) as browser:
        image = await browser.get(page.image)
        answer = await browser.post(page.action, data={**page.fields, "email": "ada@example.com", "company": "Initech"})
    assert (image.headers["Content-Type"], "Closedloop-Refused" in image.headers) == ("image/gif", False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://www.example.com/thanks")

    rows = [["pageview", ANN, seen_at, None], ["form_submit", ANN, seen_at, '{"company":"Initech"}']]
    await assert_rows(database, tables.events, ["type", "visitor_id", "url", "properties"], rows)
    await assert_rows(database, tables.contacts, ["value"], [["ada@example.com"]])


@one_database
async def test_curl(collector: str, database: Database) -> None:
    if not shutil.which("curl"):
        pytest.skip("There is no curl here.")
    given = {**os.environ, "COLLECTOR": collector, "SECRET_KEY": SECRET_KEY, "VISITOR": ANN}
    done = await asyncio.create_subprocess_exec("sh", str(EXAMPLES / "send.sh"), env=given, stdout=asyncio.subprocess.PIPE)
    told, _ = await done.communicate()
    assert done.returncode == 0
    assert told.decode().count('"rejected": []') == 2

    async with database.read() as connection:
        found = (await connection.execute(select(tables.events.c.type, tables.events.c.visitor_id, tables.events.c.path))).all()
    assert sorted((row.type, row.visitor_id.partition("_")[0], row.path) for row in found) == [
        ("form_submit", ANN, "/demo"), ("form_submit", "~p", ""), ("pageview", ANN, "/demo"),
    ]  # fmt: skip
    await assert_rows(database, tables.contacts, ["value"], [["ada@example.com"], ["+493012345678"]])


@one_database
async def test_fastapi(collector: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECTOR", collector)
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    spec = importlib.util.spec_from_file_location("fastapi_site", EXAMPLES / "fastapi_site.py")
    site = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(site)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="https://www.example.com") as browser:
        form = _Page((await browser.get("/demo?utm_source=news", headers={**BROWSER, "Referer": "https://mail.example.com/"})).text)
        sent = {**form.fields, "email": "ada@example.com"}
        assert (await browser.post("/demo", data=sent, headers=BROWSER)).headers["Location"] == "/thanks"
        for refusing in ({"Cookie": f"_loop={ANN}; closedloop_opt_out=1"}, {"Sec-GPC": "1"}):
            assert (await browser.post("/demo", data=sent, headers={**BROWSER, **refusing})).status_code == 303
        await browser.get("/demo", headers={"User-Agent": BROWSER["User-Agent"]})

    rows = [
        ["pageview", ANN, "https://www.example.com/demo?utm_source=news", "https://mail.example.com/"],
        ["form_submit", ANN, "https://www.example.com/demo", None],
    ]
    await assert_rows(database, tables.events, ["type", "visitor_id", "url", "referrer"], rows)
    await assert_rows(database, tables.contacts, ["value"], [["ada@example.com"]])


@one_database
async def test_django(collector: str, database: Database) -> None:
    serve = (
        "from wsgiref.simple_server import make_server; import django_site; "
        "s = make_server('127.0.0.1', 0, django_site.application); print(s.server_port, flush=True); s.serve_forever()"
    )
    given = {**os.environ, "COLLECTOR": collector, "SECRET_KEY": SECRET_KEY, "PYTHONDONTWRITEBYTECODE": "1"}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", serve, cwd=EXAMPLES, env=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        site = f"http://127.0.0.1:{int(await running.stdout.readline())}/demo"
        async with httpx.AsyncClient(headers={"User-Agent": BROWSER["User-Agent"]}, cookies={"_loop": ANN}) as browser:
            form = _Page((await browser.get(site)).text)
            answer = await browser.post(site, data={**form.fields, "email": "ada@example.com"}, headers={"Referer": f"{site}?utm_source=news"})
            assert urljoin(site, answer.headers["Location"]) == site.replace("demo", "thanks")
            refused = await browser.post(site, data={**form.fields, "email": "ben@example.com"}, headers={"Sec-GPC": "1"})
            assert refused.status_code == 302
    finally:
        running.terminate()
        await running.wait()

    await assert_rows(
        database, tables.events, ["type", "visitor_id", "url", "is_trusted"], [["form_submit", ANN, site, True]]
    )
    await assert_rows(database, tables.contacts, ["value"], [["ada@example.com"]])


def test_the_documentation_names_every_example() -> None:
    text = (DOCS / "without-javascript.md").read_text()
    examples = [path.name for path in EXAMPLES.iterdir() if path.is_file()]
    assert [name for name in examples if f"(examples/{name})" not in text] == []
    assert len(examples) >= 4
