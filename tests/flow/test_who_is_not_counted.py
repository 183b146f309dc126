"""What a rule leaves out is counted by its reason, is in no figure, and is back in all of them when the rule goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.db import Database
from app.pipeline import check, run_until_idle
from tests.collect.user_agents import PEOPLE, PROGRAMS
from tests.crm.messages import ADMIN
from tests.reports.story import form, get, tell, visit, won
from tests.world import WRITE_KEY

pytestmark = pytest.mark.anyio

ADA, STAFF = "ada@example.com", "staff@ours.example"
SPAM = "https://best.semalt.com/crawler"


async def _set(client: httpx.AsyncClient, database: Database, application: FastAPI, **settings: Any) -> None:
    answer = await client.patch("/v1/sites/default", json=settings, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    await run_until_idle(database)
    assert await check(database, await application.state.directory.site("default")) == []


async def _visitors(client: httpx.AsyncClient) -> dict[str, int]:
    return {row["channel"]: row["visitors"] for row in (await get(client, "/v1/reports/funnel"))["rows"]}


async def _credit(client: httpx.AsyncClient, conversion: str = "customer", model: str = "last_touch") -> dict[str, float]:
    answer = await get(client, "/v1/reports/attribution", conversion=conversion, model=model)
    return {row["channel"]: row["conversions"] for row in answer["rows"]}


async def _without_conversion(client: httpx.AsyncClient) -> int:
    return int((await get(client, "/v1/reports/paths", conversion="customer"))["totals"]["non_converting"])


async def _excluded(client: httpx.AsyncClient, **interval: str) -> dict[str, tuple[int | None, ...]]:
    rows = (await get(client, "/v1/reports/excluded", **interval))["rows"]
    return {row["reason"]: (row["events"], row["visitors"], row["touches"]) for row in rows}


async def test_a_customer_who_logs_in_is_no_new_visitor_and_takes_no_credit(
    database: Database, client: httpx.AsyncClient, application: FastAPI
) -> None:
    area = "https://shop.example/login"
    await tell(
        client, database,
        visit("ada", 2, "https://shop.example/?utm_source=google&utm_medium=cpc"), form("ada", 2, ADA), visit("ada", 4, area), won("d", 5, "10", ADA),
        visit("bob", 3, "https://app.shop.example/projects"), visit("cem", 3, "https://shop.example/pricing"),
    )  # fmt: skip
    assert await _visitors(client) == {"Paid Search": 1, "Direct": 1}
    assert await _credit(client) == {"Paid Search": 1}
    assert await _excluded(client) == {"customer_area": (2, 2, 2)}
    assert await _excluded(client, **{"from": "2026-03-04", "to": "2026-03-05"}) == {"customer_area": (1, 1, 1)}
    [person] = (await get(client, "/v1/people", email=ADA))["people"]
    events = (await get(client, f"/v1/people/{person['id']}/journey"))["events"]
    assert [event["left_out"] for event in events] == [None, None, "customer_area"]

    [won_deal] = (await get(client, "/v1/conversions"))["conversions"]
    explained = await get(client, f"/v1/conversions/{won_deal['id']}/explain")
    assert [(touch["landing_page"], touch["reason"], touch["event_id"]) for touch in explained["left_out_by_rule"]] == [
        ("shop.example/login", "customer_area", "ada-4")
    ]

    await _set(client, database, application, customer_area=[])
    assert (await get(client, f"/v1/conversions/{won_deal['id']}/explain"))["left_out_by_rule"] == []
    assert await _visitors(client) == {"Paid Search": 1, "Direct": 2}
    assert await _credit(client) == {"Direct": 1}
    assert await _excluded(client) == {}

    await _set(client, database, application, customer_area=["shop.example"])
    assert await _visitors(client) == {"Paid Search": 1, "Direct": 1}
    assert await _excluded(client) == {"customer_area": (2, 2, 2)}
    await _set(client, database, application, customer_area=None, hosts=["app.shop.example"])
    assert await _visitors(client) == {"Paid Search": 1, "Direct": 2}
    assert await _excluded(client) == {"customer_area": (1, 1, 1)}


async def test_where_a_rule_leaves_out_all_that_somebody_did_the_explanation_names_it(
    database: Database, client: httpx.AsyncClient
) -> None:
    area = "https://app.shop.example/projects"
    await tell(client, database, visit("ada", 2, area), form("ada", 2, ADA, url=area, form="login"), won("d", 5, "10", ADA))
    [won_deal] = (await get(client, "/v1/conversions"))["conversions"]
    for reason in ("before_tracking_began", "no_touch"):
        explained = await get(client, f"/v1/conversions/{won_deal['id']}/explain")
        assert explained["uncredited"] == reason
        assert explained["in_words"] == (
            "This customer conversion happened on 2026-03-05. No touch is credited: what its people did on the site before it is left out by "
            "a rule of the site (customer_area)."
        )
        await tell(client, database, visit("bob", 3, "https://shop.example/"))


async def test_what_is_left_out_of_a_person_is_exported_and_erased_with_it(database: Database, client: httpx.AsyncClient) -> None:
    area = "https://app.shop.example/projects"
    await tell(client, database, visit("ada", 2, area), form("ada", 2, ADA, url=area, form="login"), visit("bob", 3, area))
    assert (await get(client, "/v1/status"))["left_out_touches"] == {"customer_area": 2}
    [person] = (await get(client, "/v1/people", email=ADA))["people"]
    assert '"left_out_touches"' in (await client.get(f"/v1/people/{person['id']}/export", headers=ADMIN)).text
    assert (await client.post(f"/v1/people/{person['id']}/erase", headers=ADMIN)).is_success
    await run_until_idle(database)
    assert (await get(client, "/v1/status"))["left_out_touches"] == {"customer_area": 1}


async def test_spam_is_no_touch_and_reaches_no_goal(database: Database, client: httpx.AsyncClient, application: FastAPI) -> None:
    await tell(
        client, database,
        visit("bot", 1, referrer=SPAM), visit("ada", 2, referrer="https://blog.example.net/"), visit("ada", 3, referrer=SPAM),
        form("ada", 3, ADA), visit("bob", 3, referrer="https://junk.example/"),
    )  # fmt: skip
    assert await _visitors(client) == {"Referral": 2}
    assert await _credit(client, "lead") == {}
    assert await _excluded(client) == {"spam_referrer": (3, 2, 2)}
    assert (await get(client, "/v1/status"))["left_out_touches"] == {"spam_referrer": 2}

    await _set(client, database, application, allowed_referrers=["semalt.com"], spam_referrers=["junk.example"])
    assert await _visitors(client) == {"Referral": 2}
    assert await _credit(client, "lead") == {"Referral": 1}
    assert await _excluded(client) == {"spam_referrer": (1, 1, 1)}

    await _set(client, database, application, spam_referrers=["semalt.com", "junk.example"], allowed_referrers=["best.semalt.com"])
    assert await _excluded(client) == {"spam_referrer": (1, 1, 1)}
    await _set(client, database, application, spam_referrers=[])
    assert await _visitors(client) == {"Referral": 3}


async def test_a_program_that_sees_more_pages_than_anybody_can(database: Database, client: httpx.AsyncClient, application: FastAPI) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    pages = [
        {"id": f"{visitor}-{number}", "type": "pageview", "visitor_id": visitor, "url": f"https://shop.example/{number}", "occurred_at": (hour + timedelta(seconds=number)).isoformat()}
        for visitor, most in (("bot" * 8, 1_001), ("person" * 4, 1_000))
        for number in range(most)
    ]  # fmt: skip
    answer = await client.post(f"/v1/events?key={WRITE_KEY}", json={"events": pages}, headers={"User-Agent": PEOPLE["Firefox"]})
    assert answer.json()["rejected"] == []
    await client.post(f"/v1/events?key={WRITE_KEY}", json={"events": pages}, headers={"User-Agent": PROGRAMS["curl"]})
    await run_until_idle(database)
    assert await _visitors(client) == {"Direct": 1}
    assert await _excluded(client) == {"bot": (2_001, None, None), "too_fast": (1_001, 1, 1)}
    await _set(client, database, application, most_pages_an_hour=0)
    assert await _visitors(client) == {"Direct": 2}
    await _set(client, database, application, most_pages_an_hour=999)
    assert await _visitors(client) == {}
    await _set(client, database, application, most_pages_an_hour=None)
    assert await _visitors(client) == {"Direct": 1}


async def test_staff_and_excluded_pages(database: Database, client: httpx.AsyncClient, application: FastAPI) -> None:
    await tell(
        client, database,
        visit("staff", 2, "https://shop.example/blog/one"), form("staff", 3, STAFF), visit("ada", 2, "https://shop.example/blog/one"), form("ada", 3, ADA),
        visit("new", 2, "https://shop.example/jobs/1"),
    )  # fmt: skip
    assert await _visitors(client) == {"Direct": 3}
    assert await _without_conversion(client) == 3
    stages = await get(client, "/v1/reports/stages")

    await _set(client, database, application, internal_contacts=["ours.example"], excluded_paths=["/jobs/*"])
    assert await _visitors(client) == {"Direct": 1}
    assert await _excluded(client) == {"excluded_page": (1, 1, None), "internal_contact": (2, 1, 1)}
    readers = (await get(client, "/v1/reports/content", by="section"))["rows"]
    assert {row["section"]: row["readers"] for row in readers} == {"shop.example/blog": 1}
    assert await _without_conversion(client) == 1
    [person] = (await get(client, "/v1/people", email=STAFF))["people"]
    assert person["is_internal"] is True
    [person] = (await get(client, "/v1/people", email=ADA))["people"]
    assert person["is_internal"] is False

    await _set(client, database, application, internal_contacts=[], excluded_paths=[])
    assert await _visitors(client) == {"Direct": 3}
    assert (await get(client, "/v1/reports/stages"))["rows"] == stages["rows"]
    assert await _excluded(client) == {}


async def test_as_a_file(database: Database, client: httpx.AsyncClient) -> None:
    await tell(client, database, visit("bot", 1, referrer=SPAM))
    answer = await client.get("/v1/reports/excluded", params={"format": "csv", "from": ""}, headers=ADMIN)
    assert answer.text.splitlines() == [
        "reason,at,setting,comes_back,events,visitors,touches", "spam_referrer,rule,spam_referrers,true,1,1,1",
    ]  # fmt: skip
    assert (await client.get("/v1/reports/excluded?from=2026-03-02&to=2026-03-01", headers=ADMIN)).status_code == 422
