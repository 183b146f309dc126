"""The door for forms that a browser sends by itself: it answers people, with a page or a redirect."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from app.collect.cookies import visitor_of
from app.collect.daily import local_day, visitor_of_day
from app.collect.door import CORS, PlainRoute, address_of, headers_of, key_of, query_of, readable_by_pages
from app.collect.drops import Reason, Visit, reason_to_drop
from app.collect.endpoints import Stored, store
from app.collect.forms import PAGE_FIELD, REDIRECT_FIELDS, TRAP_FIELD, VISITOR_FIELD, destination, event_of, fields_of, visitor_in
from app.collect.pages import page
from app.collect.schemas import Accepted, Limits, body_of_one
from app.collect.steps import Sender
from app.errors import BadRequest, Problem, Unavailable, Unprocessable
from app.settings import Settings
from app.sites.site import Site
from app.tables import from_micros

router = APIRouter(tags=["collect"])

_MOST_FIELDS = 1_000
_GO_BACK = "Nothing was sent. Your browser's Back button leads to the form, where what you wrote should still stand."


@readable_by_pages
async def submit(request: Request) -> Response:
    """Send a plain HTML form: `<form method="post" action="https://…/v1/forms/demo?key=WRITE_KEY">`."""
    try:
        return await _submit(request)
    except (Problem, HTTPException, DBAPIError, PoolTimeout, OSError) as error:
        if _wants_json(request):
            raise
        return _told(error)


async def _submit(request: Request) -> Response:
    received_at = time.time_ns() // 1_000
    headers, query = headers_of(request), query_of(request)
    fields = await _read(request)
    caller = await request.app.state.keyring.caller(key_of(headers, query))
    if caller.is_secret:
        caller.must_have("ingest")
    site: Site = await request.app.state.directory.site(caller.site_id(query.get("site")))
    visit = Visit(headers, address_of(request, headers), caller.is_secret, site.settings)
    if reason := Reason.HONEYPOT if fields.get(TRAP_FIELD) else reason_to_drop(visit):
        await request.app.state.log.append([], dropped={(site.site_id, reason.value): 1})
        return _thanks(request, site, fields, Stored([], [], []), {"Closedloop-Dropped": reason.value})
    named = visitor_in(fields) or visitor_of(headers)
    daily = await visitor_of_day(request.app.state.daily_visitors, site, visit, [named], received_at)
    sender = Sender(site, caller.is_secret, received_at, daily_visitor=daily)
    raw = event_of(
        site, request.path_params["name"], fields,
        visitor_id=sender.visitor(named), referer=headers.get("referer", ""), day=local_day(site, from_micros(received_at)),
    )  # fmt: skip
    stored = await store(request, body_of_one(raw, _limits(request)), sender)
    if stored.refusals:
        raise Unprocessable(stored.refusals[0].reason)
    return _thanks(request, site, fields, stored, {})


def _limits(request: Request) -> Limits:
    settings: Settings = request.app.state.settings
    return Limits(settings.max_event_bytes, settings.max_batch_bytes, settings.max_batch_events)


async def _read(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        text = (await request.body()).decode(errors="replace")
        try:
            return fields_of(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError as error:
            raise BadRequest(f"A form may have at most {_MOST_FIELDS} fields.") from error
    if kind == "multipart/form-data":
        largest = _limits(request).batch_bytes
        # Files are read past: nothing of them is kept.
        try:
            async with request.form(max_files=_MOST_FIELDS, max_fields=_MOST_FIELDS, max_part_size=largest) as sent:
                return fields_of((name, value) for name, value in sent.multi_items() if not isinstance(value, UploadFile))
        except ValueError as error:
            # Python knows charsets that are none, and in which nothing can be read.
            raise BadRequest("The form cannot be read: it is no multipart/form-data in the charset that it names.") from error
    raise BadRequest("A form is sent as application/x-www-form-urlencoded or multipart/form-data.")


# ---------------------------------------------------------------- answers


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _thanks(request: Request, site: Site, fields: dict[str, str], stored: Stored, headers: dict[str, str]) -> Response:
    headers = {**CORS, **headers, "Cache-Control": "no-store"}
    if _wants_json(request):
        answer = {"accepted": stored.outcomes.count(True), "duplicates": stored.outcomes.count(False), "rejected": []}
        return Response(json.dumps(answer), 202, headers, media_type="application/json")
    sent_from = request.headers.get("referer") or request.headers.get("origin") or ""
    if next_page := destination(fields, sent_from, site.settings.hosts):
        return RedirectResponse(next_page, 303, headers)
    return page("Thank you", "Your message has arrived.", headers=headers)


def _told(error: Exception) -> Response:
    """What went wrong, for the person who sent the form: they still have what they wrote."""
    headers = dict(getattr(error, "headers", None) or {}) | CORS
    if isinstance(error, HTTPException):
        return page("This could not be sent", str(error.detail), _GO_BACK, status=error.status_code, headers=headers)
    if not isinstance(error, Problem):
        error = Unavailable("")
        headers |= error.headers
    if isinstance(error, Unavailable):
        later = "The service is not available just now. Please try again in a moment."
        return page("This could not be sent", later, _GO_BACK, status=error.status, headers=headers)
    return page("This could not be sent", f"{error.title}: {error.detail}", _GO_BACK, status=error.status, headers=headers)


def _documented() -> dict[str, Any]:
    names = {
        "email": "E-mail of whoever sends it.",
        "phone": "Phone, with its country's prefix, or national where the site has a `country`.",
        "user_id": "User ID of the site's own.",
        VISITOR_FIELD: "The visitor; the snippet fills it in. Else the cookie `_loop` says who it is, else a hash that lasts a day.",
        PAGE_FIELD: "Address of the page, with its campaign parameters; else what the browser sends as `Referer`.",
        REDIRECT_FIELDS[0]: "Where the browser goes next: a path, or an address on a host of the site. Also `_redirect`.",
        TRAP_FIELD: "Left empty by people.",
    }
    properties = {name: {"type": "string", "description": words} for name, words in names.items()}
    schema = {"type": "object", "properties": properties, "additionalProperties": {"type": "string"}}
    key = {"name": "key", "in": "query", "required": True, "schema": {"type": "string"}, "description": "The write key."}
    form = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Name of the form."}
    content = {kind: {"schema": schema} for kind in ("application/x-www-form-urlencoded", "multipart/form-data")}
    return {"parameters": [form, key], "requestBody": {"required": True, "content": content}}


router.add_api_route(
    "/v1/forms/{name}",
    submit,
    methods=["POST"],
    responses={
        200: {"content": {"text/html": {}}, "description": "A page that says thank you."},
        202: {"model": Accepted, "description": "Where JSON is accepted, and HTML is not."},
        303: {"description": "To the page that the form names."},
    },
    openapi_extra=_documented(),
    route_class_override=PlainRoute,
)
