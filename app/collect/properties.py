"""Properties of people, deals and companies, as rows of the log: what reports are filtered and grouped by.

A value is kept as text, made here once, so that both databases agree. Only single values are properties: lists and
objects stay where they were sent, in the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app import tables
from app.collect.keys import Row
from app.sites.site import Site

MOST = 50
"""Properties kept of one subject in one fact: the first ones, in the order in which they were sent."""
LONGEST_NAME = 100
LONGEST_VALUE = 500
LONGEST_RECORD = 200
"""A company whose ID, domain or name is longer is not known by it: a key of a table has its limits."""
RESERVED = ":"
"""What no name of a property from outside begins with."""
SALES_FIELDS = ("owner", "account_manager", "may_contact", "lead_source", "url")
"""What sales keeps of a contact: stored as properties named `:owner`, …"""
COMPANY = ""
"""The field that says for which company a human works; no property from outside has an empty name."""
_LARGEST_EXACT = 2.0**53


def property_texts(sent: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Text by name of the properties sent; None clears. What is nested, has no name or is too long is left out."""
    found = ((name.strip(), value) for name, value in (sent or {}).items())
    named = ((name, value) for name, value in found if 0 < len(name) <= LONGEST_NAME and not name.startswith(RESERVED))
    kept = ((name, as_text(value)) for name, value in named if not isinstance(value, dict | list))
    fitting = [(name, text) for name, text in kept if text is None or len(text) <= LONGEST_VALUE]
    return dict(fitting[:MOST])


def as_text(value: Any) -> str | None:
    """A single JSON value as text: `true`, `3`, `2.5`, what was written without the space around it. Nothing at all is None."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        # Some senders write every number as a fraction: 3.0 is 3.
        return str(int(value))
    return str(value).strip() or None


def deal_record(space: str, deal_id: str) -> str:
    """Name of a deal among the holders of properties."""
    return f"deal:{space}/{deal_id}"


def company_records(space: str, company_id: str | None, domain: str | None, name: str | None) -> list[str]:
    """Names of a company among the holders of properties, the best first: its ID and its domain, or else its own name."""
    named = [("id", company_id), ("domain", domain)] if company_id or domain else [("name", name)]
    return [f"company:{space}/{kind}:{text}" for kind, text in named if text and len(text) <= LONGEST_RECORD]


def person_satellites(
    site: Site, link_id: str, visitor_id: str, fact_id: str, occurred_at: int, *, is_trusted: bool, texts: Mapping[str, str | None]
) -> list[Row]:
    """Rows of `person_fields`: what a fact says of the human with these keys, whose sighting makes them dirty."""
    said = {"site_id": site.site_id, "link_id": link_id, "visitor_id": visitor_id, "fact_id": fact_id}
    rest = {"occurred_at": occurred_at, "is_trusted": is_trusted}
    return [(tables.person_fields, {**said, **rest, "field": field, "value": value}) for field, value in texts.items()]


def record_satellites(
    site: Site, records: Iterable[str], fact_id: str, occurred_at: int, received_at: int, texts: Mapping[str, str | None]
) -> list[Row]:
    """Rows of `record_fields`: what a fact says of a deal or a company, under each of its names, which are dirty now."""
    rows: list[Row] = []
    if not texts:
        return rows
    for record in records:
        said = {"site_id": site.site_id, "record_id": record, "fact_id": fact_id, "occurred_at": occurred_at}
        rows += [(tables.record_fields, {**said, "field": field, "value": value}) for field, value in texts.items()]
        rows.append((tables.properties_queue, {"site_id": site.site_id, "holder_id": record, "received_at": received_at}))
    return rows
