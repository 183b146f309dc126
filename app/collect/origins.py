"""Where an event came from: its page, its referrer, its campaign parameters and its click ID, as facts.

No channel is decided here. The parts of an origin are kept as sent (a change of spelling is a matter of labels), and
they travel together: an event that states any part of its source itself has that source only, and nothing of its
address or referrer is mixed in.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from publicsuffixlist import PublicSuffixList

from app import ids
from app.collect.personal import PERSONAL, without_personal

CLICK_IDS = (
    "gclid", "gbraid", "wbraid", "dclid", "msclkid", "ttclid", "twclid", "li_fat_id", "rdt_cid", "qclid", "sccid", "ScCid",
    "yclid", "ymclid", "rb_clickid", "bd_vid", "qhclickid", "sogou_vid", "gdt_vid", "qz_gdt", "NaPm", "ob_click_id", "dicbo", "tblci",
    "irclid", "irclickid", "awc", "cjevent", "ranSiteID", "admitad_uid", "gad_campaignid", "gad_source",
    "ko_click_id", "fbclid", "igshid", "igsh", "epik", "srsltid", "ysclid", "_kx", "mc_cid", "_hsenc", "mkt_tok", "vero_id",
)  # fmt: skip
"""Parameters that carry a click ID, by exact name; of several in one address the first here is taken (those that an
advertiser pays for come before those that any link may carry)."""

_CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_WANTED = frozenset(CLICK_IDS) | frozenset(_CAMPAIGN)
_LONGEST_PART = 1_000
_LONGEST_CACHED = 1_000


class Origin(NamedTuple):
    """The distinct tuple that `origins` holds; what is absent is empty."""

    explicit_channel: str = ""
    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""
    referring_host: str = ""
    click_id_kind: str = ""


NOWHERE = Origin()
"""Nothing is said of where it came from."""


class Arrival(NamedTuple):
    """What an address and a referrer say."""

    url: str | None
    """Without what looks personal; so is the referrer."""
    host: str
    path: str
    origin: Origin
    click_id: str | None
    has_internal_referrer: bool
    referrer: str | None


def arrival(url: str | None, referrer: str | None, personal: frozenset[str] = PERSONAL) -> Arrival:
    """Read a page's address and its referrer. ValueError if the address is none; a referrer that is none says nothing.

    `personal` names the parameters that are taken out first (`app.collect.personal`): they count for nothing.
    """
    if len(url or "") + len(referrer or "") > _LONGEST_CACHED:
        return _arrival(url, referrer, personal)
    return _cached_arrival(url, referrer, personal)


def _arrival(url: str | None, referrer: str | None, personal: frozenset[str]) -> Arrival:
    url, referrer = url and without_personal(url, personal), referrer and without_personal(referrer, personal)
    page = _split(url) if url else None
    if url and page is None:
        raise ValueError("url is not an address")
    host = _host(page) if page else ""
    referring = _split(referrer) if referrer else None
    referring_host = _host(referring) if referring else ""
    is_internal = bool(host) and bool(referring_host) and registrable_domain(host) == registrable_domain(referring_host)
    parameters = _parameters(page.query) if page else {}
    kind = next((name for name in CLICK_IDS if name in parameters), "")
    source, medium, campaign, term, content = (parameters.get(name, "") for name in _CAMPAIGN)
    origin = Origin("", source, medium, campaign, term, content, "" if is_internal else referring_host, kind)
    path = (page.path or "/") if page else ""
    kept_referrer = _without_user(referrer, referring)
    return Arrival(_without_user(url, page), host, path, origin, parameters.get(kind), is_internal, kept_referrer)


_cached_arrival = lru_cache(maxsize=16_384)(_arrival)


@lru_cache(maxsize=65_536)
def origin_id(origin: Origin) -> str:
    """Name of an origin."""
    return ids.digest(*origin)


@lru_cache(maxsize=65_536)
def campaign_key(origin: Origin, click_id: str | None) -> int | None:
    """What tells one campaign touch from the next: (source, medium, campaign, click ID, stated channel), case folded.

    None where the event carries neither a campaign (any parameter of one, or a stated channel) nor a click ID.
    """
    if not click_id and not any(origin[:6]):
        return None
    named = (origin.source, origin.medium, origin.campaign, click_id or "", origin.explicit_channel)
    return ids.digest_64(*(part.casefold() for part in named))


_suffixes = PublicSuffixList()


@lru_cache(maxsize=65_536)
def registrable_domain(host: str) -> str:
    """The part of a host name that one can register: `shop.example.co.uk` is of `example.co.uk`.

    An IP address, and a name that is a public suffix itself, is its own.
    """
    try:
        ip_address(host)
    except ValueError:
        return str(_suffixes.privatesuffix(host) or host)
    return host


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address.strip())
        return parts if parts.hostname is not None or not parts.netloc else None
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    """Host name in lower case and in ASCII, without a port, a final dot or `www.`."""
    host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _parameters(query: str) -> dict[str, str]:
    """The campaign parameters and click IDs of a query: the first of each name that is not empty."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query) if query else ():
        if name in _WANTED and name not in found and (text := value.replace("\0", "").strip()):
            found[name] = text[:_LONGEST_PART]
    return found


def _without_user(url: str | None, page: SplitResult | None) -> str | None:
    """The address as sent, but for a user name and password."""
    if page is None or "@" not in page.netloc:
        return url
    return urlunsplit(page._replace(netloc=page.netloc.rpartition("@")[2]))
