"""What moved a channel between two moments is told by cause; and moments that cannot be asked for are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app import tables
from app.db import Database
from app.history import prune
from app.sites.administration import change_settings
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

REPORT, DIFF = "/v1/reports/attribution", "/v1/reports/attribution/diff"


async def a_first_report(client: httpx.AsyncClient, database: Database) -> dict[str, Any]:
    """One deal of 100, earned by a newsletter."""
    await tell(
        client, database, visit("ann", 1, "https://shop.example/?utm_source=news&utm_medium=email"), form("ann", 2, "ann@example.com")
    )
    await tell(client, database, won("d1", 10, "100", "ann@example.com"))
    return await get(client, REPORT)


def causes_of(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["channel"]: row["causes"] for row in answer["rows"]}


async def test_a_late_deal_a_refund_a_late_touch_and_a_rule(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    first = await a_first_report(client, database)
    assert [(row["channel"], row["revenue"]) for row in first["rows"]] == [("Email", "100.00")]

    await tell(client, database, won("d2", 9, "40", "ann@example.com"))
    late_deal = await get(client, DIFF, from_as_of=first["as_of"])
    assert causes_of(late_deal) == {"Email": {"new_conversions": {"conversions": 1, "revenue": "40.00"}}}

    then = (await get(client, REPORT))["as_of"]
    await tell(client, database, visit("ann", 5, "https://shop.example/?gclid=x"))
    late_touch = causes_of(await get(client, DIFF, from_as_of=then))
    assert late_touch == {
        "Email": {"journeys_changed": {"conversions": -1, "revenue": "-70.00"}},
        "Paid Search": {"journeys_changed": {"conversions": 1, "revenue": "70.00"}},
    }

    then = (await get(client, REPORT))["as_of"]
    await tell(client, database, {**won("d1", 10, "60", "ann@example.com"), "id": "corrected", "occurred_at": "2026-03-10T18:00:01Z"})
    corrected = await get(client, DIFF, from_as_of=then)
    assert corrected["totals"]["change"] == {"conversions": 0, "revenue": "-40.00"}
    assert set(causes_of(corrected)["Email"]) == {"amounts_changed"}

    then = (await get(client, REPORT))["as_of"]
    async with database.write() as connection:
        await change_settings(connection, "default", {"channel_rules": [{"channel": "Ours", "source": "news"}]}, datetime.now(UTC))
    await tell(client, database)
    ruled = await get(client, DIFF, from_as_of=then)
    assert {channel: set(causes) for channel, causes in causes_of(ruled).items()} == {
        "Email": {"rules_changed"},
        "Ours": {"rules_changed"},
        "Paid Search": set(),
    }

    whole = await get(client, DIFF, from_as_of=first["as_of"], to_as_of=then)
    assert whole["totals"]["before"] == {"conversions": 1, "revenue": "100.00"}
    assert whole["totals"]["after"] == {"conversions": 2, "revenue": "100.00"}
    assert await get(client, REPORT, as_of=first["as_of"]) == first | {"computed_through": None}

    table = await client.get(DIFF, headers=READER, params={"from_as_of": first["as_of"], "format": "csv"})
    assert table.text.startswith("channel,before_conversions,before_revenue,after_conversions,after_revenue,change_conversions,")


@pytest.mark.parametrize(
    ("path", "parameters", "told"),
    [
        (REPORT, {"as_of": "yesterday"}, "a day such as"),
        (REPORT, {"as_of": "2026-02-30"}, "a day such as"),
        (REPORT, {"as_of": "2999-01-01"}, "of the past"),
        (REPORT, {"as_of": "2001-01-01T00:00:00 02:00"}, "history is kept since"),
        ("/v1/conversions", {"as_of": "2001-01-01"}, "history is kept since"),
        (DIFF, {}, "from_as_of"),
        (DIFF, {"from_as_of": "2001-01-01"}, "history is kept since"),
        (DIFF, {"from_as_of": "{now}", "to_as_of": "{now}"}, "earlier than"),
        (DIFF, {"from_as_of": "{now}", "as_of": "{now}"}, "two moments"),
        (DIFF, {"from_as_of": "{now}", "model": "all"}, "allowed"),
        (DIFF, {"from_as_of": "{now}", "model": "markov", "by": "medium"}, "allowed: first_touch"),
        (DIFF, {"from_as_of": "{now}", "influenced": "true"}, "query.influenced"),
    ],
)
async def test_moments_that_cannot_be(
    client: httpx.AsyncClient, database: Database, site: Site, path: str, parameters: dict[str, str], told: str
) -> None:
    await a_first_report(client, database)
    now = datetime.now(UTC).isoformat()
    answer = await client.get(path, headers=READER, params={name: value.format(now=now) for name, value in parameters.items()})
    assert answer.status_code == 422
    assert told in answer.text


async def test_before_anything_is_computed(client: httpx.AsyncClient, site: Site) -> None:
    answer = await client.get(REPORT, headers=READER, params={"as_of": "2020-01-01"})
    assert (answer.status_code, "nothing has been computed" in answer.text) == (422, True)
    status = await get(client, "/v1/status")
    assert (status["latest_run_at"], status["history_since"]) == (None, None)


async def test_history_goes_when_its_time_is_over(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    first = await a_first_report(client, database)
    await tell(client, database, {**won("d1", 10, "60", "ann@example.com"), "id": "corrected", "occurred_at": "2026-03-10T18:00:01Z"})
    second = await get(client, REPORT)
    kept = await rows_of_history(database)
    assert kept > 0
    now = datetime.now(UTC)
    assert await prune(database, now, days=1) == 0
    assert await get(client, REPORT, as_of=first["as_of"]) == first | {"computed_through": None}

    assert await prune(database, now + timedelta(days=2), days=1, limit=2) >= kept
    assert await rows_of_history(database) == 0
    refused = await client.get(REPORT, headers=READER, params={"as_of": first["as_of"]})
    assert refused.status_code == 422
    assert second["as_of"] in refused.text
    assert await get(client, REPORT, as_of=second["as_of"]) == second | {"computed_through": None}
    status = await get(client, "/v1/status")
    assert status["latest_run_at"] == status["history_since"] == second["as_of"]


async def rows_of_history(database: Database) -> int:
    async with database.read() as connection:
        return sum([await connection.scalar(select(func.count()).select_from(past)) or 0 for past in tables.history.values()])
