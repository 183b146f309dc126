"""How long conversions took."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, Conversion, Entry, Touched, store, store_labels
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/time-lag"


@pytest.fixture(autouse=True)
async def conversions(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, ["Email", "Referral"])
    await store(
        database,
        [
            journey(("Email", 1 * DAY - 1), ("Referral", 0)),
            journey(("Email", 1 * DAY), amount=200),
            journey(("Referral", 8 * DAY - 1)),
            journey(("Referral", 8 * DAY)),
            journey(("Email", 700 * DAY), ("Email", 3 * DAY)),
            journey(amount=1),
        ],
    )


def journey(*touches: tuple[str, int], amount: int = 100) -> Conversion:
    return Conversion([Touched(age, channel) for channel, age in touches], [Entry(after=amount, counts=1)])


def shown(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in answer["rows"] if row["conversions"]]


async def test_whole_days_fall_into_buckets_that_add_up(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH)
    assert [row["days"] for row in answer["rows"]] == [
        "0", "1", "2", "3-7", "8-14", "15-30", "31-60", "61-90", "91-180", "181-365", ">365", "(no touch)",
    ]  # fmt: skip
    assert shown(answer) == [("0", 1, "1.00"), ("1", 1, "2.00"), ("3-7", 2, "2.00"), ("8-14", 1, "1.00"), ("(no touch)", 1, "0.01")]
    assert (answer["median_days"], answer["p90_days"]) == (3, 8)
    assert (answer["totals"]["conversions"], answer["totals"]["revenue"]) == (6, "6.01")
    far = await get(client, PATH, lookback_days=730)
    assert (">365", 1, "1.00") in shown(far)


async def test_by_what_the_first_touch_was(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, by="channel")
    assert shown(answer) == [
        ("Email", "0", 1, "1.00"),
        ("Email", "1", 1, "2.00"),
        ("Email", "3-7", 1, "1.00"),
        ("Referral", "3-7", 1, "1.00"),
        ("Referral", "8-14", 1, "1.00"),
        ("(no touch)", "(no touch)", 1, "0.01"),
    ]
    assert answer["groups"] == [
        {"channel": "Email", "conversions": 3, "median_days": 1, "p90_days": 3},
        {"channel": "Referral", "conversions": 2, "median_days": 8, "p90_days": 8},
    ]


async def test_csv_nothing_and_refusals(client: httpx.AsyncClient) -> None:
    table = await client.get(PATH, headers=READER, params={"format": "csv", "by": "source"})
    assert table.text.splitlines()[:2] == ["source,days,conversions,revenue,currency", "email,0,1,1.00,USD"]
    nothing = await get(client, PATH, conversion="lead", by="channel")
    assert (nothing["rows"], nothing["groups"], nothing["median_days"]) == ([], [], None)
    refused = await client.get(PATH, headers=READER, params={"by": "planet"})
    assert refused.status_code == 422
    assert "campaign" in refused.json()["detail"]
