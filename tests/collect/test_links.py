"""Tokens of links between a site's own domains: who may follow one, when, and that nothing else can be done with it."""

from __future__ import annotations

import pytest

from app.collect.links import SECONDS, token_of, visitor_of_token
from app.sites.settings import SiteSettings
from app.sites.site import Site
from tests.world import SECRET_KEY, WRITE_KEY

SITE = Site("default", b"k" * 32, 1, SiteSettings())
ANN = "a" * 32
NOW = 1_770_000_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
KEY = {"key": WRITE_KEY}
AGENT = {"User-Agent": FIREFOX}


def test_a_token_names_its_visitor_to_the_same_browser_for_two_minutes():
    token = token_of(SITE, ANN, FIREFOX, NOW)
    assert visitor_of_token(SITE, token, FIREFOX, NOW + SECONDS - 1) == ANN
    assert visitor_of_token(SITE, token, FIREFOX, NOW + SECONDS) is None
    assert visitor_of_token(SITE, token, FIREFOX.replace("140", "141"), NOW) is None
    assert visitor_of_token(Site("other", b"o" * 32, 1, SiteSettings()), token, FIREFOX, NOW) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: "x" + token,
        lambda token: token.partition(".")[0],
        lambda token: token * 100,
        lambda token: "",
        lambda token: "\N{SNOWMAN}.\0",
        lambda token: ".".join(["W10", token.partition(".")[2]]),
    ],
)
def test_what_was_not_signed_names_nobody(change):
    assert visitor_of_token(SITE, change(token_of(SITE, ANN, FIREFOX, NOW)), FIREFOX, NOW) is None


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_link_is_made_and_followed(client):
    made = await client.post("/v1/links", params=KEY, json={"visitor_id": ANN}, headers={**AGENT, "Content-Type": "text/plain"})
    assert (made.status_code, made.headers["Access-Control-Allow-Origin"], made.headers["Cache-Control"]) == (201, "*", "no-store")
    path = f"/v1/links/{made.json()['token']}"

    followed = await client.get(path, params=KEY, headers=AGENT)
    assert (followed.status_code, followed.json()) == (200, {"visitor_id": ANN})
    assert followed.headers["Access-Control-Allow-Origin"] == "*"

    answers = [
        await client.get(path, params=KEY, headers={"User-Agent": "another"}),
        await client.get(path[:-1], params=KEY, headers=AGENT),
        await client.get("/v1/links/%F0%9F%92%A9.%00.x", params=KEY, headers=AGENT),
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert answers[0].headers["Access-Control-Allow-Origin"] == "*"
    assert (await client.get(path, headers=AGENT)).status_code == 401


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"visitor_id": null}', b'{"visitor_id": "~e_0123456789012345"}', b'{"visitor_id": "ann"}', b"\xff"])
async def test_a_body_that_names_no_visitor_is_refused(client, body):
    answer = await client.post("/v1/links", params=KEY, content=body, headers=AGENT)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (400, "*")


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_site_without_cookies_has_no_links(client):
    made = await client.post("/v1/links", params=KEY, json={"visitor_id": ANN}, headers=AGENT)
    admin = {"Authorization": f"Bearer {SECRET_KEY}"}
    assert (await client.patch("/v1/sites/default", json={"consent": "cookieless"}, headers=admin)).status_code == 200

    assert (await client.post("/v1/links", params=KEY, json={"visitor_id": ANN}, headers=AGENT)).status_code == 404
    assert (await client.get(f"/v1/links/{made.json()['token']}", params=KEY, headers=AGENT)).status_code == 404
