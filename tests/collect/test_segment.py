"""Segment's doors from outside: how a key and a body may come, what is answered, and what is stored."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from app import tables
from app.collect.segment_mapping import PUBLIC_COMPANIES
from app.errors import Unavailable
from tests.collect.bodies import as_body
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"}
SERVER = {"User-Agent": "analytics-node-next/latest"}
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
TRACK = {"type": "track", "event": "Signed Up", "anonymousId": "ann", "messageId": "m1"}
SUCCESS = (200, {"success": True})


def basic(key):
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


async def send(client, body, headers=None, *, path="/v1/batch", key=WRITE_KEY):
    content = body if isinstance(body, bytes) else as_body(body)
    answer = await client.post(path, content=content, headers={**SERVER, **(basic(key) if key else {}), **(headers or {})})
    return (answer.status_code, answer.json()) if answer.status_code == 200 else answer


async def stored(client, *messages, headers=None, key=WRITE_KEY):
    assert await send(client, {"batch": list(messages)}, headers, key=key) == SUCCESS


async def set_site(client, **changes):
    assert (await client.patch("/v1/sites/default", json=changes, headers=ADMIN)).status_code == 200


# ---------------------------------------------------------------- how it comes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("headers", "query", "envelope"),
    [
        (basic(WRITE_KEY), "", {}),
        ({"Authorization": f"Bearer {WRITE_KEY}"}, "", {}),
        ({}, "", {"writeKey": WRITE_KEY}),
        ({**basic(WRITE_KEY), "Content-Type": "text/plain"}, "", {"writeKey": WRITE_KEY}),
        ({"Authorization": "Basic !"}, "", {"writeKey": WRITE_KEY}),
        ({**basic(WRITE_KEY), "Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}, "", {}),
        ({**basic(WRITE_KEY), "Content-Type": "application/json"}, "?gzip", {}),
        ({**basic(WRITE_KEY), "Content-Encoding": "gzip"}, "?plain", {}),
        ({}, f"?writeKey={WRITE_KEY}", {}),
    ],
)
async def test_whichever_way_the_key_and_the_body_come(client, database, headers, query, envelope):
    content = as_body({"batch": [TRACK], **envelope})
    if (headers.get("Content-Encoding") == "gzip" and query != "?plain") or query == "?gzip":
        content = gzip.compress(content)
    answer = await client.post(f"/v1/batch{query}", content=content, headers={**SERVER, **headers})

    assert (answer.status_code, answer.json()) == SUCCESS
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    await assert_rows(database, tables.events, ["visitor_id", "event_id", "type", "is_trusted", "properties"], [["ann", "m1", "Signed Up", False, None]])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_each_kind_has_a_door_and_a_short_one(client, database):
    rest = {"groupId": "g", "previousId": "ann", "userId": "u", "event": "Signed Up", "anonymousId": "ann"}
    for kind in ("identify", "track", "page", "screen", "group", "alias"):
        for path in (f"/v1/{kind}", f"/v1/{kind[0]}"):
            assert await send(client, {**rest, "messageId": path}, path=path) == SUCCESS
    for path in ("/v1/batch", "/v1/b", "/v1/import"):
        assert await send(client, {"batch": [{**TRACK, "messageId": path}]}, path=path) == SUCCESS
    kinds = {"identify": "identify", "track": "Signed Up", "page": "pageview", "screen": "pageview", "group": "group", "alias": "identify"}
    doors = [[path, kind] for name, kind in kinds.items() for path in (f"/v1/{name}", f"/v1/{name[0]}")]
    await assert_rows(database, tables.events, ["event_id", "type"], [*doors, *([path, "Signed Up"] for path in ("/v1/batch", "/v1/b", "/v1/import"))])
    assert (await client.get("/v1/track")).status_code == 405


async def test_what_stands_beside_a_batch_is_of_all_its_messages(client, database):
    own = {**TRACK, "messageId": "m2", "context": {"locale": "fr"}, "integrations": {"A": False}}
    body = {"batch": [TRACK, own], "context": {"locale": "de", "page": {"url": "https://brand.example/"}}, "integrations": {"All": True}}
    assert await send(client, {**body, "writeKey": WRITE_KEY}, key=None) == SUCCESS
    await assert_rows(database, tables.events, ["event_id", "path", "properties"], [
        ["m1", "/", '{"$segment":{"integrations":{"All":true},"context":{"locale":"de"}}}'],
        ["m2", "/", '{"$segment":{"integrations":{"All":true,"A":false},"context":{"locale":"fr"}}}'],
    ])  # fmt: skip


async def test_a_batch_sent_again_is_stored_once(client, database):
    batch = [{**TRACK, "messageId": name, "userId": "u7"} for name in ("m1", "m2")]
    for sent_at in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"):
        assert await send(client, {"batch": batch, "sentAt": sent_at}) == SUCCESS
    await stored(client, batch[1], batch[1])
    await assert_rows(database, tables.events, ["event_id"], [["m1"], ["m2"]])
    await assert_rows(database, tables.sightings, ["visitor_id", "fact_id"], [["ann", "m1"], ["ann", "m2"]])
    await assert_rows(database, tables.quarantine, ["reason"], [])


# ---------------------------------------------------------------- what cannot be used


@pytest.mark.parametrize(
    ("body", "headers", "path", "status"),
    [
        (b"nope", {}, "/v1/batch", 400), (b"[]", {}, "/v1/track", 400), (b'{"batch": 5}', {}, "/v1/batch", 400), (as_body(TRACK), {}, "/v1/b", 400),
        (b"\x1f\x8bnope", {}, "/v1/track", 400), (as_body(TRACK), {"Content-Encoding": "br"}, "/v1/track", 400),
        (as_body(TRACK), basic("unknown"), "/v1/track", 401), (as_body({**TRACK, "writeKey": "unknown"}), {"Authorization": ""}, "/v1/track", 401),
        (as_body(TRACK), {"Authorization": ""}, "/v1/track", 401),
        (as_body({**TRACK, "properties": {"x": "y" * 33_000}}), {}, "/v1/track", 413), (as_body({"batch": [TRACK] * 2_501}), {}, "/v1/batch", 413),
        (gzip.compress(b" " * 600_000, mtime=0), {}, "/v1/batch", 413), (b" " * 600_000, {}, "/v1/batch", 413),
    ],
)  # fmt: skip
async def test_a_body_that_is_none_leaves_nothing(client, database, body, headers, path, status):
    answer = await send(client, body, headers, path=path)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.quarantine)) == 0


async def test_one_bad_message_is_set_aside_and_the_others_are_stored(client, database):
    bad = [5, {**TRACK, "type": "visit"}, {**TRACK, "event": None}, {**TRACK, "properties": {"x": "y" * 33_000}}]
    await stored(client, TRACK, *bad, {**TRACK, "messageId": "m2"})
    await assert_rows(database, tables.events, ["event_id"], [["m1"], ["m2"]])
    await assert_rows(database, tables.quarantine, ["door", "reason", "is_trusted"], [
        ["segment", "not an object", False], ["segment", "type is none of identify, track, page, screen, group, alias", False],
        ["segment", "track needs event", False], ["segment", "larger than 32768 bytes", False],
    ])  # fmt: skip


async def test_what_was_set_aside_can_be_replayed_and_holds_no_key(client, database):
    sent_at = datetime.now(UTC)
    old = {**TRACK, "timestamp": "2026-02-01T12:00:00Z", "sentAt": sent_at.isoformat(), "context": {"locale": "de"}}
    body = {**old, "writeKey": WRITE_KEY}
    del body["type"]
    assert await send(client, body, path="/v1/t", key=None) == SUCCESS
    [shown] = (await client.get("/v1/quarantine", headers=ADMIN)).json()["quarantined"]
    assert (shown["door"], shown["reason"]) == ("segment", "older than 7 days, which needs a secret key")
    assert json.loads(shown["body"]) == old
    # It came in a minute and a half after it was sent: the sender's clock is behind by that.
    async with database.write() as connection:
        await connection.execute(update(tables.quarantine), {"received_at": sent_at + timedelta(seconds=90)})
    replayed = await client.post("/v1/quarantine", json={}, headers=ADMIN)
    assert replayed.json() == {"stored": 1, "duplicates": 0, "refused": []}
    await assert_rows(database, tables.events, ["event_id", "is_trusted", "occurred_at"], [["m1", False, datetime(2026, 2, 1, 12, 1, 30, tzinfo=UTC)]])


async def test_storage_that_is_gone_is_503_so_that_it_is_sent_again(client, database):
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
    answer = await send(client, {"batch": [TRACK]})
    assert (answer.status_code, answer.headers["Retry-After"]) == (Unavailable.status, "5")
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE gone RENAME TO events")
    await stored(client, TRACK)
    await assert_rows(database, tables.events, ["event_id"], [["m1"]])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_secret_key_is_trusted_if_it_may_send(client, database):
    await stored(client, {**TRACK, "timestamp": "2020-01-01T00:00:00Z"}, key=SECRET_KEY)
    await assert_rows(database, tables.events, ["event_id", "is_trusted"], [["m1", True]])
    reading = (await client.post("/v1/keys", json={"kind": "secret", "scopes": ["read"]}, headers=ADMIN)).json()
    assert (await send(client, {"batch": [TRACK]}, key=reading["key"])).status_code == 403


# ---------------------------------------------------------------- what is dropped


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("headers", "key", "context", "reason"),
    [
        (SERVER, WRITE_KEY, {}, None),
        ({"User-Agent": "python-requests/2.32"}, WRITE_KEY, {}, None),
        (SERVER, WRITE_KEY, {"userAgent": BROWSER["User-Agent"]}, None),
        (SERVER, WRITE_KEY, {"userAgent": GOOGLEBOT}, "bot"),
        (SERVER, SECRET_KEY, {"userAgent": GOOGLEBOT}, "bot"),
        (SERVER, SECRET_KEY, {}, None),
        (BROWSER, WRITE_KEY, {}, None),
        (BROWSER, WRITE_KEY, {"userAgent": GOOGLEBOT}, "bot"),
        ({"User-Agent": GOOGLEBOT}, WRITE_KEY, {}, "bot"),
        # The network of the human, and not of the server that tells of them.
        (SERVER, WRITE_KEY, {"ip": "198.51.100.7"}, "excluded_network"),
        (SERVER, SECRET_KEY, {"ip": "198.51.100.7", "userAgent": BROWSER["User-Agent"]}, "excluded_network"),
        (SERVER, WRITE_KEY, {"ip": "203.0.113.7"}, None),
        ({**SERVER, "X-Forwarded-For": "198.51.100.7"}, WRITE_KEY, {}, None),
        ({**BROWSER, "X-Forwarded-For": "198.51.100.7"}, WRITE_KEY, {}, "excluded_network"),
        ({**BROWSER, "X-Forwarded-For": "198.51.100.7"}, WRITE_KEY, {"userAgent": BROWSER["User-Agent"]}, "excluded_network"),
        ({**BROWSER, "Sec-GPC": "1"}, WRITE_KEY, {}, "gpc"),
    ],
)  # fmt: skip
async def test_the_humans_browser_decides_and_not_the_sdk(client, database, headers, key, context, reason):
    await set_site(client, excluded_networks=["198.51.100.0/24"])
    answer = await client.post("/v1/batch", json={"batch": [{**TRACK, "context": context}]}, headers={**headers, **basic(key)})
    assert (answer.status_code, answer.json(), answer.headers.get("Closedloop-Dropped")) == (*SUCCESS, reason)
    await assert_rows(database, tables.events, ["event_id"], [] if reason else [["m1"]])
    await assert_rows(database, tables.drops, ["reason", "count"], [[reason, 1]] if reason else [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_a_site_without_cookies_no_visitor_of_a_page_is_taken(client, database):
    await set_site(client, consent="cookieless")
    known = {"ip": "203.0.113.7", "userAgent": BROWSER["User-Agent"]}
    await stored(client, {**TRACK, "messageId": "1"}, {**TRACK, "messageId": "2", "anonymousId": "ben"}, headers={**BROWSER, "X-Forwarded-For": "203.0.113.7"})
    await stored(client, {**TRACK, "messageId": "3", "context": known}, {**TRACK, "messageId": "4", "userId": "u7"}, {**TRACK, "messageId": "5"})
    async with database.read() as connection:
        events = tables.events.c
        visitors = dict([*await connection.execute(select(events.event_id, events.visitor_id))])
    assert visitors["1"] == visitors["2"] == visitors["3"]
    assert visitors["1"].startswith("d_")
    assert visitors["4"].startswith("~u_")
    await assert_rows(database, tables.quarantine, ["reason"], [["visitor_id is needed"]])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_set_aside_says_no_more_of_a_person_than_what_is_stored(client, database):
    await set_site(client, consent="cookieless")
    page = {"url": "https://u:p@a.example/x?email=e&utm_source=news", "search": "?email=e&utm_source=news", "referrer": "https://b.example/?q=ada@example.com"}
    known = {"ip": "203.0.113.7", "userAgent": BROWSER["User-Agent"]}
    old = {**TRACK, "context": {**known, "page": page}, "timestamp": "2026-01-01T00:00:00Z"}
    await stored(client, {**TRACK, "messageId": "m2"}, old, headers={**BROWSER, "X-Forwarded-For": "203.0.113.7"})
    async with database.read() as connection:
        [body] = await connection.scalars(select(tables.quarantine.c.body))
    assert [text for text in ('"ann"', "203.0.113.7", "Mozilla", "u:p", "email", "ada@example.com") if text in body] == []
    assert body.count("utm_source=news") == 2

    assert (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()["stored"] == 1
    async with database.read() as connection:
        [visitor] = set(await connection.scalars(select(tables.events.c.visitor_id)))
    assert visitor.startswith("d_")
    await assert_rows(database, tables.events, ["event_id", "url"], [["m1", "https://a.example/x?utm_source=news"], ["m2", None]])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_connection_shares_the_companies_of_pages(client):
    asked = {"id": PUBLIC_COMPANIES, "provider": "hubspot", "secret": "a secret of HubSpot".replace(" ", "-")}
    assert (await client.post("/v1/connections", json=asked, headers=ADMIN)).status_code == 422


# ---------------------------------------------------------------- goals and deals


ORDER = {**TRACK, "event": "Order Completed", "userId": "ada@example.com", "properties": {"order_id": "50", "total": 30, "currency": "EUR"}}


async def test_an_order_with_a_secret_key_is_an_event_and_a_deal_once(client, database):
    refund = {**TRACK, "messageId": "m2", "event": "Order Refunded", "userId": "clerk", "properties": {"order_id": "50", "total": 10}}
    await set_site(client, segment_deals=[{"event": "Order Completed"}, {"event": "Order Refunded", "outcome": "refunded"}])
    for _ in range(2):
        await stored(client, ORDER, refund, key=SECRET_KEY)
    await assert_rows(database, tables.events, ["type"], [["Order Completed"], ["Order Refunded"]])
    await assert_rows(database, tables.crm_facts, ["type", "deal_id"], [["deal.won", "50"], ["deal.adjusted", "50"]])
    await assert_rows(database, tables.deal_changes, ["change", "amount"], [["won", None], ["adjusted", -100_000]])
    fields = [["amount", "300000"], ["currency", "EUR"], ["contacts", "1"], ["visitor_id", "ann"]]
    await assert_rows(database, tables.deal_fields, ["field", "value"], fields)


async def test_a_deal_that_a_write_key_may_not_tell_waits_until_the_site_lets_it(client, database):
    await set_site(client, segment_deals=[{"event": "Order Completed"}])
    await stored(client, ORDER)
    await assert_rows(database, tables.events, ["type"], [["Order Completed"]])
    await assert_rows(database, tables.crm_facts, ["type"], [])
    [shown] = (await client.get("/v1/quarantine", headers=ADMIN)).json()["quarantined"]
    assert (shown["door"], "write_key: true in its entry of segment_deals" in shown["reason"]) == ("segment:deal", True)
    replayed = (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()
    assert (replayed["stored"], len(replayed["refused"])) == (0, 1)

    await set_site(client, segment_deals=[{"event": "Order Completed", "write_key": True}])
    assert (await client.post("/v1/quarantine", json={}, headers=ADMIN)).json()["stored"] == 1
    await assert_rows(database, tables.crm_facts, ["type", "deal_id"], [["deal.won", "50"]])
    await assert_rows(database, tables.events, ["type"], [["Order Completed"]])
    # Nor does a page become somebody who is believed about who is who.
    async with database.read() as connection:
        assert set(await connection.scalars(select(tables.sightings.c.is_trusted))) == {False}


# ---------------------------------------------------------------- what a browser asks


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_any_page_may_ask_with_the_headers_of_these_sdks(client):
    answer = await client.options("/v1/t", headers={"Origin": "https://shop.example.com", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 204
    allowed = {name.strip().lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "anonymousid", "sentat", "x-retry-count"} <= allowed


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("public_url", "host", "protocol"),
    [
        (None, "closedloop.example/v1", "http"), ("https://loop.example.com", "loop.example.com/v1", "https"),
        ("https://example.com:8443/loop/", "example.com:8443/loop/v1", "https"),
    ],
)  # fmt: skip
async def test_the_browsers_sdk_learns_where_to_send(client, application, public_url, host, protocol):
    application.state.settings = application.state.settings.model_copy(update={"public_url": public_url})
    answer = await client.get(f"/v1/projects/{WRITE_KEY}/settings")
    segment = answer.json()["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == (WRITE_KEY, host, protocol)
    assert answer.json()["metrics"] == {"sampleRate": 0}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("key", "status", "said"), [("unknown", 401, "unknown or was revoked"), (SECRET_KEY, 403, "must never stand in a web page")])
async def test_settings_of_another_key_say_what_is_wrong(client, key, status, said):
    answer = await client.get(f"/v1/projects/{key}/settings")
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("headers", "query"), [(basic(WRITE_KEY), "?p=npm"), ({}, f"?writeKey={WRITE_KEY}")])
async def test_rudderstacks_sdk_learns_that_there_is_nothing_else_to_load(client, headers, query):
    source = (await client.get(f"/sourceConfig/{query}", headers=headers)).json()["source"]
    assert (source["id"], source["enabled"], source["destinations"], source["writeKey"]) == ("default", True, [], WRITE_KEY)
    assert (await client.get("/sourceConfig/", headers=basic("unknown"))).status_code == 401
    assert (await client.get("/sourceConfig/", headers=basic(SECRET_KEY))).status_code == 403
    assert (await client.options("/sourceConfig/", headers={"Origin": "https://shop.example.com"})).status_code == 204


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_schema_documents_the_doors(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    schema = paths["/v1/track"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"messageId", "anonymousId", "userId", "context"} <= schema["properties"].keys()
    assert "batch" in paths["/v1/batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert "/v1/t" not in paths
