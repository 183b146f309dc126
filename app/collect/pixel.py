"""A page that is seen, told by an image: for pages, and mails, in which no script runs."""

from __future__ import annotations

import base64
import re
import secrets
import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.collect.cookies import VISITOR_COOKIE, kept_cookie, visitor_of
from app.collect.daily import visitor_of_day
from app.collect.door import PlainRoute, address_of, headers_of, host_of, is_secure, key_of, own_host, query_of
from app.collect.drops import Visit, reason_to_drop
from app.collect.endpoints import store
from app.collect.origins import registrable_domain
from app.collect.schemas import Limits, body_of_one
from app.collect.steps import Sender
from app.errors import Forbidden, Problem, Unavailable
from app.settings import Settings
from app.sites.settings import SiteSettings
from app.sites.site import Site

router = APIRouter(tags=["collect"])

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
"""One transparent point."""
_HEADERS = {"Cache-Control": "no-store, max-age=0", "Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff"}


async def pixel(request: Request) -> Response:
    """Count a page by an image: `<img src="https://…/v1/pixel.gif?key=WRITE_KEY&url=…" alt="">`."""
    try:
        said, status = await _count(request), 200
    except Unavailable as problem:
        # The image all the same; but what is not stored is not said to be.
        said, status = {"Closedloop-Refused": problem.title, **problem.headers}, problem.status
    except Problem as problem:
        said, status = {"Closedloop-Refused": _one_line(problem.detail)}, 200
    return Response(_GIF, status, {**_HEADERS, **said}, media_type="image/gif")


async def _count(request: Request) -> dict[str, str]:
    """Store the page; answers headers."""
    received_at = time.time_ns() // 1_000
    headers, query = headers_of(request), query_of(request)
    caller = await request.app.state.keyring.caller(key_of(headers, query))
    if caller.is_secret:
        raise Forbidden("A pixel takes a write key: a secret one would stand in a page, for all to read.")
    site: Site = await request.app.state.directory.site(caller.site_id(query.get("site")))
    visit = Visit(headers, address_of(request, headers), False, site.settings)
    if reason := reason_to_drop(visit):
        await request.app.state.log.append([], dropped={(site.site_id, reason.value): 1})
        return {"Closedloop-Dropped": reason.value}
    named, said = visitor_of(headers), {}
    if named is None and _may_set_cookie(site.settings, headers, own_host(request, headers)):
        named = secrets.token_hex(16)
        said["Set-Cookie"] = kept_cookie(VISITOR_COOKIE, named, own_host(request, headers), is_secure=is_secure(request))
    daily = await visitor_of_day(request.app.state.daily_visitors, site, visit, [named], received_at)
    settings: Settings = request.app.state.settings
    limits = Limits(settings.max_event_bytes, settings.max_batch_bytes, settings.max_batch_events)
    stored = await store(request, body_of_one(_event(query, headers, named), limits), Sender(site, False, received_at, daily_visitor=daily))
    return {"Closedloop-Refused": _one_line(stored.refusals[0].reason)} if stored.refusals else said


def _event(query: dict[str, str], headers: dict[str, str], visitor_id: str | None) -> dict[str, Any]:
    url = query.get("url") or headers.get("referer")
    said = {"url": url, "referrer": query.get("referrer"), "title": query.get("title"), "visitor_id": visitor_id}
    return {"type": "pageview", **{name: value for name, value in said.items() if value}}


def _may_set_cookie(settings: SiteSettings, headers: dict[str, str], own_host: str) -> bool:
    """Whether a visitor begins here who is known again: on a page of the collector's own domain, where the site asks nobody first."""
    if not settings.server_cookie or settings.consent != "always" or headers.get("sec-gpc") == "1":
        return False
    if asked_from := headers.get("sec-fetch-site"):
        return asked_from in ("same-origin", "same-site")
    page_host = host_of(headers.get("referer", ""))
    return bool(page_host) and registrable_domain(page_host) == registrable_domain(own_host)


def _one_line(text: str) -> str:
    """A text that may stand in a header."""
    return re.sub(r"[^\x20-\x7e]", "?", text)[:300]


_PARAMETERS = {
    "key": "The write key.",
    "url": "Address of the page, with its campaign parameters, percent-encoded; absent: what the browser sends as `Referer`.",
    "referrer": "Address of the page before, percent-encoded.",
    "title": "Title of the page.",
}

router.add_api_route(
    "/v1/pixel.gif",
    pixel,
    methods=["GET"],
    response_class=Response,
    responses={200: {"content": {"image/gif": {}}, "description": "The image; a header says why a page was not counted."}},
    openapi_extra={
        "parameters": [
            {"name": name, "in": "query", "required": name == "key", "schema": {"type": "string"}, "description": words}
            for name, words in _PARAMETERS.items()
        ]
    },
    route_class_override=PlainRoute,
)
