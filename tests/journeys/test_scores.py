"""The score of a lead: by the statement, and by a witness in a few lines of Python."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import BigInteger, bindparam, literal, select

from app import tables
from app.db import Database
from app.journeys.conversions_stage import STAGE
from app.journeys.scores import reasons_of_scores, rises_of_scores, scores_of_people
from app.sites.settings import Scoring, SiteSettings
from app.sites.site import Site
from tests.cases import Rows, assert_cases, run_cases
from tests.deal_facts import a_span, key_people
from tests.facts import at, put_all
from tests.journeys.test_conversions import KEY, a_goal, a_mark
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

DAY = 24 * 60
SPANS: Rows = [*a_span("v", "ada"), *a_span("w", "ada"), *a_span("x", "bob")]


def a_rule(rule: str, points: int, *, at_most: int = 100, half_life: int | None = None) -> Rows:
    row = {"rule": rule, "points": points, "at_most": at_most, "half_life": half_life, "of": "", "property": "", "value": None}
    return [(tables.score_rules, {"site_id": "default", **row})]


def a_fit(rule: str, points: int, of: str, property: str, value: str | None = None) -> Rows:
    row = {"rule": rule, "points": points, "at_most": None, "half_life": None, "of": of, "property": property, "value": value}
    return [(tables.score_rules, {"site_id": "default", **row})]


def a_property(holder_id: str, property: str, value: str, minutes: float) -> Rows:
    row = {"site_id": "default", "holder_id": holder_id, "property": property, "value": value, "occurred_at": at(minutes), "fact_id": "f"}
    return [(tables.properties, row)]


def done(visitor_id: str, event_id: str, minutes: float, rule: str) -> Rows:
    [(table, row)] = a_goal(visitor_id, event_id, minutes, rule, once_per="event")
    return [(table, {**row, "purpose": "score"})]


# ---------------------------------------------------------------- the witness


@dataclass(frozen=True)
class Done:
    """Something that ada did: when, in minutes, and the rule that it meets."""

    minutes: int
    rule: str


@dataclass(frozen=True)
class Rule:
    points: int
    at_most: int
    half_life: int | None


def score_of(events: list[Done], rules: dict[str, Rule], minutes: int, fits: list[tuple[int, int]]) -> int:
    """In thousandths of a point."""
    score = sum(points * 1_000 for points, since in fits if since <= minutes)
    for name, rule in rules.items():
        for event in [each for each in events if each.rule == name and each.minutes <= minutes][-rule.at_most :]:
            days = (minutes - event.minutes) // DAY
            faded = 1_000_000 if rule.half_life is None else math.floor(1e6 * 2.0 ** max(-days / rule.half_life, -64.0) + 0.5)
            score += int(math.copysign(abs(rule.points) * faded // 1_000, rule.points))
    return score


async def test_any_events_score_as_the_witness_says(database: Database) -> None:
    chance = random.Random(7)
    rules = {"price": Rule(10, 3, 7), "demo": Rule(50, 1, None), "jobs": Rule(-7, 100, 3), "old": Rule(900_000, 2, 1)}
    events = sorted((Done(chance.randrange(60 * DAY), chance.choice([*rules])) for _ in range(60)), key=lambda each: each.minutes)
    rows = SPANS + a_fit("size", 20, "person", "size") + a_property("ada", "size", "7", 5 * DAY)
    for name, rule in rules.items():
        rows += a_rule(name, rule.points, at_most=rule.at_most, half_life=rule.half_life)
    for place, event in enumerate(events):
        rows += done(chance.choice(("v", "w")), f"e{place:02}", event.minutes, event.rule)
    await put_all(database, [*rows, *done("x", "other", 0, "demo")])
    people = select(literal("ada", tables.Key).label("person_id")).cte("people")
    moments = sorted([0, 5 * DAY - 1, 5 * DAY, 200 * DAY, *(chance.randrange(80 * DAY) for _ in range(8)), events[7].minutes])
    fits = [(20, 5 * DAY)]
    async with database.read() as connection:
        statement, reasons = (each(people, bindparam("at", type_=BigInteger)) for each in (scores_of_people, reasons_of_scores))
        for minutes in moments:
            here = {"site_id": "default", "at": tables.to_micros(at(minutes))}
            found = (await connection.execute(statement, here)).one_or_none()
            expected = score_of(events, rules, minutes, fits)
            assert (found.score if found else 0) == expected, minutes
            assert sum(row.left for row in await connection.execute(reasons, here)) == expected, "the reasons add up to the score"
        rises = {row.at: row.score for row in await connection.execute(rises_of_scores(people), {"site_id": "default"})}
    at_moments = {minutes: score_of(events, rules, minutes, fits) for minutes in {5 * DAY, *(each.minutes for each in events)}}
    assert rises
    assert all(score == at_moments[(micros - tables.to_micros(at(0))) // 60_000_000] for micros, score in rises.items())


# ---------------------------------------------------------------- when it makes an mql

PRICE = a_rule("price", 10, half_life=1)
COMPANY = [*a_property("ada", "", "company:g/id:1", 3), *a_property("company:g/id:1", "size", "big", 8), *a_fit("size", 10, "company", "size", "big")]
MQLS: dict[str, tuple[Rows, list[list[Any]]]] = {
    "reached at the second": (PRICE + done("v", "1", 5, "price") + done("w", "2", 6, "price"), [["mql", "w", "2", at(6)]]),
    "not reached": (PRICE + done("v", "1", 5, "price"), []),
    "by two at one moment: the last": (
        PRICE + done("v", "1", 5, "price") + done("w", "2", 5, "price"), [["mql", "w", "2", at(5)]],
    ),
    "the first had faded": (PRICE + done("v", "1", 5, "price") + done("v", "2", 5 + DAY, "price"), []),
    "not yet: less than a day is none": (
        PRICE + done("v", "1", 5, "price") + done("v", "2", 4 + DAY, "price"), [["mql", "v", "2", at(4 + DAY)]],
    ),
    "only the newest count": (
        a_rule("price", 10, at_most=1) + done("v", "1", 5, "price") + done("v", "2", 6, "price"), [],
    ),
    "each rule by itself": (
        a_rule("price", 10, at_most=1) + a_rule("docs", 10, at_most=1) + done("v", "1", 5, "price") + done("v", "2", 6, "docs"),
        [["mql", "v", "2", at(6)]],
    ),
    "what takes away": (
        a_rule("price", 20) + a_rule("jobs", -1) + done("v", "1", 5, "jobs") + done("v", "2", 6, "price"), [],
    ),
    "a fit from when it holds": (
        PRICE + COMPANY + done("v", "1", 7, "price") + done("v", "2", 8, "docs") + a_rule("docs", 0), [["mql", "v", "2", at(8)]],
    ),
    "a fit alone does nothing": (a_fit("size", 99, "person", "size") + a_property("ada", "size", "7", 1), []),
    "another value is no fit": (
        PRICE + a_fit("size", 10, "person", "size", "8") + a_property("ada", "size", "7", 1) + done("v", "1", 5, "price"), [],
    ),
    "another's events": (PRICE + done("v", "1", 5, "price") + done("x", "2", 6, "price"), []),
    "marketing says so before": (
        PRICE + a_mark("f", 4, "ada", "mql") + done("v", "1", 5, "price") + done("w", "2", 6, "price"), [["mql", "crm", "f", at(4)]],
    ),
    "marketing says so after": (
        PRICE + a_mark("f", 7, "ada", "mql") + done("v", "1", 5, "price") + done("w", "2", 6, "price"), [["mql", "w", "2", at(6)]],
    ),
    "at the same moment what was done comes first": (
        PRICE + a_mark("a", 6, "ada", "mql") + done("v", "1", 5, "price") + done("w", "2", 6, "price"), [["mql", "w", "2", at(6)]],
    ),
}  # fmt: skip


async def test_the_moment_at_which_the_score_reached_the_threshold(database: Database, site: Site) -> None:
    scoring = replace(site, settings=SiteSettings(scoring=Scoring(threshold=20)))
    await run_cases(database, scoring, STAGE, {case: (SPANS + key_people(ada="ada") + rows, [("ada", "", "")]) for case, (rows, _) in MQLS.items()})
    await assert_cases(database, tables.conversions, [*KEY, "occurred_at"], {case: expected for case, (_, expected) in MQLS.items()})


async def test_without_a_threshold_no_score_makes_an_mql(database: Database, site: Site) -> None:
    await run_cases(database, site, STAGE, {"none": (SPANS + a_rule("price", 99) + done("v", "1", 5, "price"), [("ada", "", "")])})
    await assert_rows(database, tables.conversions, KEY, [])


# ---------------------------------------------------------------- what sales and marketing say

BANT = '{"budget":true,"authority":true,"need":false}'
SAID: dict[str, tuple[Rows, list[list[Any]]]] = {
    "a lead by a mark": (a_mark("f", 5, "ada", "lead"), [["lead", "f", at(5)]]),
    "a lead by a form before the mark": (a_mark("f", 5, "ada", "lead") + a_goal("v", "1", 4), [["lead", "1", at(4)]]),
    "a lead by a mark before the form": (
        a_mark("f", 4, "ada", "lead") + a_goal("v", "1", 5) + a_goal("v", "2", 6, "call"), [["lead", "f", at(4)], ["call", "2", at(4)]],
    ),
    "qualified well enough": (a_mark("f", 5, "ada", bant=BANT), [["sql", "f", None]]),
    "too little is known": (a_mark("f", 5, "ada", bant='{"budget":true}') + a_mark("g", 6, "ada"), []),
    "well enough only later": (a_mark("f", 5, "ada") + a_mark("g", 6, "ada", bant=BANT), [["sql", "g", None]]),
}  # fmt: skip


async def test_what_is_said_of_a_contact(database: Database, site: Site) -> None:
    demanding = replace(site, settings=SiteSettings(bant_minimum=2))
    await run_cases(database, demanding, STAGE, {case: (SPANS + key_people(ada="ada") + rows, [("ada", "", "")]) for case, (rows, _) in SAID.items()})
    await assert_cases(database, tables.conversions, ["kind", "fact_id", "lead_at"], {case: expected for case, (_, expected) in SAID.items()})
