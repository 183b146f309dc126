"""Facts about people, deals and companies -> what is said of each now."""

from __future__ import annotations

from typing import Any

import pytest

from app import ids, tables
from app.db import Database
from app.properties.stage import STAGE
from app.sites.site import Site
from tests.cases import Rows, assert_cases, run_cases
from tests.deal_facts import key_people
from tests.facts import at

pytestmark = pytest.mark.anyio


def person_said(keys: str, minutes: float, fact_id: str, *, visitor: str = "", trusted: bool = False, **fields: Any) -> Rows:
    """What one fact says of the human with these keys (`e_ada u_7`)."""
    link_id = ids.digest(*sorted(keys.split()))
    row = {"site_id": "default", "link_id": link_id, "visitor_id": visitor, "fact_id": fact_id, "occurred_at": at(minutes)}
    rows: Rows = [(tables.person_fields, {**row, "is_trusted": trusted, "field": name, "value": value}) for name, value in fields.items()]
    return rows + [(tables.link_keys, {"site_id": "default", "link_id": link_id, "key_id": key}) for key in keys.split()]


def record_said(record: str, minutes: float, fact_id: str, **fields: Any) -> Rows:
    """What one fact says of a deal or a company."""
    row = {"site_id": "default", "record_id": record, "fact_id": fact_id, "occurred_at": at(minutes)}
    return [(tables.record_fields, {**row, "field": name, "value": value}) for name, value in fields.items()]


def undone(keys: str, visitor: str) -> Rows:
    """Somebody has undone what tied the keys to the visitor."""
    link_id = ids.digest(*sorted(keys.split()))
    return [(tables.unlinks, {"site_id": "default", "visitor_id": visitor, "link_id": link_id, "fact_id": "f", "created_at": at(0)})]


ADA = key_people(e_ada="e_ada", u_7="e_ada")
DEAL = "deal:generic/d1"
CASES: dict[str, tuple[Rows, list[tuple[str, ...]]]] = {
    "the last value of each property holds, whichever keys it came with": (
        ADA + person_said("e_ada", 1, "f1", country="DE", size="7") + person_said("u_7", 2, "f2", country="US"), [("e_ada",)],
    ),
    "null clears": (ADA + person_said("e_ada", 1, "f1", country="DE") + person_said("u_7", 2, "f2", country=None), [("e_ada",)]),
    "a trusted sender outranks a page": (
        ADA + person_said("e_ada", 1, "f1", trusted=True, country="DE") + person_said("u_7", 2, "f2", country="US"), [("e_ada",)],
    ),
    "what is said again goes on holding": (
        ADA + person_said("e_ada", 1, "f1", country="US") + person_said("e_ada", 2, "f2", country="DE")
        + person_said("u_7", 3, "f3", country="DE"), [("e_ada",)],
    ),
    "what was said otherwise in between begins anew": (
        ADA + person_said("e_ada", 1, "f1", country="DE") + person_said("e_ada", 2, "f2", country="US")
        + person_said("u_7", 3, "f3", country="DE"), [("e_ada",)],
    ),
    "at one instant the greater fact holds": (
        ADA + person_said("e_ada", 1, "f2", country="DE") + person_said("u_7", 1, "f1", country="US"), [("e_ada",)],
    ),
    "what was undone says nothing": (
        ADA + person_said("e_ada", 1, "f1", country="DE") + person_said("u_7", 2, "f2", visitor="v1", country="US") + undone("u_7", "v1"),
        [("e_ada",)],
    ),
    "keys of several people describe the smallest of them": (
        key_people(e_ada="e_ada", e_bob="e_bob") + person_said("e_ada e_bob", 1, "f1", country="DE"), [("e_ada",), ("e_bob",)],
    ),
    "who is not dirty is left alone": (
        key_people(e_ada="e_ada", e_bob="e_bob") + person_said("e_ada", 1, "f1", country="DE"), [("e_bob",)],
    ),
    "what nobody says any more is gone": (
        [*ADA, (tables.properties, {
            "site_id": "default", "holder_id": "e_ada", "property": "size", "value": "7", "occurred_at": at(0), "fact_id": "f0",
        })], [("e_ada",)],
    ),
    "a record's last value holds": (
        record_said(DEAL, 2, "f2", product="Pro") + record_said(DEAL, 1, "f1", product="Lite", seats="5")
        + record_said(DEAL, 3, "f3", seats=None), [(DEAL,)],
    ),
}  # fmt: skip
EXPECTED: dict[str, list[list[Any]]] = {
    "the last value of each property holds, whichever keys it came with": [["e_ada", "country", "US", "f2"], ["e_ada", "size", "7", "f1"]],
    "a trusted sender outranks a page": [["e_ada", "country", "DE", "f1"]],
    "what is said again goes on holding": [["e_ada", "country", "DE", "f2"]],
    "what was said otherwise in between begins anew": [["e_ada", "country", "DE", "f3"]],
    "at one instant the greater fact holds": [["e_ada", "country", "DE", "f2"]],
    "what was undone says nothing": [["e_ada", "country", "DE", "f1"]],
    "keys of several people describe the smallest of them": [["e_ada", "country", "DE", "f1"]],
    "a record's last value holds": [[DEAL, "product", "Pro", "f2"]],
}


async def test_what_is_said_now(database: Database, site: Site) -> None:
    await run_cases(database, site, STAGE, CASES)
    await assert_cases(database, tables.properties, ["holder_id", "property", "value", "fact_id"], EXPECTED)
