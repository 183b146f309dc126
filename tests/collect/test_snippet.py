"""How the scripts of pages are made and served. What they do in a browser is in the other files of that name."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from app.collect.minified import minified, sources, target
from app.collect.snippet import SCRIPTS, path_of, script
from app.main import create_app
from app.settings import Settings
from tests.collect.web import A_PERSONS_BROWSER
from tests.world import WRITE_KEY

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


def test_it_is_at_most_two_kilobytes() -> None:
    assert len(script().gzipped) <= 2_048


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_what_is_served_is_the_source_made_small(source: Path) -> None:
    assert target(source).read_text(encoding="utf-8") == minified(source), "`make scripts` writes it anew"


def test_each_script_has_a_source() -> None:
    assert {f"loop{suffix.replace('-', '_')}.js" for suffix in SCRIPTS} == {source.name for source in sources()}


@pytest.mark.parametrize("suffix", SCRIPTS)
def test_it_evaluates_no_text_and_writes_no_style(suffix: str) -> None:
    """So that a page with a strict Content-Security-Policy can have it."""
    text = script(suffix).plain.decode()
    assert [word for word in ("eval", "Function(", "innerHTML", "document.write", ".style", "import(") if word in text] == []


@pytest.mark.parametrize("suffix", SCRIPTS)
async def test_any_page_may_load_it(client: httpx.AsyncClient, suffix: str) -> None:
    answer = await client.get(f"/loop{suffix}.js", headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.content == script(suffix).plain
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age=3600" in answer.headers["cache-control"]
    assert "content-encoding" not in answer.headers


async def test_it_comes_gzipped_to_whom_reads_that(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/loop.js", headers={"Accept-Encoding": "gzip, br"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) <= 2_048
    assert gzip.decompress(raw) == script().plain
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_who_has_it_gets_no_copy(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/loop.js")).headers["etag"]
    again = await client.get("/loop.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    changed = await client.get("/loop.js", headers={"If-None-Match": 'W/"another"'})
    assert changed.status_code == 200


# ---------------------------------------------------------------- other names


def test_companions_stand_beside_the_snippet() -> None:
    assert (path_of("", "/js/a.js"), path_of("-links", "/js/a.js")) == ("/js/a.js", "/js/a-links.js")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_scripts_and_doors_have_the_names_that_are_wanted_too(settings: Settings, client: httpx.AsyncClient) -> None:
    assert (await client.get("/js/shop.js")).status_code == 404
    app = create_app(settings.model_copy(update={"snippet_path": "/js/shop.js", "collect_path": "/c/e"}), run_pipeline=False)
    event = {"type": "visit", "visitor_id": "v1", "url": "https://www.brand.example/"}
    person = {"User-Agent": A_PERSONS_BROWSER}
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://c.example") as other:
        for path in ("/loop.js", "/js/shop.js"):
            assert (await other.get(path)).content == script().plain
        assert (await other.get("/js/shop-links.js")).content == script("-links").plain
        for path in ("/v1/events", "/c/e"):
            assert (await other.post(path, params={"key": WRITE_KEY}, json=event, headers=person)).json()["accepted"] == 1
        token = (await other.post("/c/e/links", params={"key": WRITE_KEY}, json={"visitor_id": "0123456789abcdef"})).json()["token"]
        assert (await other.get(f"/c/e/links/{token}", params={"key": WRITE_KEY})).json() == {"visitor_id": "0123456789abcdef"}
        assert (await other.options("/c/e")).status_code == 204


@pytest.mark.parametrize("path", ["loop.js", "/a b.js", "/../a.js", "/a/.js", "/{x}.js", "/loop", "https://a.example/loop.js", "/a.js\n"])
def test_a_name_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="snippet_path"):
        Settings(_env_file=None, snippet_path=path)


# ---------------------------------------------------------------- the hash


def test_the_hash_is_that_of_what_is_served() -> None:
    found = script()
    assert found.integrity == "sha384-" + base64.b64encode(hashlib.sha384(found.plain).digest()).decode()


def test_the_readme_shows_each_script_with_its_hash() -> None:
    shown = dict(re.findall(r'src="https://loop\.example\.com(/\S+?)"\s+integrity="(\S+?)"', (ROOT / "README.md").read_text()))
    assert shown == {path_of(suffix, "/loop.js"): script(suffix).integrity for suffix in SCRIPTS}


# ---------------------------------------------------------------- what a page may read


async def test_a_page_may_read_the_answer_to_what_it_sends_with_its_cookies(client: httpx.AsyncClient) -> None:
    event = {"type": "pageview", "visitor_id": "v1", "url": "https://www.brand.example/"}
    asked = {"params": {"key": WRITE_KEY}, "json": event}
    answer = await client.post("/v1/events", **asked, headers={"Origin": "https://www.brand.example"})
    assert answer.headers["access-control-allow-origin"] == "https://www.brand.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    answer = await client.post("/v1/events", **asked)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    refused = await client.post("/v1/events", json=event, params={"key": "nobodys"}, headers={"Origin": "https://a.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://a.example")
