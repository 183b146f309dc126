"""Pipedrive: webhooks of both versions, and its API, which says the same whether it is fetched from or polled."""

from __future__ import annotations

import base64
import json
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
from app.crm.messages import Said
from app.crm.pipedrive import PROVIDER
from app.crm.pipedrive_records import Around, Record, said_of
from app.crm.polling import begin_polls, poll_page
from app.crm.providers import Delivery, NotUnderstood, Pipeline, Read, Stage, StatedDeal
from app.db import Database
from app.pipeline import run_until_idle
from app.settings import Settings
from app.sites.connections import Connection, ConnectionFields, ConnectionSettings, load_connection
from app.tables import from_micros, to_micros
from tests.crm.fake_pipedrive import COMPANY, DOMAIN, TOKEN, FakePipedrive
from tests.crm.fake_server import BREAKS, STALLS, serving
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
SECRET = "a password for pipedrive".replace(" ", "-")
DOOR = "/v1/webhooks/crm"
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
HASH, OTHER_HASH, THIRD_HASH = "d4de1c1518b4531717c676029a45911c340390a6", "0" * 40, "1" * 40
HOST = f"{DOMAIN}.pipedrive.com"


def day(number: int, hour: int = 10) -> datetime:
    """A moment in March 2026."""
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def sender(*secrets: str, token: str | None = TOKEN, **settings: Any) -> Connection:
    fields = ConnectionFields(provider="pipedrive", api_token=token, settings=ConnectionSettings(**settings))
    return Connection("default", "crm", secrets or (SECRET,), fields, AT)


# ---------------------------------------------------------------- webhooks, as Pipedrive sends them


def basic(password: str = SECRET, user: str = "anybody") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def v2(entity: str, data: dict[str, Any] | None, previous: dict[str, Any] | None = None, at: datetime = AT, **meta: Any) -> dict[str, Any]:
    """A webhook of version 2: related records are IDs, and a deletion has no data."""
    action = "create" if previous is None else "delete" if data is None else "change"
    told = {
        "action": action, "entity": entity, "company_id": str(COMPANY), "correlation_id": "c0", "entity_id": str((data or previous or {})["id"]),
        "id": f"event-{entity}-{at.timestamp()}", "is_bulk_edit": False, "timestamp": iso(at), "type": "general", "user_id": "91", "version": "2.0",
        "webhook_id": "7", "webhook_owner_id": "91", "change_source": "app", "attempt": 1, "host": HOST, "permitted_user_ids": ["91"],
    }  # fmt: skip
    return {"meta": told | meta, "data": data, "previous": previous}


def as_v1(record: dict[str, Any], **embedded: Any) -> dict[str, Any]:
    """A record in the shape of version 1: times without a zone, the site's own fields among the others."""
    told = {name: value for name, value in record.items() if name not in {"custom_fields", "is_deleted"}} | record.get("custom_fields", {})
    shown = {name: value.replace("T", " ").rstrip("Z") if name.endswith("_time") and isinstance(value, str) else value for name, value in told.items()}
    return shown | {"user_id": record.get("owner_id"), "deleted": False, "active": True} | embedded


def v1(event: str, current: dict[str, Any] | None, previous: dict[str, Any] | None = None, at: datetime = AT, **meta: Any) -> dict[str, Any]:
    action, _, entity = event.partition(".")
    told = {
        "v": 1, "action": action, "object": entity, "id": (current or previous or {}).get("id"), "company_id": COMPANY, "user_id": 91, "host": HOST,
        "timestamp": int(at.timestamp()), "timestamp_micro": int(at.timestamp()) * 1_000_000 + 5, "webhook_id": "7", "is_bulk_update": False,
    }  # fmt: skip
    return {"v": 1, "meta": told | meta, "current": current, "previous": previous, "event": event, "retry": 0}


DEAL: dict[str, Any] = {
    "id": 501, "title": "Initech", "value": 1250.5, "currency": "USD", "status": "won", "stage_id": 12, "pipeline_id": 1, "person_id": 7, "org_id": 9,
    "owner_id": 91, "add_time": iso(day(2)), "update_time": iso(day(9)), "stage_change_time": iso(day(5)), "won_time": "2026-03-31T22:30:00Z",
    "close_time": "2026-03-31T22:30:00Z", "lost_time": None, "lost_reason": None, "expected_close_date": "2026-05-01", "participants_count": 2,
    "participants": [8, 7], "custom_fields": {HASH: None}, "is_archived": False, "is_deleted": False,
}  # fmt: skip
WON_AT = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
PERSON = {
    "id": 7, "name": "Ada Adams", "owner_id": 92, "org_id": 9, "add_time": iso(day(1)), "update_time": iso(day(3)), "marketing_status": "subscribed",
    "emails": [{"value": "ada@home.example", "primary": False, "label": "home"}, {"value": "ada@initech.example", "primary": True, "label": "work"}],
    "phones": [{"value": "+49 30 901820", "primary": True, "label": "work"}], "custom_fields": {},
}  # fmt: skip


@pytest.fixture
async def door(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The service, with a connection to Pipedrive."""
    wanted = {"id": "crm", "provider": "pipedrive", "secret": SECRET, "api_token": TOKEN, "settings": {"account_id": str(COMPANY)}}
    assert (await client.post("/v1/connections", json=wanted, headers=ADMIN)).status_code == 201
    return client


async def post(door: httpx.AsyncClient, told: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return await door.post(DOOR, content=json.dumps(told).encode(), headers=basic() if headers is None else headers)


async def test_a_webhook_is_stored_once_however_often_it_is_tried(database: Database, door: httpx.AsyncClient) -> None:
    told = v2("deal", DEAL, {"status": "open", "won_time": None})
    for attempt, (accepted, duplicates) in enumerate(((5, 0), (0, 5), (0, 5)), 1):
        answer = (await post(door, told | {"meta": told["meta"] | {"attempt": attempt}})).json()
        assert answer == {"accepted": accepted, "duplicates": duplicates, "rejected": []}
    changes = [["won", WON_AT], ["won", day(9)], ["seen", day(5)]]
    await assert_rows(database, tables.deal_changes, ["change", "occurred_at"], changes)
    await assert_rows(database, tables.crm_fetches, ["kind", "record_id"], [["contacts", "7"], ["deals", "501"]])


async def test_only_the_password_opens_and_either_live_one_does(database: Database, door: httpx.AsyncClient) -> None:
    newest = "another-password"
    assert (await door.patch("/v1/connections/crm", json={"secret": newest}, headers=ADMIN)).status_code == 200
    told = v2("deal", DEAL)
    wrong = [
        {}, basic("wrong"), basic(""), basic(SECRET.upper()), basic(user=SECRET, password="x"), {"Authorization": f"Bearer {SECRET}"}, {"Authorization": "Basic"},
        {"Authorization": "Basic ???"}, {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()},
    ]  # fmt: skip
    for headers in wrong:
        assert (await post(door, told, headers)).status_code == 401, headers
    await assert_rows(database, tables.crm_facts, ["fact_id"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bad_signature:crm", len(wrong)]])
    assert [(await post(door, told, basic(password, user="crm"))).status_code for password in (newest, SECRET)] == [202, 202]
    await door.patch("/v1/connections/crm", json={"previous_secret": None}, headers=ADMIN)
    assert [(await post(door, told, basic(password))).status_code for password in (newest, SECRET)] == [202, 401]


def read(told: Any, connection: Connection | None = None) -> Read:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return PROVIDER.read(Delivery("POST", DOOR, {}, body, to_micros(AT)), connection or sender())


def plain(said: Sequence[Said]) -> list[tuple[str, dict[str, Any], datetime | None]]:
    return [(each.type, each.data, None if each.occurred_at is None else from_micros(each.occurred_at)) for each in said]


def wanted(found: Read) -> list[tuple[str, str]]:
    return [(each.kind, each.record_id) for each in found.wanted]


STAGE = ("deal.updated", {"id": "501", "stage": "12", "pipeline": "1"}, day(5))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, [STAGE, ("deal.won", {"id": "501"}, WON_AT), ("deal.won", {"id": "501"}, day(9))]),
        ({"status": "lost", "lost_time": iso(day(8)), "won_time": None, "lost_reason": "Price"},
         [STAGE, *(("deal.lost", {"id": "501", "lost_reason": "Price"}, at) for at in (day(8), day(9)))]),
        ({"status": "open", "won_time": None, "close_time": None}, [STAGE, ("deal.reopened", {"id": "501"}, day(9))]),
        ({"stage_change_time": None, "status": "open"}, [("deal.updated", STAGE[1], day(2)), ("deal.reopened", {"id": "501"}, day(9))]),
    ],
)  # fmt: skip
def test_what_a_deals_webhook_tells_whole_is_said_at_once_in_either_version(changes: dict[str, Any], says: list[Any]) -> None:
    deal = DEAL | changes
    for told in (v2("deal", deal, {"status": "open"}), v1("updated.deal", as_v1(deal), as_v1(DEAL))):
        found = read(told)
        assert plain(found.said) == says
        assert wanted(found) == [("deals", "501"), ("contacts", "7")]
        assert {each.occurred_at for each in found.wanted} == {to_micros(AT)}


@pytest.mark.parametrize(
    ("told", "records"),
    [
        (v2("person", PERSON), [("contacts", "7")]),
        (v1("added.person", as_v1(PERSON)), [("contacts", "7")]),
        (v2("activity", {"id": 71}, {"done": False}), [("activities", "71")]),
        (v1("updated.activity", {"id": 71}), [("activities", "71")]),
        (v2("lead", {"id": "adf21080-0e10-11eb-879b-05d71fb426ec", "person_id": 7}), [("leads", "adf21080-0e10-11eb-879b-05d71fb426ec")]),
        (v2("deal", {"id": 9_007_199_254_740_993}), [("deals", "9007199254740993")]),
    ],
)
def test_the_rest_is_fetched(told: dict[str, Any], records: list[tuple[str, str]]) -> None:
    assert (wanted(read(told)), read(told).said) == (records, ())


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (v2("deal", None, DEAL, at=day(10)), [("deal.deleted", {"id": "501"}, day(10))]),
        (v1("deleted.deal", None, as_v1(DEAL), at=day(10)), [("deal.deleted", {"id": "501"}, day(10))]),
        (v1("merged.deal", as_v1(DEAL), as_v1(DEAL | {"id": 502}), at=day(10)), [("deal.deleted", {"id": "502"}, day(10)), STAGE]),
        (v2("activity", None, {"id": 71}, at=day(10)), [("activity.deleted", {"id": "71"}, day(10)), ("activity.deleted", {"id": "71:1"}, day(10))]),
    ],
)
def test_what_is_gone_is_said_at_once(told: dict[str, Any], says: list[Any]) -> None:
    assert plain(read(told).said)[: len(says)] == says


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (v2("organization", {"id": 9}), "not_read"), (v2("pipeline", {"id": 1}), "not_read"), (v1("updated.note", {"id": 1}), "not_read"),
        (v2("deal", DEAL, company_id="1"), "other_account"), (v2("person", None, PERSON), "contact_deleted"), (v2("lead", None, {"id": "a"}), "lead_deleted"),
        (v2("deal", DEAL, action="something.new"), "not_read"),
    ],
)  # fmt: skip
def test_what_is_none_of_our_business_is_counted(told: dict[str, Any], reason: str) -> None:
    assert read(told, sender(account_id=str(COMPANY))) == Read(ignored={reason: 1}, sent_at=read(told).sent_at if reason.endswith("deleted") else None)


def test_webhooks_differ_by_what_pipedrive_says_names_them() -> None:
    newer, older = v2("deal", DEAL), v1("updated.deal", as_v1(DEAL))
    again = [newer | {"meta": newer["meta"] | {"attempt": 4}}, older | {"retry": 2}]
    others = [newer | {"meta": newer["meta"] | {"id": "e2"}}, *(older | {"meta": older["meta"] | change} for change in ({"timestamp_micro": 1}, {"webhook_id": "8"}))]
    assert len({read(each).wanted[0].id for each in (newer, older, *again, *others)}) == 5


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"text"', b"{}", b'{"meta": 7}', b'{"v": 1, "meta": null}', b"[" * 5_000])
def test_what_cannot_be_understood_says_so(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(body)


def test_without_a_token_a_webhook_is_taken_as_it_is() -> None:
    """Version 1 embeds whom version 2 only names."""
    bare = sender(token=None)
    [*_, (type_, data, at)] = plain(read(v2("deal", DEAL), bare).said)
    assert (type_, at) == ("deal.updated", day(9))
    assert data == {
        "id": "501", "name": "Initech", "amount": "1250.5", "currency": "USD", "stage": "12", "pipeline": "1", "opened_at": iso(day(2)), "lost_reason": None,
        "contacts": [{"id": "7"}], "company": {"id": "9"}, "owner": "91", "url": f"https://{HOST}/deal/501",
    }  # fmt: skip
    person = {"value": 7, "name": "Ada Adams", "email": [{"value": "ada@initech.example", "primary": True}], "phone": [{"value": ""}]}
    embedded = as_v1(DEAL, person_id=person, org_id={"value": 9, "name": "Initech"}, user_id={"id": 91, "name": "Olga"}, owner_id=None, local_won_date="2026-04-01")
    [*_, (_, data, _)] = plain(read(v1("updated.deal", embedded), bare).said)
    assert {name: data[name] for name in ("contacts", "company", "owner", "closed_on")} == {
        "contacts": [{"id": "7", "email": "ada@initech.example", "name": "Ada Adams"}], "company": {"id": "9", "name": "Initech"}, "owner": "Olga",
        "closed_on": "2026-04-01",
    }  # fmt: skip


# ---------------------------------------------------------------- the API


@pytest.fixture
def pipedrive() -> Iterator[FakePipedrive]:
    """A company with a won deal, its people, and what sales did."""
    fake = FakePipedrive()
    fake.put("organizations", 9, name="Initech", website="https://www.initech.example/", custom_fields={OTHER_HASH: 42}, update_time=iso(day(1)))
    fake.put("persons", 7, **{name: value for name, value in PERSON.items() if name != "id"})
    fake.put("persons", 8, name="Bob", emails=[{"value": "bob@initech.example", "primary": True}], phones=[], add_time=iso(day(1)), update_time=iso(day(2)), org_id=None)
    fake.put("deals", 501, **{name: value for name, value in DEAL.items() if name != "id"})
    fake.put(
        "activities", 71, subject="First call", type="call", done=True, due_date="2026-03-03", due_time="09:00", marked_as_done_time=iso(day(3)), owner_id=91,
        person_id=7, deal_id=501, participants=[{"person_id": 7, "primary": True}], add_time=iso(day(2)), update_time=iso(day(3)),
    )  # fmt: skip
    with serving(fake):
        yield fake


@pytest.fixture
async def api(pipedrive: FakePipedrive) -> AsyncIterator[Api]:
    async with api_waiting(pipedrive, seconds=30) as opened:
        yield opened


@asynccontextmanager
async def api_waiting(pipedrive: FakePipedrive, seconds: float) -> AsyncIterator[Api]:
    there = sender()
    there = replace(there, fields=there.fields.model_copy(update={"api_base_url": pipedrive.url}))
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
        page = await PROVIDER.poll(api, sender(**settings), kind, to_micros(day(since, 0)), cursor)
        said += page.said
        assert page.cursor is None or page.cursor != cursor
        cursor = page.cursor
        if cursor is None:
            return said


ADA = {"id": "7", "email": "ada@initech.example", "phone": "+49 30 901820", "name": "Ada Adams"}
INITECH = {"id": "9", "name": "Initech", "domain": "https://www.initech.example/"}


async def test_a_deal_says_its_turns_its_stage_and_how_it_stands(api: Api) -> None:
    [*turns, state] = await fetch(api, "deals", 501)
    assert turns == [STAGE, ("deal.won", {"id": "501"}, WON_AT), ("deal.won", {"id": "501"}, day(9))]
    assert turns == plain(read(v2("deal", DEAL)).said)
    assert state == (
        "deal.updated",
        {
            "id": "501", "name": "Initech", "amount": "1250.5", "currency": "USD", "stage": "12", "pipeline": "1", "opened_at": iso(day(2)), "lost_reason": None,
            # The primary one first. Half past midnight in the company's own zone.
            "contacts": [ADA, {"id": "8", "email": "bob@initech.example", "name": "Bob"}], "closed_on": "2026-04-01", "company": INITECH, "owner": "Olga Owner",
            "url": f"https://{HOST}/deal/501",
        },
        day(9),
    )  # fmt: skip


async def test_fields_of_the_sites_own_are_hashes(pipedrive: FakePipedrive, api: Api) -> None:
    fields = {"product": HASH, "company.size": OTHER_HASH, "deal.label": "label_ids", "utm_source": THIRD_HASH, "touched_at": "2" * 40}
    custom = {HASH: {"value": 12, "currency": "EUR"}, THIRD_HASH: "linkedin", "2" * 40: "2026-02-01T08:00:00Z"}
    pipedrive.put("deals", 501, custom_fields=custom, label_ids=[1, 2], mrr=99.0, status="open", won_time=None, close_time=None)
    [*_, (_, data, _), (type_, buyer, _)] = await fetch(api, "deals", 501, fields=fields)
    assert (data["properties"], data["company"]["properties"]) == ({"label": "1,2", "product": "12"}, {"size": "42"})
    assert (data["recurring"], data["closed_on"]) == ({"amount": "99.0", "period": "month"}, "2026-05-01")
    assert (type_, buyer) == ("contact.updated", {"id": "7", "reported_touches": [{"occurred_at": "2026-02-01T08:00:00Z", "source": "linkedin"}]})


async def test_a_person_says_who_it_is(pipedrive: FakePipedrive, api: Api) -> None:
    custom = {HASH: "v1", OTHER_HASH: "yes", THIRD_HASH: "google", "2" * 40: "DE", "3" * 40: "A student"}
    pipedrive.put("persons", 7, custom_fields=custom, marketing_status="unsubscribed", last_outgoing_mail_time=iso(day(3, 9)))
    fields = {"visitor_id": HASH, "budget": OTHER_HASH, "utm_source": THIRD_HASH, "country": "2" * 40, "disqualified_reason": "3" * 40, "mail_sent": "last_outgoing_mail_time"}
    assert await fetch(api, "contacts", 7, fields=fields) == [
        ("contact.updated", {
            **ADA, "company": INITECH, "owner": "Left Long-Ago", "url": f"https://{HOST}/person/7", "visitor_id": "v1", "may_contact": False,
            "properties": {"country": "DE"}, "reported_touches": [{"occurred_at": iso(day(1)), "source": "google"}],
        }, day(3)),
        ("contact.created", {"id": "7"}, day(1)),
        ("contact.updated", {"id": "7", "email": "ada@home.example"}, day(1)),
        ("contact.qualified", {"id": "7", "bant": {"budget": True}}, day(3)),
        ("contact.disqualified", {"id": "7", "reason": "A student"}, day(3)),
        ("activity.logged", {"id": f"mail:outbound:7:{to_micros(day(3, 9))}", "kind": "email", "direction": "outbound", "took_place_at": iso(day(3, 9)),
                             "contact": {"id": "7"}}, day(3, 9)),
    ]  # fmt: skip


async def test_who_was_not_asked_may_be_called_and_a_company_without_campaigns_is_read_too(pipedrive: FakePipedrive, api: Api) -> None:
    pipedrive.put("persons", 7, marketing_status="no_consent")
    assert "may_contact" not in (await fetch(api, "contacts", 7))[0][1]
    pipedrive.has_campaigns = False
    assert (await fetch(api, "contacts", 7))[0][1]["email"] == "ada@initech.example"
    assert {said.data["id"] for said in await poll(api, "contacts")} == {"7", "8"}


async def test_leads_of_the_inbox_are_leads_of_their_person(pipedrive: FakePipedrive, api: Api) -> None:
    for number, archived in ((1, False), (2, True), (3, False)):
        person = {"person_id": 7, "organization_id": None} if number < 3 else {"person_id": None, "organization_id": 9}
        pipedrive.put("leads", f"adf21080-{number}", **person, owner_id=91, source_name="Web forms", is_archived=archived, add_time="2026-03-02T10:00:00.551Z",
                      update_time=f"2026-03-0{number + 2}T10:00:00.551Z", **{HASH: "fair"})  # fmt: skip
    [updated, lead] = await fetch(api, "leads", "adf21080-1", "adf21080-9", "../../deals", fields={"utm_source": HASH})
    assert updated == (
        "contact.updated",
        {**ADA, "owner": "Olga Owner", "url": f"https://{HOST}/leads/inbox/adf21080-1", "lead_source": "Web forms",
         "reported_touches": [{"occurred_at": "2026-03-02T10:00:00.551000Z", "source": "fair"}]},
        datetime(2026, 3, 3, 10, 0, 0, 551_000, tzinfo=UTC),
    )  # fmt: skip
    assert lead == ("contact.lead", {"id": "7"}, datetime(2026, 3, 2, 10, 0, 0, 551_000, tzinfo=UTC))
    assert [said.type for said in await poll(api, "leads")] == ["contact.updated", "contact.lead"] * 2
    pipedrive.page_size = 1
    assert [said.type for said in await poll(api, "leads")] == ["contact.updated", "contact.lead"] * 2
    assert len(await poll(api, "leads", since=4)) == 2
    assert await poll(api, "leads", since=6) == []


CALL = {"id": 71, "type": "call", "done": True, "person_id": 7, "add_time": iso(day(2)), "update_time": iso(day(8))}


@pytest.mark.parametrize(
    ("told", "says"),
    [
        # A call that was planned took place when it was ticked off; a meeting, when it was due.
        ({"due_date": "2026-03-03", "due_time": "09:00", "marked_as_done_time": iso(day(5))}, ("call", day(5))),
        ({"type": "lunch", "due_date": "2026-03-03", "due_time": "09:00", "marked_as_done_time": iso(day(5))}, ("meeting", day(3, 9))),
        ({"type": "meeting", "due_date": "2026-03-06", "marked_as_done_time": iso(day(5))}, ("meeting", day(5))),
        # Written down the day after.
        ({"due_date": "2026-03-01", "due_time": "09:00:00", "marked_as_done_time": iso(day(2))}, ("call", day(1, 9))),
        ({"due_date": "2026-03-02", "due_time": "", "marked_as_done_time": iso(day(2))}, ("call", day(2))),
        ({"due_date": "2026-03-02", "marked_as_done_time": ""}, ("call", day(2, 0))),
        ({"type": "email", "marked_as_done_time": "2026-03-05 10:00:00"}, ("email", day(5))),
        ({"type": "whatsapp", "marked_as_done_time": iso(day(5))}, ("call", day(5))),
        ({"type": "deadline", "done": False, "due_date": "2026-03-09", "due_time": "09:00"}, ("other", day(9, 9))),
    ],
)
def test_what_an_activity_was_and_when(told: dict[str, Any], says: tuple[str, datetime]) -> None:
    [(type_, data, at)] = plain(said_of("activities", Record(CALL | told), Around(fields={"call_types": "call; whatsapp"})))
    assert (type_, at, data["done"], data["automated"]) == ("activity.logged", day(8), told.get("done", True), False)
    assert (data["kind"], data["took_place_at"]) == (says[0], iso(says[1]))


def test_an_activity_with_several_people_is_one_with_each_and_a_mail_to_many_is_no_contact() -> None:
    people = [{"person_id": number, "primary": number == 7} for number in range(7, 20)]
    told = {**CALL, "type": "email", "deal_id": 501, "participants": people, "subject": "News"}
    said = plain(said_of("activities", Record(told), Around()))
    assert [(data["id"], data["contact"]["id"], data["deal"], data["automated"]) for _, data, _ in said][:2] == [("71", "7", "501", True), ("71:1", "8", "501", True)]
    assert len(said) == 10
    assert plain(said_of("activities", Record(told | {"participants": people[:2]}), Around()))[0][1]["automated"] is False
    gone = said_of("activities", Record(CALL | {"person_id": None}), Around())
    assert [(each.type, each.data) for each in gone] == [("activity.deleted", {"id": "71"})]


async def test_polling_says_what_fetching_says_with_the_archive_and_what_was_deleted(pipedrive: FakePipedrive, api: Api) -> None:
    old = {name: value for name, value in DEAL.items() if name != "id"} | {"participants_count": 1}
    for number, changes in ((502, {}), (503, {"is_archived": True}), (504, {"is_deleted": True, "update_time": iso(day(12))}), (505, {"update_time": iso(day(2))})):
        pipedrive.put("deals", number, **old | changes)
    assert PROVIDER.fetch is not None
    for kind, ids in (("deals", ["501", "502", "503", "504", "505", "999"]), ("contacts", ["7", "8"]), ("activities", ["71"])):
        fetched = await PROVIDER.fetch(api, sender(), kind, ids)
        pipedrive.page_size = None
        assert {said.id: said for said in await poll(api, kind)} == {said.id: said for said in fetched}
        pipedrive.page_size = 1
        assert {said.id for said in await poll(api, kind)} == {said.id for said in fetched}
        pipedrive.page_size = None
    since = [(said.type, said.data["id"]) for said in await poll(api, "deals", since=9)]
    assert ("deal.deleted", "504") in since
    assert {record_id for _, record_id in since} == {"501", "502", "503", "504"}


async def test_pipelines_and_the_account(api: Api) -> None:
    assert PROVIDER.pipelines is not None
    assert PROVIDER.account is not None
    assert list(await PROVIDER.pipelines(api, sender())) == [
        Pipeline("1", "Sales", (Stage("11", "New"), Stage("12", "Offer"))),
        Pipeline("2", "Hiring", (Stage("21", "Applied"),)),
    ]
    assert await PROVIDER.account(api, sender()) == "Acme (acme.pipedrive.com), as Olga Owner"


def test_a_token_of_a_user_and_one_of_oauth() -> None:
    assert PROVIDER.authorisation(TOKEN) == {"x-api-token": TOKEN}
    assert PROVIDER.authorisation("v1u:AQIBAHj") == {"Authorization": "Bearer v1u:AQIBAHj"}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ((429, {"x-ratelimit-reset": "2", "x-ratelimit-remaining": "0"}, {"success": False, "error": "request over limit"}), Throttled),
        ((500, {}, {"success": False}), Failed),
        ((BREAKS, {}, {}), Failed),
        ((403, {}, {"success": False, "error": "Scope and URL mismatch", "error_info": "Please check developers.pipedrive.com"}), Denied),
        ((200, {}, {"success": False, "error": "try again"}), Failed),
    ],
)
async def test_trouble_is_never_taken_for_an_answer(pipedrive: FakePipedrive, api: Api, fault: Any, error: type[Exception]) -> None:
    for calls in range(5):
        pipedrive.calls_before_faults = calls
        pipedrive.faults.append(fault)
        with pytest.raises(error) as raised:
            await fetch(api, "deals", 501)
        assert TOKEN not in str(raised.value)
        assert not isinstance(raised.value, Throttled) or raised.value.seconds == 2
    assert (await fetch(api, "deals", 501))[-1][1]["owner"] == "Olga Owner"


async def test_an_answer_that_does_not_come_is_no_answer(pipedrive: FakePipedrive) -> None:
    pipedrive.faults.append((STALLS, {}, {"success": True, "data": []}))
    async with api_waiting(pipedrive, seconds=0.5) as hasty:
        with pytest.raises(Failed, match="in time"):
            await fetch(hasty, "deals", 501)


# ---------------------------------------------------------------- the deals won in a month


async def test_deals_won_in_a_month(pipedrive: FakePipedrive, api: Api) -> None:
    told = {name: value for name, value in DEAL.items() if name != "id"} | {"participants_count": 1}
    march: dict[str, Any] = {"won_time": "2026-03-31T21:59:59Z", "update_time": iso(day(31, 23))}
    deals: dict[int, dict[str, Any]] = {
        # Where the company is, the last second of March, and the first of it.
        502: march, 503: {"won_time": "2026-02-28T23:00:00Z", "update_time": "2026-02-28T23:00:00Z"},
        504: {"won_time": "2026-02-28T22:59:59Z", "update_time": iso(day(20))},
        # The time of the win is not told.
        505: {"won_time": None, "close_time": iso(day(6))},
        506: march | {"is_archived": True, "currency": "EUR", "value": 70},
        507: march | {"is_deleted": True}, 508: march | {"is_deleted": True, "is_archived": True}, 509: march | {"status": "lost"},
        510: march | {"status": "lost", "is_archived": True},
        # Edited long after.
        511: march | {"update_time": "2026-11-02T10:00:00Z"},
    }  # fmt: skip
    for number, changes in deals.items():
        pipedrive.put("deals", number, **told | changes)
    assert PROVIDER.won_in is not None
    pipedrive.page_size = 1
    stated = {each.id: each for each in await PROVIDER.won_in(api, sender(), "2026-03")}
    assert stated["502"] == StatedDeal("502", "Initech", "1250.5", "USD", "2026-03-31")
    assert stated["506"] == StatedDeal("506", "Initech", "70", "EUR", "2026-03-31")
    days = {"502": "2026-03-31", "503": "2026-03-01", "505": "2026-03-06", "506": "2026-03-31", "511": "2026-03-31"}
    assert {each.id: each.closed_on for each in stated.values()} == days
    pipedrive.page_size = None
    assert [(each.id, each.closed_on) for each in await PROVIDER.won_in(api, sender(), "2026-02")] == [("504", "2026-02-28")]
    pipedrive.put("deals", 501, update_time=iso(WON_AT))
    assert [(each.id, each.closed_on) for each in await PROVIDER.won_in(api, sender(), "2026-04")] == [("501", "2026-04-01")]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allow_private_addresses": True})


async def test_our_figures_beside_what_it_states(
    database: Database, application: FastAPI, door: httpx.AsyncClient, pipedrive: FakePipedrive
) -> None:
    won = {name: value for name, value in DEAL.items() if name != "id"} | {"participants_count": 1, "value": 100, "won_time": iso(day(9))}
    for number in (501, 502):
        pipedrive.put("deals", number, **won)
    assert (await door.patch("/v1/connections/crm", json={"api_base_url": pipedrive.url}, headers=ADMIN)).status_code == 200
    calls = Calls(database, application.state.log, application.state.directory, allow_private=True)
    async with database.write() as connection:
        crm = await load_connection(connection, "default", "crm")
        await begin_polls(connection, crm, PROVIDER.polls, day(1), datetime.now(UTC))
    async with api_waiting(pipedrive, seconds=5) as opened:
        while await poll_page(calls, crm, PROVIDER, opened):
            pass
    await run_until_idle(database)
    # Since then one was changed, and one was won, of which we do not know.
    pipedrive.put("deals", 502, value=130, update_time=iso(day(20)))
    pipedrive.put("deals", 503, **won | {"value": 70, "update_time": iso(day(21))})
    answer = await door.post("/v1/reports/reconciliation", params={"month": "2026-03", "connection": "crm"}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["according_to"], report["crm"]["count"], report["crm"]["sum"]) == ("statement", 3, "300.00")
    assert (report["ours"]["count"], report["ours"]["sum"], report["difference"]) == (2, "200.00", {"count": -1, "sum": "-100.00"})
    amounts = [(each["deal_id"], each["reason"], each["crm"]["amount"], each["ours"] and each["ours"]["amount"]) for each in report["deals"]]
    assert amounts == [("502", "amount_differs", "130.00", "100.00"), ("503", "not_received", "70.00", None)]
    pipedrive.is_down = True
    down = await door.post("/v1/reports/reconciliation", params={"month": "2026-03", "connection": "crm"}, headers=ADMIN)
    assert (down.status_code, "Pipedrive did not answer" in down.text) == (502, True)


# ---------------------------------------------------------------- from a click to the deal


@pytest.mark.parametrize("way", ["version 1", "version 2", "polling"])
async def test_from_a_click_to_the_attributed_deal(
    database: Database, application: FastAPI, door: httpx.AsyncClient, pipedrive: FakePipedrive, way: str
) -> None:
    """Ada clicked an ad and asked for a demo; the deal that Pipedrive closes is credited to the ad, whichever way it is heard of."""
    click = {"url": "https://shop.example/?utm_source=google&utm_medium=cpc", "visitor_id": "v1"}
    events = [
        {**click, "type": "visit", "occurred_at": "2026-03-01T08:00:00Z"},
        {**click, "type": "form_submit", "form": "Demo", "email": "ada@initech.example", "occurred_at": "2026-03-01T08:05:00Z"},
    ]
    assert (await door.post("/v1/events", json={"events": events}, headers=ADMIN)).json()["accepted"] == 2
    assert (await door.patch("/v1/connections/crm", json={"api_base_url": pipedrive.url}, headers=ADMIN)).status_code == 200
    won = pipedrive.put("deals", 501, won_time=iso(day(8)), close_time=iso(day(8)))
    activity = pipedrive.records["activities"]["71"]
    calls = Calls(database, application.state.log, application.state.directory, allow_private=True)
    async with database.read() as connection:
        crm = await load_connection(connection, "default", "crm")
    async with api_waiting(pipedrive, seconds=5) as opened:
        if way == "polling":
            async with database.write() as connection:
                await begin_polls(connection, crm, PROVIDER.polls, day(1), datetime.now(UTC))
            while await poll_page(calls, crm, PROVIDER, opened):
                pass
        else:
            newer = [v2("deal", won, {"status": "open"}), v2("activity", activity, {"done": False})]
            older = [v1("updated.deal", as_v1(won)), v1("added.activity", as_v1(activity))]
            for told in newer if way == "version 2" else older:
                assert (await post(door, told)).status_code == 202
            # The service at the other end of the answer is down at first.
            pipedrive.is_down = True
            assert await fetch_batch(calls, crm, PROVIDER, opened)
            pipedrive.is_down = False
            calls = replace(calls, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
            while await fetch_batch(calls, crm, PROVIDER, opened):
                pass
    await run_until_idle(database)
    asked = {"conversion": "customer", "model": "linear", "by": "channel", "from": "2026-01-01", "to": "2027-01-01"}
    answer = (await door.get("/v1/reports/attribution", params=asked, headers=ADMIN)).json()
    assert answer["rows"] == [{"channel": "Paid Search", "conversions": 1, "revenue": "1250.50"}]
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
    database: Database, application: FastAPI, client: httpx.AsyncClient, pipedrive: FakePipedrive, api: Api
) -> None:
    """One deal, won, lost after all, opened again and won: by webhooks and fetches in order, in disorder and twice, and polled as it went."""
    history = [
        {"status": "open", "won_time": None, "close_time": None, "value": 900, "update_time": iso(day(3)), "stage_id": 11, "stage_change_time": None},
        {"status": "won", "won_time": iso(day(4)), "close_time": iso(day(4)), "value": 1000, "update_time": iso(day(4))},
        {"status": "lost", "won_time": None, "lost_time": iso(day(5)), "lost_reason": "Price", "update_time": iso(day(5))},
        {"status": "open", "lost_time": None, "close_time": None, "lost_reason": None, "update_time": iso(day(6)), "stage_id": 12, "stage_change_time": iso(day(6))},
        {"status": "won", "won_time": iso(day(8)), "close_time": iso(day(8)), "update_time": iso(day(8))},
        {"value": 1250, "update_time": iso(day(12))},
    ]
    told: list[Sequence[Said]] = []
    polled: list[Sequence[Said]] = [await poll(api, "contacts"), await poll(api, "activities")]
    assert PROVIDER.fetch is not None
    for changes in history:
        deal = pipedrive.put("deals", 501, **changes)
        told += [read(v2("deal", deal, {})).said, await PROVIDER.fetch(api, sender(), "deals", ["501"])]
        polled.append(await poll(api, "deals"))
    told += [await PROVIDER.fetch(api, sender(), kind, ids) for kind, ids in (("contacts", ["7", "8"]), ("activities", ["71"]))]
    shuffled = [each for group in [*told, *told] for each in group]
    Random(3).shuffle(shuffled)
    for site_id, groups in (("default", told), ("shuffled", [shuffled]), ("polled", polled)):
        if site_id != "default":
            assert (await client.post("/v1/sites", json={"id": site_id}, headers=ADMIN)).status_code == 201
        wanted_ = {"id": site_id, "provider": "pipedrive", "secret": SECRET}
        assert (await client.post(f"/v1/connections?site={site_id}", json=wanted_, headers=ADMIN)).status_code == 201
        site = await application.state.directory.site(site_id)
        connection = Connection(site_id, site_id, (SECRET,), sender().fields, AT)
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
    columns = ["site_id", "deal_id", "outcome", "won_at", "amount_minor", "currency", "closed_on", "owner", "lost_reason"]
    deal_now = ["501", "won", day(8), 125_000, "USD", "2026-03-08", "Olga Owner", None]
    await assert_rows(database, tables.deals, columns, [[site_id, *deal_now] for site_id in ("default", "shuffled", "polled")])
    worth = [[0, day(8), 100_000], [1, day(12), 125_000]]
    expected_worth = [[site_id, *row] for site_id in ("default", "shuffled", "polled") for row in worth]
    await assert_rows(database, tables.deal_amounts, ["site_id", "entry", "occurred_at", "after_minor"], expected_worth)
