"""The doors that Segment's and RudderStack's SDKs know: they work here with only their host and key changed.

What these SDKs cannot use is answered 200 all the same and set aside with its reason: most take 400 for the end of a whole
batch. 401 and 413 they take so, too; after 503 they try again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, get_args
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.collect import quarantine
from app.collect.daily import DailyVisitors
from app.collect.door import CORS, PlainRoute, address_of, headers_of, query_of, readable_by_pages, written_out
from app.collect.drops import Reason, Visit, drop_excluded_network, reason_to_drop
from app.collect.personal import personal_names, without_personal_in
from app.collect.schemas import Limits
from app.collect.segment_mapping import Refused, deal_fact, event_fact
from app.collect.segment_messages import Kind, Message, Messages, Success, message_of, open_body, read_sent
from app.collect.steps import Sender
from app.errors import Forbidden
from app.log import Fact
from app.settings import Settings
from app.sites.authorisation import Caller
from app.sites.site import Site

router = APIRouter(tags=["segment"])

DOOR = "segment"
DEAL_DOOR = "segment:deal"
"""Of a message whose event is stored, but not the deal that it tells of."""

_SHORT: dict[Kind, str] = {"page": "p", "track": "t", "identify": "i", "group": "g", "alias": "a", "screen": "s"}
_PREFLIGHT = {
    **CORS,
    "Access-Control-Allow-Methods": "GET, POST",
    # AnonymousId and SentAt are RudderStack's; X-Retry-Count comes with the second try.
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, AnonymousId, SentAt, X-Retry-Count",
    "Access-Control-Max-Age": "86400",
}
_SETTINGS_SECONDS = 300
_AT_A_TIME = 100
"""Messages of a batch that are read in one go."""


@dataclass(slots=True)
class _Kept:
    """What becomes of the messages of a request."""

    facts: list[Fact] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[Reason] = field(default_factory=Counter)


async def take(request: Request, kind: Kind | None) -> Response:
    """Store the messages of a request: of one `kind`, or a batch."""
    received_at = time.time_ns() // 1_000
    headers, query, settings = headers_of(request), query_of(request), request.app.state.settings
    limits = Limits(settings.max_event_bytes, settings.max_batch_bytes, settings.max_batch_events)
    keyring = request.app.state.keyring
    named_key = key_of(headers, query)
    caller = await keyring.caller(named_key) if named_key else None
    body = open_body(await request.body(), headers.get("content-encoding", "").strip().lower(), limits)
    sent = read_sent(body, kind, limits)
    if caller is None:
        caller = await keyring.caller(sent.key)
    if caller.is_secret:
        caller.must_have("ingest")
    site = await request.app.state.directory.site(caller.site_id(query.get("site")))
    visit = Visit(headers, address_of(request, headers), caller.is_secret, site.settings)
    kept = await _kept(request, sent.messages, visit, Sender(site, caller.is_secret, received_at), limits)
    dropped = {(site.site_id, reason.value): count for reason, count in kept.dropped.items()}
    await request.app.state.log.append(kept.facts, quarantined=kept.quarantined, dropped=dropped)
    return _answer({"Closedloop-Dropped": ", ".join(sorted(kept.dropped))} if kept.dropped else {})


def _answer(headers: dict[str, str]) -> Response:
    return Response(json.dumps({"success": True}), 200, {**CORS, **headers}, media_type="application/json")


async def _kept(request: Request, messages: list[Any], visit: Visit, sender: Sender, limits: Limits) -> _Kept:
    kept = _Kept()
    for index, sent in enumerate(messages):
        if index % _AT_A_TIME == _AT_A_TIME - 1:
            # A batch of thousands takes part of a second: others are let in between.
            await asyncio.sleep(0)
        browser = _browser_of(sent, visit)
        if reason := _reason_to_drop(browser):
            kept.dropped[reason] += 1
            continue
        named = sender._replace(daily_visitor=await _daily_visitor(request, browser, sender))
        refused = partial(_set_aside, sent, named, DOOR)
        try:
            message = message_of(sent, limits.event_bytes)
        except ValueError as error:
            kept.quarantined.append(refused(str(error)))
            continue
        _keep(kept, message, named, refused, partial(_set_aside, sent, named, DEAL_DOOR))
    return kept


def _keep(kept: _Kept, message: Message, sender: Sender, refused: Refused, deal_refused: Refused) -> None:
    try:
        kept.facts.append(event_fact(message, sender, refused))
    except ValueError as error:
        kept.quarantined.append(refused(str(error)))
    try:
        deal = deal_fact(message, sender, deal_refused)
    except ValueError as error:
        kept.quarantined.append(deal_refused(str(error)))
    else:
        kept.facts += [deal] if deal else []


# ---------------------------------------------------------------- the key


def key_of(headers: dict[str, str], query: dict[str, str]) -> str | None:
    """The key that is named outside the body: the user of Basic, or a Bearer; else the query's, where no header can be set."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if scheme.lower() == "basic" and (user := _user_of(credentials.strip())):
        return user
    return query.get("writeKey") or query.get("key")


def _user_of(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0].strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


# ---------------------------------------------------------------- the browser behind a message


class _Browser(NamedTuple):
    """The human's browser, as far as a message or its request tells of it."""

    visit: Visit
    is_known: bool
    """Its address is its own, and not that of a server which tells of it."""


def _browser_of(sent: Any, visit: Visit) -> _Browser:
    """What a message's context says of the browser, since the request may be a server's: then its own user agent is an SDK's."""
    context = sent.get("context") if isinstance(sent, dict) else None
    context = context if isinstance(context, dict) else {}
    agent, address = (_text(context.get(name)) for name in ("userAgent", "ip"))
    is_servers = visit.is_trusted or not visit.headers.get("user-agent", "").startswith("Mozilla/")
    headers = {**visit.headers, "user-agent": agent} if agent else visit.headers
    own = address or ("" if is_servers else visit.client_address)
    return _Browser(visit._replace(headers=headers, client_address=own, is_trusted=is_servers and not agent), bool(own))


def _reason_to_drop(browser: _Browser) -> Reason | None:
    """Why nothing of a message is kept. A program's user agent judges nobody: it is the SDK's."""
    reason = reason_to_drop(browser.visit)
    return reason or (drop_excluded_network(browser.visit._replace(is_trusted=False)) if browser.is_known else None)


async def _daily_visitor(request: Request, browser: _Browser, sender: Sender) -> str | None:
    """What names the browser today, on a site without cookies. None: nothing does, so only a user ID can."""
    site = sender.site
    if sender.is_trusted or site.settings.consent != "cookieless" or not browser.is_known:
        return None
    visitors: DailyVisitors = request.app.state.daily_visitors
    agent = browser.visit.headers.get("user-agent", "")
    return await visitors.name(site, browser.visit.client_address, agent, sender.received_at)


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


# ---------------------------------------------------------------- what is set aside


def _set_aside(sent: Any, sender: Sender, door: str, reason: str) -> dict[str, Any]:
    body = quarantine.as_text(_as_decided(sent, sender))
    return quarantine.quarantine_row(
        sender.site.site_id, door, reason, body, is_trusted=sender.is_trusted, received_at=sender.received_at
    )


def _as_decided(sent: Any, sender: Sender) -> Any:
    """A message as it was sent, but without the browser's address and user agent and what looks personal in addresses of pages, and
    with the visitor that was decided when it came in."""
    if not isinstance(sent, dict):
        return sent
    kept = without_personal_in(sent, personal_names(sender.site.settings))
    if isinstance(kept.get("context"), dict):
        kept["context"] = {name: value for name, value in kept["context"].items() if name not in ("ip", "userAgent")}
    if sender.is_trusted or sender.site.settings.consent != "cookieless":
        return kept
    # An alias may name the browser twice.
    is_twice = kept.get("previousId") is not None and kept["previousId"] == kept.get("anonymousId")
    return {**kept, **dict.fromkeys(("anonymousId", "previousId") if is_twice else ("anonymousId",), sender.daily_visitor)}


def _read_again(site: Site, kept: quarantine.Quarantined) -> Fact:
    """A message that was set aside as a fact. ValueError if it cannot be taken still."""
    sender = Sender(site, kept.is_trusted, kept.received_at, may_be_old=True)
    message = message_of(json.loads(kept.body), Limits().event_bytes)
    if kept.door != DEAL_DOOR:
        return event_fact(message, sender)
    deal = deal_fact(message, sender)
    if deal is None:
        raise ValueError("no entry of segment_deals names this event any more")
    return deal


quarantine.READERS[DOOR] = _read_again


# ---------------------------------------------------------------- what SDKs for the browser ask first


@readable_by_pages
async def project_settings(request: Request) -> Response:
    """What Segment's `analytics.js` asks before it sends: where to, and that there is nothing else to load."""
    key = request.path_params["key"]
    await _check_public(request, key)
    scheme, host = _own_address(request)
    segment = {
        "apiKey": key,
        "apiHost": f"{host}/v1",
        "protocol": scheme,
        "addBundledMetadata": False,
        "unbundledIntegrations": [],
        "maybeBundledConfigIds": {},
    }
    body = {
        "integrations": {"Segment.io": segment},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "metrics": {"sampleRate": 0},
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "remotePlugins": [],
        "legacyVideoPluginsEnabled": False,
        "analyticsNextEnabled": True,
    }
    return _kept_a_while(body)


@readable_by_pages
async def source_config(request: Request) -> Response:
    """What RudderStack's browser SDK asks before it sends: that the source is there, and that nothing else is to be loaded or told."""
    key = key_of(headers_of(request), query_of(request))
    site_id = await _check_public(request, key)
    silent = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    source: dict[str, Any] = {
        "id": site_id,
        "name": site_id,
        "writeKey": key,
        "enabled": True,
        "workspaceId": "",
        "config": {"statsCollection": silent},
        "destinations": [],
        "dataplanes": {},
    }
    return _kept_a_while({"source": source, "updatedAt": None})


async def _check_public(request: Request, key: str | None) -> str:
    """The site of a write key. Forbidden if it is a secret one: it stands in a web page."""
    caller: Caller = await request.app.state.keyring.caller(key)
    if caller.is_secret:
        raise Forbidden("This is a secret key, which must never stand in a web page: use the write key.")
    return caller.site_id(None)


def _kept_a_while(body: dict[str, Any]) -> Response:
    headers = {**CORS, "Cache-Control": f"private, max-age={_SETTINGS_SECONDS}", "Vary": "Origin, Authorization"}
    return Response(json.dumps(body), 200, headers, media_type="application/json")


def _own_address(request: Request) -> tuple[str, str]:
    """(scheme, host with port and path) under which others call this service."""
    settings: Settings = request.app.state.settings
    public = urlsplit(settings.public_url or str(request.base_url))
    return public.scheme, (public.netloc + public.path).rstrip("/")


# ---------------------------------------------------------------- routes


@readable_by_pages
async def preflight(_request: Request) -> Response:
    """Say to any page that it may send."""
    return Response(status_code=204, headers=_PREFLIGHT)


def _documented(model: type[Message] | type[Messages]) -> dict[str, Any]:
    """The body in OpenAPI: each door reads it itself."""
    schema = written_out(model.model_json_schema())
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}, "text/plain": {"schema": schema}}}}


def _add_preflight(path: str) -> None:
    router.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False, route_class_override=PlainRoute)


def _add(path: str, kind: Kind | None, summary: str, *, is_shown: bool) -> None:
    @readable_by_pages
    async def door(request: Request) -> Response:
        return await take(request, kind)

    router.add_api_route(
        path,
        door,
        methods=["POST"],
        summary=summary,
        description="For Segment's and RudderStack's SDKs. The key as the user of Basic, as a Bearer, or as `writeKey` in the body.",
        name=path,
        responses={200: {"model": Success}},
        openapi_extra=_documented(Message if kind else Messages),
        route_class_override=PlainRoute,
        include_in_schema=is_shown,
    )
    _add_preflight(path)


for _kind in get_args(Kind):
    _add(f"/v1/{_kind}", _kind, f"Send one {_kind}", is_shown=True)
    _add(f"/v1/{_SHORT[_kind]}", _kind, f"Send one {_kind}", is_shown=False)
_add("/v1/batch", None, "Send several messages", is_shown=True)
for _path in ("/v1/b", "/v1/import"):
    _add(_path, None, "Send several messages", is_shown=False)

for _path, _ask, _whose in (
    ("/v1/projects/{key}/settings", project_settings, "Settings of Segment's SDK for the browser"),
    ("/sourceConfig/", source_config, "Settings of RudderStack's SDK for the browser"),
):
    router.add_api_route(_path, _ask, methods=["GET"], summary=_whose, route_class_override=PlainRoute)
    _add_preflight(_path)
