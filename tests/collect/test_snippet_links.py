"""Links between a site's own domains, in a real browser: whoever follows one stays who they are, and nobody else becomes them."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from app.collect import links
from app.collect.snippet import script
from tests.collect.web import PAGES, Web, until_true
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

SHOWN = ["visitor_id", "type", "url", "has_internal_referrer"]
ANOTHER_BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"


@pytest.fixture
async def other(web: Web, monkeypatch: pytest.MonkeyPatch) -> str:
    """The origin of the site's other domain, to which each page has a link."""
    there = web.at("shop.other.example")
    link = f'<a id="there" href="{there}/prices?a=1#part"><b>There</b></a><a id="near" href="{web.at("blog.brand.example")}/">Near</a>'
    monkeypatch.setitem(PAGES, "", f"<title>Home</title>{link}")
    web.before = f"""<script defer src="{web.origin}/loop-links.js" data-key="{WRITE_KEY}" data-domains="brand.example, other.example"
        crossorigin="anonymous" integrity="{script("-links").integrity}"></script>"""
    return there


async def point(page: Page) -> None:
    """Point at the link, and wait until the page has its token."""
    async with page.expect_event("requestfinished", lambda request: "/v1/links?" in request.url):
        await page.hover("#there")
    await page.evaluate("new Promise(done => setTimeout(done, 50))")


async def follow(page: Page) -> str:
    """Point at the link, follow it, and answer the address as it was asked for."""
    await point(page)
    async with page.expect_request(lambda request: request.is_navigation_request()) as asked:
        await page.click("#there")
    await page.wait_for_load_state()
    return (await asked.value).url


async def test_a_visitor_who_follows_a_link_to_another_domain_is_the_same(web: Web, other: str) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    address = await follow(page)
    assert "&_loop=" in address
    assert page.url == f"{other}/prices?a=1#part"
    await web.until_stored(4)
    [visitor] = await web.visitors()
    await web.assert_events(SHOWN, [
        [visitor, "visit", f"{web.shop}/", False], [visitor, "pageview", f"{web.shop}/", False],
        [visitor, "visit", f"{other}/prices?a=1", False], [visitor, "pageview", f"{other}/prices?a=1", False],
    ])  # fmt: skip
    await page.goto(f"{other}/demo")
    await web.until_stored(5)
    assert await web.visitors() == [visitor]
    assert {each["value"] for each in await web.context.cookies() if each["name"] == "_loop"} == {visitor}


async def test_only_links_to_other_domains_of_the_site_carry_anybody(web: Web, other: str) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/links" in request.url else None)
    await page.hover("#near")
    await page.click("#near")
    await page.wait_for_url(f"{web.at('blog.brand.example')}/")
    await web.until_stored(3)
    assert asked == []
    assert len(await web.visitors()) == 1


async def test_a_link_that_was_shared_makes_two_people(web: Web, other: str, browser: Browser) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    address = await follow(page)
    await web.until_stored(4)
    [visitor] = await web.visitors()
    context = await browser.new_context(user_agent=ANOTHER_BROWSER)
    somebody = await context.new_page()
    await somebody.goto(address)
    await web.until_stored(6)
    assert somebody.url == f"{other}/prices?a=1"
    first, second = await web.visitors()
    assert first == visitor
    assert [each["value"] for each in await context.cookies() if each["name"] == "_loop"] == [second]
    await context.close()


async def test_a_link_that_is_followed_too_late_makes_two_people(web: Web, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "SECONDS", 0)
    page = await web.tab(is_watched=False)
    await page.goto(web.shop)
    await follow(page)
    await web.until_stored(4)
    assert len(await web.visitors()) == 2


async def test_what_is_copied_later_has_no_token(web: Web, other: str) -> None:
    page = await web.tab()
    await page.goto(web.shop)
    await page.evaluate("document.getElementById('there').addEventListener('click', event => event.preventDefault())")
    await point(page)
    href = "document.getElementById('there').href"
    assert "_loop=" in await page.evaluate(f"(document.getElementById('there').click(), {href})")
    await until_true(page, f"{href} == '{other}/prices?a=1#part'")


async def test_whoever_has_not_consented_is_carried_nowhere(web: Web, other: str) -> None:
    web.attributes = 'data-consent="opt-in"'
    page = await web.tab()
    await page.goto(web.shop)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/links" in request.url else None)
    await page.hover("#there")
    await page.click("#there")
    await page.wait_for_url(f"{other}/prices?a=1#part")
    await page.evaluate("closedloop.consent(true)")
    await web.assert_events(["type", "url"], [["visit", f"{other}/prices?a=1"], ["pageview", f"{other}/prices?a=1"]])
    assert asked == []


async def test_a_collector_that_does_not_answer_holds_events_for_two_seconds(web: Web, other: str) -> None:
    await web.context.route("**/v1/links/**", lambda route: None)
    page = await web.tab()
    await page.goto(web.shop)
    await follow(page)
    await web.until_stored(4)
    assert len(await web.visitors()) == 2
