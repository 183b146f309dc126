"""The CRM's facts about deals, folded. Each case is one deal of its own, and says one rule."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app import tables
from app.db import Database
from app.deals.stage import STAGE
from app.sites.site import Site
from tests.cases import Rows
from tests.deal_facts import a_span, deal_rows, key_people, said
from tests.facts import at, enqueue, put_all
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

STAGES: Rows = [
    (tables.deal_stages, {"site_id": "default", "space": "generic", "stage": "Closed Won", "outcome": "won"}),
    (tables.deal_stages, {"site_id": "default", "space": "generic", "stage": "Closed Lost", "outcome": "lost"}),
    (tables.deal_stages, {"site_id": "default", "space": "other", "stage": "Offer", "outcome": "won"}),
]
OPEN, WON, LOST = {"outcome": "open"}, {"outcome": "won"}, {"outcome": "lost"}

FOLDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "a deal only seen is open since its earliest fact": (
        [said("a", 5), said("b", 3)],
        {**OPEN, "first_seen_at": at(3), "opened_at": at(3), "won_at": None, "lost_at": None, "has_contacts": False, "amount_minor": None},
    ),
    "the last value of each field holds": (
        [said("a", 1, name="Old", stage="New", owner="Kim"), said("b", 2, name="New")],
        {"name": "New", "stage": "New", "owner": "Kim"},
    ),
    "an amount takes the decimals of the currency that another fact said": (
        [said("a", 1, amount=12_345_000), said("b", 2, currency="JPY"), said("c", 3, "adjusted", by=-45_000)],
        {"currency": "JPY", "amount_minor": 1235 - 5},
    ),
    "a back-dated fact gives way to a later one": ([said("a", 5, name="Late"), said("b", 2, name="Early")], {"name": "Late"}),
    "of two values of one instant the greater fact's holds": ([said("a", 5, name="A"), said("b", 5, name="B")], {"name": "B"}),
    "null clears": ([said("a", 1, owner="Kim", closed_on="2026-03-04"), said("b", 2, owner=None)], {"owner": None, "closed_on": "2026-03-04"}),
    "the CRM's time of opening goes before the first fact's": ([said("a", 9, opened_at=1_700_000_000_000_000)], {"opened_at": 1_700_000_000_000_000}),
    "first heard of as won: opened at the win": ([said("a", 7, "won")], {**WON, "opened_at": at(7), "won_at": at(7)}),
    "never opened after the win": (
        [said("a", 7, "won", opened_at=1_900_000_000_000_000)],
        {"opened_at": at(7), "won_at": at(7)},
    ),
    "a repeated win moves nothing": ([said("a", 1, "won"), said("b", 2, "won"), said("c", 3, "won")], {**WON, "won_at": at(1)}),
    "lost, and since when": ([said("a", 1), said("b", 2, "lost", lost_reason="price")], {**LOST, "lost_at": at(2), "lost_reason": "price"}),
    "reopened is open": ([said("a", 1, "won"), said("b", 2, "reopened")], {**OPEN, "won_at": None}),
    "an open deal that is said to be reopened has only been open all along": (
        [said("a", 1, amount=90_000), said("b", 2, "adjusted", by=-10_000), said("c", 3, "reopened")],
        {**OPEN, "amount_minor": 800},
    ),
    "won again counts from the latest win": (
        [said("a", 1, "won"), said("b", 2, "reopened"), said("c", 3, "won"), said("d", 4, "won")],
        {**WON, "won_at": at(3), "opened_at": at(1)},
    ),
    "won after lost": ([said("a", 1, "lost"), said("b", 2, "won")], {**WON, "won_at": at(2), "lost_at": None}),
    "of two outcomes of one instant the greater fact's holds": ([said("a", 1, "won"), said("b", 1, "lost")], {**LOST, "lost_at": at(1)}),
    "a stage that means won": ([said("a", 1, stage="Offer"), said("b", 2, stage="Closed Won")], {**WON, "won_at": at(2)}),
    "a stage that means lost": ([said("a", 1, stage="Closed Lost")], {**LOST, "lost_at": at(1)}),
    "a later stage reopens what a stage had won": (
        [said("a", 1, stage="Closed Won"), said("b", 2, stage="Offer")],
        {**OPEN, "won_at": None},
    ),
    "no stage any more reopens what a stage had won": ([said("a", 1, stage="Closed Won"), said("b", 2, stage=None)], OPEN),
    "a later stage leaves what was said to be won": (
        [said("a", 1, "won"), said("b", 2, stage="Onboarding")],
        {**WON, "won_at": at(1), "stage": "Onboarding"},
    ),
    "a later stage leaves what a stage and the fact itself said": (
        [said("a", 1, "won", stage="Closed Won"), said("b", 2, stage="Onboarding")],
        {**WON, "won_at": at(1)},
    ),
    "two later stages reopen once": (
        [said("a", 1, stage="Closed Won"), said("b", 2, stage="Offer"), said("c", 3, stage="Demo"), said("d", 4, stage="Closed Won")],
        {**WON, "won_at": at(4)},
    ),
    "what a fact says outright goes before its stage": ([said("a", 1, "lost", stage="Closed Won")], {**LOST, "lost_at": at(1)}),
    "a stage sent again moves nothing": ([said("a", 1, stage="Closed Won"), said("b", 2, stage="Closed Won")], {"won_at": at(1)}),
    "adjustments are part of the amount": (
        [said("a", 1, amount=90_000, currency="EUR"), said("b", 2, "adjusted", by=-30_000)],
        {"amount_minor": 600, "currency": "EUR"},
    ),
    "the site's currency where the deal has none": ([said("a", 1, currency=None)], {"currency": "USD"}),
    "a subscription that sends no amount is worth its first period": (
        [said("a", 1, recurring=490_000, recurring_period="month")],
        {"amount_minor": 4900, "recurring_minor": 4900, "recurring_period": "month"},
    ),
    "a subscription's own amount goes first": (
        [said("a", 1, recurring=490_000, recurring_period="month", amount=5_000_000)],
        {"amount_minor": 50_000, "recurring_minor": 4900},
    ),
    "churned": ([said("a", 1, "won"), said("b", 2, "churned"), said("c", 3, "churned")], {**WON, "churned_at": at(3)}),
    "won back after churning": (
        [said("a", 1, "won"), said("b", 2, "churned"), said("c", 3, "reopened"), said("d", 4, "won")],
        {**WON, "won_at": at(4), "churned_at": None},
    ),
    "a contact never seen is a contact": ([said("a", 1, contacts=["e_unknown"])], {"has_contacts": True}),
    "an emptied list names nobody": ([said("a", 1, contacts=["e_ada"]), said("b", 2, contacts=None)], {"has_contacts": False}),
    "a visitor is somebody": ([said("a", 1, visitor_id="nobody")], {"has_contacts": True}),
}  # fmt: skip


async def _run(database: Database, site: Site, rows: Rows, deals: list[str]) -> None:
    await put_all(database, rows)
    await enqueue(database, tables.deals_queue, *(("generic", deal) for deal in deals))
    await run_stage(database, site, STAGE)


def _comparable(value: Any) -> Any:
    return tables.to_micros(value) if hasattr(value, "tzinfo") else value


@pytest.mark.parametrize("arrival", ["at once", "backwards, one by one"])
async def test_folds(database: Database, site: Site, arrival: str) -> None:
    deals = list(FOLDS)
    batches = [[facts for facts, _ in FOLDS.values()]]
    if arrival != "at once":
        longest = max(len(facts) for facts, _ in FOLDS.values())
        batches = [[facts[::-1][n : n + 1] for facts, _ in FOLDS.values()] for n in range(longest)]
    await put_all(database, STAGES)
    for batch in batches:
        rows = [row for deal, facts in zip(deals, batch, strict=True) for row in deal_rows(deal, *facts)]
        await _run(database, site, rows, deals)

    async with database.read() as connection:
        found = {row.deal_id: row._mapping for row in await connection.execute(select(tables.deals))}
    expected = {deal: {name: _comparable(value) for name, value in columns.items()} for deal, (_, columns) in FOLDS.items()}
    assert {deal: {name: _comparable(found[deal][name]) for name in columns} for deal, columns in expected.items()} == expected


PEOPLE: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "two contacts are two people": ([said("a", 1, contacts=["e_ada c_1", "e_bob"])], ["c_1", "e_bob"]),
    "two contacts of one person are one": ([said("a", 1, contacts=["e_ada", "c_1"])], ["c_1"]),
    "a crowded contact is its smallest key": ([said("a", 1, contacts=["e_crowd u_crowd"])], ["e_crowd"]),
    "a later list replaces the whole": ([said("a", 1, contacts=["e_ada"]), said("b", 2, contacts=["e_bob"])], ["e_bob"]),
    "a back-dated list replaces nothing": ([said("a", 2, contacts=["e_ada"]), said("b", 1, contacts=["e_bob"])], ["c_1"]),
    "a fact without a list leaves it": ([said("a", 1, contacts=["e_ada"]), said("b", 2, name="New")], ["c_1"]),
    "an emptied list leaves nobody": ([said("a", 1, contacts=["e_ada"]), said("b", 2, contacts=[])], []),
    "a contact of whom nothing is known yet is skipped": ([said("a", 1, contacts=["e_unknown", "e_bob"])], ["e_bob"]),
    "no contact, no people": ([said("a", 1)], []),
    "a visitor counts where no contact is named": ([said("a", 5, visitor_id="shared")], ["e_bob"]),
    "a visitor counts beside an empty list": ([said("a", 5, visitor_id="shared", contacts=[])], ["e_bob"]),
    "a visitor does not count beside a contact, even an unknown one": ([said("a", 5, visitor_id="shared", contacts=["e_unknown"])], []),
    "a visitor is who it was when last named": ([said("a", 5, visitor_id="shared"), said("b", 10, visitor_id="shared")], ["c_1"]),
    "at the very start of a span": ([said("a", 10, visitor_id="shared")], ["c_1"]),
    "an unidentified visitor is a person too": ([said("a", 5, visitor_id="lone")], ["v_lone"]),
    "a visitor never seen is nobody": ([said("a", 5, visitor_id="nobody")], []),
    "a visitor taken back is nobody": ([said("a", 5, visitor_id="lone"), said("b", 6, visitor_id=None)], []),
}  # fmt: skip


async def test_people(database: Database, site: Site) -> None:
    known = key_people(e_ada="c_1", c_1="c_1", e_bob="e_bob", e_crowd="e_crowd", u_crowd="u_crowd")
    spans = [*a_span("shared", "e_bob", None, 10), *a_span("shared", "c_1", 10), *a_span("lone", "v_lone")]
    rows = [row for deal, (facts, _) in PEOPLE.items() for row in deal_rows(deal, *facts)]
    await _run(database, site, [*known, *spans, *rows], list(PEOPLE))

    expected = [["generic", deal, person] for deal, (_, people) in PEOPLE.items() for person in people]
    await assert_rows(database, tables.deal_people, ["space", "deal_id", "person_id"], expected)


AMOUNTS: dict[str, tuple[list[dict[str, Any]], list[list[Any]]]] = {
    "the amount at the win": ([said("a", 1, amount=90_000), said("b", 2, "won")], [[0, 2, 0, 900, "b"]]),
    "sent with the win": ([said("b", 2, "won", amount=90_000)], [[0, 2, 0, 900, "b"]]),
    "no amount is worth nothing": ([said("b", 2, "won")], [[0, 2, 0, 0, "b"]]),
    "an amount first sent after the win is the win's": ([said("b", 2, "won"), said("c", 3, amount=90_000)], [[0, 2, 0, 900, "b"]]),
    "a changed amount after the win": (
        [said("b", 2, "won", amount=90_000), said("c", 3, amount=70_000), said("d", 4, amount=70_000)],
        [[0, 2, 0, 900, "b"], [1, 3, 900, 700, "c"]],
    ),
    "a cleared amount after the win": (
        [said("b", 2, "won", amount=90_000), said("c", 3, amount=None)],
        [[0, 2, 0, 900, "b"], [1, 3, 900, 0, "c"]],
    ),
    "a refund after the win": (
        [said("b", 2, "won", amount=90_000), said("c", 3, "adjusted", by=-20_000)],
        [[0, 2, 0, 900, "b"], [1, 3, 900, 700, "c"]],
    ),
    "a refund before the win": (
        [said("a", 1, "adjusted", by=-20_000), said("b", 2, "won", amount=90_000)],
        [[0, 2, 0, 700, "b"]],
    ),
    "a refund at the win's instant": (
        [said("c", 2, "adjusted", by=-20_000), said("b", 2, "won", amount=90_000)],
        [[0, 2, 0, 700, "b"]],
    ),
    "refunds and amounts add up": (
        [said("b", 2, "won", amount=90_000), said("c", 3, "adjusted", by=-20_000), said("d", 4, amount=100_000)],
        [[0, 2, 0, 900, "b"], [1, 3, 900, 700, "c"], [2, 4, 700, 800, "d"]],
    ),
    "two changes of one instant, by their facts": (
        [said("b", 2, "won", amount=90_000), said("d", 3, "adjusted", by=-100), said("c", 3, "adjusted", by=-200)],
        [[0, 2, 0, 900, "b"], [1, 3, 900, 898, "c"], [2, 3, 898, 897, "d"]],
    ),
    "an adjustment by nothing is none": ([said("b", 2, "won"), said("c", 3, "adjusted", by=0)], [[0, 2, 0, 0, "b"]]),
    "an open deal has none": ([said("a", 1, amount=90_000)], []),
    "a lost deal has none": ([said("a", 1, "lost", amount=90_000)], []),
    "a reopened deal's are gone": ([said("a", 1, "won", amount=90_000), said("b", 2, "reopened")], []),
    "won again: the amount then, without the refund of the first win": (
        [
            said("a", 1, "won", amount=90_000), said("b", 2, "adjusted", by=-20_000), said("c", 3, "reopened"),
            said("d", 4, amount=50_000), said("e", 5, "adjusted", by=-5_000), said("f", 6, "won"),
            said("g", 7, "adjusted", by=-2_500),
        ],
        [[0, 6, 0, 450, "f"], [1, 7, 450, 425, "g"]],
    ),
    "won over a loss: without the refund before it": (
        [
            said("a", 1, "won", amount=90_000), said("b", 2, "adjusted", by=-90_000), said("c", 3, "lost"),
            said("d", 4, "won"),
        ],
        [[0, 4, 0, 900, "d"]],
    ),
    "a subscription: the first period": ([said("a", 1, "won", recurring=490_000)], [[0, 1, 0, 4900, "a"]]),
    "a subscription with an amount: the amount": (
        [said("a", 1, "won", recurring=490_000), said("b", 2, amount=900_000)],
        [[0, 1, 0, 9000, "a"]],
    ),
    "won by a stage": ([said("a", 1, stage="Closed Won", amount=90_000)], [[0, 1, 0, 900, "a"]]),
    "cleared before the win, sent again after it": (
        [said("a", 1, amount=90_000), said("b", 2, "won", amount=None), said("c", 3, amount=80_000)],
        [[0, 2, 0, 800, "b"]],
    ),
}  # fmt: skip


async def test_amounts(database: Database, site: Site) -> None:
    rows = [row for deal, (facts, _) in AMOUNTS.items() for row in deal_rows(deal, *facts)]
    await _run(database, site, [*STAGES, *rows], list(AMOUNTS))

    columns = ["deal_id", "entry", "occurred_at", "before_minor", "after_minor", "fact_id"]
    expected = [[deal, entry, at(minutes), *rest] for deal, (_, entries) in AMOUNTS.items() for entry, minutes, *rest in entries]
    await assert_rows(database, tables.deal_amounts, columns, expected)


async def test_the_amount_now_is_the_last_entrys(database: Database, site: Site) -> None:
    rows = [row for deal, (facts, _) in AMOUNTS.items() for row in deal_rows(deal, *facts)]
    await _run(database, site, [*STAGES, *rows], list(AMOUNTS))

    async with database.read() as connection:
        found = await connection.execute(select(tables.deals.c.deal_id, tables.deals.c.amount_minor).where(tables.deals.c.outcome == "won"))
        now = {deal: amount or 0 for deal, amount in found}
    assert now == {deal: entries[-1][3] for deal, (_, entries) in AMOUNTS.items() if entries}


async def test_only_changed_deals_are_handed_on(database: Database, site: Site) -> None:
    await _run(database, site, deal_rows("same", said("a", 1)) + deal_rows("renamed", said("a", 1)), ["same", "renamed"])
    await run_stage(database, site, STAGE)
    async with database.write() as connection:
        await connection.execute(tables.conversions_queue.delete())
    await _run(database, site, deal_rows("renamed", said("b", 2, name="New")), ["same", "renamed"])
    await assert_rows(database, tables.conversions_queue, ["person_id", "space", "deal_id"], [["", "generic", "renamed"]])


async def test_a_deal_without_facts_goes(database: Database, site: Site) -> None:
    await _run(database, site, deal_rows("gone", said("a", 1, "won", contacts=["e_ada"])) + key_people(e_ada="e_ada"), ["gone"])
    async with database.write() as connection:
        for table in (tables.deal_changes, tables.deal_fields, tables.deal_contacts):
            await connection.execute(table.delete())
    await _run(database, site, [], ["gone"])
    for table in (tables.deals, tables.deal_people, tables.deal_amounts):
        await assert_rows(database, table, ["deal_id"], [])


async def test_a_stage_means_something_in_its_own_space_only(database: Database, site: Site) -> None:
    await put_all(database, [*STAGES, *deal_rows("here", said("a", 1, stage="Offer")), *deal_rows("there", said("a", 1, stage="Offer"), space="other")])
    await enqueue(database, tables.deals_queue, ("generic", "here"), ("other", "there"))
    await run_stage(database, site, STAGE)
    await assert_rows(database, tables.deals, ["space", "deal_id", "outcome"], [["generic", "here", "open"], ["other", "there", "won"]])
