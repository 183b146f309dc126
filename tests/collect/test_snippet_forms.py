"""`/loop-forms.js` in a real browser, on a page whose frames stand in for the tools of others, at their real addresses.

The frames' pages are made up by the browser's driver, so their origins are the true ones (https, no port), which is what
counts: nothing in the product is there for the test. The messages are those that each tool documents or is seen to post.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Frame, Page, Route
from sqlalchemy import func, select
from starlette.responses import HTMLResponse

from app import tables
from app.db import Database
from tests.collect.web import A_PERSONS_BROWSER, serving
from tests.crm import test_calendly as calendly
from tests.crm import test_typeform as typeform
from tests.crm.embeds import ADMIN, credit
from tests.rows import assert_rows
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

_SECONDS = 20

GUID = "0e2f9a9c-5b1e-4d6a-9a52-3f6a1c9d7b10"
CALENDLY, TYPEFORM, HUBSPOT = "https://calendly.com/acme/demo", "https://form.typeform.com/to/lT4Z3j", "https://forms-eu1.hsforms.com/form"
MEETINGS = "https://meetings-eu1.hubspot.com/sam"

BOOKED = {
    "event": "calendly.event_scheduled",
    "payload": {
        "event": {"uri": "https://api.calendly.com/scheduled_events/GBGB"},
        "invitee": {"uri": "https://api.calendly.com/scheduled_events/GBGB/invitees/AAAA"},
    },
}
ANSWERED = {"type": "form-submit", "embedId": "e1", "formId": "lT4Z3j", "responseId": "a3a12ec67a1365927098a606107fac15"}
SUBMIT = {"type": "hsFormCallback", "eventName": "onFormSubmit", "id": GUID, "data": [{"name": "email", "value": "Ada@Initech.example"}]}
SUBMITTED = {"type": "hsFormCallback", "eventName": "onFormSubmitted", "id": GUID, "data": {"redirectUrl": ""}}
MET = {"meetingBookSucceeded": True, "meetingsPayload": {"bookingResponse": {"postResponse": {"contact": {"email": "eve@initech.example"}}}}}


@dataclass
class Web:
    """A browser's window on a site whose page the test writes, and what went wrong there."""

    context: BrowserContext
    database: Database
    service: str
    site: str
    html: str = ""
    snippet: str = ""
    forms: str = ""
    """Attributes of the two script tags."""
    errors: list[str] = field(default_factory=list)

    async def open(self, html: str, path: str = "/contact") -> Page:
        """The site's page, with the two scripts."""
        scripts = f"""<script defer src="{self.service}/loop.js" data-key="{WRITE_KEY}" {self.snippet}></script>
            <script defer src="{self.service}/loop-forms.js" {self.forms}></script>"""
        self.html = f"<!doctype html><html><head><title>Contact</title>{scripts}</head><body>{html}</body></html>"
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(self.site + path, wait_until="load")
        return page

    async def answer(self, route: Route) -> None:
        """The site and the service answer for themselves; whatever else is asked for is an empty page of some tool."""
        if route.request.url.startswith((self.site, self.service)):
            await route.continue_()
        else:
            await route.fulfill(content_type="text/html", body="<!doctype html><title>Tool</title><script>loadedWith = location.href</script>")

    async def submissions(self, count: int) -> list[list[Any]]:
        """[form, has_email] of each `form_submit`, in order, once there are so many; no error has reached the page."""
        deadline = time.monotonic() + _SECONDS
        event, form = tables.events.c, tables.forms.c
        said = select(form.name, event.has_email).join(tables.forms, form.form_id == event.form_id).order_by(event.occurred_at, event.sequence)
        while True:
            async with self.database.read() as connection:
                found = [list(row) for row in await connection.execute(said)]
            if len(found) >= count or time.monotonic() > deadline:
                assert self.errors == []
                return found
            await asyncio.sleep(0.05)

    async def events(self, type_: str) -> int:
        async with self.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(tables.events).where(tables.events.c.type == type_)) or 0


@pytest.fixture
async def web(browser: Browser, application: FastAPI, database: Database) -> AsyncIterator[Web]:
    context = await browser.new_context(user_agent=A_PERSONS_BROWSER)
    pages = FastAPI()
    async with serving(application) as service, serving(pages) as site:
        opened = Web(context, database, f"http://loop.vendor.example:{service.port}", f"http://www.brand.example:{site.port}")

        @pages.get("/{path:path}")
        async def page(path: str) -> HTMLResponse:
            return HTMLResponse(opened.html)

        await context.route("**/*", opened.answer)
        yield opened
        await context.close()


def frame(address: str, attributes: str = "") -> str:
    return f'<iframe src="{address}" {attributes}></iframe>'


async def frame_at(page: Page, address: str) -> Frame:
    """The frame whose address begins so, once it is loaded."""
    deadline = time.monotonic() + _SECONDS
    while True:
        found = [each for each in page.frames if each.url.startswith(address)]
        if found:
            await found[0].wait_for_load_state()
            return found[0]
        assert time.monotonic() < deadline, [each.url for each in page.frames]
        await asyncio.sleep(0.02)


async def post(frame: Frame, *messages: Any) -> None:
    """What the frame says to the page around it, one message after the other."""
    for message in messages:
        await frame.evaluate("message => parent.postMessage(message, '*')", message)


async def visitor_of(page: Page) -> str:
    visitor: str = await page.evaluate("closedloop.visitor()")
    assert len(visitor) == 32
    return visitor


# ---------------------------------------------------------------- what tools say


async def test_what_each_tool_says_is_a_form_of_the_visitor(web: Web, database: Database) -> None:
    page = await web.open(frame(CALENDLY) + frame(TYPEFORM) + frame(HUBSPOT) + frame(MEETINGS))
    await post(await frame_at(page, CALENDLY), {"event": "calendly.event_type_viewed"}, BOOKED, BOOKED)
    await post(await frame_at(page, TYPEFORM), {"type": "form-ready", "embedId": "e1"}, ANSWERED)
    await post(await frame_at(page, HUBSPOT), SUBMIT, SUBMITTED)
    await post(await frame_at(page, MEETINGS), MET)
    expected = [["Calendly acme/demo", False], ["Typeform lT4Z3j", False], [f"HubSpot {GUID}", True], ["HubSpot meeting", True]]
    assert sorted(await web.submissions(4)) == sorted(expected)
    await assert_rows(database, tables.contacts, ["value"], [["ada@initech.example"], ["eve@initech.example"]])
    visitor = await visitor_of(page)
    said = select(tables.events).where(tables.events.c.type == "form_submit")
    await assert_rows(database, said, ["visitor_id", "path", "title"], [[visitor, "/contact", "Contact"]] * 4)
    await assert_rows(database, tables.quarantine, ["reason"], [])


async def test_the_page_may_name_its_forms(web: Web) -> None:
    named = f'<div data-loop-form="Demo">{frame(CALENDLY)}</div>{frame(TYPEFORM, "data-loop-form=Survey")}<div data-loop-form="Ask" data-form-id="{GUID}">{frame(HUBSPOT)}</div>'
    page = await web.open(named)
    await post(await frame_at(page, CALENDLY), BOOKED)
    await post(await frame_at(page, TYPEFORM), ANSWERED)
    await post(await frame_at(page, HUBSPOT), SUBMIT, SUBMITTED)
    assert sorted(await web.submissions(3)) == [["Ask", True], ["Demo", False], ["Survey", False]]


async def test_where_the_webhook_tells_it_the_page_need_not(web: Web) -> None:
    web.forms = 'data-webhooks="calendly, Typeform"'
    page = await web.open(frame(CALENDLY) + frame(TYPEFORM) + frame(MEETINGS))
    await post(await frame_at(page, CALENDLY), BOOKED)
    await post(await frame_at(page, TYPEFORM), ANSWERED)
    await post(await frame_at(page, MEETINGS), MET)
    assert await web.submissions(1) == [["HubSpot meeting", True]]
    assert f"utm_content=closedloop_{await visitor_of(page)}" in (await frame_at(page, CALENDLY)).url


LOOK_ALIKES = (
    "https://calendly.com.evil.example/acme", "https://evilcalendly.com/acme", "https://calendly.com.evil/acme", "https://evil.example/calendly.com",
    "http://calendly.com/acme", "https://calendly.com:8443/acme", "https://typeform.com.evil.example/to/x", "https://form-typeform.com/to/x",
    "https://hsforms.com.evil.example/x", "https://nothubspot.com/x",
)  # fmt: skip


async def test_hosts_that_only_look_alike_are_not_heard(web: Web, database: Database) -> None:
    page = await web.open("".join(map(frame, LOOK_ALIKES)) + frame(CALENDLY, 'sandbox="allow-scripts" id="sandboxed"') + frame(MEETINGS))
    for address in (*LOOK_ALIKES, f"{CALENDLY}?utm_content=closedloop_"):
        await post(await frame_at(page, address), BOOKED, ANSWERED, SUBMIT, SUBMITTED, MET)
    await post(await frame_at(page, MEETINGS), MET)
    assert await web.submissions(1) == [["HubSpot meeting", True]]
    await assert_rows(database, tables.contacts, ["value"], [["eve@initech.example"]])
    assert [each.url for each in page.frames if "closedloop" in each.url and not each.url.startswith(CALENDLY)] == []


ODD = (
    None, 7, "calendly.event_scheduled", json.dumps(BOOKED), [], [BOOKED], {}, {"event": ["calendly.event_scheduled"]}, {"event": "calendly.event_scheduled"},
    {"event": "calendly.event_scheduled", "payload": "x"}, {"event": "calendly.event_scheduled", "payload": {"invitee": {"uri": {}}}},
    {"event": "calendly.event_scheduled.x", "payload": BOOKED["payload"]},
    {"type": "form-submit"}, {"type": "form-submit", "responseId": 7}, {"type": "form-submit", "responseId": "__sandbox"}, {"type": {"a": 1}, "responseId": "x"},
    {"type": "hsFormCallback"}, {"type": "hsFormCallback", "eventName": "onFormSubmitted"}, {**SUBMITTED, "id": {}}, {**SUBMITTED, "id": None},
    {**SUBMITTED, "id": '"] , [x="'}, {**SUBMITTED, "id": "<img src=x onerror=hacked=1>"}, {"meetingBookSucceeded": "true"}, {"meetingBookSucceeded": 1},
)  # fmt: skip


async def test_odd_shapes_do_nothing_and_break_nothing(web: Web, database: Database) -> None:
    page = await web.open(frame(CALENDLY) + frame(TYPEFORM) + frame(HUBSPOT))
    for address in (CALENDLY, TYPEFORM, HUBSPOT):
        await post(await frame_at(page, address), *ODD)
    await post(await frame_at(page, HUBSPOT), {**SUBMIT, "data": {"email": [["x@y.example"]]}}, {**SUBMITTED, "data": None})
    assert await web.submissions(1) == [[f"HubSpot {GUID}", False]]
    await assert_rows(database, tables.contacts, ["value"], [])
    await assert_rows(database, tables.quarantine, ["reason"], [])


async def test_texts_are_texts(web: Web, database: Database) -> None:
    markup = '<img src=x onerror="hacked=1">'
    page = await web.open(frame(TYPEFORM) + frame(HUBSPOT))
    await post(await frame_at(page, TYPEFORM), {**ANSWERED, "formId": markup + "\n\x00\x1b[31m" + "x" * 3_000})
    values = [{"name": "email", "value": markup}, {"name": "0-1/phone", "value": markup}, {"name": "__proto__", "value": {"email": "a@b.example"}}]
    await post(await frame_at(page, HUBSPOT), {**SUBMIT, "data": values}, SUBMITTED)
    (long, _), (name, has_email) = sorted(await web.submissions(2), key=lambda row: row[0], reverse=True)
    assert long == f"Typeform {markup}   [31m{'x' * 200}"[:190]
    assert (name, has_email) == (f"HubSpot {GUID}", False)
    assert await page.evaluate("typeof hacked") == "undefined"
    await assert_rows(database, tables.contacts, ["value"], [])
    await assert_rows(database, tables.quarantine, ["reason"], [])


# ---------------------------------------------------------------- what tools are handed


def given(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


async def test_frames_are_handed_the_visitor(web: Web) -> None:
    taken = "https://calendly.com/acme/talk?utm_content=banner&month=2026-03"
    page = await web.open(frame(CALENDLY) + frame(taken) + frame(f"{TYPEFORM}?typeform-embed=embed-widget#plan=pro") + frame("https://other.example/to/x"))
    visitor = await visitor_of(page)
    assert given((await frame_at(page, f"{CALENDLY}?")).url) == {"utm_content": [f"closedloop_{visitor}"]}
    expected = {"utm_content": ["banner"], "month": ["2026-03"], "utm_term": [f"closedloop_{visitor}"]}
    assert given((await frame_at(page, f"{taken}&")).url) == expected
    form = await frame_at(page, f"{TYPEFORM}?typeform-embed=embed-widget#plan=pro&closedloop_visitor_id={visitor}")
    # Loaded with it, where a change behind the # alone would load nothing.
    assert (await form.evaluate("document.title"), await form.evaluate("loadedWith")) == ("Tool", form.url)
    assert [each.url for each in page.frames if "other" in each.url] == ["https://other.example/to/x"]


async def test_frames_that_open_later_are_too_and_one_at_work_is_left_alone(web: Web) -> None:
    web.snippet = 'data-consent="opt-in"'
    page = await web.open(frame(CALENDLY) + frame(TYPEFORM))
    await post(await frame_at(page, CALENDLY), {"event": "calendly.date_and_time_selected"})
    await page.evaluate("closedloop.consent(true)")
    await page.evaluate("""address => {
        const popup = document.createElement("div");
        popup.innerHTML = `<div><iframe></iframe></div>`;
        document.body.append(popup);
        setTimeout(() => { popup.querySelector("iframe").src = address; }, 20);
    }""", "https://calendly.com/acme/later")  # fmt: skip
    visitor = await visitor_of(page)
    await frame_at(page, f"https://calendly.com/acme/later?utm_content=closedloop_{visitor}")
    await frame_at(page, f"{TYPEFORM}#closedloop_visitor_id={visitor}")
    assert [each.url for each in page.frames if each.url.startswith(CALENDLY)] == [CALENDLY]


async def test_a_link_carries_it_for_one_click(web: Web) -> None:
    page = await web.open(f'<a id="calendar" href="{CALENDLY}" target="_blank">Book</a><a id="other" href="https://other.example/" target="_blank">Other</a>')
    visitor = await visitor_of(page)
    for name, expected in (("calendar", f"{CALENDLY}?utm_content=closedloop_{visitor}"), ("other", "https://other.example/")):
        async with page.expect_popup() as popup:
            await page.click(f"#{name}")
        assert (await popup.value).url == expected
    assert await page.get_attribute("#calendar", "href") == CALENDLY


async def test_from_an_ad_to_a_lead_by_the_webhooks_of_both(web: Web, application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    """What the frames were handed comes back with the signed webhooks, and the lead is the ad's."""
    web.forms = 'data-webhooks="calendly typeform"'
    page = await web.open(frame(CALENDLY) + frame(TYPEFORM), "/contact?utm_source=google&utm_medium=cpc&utm_campaign=spring")
    visitor = await visitor_of(page)
    tracking = {name: value for name, [value] in given((await frame_at(page, f"{CALENDLY}?")).url).items()}
    hidden = dict(parse_qsl(urlsplit((await frame_at(page, f"{TYPEFORM}#")).url).fragment))
    deadline = time.monotonic() + _SECONDS
    while not await web.events("visit"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    now = datetime.now(UTC).isoformat()
    booked = calendly.told("invitee.created", now, email="ada@initech.example", created_at=now, tracking=tracking, scheduled_event={})
    answered = typeform.told(typeform.answer("email", "ada@initech.example", "mail"), hidden=hidden, submitted_at=now)
    for provider, body in ((calendly, booked), (typeform, answered)):
        name = provider.__name__.rpartition("_")[2]
        connection = {"id": name, "provider": name, "secret": provider.SECRET}
        assert (await client.post("/v1/connections", json=connection, headers=ADMIN)).status_code == 201
        answer = await client.post(f"/v1/webhooks/{name}", content=body, headers=provider.signed(body))
        assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    said = select(tables.events).where(tables.events.c.type == "form_submit")
    await assert_rows(database, said, ["visitor_id", "has_email"], [[visitor, True]] * 2)
    assert await credit(application, client, database, "lead") == {"spring": 1}


# ---------------------------------------------------------------- HubSpot's forms in the page itself

FIELD = '<input type="hidden" name="closedloop_visitor_id">'
HEARD = "const heard = []; document.addEventListener('input', e => heard.push([e.target.name, e.target.value]));"


async def test_a_form_that_hubspot_draws_into_the_page_is_told_once(web: Web, database: Database) -> None:
    """By the snippet, which sees it being sent in; HubSpot's message, which the page itself posts, adds nothing."""
    form = f"""<form class="hs-form" id="hsForm_{GUID}" data-form-id="{GUID}" onsubmit="return false">
        <input type="email" name="email" value="ada@initech.example">{FIELD}<button>Send</button></form><script>{HEARD}</script>"""
    page = await web.open(form)
    ready = {"type": "hsFormCallback", "eventName": "onFormReady", "id": GUID, "data": {}}
    await page.evaluate("message => postMessage(message, '*')", ready)
    await page.click("button")
    await page.evaluate("messages => messages.forEach(message => postMessage(message, '*'))", [SUBMIT, SUBMITTED])
    await page.evaluate("messages => messages.forEach(message => postMessage(message, '*'))", [{**SUBMITTED, "id": "another"}])
    assert sorted(await web.submissions(2)) == sorted([[f"HubSpot {GUID}", True], ["HubSpot another", False]])
    assert await page.evaluate("heard") == [["closedloop_visitor_id", await visitor_of(page)]]


async def test_a_form_in_a_frame_of_the_page_itself_is_filled_and_told_by_its_message(web: Web) -> None:
    page = await web.open('<iframe id="drawn"></iframe>')
    await page.evaluate("""html => { document.querySelector("#drawn").contentDocument.body.innerHTML = html; }""",
        f'<form class="hs-form" data-form-id="{GUID}">{FIELD}</form>')  # fmt: skip
    await page.evaluate("messages => messages.forEach(message => postMessage(message, '*'))", [
        {"type": "hsFormCallback", "eventName": "onFormReady", "id": GUID}, SUBMIT, SUBMITTED,
    ])  # fmt: skip
    assert await web.submissions(1) == [[f"HubSpot {GUID}", True]]
    filled = await page.evaluate("document.querySelector('#drawn').contentDocument.querySelector('input').value")
    assert filled == await visitor_of(page)


NEWER = """<script>
    const fields = [{name: "0-1/email", value: "ada@initech.example"}, {name: "0-1/closedloop_visitor_id", value: [""]}];
    const form = {
        getFormId: () => "%s",
        getFormFieldValues: async () => fields,
        setFieldValue: (name, value) => { fields.find(each => each.name == name).value = value; }
    };
    window.HubSpotFormsV4 = {getForms: () => [form], getFormFromEvent: () => form};
</script>"""


async def test_hubspots_newer_forms(web: Web, database: Database) -> None:
    page = await web.open(NEWER % GUID)
    await page.evaluate("dispatchEvent(new CustomEvent('hs-form-event:on-ready', {detail: {formId: 'x'}}))")
    await page.evaluate("dispatchEvent(new CustomEvent('hs-form-event:on-submission:success', {detail: {formId: 'x'}}))")
    await page.evaluate("message => postMessage(message, '*')", SUBMITTED)
    assert await web.submissions(1) == [[f"HubSpot {GUID}", True]]
    assert await page.evaluate("fields[1].value") == await visitor_of(page)
    await assert_rows(database, tables.contacts, ["value"], [["ada@initech.example"]])


async def test_hubspots_newer_forms_without_their_script(web: Web) -> None:
    page = await web.open("")
    await page.evaluate("dispatchEvent(new CustomEvent('hs-form-event:on-submission:success', {detail: {formId: 'f-1'}}))")
    await page.evaluate("dispatchEvent(new CustomEvent('hs-form-event:on-submission:success'))")
    assert await web.submissions(1) == [["HubSpot f-1", False]]


# ---------------------------------------------------------------- chats

CHATS = """<script>
    const said = [], hooks = {};
    window.intercomSettings = {app_id: "abc"};
    window.Intercom = (...given) => { said.push(given.filter(each => typeof each != "function")); hooks[given[0]] = given[1]; };
    window.drift = {on: (name, run) => { hooks[name] = run; }, api: {setUserAttributes: given => said.push(["drift", given])}};
</script>"""


async def test_chats_say_that_somebody_left_an_address_and_are_handed_the_visitor(web: Web, database: Database) -> None:
    page = await web.open(CHATS)
    visitor = await visitor_of(page)
    named = {"closedloop_visitor_id": visitor}
    assert await page.evaluate("said") == [["onUserEmailSupplied"], ["update", named], ["drift", named]]
    assert await page.evaluate("intercomSettings") == {"app_id": "abc", **named}
    await page.evaluate("hooks.onUserEmailSupplied(); hooks.emailCapture({data: {email: 'ada@initech.example'}})")
    await page.evaluate("hooks.emailCapture(null); hooks.phoneCapture({data: {phone: {}}})")
    assert sorted(await web.submissions(2)) == [["Drift", True], ["Intercom", False]]
    await assert_rows(database, tables.contacts, ["value"], [["ada@initech.example"]])


# ---------------------------------------------------------------- consent


async def test_nothing_is_handed_on_or_sent_before_consent(web: Web, database: Database) -> None:
    web.snippet = 'data-consent="opt-in"'
    page = await web.open(frame(MEETINGS) + frame(TYPEFORM) + CHATS)
    await post(await frame_at(page, MEETINGS), MET)
    await page.wait_for_timeout(300)
    assert (await page.evaluate("said"), (await frame_at(page, TYPEFORM)).url) == ([["onUserEmailSupplied"]], TYPEFORM)
    await assert_rows(database, tables.events, ["type"], [])
    await page.evaluate("closedloop.consent(true)")
    assert await web.submissions(1) == [["HubSpot meeting", True]]
    visitor = await visitor_of(page)
    await frame_at(page, f"{TYPEFORM}#closedloop_visitor_id={visitor}")
    assert ["update", {"closedloop_visitor_id": visitor}] in await page.evaluate("said")


async def test_who_said_no_is_left_alone(web: Web, database: Database) -> None:
    page = await web.open(frame(MEETINGS) + frame(TYPEFORM))
    await page.evaluate("closedloop.consent(false)")
    await post(await frame_at(page, MEETINGS), MET)
    await page.reload()
    await post(await frame_at(page, MEETINGS), MET)
    await page.wait_for_timeout(300)
    assert (await frame_at(page, TYPEFORM)).url == TYPEFORM
    await assert_rows(database, tables.forms, ["name"], [])


async def test_it_may_come_without_the_snippet(web: Web) -> None:
    """Which may be blocked, or slow: what is told waits for it."""
    web.html = f'<!doctype html><script defer src="{web.service}/loop-forms.js"></script>{frame(MEETINGS)}'
    page = await web.context.new_page()
    page.on("pageerror", lambda error: web.errors.append(str(error)))
    await page.goto(web.site)
    await post(await frame_at(page, MEETINGS), MET)
    await page.wait_for_function("window.closedloop && closedloop.length == 1")
    await page.evaluate("""([address, key]) => {
        const script = document.createElement("script");
        script.src = address;
        script.dataset.key = key;
        document.head.append(script);
    }""", [f"{web.service}/loop.js", WRITE_KEY])  # fmt: skip
    assert await web.submissions(1) == [["HubSpot meeting", True]]
