"""Every way in which a CRM's API fails, from a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.crm import api
from app.crm.api import Api, Denied, Failed, Missing, Throttled, api_of
from app.sites.connections import Connection, ConnectionFields
from tests.crm.made_up import PROVIDER, TOKEN, MadeUpCrm, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def crm() -> Iterator[MadeUpCrm]:
    with serving(MadeUpCrm()) as started:
        yield started


def _connection(url: str | None, token: str = TOKEN) -> Connection:
    fields = ConnectionFields(provider="hubspot", api_token=token, api_base_url=url)
    return Connection("default", "crm", ("secret",), fields, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
async def client(crm: MadeUpCrm) -> AsyncIterator[Api]:
    async with api_of(_connection(crm.url), PROVIDER, allow_private=True, seconds=0.3) as opened:
        yield opened


async def test_json_in_and_out(crm: MadeUpCrm, client: Api) -> None:
    crm.put("deals", "7", 1, name="Ünitech")
    assert await client.post("/records/deals", {"ids": ["7"]}) == {"records": [{"id": "7", "updated_at": 1, "name": "Ünitech"}]}
    assert await client.get("/changes/deals", [("since", 0), ("after", 0)]) == {"records": [{"id": "7", "updated_at": 1, "name": "Ünitech"}], "next": None}
    crm.faults.append((204, {}, b""))
    assert await client.get("/me") is None


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {}, 10),
        (429, {"Retry-After": "soon"}, 10),
        (429, {"Retry-After": "0"}, 1),
        (429, {"Retry-After": "99999999999999"}, 24 * 3600),
        (503, {"Retry-After": "120"}, 120),
        (429, {"Date": "Wed, 04 Mar 2026 10:00:00 GMT", "Retry-After": "Wed, 04 Mar 2026 10:01:30 GMT"}, 90),
    ],
)
async def test_a_crm_that_asks_for_a_pause(crm: MadeUpCrm, client: Api, status: int, headers: dict[str, str], seconds: int) -> None:
    crm.faults.append((status, headers, b""))
    with pytest.raises(Throttled) as raised:
        await client.get("/me")
    assert raised.value.seconds == seconds


async def test_a_spent_limit_is_no_missing_permission(crm: MadeUpCrm, client: Api) -> None:
    crm.faults.append((403, {}, b'[{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]'))
    with pytest.raises(Throttled):
        await client.get("/me")


@pytest.mark.parametrize(
    ("fault", "reason", "is_outage"),
    [
        ((500, {}, b'{"message": "boom"}'), "Made-up CRM answered 500 (boom)", True),
        ((503, {}, b"<html>"), "Made-up CRM answered 503", True),
        ((400, {}, b'[{"errorCode": "BAD", "message": "no\\nfield"}]'), "Made-up CRM answered 400 (BAD: no field)", False),
        ((302, {"Location": "https://elsewhere.example/"}, b""), "Made-up CRM answered 302", False),
        ((200, {}, b"<html>"), "Made-up CRM answered with something that is no JSON", True),
        ((0, {}, b""), "Made-up CRM cannot be reached", True),
        ((1, {}, b"{}"), "Made-up CRM did not answer in time", True),
    ],
)
async def test_a_call_that_fails(crm: MadeUpCrm, client: Api, fault: tuple[int, dict[str, str], bytes], reason: str, is_outage: bool) -> None:
    crm.faults.append(fault)
    with pytest.raises(Failed) as raised:
        await client.get("/me")
    assert raised.value.reason.startswith(reason)
    assert raised.value.is_outage is is_outage


async def test_an_answer_without_an_end(crm: MadeUpCrm, client: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LARGEST_ANSWER", 1024 * 1024)
    crm.faults.append((200, {}, b'"' + b"x" * 2_000_000 + b'"'))
    with pytest.raises(Failed, match="more than 1 MB"):
        await client.get("/me")


async def test_no_such_record(crm: MadeUpCrm, client: Api) -> None:
    crm.faults.append((404, {}, b""))
    with pytest.raises(Missing):
        await client.get("/me")


async def test_what_is_denied_says_what_to_do_and_never_the_token(crm: MadeUpCrm) -> None:
    async with api_of(_connection(crm.url, "wrong-token-5678"), PROVIDER, allow_private=True) as client:
        with pytest.raises(Denied) as unknown:
            await client.get("/me")
    assert unknown.value.reason == "Made-up CRM does not know the token (bad token Bearer …): make a new one there, and set it as api_token here"
    assert unknown.value.is_token
    crm.denied.add("deals")
    async with api_of(_connection(crm.url), PROVIDER, allow_private=True) as client:
        with pytest.raises(Denied) as forbidden:
            await client.get("/changes/deals", {"since": 0})
    assert forbidden.value.reason == "The token may not read this (missing scope: deals): give it the permission (scope) in Made-up CRM"
    assert not forbidden.value.is_token


async def test_a_connection_that_cannot_be_called(crm: MadeUpCrm) -> None:
    for connection, error, words in (
        (_connection(None), Failed, "api_base_url"),
        (_connection("http://[::1"), Failed, "api_base_url"),
        (_connection(crm.url, "tökén"), Denied, "no token"),
    ):
        with pytest.raises(error, match=words):
            async with api_of(connection, PROVIDER, allow_private=True):
                pass
    async with api_of(_connection(crm.url), PROVIDER, allow_private=False) as client:
        with pytest.raises(Failed, match="CLOSEDLOOP_ALLOW_PRIVATE_ADDRESSES"):
            await client.get("/me")
        with pytest.raises(Failed, match="not one of its API"):
            await client.get("https://elsewhere.example/me")


# ---------------------------------------------------------------- tokens that are exchanged


GRANT = "client-5678:very-secret-9"
OAUTH = replace(PROVIDER, token_request=lambda token: ("/oauth/token", {"grant_type": "client_credentials", "client_secret": token.partition(":")[2]}))


@pytest.fixture
async def exchanging(crm: MadeUpCrm) -> AsyncIterator[Api]:
    crm.grants = {"very-secret-9": "access-1111"}
    async with api_of(_connection(crm.url, GRANT), OAUTH, allow_private=True) as opened:
        yield opened


async def test_what_the_connection_has_is_exchanged_once(crm: MadeUpCrm, exchanging: Api) -> None:
    assert await exchanging.get("/me") == {"name": "Example Ltd"}
    async with api_of(_connection(crm.url, GRANT), OAUTH, allow_private=True) as again:
        assert await again.get("/me") == {"name": "Example Ltd"}
    assert crm.asked.count(("/oauth/token", "very-secret-9")) == 1


async def test_an_access_token_that_ended_is_exchanged_anew(crm: MadeUpCrm, exchanging: Api) -> None:
    await exchanging.get("/me")
    crm.grants["very-secret-9"] = "access-2222"
    assert await exchanging.get("/me") == {"name": "Example Ltd"}
    assert crm.asked.count(("/oauth/token", "very-secret-9")) == 2


async def test_what_cannot_be_exchanged_is_denied_without_a_word_of_it(crm: MadeUpCrm, exchanging: Api) -> None:
    crm.grants = {}
    with pytest.raises(Denied) as raised:
        await exchanging.get("/me")
    assert raised.value.reason == "Made-up CRM gives no access token: Made-up CRM answered 400 (invalid_grant: no client with …)"
