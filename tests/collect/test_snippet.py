"""How the snippet is served. What it does in a browser is in `test_snippet_in_a_browser.py`."""

from __future__ import annotations

import gzip

import httpx
import pytest

from app.collect.snippet import snippet

pytestmark = pytest.mark.anyio


def test_it_is_at_most_two_kilobytes() -> None:
    assert len(snippet().gzipped) <= 2_048


def test_it_evaluates_no_text_and_writes_no_style() -> None:
    """So that a page with a strict Content-Security-Policy can have it."""
    script = snippet().plain.decode()
    assert [word for word in ("eval", "Function(", "innerHTML", "document.write", ".style", "import(") if word in script] == []


async def test_any_page_may_load_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/loop.js", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.text == snippet().plain.decode()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age=3600" in answer.headers["cache-control"]
    assert "content-encoding" not in answer.headers


async def test_it_comes_gzipped_to_whom_reads_that(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/loop.js", headers={"Accept-Encoding": "gzip, br"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == snippet().plain
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_who_has_it_gets_no_copy(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/loop.js")).headers["etag"]
    again = await client.get("/loop.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    changed = await client.get("/loop.js", headers={"If-None-Match": 'W/"another"'})
    assert changed.status_code == 200
