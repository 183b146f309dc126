"""Forms in a real browser: what of them is sent, what never is, and how the visitor's ID gets into them."""

from __future__ import annotations

import pytest

from app import tables
from app.db import Database
from tests.collect.web import PAGES, Web
from tests.rows import assert_rows
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

MANY_FIELDS = """<title>Many</title><form id="many" onsubmit="return false">
    <input name="company" value="Analytical Engines"><select name="size"><option>1-9</option><option selected>10-99</option></select>
    <textarea name="message">Hello</textarea><input type="number" name="seats" value="20">
    <input type="radio" name="plan" value="free"><input type="radio" name="plan" value="pro" checked>
    <input type="checkbox" name="terms" value="yes" checked><input type="checkbox" name="news" value="yes">
    <input name="private" value="not asked for"><input type="password" name="secret" value="hunter2">
    <input type="hidden" name="token" value="csrf"><input name="holder" autocomplete="cc-name" value="Ada L">
    <input name="card" value="4111 1111-1111 1111"><input name="code" autocomplete="one-time-code" value="123456">
    <input name="repeated" autocomplete="new-password" value="hunter2"><input type="hidden" name="email" value="sales@brand.example">
    <input name="email" value="ada@example.com"><button>Send</button></form>"""
ASKED_FOR = "company,size,message,seats,plan,terms,news,secret,token,holder,card,code,repeated,absent"


async def test_of_a_form_only_its_name_and_email_leave_the_page(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(f"{web.shop}/forms")
    for number in "1234":
        await page.get_by_role("button", name=number).click()
    await web.until_stored(6)
    names = [["by-name", "/forms"], ["by-attribute", "/forms"], ["log-in", "/forms"], ["", "/forms"]]
    await assert_rows(database, tables.forms, ["name", "path"], names)
    await assert_rows(database, tables.contacts, ["value"], [["bob@example.com"], ["eve@example.com"]])
    await assert_rows(database, tables.quarantine, ["body"], [])
    assert not any("secret" in each or "what@ever" in each for each in web.sent)


async def test_fields_that_a_site_asks_for_and_no_secret_among_them(web: Web, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGES, "many", MANY_FIELDS)
    web.attributes = f'data-form-fields="{ASKED_FOR}"'
    page = await web.tab()
    await page.goto(f"{web.shop}/many")
    await page.click("button")
    sent = '{"company":"Analytical Engines","size":"10-99","message":"Hello","seats":"20","plan":"pro","terms":"yes"}'
    await web.assert_events(["type", "properties"], [["visit", None], ["pageview", None], ["form_submit", sent]])
    await assert_rows(database, tables.contacts, ["value"], [["ada@example.com"]])
    secrets = ("not asked for", "hunter2", "csrf", "Ada L", "1111", "123456", "sales@")
    assert [secret for secret in secrets if any(secret in each for each in web.sent)] == []


async def test_a_form_that_leaves_the_page_at_once_takes_the_visitor_along(web: Web, database: Database) -> None:
    page = await web.tab()
    await page.goto(f"{web.shop}/demo")
    await page.click("button")
    await page.wait_for_url("**/thanks**")
    await web.assert_events(["type", "path", "has_email"], [
        ["visit", "/demo", False], ["pageview", "/demo", False], ["form_submit", "/demo", True], ["pageview", "/thanks", False],
    ])  # fmt: skip
    [visitor] = await web.visitors()
    assert f"closedloop_visitor_id={visitor}" in page.url
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"]])


async def test_a_field_that_is_added_later_has_the_visitor_too(web: Web) -> None:
    page = await web.tab()
    await page.goto(f"{web.shop}/late")
    await page.evaluate("add()")
    await page.click("button")
    await page.wait_for_url("**/thanks**")
    await web.until_stored(4)
    [visitor] = await web.visitors()
    assert f"closedloop_visitor_id={visitor}" in page.url


async def test_whoever_opts_out_stands_in_no_form_any_more(web: Web) -> None:
    page = await web.tab()
    await page.goto(f"{web.shop}/demo")
    field = page.locator("[name=closedloop_visitor_id]")
    assert await field.input_value() == await page.evaluate("closedloop.visitor()") != ""
    await page.evaluate("closedloop.consent(false)")
    assert await field.input_value() == ""


async def test_a_form_whose_name_is_empty_is_not_counted_but_knows_the_visitor(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that goes to the collector's own door, which counts it."""
    monkeypatch.setitem(PAGES, "ours", _form(web, 'data-loop-form=""'))
    page = await web.tab()
    await page.goto(f"{web.shop}/ours")
    await page.click("button")
    await page.wait_for_url("**/thanks")
    [visitor] = await web.visitors()
    await web.assert_events(["visitor_id", "type", "path"], [
        [visitor, "visit", "/ours"], [visitor, "pageview", "/ours"], [visitor, "form_submit", "/ours"], [visitor, "pageview", "/thanks"],
    ])  # fmt: skip


async def test_where_scripts_are_blocked_the_collectors_own_door_takes_the_form(
    web: Web, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PAGES, "ours", _form(web, 'name="x"'))
    await web.context.route("**/loop.js", lambda route: route.abort())
    page = await web.tab(is_watched=False)
    await page.goto(f"{web.shop}/ours")
    await page.click("button")
    await page.wait_for_url("**/thanks")
    await web.assert_events(["type", "path", "has_email"], [["form_submit", "/ours", True]])
    await assert_rows(database, tables.forms, ["name", "path"], [["demo", "/ours"]])
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@example.com"]])


def _form(web: Web, attributes: str) -> str:
    return f"""<title>Ours</title><meta name="referrer" content="no-referrer-when-downgrade">
        <form method="post" action="{web.origin}/v1/forms/demo?key={WRITE_KEY}" {attributes}>
          <input type="email" name="email" value="ada@example.com"><input type="hidden" name="closedloop_visitor_id">
          <input type="hidden" name="redirect" value="{web.shop}/thanks"><button>Send</button></form>"""
