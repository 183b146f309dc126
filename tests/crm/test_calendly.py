"""Calendly: a booking, signed as Calendly signs, is a lead of the visitor whose ID the embed carried."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.crm.calendly import PROVIDER
from app.crm.messages import Said
from app.crm.providers import Delivery, NotUnderstood, Read
from app.db import Database
from app.pipeline import run_until_idle
from tests.crm.embeds import ADMIN, OTHER_VISITOR, VISITOR, connect, credit, sender, visits
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

SECRET = "a-signing-key-that-we-chose"
DOOR = "/v1/webhooks/in"
INVITEE = "https://api.calendly.com/scheduled_events/GBGB/invitees/AAAA"
MOVED = "https://api.calendly.com/scheduled_events/HCHC/invitees/BBBB"


def signed(body: bytes, secret: str = SECRET, age: timedelta = timedelta(0)) -> dict[str, str]:
    stamp = str(int(time.time() - age.total_seconds()))
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Calendly-Webhook-Signature": f"t={stamp},v1={made}"}


def told(event: str, at: str = "2026-03-04T10:00:01.000000Z", **more: Any) -> bytes:
    """What Calendly posts of an invitee."""
    tracking = {"utm_campaign": None, "utm_source": None, "utm_medium": None, "utm_content": None, "utm_term": None, "salesforce_uuid": None}
    meeting = {
        "uri": "https://api.calendly.com/scheduled_events/GBGB", "name": "Product demo", "status": "active", "start_time": "2026-03-09T15:00:00.000000Z",
        "event_type": "https://api.calendly.com/event_types/ET", "event_memberships": [{"user_email": "sam@brand.example", "user_name": "Sam"}],
        "location": {"type": "outbound_call", "location": "+49 30 901820"},
    }  # fmt: skip
    invitee = {
        "uri": INVITEE, "email": "Ada@Initech.example", "name": "Ada Adams", "status": "active", "created_at": "2026-03-04T10:00:00.000000Z",
        "questions_and_answers": [{"question": "Company", "answer": "Initech", "position": 0}], "text_reminder_number": None,
        "rescheduled": False, "old_invitee": None, "new_invitee": None, "tracking": tracking | more.pop("tracking", {}), "scheduled_event": meeting,
    }  # fmt: skip
    return json.dumps({"event": event, "created_at": at, "created_by": "https://api.calendly.com/users/U", "payload": invitee | more}).encode()


EMBEDDED = {"tracking": {"utm_content": f"closedloop_{VISITOR}"}}


async def deliver(client: httpx.AsyncClient, *bodies: bytes) -> list[dict[str, Any]]:
    answers = [await client.post(DOOR, content=body, headers=signed(body)) for body in bodies]
    assert [answer.status_code for answer in answers] == [202] * len(bodies)
    return [answer.json() for answer in answers]


def read(body: bytes, **more: Any) -> Read:
    delivery = Delivery("POST", "https://loop.example" + DOOR, {}, body, 0)
    return PROVIDER.read(delivery, sender("calendly", SECRET, **more))


def said(body: bytes, **more: Any) -> list[Said]:
    return list(read(body, **more).said)


# ---------------------------------------------------------------- from a touch to a lead


async def test_a_booking_is_a_lead_of_the_visitors_touches(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "calendly", SECRET)
    await visits(client, VISITOR, "2026-03-02T09:00:00Z", "spring")
    await visits(client, VISITOR, "2026-03-04T09:55:00Z", "brand")
    await visits(client, OTHER_VISITOR, "2026-03-04T09:56:00Z", "nobody")
    body = told("invitee.created", **EMBEDDED)
    assert await deliver(client, body, body) == [{"accepted": 1, "duplicates": 0, "rejected": []}, {"accepted": 0, "duplicates": 1, "rejected": []}]
    assert await credit(application, client, database, "lead") == {"spring": 0.5, "brand": 0.5}

    event = tables.events.c
    found = select(tables.events, tables.forms.c.name.label("form")).join(tables.forms, tables.forms.c.form_id == event.form_id)
    booked_at = datetime(2026, 3, 4, 10, tzinfo=UTC)
    columns = ["visitor_id", "type", "form", "occurred_at", "has_email", "is_trusted"]
    await assert_rows(database, found, columns, [[VISITOR, "form_submit", "Calendly Product demo", booked_at, True, True]])
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@initech.example"], ["phone", "+4930901820"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_in_whatever_order_it_is_told(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    """Booked, moved and called off; each order is a site of its own, all with the same tables."""
    invitee = {"uri": MOVED, "old_invitee": INVITEE, "created_at": "2026-03-05T10:00:00.000000Z", **EMBEDDED}
    bodies = (
        told("invitee.created", **EMBEDDED),
        told("invitee.canceled", "2026-03-05T10:00:00.000000Z", rescheduled=True, new_invitee=MOVED, **EMBEDDED),
        told("invitee.created", "2026-03-05T10:00:01.000000Z", **invitee),
        told("invitee.canceled", "2026-03-06T10:00:00.000000Z", **invitee | {"cancellation": {"created_at": "2026-03-06T09:59:00.000000Z"}}),
    )
    expected = [["form_submit", "2026-03-04 10:00"], ["meeting_rescheduled", "2026-03-05 10:00"], ["meeting_canceled", "2026-03-06 09:59"]]
    for number, order in enumerate(list(permutations(bodies))[::9]):
        name = f"site{number}"
        await client.post("/v1/sites", json={"id": name}, headers=ADMIN)
        fields = {"id": name, "provider": "calendly", "secret": SECRET, "reports_activities": True}
        assert (await client.post(f"/v1/connections?site={name}", json=fields, headers=ADMIN)).status_code == 201
        for body in order:
            assert (await client.post(f"/v1/webhooks/{name}", content=body, headers=signed(body))).json()["rejected"] == []
        await run_until_idle(database)
        of_site = select(tables.events).where(tables.events.c.site_id == name)
        async with database.read() as connection:
            rows = sorted([[row.type, f"{row.occurred_at:%Y-%m-%d %H:%M}"] for row in await connection.execute(of_site)], key=lambda row: row[1])
        assert rows == expected
        kept = select(tables.sales_activities).where(tables.sales_activities.c.site_id == name)
        await assert_rows(database, kept, ["activity_id"], [])
        leads = select(tables.conversions).where(tables.conversions.c.site_id == name, tables.conversions.c.kind == "lead")
        await assert_rows(database, leads, ["kind"], [["lead"]])


async def test_where_sales_work_in_it_the_meeting_is_an_activity_too(client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "calendly", SECRET, reports_activities=True)
    [answer] = await deliver(client, told("invitee.created"))
    assert answer == {"accepted": 2, "duplicates": 0, "rejected": []}
    await run_until_idle(database)
    columns = ["activity_id", "kind", "direction", "title", "told_by", "occurred_at"]
    takes_place_at = datetime(2026, 3, 9, 15, tzinfo=UTC)
    expected = [["AAAA", "meeting", "inbound", "Product demo", "sam@brand.example", takes_place_at]]
    await assert_rows(database, tables.sales_activities, columns, expected)
    await deliver(client, told("invitee_no_show.created", "2026-03-09T16:00:00Z"))
    await run_until_idle(database)
    await assert_rows(database, tables.sales_activities, columns, [])
    await deliver(client, told("invitee_no_show.deleted", "2026-03-09T16:01:00Z"))
    await run_until_idle(database)
    await assert_rows(database, tables.sales_activities, columns, expected)


# ---------------------------------------------------------------- who may send


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_or_stale_signature_stores_nothing(client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "calendly", SECRET)
    body = told("invitee.created", **EMBEDDED)
    for headers in (signed(body, "another-signing-key"), signed(body + b" "), signed(body, age=timedelta(minutes=6)), {}):
        assert (await client.post(DOOR, content=body, headers=headers)).status_code == 401
    await assert_rows(database, tables.events, ["type"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bad_signature:in", 4]])


# ---------------------------------------------------------------- what it says


def test_the_page_puts_the_visitor_into_whichever_parameter_is_free() -> None:
    for name in ("utm_content", "utm_term", "salesforce_uuid"):
        [only] = said(told("invitee.created", tracking={name: f"closedloop_{VISITOR}", "utm_source": "newsletter"}))
        assert (only.data["visitor_id"], "source" in only.data) == (VISITOR, False)


def test_a_visitor_who_is_none_is_left_out_and_then_the_tags_say_where_the_booking_came_from() -> None:
    tracking = {"utm_content": "closedloop_<script>", "utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "May"}
    [only] = said(told("invitee.created", tracking=tracking))
    expected = {"source": "newsletter", "medium": "email", "campaign": "May"}
    assert {name: only.data[name] for name in only.data if name in {"visitor_id", "source", "medium", "campaign", "content"}} == expected


def test_a_cancellation_states_no_origin() -> None:
    [only] = said(told("invitee.canceled", tracking={"utm_source": "newsletter"}))
    assert only.data == {"type": "meeting_canceled", "email": "Ada@Initech.example", "phone": "+49 30 901820"}


def test_answers_that_the_settings_name_are_kept_and_no_others() -> None:
    [plain] = said(told("invitee.created"))
    [with_company] = said(told("invitee.created"), company="Company", budget="Budget")
    assert ("properties" in plain.data, with_company.data["properties"]) == (False, {"company": "Initech"})
    [called] = said(told("invitee.created", questions_and_answers=[{"question": "Phone", "answer": "030 1"}]), phone="Phone")
    assert called.data["phone"] == "030 1"


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        (told("routing_form_submission.created"), {"not_read": 1}),
        (told("invitee_no_show.created"), {"not_read": 1}),
        (told("invitee.created", email=None, scheduled_event={}), {"names_nobody": 1}),
    ],
)
def test_what_is_not_for_us_is_counted(body: bytes, ignored: dict[str, int]) -> None:
    assert (read(body).said, read(body).ignored) == ((), ignored)


@pytest.mark.parametrize("body", [b"", b"[]", b'"invitee.created"', b"{}", b'{"event": "invitee.created"}', b'{"event": "invitee.created", "payload": []}'])
def test_what_is_no_event_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(body)


def test_odd_shapes_are_no_harm() -> None:
    odd = {"tracking": [1], "scheduled_event": "x", "questions_and_answers": {"question": "Company"}, "created_at": 7, "text_reminder_number": 1}
    body = json.dumps({"event": "invitee.created", "created_at": "soon", "payload": {"uri": INVITEE, "email": "a@b.example", **odd}}).encode()
    [only] = said(body, company="Company")
    assert (only.data, only.occurred_at) == ({"type": "form_submit", "form": "Calendly", "email": "a@b.example"}, None)
