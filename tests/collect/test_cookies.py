"""The cookie that the collector renews: for whom, on which domain, and where it keeps its hands off."""

from __future__ import annotations

import pytest

from app.collect.cookies import kept_cookie, visitor_cookie, visitor_of
from app.sites.settings import SiteSettings
from tests.collect.bodies import as_body
from tests.world import SECRET_KEY, WRITE_KEY

ANN = "a" * 32
AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def visit(url, **changes):
    host = url.split("/")[2].partition(":")[0].removeprefix("www.")
    return {"type": "visit", "visitor_id": ANN, "host": host, "url": url, **changes}


def cookie(rows, *, own="loop.example.com", headers=None, **settings):
    return visitor_cookie(SiteSettings(**settings), headers or {}, own, rows)


@pytest.mark.parametrize(
    ("url", "own", "expected"),
    [
        ("https://www.example.com/a", "loop.example.com", f"_loop={ANN}; Domain=example.com; Max-Age=34214400; Path=/; SameSite=Lax; Secure"),
        ("http://shop.example.co.uk/", "example.co.uk", f"_loop={ANN}; Domain=example.co.uk; Max-Age=34214400; Path=/; SameSite=Lax"),
        ("http://localhost:3000/", "localhost", f"_loop={ANN}; Max-Age=34214400; Path=/; SameSite=Lax"),
        ("http://127.0.0.1/", "127.0.0.1", f"_loop={ANN}; Max-Age=34214400; Path=/; SameSite=Lax"),
        ("http://127.0.0.1/", "127.0.0.2", None),
        ("https://ann.github.io/", "loop.github.io", None),
        ("https://example.org/", "loop.example.com", None),
        ("https://example.com/", "loop.vendor.example", None),
    ],
)
def test_it_is_for_pages_of_the_collectors_own_domain(url, own, expected):
    assert cookie([visit(url)], own=own) == expected


@pytest.mark.parametrize(
    ("rows", "more"),
    [
        ([], {}),
        ([visit("https://example.com/", type="pageview")], {}),
        ([visit("https://example.com/", visitor_id="short")], {}),
        ([visit("https://example.com/", visitor_id=f"{ANN}; Domain=com")], {}),
        ([visit("https://example.com/", visitor_id=f"{ANN}\r\nX: y")], {}),
        ([{**visit("https://example.com/"), "host": "", "url": None}], {}),
        ([visit("https://example.com/")], {"server_cookie": False}),
        ([visit("https://example.com/")], {"consent": "cookieless"}),
        ([visit("https://example.com/")], {"headers": {"origin": "https://evil.example"}}),
        ([visit("https://example.com/")], {"headers": {"origin": "null"}}),
        ([visit("https://example.com/")], {"headers": {"sec-gpc": "1"}}),
    ],
)
def test_there_is_none(rows, more):
    assert cookie(rows, **more) is None


def test_a_page_that_has_set_one_has_it_renewed_under_gpc_too():
    assert cookie([visit("https://example.com/")], headers={"sec-gpc": "1", "cookie": f"a=b; _loop={ANN}"})
    assert cookie([visit("https://example.com/")], headers={"origin": "https://www.example.com:8443"}, consent="opt_in")


@pytest.mark.parametrize(
    ("header", "visitor"),
    [
        (f"x=1; _loop={ANN}", ANN), (f"_loop={ANN}; _loop={'b' * 32}", ANN), (f"my_loop={ANN}", None), ("_loop=short", None),
        (f"_loop={ANN}.29000000", None), ("", None), ("_loop", None),
    ],
)  # fmt: skip
def test_who_the_cookie_names(header, visitor):
    assert visitor_of({"cookie": header}) == visitor


def test_an_address_is_no_domain():
    assert "Domain" not in kept_cookie("a", "1", "::1", is_secure=False)


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_browser_gets_it_with_the_answer_and_a_server_does_not(client):
    body = as_body({"type": "visit", "visitor_id": ANN, "url": "https://www.brand.example/"})
    to = {"content": body, "params": {"key": WRITE_KEY}}
    answer = await client.post("/v1/events", headers={**AGENT, "Host": "loop.brand.example"}, **to)
    assert answer.headers.get_list("set-cookie") == [f"_loop={ANN}; Domain=brand.example; Max-Age=34214400; Path=/; SameSite=Lax; Secure"]

    elsewhere = await client.post("/v1/events", headers={**AGENT, "Host": "loop.elsewhere.example"}, **to)
    of_server = await client.post(
        "/v1/events", content=body, headers={"Host": "loop.brand.example", "Authorization": f"Bearer {SECRET_KEY}"}
    )
    dropped = await client.post("/v1/events", headers={**AGENT, "Sec-GPC": "1", "Host": "loop.brand.example"}, **to)
    for without in (elsewhere, of_server, dropped):
        assert without.status_code == 202
        assert "set-cookie" not in without.headers
