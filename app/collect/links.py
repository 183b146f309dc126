"""Links between a site's own domains: a token in the address says to the next domain which visitor follows it.

A token holds for two minutes and for the same kind of browser (its user agent), so that a link that was shared makes
nobody somebody else. It is no secret: all that it can do is to name a visitor.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Annotated

from fastapi import APIRouter, Request
from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from app.collect.door import CORS, PlainRoute, headers_of, key_of, query_of, readable_by_pages
from app.errors import BadRequest, NotFound
from app.sites.site import Site

router = APIRouter(tags=["collect"])

SECONDS = 120
"""For which a token holds."""
_LONGEST = 1_000


class LinkedVisitor(BaseModel):
    """Who follows a link to another domain of the site."""

    visitor_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class LinkToken(BaseModel):
    """What stands in the link."""

    token: str


def token_of(site: Site, visitor_id: str, user_agent: str, now: int) -> str:
    """The token by which a browser of that user agent tells the site's other domains its visitor. `now` is in seconds since 1970."""
    return str(_signer(site, user_agent).dumps([visitor_id, now + SECONDS]))


def visitor_of_token(site: Site, token: str, user_agent: str, now: int) -> str | None:
    """The visitor that a token names. None for one that is forged, over, or another browser's: the same answer to all three."""
    if len(token) > _LONGEST:
        return None
    try:
        visitor_id, until = _signer(site, user_agent).loads(token)
    except BadData:
        return None
    return str(visitor_id) if now < until else None


def _signer(site: Site, user_agent: str) -> URLSafeSerializer:
    # What a site's key signs here can be nothing else that is signed with it.
    key = hmac.new(site.hash_key, b"links between domains", hashlib.sha256).digest()
    browser = hashlib.sha256(user_agent.encode(errors="replace")).digest()
    return URLSafeSerializer(key, salt=browser, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256})


# ---------------------------------------------------------------- the doors


@readable_by_pages
async def make_token(request: Request) -> Response:
    """Ask for the token of a link to another domain of the site."""
    site = await _site(request)
    visitor_id = _read(await request.body())
    token = token_of(site, visitor_id, request.headers.get("user-agent", ""), int(time.time()))
    return _answer({"token": token}, 201)


@readable_by_pages
async def read_token(request: Request) -> Response:
    """Ask which visitor came by a link."""
    site = await _site(request)
    token, user_agent = request.path_params["token"], request.headers.get("user-agent", "")
    visitor_id = visitor_of_token(site, token, user_agent, int(time.time()))
    if visitor_id is None:
        raise NotFound("No visitor of this browser followed this link in the last two minutes.")
    return _answer({"visitor_id": visitor_id}, 200)


async def _site(request: Request) -> Site:
    query = query_of(request)
    caller = await request.app.state.keyring.caller(key_of(headers_of(request), query))
    site: Site = await request.app.state.directory.site(caller.site_id(query.get("site")))
    if site.settings.consent == "cookieless":
        raise NotFound("This site keeps no visitors for longer than a day, nor across its domains.")
    return site


def _read(body: bytes) -> str:
    try:
        return LinkedVisitor.model_validate_json(body).visitor_id
    except ValidationError as error:
        raise BadRequest('The body is not {"visitor_id": …} with a visitor of 16 to 64 letters, digits, - or _.') from error


def _answer(answer: dict[str, str], status: int) -> Response:
    return Response(json.dumps(answer), status, {**CORS, "Cache-Control": "no-store"}, media_type="application/json")


_KEY = {"name": "key", "in": "query", "required": True, "schema": {"type": "string"}, "description": "The write key."}

router.add_api_route(
    "/v1/links",
    make_token,
    methods=["POST"],
    status_code=201,
    responses={201: {"model": LinkToken}},
    openapi_extra={
        "parameters": [_KEY],
        "requestBody": {"required": True, "content": {"text/plain": {"schema": LinkedVisitor.model_json_schema()}}},
    },
    route_class_override=PlainRoute,
)
router.add_api_route(
    "/v1/links/{token}",
    read_token,
    methods=["GET"],
    responses={200: {"model": LinkedVisitor}},
    openapi_extra={"parameters": [_KEY, {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}]},
    route_class_override=PlainRoute,
)
