"""HubSpot: signed webhooks in each of its formats, and its API, which says the same whether it is fetched from or polled."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.crm.api import Api, Denied, Failed, Throttled, api_of
from app.crm.calls import Calls
from app.crm.facts import facts_of
from app.crm.fetching import fetch_batch
from app.crm.hubspot import PROVIDER
from app.crm.messages import Said
from app.crm.polling import begin_polls, poll_page
from app.crm.providers import Delivery, NotUnderstood, Pipeline, Read, Stage
from app.db import Database
from app.pipeline import run_until_idle
from app.sites.connections import Connection, ConnectionFields, ConnectionSettings, load_connection
from app.tables import from_micros, to_micros
from tests.crm.fake_hubspot import BREAKS, PORTAL, STALLS, TOKEN, FakeHubspot, serving
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
SECRET = "a1b2c3d4-client-secret"
DOOR = "/v1/webhooks/crm"
URL = f"http://closedloop.example{DOOR}"
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
MAPPED = {"pipelines": {"default": {"name": "Sales", "won": ["closedwon"], "lost": ["closedlost"]}}}


def day(number: int, hour: int = 10) -> datetime:
    """A moment in March 2026."""
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def sender(*secrets: str, token: str | None = TOKEN, **settings: Any) -> Connection:
    fields = ConnectionFields(provider="hubspot", api_token=token, settings=ConnectionSettings(**settings))
    return Connection("default", "crm", secrets or (SECRET,), fields, AT)


# ---------------------------------------------------------------- signatures, as HubSpot makes them


def v1(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-HubSpot-Signature-Version": "v1", "X-HubSpot-Signature": hashlib.sha256(secret.encode() + body).hexdigest()}


def v2(body: bytes, secret: str = SECRET, url: str = URL) -> dict[str, str]:
    signed = f"{secret}POST{url}".encode() + body
    return {"X-HubSpot-Signature-Version": "v2", "X-HubSpot-Signature": hashlib.sha256(signed).hexdigest()}


def v3(body: bytes, secret: str = SECRET, url: str = URL, *, age: timedelta = timedelta(0)) -> dict[str, str]:
    stamp = str(int((time.time() - age.total_seconds()) * 1_000))
    signed = f"POST{url}".encode() + body + stamp.encode()
    signature = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}


def event(type_: str, object_id: int | None = 501, at: datetime = AT, **more: Any) -> dict[str, Any]:
    """An event of a subscription, as it really comes."""
    told: dict[str, Any] = {
        "eventId": 100, "subscriptionId": 8_001, "portalId": PORTAL, "appId": 77, "occurredAt": ms(at), "subscriptionType": type_,
        "attemptNumber": 0, "changeSource": "CRM_UI",
    }  # fmt: skip
    return told | ({} if object_id is None else {"objectId": object_id}) | more


@pytest.fixture
async def door(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The service, with a connection to HubSpot."""
    wanted = {"id": "crm", "provider": "hubspot", "secret": SECRET, "api_token": TOKEN, "settings": {**MAPPED, "account_id": str(PORTAL)}}
    assert (await client.post("/v1/connections", json=wanted, headers=ADMIN)).status_code == 201
    return client


async def post(door: httpx.AsyncClient, told: Any, signed: Any = v3, **signing: Any) -> httpx.Response:
    body = json.dumps(told).encode()
    return await door.post(DOOR, content=body, headers=signed(body, **signing))


async def test_each_way_of_signing_is_understood_and_a_repetition_is_stored_once(database: Database, door: httpx.AsyncClient) -> None:
    won = event("deal.propertyChange", propertyName="dealstage", propertyValue="closedwon")
    answers = [(await post(door, [won | {"attemptNumber": tries}], signed)).json() for tries, signed in enumerate((v1, v2, v3))]
    assert answers == [{"accepted": n, "duplicates": 2 - n, "rejected": []} for n in (2, 0, 0)]
    await assert_rows(database, tables.deal_fields, ["space", "deal_id", "field", "value", "occurred_at"], [["crm", "501", "stage", "closedwon", AT]])
    await assert_rows(database, tables.crm_fetches, ["connection_id", "kind", "record_id", "tries"], [["crm", "deals", "501", 0]])


async def test_wrong_stale_and_foreign_signatures_store_nothing(database: Database, door: httpx.AsyncClient) -> None:
    told = [event("deal.creation")]
    body = json.dumps(told).encode()
    stale, ahead = v3(body, age=timedelta(minutes=6)), v3(body, age=timedelta(minutes=-6))
    wrong = [
        {}, v1(body, "another"), v2(body, "another"), v3(body, "another"), v1(b"[]"), v2(body, url=URL + "?x=1"), v3(body, url="https://closedloop.example" + DOOR),
        stale, ahead, v1(body) | {"X-HubSpot-Signature-Version": "v9"}, v2(body) | {"X-HubSpot-Signature-Version": "v1"},
        v3(body) | {"X-HubSpot-Request-Timestamp": str(ms(datetime.now(UTC)) + 1)}, v3(body) | {"X-HubSpot-Request-Timestamp": "soon"},
        {"X-HubSpot-Signature": ""}, {"X-HubSpot-Signature-v3": "é".encode("latin-1").decode("latin-1"), "X-HubSpot-Request-Timestamp": "1"},
        # A replay is not helped by leaving its age to an older way of signing.
        v1(body) | stale,
    ]  # fmt: skip
    for headers in wrong:
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        assert (await door.post(DOOR, content=body, headers=sent)).status_code == 401, headers
    await assert_rows(database, tables.crm_facts, ["fact_id"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bad_signature:crm", len(wrong)]])


@pytest.mark.parametrize("signed", [v1, v2, v3])
def test_both_live_secrets_hold(signed: Any) -> None:
    for secret, is_live in (("newest-secret", True), ("the-one-before", True), ("ended-secret", False)):
        headers = {name.lower(): value for name, value in signed(b"[]", secret).items()}
        delivery = Delivery("POST", URL, headers, b"[]", to_micros(datetime.now(UTC)))
        assert PROVIDER.is_authentic(delivery, sender("newest-secret", "the-one-before")) is is_live


@pytest.mark.parametrize("signed", [v2, v3])
def test_the_address_may_be_signed_as_called_or_with_some_signs_decoded(signed: Any) -> None:
    called, decoded, wrongly = "https://h.example/w/crm?a=%2Fb%3A%20%26", "https://h.example/w/crm?a=/b:%20%26", "https://h.example/w/crm?a=/b: &"
    for url, holds in ((called, True), (decoded, True), (wrongly, False)):
        headers = {name.lower(): value for name, value in signed(b"[]", url=url).items()}
        assert PROVIDER.is_authentic(Delivery("POST", called, headers, b"[]", to_micros(datetime.now(UTC))), sender()) is holds


# ---------------------------------------------------------------- subscriptions


def read(told: Any, connection: Connection | None = None) -> Read:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return PROVIDER.read(Delivery("POST", URL, {}, body, to_micros(AT)), connection or sender())


def plain(said: Sequence[Said]) -> list[tuple[str, dict[str, Any], datetime | None]]:
    return [(each.type, each.data, None if each.occurred_at is None else from_micros(each.occurred_at)) for each in said]


def wanted(found: Read) -> list[tuple[str, str]]:
    return [(each.kind, each.record_id) for each in found.wanted]


@pytest.mark.parametrize(
    ("told", "records"),
    [
        (event("contact.creation"), [("contacts", "501")]),
        (event("contact.propertyChange", propertyName="lifecyclestage", propertyValue="lead"), [("contacts", "501")]),
        (event("deal.restore"), [("deals", "501")]),
        (event("object.creation", objectTypeId="0-1"), [("contacts", "501")]),
        (event("object.propertyChange", objectTypeId="0-3", propertyName="amount", propertyValue="9"), [("deals", "501")]),
        (event("object.creation", objectTypeId="0-46"), [("notes", "501")]),
        (event("object.creation", objectTypeId="0-47"), [("meetings", "501")]),
        (event("object.creation", objectTypeId="0-48"), [("calls", "501")]),
        (event("object.propertyChange", objectTypeId="0-49", propertyName="hs_email_status"), [("emails", "501")]),
        (event("object.creation", 9_007_199_254_740_993, objectTypeId="0-27"), [("tasks", "9007199254740993")]),
        (event("deal.associationChange", None, fromObjectId=501, toObjectId=7, associationType="DEAL_TO_CONTACT"), [("deals", "501"), ("contacts", "7")]),
        (event("object.associationChange", None, fromObjectId=8, fromObjectTypeId="0-48", toObjectId=3, toObjectTypeId="0-2"), [("calls", "8")]),
        (event("contact.merge", 7, primaryObjectId=7, mergedObjectIds=[8, 9], newObjectId=10), [("contacts", "10")]),
        (event("deal.merge", 501, primaryObjectId=501, mergedObjectIds=[502]), [("deals", "501")]),
    ],
)
def test_a_notice_is_a_record_to_fetch_in_either_format(told: dict[str, Any], records: list[tuple[str, str]]) -> None:
    older = {name: value for name, value in told.items() if name != "subscriptionType"} | {"eventType": told["subscriptionType"]}
    for each in (told, older):
        assert wanted(read([each])) == records
        assert {notice.occurred_at for notice in read([each]).wanted} == {to_micros(AT)}
    assert not read([told]).ignored


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (event("deal.propertyChange", propertyName="dealstage", propertyValue="closedlost"), [("deal.updated", {"id": "501", "stage": "closedlost"})]),
        (event("deal.deletion"), [("deal.deleted", {"id": "501"})]),
        (event("object.deletion", objectTypeId="0-3"), [("deal.deleted", {"id": "501"})]),
        (event("deal.restore"), [("deal.updated", {"id": "501"})]),
        (event("deal.merge", 501, primaryObjectId=501, mergedObjectIds=[502, 503]), [("deal.deleted", {"id": "502"}), ("deal.deleted", {"id": "503"})]),
        (event("deal.merge", 501, primaryObjectId=501, mergedObjectIds=[502], newObjectId=600), [("deal.deleted", {"id": "501"}), ("deal.deleted", {"id": "502"})]),
        (event("deal.propertyChange", propertyName="amount", propertyValue="9"), []),
        (event("contact.merge", 7, primaryObjectId=7, mergedObjectIds=[8]), []),
    ],
)  # fmt: skip
def test_what_a_notice_says_itself_is_said_at_once(told: dict[str, Any], says: list[Any]) -> None:
    assert plain(read([told]).said) == [(*each, AT) for each in says]


def test_a_deleted_engagement_is_gone_with_each_of_its_contacts() -> None:
    said = read([event("object.deletion", 8, objectTypeId="0-48")]).said
    assert {each.type for each in said} == {"activity.deleted"}
    assert [each.data["id"] for each in said][:3] == ["8", "8:1", "8:2"]


def test_what_is_none_of_our_business_is_counted() -> None:
    told = [
        event("company.creation"), event("object.creation", objectTypeId="0-5"), event("contact.deletion"), event("contact.privacyDeletion"),
        event("deal.creation", portalId=1), event("deal.somethingNew"), event("company.associationChange", None, fromObjectId=1, toObjectId=2, associationType="COMPANY_TO_TICKET"),
    ]  # fmt: skip
    found = read(told, sender(account_id=str(PORTAL)))
    assert (found.said, found.wanted) == ((), ())
    assert dict(found.ignored) == {"not_read": 4, "contact_deleted": 2, "other_account": 1}


def test_notices_differ_by_what_hubspot_says_names_them() -> None:
    first = event("deal.propertyChange", propertyName="amount")
    again = first | {"attemptNumber": 3, "changeSource": "API"}
    others = [first | change for change in ({"eventId": 101}, {"subscriptionId": 2}, {"objectId": 502}, {"propertyName": "pipeline"}, {"occurredAt": ms(AT) + 1})]
    assert len({each.id for each in read([first, again, *others]).wanted}) == 6
    assert not {each.id for each in read([first | {"portalId": 1}]).wanted} & {each.id for each in read([first]).wanted}


async def test_one_bad_event_is_set_aside_alone(database: Database, door: httpx.AsyncClient) -> None:
    answer = await post(door, [{"subscriptionType": "deal.creation", "objectId": {"no": "id"}}, 7, event("deal.creation")])
    assert (answer.status_code, answer.json()["accepted"], [each["index"] for each in answer.json()["rejected"]]) == (202, 1, [0, 1])
    await assert_rows(database, tables.crm_fetches, ["record_id"], [["501"]])
    await assert_rows(database, tables.quarantine, ["door"], [["webhook:crm"], ["webhook:crm"]])


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 5_000, b"\xff", b'"text"', b"{}", b'{"properties": {"dealname": "x"}}', b'{"objectId": 7}'])
def test_what_cannot_be_understood_says_so(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(body)


# ---------------------------------------------------------------- workflow actions

WORKFLOW = {
    "portalId": PORTAL,
    "dealId": 501,
    "isDeleted": False,
    "associations": {"associatedVids": [7], "associatedCompanyIds": [], "associatedDealIds": []},
    "properties": {
        "dealname": {"value": "Initech", "timestamp": ms(day(1)), "source": "CRM_UI"},
        "amount": {"value": "1200.50", "timestamp": ms(day(2)), "source": "CRM_UI"},
        "hs_is_closed_won": {"value": "true", "timestamp": ms(day(3))},
        "dealstage": {
            "value": "closedwon",
            "timestamp": ms(day(3)),
            "versions": [{"value": "closedwon", "timestamp": ms(day(3))}, {"value": "contractsent", "timestamp": ms(day(1))}],
        },
        "hs_lastmodifieddate": {"value": str(ms(day(3))), "timestamp": ms(day(3))},
    },
}


def test_a_workflow_action_is_fetched_and_says_its_stages_at_once() -> None:
    found = read(WORKFLOW)
    stages = [("deal.updated", {"id": "501", "stage": stage}, at) for stage, at in (("closedwon", day(3)), ("contractsent", day(1)))]
    assert (plain(found.said), wanted(found)) == (stages, [("deals", "501")])
    assert read(WORKFLOW | {"associations": {}}).wanted[0].id == found.wanted[0].id
    assert read(WORKFLOW | {"portalId": 1}, sender(account_id=str(PORTAL))).ignored == {"other_account": 1}


def test_without_a_token_a_workflow_action_is_taken_as_it_is() -> None:
    found = read(WORKFLOW, sender(token=None))
    assert found.wanted == ()
    assert plain(found.said)[:-1] == [
        ("deal.updated", {"id": "501", "stage": "contractsent"}, day(1)),
        ("deal.won", {"id": "501", "stage": "closedwon"}, day(3)),
        ("deal.updated", {"id": "501", "amount": "1200.50"}, day(2)),
    ]
    type_, data, at = plain(found.said)[-1]
    assert (type_, data["amount"], data["contacts"], data["url"], at) == (
        "deal.updated", "1200.50", [{"id": "7"}], f"https://app.hubspot.com/contacts/{PORTAL}/deal/501", day(3),
    )  # fmt: skip
    assert read(WORKFLOW | {"associations": {"associatedVids": 7}}, sender(token=None)).said[-1].data.keys() == data.keys() - {"contacts"}
    assert None not in data.values()
    own_body = {"hs_object_id": 7, "email": "ada@example.com", "lastmodifieddate": ms(day(3))}
    [(type_, data, at)] = plain(read(own_body, sender(token=None)).said)
    assert (type_, data["id"], data["email"], at) == ("contact.updated", "7", "ada@example.com", day(3))


# ---------------------------------------------------------------- the API


@pytest.fixture
def hubspot() -> Iterator[FakeHubspot]:
    """An account with a deal that was lost, reopened and won, its people, and what sales did."""
    fake = FakeHubspot()
    fake.owners = [
        {"id": "31", "userId": 91, "email": "olga@seller.example", "firstName": "Olga", "lastName": "Owner", "archived": False},
        {"id": "32", "userIdIncludingInactive": 92, "email": "gone@seller.example", "firstName": "", "lastName": None, "archived": True},
    ]
    fake.put("companies", 9, day(1), name="Initech", domain="initech.example", industry="SOFTWARE")
    fake.put("contacts", 7, day(1), email="ada@initech.example", firstname="Ada", lastname="Adams", phone="+49 30 901820", associatedcompanyid=9)
    fake.put("contacts", 8, day(1), email="bob@initech.example", hubspot_owner_id=32)
    fake.put("deals", 501, day(2), by=91, dealname="Initech", amount="1200.50", dealstage="appointmentscheduled", pipeline="default", hubspot_owner_id=31)
    fake.put("deals", 501, day(4), amount="1000")
    fake.put("deals", 501, day(5), dealstage="closedlost", closed_lost_reason="Price")
    fake.put("deals", 501, day(8), dealstage="contractsent", closed_lost_reason=None)
    fake.put("deals", 501, day(9), dealstage="closedwon", closedate="2026-03-31T22:30:00Z", dealtype="newbusiness", deal_currency_code="USD")
    fake.put("deals", 501, day(12), amount="1250")
    fake.put("calls", 71, day(3), hs_timestamp="2026-03-03T09:00:00Z", hs_call_direction="OUTBOUND", hs_call_status="COMPLETED", hs_call_title="First call", hubspot_owner_id=31)
    fake.link("deals", 501, "contacts", 8, 7)
    fake.link("deals", 501, "companies", 4)
    fake.link("deals", 501, "companies", 9, primary=True)
    fake.link("calls", 71, "contacts", 7)
    fake.link("calls", 71, "deals", 501)
    with serving(fake) as started:
        yield started


@pytest.fixture
async def api(hubspot: FakeHubspot) -> AsyncIterator[Api]:
    async with api_waiting(hubspot, seconds=30) as opened:
        yield opened


@asynccontextmanager
async def api_waiting(hubspot: FakeHubspot, seconds: float) -> AsyncIterator[Api]:
    there = sender()
    there = replace(there, fields=there.fields.model_copy(update={"api_base_url": hubspot.url}))
    async with api_of(there, PROVIDER, allow_private=True, seconds=seconds) as opened:
        yield opened


async def fetch(api: Api, kind: str, *record_ids: int | str, **settings: Any) -> list[tuple[str, dict[str, Any], datetime | None]]:
    assert PROVIDER.fetch is not None
    return plain(await PROVIDER.fetch(api, sender(**settings), kind, [str(each) for each in record_ids]))


async def poll(api: Api, kind: str, *, since: int = 1, **settings: Any) -> list[Said]:
    """Every page of a round, since a day of March."""
    assert PROVIDER.poll is not None
    said: list[Said] = []
    cursor: str | None = None
    while True:
        page = await PROVIDER.poll(api, sender(**settings), kind, to_micros(day(since)), cursor)
        said += page.said
        assert page.cursor is None or page.cursor != cursor
        cursor = page.cursor
        if cursor is None:
            return said


DEAL = {
    "id": "501", "name": "Initech", "amount": "1250", "currency": "USD", "stage": "closedwon", "pipeline": "default", "opened_at": "2026-03-02T10:00:00Z",
    # Half past midnight in the account's own zone.
    "closed_on": "2026-04-01",
    "type": "new", "owner": "Olga Owner", "lost_reason": None, "recurring": None, "company": {"id": "9", "name": "Initech", "domain": "initech.example"},
    "contacts": [{"id": "7", "email": "ada@initech.example", "phone": "+49 30 901820", "name": "Ada Adams"}, {"id": "8", "email": "bob@initech.example"}],
    "url": f"https://app-eu1.hubspot.com/contacts/{PORTAL}/deal/501",
}  # fmt: skip
STAGES = [("appointmentscheduled", day(2)), ("closedlost", day(5)), ("contractsent", day(8)), ("closedwon", day(9))]


AMOUNTS = [("1200.50", day(2)), ("1000", day(4)), ("1250", day(12))]


async def test_a_deal_says_its_stages_and_amounts_one_by_one_and_how_it_stands(api: Api) -> None:
    said = await fetch(api, "deals", 501, **MAPPED)
    stages = [("deal.updated", {"id": "501", "stage": stage}, at) for stage, at in STAGES]
    amounts = [("deal.updated", {"id": "501", "amount": amount}, at) for amount, at in AMOUNTS]
    assert said == [*stages, *amounts, ("deal.updated", DEAL, day(12))]


async def test_where_settings_say_nothing_of_stages_hubspot_does(api: Api) -> None:
    types = [type_ for type_, _, _ in await fetch(api, "deals", 501)]
    assert types == ["deal.updated", "deal.lost", "deal.reopened", "deal.won", *["deal.updated"] * 4]


async def test_fields_of_the_sites_own_and_recurring_amounts(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.put("deals", 502, day(3), dealname="x" * 2_000, product="Pro", hs_mrr="99.00", csm="32", dealtype="Renewal 2026", browser="v1")
    fields = {"deal.product": "product", "deal.account_manager": "csm", "deal.visitor_id": "browser", "company.industry": "industry"}
    hubspot.link("deals", 502, "companies", 9)
    hubspot.put("deals", 502, day(4), product="Pro")
    [visitor, (_, data, _)] = await fetch(api, "deals", 502, fields=fields, **MAPPED)
    # Whose browser it was depends on when it was named.
    assert visitor == ("deal.updated", {"id": "502", "visitor_id": "v1"}, day(3))
    assert {name: data[name] for name in ("properties", "recurring", "account_manager", "type", "currency", "contacts", "closed_on")} == {
        "properties": {"product": "Pro"}, "recurring": {"amount": "99.00", "period": "month"}, "account_manager": "gone@seller.example",
        "type": "renewal", "currency": "EUR", "contacts": [], "closed_on": None,
    }  # fmt: skip
    assert data["company"] == {"id": "9", "name": "Initech", "domain": "initech.example", "properties": {"industry": "SOFTWARE"}}
    assert len(data["name"]) == 1_000


async def test_a_contact_says_who_it_is_and_when_it_was_what(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.put("contacts", 7, day(2), lifecyclestage="lead")
    hubspot.put("contacts", 7, day(3), by=92, lifecyclestage="marketingqualifiedlead", hs_lead_status="NEW")
    hubspot.put("contacts", 7, day(4), lifecyclestage="")
    hubspot.put("contacts", 7, day(4, 11), lifecyclestage="lead", by=91)
    hubspot.put("contacts", 7, day(4, 12), has_budget="true", is_boss="no")
    hubspot.put("contacts", 7, day(5), lifecyclestage="salesqualifiedlead", by=91)
    hubspot.put("contacts", 7, day(5, 11), needs="Now")
    hubspot.put("contacts", 7, day(6), hs_lead_status="UNQUALIFIED", hs_email_optout="true")
    hubspot.put("contacts", 7, day(6, 11), why="A student")
    hubspot.put("contacts", 7, day(7), hs_lead_status="BAD_TIMING", why=None, hs_additional_emails="ada@home.example;", hs_merged_object_ids="6")
    hubspot.put("contacts", 7, day(7, 11), browser="v1")
    hubspot.put("contacts", 7, day(8), country="DE", hubspot_owner_id=31)
    fields = {
        "budget": "has_budget", "authority": "is_boss", "need": "needs", "timeline": "when", "disqualified_reason": "why", "country": "country",
        "visitor_id": "browser", "deal.product": "product",
    }  # fmt: skip
    said = await fetch(api, "contacts", 7, fields=fields)
    ada = {"id": "7", "email": "ada@initech.example", "phone": "+49 30 901820"}
    assert said == [
        ("contact.updated", {
            **ada, "name": "Ada Adams", "owner": "Olga Owner", "lead_source": None, "company": {"id": "9", "name": "Initech", "domain": "initech.example"},
            "url": f"https://app-eu1.hubspot.com/contacts/{PORTAL}/contact/7", "may_contact": False, "properties": {"country": "DE"},
        }, day(8)),
        ("contact.updated", {"id": "7", "email": "ada@home.example"}, day(1)),
        ("contact.updated", {**ada, "id": "6"}, day(1)),
        ("contact.updated", {"id": "7", "visitor_id": "v1"}, day(7, 11)),
        ("contact.lead", {"id": "7", "by": "crm ui"}, day(2)),
        ("contact.marketing_qualified", {"id": "7", "by": "gone@seller.example"}, day(3)),
        ("contact.marketing_rejected", {"id": "7", "by": "Olga Owner"}, day(4, 11)),
        ("contact.qualified", {"id": "7", "by": "Olga Owner", "bant": {"budget": True, "authority": False}}, day(5)),
        ("contact.qualified", {"id": "7", "by": "Olga Owner", "bant": {"budget": True, "authority": False, "need": True}}, day(5, 11)),
        ("contact.disqualified", {"id": "7", "by": "crm ui", "reason": "A student"}, day(6)),
        ("contact.recycled", {"id": "7", "by": "crm ui", "reason": "bad timing"}, day(7)),
    ]  # fmt: skip


async def test_a_contact_with_little_says_little_and_dates_stand_in_for_a_lost_history(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.put("contacts", 6, day(1), company="Globex", hs_email_optout="false", hs_lifecyclestage_marketingqualifiedlead_date="2026-02-01T08:00:00Z")
    [(_, data, _), mark] = await fetch(api, "contacts", 6)
    assert data == {
        "id": "6", "owner": None, "lead_source": None, "company": {"id": None, "name": "Globex"}, "may_contact": True,
        "url": f"https://app-eu1.hubspot.com/contacts/{PORTAL}/contact/6",
    }  # fmt: skip
    assert mark == ("contact.marketing_qualified", {"id": "6"}, datetime(2026, 2, 1, 8, tzinfo=UTC))


ORIGIN = {"hs_analytics_first_timestamp": "2026-01-05T10:00:00Z"}
WHEN = {"occurred_at": "2026-01-05T10:00:00Z"}
TAGGED = "https://shop.example/?utm_source=news&utm_medium=email&utm_campaign=spring&gclid=g1"


@pytest.mark.parametrize(
    ("told", "touches"),
    [
        ({"hs_analytics_source": "ORGANIC_SEARCH", "hs_analytics_source_data_1": "Unknown keywords (SSL)", "hs_analytics_source_data_2": "google"},
         [{**WHEN, "channel": "Organic Search", "medium": "organic", "source": "google"}]),
        ({"hs_analytics_source": "PAID_SEARCH", "hs_analytics_source_data_1": "spring", "hs_analytics_source_data_2": "crm", "hs_google_click_id": "g1"},
         [{**WHEN, "channel": "Paid Search", "medium": "cpc", "campaign": "spring", "term": "crm", "click_id": "g1"}]),
        ({"hs_analytics_source": "PAID_SOCIAL", "hs_analytics_source_data_1": "Facebook", "hs_analytics_source_data_2": "spring"},
         [{**WHEN, "channel": "Paid Social", "medium": "paid_social", "source": "Facebook", "campaign": "spring"}]),
        ({"hs_analytics_source": "AI_REFERRALS", "hs_analytics_source_data_1": "chatgpt.com"},
         [{**WHEN, "channel": "AI Assistants", "medium": "referral", "source": "chatgpt.com"}]),
        ({"hs_analytics_source": "DIRECT_TRAFFIC", "hs_analytics_source_data_1": "shop.example/", "hs_analytics_first_url": "https://shop.example/"},
         [{**WHEN, "channel": "Direct", "url": "https://shop.example/"}]),
        # Tags of the address travel together: nothing of HubSpot's own words is mixed in.
        ({"hs_analytics_source": "EMAIL_MARKETING", "hs_analytics_source_data_1": "Hub campaign", "hs_analytics_first_url": TAGGED},
         [{**WHEN, "url": TAGGED, "source": "news", "medium": "email", "campaign": "spring", "click_id": "g1"}]),
        # How a record came into HubSpot is no touch, unless the site itself kept where the human came from.
        ({"hs_analytics_source": "OFFLINE", "hs_analytics_source_data_1": "IMPORT"}, None),
        ({"hs_analytics_source": "OFFLINE", "first_source": "fair", "first_campaign": "hannover"}, [{**WHEN, "source": "fair", "campaign": "hannover"}]),
        ({"hs_analytics_source": "REFERRALS", "hs_analytics_source_data_1": "blog.example", "hs_latest_source": "SOCIAL_MEDIA",
          "hs_latest_source_data_1": "LinkedIn", "hs_latest_source_timestamp": "2026-02-01T10:00:00Z"},
         [{**WHEN, "channel": "Referral", "medium": "referral", "source": "blog.example"},
          {"occurred_at": "2026-02-01T10:00:00Z", "channel": "Organic Social", "medium": "social", "source": "LinkedIn"}]),
        ({"hs_analytics_source": "REFERRALS", "hs_latest_source": "REFERRALS", "hs_latest_source_timestamp": "2026-01-05T10:00:00Z"},
         [{**WHEN, "channel": "Referral", "medium": "referral"}]),
        ({}, None),
    ],
)  # fmt: skip
async def test_where_hubspot_says_that_a_contact_came_from(hubspot: FakeHubspot, api: Api, told: dict[str, str], touches: list[Any] | None) -> None:
    hubspot.put("contacts", 6, day(1), **ORIGIN, **told)
    [(_, data, _)] = await fetch(api, "contacts", 6, fields={"utm_source": "first_source", "utm_campaign": "first_campaign"})
    assert data.get("reported_touches") == touches


async def test_who_was_at_a_marketing_event(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.most_listed = 2
    hubspot.events = [
        {"objectId": str(number), "eventName": name, "eventType": type_, "startDateTime": f"2026-{month}-10T18:00:00Z"}
        for number, name, type_, month in ((1, "Old", "WEBINAR", "01"), (2, "Demo", "WEBINAR", "03"), (3, "Fair", "CONFERENCE", "03"))
    ]

    def took_part(contact: int, state: str) -> dict[str, Any]:
        return {"associations": {"contact": {"contactId": str(contact), "email": f"{contact}@example.com"}}, "properties": {"attendanceState": state, "occurredAt": ms(day(10))}}

    hubspot.participations = {"2": [took_part(n, "ATTENDED") for n in (7, 8, 9)] + [took_part(6, "REGISTERED"), took_part(5, "NO_SHOW")], "3": [took_part(7, "ATTENDED")]}
    said = plain(await poll(api, "events", since=1))
    demo = {"occurred_at": "2026-03-10T18:00:00Z", "channel": "Webinars", "medium": "webinar", "campaign": "Demo"}
    fair = {"occurred_at": "2026-03-10T18:00:00Z", "channel": "Events", "medium": "event", "campaign": "Fair"}
    assert said == [
        ("contact.updated", {"id": contact, "email": f"{contact}@example.com", "reported_touches": [touch]}, day(10, 18))
        for contact, touch in (("7", demo), ("8", demo), ("9", demo), ("7", fair))
    ]


CALL = {"id": "71", "kind": "call", "direction": "outbound", "automated": False, "done": True, "took_place_at": "2026-03-03T09:00:00Z", "title": "First call", "by": "Olga Owner"}
ADA, BOB = DEAL["contacts"]  # type: ignore[misc]


async def test_an_engagement_is_an_activity_with_each_of_its_people(hubspot: FakeHubspot, api: Api) -> None:
    assert await fetch(api, "calls", 71) == [("activity.logged", {**CALL, "contact": ADA, "deal": "501"}, day(3))]
    hubspot.link("calls", 71, "contacts", 8)
    hubspot.touch("calls", 71, day(4))
    assert await fetch(api, "calls", 71) == [
        ("activity.logged", {**CALL, "contact": ADA, "deal": "501"}, day(4)),
        ("activity.logged", {**CALL, "id": "71:1", "contact": BOB}, day(4)),
    ]


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("calls", {"hs_call_direction": "INBOUND", "hs_call_status": "MISSED"}, {"kind": "call", "direction": "inbound", "done": False}),
        ("calls", {"hs_call_direction": "OUTBOUND", "hs_call_status": "NO_ANSWER"}, {"kind": "call", "direction": "outbound", "done": True}),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "SENT"}, {"kind": "email", "direction": "outbound", "automated": False, "done": True}),
        ("emails", {"hs_email_direction": "INCOMING_EMAIL"}, {"kind": "email", "direction": "inbound", "automated": False, "done": True}),
        ("emails", {"hs_email_direction": "EMAIL", "hs_sequence_id": "5"}, {"kind": "email", "automated": True}),
        ("emails", {"hs_email_direction": "EMAIL", "hs_object_source": "AUTOMATION_PLATFORM"}, {"automated": True}),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "BOUNCED"}, {"done": False}),
        ("meetings", {"hs_meeting_outcome": "COMPLETED", "hs_meeting_start_time": "2026-03-05T15:00:00Z"}, {"kind": "meeting", "done": True, "took_place_at": "2026-03-05T15:00:00Z"}),
        ("meetings", {"hs_meeting_outcome": "SCHEDULED", "hs_meeting_start_time": "2099-03-05T15:00:00Z"}, {"kind": "meeting", "done": False}),
        ("meetings", {"hs_meeting_outcome": "NO_SHOW"}, {"done": False}),
        ("communications", {"hs_communication_channel_type": "WHATS_APP"}, {"kind": "other", "direction": "outbound"}),
        ("tasks", {"hs_task_status": "COMPLETED", "hs_task_completion_date": "2026-03-06T10:00:00Z"}, {"kind": "other", "done": True, "took_place_at": "2026-03-06T10:00:00Z"}),
        ("tasks", {"hs_task_status": "NOT_STARTED"}, {"done": False}),
        ("notes", {}, {"kind": "other", "done": True, "took_place_at": "2026-03-02T10:00:00Z"}),
    ],
)  # fmt: skip
async def test_kinds_of_engagements(hubspot: FakeHubspot, api: Api, kind: str, properties: dict[str, str], expected: dict[str, Any]) -> None:
    hubspot.put(kind, 80, day(2), hs_timestamp="2026-03-02T10:00:00Z", **properties)
    hubspot.link(kind, 80, "contacts", 7)
    [(type_, data, _)] = await fetch(api, kind, 80)
    assert (type_, {name: data.get(name) for name in expected}) == ("activity.logged", expected)


async def test_a_mail_to_many_is_bulk_and_an_engagement_with_nobody_is_gone(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.put("emails", 81, day(2), hs_email_direction="EMAIL")
    hubspot.put("emails", 82, day(2), hs_email_direction="EMAIL")
    hubspot.link("emails", 81, "contacts", *range(100, 112))
    said = await fetch(api, "emails", 81, 82)
    assert [(type_, data["id"], data.get("automated")) for type_, data, _ in said] == [
        ("activity.logged", each, True) for each in ("81", *(f"81:{n}" for n in range(1, 10)))
    ] + [("activity.deleted", "82", None)]  # fmt: skip


async def test_what_is_gone_says_so_with_its_time_where_there_is_one(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.put("deals", 502, day(2), dealname="Test")
    hubspot.archive("deals", 502, day(6))
    assert await fetch(api, "deals", 502, 999) == [("deal.deleted", {"id": "502"}, day(6)), ("deal.deleted", {"id": "999"}, None)]
    assert await fetch(api, "contacts", 999) == []
    hubspot.archive("calls", 71, day(7))
    assert (await fetch(api, "calls", 71))[:2] == [("activity.deleted", {"id": "71"}, day(7)), ("activity.deleted", {"id": "71:1"}, day(7))]


async def test_pipelines_with_what_their_stages_mean_and_the_account(api: Api) -> None:
    assert PROVIDER.pipelines is not None
    assert PROVIDER.account is not None
    sales, hiring = await PROVIDER.pipelines(api, sender())
    assert hiring == Pipeline("hiring", "Hiring", (Stage("applied", "Applied"),))
    assert [(stage.id, stage.meaning) for stage in sales.stages] == [("appointmentscheduled", ""), ("contractsent", ""), ("closedwon", "won"), ("closedlost", "lost")]
    assert await PROVIDER.account(api, sender()) == f"HubSpot account {PORTAL} (app-eu1.hubspot.com)"


async def test_a_hundred_records_cost_as_many_calls_as_a_few(hubspot: FakeHubspot, api: Api) -> None:
    for number in range(1_000, 1_100):
        hubspot.put("deals", number, day(3), dealname=str(number), dealstage="contractsent")
        hubspot.link("deals", number, "contacts", 7, 8)
    hubspot.calls()
    await fetch(api, "deals", *range(1_000, 1_100), **MAPPED)
    assert hubspot.calls() == {
        "POST /crm/v3/objects/deals/batch/read": 2,  # with history, fifty at once
        "POST /crm/v4/associations/deals/contacts/batch/read": 1,
        "POST /crm/v4/associations/deals/companies/batch/read": 1,
        "POST /crm/v3/objects/contacts/batch/read": 1,
        "GET /account-info/v3/details": 1,
        "GET /crm/v3/owners": 2,
    }


# ---------------------------------------------------------------- polling


@pytest.mark.parametrize(("kind", "kinds"), [("contacts", ["contacts"]), ("deals", ["deals"]), ("activities", ["calls", "emails"])])
async def test_a_poll_says_what_fetches_say(hubspot: FakeHubspot, api: Api, kind: str, kinds: list[str]) -> None:
    assert PROVIDER.fetch is not None
    hubspot.put("emails", 81, day(2), hs_email_direction="EMAIL")
    hubspot.link("emails", 81, "contacts", 8)
    hubspot.put("deals", 502, day(2), dealname="Deleted")
    hubspot.archive("deals", 502, day(6))
    fetched = [said for each in kinds for said in await PROVIDER.fetch(api, sender(**MAPPED), each, sorted(hubspot.records[each]))]
    assert {said.id: said for said in await poll(api, kind, **MAPPED)} == {said.id: said for said in fetched}


async def test_only_what_changed_and_was_deleted_since(hubspot: FakeHubspot, api: Api) -> None:
    for number, changed_at, deleted_at in ((601, day(3), None), (602, day(4), None), (603, day(3), day(3)), (604, day(3), day(4))):
        hubspot.put("deals", number, changed_at, dealname=str(number))
        if deleted_at:
            hubspot.archive("deals", number, deleted_at)
    said = plain(await poll(api, "deals", since=4, **MAPPED))
    assert [(type_, data["id"]) for type_, data, _ in said if data["id"] != "501"] == [("deal.updated", "602"), ("deal.deleted", "604")]


async def test_more_than_a_page_in_one_instant_and_changes_while_it_is_read(hubspot: FakeHubspot, api: Api) -> None:
    """A bulk update gives thousands of records one time of change; paging by place or by time would lose some, or stop."""
    assert PROVIDER.poll is not None
    numbers = range(2_000, 2_250)
    for number in numbers:
        hubspot.put("contacts", number, day(3), email=f"{number}@example.com")
    page = await PROVIDER.poll(api, sender(), "contacts", to_micros(day(2)), None)
    for number in (2_000, 2_050):
        hubspot.put("contacts", number, day(4), email=f"{number}@example.com")
    seen = [said.data["id"] for said in page.said]
    while page.cursor is not None:
        page = await PROVIDER.poll(api, sender(), "contacts", to_micros(day(2)), page.cursor)
        seen += [said.data["id"] for said in page.said]
    assert seen == [str(number) for number in numbers]


async def test_lists_of_more_than_one_page(hubspot: FakeHubspot, api: Api) -> None:
    hubspot.most_listed = 1
    [*_, (_, data, _)] = await fetch(api, "deals", 501, **MAPPED)
    assert data == DEAL
    for number in (701, 702):
        hubspot.put("deals", number, day(2))
        hubspot.archive("deals", number, day(6))
    assert {said.data["id"] for said in await poll(api, "deals", **MAPPED) if said.type == "deal.deleted"} == {"701", "702"}


# ---------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ((429, {"retry-after": "7"}, {"message": "You have reached your secondly limit.", "policyName": "SECONDLY"}), Throttled),
        ((500, {}, {"message": "internal error"}), Failed),
        ((BREAKS, {}, {}), Failed),
        ((403, {}, {"category": "MISSING_SCOPES", "message": "This app hasn't been granted all required scopes"}), Denied),
        # An answer in part must not pass for 'the rest is gone'.
        ((207, {}, {"status": "COMPLETE", "results": [], "errors": [{"category": "TIMEOUT", "message": "try again"}]}), Failed),
    ],
)
async def test_trouble_is_never_taken_for_an_answer(hubspot: FakeHubspot, api: Api, fault: Any, error: type[Exception]) -> None:
    for calls_before in range(3):
        hubspot.faults.extend([*[_answered(hubspot, n) for n in range(calls_before)], fault])
        with pytest.raises(error) as raised:
            await fetch(api, "deals", 501, **MAPPED)
        assert TOKEN not in str(raised.value)
        hubspot.faults.clear()
    assert (await fetch(api, "deals", 501, **MAPPED))[-1][1] == DEAL


async def test_an_answer_that_does_not_come_is_no_answer(hubspot: FakeHubspot) -> None:
    hubspot.faults.append((STALLS, {}, {"results": []}))
    async with api_waiting(hubspot, seconds=1) as hasty:
        with pytest.raises(Failed, match="in time"):
            await fetch(hasty, "deals", 501, **MAPPED)


def _answered(hubspot: FakeHubspot, call: int) -> Any:
    """A true answer to one of the first calls of a fetch of the deal."""
    everything = [
        ("/crm/v3/objects/deals/batch/read", {"inputs": [{"id": "501"}], "properties": ["dealname"], "propertiesWithHistory": ["dealstage"]}),
        ("/crm/v4/associations/deals/contacts/batch/read", {"inputs": [{"id": "501"}]}),
    ]
    path, body = everything[call]
    return 200, {}, hubspot._found(path.strip("/").split("/"), {}, body)


# ---------------------------------------------------------------- from a click to the deal


@pytest.mark.parametrize("way", ["webhooks", "polling"])
async def test_from_a_click_to_the_attributed_deal(
    database: Database, application: FastAPI, door: httpx.AsyncClient, hubspot: FakeHubspot, way: str
) -> None:
    """Ada clicked an ad and asked for a demo; the deal that HubSpot closes is credited to the ad, whichever way it is heard of."""
    click = {"url": "https://shop.example/?utm_source=google&utm_medium=cpc", "visitor_id": "v1"}
    events = [
        {**click, "type": "visit", "occurred_at": "2026-03-01T08:00:00Z"},
        {**click, "type": "form_submit", "form": "Demo", "email": "ada@initech.example", "occurred_at": "2026-03-01T08:05:00Z"},
    ]
    assert (await door.post("/v1/events", json={"events": events}, headers=ADMIN)).json()["accepted"] == 2
    assert (await door.patch("/v1/connections/crm", json={"api_base_url": hubspot.url}, headers=ADMIN)).status_code == 200
    calls = Calls(database, application.state.log, application.state.directory, allow_private=True)
    async with database.read() as connection:
        crm = await load_connection(connection, "default", "crm")
    async with api_of(crm, PROVIDER, allow_private=True) as opened:
        if way == "webhooks":
            # The service at the other end of the answer is down at first.
            hubspot.is_down = True
            told = [event("deal.propertyChange", at=day(9), propertyName="dealstage", propertyValue="closedwon"), event("object.creation", 71, objectTypeId="0-48")]
            assert (await post(door, told)).status_code == 202
            assert await fetch_batch(calls, crm, PROVIDER, opened)
            hubspot.is_down = False
            calls = replace(calls, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
            while await fetch_batch(calls, crm, PROVIDER, opened):
                pass
        else:
            async with database.write() as connection:
                await begin_polls(connection, crm, PROVIDER.polls, day(1), datetime.now(UTC))
            while await poll_page(calls, crm, PROVIDER, opened):
                pass
    await run_until_idle(database)
    asked = {"conversion": "customer", "model": "linear", "by": "channel", "from": "2026-01-01", "to": "2027-01-01"}
    answer = (await door.get("/v1/reports/attribution", params=asked, headers=ADMIN)).json()
    assert answer["rows"] == [{"channel": "Paid Search", "conversions": 1, "revenue": "1250.00"}]
    await assert_rows(database, tables.sales_activities, ["activity_id", "kind", "told_by", "deal_id"], [["71", "call", "Olga Owner", "501"]])
    await assert_rows(database, tables.crm_fetches, ["record_id"], [])
    await assert_rows(database, tables.quarantine, ["reason"], [])


# ---------------------------------------------------------------- what becomes of it

TABLES = (
    (tables.deals, {"site_id", "space"}),
    (tables.conversions, {"site_id", "space", "fact_id", "holder_id", "person_id"}),
    (tables.ledger_entries, {"site_id", "space", "fact_id", "holder_id"}),
    (tables.sales_activities, {"site_id", "space", "fact_id", "person_id"}),
)


async def rows(database: Database, site_id: str, table: Any, without: set[str]) -> list[Any]:
    columns = [column for column in table.c if column.name not in {*without, "run_id"}]
    async with database.read() as connection:
        return sorted((tuple(row) for row in await connection.execute(select(*columns).where(table.c.site_id == site_id))), key=repr)


async def test_any_order_any_way_and_any_number_of_times_gives_the_same_tables(
    database: Database, application: FastAPI, client: httpx.AsyncClient, hubspot: FakeHubspot, api: Api
) -> None:
    """One account, heard of by webhooks and fetches in order, by the same in disorder and twice, and by polling."""
    assert PROVIDER.fetch is not None
    at_once = [
        event("deal.propertyChange", at=at, propertyName="dealstage", propertyValue=stage, eventId=number) for number, (stage, at) in enumerate(STAGES)
    ]
    fetched = [[*await PROVIDER.fetch(api, sender(**MAPPED), kind, ids)] for kind, ids in (("contacts", ["7", "8"]), ("deals", ["501"]), ("calls", ["71"]))]
    polled = [await poll(api, kind, **MAPPED) for kind in ("contacts", "deals", "activities")]
    told = [[*read([each]).said] for each in at_once]
    shuffled = [each for group in [*told, *fetched, *fetched] for each in group]
    Random(3).shuffle(shuffled)
    for site_id, groups in (("default", [*told, *fetched]), ("shuffled", [shuffled]), ("polled", polled)):
        if site_id != "default":
            assert (await client.post("/v1/sites", json={"id": site_id}, headers=ADMIN)).status_code == 201
        wanted_ = {"id": site_id, "provider": "hubspot", "secret": SECRET, "settings": MAPPED}
        assert (await client.post(f"/v1/connections?site={site_id}", json=wanted_, headers=ADMIN)).status_code == 201
        site = await application.state.directory.site(site_id)
        connection = Connection(site_id, site_id, (SECRET,), sender(**MAPPED).fields, AT)
        for group in groups:
            facts, quarantined = facts_of(site, connection, Read(said=tuple(group)), to_micros(day(20)))
            assert quarantined == []
            await application.state.log.append(facts)
    await run_until_idle(database)
    for table, without in TABLES:
        expected = await rows(database, "default", table, without)
        assert expected, table.name
        for site_id in ("shuffled", "polled"):
            assert await rows(database, site_id, table, without) == expected, (site_id, table.name)
    columns = ["site_id", "deal_id", "outcome", "won_at", "amount_minor", "currency", "closed_on", "owner", "ignored_because"]
    deal = ["501", "won", day(9), 125_000, "USD", "2026-04-01", "Olga Owner", None]
    await assert_rows(database, tables.deals, columns, [[site_id, *deal] for site_id in ("default", "shuffled", "polled")])
    # What it was worth at the win, and what became of that later, even where it was heard of only then.
    worth = [[0, day(9), 100_000], [1, day(12), 125_000]]
    expected_worth = [[site_id, *row] for site_id in ("default", "shuffled", "polled") for row in worth]
    await assert_rows(database, tables.deal_amounts, ["site_id", "entry", "occurred_at", "after_minor"], expected_worth)
