"""Conversions from goals, marks and deals; whose they are, what they count, and what they hand on."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app import swap, tables
from app.db import Database
from app.journeys.conversions_stage import STAGE
from app.sites.settings import SiteSettings
from app.sites.site import Site
from tests.cases import Rows, a_local_day, assert_cases, run_cases
from tests.deal_facts import a_span, key_people
from tests.facts import a_sighting, at, enqueue, put_all
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

KEY = ["kind", "holder_id", "fact_id"]


def a_goal(visitor_id: str, event_id: str, minutes: float, goal: str = "lead", *, once_per: str = "person", sequence: int = 0) -> Rows:
    row = {
        "site_id": "default", "visitor_id": visitor_id, "event_id": event_id, "purpose": "goal", "goal": goal, "occurred_at": at(minutes),
        "sequence": sequence, "once_per": once_per,
    }  # fmt: skip
    return [(tables.goal_events, row)]


def a_mark(fact_id: str, minutes: float, keys: str, mark: str = "sql", bant: str | None = None) -> Rows:
    [_, *links] = a_sighting(keys, "", fact_id, minutes)
    link_id = links[0][1]["link_id"]
    row = {"site_id": "default", "fact_id": fact_id, "mark": mark, "link_id": link_id, "reason": None, "bant": bant, "occurred_at": at(minutes)}
    return [(tables.contact_marks, row), *links]


def a_deal(deal_id: str, *, opened: float, won: float | None = None, people: str = "", space: str = "generic", **others: Any) -> Rows:
    row = {column.name: None for column in tables.deals.columns if column.name != "run_id"} | {
        "site_id": "default", "space": space, "deal_id": deal_id, "outcome": "open" if won is None else "won",
        "first_seen_at": at(opened), "opened_at": at(opened), "won_at": None if won is None else at(won), "currency": "EUR",
        "has_contacts": bool(people), **others,
    }  # fmt: skip
    named = {"site_id": "default", "space": space, "deal_id": deal_id}
    return [(tables.deals, row), *((tables.deal_people, {**named, "person_id": person, "is_contact": True}) for person in people.split())]


def an_amount(deal_id: str, entry: int, minutes: float, before: int, after: int) -> Rows:
    row = {
        "site_id": "default", "space": "generic", "deal_id": deal_id, "entry": entry, "occurred_at": at(minutes),
        "before_minor": before, "after_minor": after, "fact_id": f"fact-{entry}",
    }  # fmt: skip
    return [(tables.deal_amounts, row)]


async def run(database: Database, site: Site, rows: Rows, *, people: str = "", deals: str = "") -> None:
    """Put the rows, and run the stage for people and (generic) deals."""
    await put_all(database, rows)
    keys = [(person, "", "") for person in people.split()] + [("", "generic", deal) for deal in deals.split()]
    await enqueue(database, tables.conversions_queue, *keys)
    await run_stage(database, site, STAGE)


GOALS: dict[str, tuple[Rows, str, list[list[Any]]]] = {
    "a lead": (a_goal("v", "1", 5), "ada", [["lead", "v", "1"]]),
    "once a person: the earliest": (a_goal("v", "2", 5) + a_goal("w", "1", 3), "ada", [["lead", "w", "1"]]),
    "ties: by sequence": (a_goal("v", "1", 5, sequence=2) + a_goal("w", "2", 5, sequence=1), "ada", [["lead", "w", "2"]]),
    "ties: then by event": (a_goal("w", "1", 5) + a_goal("v", "2", 5), "ada", [["lead", "w", "1"]]),
    "ties: then by visitor": (a_goal("w", "1", 5) + a_goal("v", "1", 5), "ada", [["lead", "v", "1"]]),
    "each goal by itself": (
        a_goal("v", "1", 5) + a_goal("v", "1", 5, "form:demo") + a_goal("v", "2", 6, "form:demo"),
        "ada",
        [["lead", "v", "1"], ["form:demo", "v", "1"]],
    ),
    "once an event: all": (
        a_goal("v", "1", 5, "call", once_per="event") + a_goal("v", "2", 6, "call", once_per="event"),
        "ada",
        [["call", "v", "1"], ["call", "v", "2"]],
    ),
    "only within its span": (a_goal("shared", "1", 9) + a_goal("shared", "2", 10), "ada", [["lead", "shared", "2"]]),
    "the one before it": (a_goal("shared", "1", 9) + a_goal("shared", "2", 10), "bob", [["lead", "shared", "1"]]),
    "not at the end of its span": (a_goal("shared", "2", 10), "bob", []),
    "a visitor is a person too": (a_goal("lone", "1", 5), "v_lone", [["lead", "lone", "1"]]),
    "only dirty people": (a_goal("lone", "1", 5), "ada", []),
}  # fmt: skip

SPANS: Rows = [*a_span("v", "ada"), *a_span("w", "ada"), *a_span("shared", "bob", None, 10), *a_span("shared", "ada", 10), *a_span("lone", "v_lone")]


async def test_conversions_of_people(database: Database, site: Site) -> None:
    await run_cases(database, site, STAGE, {case: (SPANS + rows, [(person, "", "")]) for case, (rows, person, _) in GOALS.items()})
    owned = {case: [[*key, person] for key in keys] for case, (_, person, keys) in GOALS.items()}
    await assert_cases(database, tables.conversions, [*KEY, "person_id"], owned)
    await assert_cases(database, tables.conversion_people, [*KEY, "person_id"], owned)
    entries = {case: [[*key, 0, 1, 0, 0] for key in keys] for case, (_, _, keys) in GOALS.items()}
    await assert_cases(database, tables.ledger_entries, [*KEY, "entry", "counts", "before_minor", "after_minor"], entries)


async def test_a_persons_conversion_counts_when_it_happened(database: Database, site: Site) -> None:
    await run(database, site, SPANS + a_goal("v", "1", 5), people="ada")
    await assert_rows(database, tables.ledger_entries, ["occurred_at", "counted_at"], [[at(5), at(5)]])


MARKS: dict[str, tuple[Rows, list[list[Any]]]] = {
    "a contact is qualified": (a_mark("f", 5, "e_ada"), [["sql", "crm", "f", "c_ada"]]),
    "once a person: the earliest": (a_mark("f", 5, "e_ada") + a_mark("g", 4, "c_ada"), [["sql", "crm", "g", "c_ada"]]),
    "ties: by fact": (a_mark("f", 5, "e_ada") + a_mark("g", 5, "c_ada"), [["sql", "crm", "f", "c_ada"]]),
    "a disqualification is none": (a_mark("f", 5, "e_ada", "disqualified"), []),
    "a crowded contact is its smallest key's": (a_mark("f", 5, "e_odd u_odd"), [["sql", "crm", "f", "e_odd"]]),
    "not of another": (a_mark("f", 5, "e_bob"), []),
}


async def test_qualifications(database: Database, site: Site) -> None:
    known = key_people(e_ada="c_ada", c_ada="c_ada", e_odd="e_odd", u_odd="u_odd", e_bob="e_bob")
    dirty = [(person, "", "") for person in ("c_ada", "u_odd", "e_odd")]
    await run_cases(database, site, STAGE, {case: (known + rows, dirty) for case, (rows, _) in MARKS.items()})
    await assert_cases(database, tables.conversions, [*KEY, "person_id"], {case: expected for case, (_, expected) in MARKS.items()})


LEADS: dict[str, tuple[Rows, list[list[Any]]]] = {
    "before, at, and after": (
        a_goal("v", "1", 5) + a_goal("v", "0", 4, "call") + a_goal("v", "2", 5, "chat"),
        [["lead", at(5)], ["call", None], ["chat", at(5)]],
    ),
    "of a qualification": (a_goal("v", "1", 5) + a_mark("f", 6, "ada"), [["lead", at(5)], ["sql", at(5)]]),
    "not after it": (a_goal("v", "1", 5) + a_mark("f", 4, "ada"), [["lead", at(5)], ["sql", None]]),
    "of a deal: the earliest of its people": (
        a_goal("v", "1", 5) + a_goal("shared", "1", 3) + a_deal("d", opened=4, won=7, people="ada bob"),
        [["lead", at(5)], ["opportunity", at(3)], ["customer", at(3)]],
    ),
    "of a deal: at or before it": (
        a_goal("v", "1", 5) + a_deal("d", opened=4, won=7, people="ada"),
        [["lead", at(5)], ["opportunity", None], ["customer", at(5)]],
    ),
}


async def test_the_earliest_lead_at_or_before(database: Database, site: Site) -> None:
    known = SPANS + key_people(ada="ada")
    await run_cases(database, site, STAGE, {case: (known + rows, [("ada", "", "")]) for case, (rows, _) in LEADS.items()})
    await assert_cases(database, tables.conversions, ["kind", "lead_at"], {case: expected for case, (_, expected) in LEADS.items()})


async def test_a_deal_is_an_opportunity_and_won_a_customer(database: Database, site: Site) -> None:
    rows = [*a_deal("d", opened=4, won=7, people="ada bob"), *a_deal("e", opened=5), *a_deal("f", opened=6, outcome="lost")]
    await run(database, site, rows, deals="d e f")
    await assert_rows(
        database,
        tables.conversions,
        [*KEY, "person_id", "occurred_at", "currency", "has_people", "opportunity_at"],
        [
            ["opportunity", "generic", "d", "", at(4), "EUR", True, at(4)],
            ["customer", "generic", "d", "", at(7), "EUR", True, at(4)],
            ["opportunity", "generic", "e", "", at(5), "EUR", False, at(5)],
            ["opportunity", "generic", "f", "", at(6), "EUR", False, at(6)],
        ],
    )
    people = [[kind, "generic", "d", person] for kind in ("opportunity", "customer") for person in ("ada", "bob")]
    await assert_rows(database, tables.conversion_people, [*KEY, "person_id"], people)


LEDGER: dict[str, tuple[Rows, list[list[Any]]]] = {
    "an opportunity is worth the amount now": (
        a_deal("d", opened=4, amount_minor=900),
        [["opportunity", 0, at(4), at(4), 1, 0, 900]],
    ),
    "an opportunity without an amount is worth nothing": (a_deal("d", opened=4), [["opportunity", 0, at(4), at(4), 1, 0, 0]]),
    "a customer, and a refund": (
        a_deal("d", opened=4, won=7, amount_minor=700) + an_amount("d", 0, 7, 0, 900) + an_amount("d", 1, 9, 900, 700),
        [
            ["opportunity", 0, at(4), at(4), 1, 0, 700],
            ["customer", 0, at(7), at(7), 1, 0, 900],
            ["customer", 1, at(9), at(9), 0, 900, 700],
        ],
    ),
    "a customer counts on the CRM's close date, its refund when it happened": (
        a_deal("d", opened=4, won=7, closed_on="2026-02-28") + an_amount("d", 0, 7, 0, 900) + an_amount("d", 1, 9, 900, 0),
        [
            ["opportunity", 0, at(4), at(4), 1, 0, 0],
            ["customer", 0, at(-60 * 57), at(7), 1, 0, 900],
            ["customer", 1, at(9), at(9), 0, 900, 0],
        ],
    ),
    "a close date beyond the calendar is none": (
        a_deal("d", opened=4, won=7, closed_on="1850-01-01") + an_amount("d", 0, 7, 0, 900),
        [["opportunity", 0, at(4), at(4), 1, 0, 0], ["customer", 0, at(7), at(7), 1, 0, 900]],
    ),
}  # fmt: skip


async def test_ledger(database: Database, site: Site) -> None:
    day = a_local_day("2026-02-28", -60 * 57)
    await run_cases(database, site, STAGE, {case: (day + rows, [("", "generic", "d")]) for case, (rows, _) in LEDGER.items()})
    columns = ["kind", "entry", "counted_at", "occurred_at", "counts", "before_minor", "after_minor"]
    await assert_cases(database, tables.ledger_entries, columns, {case: expected for case, (_, expected) in LEDGER.items()})


async def test_only_one_spaces_deals_make_customers(database: Database, site: Site) -> None:
    named = Site(site.site_id, site.hash_key, 2, SiteSettings(customer_space="crm"))
    rows = a_deal("d", opened=4, won=7) + a_deal("e", opened=4, won=7, space="crm")
    await put_all(database, rows)
    await enqueue(database, tables.conversions_queue, ("", "crm", "e"))
    await run(database, named, [], deals="d")
    expected = [["opportunity", "generic", "d"], ["opportunity", "crm", "e"], ["customer", "crm", "e"]]
    await assert_rows(database, tables.conversions, KEY, expected)


async def _change(database: Database, *statements: Any) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_a_reopened_deal_is_no_customer_any_more(database: Database, site: Site) -> None:
    await run(database, site, a_deal("d", opened=4, won=7, people="ada") + an_amount("d", 0, 7, 0, 900), deals="d")
    await _change(database, tables.deals.update().values(outcome="open", won_at=None), tables.deal_amounts.delete())
    await run(database, site, [], deals="d")
    await assert_rows(database, tables.conversions, KEY, [["opportunity", "generic", "d"]])
    await assert_rows(database, tables.conversion_people, [*KEY, "person_id"], [["opportunity", "generic", "d", "ada"]])
    await assert_rows(database, tables.ledger_entries, [*KEY, "entry"], [["opportunity", "generic", "d", 0]])


async def test_another_deals_conversions_stay(database: Database, site: Site) -> None:
    await run(database, site, a_deal("d", opened=4) + a_deal("e", opened=4), deals="d e")
    await _change(database, tables.deals.delete().where(tables.deals.c.deal_id == "e"))
    await run(database, site, [], deals="e")
    await assert_rows(database, tables.conversions, KEY, [["opportunity", "generic", "d"]])


@pytest.mark.parametrize("order", [["ada", "v_lone"], ["v_lone", "ada"], ["ada v_lone"]])
async def test_a_conversion_moves_with_its_visitor(database: Database, site: Site, order: list[str]) -> None:
    """Whichever of the old and the new person is computed first."""
    await run(database, site, SPANS + a_goal("lone", "1", 5), people="v_lone")
    await _change(database, tables.visitor_spans.update().values(person_id="ada").where(tables.visitor_spans.c.visitor_id == "lone"))
    for people in order:
        await run(database, site, [], people=people)
    await assert_rows(database, tables.conversions, [*KEY, "person_id"], [["lead", "lone", "1", "ada"]])
    await assert_rows(database, tables.conversion_people, [*KEY, "person_id"], [["lead", "lone", "1", "ada"]])


async def test_joined_people_keep_the_earlier_lead(database: Database, site: Site) -> None:
    await run(database, site, SPANS + a_goal("lone", "1", 5) + a_goal("v", "2", 6), people="v_lone ada")
    await _change(database, tables.visitor_spans.update().values(person_id="ada").where(tables.visitor_spans.c.visitor_id == "lone"))
    await run(database, site, [], people="v_lone ada")
    await assert_rows(database, tables.conversions, [*KEY, "person_id"], [["lead", "lone", "1", "ada"]])
    await assert_rows(database, tables.ledger_entries, KEY, [["lead", "lone", "1"]])


async def test_journeys_are_handed_on_even_where_nothing_changed(database: Database, site: Site) -> None:
    rows = SPANS + a_goal("v", "1", 5) + a_deal("d", opened=4, people="ada") + a_goal("shared", "1", 3)
    await run(database, site, rows, people="ada bob")
    await _change(database, tables.journeys_queue.delete())
    await run(database, site, [], people="ada")
    await assert_rows(database, tables.journeys_queue, KEY, [["lead", "v", "1"], ["opportunity", "generic", "d"]])


async def test_journeys_of_what_is_gone_are_handed_on(database: Database, site: Site) -> None:
    await run(database, site, SPANS + a_goal("v", "1", 5), people="ada")
    await _change(database, tables.journeys_queue.delete(), tables.goal_events.delete())
    await run(database, site, [], people="ada")
    await assert_rows(database, tables.conversions, KEY, [])
    await assert_rows(database, tables.journeys_queue, KEY, [["lead", "v", "1"]])


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_rebuild_finds_people_and_deals(database: Database, site: Site, limit: int) -> None:
    rows = [*SPANS, *a_deal("d", opened=1), *a_deal("e", opened=1, space="crm"), *key_people(e_kim="e_kim")]
    await put_all(database, rows)
    found: list[tuple[str, ...]] = []
    after: tuple[str, ...] | None = ()
    while after is not None:
        async with database.worker() as connection, database.computing(connection):
            bounds = {f"after_{n}": part for n, part in enumerate(after)}
            await connection.execute(swap.next_keys(STAGE, after or None), {"site_id": site.site_id, "limit": limit, **bounds})
            dirty = STAGE.dirty.c
            keys = await connection.execute(select(dirty.person_id, dirty.space, dirty.deal_id).order_by(*list(dirty)[1:]))
            found += [tuple(key) for key in keys]
            last = (await connection.execute(swap.last_dirty(STAGE), {"site_id": site.site_id})).one_or_none()
        after = None if last is None else tuple(last)
    people = [(person, "", "") for person in ("ada", "bob", "e_kim", "v_lone")]
    assert found == [("", "crm", "e"), ("", "generic", "d"), *people]
