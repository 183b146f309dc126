"""The keys that name a human: normalised, hashed with the site's key, and seen together.

Clear text of e-mails, phones and user IDs goes nowhere but into `contacts`; of an e-mail, its domain stays in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import phonenumbers
from sqlalchemy import Table

from app import ids, tables
from app.sites.addresses import domain_of, normal_email
from app.sites.site import Site

Row = tuple[Table, dict[str, Any]]

_cached_key_id = lru_cache(maxsize=65_536)(ids.key_id)


@lru_cache(maxsize=65_536)
def normal_phone(text: str, country: str | None) -> str | None:
    """The number as E.164 writes it; None if it is none, or a national one and the country is not known.

    Whether a number is assigned is not asked: lists of ranges age, and a new range is not to be lost.
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not text.isascii() or not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def subject_keys(
    site: Site,
    *,
    email: str | None = None,
    phone: str | None = None,
    user_id: str | None = None,
    contact: tuple[str, str] | None = None,
) -> list[str]:
    """Key IDs of one subject, sorted. What cannot be normalised gives none. `contact` is (space, contact ID)."""
    named = [key for key, *_ in _named_keys(site, email, phone, user_id)]
    if contact is not None:
        named.append(_cached_key_id(site.hash_key, "c", *contact))
    return sorted(named)


def _named_keys(site: Site, email: str | None, phone: str | None, user_id: str | None) -> list[tuple[str, str, str]]:
    """(key ID, kind, clear text) of what names a human by itself, the strongest name first."""
    named = []
    if user_id and user_id.strip():
        named.append(("u", "user_id", user_id.strip()))
    if email and (address := normal_email(email)):
        named.append(("e", "email", address))
    if phone and (number := normal_phone(phone, site.settings.country)):
        named.append(("p", "phone", number))
    return [(_cached_key_id(site.hash_key, letter, value), kind, value) for letter, kind, value in named]


def pseudo_visitor(keys: Sequence[str]) -> str | None:
    """The visitor that an event without one stands under: of its user ID, else its e-mail, else its phone."""
    for letter in "uep":
        for key_id in keys:
            if key_id.startswith(letter + "_"):
                return "~" + key_id
    return None


def link_id(keys: Sequence[str]) -> str:
    """Name of a set of keys."""
    return ids.digest(*sorted(keys))


def sighting_satellites(
    site: Site,
    keys: Sequence[str],
    visitor_id: str,
    fact_id: str,
    occurred_at: Any,
    sequence: int,
    is_trusted: bool,
    received_at: Any,
) -> list[Row]:
    """Rows that say: these keys (at least one) were seen together, on this visitor (`""`: on none), and are dirty now.

    Times are datetimes or microseconds.
    """
    link = link_id(keys)
    here = {"site_id": site.site_id}
    sighting = {
        **here, "link_id": link, "visitor_id": visitor_id, "fact_id": fact_id, "occurred_at": occurred_at,
        "sequence": sequence, "is_trusted": is_trusted, "received_at": received_at,
    }
    rows: list[Row] = [(tables.sightings, sighting)]
    for key_id in sorted(set(keys)):
        rows.append((tables.link_keys, {**here, "link_id": link, "key_id": key_id}))
        rows.append((tables.identity_queue, {**here, "key_id": key_id, "received_at": received_at}))
    if visitor_id:
        rows.append((tables.touches_queue, {**here, "visitor_id": visitor_id, "received_at": received_at}))
    return rows


def clear_texts(
    site: Site, occurred_at: Any, *, email: str | None = None, phone: str | None = None, user_id: str | None = None, **details: Any
) -> list[Row]:
    """Rows of `contacts` for the names given, and of `key_domains`; `details` are other columns of the former, such as `company`."""
    rows: list[Row] = []
    for key_id, kind, value in _named_keys(site, email, phone, user_id):
        address = value if kind == "email" else None
        rows.append((tables.contacts, contact_row(site, key_id, kind, value, occurred_at, email=address, **details)))
        if address:
            rows.append((tables.key_domains, {"site_id": site.site_id, "key_id": key_id, "domain": domain_of(address)}))
    return rows


def contact_row(
    site: Site, key_id: str, kind: str, value: str, occurred_at: Any, *, email: str | None = None, **details: Any
) -> dict[str, Any]:
    """A row of `contacts`: for display and export only."""
    address = normal_email(email) if email else None
    domain = domain_of(address) if address else None
    return {
        "site_id": site.site_id, "key_id": key_id, "kind": kind, "value": value, "email_domain": domain,
        "occurred_at": occurred_at, **details,
    }
