"""The doors for events and for the quarantine."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.collect import quarantine
from app.collect.cookies import visitor_cookie
from app.collect.daily import visitor_of_day
from app.collect.door import CORS, PlainRoute, address_of, headers_of, key_of, own_host, query_of, readable_by_pages, written_out
from app.collect.drops import Visit, reason_to_drop
from app.collect.personal import personal_names, without_personal
from app.collect.schemas import Accepted, Batch, Body, Limits, Refusal, SingleEvent, inflate, read_body
from app.collect.steps import Sender, fact_of
from app.errors import Problem
from app.log import Fact, Outcome, Refused
from app.settings import Settings
from app.sites.authorisation import administered
from app.sites.site import Site
from app.tables import from_micros

router = APIRouter(tags=["collect"])

DOOR = "events"
_PREFLIGHT = {
    **CORS,
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "86400",
}


@readable_by_pages
async def collect(request: Request) -> Response:
    """Send events: one, or a batch."""
    received_at = time.time_ns() // 1_000
    headers, query = headers_of(request), query_of(request)
    settings: Settings = request.app.state.settings
    named_key = key_of(headers, query)
    caller = await request.app.state.keyring.caller(named_key) if named_key else None
    limits = Limits(settings.max_event_bytes, settings.max_batch_bytes, settings.max_batch_events)
    text = inflate(await request.body(), headers.get("content-encoding", "").strip().lower(), limits.batch_bytes)
    body = read_body(text, limits)
    if caller is None:
        caller = await request.app.state.keyring.caller(body.key)
    if caller.is_secret:
        caller.must_have("ingest")
    site = await request.app.state.directory.site(caller.site_id(query.get("site")))
    visit = Visit(headers, address_of(request, headers), caller.is_secret, site.settings)
    if reason := reason_to_drop(visit):
        count = len(body.events) + len(body.refusals)
        await request.app.state.log.append([], dropped={(site.site_id, reason.value): count})
        return _answer([], [], {**CORS, "Closedloop-Dropped": reason.value})
    named = [event.visitor_id for _, event in body.events] + [None] * len(body.refusals)
    daily = await visitor_of_day(request.app.state.daily_visitors, site, visit, named, received_at)
    stored = await store(request, body, Sender(site, caller.is_secret, received_at, body.sent_at, daily_visitor=daily))
    cookie = None if caller.is_secret else visitor_cookie(site.settings, headers, own_host(request, headers), stored.rows)
    return _answer(stored.outcomes, stored.refusals, {**CORS, "Set-Cookie": cookie} if cookie else CORS)


class Stored(NamedTuple):
    """What became of the events of a body."""

    outcomes: list[Outcome]
    refusals: list[Refusal]
    rows: list[dict[str, Any]]


async def store(request: Request, body: Body, sender: Sender) -> Stored:
    """Write the events of a body to the log, and to the quarantine what cannot be taken. Returns after COMMIT."""
    facts: list[tuple[int, Fact]] = []
    refusals = list(body.refusals)
    for index, event in body.events:
        try:
            facts.append((index, fact_of(event, sender, partial(_quarantined, body, sender, index))))
        except ValueError as error:
            refusals.append(Refusal(index, str(error)))
    quarantined = [_quarantined(body, sender, refusal.index, refusal.reason) for refusal in refusals]
    outcomes = await request.app.state.log.append([fact for _, fact in facts], quarantined=quarantined)
    refusals += [Refusal(index, each.reason) for (index, _), each in zip(facts, outcomes, strict=True) if isinstance(each, Refused)]
    return Stored(outcomes, refusals, [fact.row for _, fact in facts])


def _answer(outcomes: Sequence[Outcome], refusals: Sequence[Refusal], headers: dict[str, str]) -> Response:
    rejected = [{"index": refusal.index, "reason": refusal.reason} for refusal in sorted(refusals)]
    answer = {"accepted": outcomes.count(True), "duplicates": outcomes.count(False), "rejected": rejected}
    return Response(json.dumps(answer), 202, headers, media_type="application/json")


def _quarantined(body: Body, sender: Sender, index: int, reason: str) -> dict[str, Any]:
    raw = body.raw(index)
    if isinstance(raw, dict):
        raw = _as_decided(raw, sender)
    return quarantine.quarantine_row(
        sender.site.site_id, DOOR, reason, quarantine.as_text(raw), is_trusted=sender.is_trusted, received_at=sender.received_at
    )


def _as_decided(raw: dict[str, Any], sender: Sender) -> dict[str, Any]:
    """An event as it was sent, but for what looks personal in its addresses, and for what was decided when it came in and cannot
    be decided again when it is replayed."""
    personal = personal_names(sender.site.settings)
    addresses = {name: raw[name] for name in ("url", "referrer") if isinstance(raw.get(name), str)}
    decided: dict[str, Any] = {name: without_personal(address, personal) for name, address in addresses.items()}
    if sender.sent_at is not None:
        decided["sent_at"] = from_micros(sender.sent_at).isoformat()
    if sender.daily_visitor is not None:
        sent = raw.get("visitor_id")
        decided["visitor_id"] = sender.visitor(sent if isinstance(sent, str) else None)
    return {**raw, **decided}


def _read_again(site: Site, kept: quarantine.Quarantined) -> Fact:
    """A quarantined event as a fact. ValueError if it cannot be understood still."""
    try:
        body = read_body(kept.body.encode(), Limits())
    except Problem as problem:
        raise ValueError(problem.detail) from problem
    if body.refusals:
        raise ValueError(body.refusals[0].reason)
    [(_, event)] = body.events
    return fact_of(event, Sender(site, kept.is_trusted, kept.received_at, body.sent_at, may_be_old=True))


quarantine.READERS[DOOR] = _read_again


async def preflight(_request: Request) -> Response:
    """Say to any page that it may send."""
    return Response(status_code=204, headers=_PREFLIGHT)


def _documented() -> dict[str, Any]:
    """The endpoint in OpenAPI. It reads its body itself: the framework's way would cost a third of the requests per second."""
    schema = {"anyOf": [written_out(model.model_json_schema()) for model in (SingleEvent, Batch)]}
    content = {"application/json": {"schema": schema}, "text/plain": {"schema": schema}}
    key = {"name": "key", "in": "query", "schema": {"type": "string"}, "description": "The key, where no header can be set."}
    return {"requestBody": {"required": True, "content": content}, "parameters": [key]}


router.add_api_route(
    "/v1/events",
    collect,
    methods=["POST"],
    status_code=202,
    responses={202: {"model": Accepted}},
    openapi_extra=_documented(),
    route_class_override=PlainRoute,
)
router.add_api_route("/v1/events", preflight, methods=["OPTIONS"], include_in_schema=False)


# ---------------------------------------------------------------- the quarantine


@router.get("/v1/quarantine", tags=["administration"])
async def quarantined(
    request: Request, site: Annotated[Site, Depends(administered)], limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> quarantine.Quarantine:
    """Show what could not be understood or stored, newest first."""
    return quarantine.Quarantine(quarantined=await quarantine.listed(request.app.state.database, site.site_id, limit))


@router.post("/v1/quarantine", tags=["administration"])
async def replay(request: Request, site: Annotated[Site, Depends(administered)], chosen: quarantine.Chosen) -> quarantine.Replayed:
    """Try it again, with its original time of arrival: what is stored now leaves the quarantine."""
    state = request.app.state
    return await quarantine.replay(state.database, state.log, site, chosen.ids)
