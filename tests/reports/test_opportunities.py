"""Missed, lost, open: what became of whoever needs contact, on a named cast told through the front door."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from app.db import Database
from app.pipeline import check, run_until_idle
from app.reports.opportunity_list_queries import PEOPLE_SHOWN
from app.sites.site import load_site
from tests.crm.test_endpoints import ADMIN, Crm
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH, REPORT = "/v1/opportunities", "/v1/reports/opportunities"
NOW = datetime.now(UTC)
Told = tuple[float, str, dict[str, Any]]
"""(days ago, type, data)."""


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def opened(days: float, *others: str, **fields: Any) -> Told:
    """A deal with a contact, and others; `{}` stands for the name of the case."""
    return days, "deal.created", {"id": "{}", "contacts": ["{}@acme.example.com", *others], **fields}


def turned(days: float, how: str, **fields: Any) -> Told:
    return days, f"deal.{how}", {"id": "{}", **fields}


def activity(days: float, kind: str = "call", direction: str = "outbound", **about: Any) -> Told:
    """With the deal, unless something else is said."""
    return days, "activity.logged", {"kind": kind, "direction": direction, **(about or {"deal": "{}"})}


def marked(days: float, how: str, **fields: Any) -> Told:
    return days, f"contact.{how}", {"email": "{}@acme.example.com", **fields}


WITH_CONTACT = {"contact": "{}@acme.example.com"}
CAST: dict[str, tuple[list[Told], str, bool]] = {
    "within the promise": ([opened(0.5)], "uncontacted", False),
    "never contacted and overdue": ([opened(3)], "missed", False),
    "never contacted and closed": ([opened(0.5), turned(0.2, "lost", lost_reason="No answer")], "missed", False),
    "contacted and lost": ([opened(5), activity(4.5), turned(1, "lost", lost_reason="Price")], "lost", False),
    "contacted late and lost": ([opened(5), activity(2), turned(1, "lost", lost_reason="Price")], "lost", True),
    "contacted late and open": ([opened(5), activity(2)], "open", True),
    "won without contact": ([opened(5), turned(2, "won")], "won", False),
    "won after being overdue": ([opened(5), activity(2), turned(1, "won")], "won", True),
    "reopened": ([opened(5), activity(4.5), turned(3, "lost"), turned(2, "reopened")], "open", False),
    "reopened and never contacted": ([opened(5), turned(3, "lost"), turned(2, "reopened")], "missed", False),
    "disqualified": ([opened(5), marked(4, "disqualified", reason="Spam"), turned(4, "lost")], "disqualified", False),
    "qualified again": ([opened(5), marked(4, "disqualified"), marked(3, "qualified")], "missed", False),
    "one of two disqualified": ([opened(5, "zoe@acme.example.com"), marked(4, "disqualified")], "missed", False),
    "won and disqualified later": ([opened(5), turned(4, "won"), marked(3, "disqualified")], "won", False),
    "two contacts of whom one was called": (
        [opened(5, "other@acme.example.com"), activity(4.5, contact="other@acme.example.com")], "open", False,
    ),
    "bulk mail": ([opened(5), activity(4.5, "email", automated=True, deal="{}")], "missed", False),
    "a mail of ours": ([opened(5), activity(4.5, "email")], "open", False),
    "a mail of unknown direction": ([opened(5), (4.5, "activity.logged", {"kind": "email", "deal": "{}"})], "open", False),
    "a mail of theirs": ([opened(5), activity(4.5, "email", "inbound")], "missed", False),
    "they called": ([opened(5), activity(4.5, "call", "inbound")], "open", False),
    "planned only": ([opened(5), activity(4.5, "meeting", done=False, deal="{}")], "missed", False),
    "deleted": ([opened(5), activity(4.5, id="gone", deal="{}"), (4, "activity.deleted", {"id": "gone"})], "missed", False),
    "contact before the deal": ([activity(15, **WITH_CONTACT), opened(5)], "open", False),
    "contact long before the deal": ([activity(40, **WITH_CONTACT), opened(5)], "missed", False),
    "about another deal": ([opened(5), activity(4.5, **WITH_CONTACT, deal="elsewhere")], "missed", False),
    "logged in hindsight": ([opened(5), turned(2, "lost"), activity(1.9)], "lost", True),
    "called long after": ([opened(9), turned(8, "lost"), activity(1)], "missed", False),
    "a lead by a mark": ([marked(5, "lead"), activity(4.5, **WITH_CONTACT)], "open", False),
    "a lead that nobody called": ([marked(5, "marketing_qualified")], "missed", False),
    "a lead called before its mark": ([activity(6, **WITH_CONTACT), marked(5, "lead")], "open", False),
    "a lead without interest": ([marked(5, "lead"), activity(4.5, **WITH_CONTACT), marked(1, "recycled", reason="Later")], "lost", False),
    "a lead that is spam": ([marked(5, "lead"), marked(4, "disqualified", reason="Spam")], "disqualified", False),
}
"""What the CRM said, the outcome, and whether the first contact came late."""


def _named(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace("{}", name)
    if isinstance(value, dict):
        return {key: _named(each, name) for key, each in value.items()}
    return [_named(each, name) for each in value] if isinstance(value, list) else value


async def tell(crm: Crm, cast: dict[str, Iterable[Told]]) -> None:
    for name, told in cast.items():
        for days, type_, data in told:
            answer = await crm.send(type_, _named(data, name.replace(" ", "-")), timestamp=ago(days))
            assert answer.json()["rejected"] == [], answer.text


def a_form(name: str, days: float) -> dict[str, Any]:
    """A visit from a newsletter, and a form ten minutes later."""
    page = {"visitor_id": f"v-{name}", "url": "https://shop.example/pricing/plans?utm_source=news&utm_medium=email"}
    submitted = {"type": "form_submit", "form": "demo", "email": f"{name}@acme.example.com", "occurred_at": ago(days - 0.007)}
    read = {"type": "engagement", "engaged_ms": 65_000, "occurred_at": ago(days - 0.001)}
    return {"events": [{**page, "id": f"{name}-{place}", **each} for place, each in enumerate(({"type": "visit", "occurred_at": ago(days)}, submitted, read))]}


@pytest.fixture
async def crm(client: httpx.AsyncClient) -> Crm:
    made = await client.post("/v1/connections", json={"id": "crm", "provider": "generic"}, headers=ADMIN)
    return Crm(client, made.json()["secret"])


async def rows(client: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    """The rows of all pages."""
    found, cursor = [], None
    while True:
        answer = await get(client, PATH, limit=7, **asked, **({"cursor": cursor} if cursor else {}))
        found += answer["opportunities"]
        cursor = answer["next"]
        if cursor is None:
            return found


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows by deal, or by who the lead is."""
    return {row["deal_id"] or row["contact"]["email"].partition("@")[0]: row for row in found}


async def test_the_cast(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    await tell(crm, {name: told for name, (told, _, _) in CAST.items()})
    for name, days in (("asks-now", 0.5), ("asked", 3)):
        await client.post("/v1/events", json=a_form(name, days), headers=READER)
    await run_until_idle(database)
    found = by_name(await rows(client))
    expected = {name.replace(" ", "-"): (outcome, is_late) for name, (_, outcome, is_late) in CAST.items()}
    expected |= {"asks-now": ("uncontacted", False), "asked": ("missed", False)}
    assert {name: (row["outcome"], row["is_late"]) for name, row in found.items()} == expected

    totals = (await get(client, REPORT))["totals"]
    counted = Counter(outcome for outcome, _ in expected.values())
    assert {name: totals[name] for name in counted} == dict(counted)
    assert totals["need_contact"] == len(expected) - counted["disqualified"]
    assert totals["missed_share"] == round(counted["missed"] / totals["need_contact"], 4)
    assert totals["lost_share"] == round(counted["lost"] / totals["need_contact"], 4)
    for outcome in counted:
        assert len(await rows(client, outcome=outcome)) == counted[outcome]
    async with database.read() as connection:
        assert await check(database, await load_site(connection, "default")) == []

    changed = await client.patch("/v1/connections/crm", json={"reports_activities": False}, headers=ADMIN)
    assert changed.status_code == 200
    assert {row["outcome"] for row in await rows(client)} == {"unknown"}, "nobody can say"
    answer = await get(client, REPORT)
    assert (answer["totals"]["unknown"], answer["totals"]["missed_share"], answer["activities_are_reported"]) == (len(expected), None, False)


async def test_time_at_work_over_a_weekend_a_holiday_and_a_change_of_clocks(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("09:00-17:00",))
    settings = {"timezone": "Europe/Berlin", "business_hours": week, "holidays": ["2026-04-06"], "first_contact_hours": 8}
    assert (await client.patch("/v1/sites/default", json=settings, headers=ADMIN)).status_code == 200
    cases = {
        # Berlin is an hour before UTC until 2026-03-29 01:00Z, then two. Opened, called, due, hours waited.
        "in the morning": ("2026-03-11T07:00:00Z", "2026-03-11T10:00:00Z", "2026-03-11T16:00:00Z", 2),
        "over night": ("2026-03-11T15:00:00Z", "2026-03-12T09:00:00Z", "2026-03-12T15:00:00Z", 2),
        "over a weekend": ("2026-03-13T15:00:00Z", "2026-03-16T09:00:00Z", "2026-03-16T15:00:00Z", 2),
        "on Saturday": ("2026-03-14T12:00:00Z", "2026-03-17T08:30:00Z", "2026-03-16T16:00:00Z", 8.5),
        "over the change of clocks": ("2026-03-27T15:00:00Z", "2026-03-30T08:00:00Z", "2026-03-30T14:00:00Z", 2),
        "over Easter Monday": ("2026-04-03T14:00:00Z", "2026-04-07T08:00:00Z", "2026-04-07T14:00:00Z", 2),
        "called at night": ("2026-03-11T12:00:00Z", "2026-03-11T21:00:00Z", "2026-03-12T12:00:00Z", 4),
    }  # fmt: skip
    for name, (created, called, _, _) in cases.items():
        await crm.send("deal.created", {"id": name}, timestamp=created)
        await crm.send("activity.logged", {"kind": "call", "deal": name}, timestamp=called)
    await run_until_idle(database)
    found = {row["deal_id"]: row for row in await rows(client)}
    assert {name: (row["due_at"], row["waited_hours"]) for name, row in found.items()} == {
        name: (due, waited) for name, (_, _, due, waited) in cases.items()
    }
    assert [name for name, row in found.items() if row["is_late"]] == ["on Saturday"]

    await client.patch("/v1/sites/default", json={"business_hours": None, "holidays": None}, headers=ADMIN)
    await run_until_idle(database)
    [saturday] = [row for row in await rows(client) if row["deal_id"] == "on Saturday"]
    assert (saturday["due_at"], saturday["waited_hours"]) == ("2026-03-14T20:00:00Z", 68.5), "always at work"


async def test_settings_say_what_counts(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    await tell(crm, {"mail": [opened(5), activity(4.5, "email", "inbound")], "fair": [opened(5), activity(4.9, "other", "outbound")]})
    for settings, expected in (
        ({"contact_counts": ["email:inbound"]}, {"mail": ("open", False), "fair": ("missed", False)}),
        ({"contact_counts": ["other", "email"]}, {"mail": ("open", False), "fair": ("open", False)}),
        ({"first_contact_hours": 4}, {"mail": ("open", True), "fair": ("open", False)}),
        ({"contact_counts": []}, {"mail": ("missed", False), "fair": ("missed", False)}),
    ):
        await client.patch("/v1/sites/default", json=settings, headers=ADMIN)
        await run_until_idle(database)
        assert {row["deal_id"]: (row["outcome"], row["is_late"]) for row in await rows(client)} == expected, settings


async def test_people_and_deals_change_places(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    """A lead gets a deal, which is deleted; its contact leaves the deal; a mark moves to the person that a key turns out to be."""

    async def names() -> set[str]:
        await run_until_idle(database)
        found = await rows(client)
        async with database.read() as connection:
            assert await check(database, await load_site(connection, "default")) == []
        return {row["deal_id"] or f"lead {row['contact']['email']}" for row in found}

    await crm.send("contact.lead", {"id": "1", "email": "ada@acme.example.com"}, timestamp=ago(9))
    assert await names() == {"lead ada@acme.example.com"}
    await crm.send("deal.created", {"id": "d", "contacts": [{"id": "1"}]}, timestamp=ago(8))
    assert await names() == {"d"}
    await crm.send("deal.deleted", {"id": "d"}, timestamp=ago(7))
    assert await names() == {"lead ada@acme.example.com"}
    await crm.send("deal.updated", {"id": "d"}, timestamp=ago(6))
    assert await names() == {"d"}
    await crm.send("deal.updated", {"id": "d", "contacts": ["bob@acme.example.com"]}, timestamp=ago(5))
    assert await names() == {"d", "lead ada@acme.example.com"}
    await crm.send("contact.updated", {"id": "1", "email": "bob@acme.example.com"}, timestamp=ago(4))
    assert await names() == {"d"}, "ada and bob are one"


async def test_a_row_says_what_a_salesperson_wants_to_know(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    await client.patch("/v1/sites/default", json={"next_steps": {"talks": "Ask for the budget"}}, headers=ADMIN)
    await client.post("/v1/events", json=a_form("ada", 4), headers=READER)
    ada = {"id": "1", "email": "ada@acme.example.com", "name": "Ada", "company": "Acme", "owner": "Sam", "url": "https://crm.example/1"}
    await crm.send("contact.updated", ada, timestamp=ago(3.9))
    deal = {"id": "d", "name": "=Acme", "amount": "1000", "currency": "USD", "stage": "Talks", "contacts": [{"id": "1"}]}
    await crm.send("deal.created", deal, timestamp=ago(3))
    for place in range(6):
        told = {"id": f"old-{place}", "stage": "Talks", "amount": "3000", "currency": "USD"}
        await crm.send("deal.created", told, timestamp=ago(80))
        await crm.send("deal.won" if place < 3 else "deal.lost", {"id": f"old-{place}", "stage": "Closed"}, timestamp=ago(70))
    await crm.send("contact.lead", {"email": "bob@acme.example.com"}, timestamp=ago(2))
    await crm.send("contact.lead", {"email": "cem@acme.example.com", "may_contact": False}, timestamp=ago(2))
    await run_until_idle(database)
    answer = await get(client, PATH, outcome="missed,uncontacted")
    assert answer["left_out"] == {"may_not_be_contacted": 1}
    assert len(answer["opportunities"]) == 5
    first, lead = (await get(client, PATH, outcome="missed,uncontacted", closed="false"))["opportunities"]
    shown = (
        "deal_id", "space", "name", "company", "outcome", "is_late", "is_stale", "stage", "owner", "channel", "amount", "currency", "interests",
        "score", "next_step", "url",
    )  # fmt: skip
    assert {name: first[name] for name in shown} == {
        "deal_id": "d", "space": "generic", "name": "=Acme", "company": "Acme", "outcome": "missed", "is_late": False, "is_stale": False,
        "stage": "Talks", "owner": "Sam", "channel": "Email", "amount": "1000.00", "currency": "USD",
        "interests": [{"section": "shop.example/pricing", "engaged_seconds": 65, "views": 1}],
        "score": None, "next_step": "Ask for the budget", "url": "https://crm.example/1",
    }  # fmt: skip
    assert first["contact"] == {"name": "Ada", "email": "ada@acme.example.com", "phone": None}
    assert first["expected_value"] == {
        "amount": "500.00", "currency": "USD", "win_rate": 0.5, "win_rate_of": "stage", "judged_by": 6, "value": "1000.00", "value_of": "deal",
    }  # fmt: skip
    assert [touch["channel"] for touch in first["last_touches"]] == ["Email"]
    assert 71 < first["waited_hours"] < 73
    assert (lead["deal_id"], lead["contact"]["email"], lead["next_step"], lead["url"]) == (None, "bob@acme.example.com", "educate", None)
    assert lead["expected_value"]["value_of"] == "average_won_deal"
    table = await client.get(PATH, headers=READER, params={"format": "csv", "owner": "Sam", "channel": "Email"})
    header, row = (line.split(",") for line in table.text.splitlines())
    assert (row[header.index("name")], row[header.index("amount")], row[header.index("contact_email")]) == ("'=Acme", "1000.00", "ada@acme.example.com")
    assert await rows(client, channel="(none)", outcome="open") == []


async def test_a_page_takes_a_fixed_number_of_statements(client: httpx.AsyncClient, crm: Crm, database: Database, application: FastAPI) -> None:
    await tell(crm, {f"deal {number}": [opened(5, amount="10", currency="USD")] for number in range(8)})
    await run_until_idle(database)
    counted: list[str] = []
    event.listen(application.state.database.engine.sync_engine, "before_execute", lambda *each: counted.append(str(each[1])[:40]))
    numbers = []
    for limit in (1, 8):
        counted.clear()
        assert len((await get(client, PATH, limit=limit))["opportunities"]) == limit
        # Who a key belongs to is read anew every few moments.
        numbers.append(sum(not text.startswith(("SELECT keys.", "SELECT sites.", "SELECT models.")) for text in counted))
    assert numbers[0] == numbers[1], counted


async def test_a_deal_with_very_many_contacts_shows_some(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    """A page of such deals would ask for more people than a statement takes parameters."""
    await tell(crm, {"crowd": [opened(5, *(f"{number}@acme.example.com" for number in range(PEOPLE_SHOWN + 20)))]})
    await run_until_idle(database)
    [row] = await rows(client)
    assert len(row["people"]) == PEOPLE_SHOWN


async def test_stale_ones(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    await tell(crm, {"asleep": [opened(40), activity(39.9)], "awake": [opened(40), activity(39.9), activity(3, "email", "inbound")],
                     "mailed": [opened(40), activity(39.9), activity(3, "email", automated=True, deal="{}")]})  # fmt: skip
    await run_until_idle(database)
    assert {row["deal_id"] for row in await rows(client, stale="true")} == {"asleep", "mailed"}
    assert {row["deal_id"] for row in await rows(client, stale="false")} == {"awake"}


async def test_the_report_adds_up(client: httpx.AsyncClient, crm: Crm, database: Database) -> None:
    cast: dict[str, list[Told]] = {}
    for place in range(12):
        how = "won" if place % 4 else "lost"
        reason = {} if how == "won" else {"lost_reason": "Price"}
        fields = {"amount": "100", "currency": "USD", "owner": "Sam" if place % 2 else "Kim"}
        cast[f"quick {place}"] = [opened(9, **fields), activity(8.5), turned(5, how, **reason)]
        cast[f"slow {place}"] = [opened(9, **fields), activity(7), turned(5, "lost" if place % 4 else "won", **reason)]
    cast["never"] = [opened(9, amount="77", currency="USD")]
    cast["abroad"] = [opened(9, amount="5", currency="EUR"), activity(8.9)]
    cast["gone"] = [opened(9, amount="1000", currency="USD"), (1, "deal.deleted", {"id": "{}"})]
    await tell(crm, cast)
    await client.post("/v1/events", json=a_form("quick-0", 10), headers=READER)
    await run_until_idle(database)
    for by in ("channel", "owner", "reason,channel,owner", "landing_page", "customer", "pipeline,source"):
        answer = await get(client, REPORT, by=by)
        total = answer["totals"]
        assert (total["won"], total["lost"], total["missed"], total["open"], total["late"]) == (12, 12, 1, 1, 12)
        for name in ("won", "lost", "missed", "open", "uncontacted", "need_contact", "late"):
            assert sum(row[name] for row in answer["rows"]) == total[name], (by, name)
        assert sum(Decimal(row["amounts"]["won"]) for row in answer["rows"]) == Decimal(total["amounts"]["won"]) == 1200
        assert sum(Decimal(row["slow_follow_up"]["lost"]) for row in answer["rows"]) == Decimal(total["slow_follow_up"]["lost"])
    # In time 9 of 12 were won, else 3 of 12; 12 x 100 and 77 were at stake.
    assert total["slow_follow_up"] == {"deals": 13, "leads": 0, "at_stake": "1277.00", "lost": "638.50"}
    assert (answer["slow_follow_up"]["win_rate_in_time"], answer["slow_follow_up"]["win_rate_slow"]) == (0.75, 0.25)
    assert total["response"] == {"contacted": 25, "median_hours": 12.0, "ninetieth_hours": 48.0, "in_time": 13, "in_time_share": 0.5}
    assert (total["unconverted"], answer["ignored_deals"]) == ({"EUR": "5.00"}, {"deleted": 1})
    by_channel = {row["channel"]: row for row in (await get(client, REPORT))["rows"]}
    assert (by_channel["Email"]["lost"], by_channel["(none)"]["lost"]) == (1, 11)
    by_reason = Counter({(row["reason"], row["owner"]): row["lost"] for row in (await get(client, REPORT, by="reason,owner"))["rows"]})
    assert +by_reason == {("Price", "Kim"): 3, ("(not set)", "Kim"): 3, ("(not set)", "Sam"): 6}
    narrow = (await get(client, REPORT, filter="owner:Sam"))["totals"]
    assert narrow["won"] + narrow["lost"] == 12
    assert (await get(client, REPORT, to=ago(20)[:10]))["totals"]["need_contact"] == 0
    table = await client.get(REPORT, headers=READER, params={"by": "owner", "format": "csv"})
    assert table.text.splitlines()[0].startswith("owner,uncontacted,missed,open,lost,won,disqualified,unknown,need_contact")


BAD: list[tuple[str, dict[str, str], str]] = [
    (PATH, {"outcome": "mised"}, "allowed, several with commas: uncontacted, missed"),
    (PATH, {"channel": "Nowhere"}, "allowed: .*(none)"),
    (PATH, {"limit": "0"}, "limit"),
    (PATH, {"stale": "perhaps"}, "stale"),
    (PATH, {"cursor": "x"}, "Unknown cursor"),
    (PATH, {"sort": "name"}, "sort"),
    (REPORT, {"by": "shoe_size"}, "allowed, several with commas: channel, source"),
    (REPORT, {"by": "owner,owner"}, "named twice"),
    (REPORT, {"filter": "colour:red"}, "unknown property"),
    (REPORT, {"from": "2026-03-02", "to": "2026-03-02"}, "must be earlier"),
]


async def test_bad_parameters_are_told_what_is_allowed(client: httpx.AsyncClient) -> None:
    for path, asked, told in BAD:
        answer = await client.get(path, headers=READER, params=asked)
        assert answer.status_code == 422, asked
        assert re.search(told, answer.json()["detail"]), answer.text
