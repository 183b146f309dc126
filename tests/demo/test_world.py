"""The cast, alone and computed: each story's deal is credited as its rule says."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.demo.delivery import Keys, deliver, plan
from app.demo.traffic import DAYS, month
from app.demo.world import Story, cast
from app.pipeline import run_until_idle
from app.reports.opportunity_list import OpportunityFilters, opportunities
from app.sites.site import load_site
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

FIRST_DAY = datetime(2026, 5, 1, tzinfo=UTC)
KEYS = Keys(WRITE_KEY, SECRET_KEY, "whsec_" + b64encode(b"0123456789abcdef01234567").decode())
AUTHORISED = {"Authorization": f"Bearer {SECRET_KEY}"}

CREDIT = {
    "initech": [("Paid Search", "4000.00"), ("Direct", "4000.00"), ("Email", "4000.00")],
    "hooli": [("Paid Social", "4500.01"), ("AI Assistants", "4500.00")],
    "globex": [("Organic Social", "2500.00"), ("Organic Search", "2500.00")],
    "umbrella": [("Paid Search", "2000.00")],
    "soylent": [("Referral", "300.00")],
    "vandelay": [("Organic Search", "1000.00")],
    "stark": [("Organic Search", "350.00"), ("Email", "350.00")],
    "wonka": [],
    "tyrell": [],
    "cyberdyne": [],
    "oscorp": [("Organic Video", "750.00")],
    "wayne": [("Direct", "1500.00")],
    "massive": [("Webinars", "2500.00")],
}
"""Linear credit of each deal that was won, in order of time."""
OUTCOMES = {
    "tess@dunder.example.com": ("uncontacted", False),
    "gringotts": ("missed", False),
    "monarch": ("open", False),
    "nakatomi": ("open", True),
    "zed@planetexpress.example.com": ("disqualified", False),
    "initech": ("won", False),
}
"""What became of them at the end of the month, and whether they were contacted late."""


@pytest.fixture
async def played(client: httpx.AsyncClient, database: Database) -> httpx.AsyncClient:
    """The service after the cast has played, some of it twice and in disorder."""
    connection = {"id": "crm", "provider": "generic", "secret": KEYS.webhook}
    assert (await client.post("/v1/connections", json=connection, headers=AUTHORISED)).is_success
    await deliver(client, plan(cast(FIRST_DAY), datetime.now(UTC)), KEYS, lambda: None)
    await run_until_idle(database)
    return client


async def get(client: httpx.AsyncClient, path: str, **query: str) -> dict[str, Any]:
    answer = await client.get(path, params=query, headers=AUTHORISED)
    assert answer.is_success, answer.text
    return answer.json()


async def test_every_deal_is_credited_as_its_story_says(played: httpx.AsyncClient) -> None:
    found = {}
    for conversion in (await get(played, "/v1/conversions", conversion="customer", limit="100"))["conversions"]:
        explained = await get(played, f"/v1/conversions/{conversion['id']}/explain", model="linear")
        found[conversion["deal"]["deal_id"]] = [(touch["channel"], touch["revenue"]) for touch in explained["touches"]]
    assert found == CREDIT


async def test_what_nobody_earned_has_its_reason(played: httpx.AsyncClient) -> None:
    report = await get(played, "/v1/reports/attribution", conversion="customer", model="last_touch", by="channel")
    reasons = report["totals"]["uncredited"]["reasons"]
    assert {reason: credit["revenue"] for reason, credit in reasons.items() if credit["conversions"]} == {
        "no_contact": "400.00",
        "no_touch": "600.00",
        "outside_lookback": "800.00",
    }


async def test_the_list_of_whom_to_call_is_as_the_stories_say(played: httpx.AsyncClient, database: Database) -> None:
    async with database.read() as connection:
        site = await load_site(connection, "default")
        answer = await opportunities(connection, site, OpportunityFilters(limit=200), FIRST_DAY + timedelta(days=30))
    found = {row["deal_id"] or row["contact"]["email"]: (row["outcome"], row["is_late"]) for row in answer["opportunities"]}
    assert {name: found[name] for name in OUTCOMES} == OUTCOMES


def test_the_month_is_the_same_for_the_same_seed_and_never_later_than_now() -> None:
    now = datetime(2026, 5, 20, 12, tzinfo=UTC)
    first, second = month(FIRST_DAY, now), month(FIRST_DAY, now)
    assert first == second
    assert max(each.at for story in first for each in story.messages) <= now
    assert max(event["occurred_at"] for story in first for event in story.events) <= now.isoformat()


def test_the_cast_needs_no_more_than_the_month() -> None:
    stories = cast(FIRST_DAY)
    assert all((each.at - FIRST_DAY).days < DAYS for story in stories for each in story.messages)
    assert all(story.rule.endswith(".") or ":" in story.rule for story in stories)


def test_everything_is_sent_and_some_of_it_twice() -> None:
    stories: list[Story] = [*cast(FIRST_DAY), *month(FIRST_DAY, datetime(2026, 5, 30, tzinfo=UTC))]
    whole = plan(stories, datetime(2026, 5, 30, tzinfo=UTC))
    bulk = [event for batch in whole.batches + whole.late_batches for event in batch]
    named = {(event.get("visitor_id"), event["id"]) for event in bulk + whole.posts}
    assert named == {(event.get("visitor_id"), event["id"]) for story in stories for event in story.events}
    assert len(bulk + whole.posts) > len(named)
    assert whole.late_batches
    assert {each.message_id for each in whole.messages} == {each.message_id for story in stories for each in story.messages}
    assert len(whole.messages) > len({each.message_id for each in whole.messages})
    assert all(datetime.fromisoformat(event["occurred_at"]) > datetime(2026, 5, 23, tzinfo=UTC) for event in whole.posts)
