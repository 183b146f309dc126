"""`POST /v1/webhooks/{connection_id}`, with messages that are really signed, on both databases."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from standardwebhooks import Webhook

from app import ids, tables
from app.collect.keys import link_id, subject_keys
from app.collect.quarantine import replay
from app.crm.providers import Delivery, Read
from app.crm.registry import PROVIDERS
from app.db import Database
from app.sites.connections import Connection, new_secret
from app.sites.site import Site
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
STAMP = AT.isoformat()


class Crm:
    """A CRM that signs its messages."""

    def __init__(self, client: httpx.AsyncClient, secret: str) -> None:
        self.client = client
        self.secret = secret
        self._sent = 0

    async def send(self, type_: str, data: Any, *, message_id: str | None = None, timestamp: str | None = STAMP) -> httpx.Response:
        """One message; `timestamp` in its payload."""
        payload = {"type": type_, "data": data} | ({} if timestamp is None else {"timestamp": timestamp})
        return await self.post(json.dumps(payload), message_id=message_id)

    async def post(self, body: str | bytes, *, message_id: str | None = None, signed_at: datetime | None = None, **headers: str) -> httpx.Response:
        """A body as it is, signed; `headers` in place of the true ones (`_` for `-`)."""
        self._sent += 1
        text = body if isinstance(body, str) else body.decode("latin-1")
        true = self.signature(message_id or f"msg_{self._sent}", signed_at or datetime.now(UTC), text)
        sent = true | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/v1/webhooks/crm", content=body, headers=sent)

    def signature(self, message_id: str, signed_at: datetime, body: str) -> dict[str, str]:
        """The three headers."""
        signature = Webhook(self.secret).sign(message_id, signed_at, body)
        return {"webhook-id": message_id, "webhook-timestamp": str(int(signed_at.timestamp())), "webhook-signature": signature}


@pytest.fixture
async def crm(client: httpx.AsyncClient) -> Crm:
    made = await client.post("/v1/connections", json={"id": "crm", "provider": "generic"}, headers=ADMIN)
    assert made.status_code == 201
    return Crm(client, made.json()["secret"])


@pytest.fixture
async def default_site(crm: Crm, application: FastAPI) -> Site:
    return await application.state.directory.site("default")


def _fact_id(message_id: str) -> str:
    return ids.digest("crm", message_id)


ACCEPTED = {"accepted": 1, "duplicates": 0, "rejected": []}


async def test_a_deal_is_a_fact_with_its_fields_and_contacts(database: Database, crm: Crm, default_site: Site) -> None:
    deal = {"id": 7, "name": "Initech", "amount": "1200.50", "currency": "EUR", "owner": None, "contacts": [{"id": "ada", "email": "Ada@Example.com"}]}
    answer = await crm.send("deal.created", deal, message_id="m1")
    assert (answer.status_code, answer.json()) == (202, ACCEPTED)
    columns = ["site_id", "fact_id", "connection_id", "space", "type", "deal_id", "occurred_at"]
    await assert_rows(database, tables.crm_facts, columns, [["default", _fact_id("m1"), "crm", "generic", "deal.created", "7", AT]])
    fields = [["name", "Initech"], ["amount", "12005000"], ["currency", "EUR"], ["owner", None], ["contacts", "1"]]
    await assert_rows(database, tables.deal_fields, ["field", "value"], fields)
    link = link_id(subject_keys(default_site, email="ada@example.com", contact=("generic", "ada")))
    await assert_rows(database, tables.deal_contacts, ["fact_id", "deal_id", "link_id"], [[_fact_id("m1"), "7", link]])
    await assert_rows(database, tables.deals_queue, ["site_id", "space", "deal_id"], [["default", "generic", "7"]])


@pytest.mark.parametrize(
    ("type_", "data", "change"),
    [
        ("deal.created", {}, ["seen", None]),
        ("deal.updated", {"stage": "proposal"}, ["seen", None]),
        ("deal.updated", {"outcome": "won"}, ["won", None]),
        ("deal.won", {"amount": 100, "currency": "USD"}, ["won", None]),
        ("deal.lost", {"lost_reason": "price"}, ["lost", None]),
        ("deal.reopened", {}, ["reopened", None]),
        ("deal.adjusted", {"amount": "-20.00", "currency": "USD"}, ["adjusted", -200_000]),
        ("deal.churned", {}, ["churned", None]),
    ],
)
async def test_what_happened_to_a_deal(database: Database, crm: Crm, type_: str, data: dict[str, Any], change: list[Any]) -> None:
    assert (await crm.send(type_, {"id": "d", **data})).json() == ACCEPTED
    await assert_rows(database, tables.deal_changes, ["deal_id", "change", "amount"], [["d", *change]])


async def test_a_contact_is_seen_with_all_its_keys_and_its_visitor(database: Database, crm: Crm, default_site: Site) -> None:
    contact = {
        "id": "ada", "email": "ada@example.com", "phone": "+49 30 901820", "company": "Initech", "lead_source": "Fair",
        "may_contact": True, "visitor_id": "v1",
    }  # fmt: skip
    assert (await crm.send("contact.created", contact, message_id="m1")).json() == ACCEPTED
    keys = subject_keys(default_site, email="ada@example.com", phone="+4930901820", contact=("generic", "ada"))
    sighting = [link_id(keys), "v1", _fact_id("m1"), AT, True]
    await assert_rows(database, tables.sightings, ["link_id", "visitor_id", "fact_id", "occurred_at", "is_trusted"], [sighting])
    await assert_rows(database, tables.link_keys, ["key_id"], [[key] for key in keys])
    await assert_rows(database, tables.identity_queue, ["key_id"], [[key] for key in keys])
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [["v1"]])
    shown = [["contact", "ada", "Initech", "Fair"], ["email", "ada@example.com", "Initech", "Fair"], ["phone", "+4930901820", "Initech", "Fair"]]
    await assert_rows(database, tables.contacts, ["kind", "value", "company", "lead_source"], shown)
    [[body]] = [list(row) for row in await _all(database, select(tables.crm_facts.c.body))]
    assert json.loads(body) == {"id": "ada", "company": {"name": "Initech"}, "lead_source": "Fair", "may_contact": True, "visitor_id": "v1"}


async def test_a_contact_is_qualified_with_its_evidence_or_disqualified_with_the_reason(database: Database, crm: Crm, default_site: Site) -> None:
    bant = {"budget": True, "authority": False, "need": True, "timeline": True}
    await crm.send("contact.qualified", {"email": "ada@example.com", "bant": bant}, message_id="m1")
    await crm.send("contact.disqualified", {"id": "spam", "reason": "applicant"}, message_id="m2")
    ada, spam = subject_keys(default_site, email="ada@example.com"), subject_keys(default_site, contact=("generic", "spam"))
    in_json = '{"budget":true,"authority":false,"need":true,"timeline":true}'
    rows = [[_fact_id("m1"), "sql", link_id(ada), None, in_json, AT], [_fact_id("m2"), "disqualified", link_id(spam), "applicant", None, AT]]
    await assert_rows(database, tables.contact_marks, ["fact_id", "mark", "link_id", "reason", "bant", "occurred_at"], rows)
    await assert_rows(database, tables.identity_queue, ["key_id"], [[ada[0]], [spam[0]]])


@pytest.mark.parametrize(
    ("contact", "named"),
    [("ada", {"contact": ("generic", "ada")}), (12, {"contact": ("generic", "12")}), ("Ada@example.com", {"email": "ada@example.com"}),
     ({"id": "ada", "phone": "+4930901820"}, {"contact": ("generic", "ada"), "phone": "+4930901820"}), (None, None)],
)  # fmt: skip
async def test_an_activity_names_a_contact_a_deal_or_both(
    database: Database, crm: Crm, default_site: Site, contact: Any, named: dict[str, Any] | None
) -> None:
    said = {"kind": "Call", "direction": "outbound", "automated": False, "contact": contact, "deal": 7}
    assert (await crm.send("activity.logged", said, message_id="m1")).json() == ACCEPTED
    link = None if named is None else link_id(subject_keys(default_site, **named))
    columns = ["fact_id", "kind", "direction", "is_automated", "link_id", "space", "deal_id", "occurred_at"]
    await assert_rows(database, tables.activities, columns, [[_fact_id("m1"), "call", "outbound", False, link, "generic", "7", AT]])
    await assert_rows(database, tables.activities_queue, ["space", "activity_id"], [["generic", _fact_id("m1")]])
    sighted = [] if link is None else [[link, "", _fact_id("m1")]]
    await assert_rows(database, tables.sightings, ["link_id", "visitor_id", "fact_id"], sighted)
    [[body]] = [list(row) for row in await _all(database, select(tables.crm_facts.c.body))]
    assert "@" not in body
    assert "4930901820" not in body


async def test_an_activity_with_a_contact_alone(database: Database, crm: Crm) -> None:
    await crm.send("activity.logged", {"kind": "email", "automated": True, "contact": "ada"})
    await assert_rows(database, tables.activities, ["kind", "is_automated", "direction", "deal_id"], [["email", True, "", None]])
    await assert_rows(database, tables.deals_queue, ["deal_id"], [])
    await assert_rows(database, tables.crm_facts, ["type", "deal_id"], [["activity.logged", ""]])


async def test_an_event_is_one_of_the_websites(database: Database, crm: Crm, default_site: Site) -> None:
    [key] = subject_keys(default_site, phone="+4930901820")
    event = {"type": "phone_call", "phone": "+49 30 901820", "source": "billboard", "medium": "phone_call", "id": "not its own", "occurred_at": "1999-01-01"}
    assert (await crm.send("event.happened", event, message_id="m1")).json() == ACCEPTED
    assert (await crm.send("event.happened", event, message_id="m1")).json()["duplicates"] == 1
    columns = ["visitor_id", "event_id", "type", "occurred_at", "is_trusted", "start_rank"]
    event_id = ids.digest("event", _fact_id("m1"))
    await assert_rows(database, tables.events, columns, [[f"~{key}", event_id, "phone_call", AT, True, 2]])
    told = [["crm", _fact_id("m1"), "event.happened", '{"type":"phone_call"}']]
    await assert_rows(database, tables.crm_facts, ["connection_id", "fact_id", "type", "body"], told)
    await assert_rows(database, tables.sightings, ["fact_id"], [[event_id]])


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "deal_closed", "email": "ada@example.com"}, "type: a deal is told by deal.won or deal.lost"),
        ({"type": "form_submit"}, "visitor_id, or an e-mail, phone or user ID that can be read, is needed"),
        ({"email": "ada@example.com"}, "type: Field required"),
        ({"type": "form_submit", "visitor_id": "~p_1"}, "visitor_id may not begin with ~"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_event_that_cannot_be_one_is_set_aside(crm: Crm, event: dict[str, Any], reason: str) -> None:
    answer = (await crm.send("event.happened", event)).json()
    assert answer == {"accepted": 0, "duplicates": 0, "rejected": [{"index": 0, "reason": reason}]}


async def test_a_message_sent_again_is_a_duplicate(database: Database, crm: Crm) -> None:
    answers = [await crm.send("deal.won", {"id": "d", "amount": amount}, message_id="m1") for amount in (10, 10, 99)]
    assert [answer.json()["duplicates"] for answer in answers] == [0, 1, 1]
    await assert_rows(database, tables.deal_fields, ["field", "value"], [["amount", "100000"]])
    await assert_rows(database, tables.deals_queue, ["deal_id"], [["d"]])


async def test_times_come_from_the_payload_then_from_the_header_and_never_lie_ahead(database: Database, crm: Crm) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    before = datetime.now(UTC) - timedelta(seconds=1)
    await crm.send("deal.won", {"id": "d"}, message_id="east", timestamp="2026-03-04T12:00:00+02:00")
    await crm.send("deal.won", {"id": "d"}, message_id="ahead", timestamp=ahead)
    await crm.post(json.dumps({"type": "deal.won", "data": {"id": "d"}}), message_id="header", signed_at=before - timedelta(minutes=2))
    found = {row.fact_id: row for row in await _all(database, select(tables.crm_facts))}
    assert found[_fact_id("east")].occurred_at == AT
    assert found[_fact_id("ahead")].occurred_at == found[_fact_id("ahead")].received_at
    assert found[_fact_id("header")].occurred_at == (before - timedelta(minutes=2)).replace(microsecond=0)


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook_signature": "v1,AAAA"},
        {"webhook_signature": "v1,not base64!"},
        {"webhook_signature": "v1"},
        {"webhook_signature": "v2,AAAA v1a,AAAA"},
        {"webhook_signature": ",,,"},
        {"webhook_signature": ""},
        {"webhook_id": ""},
        {"webhook_id": "another"},
        {"webhook_timestamp": "soon"},
        {"webhook_timestamp": "1e400"},
        {"webhook_timestamp": "nan"},
        {"webhook_timestamp": "99999999999999999999"},
    ],
)
async def test_a_wrong_signature_stores_nothing_and_is_counted(database: Database, crm: Crm, headers: dict[str, str]) -> None:
    answer = await crm.post('{"type": "deal.won", "data": {"id": "d"}}', **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    await assert_rows(database, tables.crm_facts, ["fact_id"], [])
    await assert_rows(database, tables.quarantine, ["reason"], [])
    await assert_rows(database, tables.drops, ["site_id", "reason", "count"], [["default", "bad_signature:crm", 1]])


async def test_no_signature_at_all(database: Database, crm: Crm) -> None:
    for _ in range(2):
        assert (await crm.client.post("/v1/webhooks/crm", content=b"{}")).status_code == 401
    await assert_rows(database, tables.drops, ["reason", "count"], [["bad_signature:crm", 2]])


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_stale_signature_is_refused(crm: Crm, minutes: int) -> None:
    answer = await crm.post('{"type": "deal.won", "data": {"id": "d"}}', signed_at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert answer.status_code == 401


async def test_bytes_that_are_no_text_are_refused(crm: Crm) -> None:
    assert (await crm.post(b"\xff\xfe\x00{}")).status_code == 401


async def test_another_secret_is_refused_and_an_unknown_connection_is_not_found(crm: Crm) -> None:
    stranger = Crm(crm.client, new_secret())
    assert (await stranger.send("deal.won", {"id": "d"})).status_code == 401
    for path in ("/v1/webhooks/nobody", "/v1/webhooks/%00", "/v1/webhooks/" + "x" * 300):
        assert (await crm.client.post(path, content=b"{}")).status_code == 404


async def test_rotation_loses_nothing(database: Database, crm: Crm) -> None:
    rotated = await crm.client.patch("/v1/connections/crm", json={"secret": None}, headers=ADMIN)
    newer = Crm(crm.client, rotated.json()["secret"])
    assert [(await each.send("deal.won", {"id": "d"}, message_id=name)).status_code for each, name in ((crm, "old"), (newer, "new"))] == [202, 202]
    await crm.client.patch("/v1/connections/crm", json={"previous_secret": None}, headers=ADMIN)
    assert [(await each.send("deal.won", {"id": "d"}, message_id=f"then {n}")).status_code for n, each in enumerate((crm, newer))] == [401, 202]
    await assert_rows(database, tables.crm_facts, ["fact_id"], [[_fact_id("old")], [_fact_id("new")], [_fact_id("then 1")]])


async def test_several_signatures_in_one_header(crm: Crm) -> None:
    body, now = '{"type": "deal.won", "data": {"id": "d"}}', datetime.now(UTC)
    both = Crm(crm.client, new_secret()).signature("m1", now, body)["webhook-signature"] + " " + crm.signature("m1", now, body)["webhook-signature"]
    assert (await crm.post(body, message_id="m1", signed_at=now, webhook_signature=both)).status_code == 202


async def test_an_ended_connection_takes_nothing(crm: Crm) -> None:
    await crm.client.delete("/v1/connections/crm", headers=ADMIN)
    assert (await crm.send("deal.won", {"id": "d"})).status_code == 404


# ---------------------------------------------------------------- what cannot be understood


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"type": "deal.exploded", "data": {}}, "unknown type; known are contact.created"),
        ({"data": {"id": "d"}}, "type: Field required"),
        ({"type": "deal.won", "data": []}, "data: "),
        ({"type": "deal.won", "data": {}}, "id: Field required"),
        ({"type": "deal.won", "data": {"id": "d", "amount": "much"}}, "amount"),
        ({"type": "deal.won", "data": {"id": "d", "amount": "1e3", "currency": "USD"}}, "amount"),
        ({"type": "deal.won", "data": {"id": "d", "currency": "XXX1"}}, "currency: unknown currency"),
        ({"type": "deal.won", "data": {"id": "d\x00"}}, "id: "),
        ({"type": "deal.won", "timestamp": "yesterday", "data": {"id": "d"}}, "timestamp: not an RFC 3339 time"),
        ({"type": "deal.won", "timestamp": "0001-01-01T00:00:00Z", "data": {"id": "d"}}, "timestamp: a time outside"),
        ({"type": "deal.adjusted", "data": {"id": "d"}}, "amount: deal.adjusted needs"),
        ({"type": "contact.created", "data": {"name": "Ada"}}, "the contact has no id"),
        ({"type": "contact.qualified", "data": {"id": "a", "bant": {"need": "yes"}}}, "bant.need"),
        ({"type": "activity.logged", "data": {"kind": "call"}}, "an activity names"),
        ({"type": "activity.logged", "data": {"kind": "fax", "deal": "d"}}, "kind: Input should be 'call'"),
    ],
)
async def test_what_is_signed_but_not_understood_is_set_aside(database: Database, crm: Crm, payload: dict[str, Any], reason: str) -> None:
    for _ in range(2):
        answer = await crm.post(json.dumps(payload), message_id="m1")
        assert answer.status_code == 202
        assert (answer.json()["accepted"], len(answer.json()["rejected"])) == (0, 1)
        assert answer.json()["rejected"][0]["reason"].startswith(reason)
    await assert_rows(database, tables.crm_facts, ["fact_id"], [])
    [kept] = await _all(database, select(tables.quarantine))
    assert (kept.site_id, kept.door, kept.is_trusted) == ("default", "webhook:crm", True)
    assert kept.reason.startswith(reason)
    held = json.loads(kept.body)
    assert (held["said"]["data"] if "said" in held else json.loads(held["body"])) == (payload["data"] if "said" in held else payload)


@pytest.mark.parametrize("body", ["", "{", "hello", "[" * 100_000, '{"type": "deal.won", "data": {"id": "\\ud800"}}'])
async def test_what_is_not_json_is_set_aside_and_said(database: Database, crm: Crm, body: str) -> None:
    answer = await crm.post(body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert len(await _all(database, select(tables.quarantine))) == 1


@pytest.mark.parametrize("body", ["[]", "1", "null", '"x"', '{"type": "deal.won", "data": {"id": "d", "amount": NaN}}', "[" * 50 + "]" * 50])
async def test_json_of_another_shape(database: Database, crm: Crm, body: str) -> None:
    answer = await crm.post(body)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
    assert len(await _all(database, select(tables.quarantine))) == 1


async def test_what_makes_its_reader_fail_is_kept(database: Database, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours: the sender would repeat it, and at last drop it for good."""

    def fails(delivery: Delivery, connection: Connection) -> Read:
        raise KeyError("amount")

    monkeypatch.setitem(PROVIDERS, "generic", replace(PROVIDERS["generic"], read=fails))
    answer = await crm.post('{"type": "deal.created"}')
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
    async with database.read() as connection:
        [kept] = (await connection.execute(select(tables.quarantine.c.body, tables.quarantine.c.reason))).all()
    assert json.loads(kept.body)["body"] == '{"type": "deal.created"}'
    assert kept.reason == "The service failed to read this (KeyError); its log says why."


async def test_a_body_over_the_limit(crm: Crm) -> None:
    answer = await crm.send("deal.won", {"id": "d", "name": "x" * 600_000})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


async def test_a_secret_that_is_not_the_libraries_is_no_secret(crm: Crm) -> None:
    for secret in ("whsec_" + b64encode(b"x" * 23).decode(), "x" * 40, "whsec_???"):
        answer = await crm.client.post("/v1/connections", json={"id": "other", "secret": secret}, headers=ADMIN)
        assert answer.status_code == 422
        assert secret not in answer.text


async def test_what_was_set_aside_can_be_replayed(database: Database, crm: Crm, default_site: Site, application: FastAPI) -> None:
    # A national phone number says nothing until the site's country is known.
    contact = {"phone": "030 901820"}
    await crm.send("contact.created", contact, message_id="m1", timestamp=None)
    await crm.send("deal.exploded", {"id": "d"}, message_id="m2")
    [received_at] = [row.received_at for row in await _all(database, select(tables.quarantine)) if "phone" in row.reason]
    await crm.client.patch("/v1/sites/default", json={"country": "DE"}, headers=ADMIN)
    site = await application.state.directory.site("default")
    replayed = await replay(database, application.state.log, site)
    assert (replayed.stored, replayed.duplicates, len(replayed.refused)) == (1, 0, 1)
    columns = ["fact_id", "connection_id", "type", "occurred_at", "received_at"]
    await assert_rows(database, tables.crm_facts, columns, [[_fact_id("m1"), "crm", "contact.created", received_at, received_at]])
    [key] = subject_keys(site, phone="+4930901820")
    await assert_rows(database, tables.link_keys, ["key_id"], [[key]])
    assert (await crm.send("contact.created", contact, message_id="m1")).json()["duplicates"] == 1


async def _all(database: Database, statement: Any) -> list[Any]:
    async with database.read() as connection:
        return list((await connection.execute(statement)).all())
