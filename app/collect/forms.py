"""What is read of a form that a browser sends by itself, without scripts, and where it leads afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import normalize
from urllib.parse import urljoin, urlsplit

from app import ids
from app.collect.cookies import VISITOR_ID
from app.collect.door import host_of
from app.collect.personal import CREDENTIALS, folded
from app.sites.settings import normal_host
from app.sites.site import Site

VISITOR_FIELD = "closedloop_visitor_id"
PAGE_FIELD = "closedloop_url"
"""The page's address, where the server that made the page knows it: most browsers tell another host no more than the page's own host."""
TRAP_FIELD = "closedloop_website"
"""Hidden from people, and filled in by programs."""
REDIRECT_FIELDS = ("redirect", "_redirect")
_HUMAN = ("email", "phone", "user_id")
_OURS = frozenset({*_HUMAN, *REDIRECT_FIELDS, VISITOR_FIELD, PAGE_FIELD, TRAP_FIELD})

_LONGEST_ADDRESS = 8_000
_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x20\x7f\\]")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
"""NUL, and the halves of characters that some charsets make."""
_CARD = re.compile(r"\d{13,19}\Z")

Fields = Mapping[str, str]
"""By name in lower case; several of one name are one text."""


def fields_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The fields of a form. Several of one name (boxes that were ticked) are joined by commas."""
    found: dict[str, str] = {}
    for name, value in pairs:
        text = _NOT_TEXT.sub("", value).strip()
        before = found.get(name.strip().lower(), "")
        found[name.strip().lower()] = f"{before}, {text}" if before and text else before or text
    return found


def event_of(site: Site, name: str, fields: Fields, *, visitor_id: str | None, referer: str, day: str) -> dict[str, Any]:
    """The event, as it might have been sent to `/v1/events`.

    `visitor_id` is what names the browser. The same form, filled in alike by the same visitor, is one event a `day`:
    a button that is pressed twice, or an answer that is loaded again, counts once.
    """
    sent = [text for pair in sorted(fields.items()) for text in pair]
    known = {field: fields[field] for field in _HUMAN if fields.get(field)}
    properties = {field: fields[field.lower()] for field in site.settings.form_fields if _may_be_kept(field, fields)}
    event = {
        # Keyed: what was in the other fields is nobody's business, not even as something to guess.
        "id": ids.key_id(site.hash_key, "f", day, name, visitor_id or "", *sent),
        "type": "form_submit", "form": name, "visitor_id": visitor_id, "url": page_of(fields, referer), **known,
        "properties": properties or None,
    }  # fmt: skip
    return {field: value for field, value in event.items() if value is not None}


def visitor_in(fields: Fields) -> str | None:
    """The visitor whom the page has written into its hidden field."""
    named = fields.get(VISITOR_FIELD, "")
    return named if VISITOR_ID.match(named) else None


def page_of(fields: Fields, referer: str) -> str | None:
    """Address of the form's page: what its server says, else what the browser says."""
    for address in (fields.get(PAGE_FIELD, ""), referer):
        if address.startswith(("http://", "https://")) and host_of(address) and len(address) <= _LONGEST_ADDRESS:
            return address
    return None


def _may_be_kept(field: str, fields: Fields) -> bool:
    """Never what opens or pays for something, whatever a site asks for."""
    value = fields.get(field.lower(), "")
    return bool(value) and field.lower() not in _OURS and folded(field) not in CREDENTIALS and not _has_card_number(value)


def _has_card_number(text: str) -> bool:
    """Whether one of the values of a field is a card's number."""
    return any(map(is_card_number, text.split(",")))


def is_card_number(text: str) -> bool:
    """Whether a text is 13 to 19 digits, however they are set apart, with a right check digit (Luhn)."""
    digits = re.sub(r"[\W_]", "", normalize("NFKC", text))
    if not digits.isascii() or not _CARD.match(digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def destination(fields: Fields, page: str, hosts: Iterable[str]) -> str | None:
    """Where the browser goes next: what the form asks for, if that is on the host of its own `page` (as the browser named it) or on one of
    the site's `hosts`. None for anything else."""
    wanted = next((fields[name] for name in REDIRECT_FIELDS if fields.get(name)), "")
    # Browsers take a backslash for a slash, and leave out tabs and line ends.
    if not wanted or _NOT_IN_ADDRESSES.search(wanted) or len(wanted) > _LONGEST_ADDRESS:
        return None
    try:
        target, own = urlsplit(urljoin(page, wanted)), urlsplit(page)
        host, has_port = target.hostname or "", target.port is not None
        of_site = not has_port and normal_host(host) in hosts
    except ValueError:
        return None
    if target.scheme not in ("http", "https") or not host.isascii() or "@" in target.netloc:
        return None
    of_page = (target.scheme, target.netloc.lower()) == (own.scheme, own.netloc.lower())
    # Written out: what a browser would make of the text that was sent does not matter any more.
    return target.geturl() if of_page or of_site else None
