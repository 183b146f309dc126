"""Calls of a connection's API: JSON in and out, and every failure as one of four.

No token stands in an error: where a CRM's own words are quoted, it is struck out of them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from app.crm.providers import Provider
from app.outgoing import PrivateAddress, outgoing_client
from app.sites.connections import Connection

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer, unpacked."""
_QUOTED = 200
_THROTTLED_SECONDS = 10.0
"""How long to wait for a CRM that does not say."""
_LONGEST_WAIT_SECONDS = 24 * 3600.0
_SPENT = ("REQUEST_LIMIT_EXCEEDED",)
"""Codes in an answer of 403 that say 'too often' and not 'you may not': Salesforce's daily limit."""
_SPENT_SECONDS = 900.0
_SHORTEST_SECRET = 6
"""What is shorter (`password`'s `grant_type`, say) is no secret, and is found in many a word."""
_exchanged: dict[tuple[str, str], str] = {}
"""Access tokens, by the address and by what they were exchanged for: kept until one is no longer taken, or the process ends."""
_MOST_EXCHANGED = 1_000


class Throttled(Exception):
    """Too often: call again after `seconds`."""

    def __init__(self, seconds: float, reason: str = "the CRM asks for a pause") -> None:
        self.seconds = min(max(seconds, 1.0), _LONGEST_WAIT_SECONDS)
        self.reason = reason
        super().__init__(f"{reason}: {self.seconds:.0f} s")


class Failed(Exception):
    """It did not work, and may later."""

    def __init__(self, reason: str, *, is_outage: bool = False) -> None:
        """`is_outage`: the CRM as a whole is at fault (5xx, no connection, no answer in time), not what was asked."""
        super().__init__(reason)
        self.reason = reason
        self.is_outage = is_outage


class Denied(Exception):
    """The token opens nothing, or not this: the reason says what to do."""

    def __init__(self, reason: str, *, is_token: bool = True) -> None:
        """`is_token`: the token is not valid at all (401); else it lacks a permission (403)."""
        super().__init__(reason)
        self.reason = reason
        self.is_token = is_token


class Missing(Exception):
    """There is no such record, or no such address."""

    def __init__(self, reason: str = "there is no such record") -> None:
        super().__init__(reason)
        self.reason = reason


class Api:
    """The API of one connection; a `Client` of providers."""

    def __init__(self, http: httpx.AsyncClient, provider: Provider, token: str) -> None:
        """`http` has the base address; `token` is what the connection has, to be sent or to be exchanged for what is."""
        self._http = http
        self._title = provider.title or provider.name
        self._authorisation = provider.authorisation
        self._token = token
        self._exchange = provider.token_request(token)
        self._secrets = {token, *(self._exchange[1].values() if self._exchange else ())}

    async def get(self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()) -> Any:
        """`GET`. None for an empty answer. Throttled, Failed, Denied or Missing."""
        asked = params if isinstance(params, Mapping) else list(params)
        return await self._call("GET", path, params=asked or None)

    async def post(self, path: str, json: Any) -> Any:
        """`POST`, of what only reads (a search, a batch of IDs). None for an empty answer. Errors as those of `get`."""
        return await self._call("POST", path, json=json)

    async def _call(self, method: str, path: str, **asked: Any) -> Any:
        if not path.startswith("/"):
            # An address of its own could lead the token elsewhere.
            raise Failed(f"{self._title} names an address that is not one of its API")
        if self._exchange is None:
            return await self._ask(method, path, headers=self._authorisation(self._token), **asked)
        try:
            return await self._ask(method, path, headers=self._authorisation(_exchanged.get(self._key, "")), **asked)
        except Denied as error:
            if not error.is_token:
                raise
        # It ended, as such tokens do within hours.
        return await self._ask(method, path, headers=self._authorisation(await self._access_token()), **asked)

    @property
    def _key(self) -> tuple[str, str]:
        return str(self._http.base_url), self._token

    async def open(self) -> None:
        """Exchange what the connection has, where its CRM wants that and it was not done. Errors as those of `get`."""
        if self._exchange is not None and self._key not in _exchanged:
            await self._access_token()

    async def _access_token(self) -> str:
        """What OAuth gives for what the connection has. Denied if it gives nothing."""
        assert self._exchange is not None
        path, form = self._exchange
        try:
            answer = await self._ask("POST", path, data=dict(form))
        except (Failed, Missing) as error:
            if isinstance(error, Failed) and error.is_outage:
                raise
            # OAuth answers 400 to whom it does not know, and not 401.
            raise Denied(f"{self._title} gives no access token: {error.reason}") from error
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not _is_sendable(token):
            raise Failed(f"{self._title} gave no access token", is_outage=True)
        if len(_exchanged) >= _MOST_EXCHANGED:
            _exchanged.clear()
        _exchanged[self._key] = token
        return token

    async def _ask(self, method: str, path: str, **asked: Any) -> Any:
        try:
            async with self._http.stream(method, path, **asked) as answer:
                body = await self._body(answer)
        except httpx.TimeoutException as error:
            raise Failed(f"{self._title} did not answer in time", is_outage=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failed(self._quoted(f"{self._title} cannot be reached: {error}"), is_outage=True) from error
        except PrivateAddress as error:
            raise Failed(str(error), is_outage=True) from error
        if answer.is_success:
            return self._parsed(body)
        raise self._failure(answer, body)

    async def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > LARGEST_ANSWER:
                raise Failed(f"{self._title} answered with more than {LARGEST_ANSWER // 1024 // 1024} MB")
        return bytes(body)

    def _parsed(self, body: bytes) -> Any:
        if not body.strip():
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise Failed(f"{self._title} answered with something that is no JSON", is_outage=True) from None

    def _failure(self, answer: httpx.Response, body: bytes) -> Exception:
        status, words = answer.status_code, self._words(body)
        if status == 429 or (status == 503 and "retry-after" in answer.headers):
            return Throttled(_seconds_to_wait(answer.headers), f"{self._title} asks for a pause")
        if status == 403 and any(code in words for code in _SPENT):
            return Throttled(_SPENT_SECONDS, f"{self._title}'s limit of calls is reached")
        if status == 401:
            return Denied(f"{self._title} does not know the token{words}: make a new one there, and set it as api_token here")
        if status in {402, 403}:
            return Denied(f"The token may not read this{words}: give it the permission (scope) in {self._title}", is_token=False)
        if status in {404, 410}:
            return Missing(f"{self._title} has no such record or address{words}")
        return Failed(f"{self._title} answered {status}{words}", is_outage=status >= 500)

    def _words(self, body: bytes) -> str:
        """What the CRM itself says of it: ` (…)`, or nothing."""
        try:
            said = _message(json.loads(body))
        except (ValueError, RecursionError):
            said = ""
        return f" ({self._quoted(said)})" if said else ""

    def _quoted(self, text: str) -> str:
        line = "".join(letter if letter.isprintable() else " " for letter in text)
        for secret in {*self._secrets, _exchanged.get(self._key, "")}:
            line = line.replace(secret, "…") if len(secret) >= _SHORTEST_SECRET else line
        return line[:_QUOTED]


_WORDS = ("errorCode", "message", "error", "error_description", "error_info")


def _message(answer: Any) -> str:
    """The words of an error, wherever CRMs put them, one or a list of several."""
    if isinstance(answer, list):
        return _message(answer[0]) if answer else ""
    if isinstance(answer, dict):
        found = [_message(answer[name]) for name in _WORDS if name in answer]
        return ": ".join(dict.fromkeys(each for each in found if each))
    return answer if isinstance(answer, str) else ""


def _seconds_to_wait(headers: httpx.Headers) -> float:
    """What `Retry-After` asks for, as seconds or as a date (which is held against the sender's own clock).

    Pipedrive says it as `x-ratelimit-reset`: the seconds that are left of the window.
    """
    asked = headers.get("retry-after", headers.get("x-ratelimit-reset", "")).strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    try:
        until = parsedate_to_datetime(asked)
        sent_at = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return (until - sent_at).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return _THROTTLED_SECONDS


@asynccontextmanager
async def api_of(sender: Connection, provider: Provider, *, allow_private: bool, seconds: float = 30) -> AsyncIterator[Api]:
    """The API of a connection: at its own address, else at its provider's.

    Failed if neither is known; Denied if the token cannot be one; what `get` raises if it cannot be exchanged.
    """
    token, title = sender.fields.api_token or "", provider.title or provider.name
    base_url = sender.fields.api_base_url or provider.base_url
    if not base_url:
        raise Failed(f"The connection needs an api_base_url: where {title} is", is_outage=True)
    if not _is_sendable(token):
        raise Denied(f"This is no token of {title}: it has letters that no token has")
    headers = {"Accept": "application/json", "User-Agent": "closedloop"}
    try:
        http = outgoing_client(allow_private=allow_private, seconds=seconds, base_url=base_url, headers=headers)
    except httpx.InvalidURL:
        raise Failed("The connection's api_base_url is no address", is_outage=True) from None
    async with http:
        api = Api(http, provider, token)
        await api.open()
        yield api


def _is_sendable(token: str) -> bool:
    return token.isascii() and token.isprintable()
