"""The first-party cookies that the collector itself sets: what a script has set, Safari deletes after seven days."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.collect.daily import is_daily
from app.collect.door import host_of
from app.collect.origins import registrable_domain
from app.sites.settings import SiteSettings

VISITOR_COOKIE = "_loop"
DAYS = 396
"""For which a visitor is known again: thirteen months."""
_SECONDS = DAYS * 86_400

VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
"""What the snippet takes for a visitor, and nothing that could end a header."""


def cookies_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a request, by name; of several of one name the first."""
    found: dict[str, str] = {}
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.partition("=")
        found.setdefault(name.strip(), value.strip())
    return found


def visitor_of(headers: Mapping[str, str]) -> str | None:
    """The visitor that the request's cookie names."""
    named = cookies_of(headers).get(VISITOR_COOKIE, "")
    return named if VISITOR_ID.match(named) else None


def visitor_cookie(settings: SiteSettings, headers: Mapping[str, str], own_host: str, rows: Iterable[Mapping[str, Any]]) -> str | None:
    """The `Set-Cookie` for a visitor who begins a visit on a page of the collector's own registrable domain; else None.

    `rows` are those of the events that a browser sent.
    """
    if not settings.server_cookie or settings.consent == "cookieless":
        return None
    for visit in rows:
        if visit["type"] == "visit" and visit["host"]:
            break
    else:
        return None
    if is_daily(visit["visitor_id"]) or not VISITOR_ID.match(visit["visitor_id"]):
        return None
    domain = registrable_domain(own_host)
    if registrable_domain(visit["host"]) != domain or not _may_set(headers, domain):
        return None
    return kept_cookie(VISITOR_COOKIE, visit["visitor_id"], own_host, is_secure=visit["url"].lower().startswith("https:"))


def _may_set(headers: Mapping[str, str], domain: str) -> bool:
    """Not for a page elsewhere that only says that it is one of these; nor, under Global Privacy Control, where the page has set none."""
    origin = headers.get("origin")
    if origin and registrable_domain(host_of(origin)) != domain:
        return False
    return headers.get("sec-gpc") != "1" or visitor_of(headers) is not None


def kept_cookie(name: str, value: str, own_host: str, *, is_secure: bool) -> str:
    """A `Set-Cookie` that lasts, for the whole registrable domain of the collector."""
    return f"{name}={value}{_of_domain(own_host)}; Max-Age={_SECONDS}; Path=/; SameSite=Lax" + ("; Secure" if is_secure else "")


def removed_cookies(name: str, own_host: str) -> list[str]:
    """The `Set-Cookie`s that remove a cookie of the registrable domain, and one of the host alone."""
    return [f"{name}={scope}; Max-Age=0; Path=/" for scope in dict.fromkeys((_of_domain(own_host), ""))]


def _of_domain(own_host: str) -> str:
    """A browser takes no domain without a dot, nor an address for one: such a cookie is the host's alone."""
    domain = registrable_domain(own_host)
    return f"; Domain={domain}" if "." in domain and not domain.replace(".", "").isdigit() and ":" not in domain else ""
