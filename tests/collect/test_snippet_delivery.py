"""How the snippet sends, in a real browser: at once what is of one moment, again what did not arrive, and in nobody's way."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page
from starlette.requests import Request
from starlette.responses import JSONResponse

from tests.collect.web import Serving, Web, until_true

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

UNSENT = "JSON.parse(localStorage._loop_q || '[]').map(each => each.type)"


def failing(page: Page) -> Any:
    """What is done within it, the page tries to send and fails."""
    return page.expect_event("requestfailed", lambda request: "/v1/events" in request.url)


# ---------------------------------------------------------------- at once


async def test_what_a_page_said_before_and_after_it_loaded_goes_in_one_request(web: Web) -> None:
    web.before = """<script>
        (window.closedloop = window.closedloop || []).push(["track", "early", {n: 1}]);
        closedloop.push(["identify", "ada@example.com"]);
        addEventListener("DOMContentLoaded", () => closedloop.push(["track", "late", {n: 2}]));
    </script>"""
    await (await web.tab()).goto(web.shop)
    await web.assert_events(["type", "properties", "has_email", "sequence"], [
        ["visit", None, False, 0], ["pageview", None, False, 1], ["early", '{"n":1}', False, 2], ["identify", None, True, 3],
        ["late", '{"n":2}', False, 4],
    ])  # fmt: skip
    assert len(web.sent) == 1


async def test_what_a_page_changes_afterwards_was_said_before(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("const plan = {plan: 'pro'}; closedloop.track('chosen', plan); plan.plan = 'free'")
    await web.until_stored(3)
    await web.assert_events(["type", "properties"], [["visit", None], ["pageview", None], ["chosen", '{"plan":"pro"}']])


async def test_without_beacons_it_fetches(web: Web) -> None:
    await web.context.add_init_script("navigator.sendBeacon = undefined")
    page = await web.tab()
    await page.goto(f"{web.shop}/demo")
    await page.click("button")
    await page.wait_for_url("**/thanks**")
    await web.assert_events(["type"], [["visit"], ["pageview"], ["form_submit"], ["pageview"]])


# ---------------------------------------------------------------- again


async def test_a_collector_that_is_down_for_a_while(web: Web) -> None:
    page = await web.tab(is_watched=False)
    await page.goto(f"{web.shop}/demo")
    await web.until_stored(2)
    await web.collector.down()
    async with failing(page):
        await page.evaluate("closedloop.track('during')")
    async with failing(page):
        await page.click("button")
        await page.wait_for_url("**/thanks**")
    await until_true(page, f"{UNSENT}.length == 3")
    assert await page.evaluate(UNSENT) == ["during", "form_submit", "pageview"]
    await web.collector.up()
    await page.goto(f"{web.shop}/prices")
    await web.assert_events(["type", "path"], [
        ["visit", "/demo"], ["pageview", "/demo"], ["during", "/demo"], ["form_submit", "/demo"],
        ["pageview", "/thanks"], ["pageview", "/prices"],
    ])  # fmt: skip
    await until_true(page, f"!{UNSENT}.length")
    await page.goto(web.shop)
    await web.until_stored(7)
    assert len(json.loads(web.sent[-1])["events"]) == 1


async def test_a_collector_that_cannot_store_for_a_while(web: Web) -> None:
    """An application of one page goes on by its next route."""
    page = await web.tab(is_watched=False)
    await page.goto(web.shop)
    await web.until_stored(2)
    service = web.collector.app
    await _serve(web.collector, _unavailable())
    async with page.expect_response(lambda response: response.status == 503):
        await page.evaluate("history.pushState({}, '', '/a')")
    assert await page.evaluate(UNSENT) == ["pageview"]
    await _serve(web.collector, service)
    await page.evaluate("history.pushState({}, '', '/b')")
    await web.assert_events(["type", "path"], [["visit", "/"], ["pageview", "/"], ["pageview", "/a"], ["pageview", "/b"]])


async def test_time_on_a_page_is_sent_once(web: Web) -> None:
    """A page that is left never hears whether it arrived, and to send it again with each next page would be half as much again."""
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    await web.pass_time(seconds=5)
    await page.goto(f"{web.shop}/prices")
    await web.assert_events(["type", "path"], [["visit", "/"], ["pageview", "/"], ["engagement", "/"], ["pageview", "/prices"]])
    assert "engagement" not in web.sent[-1]


async def test_what_is_kept_has_its_bounds(web: Web) -> None:
    page = await web.tab(is_watched=False)
    await page.goto(web.shop)
    await web.until_stored(2)
    await until_true(page, f"!{UNSENT}.length")
    await web.collector.down()
    async with failing(page):
        await page.evaluate("for (let n = 0; n < 60; n++) closedloop.track('n' + n)")
    assert await page.evaluate(UNSENT) == [f"n{n}" for n in range(10, 60)]

    def kept(name: str, days: int) -> dict[str, Any]:
        return {"id": name, "type": name, "visitor_id": "v1", "occurred_at": (web.now - timedelta(days=days)).isoformat()}

    await page.evaluate("kept => localStorage._loop_q = JSON.stringify(kept)", [kept("old", 8), kept("young", 6)])
    await web.collector.up()
    await page.reload()
    await web.assert_events(["type"], [["visit"], ["pageview"], ["young"], ["pageview"]])


async def test_what_others_wrote_in_its_place_harms_nothing(web: Web) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await web.until_stored(2)
    for nonsense in ("{", "null", "7", '{"a": 1}'):
        await page.evaluate("nonsense => localStorage._loop_q = nonsense", nonsense)
        await page.reload()
    await web.until_stored(6)


def _unavailable() -> FastAPI:
    app = FastAPI()

    @app.post("/{path:path}")
    async def refuse(request: Request) -> JSONResponse:
        readable = {"Access-Control-Allow-Origin": request.headers["origin"], "Access-Control-Allow-Credentials": "true"}
        return JSONResponse({}, 503, readable)

    return app


async def _serve(collector: Serving, app: Any) -> None:
    await collector.down()
    collector.app = app
    await collector.up()


# ---------------------------------------------------------------- in nobody's way


async def test_it_keeps_no_page_waiting(browser: Browser, web: Web) -> None:
    """A long task is one of 50 ms. What a trace says of the script is its time on the processor, whatever else the machine does."""
    page = await web.tab()
    await browser.start_tracing(page=page, categories=["devtools.timeline", "v8.execute"])
    await page.goto(f"{web.shop}/demo")
    for place in range(20):
        await page.mouse.move(place, place)
    await page.evaluate("history.pushState({}, '', '/a'); closedloop.track('read')")
    await page.click("button")
    await page.wait_for_url("**/thanks**")
    trace = json.loads(await browser.stop_tracing())
    await web.until_stored(6)
    ours = [each for each in trace["traceEvents"] if "/loop.js" in json.dumps(each.get("args", {})) and "tdur" in each]
    assert {"EvaluateScript", "FunctionCall"} <= {each["name"] for each in ours}
    assert max(each["tdur"] for each in ours) < 50_000, "microseconds"


async def test_a_page_that_breaks_what_it_needs_is_not_broken(web: Web) -> None:
    for broken in (
        "window.fetch = undefined; navigator.sendBeacon = () => { throw new Error('no') }",
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})",
        "crypto.getRandomValues = undefined",
        "window.closedloop = 7",
        "history.pushState = undefined",
        "window.URL = undefined",
    ):
        page = await web.tab()
        await page.add_init_script(broken)
        await page.goto(f"{web.shop}/demo")
        await page.evaluate("window.closedloop && closedloop.push && closedloop.push(['track', 'x'])")
        await page.evaluate("window.closedloop && closedloop.push && closedloop.push(['nothing'], null)")
        await page.click("button")
        await page.wait_for_url("**/thanks**")
    assert web.errors == []
