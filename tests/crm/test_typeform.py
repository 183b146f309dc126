"""Typeform: a response, signed as Typeform signs, is a lead of the visitor whose ID the hidden field carried."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.crm.messages import Said
from app.crm.providers import Delivery, NotUnderstood, Read
from app.crm.typeform import PROVIDER
from app.db import Database
from app.pipeline import run_until_idle
from tests.crm.embeds import OTHER_VISITOR, VISITOR, connect, credit, sender, visits
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

SECRET = "a-secret-typed-into-typeform"
DOOR = "/v1/webhooks/in"


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"Typeform-Signature": "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()}


def answer(kind: str, value: Any, ref: str) -> dict[str, Any]:
    return {"type": kind, kind: value, "field": {"id": f"id-{ref}", "type": kind, "ref": ref}}


EMAIL, PHONE = answer("email", "Ada@Initech.example", "mail"), answer("phone_number", "+4930901820", "tel")
COMPANY, SIZE = answer("text", "Initech", "company"), answer("choice", {"id": "c", "ref": "r", "label": "50-100"}, "size")
TOPICS = answer("choices", {"ids": ["a", "b"], "labels": ["CRM", "Ads"]}, "topics")


def told(*answers: dict[str, Any], hidden: dict[str, Any] | None = None, **more: Any) -> bytes:
    """What Typeform posts of a response."""
    response = {
        "form_id": "lT4Z3j", "token": "a3a12ec67a1365927098a606107fac15", "landed_at": "2026-03-04T09:59:00Z", "submitted_at": "2026-03-04T10:00:00Z",
        "definition": {"id": "lT4Z3j", "title": "Ask for a demo", "fields": []}, "answers": list(answers),
    }  # fmt: skip
    with_hidden = {} if hidden is None else {"hidden": hidden}
    return json.dumps({"event_id": "LtWXD3crgy", "event_type": "form_response", "form_response": {**response, **with_hidden, **more}}).encode()


EMBEDDED = {"closedloop_visitor_id": VISITOR}


def read(body: bytes, **fields: str) -> Read:
    return PROVIDER.read(Delivery("POST", "https://loop.example" + DOOR, {}, body, 0), sender("typeform", SECRET, **fields))


def said(body: bytes, **fields: str) -> Said:
    [only] = read(body, **fields).said
    return only


async def test_a_response_is_a_lead_of_the_visitors_touches(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "typeform", SECRET, settings={"fields": {"company": "company", "size": "size"}})
    await visits(client, VISITOR, "2026-03-02T09:00:00Z", "spring")
    await visits(client, VISITOR, "2026-03-04T09:55:00Z", "brand")
    await visits(client, OTHER_VISITOR, "2026-03-04T09:56:00Z", "nobody")
    body = told(COMPANY, SIZE, EMAIL, PHONE, hidden=EMBEDDED)
    answers = [await client.post(DOOR, content=body, headers=signed(body)) for _ in range(2)]
    assert [each.json() for each in answers] == [{"accepted": 1, "duplicates": 0, "rejected": []}, {"accepted": 0, "duplicates": 1, "rejected": []}]
    assert await credit(application, client, database, "lead") == {"spring": 0.5, "brand": 0.5}

    event = tables.events.c
    found = select(tables.events, tables.forms.c.name.label("form")).join(tables.forms, tables.forms.c.form_id == event.form_id)
    submitted_at = datetime(2026, 3, 4, 10, tzinfo=UTC)
    columns = ["visitor_id", "type", "form", "title", "occurred_at", "properties"]
    expected = [VISITOR, "form_submit", "Typeform lT4Z3j", "Ask for a demo", submitted_at, '{"company":"Initech","size":"50-100"}']
    await assert_rows(database, found, columns, [expected])
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ada@initech.example"], ["phone", "+4930901820"]])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_told_before_the_visit_it_is_the_same(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "typeform", SECRET)
    body = told(EMAIL, hidden=EMBEDDED)
    await client.post(DOOR, content=body, headers=signed(body))
    await run_until_idle(database)
    await visits(client, VISITOR, "2026-03-02T09:00:00Z", "spring")
    assert await credit(application, client, database, "lead") == {"spring": 1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_link_in_an_email_brings_its_own_tags(application: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    """Nobody's browser is known, so what the link says is all there is."""
    await connect(client, "typeform", SECRET)
    body = told(EMAIL, hidden={"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "May", "closedloop_visitor_id": "xxxxx"})
    await client.post(DOOR, content=body, headers=signed(body))
    assert await credit(application, client, database, "lead", by="channel") == {"Email": 1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_signature_stores_nothing(client: httpx.AsyncClient, database: Database) -> None:
    await connect(client, "typeform", SECRET)
    body = told(EMAIL, hidden=EMBEDDED)
    in_hexadecimal = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    for headers in (signed(body, "another-secret"), signed(body + b" "), {"Typeform-Signature": in_hexadecimal}, {"Typeform-Signature": "é"}, {}):
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        assert (await client.post(DOOR, content=body, headers=sent)).status_code == 401
    await assert_rows(database, tables.events, ["type"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bad_signature:in", 5]])


def test_a_secret_that_is_being_replaced_still_counts() -> None:
    body = told(EMAIL)
    for secret in (SECRET, "the-one-before"):
        headers = {name.lower(): value for name, value in signed(body, secret).items()}
        assert PROVIDER.is_authentic(Delivery("POST", DOOR, headers, body, 0), sender("typeform", SECRET, "the-one-before"))


def test_answers_of_every_kind_are_texts() -> None:
    yes, many = answer("boolean", True, "agreed"), answer("number", 42, "seats")
    fields = {name: name for name in ("topics", "agreed", "seats", "none")} | {"company": "id-company", "plan": "plan"}
    told_of = said(told(EMAIL, COMPANY, TOPICS, yes, many, hidden={"plan": "pro"}), **fields).data["properties"]
    assert told_of == {"topics": "CRM, Ads", "agreed": "true", "seats": "42", "company": "Initech", "plan": "pro"}


def test_the_settings_may_say_where_the_keys_are() -> None:
    work = answer("email", "ada@work.example", "work")
    data = said(told(EMAIL, work, hidden={"vid": VISITOR, "tel": "030 1"}), email="work", phone="tel", visitor_id="vid").data
    assert data == {
        "type": "form_submit", "form": "Typeform lT4Z3j", "title": "Ask for a demo", "visitor_id": VISITOR, "email": "ada@work.example", "phone": "030 1",
    }  # fmt: skip


def test_an_answer_that_names_nobody_is_counted() -> None:
    assert (read(told(COMPANY)).said, read(told(COMPANY)).ignored) == ((), {"names_nobody": 1})
    partial = json.dumps({"event_type": "form_response_partial", "form_response": {}}).encode()
    assert read(partial).ignored == {"not_read": 1}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"form_response": []}', b'{"form_response": {"form_id": "x", "token": 7}}'])
def test_what_is_no_response_is_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(body)


def test_odd_shapes_are_no_harm() -> None:
    odd = {"answers": [1, {"type": "email"}, {"type": [1], "field": 2}, {"type": "choices", "choices": {"labels": 3}, "field": {"ref": "a"}}], "definition": 1}
    data = said(told(hidden={"email": "a@b.example", "closedloop_visitor_id": 7}, **odd, submitted_at="soon"), a="a").data
    assert data == {"type": "form_submit", "form": "Typeform lT4Z3j", "email": "a@b.example"}
