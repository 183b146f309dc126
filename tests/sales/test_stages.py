"""The timeline of a named cast, whoever tells of it first."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app import tables
from app.crm import messages
from app.db import Database
from app.log import Fact, Log
from app.pipeline import check, run_until_idle, start_rebuild
from app.sites.site import Site
from app.tables import to_micros
from tests.facts import at
from tests.reports.story import READER, form, get, tell, visit

pytestmark = pytest.mark.anyio

DAY = 24 * 60
AD = "https://shop.example/?utm_source=google&utm_medium=cpc"


def crm(site: Site, day: int, type: str, **data: Any) -> Fact:
    """What a CRM says at nine in the morning of a day in March 2026."""
    moment = to_micros(at((day - 2) * DAY))
    said = messages.Said(f"{type}-{day}-{data.get('id') or data['email']}", type, data, moment)
    return messages.fact_of(site, "crm", "generic", said, received_at=moment, sent_at=moment)


def deal(site: Site, day: int, type: str, id: str, *emails: str, **data: Any) -> Fact:
    named = {"contacts": [{"email": email} for email in emails]} if emails else {}
    return crm(site, day, f"deal.{type}", id=id, **named, **data)


def story(site: Site) -> list[Fact]:
    """What the CRM says of the cast."""
    return [
        # Ada comes by an ad, asks, is qualified twice, buys, and buys again.
        crm(site, 5, "contact.marketing_qualified", email="ada@example.com"),
        crm(site, 6, "contact.qualified", email="ada@example.com", bant={"need": True}, owner="Sam", account_manager="Kim"),
        deal(site, 7, "created", "a1", "ada@example.com", stage="Talks", owner="Sam", name="First"),
        deal(site, 8, "updated", "a1", stage="Offer"),
        deal(site, 9, "won", "a1", stage="Signed"),
        deal(site, 20, "won", "a2", "ada@example.com"),
        deal(site, 21, "won", "a3", "ada@example.com"),
        # Bob is known to the CRM first, then visits, and is lost, won back and lost again.
        crm(site, 2, "contact.created", email="bob@example.com"),
        deal(site, 10, "created", "b1", "bob@example.com", stage="Talks"),
        deal(site, 11, "lost", "b1", lost_reason="too dear"),
        deal(site, 14, "created", "b2", "bob@example.com"),
        deal(site, 15, "lost", "b2"),
        crm(site, 16, "contact.recycled", email="bob@example.com", reason="next year"),
        # Cem has two deals: while one is open, he is not lost.
        deal(site, 3, "created", "c1", "cem@example.com"),
        deal(site, 4, "created", "c2", "cem@example.com"),
        deal(site, 5, "lost", "c1"),
        deal(site, 6, "reopened", "c1"),
        deal(site, 7, "lost", "c1"),
        deal(site, 8, "lost", "c2"),
        # Dee asks for a job.
        crm(site, 4, "contact.marketing_rejected", email="dee@example.com", reason="student"),
        crm(site, 5, "contact.disqualified", email="dee@example.com", reason="applicant"),
        crm(site, 6, "contact.disqualified", email="dee@example.com", reason="applicant"),
        # Eve's win was undone.
        deal(site, 3, "won", "e1", "eve@example.com"),
        deal(site, 4, "reopened", "e1"),
    ]


EVENTS = [
    visit("ada", 2, AD), form("ada", 4, "ada@example.com"), visit("bob", 3), form("bob", 12, "bob@example.com"),
    form("dee", 3, "dee@example.com"), visit("fay", 3, AD),
]  # fmt: skip
CAST: dict[str, list[str]] = {
    "ada@example.com": [
        "visitor 02 visit", "lead 04 form contact", "mql 05 marketing", 'sql 06 sales {"need":true}', "opportunity 07 deal a1",
        "customer 09 deal a1", "repeat_customer 20 deal a2",
    ],
    "bob@example.com": [
        "prospect 02 crm", "visitor 03 visit", "lead 10 implied", "mql 10 implied", "sql 10 implied", "opportunity 10 deal b1",
        "lost 11 deal b1 too dear", "recycled 12 form", "opportunity 14 deal b2", "lost 15 deal b2", "recycled 16 sales next year",
    ],
    "cem@example.com": ["lead 03 implied", "mql 03 implied", "sql 03 implied", "opportunity 03 deal c1", "lost 08 deal c2"],
    "dee@example.com": ["visitor 03 visit", "lead 03 form contact", "mql_rejected 04 sales student", "disqualified 05 sales applicant"],
    "eve@example.com": ["lead 03 implied", "mql 03 implied", "sql 03 implied", "opportunity 03 deal e1"],
}  # fmt: skip
DEALS = {
    "a1": ["Talks 07 crm_stage", "Offer 08 crm_stage", "Signed 09 crm_stage", "won 09 deal"],
    "c1": ["lost 05 deal", "reopened 06 deal", "lost 07 deal"],
    "e1": ["won 03 deal", "reopened 04 deal"],
}


def in_words(stage: dict[str, Any]) -> str:
    """`lost 11 deal b1 too dear`."""
    moved = "implied" if stage["is_implied"] else stage["moved_by"]
    deal_id = (stage.get("deal") or {}).get("deal_id")
    return " ".join(str(part) for part in (stage["stage"], stage["entered_at"][8:10], moved, deal_id, stage.get("detail")) if part)


async def append(database: Database, facts: list[Fact]) -> None:
    log = Log(database)
    await log.start()
    assert all(await log.append(facts))
    await log.stop()


async def stages_of(client: httpx.AsyncClient, email: str) -> list[str]:
    (person,) = (await get(client, "/v1/people", email=email))["people"]
    return [in_words(stage) for stage in (await get(client, f"/v1/people/{person['id']}/stages"))["stages"]]


async def test_the_stages_of_a_named_cast(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await tell(client, database, *EVENTS)
    await append(database, story(site))
    await run_until_idle(database)
    assert {email: await stages_of(client, email) for email in CAST} == CAST
    ada = await get(client, "/v1/people/ada/stages")
    assert (ada["stage"], ada["owner"], ada["account_manager"]) == ("repeat_customer", "Sam", "Kim")
    assert ada["stages"][1]["fact"] == {"visitor_id": "ada", "event_id": "ada-form-4"}
    assert ada["stages"][4]["deal"] == {"space": "generic", "deal_id": "a1", "name": "First", "owner": "Sam", "account_manager": None}
    assert [in_words(stage) for stage in (await get(client, "/v1/people/fay/stages"))["stages"]] == ["visitor 03 visit"]

    deals = {deal_id: (await get(client, f"/v1/deals/generic/{deal_id}/stages"))["stages"] for deal_id in DEALS}
    assert {deal_id: [in_words(stage) for stage in stages] for deal_id, stages in deals.items()} == DEALS
    assert (await client.get("/v1/deals/generic/none/stages", headers=READER)).status_code == 404
    assert await check(database, site) == []


async def test_stages_that_a_site_does_not_use_are_hidden(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await append(database, [deal(site, 3, "won", "c1", "cem@example.com")])
    await run_until_idle(database)
    assert await stages_of(client, "cem@example.com") == ["opportunity 03 deal c1", "customer 03 deal c1"]


async def test_how_many_entered_each_stage(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    await tell(client, database, *EVENTS)
    await append(database, story(site))
    await run_until_idle(database)
    answer = await get(client, "/v1/reports/stages", **{"from": "2026-03-02", "to": "2026-03-13"})
    assert {row["stage"]: (row["entered"], row["implied"], row["median_days"]) for row in answer["totals"]} == {
        "prospect": (1, 0, None),
        "visitor": (4, 0, None),
        "lead": (2, 3, 1.02),  # ada after two days and an hour; dee at once
        "mql": (1, 3, 0.83),
        "sql": (1, 3, 1.0),
        "opportunity": (4, 0, 3.94),  # ada after a day, bob after nearly seven; of cem and eve nothing is known before
        "customer": (1, 0, 2.0),
        "lost": (2, 0, 3.0),
        "recycled": (1, 0, 1.17),
        "mql_rejected": (1, 0, 0.83),
        "disqualified": (1, 0, 1.0),
    }
    rows = {(row["channel"], row["stage"]): row["entered"] for row in answer["rows"]}
    assert (rows["Paid Search", "visitor"], rows["Paid Search", "customer"], rows["(no touch)", "opportunity"]) == (2, 1, 2)
    assert [(row["stage"], row["reason"], row["entered"]) for row in answer["reasons"] if row["channel"] == "Direct"] == [
        ("lost", "too dear", 1), ("recycled", None, 1), ("mql_rejected", "student", 1), ("disqualified", "applicant", 1),
    ]  # fmt: skip
    refused = await client.get("/v1/reports/stages", headers=READER, params={"by": "nothing"})
    assert refused.status_code == 422
    assert "channel" in refused.text
    text = (await client.get("/v1/reports/stages", headers=READER, params={"format": "csv"})).text
    assert text.splitlines()[0] == "channel,stage,entered,implied,median_days"


async def test_any_order_gives_the_same_stages(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    async def stored() -> list[tuple[Any, ...]]:
        async with database.read() as connection:
            return sorted(tuple(row) for row in await connection.execute(select(tables.stage_changes)))

    chance, facts = random.Random(1), story(site)
    chance.shuffle(facts)
    for start in range(0, len(facts), 6):
        await append(database, facts[start : start + 6])
        await run_until_idle(database)
    await tell(client, database, *EVENTS)
    assert await check(database, site) == []
    assert {email: await stages_of(client, email) for email in CAST} == CAST
    shuffled = await stored()
    async with database.write() as connection:
        await connection.execute(tables.stage_changes.delete())
    await start_rebuild(database, "default", at(0))
    await run_until_idle(database)
    assert await stored() == shuffled
