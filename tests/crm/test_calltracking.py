"""Calls: a number is a key, so a call belongs to whoever has sent that number in, or to a person of its own."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.crm.calltracking import PROVIDER
from app.crm.messages import Said
from app.crm.providers import Delivery, NotUnderstood, Read
from app.db import Database
from app.pipeline import run_until_idle
from tests.crm.embeds import ADMIN, VISITOR, connect, credit, sender, visits
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

SECRET = "whsec_a+secret/in=an-address"
DOOR = "/v1/webhooks/in"


def call(**more: Any) -> dict[str, Any]:
    """A call as CallRail posts it."""
    told = {
        "resource_id": "CAL8154748ae6bd4e278a7cddd38a662f4f", "customer_phone_number": "(404) 555-0143", "tracking_phone_number": "+14045550100",
        "start_time": "2026-03-04T10:00:00.000Z", "direction": "inbound", "answered": True, "duration": 120, "source_name": "Billboard I-90",
        "landing_page_url": None, "utm_source": None,
    }  # fmt: skip
    return told | more


async def deliver(client: httpx.AsyncClient, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    answers = [await client.post(f"{DOOR}?{urlencode({'secret': SECRET})}", json=each) for each in calls]
    assert [answer.status_code for answer in answers] == [202] * len(calls)
    return [answer.json() for answer in answers]


async def connect_us(client: httpx.AsyncClient, **more: Any) -> None:
    """A site in the United States, which counts calls as a goal."""
    changes = {"country": "US", "goals": [{"name": "call", "event": "phone_call"}]}
    assert (await client.patch("/v1/sites/default", json=changes, headers=ADMIN)).status_code == 200
    await connect(client, "calltracking", SECRET, **more)


def read(told: dict[str, Any], **more: Any) -> Read:
    return PROVIDER.read(Delivery("POST", DOOR, {}, json.dumps(told).encode(), 0), sender("calltracking", SECRET, **more))


def said(told: dict[str, Any], **more: Any) -> list[Said]:
    return list(read(told, **more).said)


# ---------------------------------------------------------------- whose call it is


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_from_a_number_that_was_sent_in_is_that_persons(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    await connect_us(client)
    await visits(client, VISITOR, "2026-03-02T09:00:00Z", "spring", email="ada@initech.example", phone="404-555-0143")
    first, again = await deliver(client, call(), call(duration=130))
    assert (first, again) == ({"accepted": 1, "duplicates": 0, "rejected": []}, {"accepted": 0, "duplicates": 1, "rejected": []})
    assert await credit(application, client, database, "call", by="channel") == {"Paid Search": 0.5, "Phone Calls": 0.5}
    assert await credit(application, client, database, "lead") == {"spring": 1}
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@initech.example"], ["phone", "+14045550143"]])
    people = (await client.get("/v1/people", params={"email": "ada@initech.example"}, headers=ADMIN)).json()["people"]
    journey = (await client.get(f"/v1/people/{people[0]['id']}/journey", headers=ADMIN)).json()
    assert [(touch["channel"], touch["source"]) for touch in journey["touches"]] == [("Paid Search", "google"), ("Phone Calls", "billboard i-90")]


async def test_an_unknown_caller_is_a_person_of_its_own_with_an_offline_touch(
    application: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    await connect_us(client)
    await visits(client, VISITOR, "2026-03-02T09:00:00Z", "spring", email="ada@initech.example")
    await deliver(client, call())
    assert await credit(application, client, database, "call", by="source") == {"billboard i-90": 1}
    labelled = select(tables.events.c.type, tables.events.c.visitor_id, tables.origin_labels.c.channel).join(
        tables.origin_labels, tables.origin_labels.c.origin_id == tables.events.c.origin_id
    )
    async with database.read() as connection:
        [found] = [row for row in await connection.execute(labelled) if row.type == "phone_call"]
    assert (found.visitor_id[:3], found.channel) == ("~p_", "Phone Calls")
    # The form comes later: the same number, so the same person, and the call was hers.
    await visits(client, VISITOR, "2026-03-05T09:00:00Z", "brand", email="ada@initech.example", phone="+1 404 555 0143")
    assert await credit(application, client, database, "call", by="channel") == {"Paid Search": 0.5, "Phone Calls": 0.5}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_of_a_known_visit_has_its_origin(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    await connect_us(client)
    tagged = call(resource_id="C1", landing_page_url="https://brand.example/?utm_source=bing&utm_medium=cpc&gclid=x", customer_phone_number="4045550144")
    await deliver(client, tagged, call(resource_id="C2", utm_source="facebook", utm_medium="paid_social"))
    assert await credit(application, client, database, "call", by="channel") == {"Paid Search": 1, "Paid Social": 1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_national_number_needs_the_sites_country(client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "calltracking", SECRET)
    [answer] = await deliver(client, call())
    assert answer["rejected"][0]["reason"] == "visitor_id, or an e-mail, phone or user ID that can be read, is needed"
    assert (await client.patch("/v1/sites/default", json={"country": "US"}, headers=ADMIN)).status_code == 200
    [kept] = (await client.get("/v1/quarantine", headers=ADMIN)).json()["quarantined"]
    assert (await client.post("/v1/quarantine", json={"ids": [kept["id"]]}, headers=ADMIN)).status_code == 200
    await assert_rows(database, tables.contacts, ["value"], [["+14045550143"]])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_where_sales_work_in_it_a_call_is_an_activity_too(client: httpx.AsyncClient, database: Database) -> None:
    await connect_us(client, reports_activities=True)
    missed, ours = call(resource_id="C2", answered=False), call(resource_id="C3", direction="outbound")
    answers = await deliver(client, call(), missed, ours)
    assert [each["accepted"] for each in answers] == [2, 2, 1]
    await run_until_idle(database)
    expected = [["CAL8154748ae6bd4e278a7cddd38a662f4f", "call", "inbound"], ["C3", "call", "outbound"]]
    await assert_rows(database, tables.sales_activities, ["activity_id", "kind", "direction"], expected)
    await assert_rows(database, tables.events, ["type"], [["phone_call"], ["phone_call"]])


# ---------------------------------------------------------------- who may send


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_secret_stands_in_the_address_or_is_the_password(client: httpx.AsyncClient, database: Database) -> None:
    await connect_us(client)
    basic = {"Authorization": "Basic " + base64.b64encode(f"anybody:{SECRET}".encode()).decode()}
    assert (await client.post(DOOR, json=call(), headers=basic)).status_code == 202
    wrong = {"Authorization": "Basic " + base64.b64encode(b"anybody:wrong").decode()}
    for address, headers in ((DOOR, {}), (f"{DOOR}?secret=", {}), (f"{DOOR}?secret=wrong", {}), (f"{DOOR}?secrets={SECRET}", {}), (DOOR, wrong)):
        assert (await client.post(address, json=call(resource_id="C2"), headers=headers)).status_code == 401
    await assert_rows(database, tables.events, ["type"], [["phone_call"]])


# ---------------------------------------------------------------- what it says


def test_the_settings_name_the_fields_of_another_service() -> None:
    told = {"type": "call.finished", "data": {"id": 5917, "caller_number": "+18558871739", "timestamp": "2026-03-09T09:09:51.733192Z", "source_channel": "organic"}}
    fields = {"id": "data.id", "phone": "data.caller_number", "occurred_at": "data.timestamp", "source": "data.source_channel", "kind": "type"}
    [only] = said(told, **fields)
    assert (only.id, only.occurred_at) == ("call/5917", 1_773_047_391_733_192)
    properties = {"kind": "call.finished"}
    assert only.data == {"type": "phone_call", "phone": "+18558871739", "properties": properties, "source": "organic", "medium": "phone_call"}


def test_it_may_be_sent_as_a_form() -> None:
    body = urlencode({"CallSid": "CA1", "From": "+14045550143"}).encode()
    delivery = Delivery("POST", DOOR, {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, body, 0)
    [only] = PROVIDER.read(delivery, sender("calltracking", SECRET, id="CallSid", phone="From")).said
    assert (only.id, only.data["phone"], only.data["source"]) == ("call/CA1", "+14045550143", "phone_call")


def test_the_visitor_is_told_where_the_service_knows_it() -> None:
    [only] = said(call(closedloop_visitor_id=VISITOR))
    assert only.data == {"type": "phone_call", "visitor_id": VISITOR, "phone": "(404) 555-0143"}


def test_who_hides_the_number_is_counted_and_so_are_calls_of_ours() -> None:
    for number in ("anonymous", "", None):
        assert read(call(customer_phone_number=number)).ignored == {"names_nobody": 1}
    assert read(call(direction="outbound")).ignored == {"outbound_call": 1}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"7"])
def test_what_is_no_call_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        PROVIDER.read(Delivery("POST", DOOR, {}, body, 0), sender("calltracking", SECRET))
