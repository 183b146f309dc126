"""The score of a person over HTTP, and what follows where it reaches the threshold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.db import Database
from app.sites.administration import change_settings
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

SCORING: dict[str, Any] = {
    "threshold": 30,
    "half_life_days": 1,
    "rules": [{"name": "prices", "path": "/pricing*", "points": 10}, {"name": "asked", "form": "contact", "points": 15, "half_life_days": 0}],
    "fits": [{"name": "large", "property": "size", "value": "large", "points": 5}],
}


async def score_with(database: Database, scoring: dict[str, Any]) -> None:
    async with database.write() as connection:
        await change_settings(connection, "default", {"scoring": scoring}, datetime(2026, 3, 1, tzinfo=UTC))


async def test_a_score_with_its_reasons_and_the_mql_that_it_makes(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await score_with(database, SCORING)
    prices = "https://shop.example/pricing?utm_source=google&utm_medium=cpc"
    await tell(
        client, database, visit("ada", 1, prices), form("ada", 2, "ada@example.com", properties={"size": "large"}), visit("ada", 3, prices),
        form("bob", 2, "bob@example.com"), won("d", 9, "10", "ada@example.com"),
    )  # fmt: skip
    (person,) = (await get(client, "/v1/people", email="ada@example.com"))["people"]
    answer = await get(client, f"/v1/people/{person['id']}/score", at="2026-03-03T12:00:00Z")
    assert answer == {
        "person_id": person["id"],
        "at": "2026-03-03T12:00:00Z",
        "score": 32.5,
        "threshold": 30,
        "reasons": [
            {"rule": "prices", "points": 10, "occurred_at": "2026-03-03T12:00:00Z", "left": 10, "days": 0, "half_life_days": 1,
             "event": {"visitor_id": "ada", "event_id": "ada-3"}},
            {"rule": "asked", "points": 15, "occurred_at": "2026-03-02T13:00:00Z", "left": 15, "days": 0, "half_life_days": None,
             "event": {"visitor_id": "ada", "event_id": "ada-form-2"}},
            {"rule": "large", "points": 5, "occurred_at": "2026-03-02T13:00:00Z", "left": 5, "days": 0, "half_life_days": None, "event": None},
            {"rule": "prices", "points": 10, "occurred_at": "2026-03-01T12:00:00Z", "left": 2.5, "days": 2, "half_life_days": 1,
             "event": {"visitor_id": "ada", "event_id": "ada-1"}},
        ],
        "history": [
            {"at": "2026-03-01T12:00:00Z", "score": 10, "before": 0},
            {"at": "2026-03-02T13:00:00Z", "score": 25, "before": 5},
            {"at": "2026-03-03T12:00:00Z", "score": 32.5, "before": 22.5},
        ],
    }  # fmt: skip
    assert (await get(client, "/v1/people/ada/score", at="2026-02-01"))["score"] == 0

    (mql,) = (await get(client, "/v1/conversions", conversion="mql"))["conversions"]
    assert (mql["occurred_at"], mql["person_id"]) == ("2026-03-03T12:00:00Z", person["id"])
    explained = await get(client, f"/v1/conversions/{mql['id']}/explain")
    assert [touch["channel"] for touch in explained["touches"]] == ["Paid Search", "Paid Search"]
    (row,) = (await get(client, "/v1/reports/attribution", conversion="mql"))["rows"]
    assert (row["channel"], row["conversions"]) == ("Paid Search", 1)
    totals = (await get(client, "/v1/reports/funnel"))["totals"]
    assert [totals[name] for name in ("leads", "mqls", "sqls", "customers")] == [2, 1, None, 1]

    listed = (await get(client, "/v1/opportunities"))["opportunities"]
    assert {row["name"]: row["score"] for row in listed} == {"ada@example.com": 20, "bob@example.com": 15}, "of the half-lives since then nothing is left"

    await score_with(database, {**SCORING, "threshold": 33})
    await tell(client, database)
    assert (await get(client, "/v1/conversions", conversion="mql"))["conversions"] == []


@pytest.mark.parametrize(
    ("at", "told"), [("yesterday", "a day such as 2026-03-31 or a moment such as"), ("2026-02-30", "a day such as 2026-03-31")]
)
async def test_a_moment_that_is_none(client: httpx.AsyncClient, at: str, told: str) -> None:
    answer = await client.get("/v1/people/ada/score", headers=READER, params={"at": at})
    assert answer.status_code == 422
    assert told in answer.text


async def test_nobody_has_no_score(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/people/nobody/score", headers=READER)).status_code == 404
