"""Who brought the deals."""

from __future__ import annotations

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, Conversion, Entry, Touched, store, store_labels
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/sourced"


@pytest.fixture(autouse=True)
async def conversions(database: Database, site: Site) -> None:
    """The first touch decides, whatever came after it; the last conversion has none."""
    assert site.site_id == "default"
    await store_labels(database, ["Direct", "Email", "Outbound Sales", "Partners"])
    journeys = [("Direct", "Partners"), ("Email",), ("Outbound Sales", "Email"), ("Partners",), ()]
    await store(
        database,
        [
            Conversion([Touched(round((9 - at) * DAY), channel) for at, channel in enumerate(channels)], [Entry(after=10**at, counts=1)])
            for at, channels in enumerate(journeys)
        ],
    )


async def test_rows_add_up_to_the_total(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH)
    assert [tuple(row.values()) for row in answer["rows"]] == [
        ("marketing", 2, "0.11"),
        ("sales", 1, "1.00"),
        ("partners", 1, "10.00"),
        ("none", 1, "100.00"),
    ]
    assert (answer["totals"]["conversions"], answer["totals"]["revenue"]) == (5, "111.11")


async def test_the_first_touch_is_the_first_in_reach(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, lookback_days=8, exclude_direct="true")
    assert {row["sourced_by"]: row["conversions"] for row in answer["rows"]} == {"marketing": 1, "sales": 0, "partners": 1, "none": 3}


async def test_csv(client: httpx.AsyncClient) -> None:
    table = await client.get(PATH, headers=READER, params={"format": "csv", "conversion": "lead"})
    assert table.text.splitlines() == ["sourced_by,conversions", "marketing,0", "sales,0", "partners,0", "none,0"]
    assert (await client.get(PATH, headers=READER, params={"by": "channel"})).status_code == 422
