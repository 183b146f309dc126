"""What a CRM says about deals, as rows of the log, with sensible defaults."""

from __future__ import annotations

from typing import Any

from app import ids, tables
from tests.cases import Rows
from tests.facts import at


def said(fact_id: str, minutes: float, change: str = "seen", *, by: int | None = None, **fields: Any) -> dict[str, Any]:
    """One fact about a deal: what happened (adjusted `by` so many minor units), and the fields that it sent.

    `contacts` is a list of what each carries (`e_ada u_7`) or None.
    """
    return {"fact_id": fact_id, "minutes": minutes, "change": change, "by": by, "fields": fields}


def deal_rows(deal_id: str, *facts: dict[str, Any], space: str = "generic") -> Rows:
    """The log's rows of facts about one deal. A deal's facts have IDs of their own."""
    return [row for fact in facts for row in _fact_rows(deal_id, space, fact)]


def _fact_rows(deal_id: str, space: str, fact: dict[str, Any]) -> Rows:
    here = {"site_id": "default", "space": space, "deal_id": deal_id, "fact_id": fact["fact_id"]}
    when = {**here, "occurred_at": at(fact["minutes"])}
    rows: Rows = [(tables.deal_changes, {**when, "change": fact["change"], "amount": fact["by"]})]
    for field, value in fact["fields"].items():
        sent = len(value) if field == "contacts" and value is not None else value
        rows.append((tables.deal_fields, {**when, "field": field, "value": None if sent is None else str(sent)}))
    for keys in fact["fields"].get("contacts") or ():
        link_id = ids.digest(*sorted(keys.split()))
        rows.append((tables.deal_contacts, {**here, "link_id": link_id}))
        rows += [(tables.link_keys, {"site_id": "default", "link_id": link_id, "key_id": key_id}) for key_id in keys.split()]
    return rows


def key_people(**person_of: str) -> Rows:
    """Rows of `key_people`: `e_ada="e_ada"`."""
    return [
        (tables.key_people, {"site_id": "default", "key_id": key, "person_id": person, "is_crowded": False})
        for key, person in person_of.items()
    ]


def a_span(visitor_id: str, person_id: str, starts: float | None = None, ends: float | None = None, touched: float | None = None) -> Rows:
    """A row of `visitor_spans`, in minutes; None: from the beginning, to the end of time; `touched` at its first touch."""
    row = {
        "site_id": "default", "visitor_id": visitor_id, "person_id": person_id,
        "starts_at": tables.BEGINNING if starts is None else at(starts),
        "ends_at": tables.END_OF_TIME if ends is None else at(ends),
        "fact_id": None, "link_id": None,
        "first_touched_at": None if touched is None else at(touched), "first_touch_event_id": None,
    }  # fmt: skip
    return [(tables.visitor_spans, row)]
