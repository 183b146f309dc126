"""Salesforce: Outbound Messages and Flows over HTTP, its API against a server that answers like it, and what records say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from app import tables
from app.crm.api import Api, Denied, Failed, Throttled, api_of
from app.crm.calls import Calls
from app.crm.fetching import fetch_batch
from app.crm.messages import Said
from app.crm.polling import begin_anew, poll_page
from app.crm.salesforce import PROVIDER, quoted
from app.crm.salesforce_records import SAID
from app.crm.salesforce_values import Org, full_id, is_record_id
from app.db import Database
from app.pipeline import run_until_idle
from app.sites.connections import Connection, ConnectionFields, ConnectionSettings, PipelineSettings, load_connection
from app.tables import to_micros
from tests.crm.fake_salesforce import CLIENT, CLIENT_SECRET, ORGANIZATION, TOKEN, Organization, notification, outbound_message, serving
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
SECRET = "a+secret/of=salesforce"
ACK = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)
DEAL, LEAD, CONTACT, CALL = "006000000000001AAA", "00Q000000000001EAA", "003000000000001AAA", "00T000000000001EAA"
ACCOUNT, MEMBER, MEETING = "001000000000001AAA", "00v000000000001AAA", "00U000000000001EAA"
STAMP = "2026-03-04T10:00:00.000Z"


# ---------------------------------------------------------------- what records say


def org(*, has_token: bool = True, **settings: Any) -> Org:
    return Org(ConnectionSettings(**settings), "https://acme.example", has_token)


def told(object_name: str, record: dict[str, Any], of: Org | None = None) -> list[tuple[str, dict[str, Any], int | None]]:
    return [(said.type, said.data, said.occurred_at) for said in SAID[object_name](of or org(), record)]


def micros(text: str) -> int:
    return to_micros(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00558000001N0Ke", "00558000001N0KeAAK"),
        ("00558000001N0KeAAK", "00558000001N0KeAAK"),
        ("00558000001n0keaak", "00558000001N0KeAAK"),
        ("00558000001N0KeAAA", "00558000001N0KeAAA"),  # no checksum of it
        ("short", "short"), ("", ""), (None, None), (12, 12), ("äöü000000000000", "äöü000000000000"),
    ],
)  # fmt: skip
def test_an_id_has_one_form(sent: Any, kept: Any) -> None:
    assert full_id(sent) == kept


def test_a_message_is_not_taken_for_a_record() -> None:
    assert is_record_id("00558000001N0Ke")
    assert is_record_id("00558000001N0KeAAK")
    assert not is_record_id("3fa85f64-5717-4562-b3fc-2c963f66afa6")


def test_what_an_opportunity_says() -> None:
    record = {
        "Id": DEAL[:15], "Name": "Initech", "Amount": "120000.0", "CurrencyIsoCode": "EUR", "StageName": "Closed Won", "CloseDate": "2026-03-04",
        "CreatedDate": "2026-02-01T08:00:00.000+0000", "Type": "Existing Business", "OwnerId": "005000000000001", "AccountId": ACCOUNT,
        "Contact_Email__c": "mia@initech.example.com", "Loss_Reason__c": None, "RecordTypeId": "", "LastModifiedDate": STAMP, "Product__c": "Pro",
    }  # fmt: skip
    data = {
        "id": DEAL, "name": "Initech", "amount": "120000", "currency": "EUR", "opened_at": "2026-02-01T08:00:00.000Z", "closed_on": "2026-03-04",
        "pipeline": "default", "stage": "Closed Won", "type": "expansion", "company": {"id": ACCOUNT}, "owner": "005000000000001",
        "lost_reason": None, "contacts": [{"email": "mia@initech.example.com"}], "url": f"https://acme.example/{DEAL}", "properties": {"product": "Pro"},
    }  # fmt: skip
    assert told("Opportunity", record, org(has_token=False, fields={"product": "Product__c"})) == [("deal.won", data, micros(STAMP))]


def test_a_stage_holds_since_it_was_entered_where_the_record_says_since_when() -> None:
    record = {"Id": DEAL, "StageName": "Signed", "IsWon": True, "IsClosed": True, "CreatedDate": "2026-01-05T08:00:00.000+0000"}
    later = {**record, "LastStageChangeDate": "2026-03-01T08:00:00.000+0000", "LastModifiedDate": "2026-03-09T08:00:00.000+0000"}
    url = f"https://acme.example/{DEAL}"
    rest = {"id": DEAL, "opened_at": "2026-01-05T08:00:00.000Z", "url": url}
    assert told("Opportunity", later) == [
        ("deal.updated", rest, micros("2026-03-09T08:00:00Z")),
        ("deal.won", {"id": DEAL, "stage": "Signed"}, micros("2026-03-01T08:00:00Z")),
    ]
    never_moved = told("Opportunity", {**later, "LastStageChangeDate": None})
    assert never_moved[1] == ("deal.won", {"id": DEAL, "stage": "Signed"}, micros("2026-01-05T08:00:00Z"))


@pytest.mark.parametrize(
    ("record", "type_"),
    [
        ({"IsWon": "true", "IsClosed": "true"}, "deal.won"),
        ({"IsWon": False, "IsClosed": True}, "deal.lost"),
        ({"IsWon": False, "IsClosed": False, "StageName": "Closed Won"}, "deal.reopened"),
        ({"StageName": "Closed Lost"}, "deal.lost"),
        ({"StageName": "Prospecting"}, "deal.reopened"),
        ({"StageName": "Signed"}, "deal.updated"),
        ({"IsClosed": "true"}, "deal.updated"),
        ({"IsDeleted": True}, "deal.deleted"),
    ],
)
def test_the_outcome_is_what_salesforce_says_it_is(record: dict[str, Any], type_: str) -> None:
    assert [said.type for said in SAID["Opportunity"](org(), {"Id": DEAL, "LastModifiedDate": STAMP, **record})] == [type_]


def test_stages_that_the_site_maps_decide_alone() -> None:
    mapped = org(pipelines={"default": PipelineSettings(won=["Signed"])})
    [(type_, data, _)] = told(
        "Opportunity", {"Id": DEAL, "StageName": "Signed", "IsWon": True, "IsClosed": True, "LastModifiedDate": STAMP}, mapped
    )
    assert (type_, data["stage"], data["pipeline"]) == ("deal.updated", "Signed", "default")


def test_contacts_of_a_deal_are_its_roles_the_primary_first_and_a_change_of_role_is_a_change() -> None:
    roles = [
        {
            "Id": "1",
            "ContactId": CONTACT,
            "Contact": {"Email": "noah@initech.example.com", "Phone": None, "Name": "Noah"},
            "IsPrimary": False,
        },
        {"Id": "2", "ContactId": "003000000000002", "IsPrimary": True, "LastModifiedDate": "2026-03-05T10:00:00.000+0000"},
        {"Id": "3", "ContactId": "003000000000003", "IsDeleted": True, "LastModifiedDate": "2026-03-06T10:00:00.000+0000"},
    ]
    record = {"Id": DEAL, "LastModifiedDate": STAMP, "OpportunityContactRoles": {"done": True, "records": roles}}
    [(_, data, occurred_at)] = told("Opportunity", record)
    noah = {"id": CONTACT, "email": "noah@initech.example.com", "phone": None, "name": "Noah"}
    assert data["contacts"] == [{"id": "003000000000002AAA"}, noah]
    assert occurred_at == micros("2026-03-06T10:00:00Z")


@pytest.mark.parametrize(
    ("record", "may_contact"),
    [
        ({"HasOptedOutOfEmail": "true"}, False),
        ({"HasOptedOutOfEmail": True, "DoNotCall": False}, True),
        ({"HasOptedOutOfEmail": True, "DoNotCall": True}, False),
        ({"DoNotCall": "0"}, True),
        ({}, None),
    ],
)
def test_a_human_may_be_contacted_while_a_way_is_open(record: dict[str, Any], may_contact: bool | None) -> None:
    [(_, data, _)] = told("Contact", {"Id": CONTACT, "LastModifiedDate": STAMP, **record})
    assert data.get("may_contact") is may_contact


def test_a_web_lead_with_its_first_source() -> None:
    record = {
        "Id": LEAD, "Email": "mia@initech.example.com", "FirstName": "Mia", "LastName": "Ito", "Company": "Initech", "Website": "https://initech.example.com",
        "LeadSource": "Web", "Status": "Open", "CreatedDate": "2026-03-01T10:00:00.000+0000", "LastModifiedDate": STAMP, "utm_source__c": "google",
        "gclid__c": "Cj0", "OwnerId": "005000000000001AAA", "Owner": {"Name": "Kim"},
    }  # fmt: skip
    touch = {"occurred_at": "2026-03-01T10:00:00.000Z", "source": "google", "click_id": "Cj0"}
    data = {
        "lead_id": LEAD, "email": "mia@initech.example.com", "name": "Mia Ito", "lead_source": "Web", "owner": "Kim",
        "reported_touches": [touch], "company": {"name": "Initech", "domain": "https://initech.example.com"}, "url": f"https://acme.example/{LEAD}",
    }  # fmt: skip
    made = ("contact.lead", {"lead_id": LEAD}, micros("2026-03-01T10:00:00Z"))
    assert told("Lead", record) == [("contact.updated", data, micros(STAMP)), made]
    assert [said.type for said in SAID["Lead"](org(fields={"web_sources": "Form;Chat"}), record)] == ["contact.updated", "contact.created"]


@pytest.mark.parametrize(
    ("fields", "record", "mark"),
    [
        ({}, {"Status": "Unqualified"}, ("contact.disqualified", {"reason": "Unqualified"})),
        ({}, {"Status": "unqualified", "Unqualified_Reason__c": "Student"}, ("contact.disqualified", {"reason": "Student"})),
        ({"disqualified_status": "Junk; Spam"}, {"Status": "Spam"}, ("contact.disqualified", {"reason": "Spam"})),
        ({"disqualified_status": "Junk"}, {"Status": "Unqualified"}, None),
        ({}, {"Status": "MQL"}, ("contact.marketing_qualified", {})),
        (
            {"need": "Need__c", "budget": "Budget__c"},
            {"Status": "Qualified", "Need__c": "true"},
            ("contact.qualified", {"bant": {"need": True}}),
        ),
        ({}, {"Status": "Closed", "IsConverted": True, "Owner": {"Name": "Kim"}}, ("contact.qualified", {"by": "Kim"})),
        ({}, {"Status": "Working - Contacted"}, None),
    ],
)
def test_what_the_status_of_a_lead_means(fields: dict[str, str], record: dict[str, Any], mark: tuple[str, dict[str, Any]] | None) -> None:
    said = told("Lead", {"Id": LEAD, "LastModifiedDate": STAMP, **record}, org(fields=fields))
    assert said[1:] == ([] if mark is None else [(mark[0], {"lead_id": LEAD, **mark[1]}, micros(STAMP))])


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"TaskSubtype": "Call", "Status": "Completed", "CompletedDateTime": "2026-03-03T09:00:00.000+0000", "CallType": "Outbound"},
            {"kind": "call", "direction": "outbound", "automated": False, "done": True, "took_place_at": "2026-03-03T09:00:00.000Z"},
        ),
        (
            {"TaskSubtype": "ListEmail", "IsClosed": True, "ActivityDate": "2026-03-04", "CreatedDate": STAMP},
            {"kind": "email", "automated": True, "done": True, "took_place_at": STAMP},
        ),
        (
            {"Subject": "Email: offer", "IsClosed": "true", "ActivityDate": "2026-03-02", "CreatedDate": STAMP},
            {"kind": "email", "automated": False, "done": True, "took_place_at": "2026-03-02", "title": "Email: offer"},
        ),
        ({"Type": "Call", "Status": "Not Started"}, {"kind": "call", "automated": False, "done": False}),
        ({"Type": "Meeting"}, {"kind": "meeting", "automated": False, "done": False}),
        (
            {"Subject": "Prepare contract", "IsClosed": True},
            {"kind": "other", "automated": False, "done": True, "title": "Prepare contract"},
        ),
    ],
)
def test_what_a_task_says(record: dict[str, Any], expected: dict[str, Any]) -> None:
    sent = {"Id": CALL, "WhoId": LEAD[:15], "WhatId": DEAL, "LastModifiedDate": STAMP, **record}
    assert told("Task", sent) == [("activity.logged", {"id": CALL, **expected, "contact": {"lead_id": LEAD}, "deal": DEAL}, micros(STAMP))]


def test_a_task_about_an_account_alone_says_nothing_and_a_deleted_one_that_it_is_gone() -> None:
    assert told("Task", {"Id": CALL, "WhoId": None, "WhatId": ACCOUNT, "IsClosed": True}) == []
    assert told("Task", {"Id": CALL, "IsDeleted": True, "SystemModstamp": STAMP}) == [("activity.deleted", {"id": CALL}, micros(STAMP))]


def test_an_event_is_a_meeting_at_its_start() -> None:
    record = {
        "Id": MEETING,
        "WhoId": CONTACT,
        "StartDateTime": "2026-03-10T15:00:00.000+0000",
        "LastModifiedDate": STAMP,
        "Subject": "Demo",
    }
    data = {
        "id": MEETING, "kind": "meeting", "automated": False, "done": True, "took_place_at": "2026-03-10T15:00:00.000Z", "title": "Demo",
        "contact": {"id": CONTACT},
    }  # fmt: skip
    assert told("Event", record) == [("activity.logged", data, micros(STAMP))]


@pytest.mark.parametrize(
    ("campaign", "status", "has_responded", "channel"),
    [
        ({"Name": "SaaS Day", "Type": "Conference"}, "Registered", True, None),
        ({"Name": "SaaS Day", "Type": "Conference"}, "Attended", True, "Events"),
        ({"Name": "SaaS Day", "Type": "Conference"}, "Did not attend", False, None),
        ({"Name": "Intro", "Type": "Webinar"}, "No show - attended later", True, None),
        ({"Name": "Spring", "Type": "Email"}, "Sent", False, None),
        ({"Name": "Spring", "Type": "Email"}, "Responded", True, ""),
    ],
)
def test_who_registered_has_not_come(campaign: dict[str, str], status: str, has_responded: bool, channel: str | None) -> None:
    record = {
        "Id": MEMBER,
        "LeadId": LEAD,
        "Campaign": campaign,
        "Status": status,
        "HasResponded": has_responded,
        "FirstRespondedDate": "2026-03-03",
    }
    touch = {"occurred_at": "2026-03-03T00:00:00.000Z", "source": "salesforce", "medium": campaign["Type"], "campaign": campaign["Name"]}
    touches = [{**data["reported_touches"][0]} for _, data, _ in told("CampaignMember", {**record, "LastModifiedDate": STAMP})]
    assert touches == ([] if channel is None else [touch | ({"channel": channel} if channel else {})])


def test_history_says_stages_and_statuses_at_their_own_time() -> None:
    row = {"Id": "008", "OpportunityId": DEAL, "StageName": "Closed Won", "Amount": 10.5, "CloseDate": "2026-03-04", "CreatedDate": STAMP}
    data = {"id": DEAL, "stage": "Closed Won", "amount": "10.5", "closed_on": "2026-03-04"}
    assert told("OpportunityHistory", row) == [("deal.won", data, micros(STAMP))]
    changed = {"Id": "017", "OpportunityId": DEAL, "Field": "StageName", "NewValue": "Closed Lost", "CreatedDate": STAMP}
    assert told("OpportunityFieldHistory", changed) == [("deal.lost", {"id": DEAL, "stage": "Closed Lost"}, micros(STAMP))]
    assert told("OpportunityFieldHistory", {**changed, "Field": "Amount"}) == []
    status = {"Id": "017", "LeadId": LEAD, "Field": "Status", "NewValue": "Unqualified", "CreatedDate": STAMP}
    assert told("LeadHistory", status) == [("contact.disqualified", {"lead_id": LEAD, "reason": "Unqualified"}, micros(STAMP))]
    assert told("LeadHistory", {**status, "Field": "leadConverted", "NewValue": None}) == [
        ("contact.qualified", {"lead_id": LEAD}, micros(STAMP))
    ]


def test_no_record_makes_the_reading_fail() -> None:
    nonsense: tuple[Any, ...] = (
        {},
        [],
        {"a": 1},
        [None],
        0,
        -1.5,
        10**30,
        True,
        None,
        "",
        "x",
        "2026-02-30",
        "2026-99-99T99:99:99.000+9999",
    )
    names = {
        "Id", "Name", "Amount", "StageName", "IsWon", "IsClosed", "CloseDate", "CreatedDate", "LastModifiedDate", "AccountId", "Account", "Owner",
        "OwnerId", "Type", "ContactId", "OpportunityContactRoles", "Email", "Phone", "Status", "LeadSource", "WhoId", "WhatId", "Subject",
        "StartDateTime", "ActivityDate", "Campaign", "CampaignId", "LeadId", "Field", "NewValue", "RecordTypeId", "FirstRespondedDate", "utm_source__c",
        "ConvertedOpportunityId", "ConvertedContactId", "IsDeleted", "LastStageChangeDate", "mrr__c", "HasOptedOutOfEmail", "Company",
    }  # fmt: skip
    random = Random(1)
    for _ in range(60):
        record = {name: random.choice(nonsense) for name in sorted(names) if random.random() < 0.7}
        for tell in SAID.values():
            for each in (org(has_token=False, fields={"mrr": "mrr__c"}), org(pipelines={"default": PipelineSettings(won=["x"])})):
                assert all(json.dumps(said.data) for said in tell(each, record))


# ---------------------------------------------------------------- the door


async def connect(client: httpx.AsyncClient, id: str = "crm", site: str | None = None, **fields: Any) -> None:
    made = await client.post(
        "/v1/connections", params={"site": site} if site else None, headers=ADMIN,
        json={"id": id, "provider": "salesforce", "secret": SECRET, **fields},
    )  # fmt: skip
    assert made.status_code == 201, made.text


async def send(client: httpx.AsyncClient, body: str, secret: str = SECRET, id: str = "crm") -> httpx.Response:
    kind = "text/xml; charset=utf-8" if body.startswith("<") else "application/json"
    return await client.post(f"/v1/webhooks/{id}?secret={secret}", content=body, headers={"Content-Type": kind})


def opportunity(number: int, **fields: Any) -> str:
    return notification(number, "Opportunity", Id=f"006{number:012}", LastModifiedDate=STAMP, **fields)


@pytest.mark.parametrize("count", [1, 2, 100])
async def test_an_outbound_message_is_acknowledged_and_every_notification_is_a_fact(
    database: Database, client: httpx.AsyncClient, count: int
) -> None:
    await connect(client)
    message = outbound_message(
        *(opportunity(number, Name=f"Deal {number}", Amount="120000.0", StageName="Closed Won") for number in range(count))
    )
    for _ in range(2):
        answer = await send(client, message)
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, "text/xml; charset=utf-8", ACK)
    rows = [[f"006{number:012}AAA", "deal.won", datetime(2026, 3, 4, 10, tzinfo=UTC), "crm"] for number in range(count)]
    await assert_rows(database, tables.crm_facts, ["deal_id", "type", "occurred_at", "space"], rows)
    await assert_rows(database, tables.quarantine, ["reason"], [])


@pytest.mark.parametrize("account_id", [None, ORGANIZATION])
async def test_an_address_that_is_none_is_no_loss(database: Database, client: httpx.AsyncClient, account_id: str | None) -> None:
    await connect(client, settings={"account_id": account_id})
    answer = await send(client, outbound_message(opportunity(1, Name="Initech")).replace("https://acme", "https://[acme"))
    assert (answer.status_code, answer.text) == (200, ACK)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.crm_facts)) == 1


async def test_an_absent_field_says_nothing_and_nil_clears(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    await send(client, outbound_message(opportunity(1, Name="Tools & <More>", Amount=None)))
    fields = [["name", "Tools & <More>"], ["amount", None], ["url", "https://acme.my.salesforce.com/006000000000001AAA"]]
    await assert_rows(database, tables.deal_fields, ["field", "value"], fields)


async def test_a_message_without_a_time_is_named_by_its_notification(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    for number in (1, 1, 2):
        await send(client, outbound_message(notification(number, "Opportunity", Id=DEAL, StageName="Closed Won")))
    await assert_rows(database, tables.crm_facts, ["deal_id", "type"], [[DEAL, "deal.won"]] * 2)


async def test_who_does_not_know_a_live_secret_is_refused(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    await client.patch("/v1/connections/crm", json={"secret": "the-next-secret"}, headers=ADMIN)
    message = outbound_message(opportunity(1))
    for secret, status in (("wrong", 401), ("", 401), (SECRET, 200), ("a%2Bsecret%2Fof%3Dsalesforce", 200), ("the-next-secret", 200)):
        assert (await send(client, message, secret)).status_code == status
    assert (await client.post("/v1/webhooks/crm", content=message)).status_code == 401
    await client.patch("/v1/connections/crm", json={"previous_secret": None}, headers=ADMIN)
    assert (await send(client, message)).status_code == 401
    dropped = (await client.get("/v1/status", headers=ADMIN)).json()["dropped"]
    assert dropped == {"bad_signature:crm": 4}
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.crm_facts)) == 1


async def test_another_organization_is_refused(client: httpx.AsyncClient) -> None:
    await connect(client, settings={"account_id": ORGANIZATION[:15]})
    ours, theirs = outbound_message(opportunity(1)), outbound_message(opportunity(1), organization="00D000000000002EAA")
    assert [(await send(client, message)).status_code for message in (ours, theirs, outbound_message(opportunity(1), organization=""))] == [
        200,
        401,
        401,
    ]
    flow = {"object": "Opportunity", "record": {"Id": DEAL}}
    for organization, status in ((ORGANIZATION, 202), ("00D000000000002EAA", 401), (None, 202)):
        assert (await send(client, json.dumps({**flow, "organization_id": organization}))).status_code == status


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY b{n} "{"&a;" * 10}">' for n in range(9)) + "]><a>&b8;</a>"
UNREADABLE = (
    (BOMB, "declares"),
    ('<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><a>&a;</a>', "declares"),
    ('<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', "declares"),
    (outbound_message(notification(1, "Opportunity", Id=DEAL))[:-40], "not well-formed"),
    ("<a/>", "no Outbound Message"),
    (outbound_message(), "no Outbound Message"),
    ("<" + "a" * 5_000, "not well-formed"),
    ('<?xml version="1.0" encoding="no-such"?><a/>', "not well-formed"),
)


async def test_what_cannot_be_read_is_kept_and_acknowledged(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client, settings={"account_id": ORGANIZATION})
    for body, _ in UNREADABLE:
        answer = await send(client, body)
        assert (answer.status_code, answer.text) == (200, ACK)
    async with database.read() as connection:
        kept = (await connection.execute(select(tables.quarantine.c.body, tables.quarantine.c.reason))).all()
        assert await connection.scalar(select(func.count()).select_from(tables.crm_facts)) == 0
    reasons = {json.loads(each.body)["body"]: each.reason for each in kept}
    assert len(reasons) == len(UNREADABLE)
    assert [reason in reasons[body] for body, reason in UNREADABLE] == [True] * len(UNREADABLE)


async def test_what_is_bad_in_one_notification_is_not_its_neighbours_loss(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    bad = [
        opportunity(2, CloseDate="soon"),
        opportunity(3, Amount="a lot"),
        notification(4, "Opportunity", Name="no ID"),
        notification(5, "Case", Id="500"),
    ]
    assert (await send(client, outbound_message(opportunity(1), *bad))).text == ACK
    await assert_rows(database, tables.crm_facts, ["deal_id"], [[DEAL]])
    async with database.read() as connection:
        reasons = sorted((await connection.execute(select(tables.quarantine.c.reason))).scalars())
    assert [reason.replace(":", " ").split()[0] for reason in reasons] == ["amount", "closed_on", "id"]
    assert (await client.get("/v1/status", headers=ADMIN)).json()["dropped"] == {"unknown_object:crm": 1}


async def test_a_flow_sends_json_and_is_answered_in_json(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    record = {"Id": DEAL, "Name": "Initech", "Amount": 120000, "LastModifiedDate": STAMP}
    bodies = [
        {"object": "Opportunity", "id": "interview-1", "record": record},
        {"object": "Opportunity", "id": DEAL, "record": {**record, "Name": "Again"}},
        {"attributes": {"type": "Opportunity"}, **record, "Name": "Bare"},
        [{"attributes": {"type": "Opportunity"}, **record, "Name": "Listed"}],
        {"object": "Opportunity", "records": [{**record, "Name": "Of many"}]},
    ]
    for body in bodies:
        answer = await send(client, json.dumps(body))
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})
    assert (await send(client, json.dumps(bodies[0]))).json()["duplicates"] == 1
    untimed = json.dumps({"object": "Opportunity", "id": "interview-2", "record": {"Id": DEAL, "StageName": "Closed Won"}})
    assert [(await send(client, untimed)).json()["accepted"] for _ in range(2)] == [1, 0]
    names = [["Initech"], ["Again"], ["Bare"], ["Listed"], ["Of many"]]
    await assert_rows(database, select(tables.deal_fields).where(tables.deal_fields.c.field == "name"), ["value"], names)
    assert (await send(client, "{")).status_code == 400
    assert (await send(client, '"text"')).json()["rejected"][0]["reason"].startswith("JSON, but no record")


async def test_with_a_token_what_the_message_left_out_is_to_be_fetched(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client, api_token="token", api_base_url="https://acme.my.salesforce.com")
    message = outbound_message(
        notification(1, "Opportunity", Id=DEAL, StageName="Signed"),
        notification(2, "OpportunityContactRole", Id="00K000000000001", OpportunityId=DEAL[:15], ContactId=CONTACT),
        notification(3, "Contact", Id=CONTACT, FirstName="Mia"),
        notification(4, "Task", Id=CALL, Subject="Call", Status="Completed"),
        notification(5, "Account", Id=ACCOUNT, Name="Initech"),
        notification(6, "CampaignMember", Id=MEMBER, Status="Attended"),
    )
    for _ in range(2):
        assert (await send(client, message)).text == ACK
    wanted = [["deals", DEAL], ["deals", DEAL], ["contacts", CONTACT], ["activities", CALL], ["accounts", ACCOUNT], ["members", MEMBER]]
    await assert_rows(database, tables.crm_fetches, ["kind", "record_id"], wanted)


# ---------------------------------------------------------------- any order


STORY = (
    ("Lead", {"Id": LEAD, "Email": "mia@initech.example.com", "LeadSource": "Web", "Status": "New", "CreatedDate": "2026-03-01T10:00:00.000Z", "LastModifiedDate": "2026-03-01T10:00:00.000Z"}),
    ("Task", {"Id": CALL, "WhoId": LEAD, "TaskSubtype": "Call", "IsClosed": "true", "CompletedDateTime": "2026-03-02T10:00:00.000Z", "LastModifiedDate": "2026-03-02T10:00:00.000Z"}),
    ("Lead", {"Id": LEAD, "IsConverted": "true", "ConvertedContactId": CONTACT, "ConvertedOpportunityId": DEAL, "LastModifiedDate": "2026-03-03T10:00:00.000Z"}),
    ("Opportunity", {"Id": DEAL, "Name": "Initech", "Amount": "120000.0", "StageName": "Prospecting", "CreatedDate": "2026-03-03T10:00:00.000Z", "LastModifiedDate": "2026-03-03T10:00:00.000Z"}),
    ("Opportunity", {"Id": DEAL, "StageName": "Closed Won", "CloseDate": "2026-03-10", "LastModifiedDate": "2026-03-10T10:00:00.000Z"}),
    ("Opportunity", {"Id": DEAL, "StageName": "Negotiation/Review", "LastModifiedDate": "2026-03-11T10:00:00.000Z"}),
    ("Opportunity", {"Id": DEAL, "StageName": "Closed Won", "Amount": "130000.0", "LastModifiedDate": "2026-03-12T10:00:00.000Z"}),
    ("Opportunity", {"Id": "006000000000002", "StageName": "Closed Lost", "LastModifiedDate": "2026-03-12T10:00:00.000Z"}),
)  # fmt: skip
FOLDED = (tables.deals, tables.deal_people, tables.sales_activities, tables.conversions)


async def _folded(database: Database, site_id: str) -> list[Any]:
    unlike = {
        "site_id",
        "space",
        "holder_id",
        "run_id",
        "fact_id",
        "link_id",
        "person_id",
        "contact_id",
        "event_id",
        "conversion_id",
        "settings_version",
    }
    rows: list[Any] = []
    async with database.read() as connection:
        for table in FOLDED:
            columns = [column for column in table.c if column.name not in unlike]
            found = await connection.execute(select(*columns).where(table.c.site_id == site_id))
            rows.append(sorted((tuple(row) for row in found), key=repr))
    return rows


async def test_any_order_and_repetition_gives_the_same_tables(database: Database, client: httpx.AsyncClient) -> None:
    messages = [notification(number, name, **fields) for number, (name, fields) in enumerate(STORY)]
    shuffled = [*messages, *messages[2:5]]
    Random(3).shuffle(shuffled)
    for site, told in (("default", messages), ("backward", messages[::-1]), ("shuffled", shuffled)):
        if site != "default":
            assert (await client.post("/v1/sites", json={"id": site}, headers=ADMIN)).status_code == 201
        await connect(client, f"crm-{site}", site)
        for each in told:
            assert (await send(client, outbound_message(each), id=f"crm-{site}")).text == ACK
    await run_until_idle(database)
    in_order = await _folded(database, "default")
    assert [len(rows) for rows in in_order[:3]] == [2, 1, 1]
    for site in ("backward", "shuffled"):
        assert await _folded(database, site) == in_order
    async with database.read() as connection:
        won = (
            await connection.execute(select(tables.deals).where(tables.deals.c.site_id == "default", tables.deals.c.deal_id == DEAL))
        ).one()
    assert (won.outcome, won.won_at, won.amount_minor) == ("won", datetime(2026, 3, 12, 10, tzinfo=UTC), 13_000_000)


# ---------------------------------------------------------------- the API


@pytest.fixture
def organization() -> Organization:
    made = Organization()
    stamp = "2026-03-04T10:00:00.000+0000"
    kim = {"OwnerId": "005000000000001AAA", "Owner": {"Name": "Kim"}}
    for number in range(1, 4):
        made.put(
            "Contact", Id=f"003{number:012}AAA", Name=f"Contact {number}", Email=f"c{number}@initech.example.com", CreatedDate=stamp,
            AccountId=ACCOUNT, Account={"Name": "Initech", "Website": "initech.example.com"}, **kim, LastModifiedDate=stamp,
        )  # fmt: skip
        made.put("OpportunityContactRole", Id=f"00K{number:012}EAA", OpportunityId=DEAL, ContactId=f"003{number:012}AAA", IsPrimary=number == 2,
                 Contact={"Email": f"c{number}@initech.example.com", "Name": f"Contact {number}"}, LastModifiedDate="2026-03-05T10:00:00.000+0000")  # fmt: skip
    made.put(
        "Opportunity", Id=DEAL, Name="Initech", Amount=120000.0, StageName="Signed", IsWon=True, IsClosed=True, CloseDate="2026-03-04",
        LastStageChangeDate="2026-03-04T09:00:00.000+0000", CreatedDate="2026-02-01T08:00:00.000+0000", Type="New Business", AccountId=ACCOUNT,
        Account={"Name": "Initech", "Website": "initech.example.com", "LastModifiedDate": stamp}, **kim, LastModifiedDate=stamp,
    )  # fmt: skip
    made.put(
        "OpportunityHistory",
        Id="008000000000001AAA",
        OpportunityId=DEAL,
        StageName="Discovery",
        Amount=100000.0,
        CreatedDate="2026-02-01T08:00:00.000+0000",
    )
    made.put(
        "OpportunityHistory",
        Id="008000000000002AAA",
        OpportunityId=DEAL,
        StageName="Signed",
        Amount=120000.0,
        CreatedDate="2026-03-04T09:00:00.000+0000",
    )
    made.put("Lead", Id=LEAD, Name="Mia", Email="mia@initech.example.com", LeadSource="Web", Status="New", utm_source__c="google", **kim,
             CreatedDate="2026-03-01T10:00:00.000+0000", LastModifiedDate=stamp)  # fmt: skip
    made.put("Task", Id=CALL, WhoId=LEAD, TaskSubtype="Call", IsClosed=True, CompletedDateTime=stamp, **kim, LastModifiedDate=stamp)
    made.put("Event", Id=MEETING, WhatId=DEAL, StartDateTime=stamp, **kim, LastModifiedDate=stamp)
    made.put(
        "CampaignMember",
        Id=MEMBER,
        LeadId=LEAD,
        Status="Attended",
        Campaign={"Name": "SaaS Day", "Type": "Event"},
        CreatedDate=stamp,
        LastModifiedDate=stamp,
    )
    return made


@pytest.fixture
def address(organization: Organization) -> Iterator[str]:
    with serving(organization) as url:
        yield url


def sender(url: str, token: str = TOKEN, **settings: Any) -> Connection:
    fields = ConnectionFields(provider="salesforce", api_token=token, api_base_url=url, settings=ConnectionSettings(**settings))
    return Connection("default", "crm", (SECRET,), fields, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def api(address: str) -> AsyncIterator[Api]:
    async with api_of(sender(address), PROVIDER, allow_private=True, seconds=0.4) as opened:
        yield opened


SINCE = micros("2026-01-01T00:00:00Z")


async def polled(api: Api, connection: Connection, kind: str, since: int = SINCE) -> list[Said]:
    assert PROVIDER.poll is not None
    said: list[Said] = []
    cursor = None
    for _ in range(20):
        page = await PROVIDER.poll(api, connection, kind, since, cursor)
        said += page.said
        cursor = page.cursor
        if cursor is None:
            return said
    raise AssertionError("it never ends")


async def test_a_poll_reads_all_and_a_fetch_says_the_same(api: Api, address: str) -> None:
    assert PROVIDER.fetch is not None
    connection = sender(address)
    known = {"contacts": [f"003{number:012}" for number in range(1, 4)], "leads": [LEAD], "deals": [DEAL], "activities": [CALL, MEETING]}
    for kind, record_ids in known.items():
        fetched = await PROVIDER.fetch(api, connection, kind, record_ids)
        found = await polled(api, connection, kind)
        assert {said.id for said in fetched} == {said.id for said in found if "reported_touches" not in said.data or kind == "leads"}
        assert fetched
    deal = (await polled(api, connection, "deals"))[0]
    assert [contact["id"] for contact in deal.data["contacts"]] == ["003000000000002AAA", "003000000000001AAA", "003000000000003AAA"]
    assert deal.data["pipeline"] == "default"
    stages = [(said.type, said.data["stage"], said.occurred_at) for said in await polled(api, connection, "stages")]
    assert stages == [
        ("deal.reopened", "Discovery", micros("2026-02-01T08:00:00Z")),
        ("deal.won", "Signed", micros("2026-03-04T09:00:00Z")),
    ]
    [touches] = [said.data["reported_touches"] for said in await polled(api, connection, "contacts") if "reported_touches" in said.data]
    assert touches[0]["campaign"] == "SaaS Day"


async def test_a_poll_goes_on_where_it_was_and_asks_for_what_changed_since(
    api: Api, address: str, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.crm.salesforce._PAGE", 1)
    assert PROVIDER.poll is not None
    connection, whole = sender(address), []
    cursor: str | None = None
    for _ in range(4):
        page = await PROVIDER.poll(api, connection, "contacts", SINCE, cursor)
        whole += [said.data["id"] for said in page.said if said.type == "contact.updated"]
        assert page.cursor is not None
        cursor = page.cursor
    assert whole == ["003000000000001AAA", "003000000000002AAA", "003000000000003AAA"]
    assert await polled(api, connection, "contacts", micros("2026-03-04T10:00:00.001Z")) == []
    organization.put("Contact", Id=CONTACT, Name="O'Brien", LastModifiedDate="2026-03-09T10:00:00.000+0000")
    [again] = await polled(api, connection, "contacts", micros("2026-03-09T10:00:00Z"))
    assert again.data["name"] == "O'Brien"


async def test_what_is_gone_was_deleted_and_what_lies_in_the_bin_says_when(api: Api, address: str, organization: Organization) -> None:
    assert PROVIDER.fetch is not None
    [gone] = await PROVIDER.fetch(api, sender(address), "deals", ["006000000000009AAA"])
    assert (gone.type, gone.data, gone.occurred_at) == ("deal.deleted", {"id": "006000000000009AAA"}, None)
    organization.put("Task", Id=CALL, IsDeleted=True, LastModifiedDate="2026-03-09T10:00:00.000+0000")
    [binned] = await PROVIDER.fetch(api, sender(address), "activities", [CALL])
    assert (binned.type, binned.occurred_at) == ("activity.deleted", micros("2026-03-09T10:00:00Z"))
    assert await PROVIDER.fetch(api, sender(address), "contacts", ["003000000000009AAA"]) == []


async def test_only_fields_that_its_user_may_see_are_asked_for(api: Api, address: str, organization: Organization) -> None:
    organization.visible["Opportunity"] = {"Id", "StageName", "LastModifiedDate", "SystemModstamp", "Product__c"}
    said = await polled(api, sender(address, fields={"product": "Product__c", "account_manager": "Hidden__c"}), "deals")
    assert (said[0].data["properties"], said[0].data["owner"]) == ({"product": None}, "Kim")
    del organization.visible["LeadHistory"]
    assert len(await polled(api, sender(address), "stages")) == 2


async def test_pipelines_and_the_account(api: Api, address: str, organization: Organization) -> None:
    assert PROVIDER.pipelines is not None
    assert PROVIDER.account is not None
    [only] = await PROVIDER.pipelines(api, sender(address))
    assert (only.id, only.name) == ("default", "Opportunities")
    assert [(stage.id, stage.meaning) for stage in only.stages] == [("Discovery", ""), ("Signed", "won"), ("Dropped", "lost")]
    organization.put("RecordType", Id="012000000000001", Name="Renewals", SobjectType="Opportunity", IsActive=True)
    assert [pipeline.id for pipeline in await PROVIDER.pipelines(api, sender(address))] == ["012000000000001AAA", "default"]
    assert await PROVIDER.account(api, sender(address)) == f"Acme ({ORGANIZATION})"


@pytest.mark.parametrize(("mishap", "error"), [("expired", Denied), ("limit", Throttled), ("down", Failed), ("stall", Failed)])
async def test_what_goes_wrong_is_told_and_the_same_page_can_be_asked_for_again(
    api: Api, address: str, organization: Organization, mishap: str, error: type[Exception]
) -> None:
    assert PROVIDER.poll is not None
    for calls_before in (0, 1):
        organization.mishaps.extend([""] * calls_before + [mishap])
        with pytest.raises(error):
            await PROVIDER.poll(api, sender(address), "contacts", SINCE, None)
    assert len((await PROVIDER.poll(api, sender(address), "contacts", SINCE, None)).said) == 6


async def test_a_client_id_and_secret_are_exchanged_for_an_access_token(address: str, organization: Organization) -> None:
    connection = sender(address, f"{CLIENT}:{CLIENT_SECRET}")
    organization.tokens.clear()
    async with api_of(connection, PROVIDER, allow_private=True) as api:
        assert len(await polled(api, connection, "leads")) == 2
    assert organization.calls.count("/services/oauth2/token") == 1
    with pytest.raises(Denied, match="invalid_client"):
        async with api_of(sender(address, f"{CLIENT}:wrong"), PROVIDER, allow_private=True):
            raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("token", "grant"),
    [
        ("00Dxx!AQ.access", None),
        ("id:secret", {"grant_type": "client_credentials"}),
        ("id:secret:5Aep", {"grant_type": "refresh_token", "refresh_token": "5Aep"}),
    ],
)
def test_what_a_token_is_exchanged_for(token: str, grant: dict[str, str] | None) -> None:
    expected = None if grant is None else ("/services/oauth2/token", {**grant, "client_id": "id", "client_secret": "secret"})
    assert PROVIDER.token_request(token) == expected


def test_soql_holds_no_text_of_others_unquoted() -> None:
    assert quoted("O'Brien \\ Sons") == r"'O\'Brien \\ Sons'"


# ---------------------------------------------------------------- from the first click to the deal


VISIT = {
    "id": "v1", "type": "visit", "visitor_id": "laptop", "occurred_at": "2026-02-20T09:00:00Z",
    "url": "https://www.acme.example/?utm_source=google&utm_medium=cpc&utm_campaign=crm",
}  # fmt: skip
FORM = {
    "id": "f1", "type": "form_submit", "visitor_id": "laptop", "occurred_at": "2026-02-20T09:05:00Z", "url": "https://www.acme.example/demo",
    "form": "Demo", "email": "c2@initech.example.com",
}  # fmt: skip


async def browse(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/events", json={"events": [VISIT, FORM]}, headers=ADMIN)
    assert answer.json()["accepted"] == 2


async def credit(client: httpx.AsyncClient, database: Database) -> list[tuple[str, float, str]]:
    await run_until_idle(database)
    answer = await client.get(
        "/v1/reports/attribution", params={"conversion": "customer", "model": "linear", "by": "channel"}, headers=ADMIN
    )
    report = answer.json()
    assert report["totals"]["uncredited"]["conversions"] == 0, report
    return [(row["channel"], row["conversions"], row["revenue"]) for row in report["rows"]]


async def test_from_the_first_click_to_the_deal_by_outbound_messages_alone(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    await browse(client)
    await send(
        client,
        outbound_message(opportunity(1, Name="Initech", Amount="120000.0", StageName="Prospecting", Email__c="c2@initech.example.com")),
    )
    assert await credit(client, database) == []
    won = notification(
        2, "Opportunity", Id=DEAL, StageName="Closed Won", CloseDate="2026-03-05", LastModifiedDate="2026-03-05T16:00:00.000Z"
    )
    assert (await send(client, outbound_message(won))).text == ACK
    assert await credit(client, database) == [("Paid Search", 1, "120000.00")]


async def test_the_journey_of_a_lead_goes_on_as_that_of_its_contact(database: Database, client: httpx.AsyncClient) -> None:
    await connect(client)
    await browse(client)
    lead = {
        "Id": LEAD,
        "Email": "c2@initech.example.com",
        "CreatedDate": "2026-02-20T09:06:00.000Z",
        "LastModifiedDate": "2026-02-20T09:06:00.000Z",
    }
    converted = {"Id": LEAD, "IsConverted": "true", "ConvertedContactId": CONTACT, "LastModifiedDate": "2026-02-25T09:00:00.000Z"}
    role = {"Id": "00K000000000001", "OpportunityId": DEAL, "ContactId": CONTACT, "LastModifiedDate": "2026-02-25T09:00:00.000Z"}
    parts = [notification(1, "Lead", **lead), notification(2, "Lead", **converted), notification(3, "OpportunityContactRole", **role)]
    assert (
        await send(
            client, outbound_message(*parts, opportunity(4, StageName="Closed Won", Amount="10.00").replace("006000000000004", DEAL))
        )
    ).text == ACK
    assert await credit(client, database) == [("Paid Search", 1, "10.00")]


async def calls_of(application: FastAPI, database: Database) -> tuple[Calls, Connection]:
    """What calls Salesforce, and the connection as it is stored."""
    async with database.read() as read:
        stored = await load_connection(read, "default", "crm")
    return Calls(
        database, application.state.log, application.state.directory, allow_private=True, providers={"salesforce": PROVIDER}
    ), stored


async def test_from_the_first_click_to_the_deal_by_polling_alone(
    database: Database, client: httpx.AsyncClient, application: FastAPI, address: str
) -> None:
    await connect(client, api_token=f"{CLIENT}:{CLIENT_SECRET}", api_base_url=address)
    await browse(client)
    calls, stored = await calls_of(application, database)
    for is_new in (True, False):
        now = datetime.now(UTC)
        async with database.write() as connection:
            await begin_anew(connection, stored, PROVIDER.polls, datetime(2026, 1, 1, tzinfo=UTC), now)
        async with api_of(stored, PROVIDER, allow_private=True) as opened:
            pages = []
            while page := await poll_page(calls, stored, PROVIDER, opened):
                pages.append(page)
        assert {page.kind for page in pages if page.is_last} == set(PROVIDER.polls)
        assert (sum(page.stored for page in pages) > 0) is is_new
    assert await credit(client, database) == [("Paid Search", 1, "120000.00")]
    async with database.read() as read:
        deal = (await read.execute(select(tables.deals))).one()
        assert await read.scalar(select(func.count()).select_from(tables.quarantine)) == 0
    # Not when it was edited last, but when its history says that it was signed.
    assert (deal.outcome, deal.won_at, deal.owner) == ("won", datetime(2026, 3, 4, 9, tzinfo=UTC), "Kim")


async def test_what_a_message_left_out_is_fetched(
    database: Database, client: httpx.AsyncClient, application: FastAPI, address: str
) -> None:
    await connect(client, api_token=TOKEN, api_base_url=address)
    await browse(client)
    await send(client, outbound_message(notification(1, "Opportunity", Id=DEAL, StageName="Signed"), notification(2, "Task", Id=CALL)))
    calls, stored = await calls_of(application, database)
    async with api_of(stored, PROVIDER, allow_private=True) as opened:
        while await fetch_batch(calls, stored, PROVIDER, opened):
            pass
    await assert_rows(database, tables.crm_fetches, ["kind"], [])
    assert await credit(client, database) == [("Paid Search", 1, "120000.00")]
    await assert_rows(database, tables.sales_activities, ["activity_id", "kind", "told_by"], [[CALL, "call", "Kim"]])


async def test_deals_won_in_a_month(address: str, api: Api) -> None:
    assert PROVIDER.won_in is not None
    [stated] = await PROVIDER.won_in(api, sender(address), "2026-03")
    assert (stated.id, stated.name, stated.amount, stated.closed_on) == (DEAL, "Initech", 120000.0, "2026-03-04")
    for month in ("2026-02", "2026-04"):
        assert await PROVIDER.won_in(api, sender(address), month) == []
