"""Forms that a browser sends by itself: what is kept of them, where they lead, and what people are told."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from app import tables
from app.collect.forms import destination, is_card_number
from app.pipeline import run_until_idle
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Origin": "https://www.brand.example",
    "Referer": "https://www.brand.example/contact?utm_source=news",
    "Host": "loop.brand.example",
}
ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
ANN = "a" * 32
BEN = "b" * 32
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
asynchronous = pytest.mark.anyio


async def send(client, data, *, name="demo", key=WRITE_KEY, **headers):
    return await client.post(f"/v1/forms/{name}", params={"key": key} if key else {}, data=data, headers={**BROWSER, **headers})


async def stored(database, *columns):
    async with database.read() as connection:
        rows = await connection.execute(select(*(tables.events.c[name] for name in columns)).order_by(tables.events.c.received_at))
        return [tuple(row) for row in rows]


@asynchronous
async def test_a_form_is_an_event_of_the_visitor_and_leads_back_to_the_site(client, database):
    fields = {"email": "Ann@Example.com", "message": "hello", "closedloop_visitor_id": ANN, "redirect": "/thanks?a=b#c"}
    answer = await send(client, fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://www.brand.example/thanks?a=b#c")

    [row] = await stored(database, "type", "visitor_id", "url", "is_trusted", "has_email", "properties")
    assert row == ("form_submit", ANN, "https://www.brand.example/contact?utm_source=news", False, True, None)
    await assert_rows(database, tables.forms, ["name", "path"], [["demo", "/contact"]])
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ann@example.com"]])

    again = await send(client, fields)
    assert (again.status_code, again.headers["Location"]) == (303, "https://www.brand.example/thanks?a=b#c")
    assert len(await stored(database, "event_id")) == 1
    await send(client, {**fields, "message": "hello again"})
    assert len(await stored(database, "event_id")) == 2

    await run_until_idle(database)
    people = (await client.get("/v1/people", params={"email": "ann@example.com"}, headers=ADMIN)).json()["people"]
    journey = (await client.get(f"/v1/people/{people[0]['id']}/journey", headers=ADMIN)).json()
    assert [touch["source"] for touch in journey["touches"]] == ["news"]
    assert [conversion["kind"] for conversion in journey["conversions"] if conversion["kind"] == "lead"] == ["lead"]


@asynchronous
@one_database
@pytest.mark.parametrize(
    ("fields", "cookie", "visitor"),
    [
        ({"closedloop_visitor_id": ANN}, f"_loop={BEN}", ANN),
        ({}, f"a=b; _loop={BEN}", BEN),
        ({"closedloop_visitor_id": "~e_1"}, f"_loop={BEN}", BEN),
        ({"closedloop_visitor_id": ""}, "_loop=x", "d_"),
        ({}, "", "d_"),
    ],
)
async def test_who_it_was(client, database, fields, cookie, visitor):
    assert (await send(client, {"email": "ann@example.com", **fields}, Cookie=cookie)).status_code == 200
    [(found,)] = await stored(database, "visitor_id")
    assert found.startswith(visitor)


@asynchronous
@one_database
async def test_where_a_site_has_no_cookies_the_day_names_the_visitor(client, database):
    assert (await client.patch("/v1/sites/default", json={"consent": "cookieless"}, headers=ADMIN)).status_code == 200
    await send(client, {"email": "ann@example.com", "closedloop_visitor_id": ANN}, Cookie=f"_loop={BEN}")
    [(found,)] = await stored(database, "visitor_id")
    assert found.startswith("d_")


@asynchronous
@one_database
async def test_of_multipart_too_only_what_the_site_asks_for_is_kept(client, database):
    wanted = ["Company", "topics", "password", "card", "n", "email", "empty", "paid"]
    assert (await client.patch("/v1/sites/default", json={"form_fields": wanted}, headers=ADMIN)).status_code == 200
    fields = {
        "EMAIL": "ann@example.com", "phone": "+49 30 901820", "company": "Initech\0", "topics": ["a", "b"], "password": "hunter2", "n": "4111 1111 1111 1111",
        "salary": "1", "empty": "", "paid": ["4111111111111111", "cash"], "closedloop_url": "https://www.brand.example/deep/page?gclid=7",
    }  # fmt: skip
    files = {"cv": ("cv.pdf", b"%PDF" * 10_000, "application/pdf")}
    answer = await client.post("/v1/forms/job%20offer", params={"key": WRITE_KEY}, data=fields, files=files, headers=BROWSER)
    assert (answer.status_code, "Thank you" in answer.text) == (200, True)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")

    [(properties, url)] = await stored(database, "properties", "url")
    assert json.loads(properties) == {"Company": "Initech", "topics": "a, b"}
    assert url == "https://www.brand.example/deep/page?gclid=7"
    await assert_rows(database, tables.contacts, ["kind", "value"], [["email", "ann@example.com"], ["phone", "+4930901820"]])
    await assert_rows(database, tables.forms, ["name", "path"], [["job offer", "/deep/page"]])


@asynchronous
@one_database
@pytest.mark.parametrize(
    ("fields", "headers", "reason"),
    [
        ({"closedloop_website": "https://spam.example"}, {}, "honeypot"),
        ({}, {"User-Agent": "curl/8.0"}, "bot"),
        ({}, {"Cookie": "closedloop_opt_out=1"}, "opted_out"),
        ({}, {"Sec-GPC": "1"}, "gpc"),
    ],
)
async def test_what_is_not_kept_is_counted_and_answered_alike(client, database, fields, headers, reason):
    answer = await send(client, {"email": "x@example.com", "redirect": "/thanks", **fields}, **headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://www.brand.example/thanks")
    assert answer.headers["Closedloop-Dropped"] == reason
    await assert_rows(database, tables.events, ["event_id"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [[reason, 1]])


@asynchronous
@one_database
async def test_a_script_is_answered_in_json(client):
    json_only = {"Accept": "application/json"}
    answer = await send(client, {"email": "ann@example.com", "redirect": "/thanks"}, **json_only)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})
    assert answer.headers["Access-Control-Allow-Origin"] == BROWSER["Origin"]
    refused = await send(client, {"email": "x"}, key=None, **json_only)
    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "application/problem+json")
    assert refused.headers["Access-Control-Allow-Origin"] == BROWSER["Origin"]


@asynchronous
@one_database
async def test_people_are_told_what_went_wrong_and_that_nothing_is_lost(client, database):
    typed = {"email": "ann@example.com"}
    answers = [
        (await send(client, typed, key="cl_write_unknown"), 401, "No valid key"),
        (await send(client, typed, key=None), 401, "No valid key"),
        (await send(client, typed, **{"Content-Type": "text/plain"}), 400, "application/x-www-form-urlencoded"),
        (await send(client, {str(number): "x" for number in range(1_001)}), 400, "at most 1000 fields"),
        (await send(client, {"message": "x" * 600_000}), 413, "at most 512000 bytes"),
        (await send(client, {"email": "x" * 2_000}), 422, "email"),
        (await send(client, typed, **{"Content-Type": "multipart/form-data; boundary=x"}), 400, ""),
        (await send(client, typed, name="x" * 2_000), 422, "form"),
    ]
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
    answers.append((await send(client, typed), 503, "try again"))
    assert answers[-1][0].headers["Retry-After"] == "5"
    for answer, status, words in answers:
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert words in answer.text
        assert "Back button" in answer.text


@asynchronous
@one_database
async def test_nonsense_is_no_reason_to_lose_a_form(client, database):
    body = b"email=ann%40example.com&message=%ff%00%ed%a0%80&=&&closedloop_url=javascript:alert(1)&redirect=%0d%0aX:y"
    headers = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded; charset=latin-1", "Referer": "https://[half"}
    answer = await client.post("/v1/forms/demo", params={"key": WRITE_KEY}, content=body, headers=headers)
    assert (answer.status_code, "Thank you" in answer.text) == (200, True)
    assert await stored(database, "url", "has_email") == [(None, True)]


@asynchronous
@one_database
@pytest.mark.parametrize(
    ("charset", "status", "url"),
    [("undefined", 400, None), ("punycode", 400, None), ("unicode_escape", 303, "https://www.brand.example/x"), ("unheard-of", 303, None)],
)
async def test_a_charset_that_nobody_writes_in_is_no_fault_of_the_service(client, database, charset, status, url):
    fields = {"email": "ann@example.com", "redirect": "/\\ud800thanks", "closedloop_url": "https://www.brand.example/x\\udfff"}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    headers = {**BROWSER, "Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = await client.post("/v1/forms/demo", params={"key": WRITE_KEY}, content="".join([*parts, "--x--\r\n"]), headers=headers)
    assert answer.status_code == (status if charset != "unheard-of" else 200)
    assert len(await stored(database, "url")) == (status != 400)
    if url:
        assert (answer.headers["Location"], await stored(database, "url")) == ("https://www.brand.example/thanks", [(url,)])


@asynchronous
@one_database
async def test_a_server_sends_one_with_a_secret_key(client, database):
    answer = await client.post("/v1/forms/demo", data={"email": "ann@example.com"}, headers=ADMIN)
    assert answer.status_code == 200
    [(visitor, is_trusted)] = await stored(database, "visitor_id", "is_trusted")
    assert visitor.startswith("~e_")
    assert is_trusted is True


PAGE = "https://shop.example:8443/a/b?c=d"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("/thanks", "https://shop.example:8443/thanks"),
        ("thanks", "https://shop.example:8443/a/thanks"),
        ("?ok=1", "https://shop.example:8443/a/b?ok=1"),
        ("../../..//evil.test", "https://shop.example:8443/evil.test"),
        ("https://SHOP.example:8443/x", "https://SHOP.example:8443/x"),
        ("https://brand.example/x", "https://brand.example/x"),
        ("http://www.brand.example/x", "http://www.brand.example/x"),
        ("https:evil.test", "https://shop.example:8443/a/evil.test"),
        ("https:///evil.test", "https://shop.example:8443/evil.test"),
        ("//evil.test", None),
        ("///evil.test", "https://shop.example:8443/evil.test"),
        ("https://evil.test", None),
        ("http:evil.test", None),
        ("http:///evil.test", None),
        ("\\\\evil.test", None),
        ("/\\evil.test", None),
        ("https:\\\\evil.test", None),
        ("https://shop.example:8443\\@evil.test", None),
        ("https://brand.example@evil.test/", None),
        ("https://me@brand.example/", None),
        ("https://brand.example:99/", None),
        ("https://brand.example.evil.test/", None),
        ("https://evilbrand.example/", None),
        ("https://sub.brand.example/", None),
        ("https://brand\u3002example/", None),
        ("https://brand.example\uff0f@evil.test/", None),
        ("https://shop.example/", None),
        ("http://shop.example:8443/", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("ftp://brand.example/", None),
        ("//[", None),
        ("https://brand.example:x/", None),
        ("/a\tb", None),
        ("/\r\nSet-Cookie: a=b", None),
        (" /thanks", None),
        ("/" + "x" * 9_000, None),
        ("", None),
    ],
)
def test_a_form_leads_nowhere_but_to_its_site(wanted, expected):
    assert destination({"redirect": wanted}, PAGE, ["brand.example"]) == expected


@pytest.mark.parametrize(
    ("fields", "page", "expected"),
    [
        ({"_redirect": "/x"}, PAGE, "https://shop.example:8443/x"),
        ({"_redirect": "/x"}, "", None),
        ({"_redirect": "/x"}, "null", None),
        ({"_redirect": "https://brand.example/x"}, "", "https://brand.example/x"),
        ({"_redirect": "/x"}, "https://[", None),
        ({}, PAGE, None),
    ],
)
def test_without_a_page_only_the_sites_hosts_are_known(fields, page, expected):
    assert destination(fields, page, ["brand.example"]) == expected


@pytest.mark.parametrize(
    ("text", "is_card"),
    [("4111111111111111", True), ("4111 1111-1111 1111", True), ("4111111111111112", False), ("378282246310005", True), ("123456789012", False), ("", False), ("４１１１１１１１１１１１１１１１", True), ("4111.1111/1111–1111", True), ("a 4111111111111111", False)],
)  # fmt: skip
def test_card_numbers(text, is_card):
    assert is_card_number(text) is is_card
