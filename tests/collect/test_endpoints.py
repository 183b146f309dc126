"""`POST /v1/events` from outside: what is answered is what is stored."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from sqlalchemy import func, select

from app import tables
from app.errors import Unavailable
from tests.collect.bodies import as_body
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"}
SECRET = {"Authorization": f"Bearer {SECRET_KEY}"}
VISIT = {"type": "visit", "visitor_id": "ann", "id": "1", "url": "https://www.example.com/?utm_source=news&utm_medium=email"}
ANSWER = {"accepted": 1, "duplicates": 0, "rejected": []}


async def send(client, body, headers=BROWSER, *, key=WRITE_KEY):
    content = body if isinstance(body, bytes) else as_body(body)
    return await client.post("/v1/events", params={"key": key} if key else {}, content=content, headers=headers)


@pytest.mark.parametrize(
    ("params", "headers", "envelope"),
    [
        ({"key": WRITE_KEY}, {"Content-Type": "application/json"}, {}),
        ({}, {"Authorization": f"Bearer {WRITE_KEY}", "Content-Type": "text/plain"}, {}),
        ({}, {"Content-Type": "text/plain;charset=UTF-8"}, {"key": WRITE_KEY}),
        ({}, {"Content-Encoding": "gzip", "Content-Type": "application/json"}, {"key": WRITE_KEY}),
    ],
)
async def test_a_visit_is_stored_whichever_way_its_key_comes(client, database, params, headers, envelope):
    content = as_body({**VISIT, **envelope})
    if "Content-Encoding" in headers:
        content = gzip.compress(content)
    answer = await client.post("/v1/events", params=params, content=content, headers={**BROWSER, **headers})

    assert (answer.status_code, answer.json()) == (202, ANSWER)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    columns = ["site_id", "visitor_id", "event_id", "type", "host", "path", "is_trusted"]
    await assert_rows(database, tables.events, columns, [["default", "ann", "1", "visit", "example.com", "/", False]])
    origins = select(tables.origins).where(tables.origins.c.source != "")
    await assert_rows(database, origins, ["source", "medium", "referring_host"], [["news", "email", ""]])
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [["ann"]])


async def test_a_batch_keeps_the_good_and_names_the_bad(client, database):
    events = [VISIT, {"type": "deal_closed", "deal": {"id": 1}}, {**VISIT, "id": "2"}, {"visitor_id": "ann"}, VISIT]
    answer = (await send(client, {"events": events})).json()

    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert [each["index"] for each in answer["rejected"]] == [1, 3]
    assert "secret key" in answer["rejected"][0]["reason"]
    await assert_rows(database, tables.events, ["event_id"], [["1"], ["2"]])
    await assert_rows(database, tables.quarantine, ["door", "is_trusted"], [["events", False]] * 2)


async def test_sending_again_is_harmless(client, database):
    await send(client, {"events": [VISIT, {**VISIT, "id": "2"}]})
    assert (await send(client, {"events": [VISIT, {**VISIT, "id": "2"}]})).json() == {"accepted": 0, "duplicates": 2, "rejected": []}
    await assert_rows(database, tables.touches_queue, ["visitor_id"], [["ann"]])


async def test_a_closed_deal_is_no_event(client, database):
    deal = {"type": "deal_closed", "id": "d1", "deal": {"id": "D1", "amount": "1200.50", "currency": "EUR", "contacts": ["ann@example.com"]}}
    assert (await send(client, deal, SECRET, key=None)).json() == ANSWER
    assert (await send(client, {**deal, "deal": {"id": "D1", "amount": 1}}, SECRET, key=None)).json()["duplicates"] == 1

    await assert_rows(database, tables.events, ["event_id"], [])
    fields = [["amount", "12005000"], ["contacts", "1"], ["currency", "EUR"]]
    await assert_rows(database, tables.deal_fields, ["field", "value"], fields)
    await assert_rows(database, tables.deals_queue, ["space", "deal_id"], [["generic", "D1"]])
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ann@example.com"]])


async def test_a_poisoned_event_among_concurrent_requests_costs_only_itself(client, application, database):
    # Takes a place in the log that validation would not let through: a value that neither database takes.
    from app.log import Fact

    row = {"site_id": "default", "visitor_id": "eve", "event_id": "x", "received_at": 0}
    sent = [send(client, {**VISIT, "id": str(n)}) for n in range(10)]
    *answers, poisoned = await asyncio.gather(*sent, application.state.log.append([Fact(tables.events, row)]))

    assert [answer.json() for answer in answers] == [ANSWER] * 10
    assert not poisoned[0]
    await assert_rows(database, tables.events, ["event_id"], [[str(n)] for n in range(10)])


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({**BROWSER, "Sec-GPC": "1"}, "gpc"), ({"User-Agent": "curl/8.0"}, "bot"), ({**BROWSER, "Sec-Purpose": "prefetch"}, "prefetch")],
)
async def test_what_is_dropped_is_said_and_counted(client, database, headers, reason):
    answer = await send(client, {"events": [VISIT, VISIT]}, headers)

    assert (answer.status_code, answer.headers["Closedloop-Dropped"]) == (202, reason)
    assert answer.json() == {"accepted": 0, "duplicates": 0, "rejected": []}
    await assert_rows(database, tables.events, ["event_id"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [[reason, 2]])


@pytest.mark.parametrize(
    ("body", "headers", "key", "status"),
    [
        (b"nope", BROWSER, WRITE_KEY, 400),
        (b"[]", BROWSER, WRITE_KEY, 400),
        (as_body(VISIT), BROWSER, "cl_write_unknown", 401),
        (as_body(VISIT), BROWSER, None, 401),
        (as_body({**VISIT, "properties": {"x": "y" * 33_000}}), BROWSER, WRITE_KEY, 413),
        (as_body({"events": [VISIT] * 2_501}), BROWSER, WRITE_KEY, 413),
        (b'{"events": [' + b" " * 600_000 + b"]}", BROWSER, WRITE_KEY, 413),
        (gzip.compress(b" " * 600_000, mtime=0), {**BROWSER, "Content-Encoding": "gzip"}, WRITE_KEY, 413),
        (as_body(VISIT), {**BROWSER, "Content-Encoding": "gzip"}, WRITE_KEY, 400),
        (as_body(VISIT), {**BROWSER, "Content-Encoding": "br"}, WRITE_KEY, 400),
    ],
)
async def test_a_body_that_cannot_be_taken_leaves_nothing(client, database, body, headers, key, status):
    answer = await send(client, body, headers, key=key)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json()["status"] == status
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.quarantine)) == 0
    assert (await send(client, VISIT)).json() == ANSWER


async def test_any_page_may_ask_and_read_the_answer(client):
    preflight = await client.options("/v1/events", headers={"Origin": "https://shop.example.com", "Access-Control-Request-Method": "POST"})
    refused = await send(client, b"nope")

    assert preflight.status_code == 204
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


async def test_storage_that_is_gone_is_503_until_it_is_back(client, database):
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
    answer = await send(client, VISIT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (Unavailable.status, "5")

    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE gone RENAME TO events")
    assert (await send(client, VISIT)).json() == ANSWER


async def test_the_schema_documents_the_door(client):
    openapi = (await client.get("/openapi.json")).json()
    post = openapi["paths"]["/v1/events"]["post"]
    single, batch = post["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert {"type", "visitor_id", "deal"} <= single["properties"].keys()
    assert {"events", "sent_at"} <= batch["properties"].keys()
    assert "$ref" not in json.dumps([single, batch])
