"""The opt-out page: what it says, what it sets and clears, and who may not choose for somebody else."""

from __future__ import annotations

import pytest

from tests.collect.bodies import as_body
from tests.world import WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Host": "loop.brand.example"}
COOKIE = "closedloop_opt_out=1; Domain=brand.example; Max-Age=34214400; Path=/; SameSite=Lax"


async def choose(client, counted, **headers):
    return await client.post("/opt-out", content=f"counted={counted}", headers={**BROWSER, "Content-Type": "application/x-www-form-urlencoded", **headers})


async def test_a_browser_is_counted_until_it_says_otherwise(client):
    shown = await client.get("/opt-out", headers=BROWSER)
    assert shown.status_code == 200
    assert "This browser is counted" in shown.text
    assert '<button name="counted" value="no">' in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")

    chosen = await choose(client, "no", Origin="https://www.brand.example")
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "opt-out")
    assert chosen.headers.get_list("set-cookie") == [
        COOKIE,
        "_loop=; Domain=brand.example; Max-Age=0; Path=/",
        "_loop=; Max-Age=0; Path=/",
        "_loop_s=; Domain=brand.example; Max-Age=0; Path=/",
        "_loop_s=; Max-Age=0; Path=/",
    ]

    opted_out = {**BROWSER, "Cookie": "closedloop_opt_out=1"}
    shown = await client.get("/opt-out", headers=opted_out)
    assert "This browser is not counted" in shown.text
    assert '<button name="counted" value="yes">' in shown.text
    body = as_body({"type": "visit", "visitor_id": "a" * 32, "url": "https://brand.example/"})
    dropped = await client.post("/v1/events", params={"key": WRITE_KEY}, content=body, headers=opted_out)
    assert dropped.headers["Closedloop-Dropped"] == "opted_out"
    assert "set-cookie" not in dropped.headers

    back = await choose(client, "yes", Cookie="closedloop_opt_out=1")
    removed = ["closedloop_opt_out=; Domain=brand.example; Max-Age=0; Path=/", "closedloop_opt_out=; Max-Age=0; Path=/"]
    assert back.headers.get_list("set-cookie") == removed


@pytest.mark.parametrize(
    ("counted", "headers"),
    [
        ("no", {"Origin": "https://evil.example"}),
        ("no", {"Origin": "null"}),
        ("no", {"Sec-Fetch-Site": "cross-site"}),
        ("perhaps", {}),
        ("%ff%00", {}),
        ("", {}),
    ],
)
async def test_nothing_is_chosen_by_strangers_or_by_nonsense(client, counted, headers):
    answer = await choose(client, counted, **headers)
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers


async def test_a_host_is_shown_as_text(client):
    shown = await client.get("/opt-out", headers={**BROWSER, "Host": "<b>x</b>.example"})
    assert "<b>" not in shown.text
