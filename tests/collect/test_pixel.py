"""The pixel: always an image, whose headers say what became of the page."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app import tables
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = [pytest.mark.anyio]
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ANN = "a" * 32
ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Host": "loop.brand.example",
    "Referer": "https://www.brand.example/",
    "Sec-Fetch-Site": "same-site",
}
PAGE = {"url": "https://www.brand.example/pricing?utm_source=news&utm_medium=email", "referrer": "https://mail.example/", "title": "Pricing"}


async def see(client, parameters=PAGE, key=WRITE_KEY, **headers):
    answer = await client.get("/v1/pixel.gif", params={"key": key, **parameters}, headers={**BROWSER, **headers})
    assert (answer.headers["Content-Type"], len(answer.content), answer.content[:6]) == ("image/gif", 43, b"GIF89a")
    assert "no-store" in answer.headers["Cache-Control"]
    return answer


async def visitors(database):
    async with database.read() as connection:
        return set(await connection.scalars(select(tables.events.c.visitor_id)))


async def test_a_page_without_scripts_is_seen(client, database):
    assert (await see(client, Cookie=f"_loop={ANN}")).status_code == 200
    columns = ["type", "visitor_id", "url", "referrer", "title", "is_trusted"]
    await assert_rows(database, tables.events, columns, [["pageview", ANN, PAGE["url"], PAGE["referrer"], "Pricing", False]])
    origins = select(tables.origins).where(tables.origins.c.source != "")
    await assert_rows(database, origins, ["source", "medium", "referring_host"], [["news", "email", "mail.example"]])


@one_database
async def test_a_visitor_begins_and_is_known_again_where_the_collector_is_the_sites_own(client, database):
    first = await see(client)
    [cookie] = first.headers.get_list("set-cookie")
    named = re.fullmatch(r"_loop=([0-9a-f]{32}); Domain=brand\.example; Max-Age=34214400; Path=/; SameSite=Lax", cookie)
    await see(client, Cookie=f"_loop={named[1]}")
    assert await visitors(database) == {named[1]}
    await assert_rows(database, tables.events, ["path"], [["/pricing"]] * 2)


@one_database
@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "", "Referer": "https://elsewhere.example/"}),
        ({}, {"Sec-Fetch-Site": "", "Referer": ""}),
        ({"server_cookie": False}, {}),
        ({"consent": "cookieless"}, {"Cookie": f"_loop={ANN}"}),
        ({"consent": "opt_in"}, {}),
        ({"honour_gpc": False}, {"Sec-GPC": "1"}),
    ],
)
async def test_elsewhere_the_day_names_the_visitor(client, database, changes, headers):
    assert (await client.patch("/v1/sites/default", json=changes, headers=ADMIN)).status_code == 200
    for _ in range(2):
        assert "set-cookie" not in (await see(client, **headers)).headers
    [visitor] = await visitors(database)
    assert visitor.startswith("d_")


@one_database
async def test_the_page_is_what_the_browser_says_where_nobody_else_does(client, database):
    await see(client, {})
    await assert_rows(database, tables.events, ["url"], [["https://www.brand.example/"]])


@one_database
async def test_it_is_an_image_whatever_is_wrong(client, database):
    answers = [
        (await see(client, key="cl_write_unknown"), 200, "This key is unknown or was revoked."),
        (await see(client, key=""), 200, "A key is needed: send it as `Authorization: Bearer ?`."),
        (await see(client, key=SECRET_KEY), 200, "A pixel takes a write key: a secret one would stand in a page, for all to read."),
        (await see(client, {"url": "https://[half"}), 200, "url is not an address"),
        (await see(client, {"url": "https://brand.example/", "title": "x" * 1_001}), 200, "title: String should have at most 1000 characters"),
    ]
    await assert_rows(database, tables.quarantine, ["door"], [["events"]] * 2)
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
    answers.append((await see(client), 503, "Storage is not available"))
    for answer, status, said in answers:
        assert (answer.status_code, answer.headers["Closedloop-Refused"]) == (status, said)


@one_database
async def test_what_is_dropped_is_said_and_counted(client, database):
    for headers, reason in [({"User-Agent": "GoogleImageProxy bot"}, "bot"), ({"Purpose": "prefetch"}, "prefetch"), ({"Sec-GPC": "1"}, "gpc")]:
        answer = await see(client, **headers)
        assert (answer.status_code, answer.headers["Closedloop-Dropped"]) == (200, reason)
        assert "set-cookie" not in answer.headers
    await assert_rows(database, tables.events, ["event_id"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bot", 1], ["gpc", 1], ["prefetch", 1]])
