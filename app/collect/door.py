"""What the doors of this package have in common: who calls, from which browser, and what any page may read of the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import lru_cache, wraps
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.collect.drops import client_address
from app.errors import Problem
from app.settings import Settings

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Closedloop-Dropped"}
"""Any page may send, with the public key that stands in it, and read the answer."""


class PlainRoute(APIRoute):
    """A documented route whose endpoint reads the request itself and gives a response: nothing else stands between."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint as it is."""
        return self.endpoint


def readable_by_pages(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """The handler, whose problems too carry the headers that let a page read them. Its answers carry `CORS` themselves."""

    @wraps(handler)
    async def handle(request: Request) -> Response:
        origin = next((value for name, value in request.scope["headers"] if name == b"origin"), None)
        readable = CORS if origin is None else _readable_by(origin.decode("latin-1"))
        try:
            answer = await handler(request)
        except Problem as problem:
            problem.headers |= readable
            raise
        except HTTPException as too_large:
            too_large.headers = {**(too_large.headers or {}), **readable}
            raise
        if origin is not None:
            answer.headers.update(readable)
        return answer

    return handle


@lru_cache(maxsize=1_024)
def _readable_by(origin: str) -> dict[str, str]:
    """The headers for a page of that origin. It sends cookies along, so that it may keep the one of the answer; an answer to
    such a request is readable only for who is named, and tells nothing that is not the browser's own."""
    return {**CORS, "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}


def headers_of(request: Request) -> dict[str, str]:
    """The request's headers by name in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}


def query_of(request: Request) -> dict[str, str]:
    """The parameters of the request's query, by name."""
    return _query(request.scope["query_string"])


@lru_cache(maxsize=1_024)
def _query(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1")))


def key_of(headers: dict[str, str], query: dict[str, str]) -> str | None:
    """The key that the request names outside its body."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return (key.strip() if scheme.lower() == "bearer" else "") or query.get("key")


def address_of(request: Request, headers: dict[str, str]) -> str:
    """The browser's address. It is compared with networks or hashed, and kept nowhere."""
    settings: Settings = request.app.state.settings
    peer = request.scope.get("client")
    return client_address(peer[0] if peer else "", headers.get("x-forwarded-for", ""), settings.trusted_proxies)


def own_host(request: Request, headers: dict[str, str]) -> str:
    """The host name under which this service is called: of `CLOSEDLOOP_PUBLIC_URL`, else the one that the request names."""
    settings: Settings = request.app.state.settings
    return host_of(settings.public_url or f"//{headers.get('host', '')}")


def is_secure(request: Request) -> bool:
    """Whether the service is called by https, by the same reckoning."""
    settings: Settings = request.app.state.settings
    return (settings.public_url or str(request.url.scheme)).lower().startswith("https")


@lru_cache(maxsize=4_096)
def host_of(address: str) -> str:
    """The host name of an address, in lower case; empty if it has none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def written_out(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema with each reference replaced by what it names: only models of routes stand among OpenAPI's components."""
    definitions = schema.pop("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolved(definitions[part["$ref"].rpartition("/")[2]])
        return {name: resolved(value) for name, value in part.items()}

    return {name: resolved(value) for name, value in schema.items()}
