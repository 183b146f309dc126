"""Requests of which nothing is kept: steps that look at the request, and say why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from crawleruseragents import is_crawler

from app.sites.settings import SiteSettings

_LONGEST_USER_AGENT = 512
# What the list of crawlers does not know, because each may also be somebody's honest program; none is a browser.
_PROGRAMS = re.compile(
    r"^Mozilla/5\.0\s*$|^Java/|^undici|^node\b|^Deno/|^Bun/|^Ruby\b|GuzzleHttp|Postman|Datadog|Cypress|\bPrerender\b", re.IGNORECASE
)
OPT_OUT_COOKIE = "closedloop_opt_out"
_OPT_OUT = re.compile(rf"(?:^|;\s*){OPT_OUT_COOKIE}=1(?:;|$)")


class Reason(StrEnum):
    """Why a request was dropped; stands in the header `Closedloop-Dropped` and in `drops`."""

    PREFETCH = "prefetch"
    OPTED_OUT = "opted_out"
    GPC = "gpc"
    DNT = "dnt"
    BOT = "bot"
    EXCLUDED_NETWORK = "excluded_network"
    HONEYPOT = "honeypot"


class Visit(NamedTuple):
    """What a request says about the browser behind it."""

    headers: Mapping[str, str]
    """By name in lower case."""
    client_address: str
    """Already without the proxies that are trusted."""
    is_trusted: bool
    """It came with a secret key, so its user agent and address are a server's."""
    settings: SiteSettings


def reason_to_drop(visit: Visit) -> Reason | None:
    """The first that holds."""
    for drop in DROPS:
        if reason := drop(visit):
            return reason
    return None


def drop_prefetch(visit: Visit) -> Reason | None:
    """The page is loaded ahead, and perhaps nobody will ever see it."""
    for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"):
        value = visit.headers.get(name, "").lower()
        if "prefetch" in value or "prerender" in value or value == "preview":
            return Reason.PREFETCH
    return None


def drop_opted_out(visit: Visit) -> Reason | None:
    """This browser carries the cookie of an opt-out."""
    return Reason.OPTED_OUT if has_opted_out(visit.headers) else None


def drop_gpc(visit: Visit) -> Reason | None:
    """Global Privacy Control, unless the site says otherwise."""
    return Reason.GPC if visit.settings.honour_gpc and visit.headers.get("sec-gpc") == "1" else None


def drop_dnt(visit: Visit) -> Reason | None:
    """Do Not Track, if the site says so."""
    return Reason.DNT if visit.settings.honour_dnt and visit.headers.get("dnt") == "1" else None


def drop_bot(visit: Visit) -> Reason | None:
    """The user agent is a program's."""
    return Reason.BOT if not visit.is_trusted and is_bot(visit.headers.get("user-agent", "")[:_LONGEST_USER_AGENT]) else None


def drop_excluded_network(visit: Visit) -> Reason | None:
    """The address is of a network that the site leaves out: its own office."""
    if visit.is_trusted or not visit.settings.excluded_networks:
        return None
    networks = _networks(tuple(visit.settings.excluded_networks))
    return Reason.EXCLUDED_NETWORK if _lies_in(visit.client_address, networks) else None


DROPS: tuple[Callable[[Visit], Reason | None], ...] = (
    drop_prefetch,
    drop_opted_out,
    drop_gpc,
    drop_dnt,
    drop_bot,
    drop_excluded_network,
)


def has_opted_out(headers: Mapping[str, str]) -> bool:
    """Whether the request carries that cookie."""
    return bool(_OPT_OUT.search(headers.get("cookie", "")))


@lru_cache(maxsize=65_536)
def is_bot(user_agent: str) -> bool:
    """Whether a user agent is a program's, or missing."""
    return not user_agent.strip() or bool(_PROGRAMS.search(user_agent)) or bool(is_crawler(user_agent))


def client_address(peer: str, forwarded_for: str, trusted_proxies: str) -> str:
    """The nearest address that is not a trusted proxy's; only trusted proxies are believed about what lies before them."""
    hops = [_without_port(hop.strip()) for hop in forwarded_for.split(",") if hop.strip()]
    if not hops:
        return peer
    if trusted_proxies.strip() == "*":
        return hops[0]
    trusted = _networks(tuple(trusted_proxies.split(",")))
    nearest = peer
    while hops and _lies_in(nearest, trusted):
        nearest = hops.pop()
    return nearest


def _without_port(hop: str) -> str:
    """The address of a hop: some proxies name the port beside it, and an IPv6 address then in brackets."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@lru_cache(maxsize=256)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    found = []
    for text in texts:
        try:
            found.append(ip_network(text.strip(), strict=False))
        except ValueError:
            continue
    return tuple(found)


def _lies_in(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed.version == network.version and parsed in network for network in networks)
