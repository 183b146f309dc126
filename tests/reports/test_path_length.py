"""How many touches conversions took."""

from __future__ import annotations

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, Conversion, Entry, Touched, store, store_labels
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/path-length"


@pytest.fixture(autouse=True)
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, ["Email", "Paid Search", "Referral", "Direct"])


def touched(*ages: float) -> list[Touched]:
    """Touches so many days before the conversion, Direct if less than one."""
    return [Touched(round(age * DAY), "Email" if age >= 1 else "Direct") for age in ages]


async def test_every_length_has_its_row_and_they_add_up(client: httpx.AsyncClient, database: Database) -> None:
    stored = [
        Conversion(touched(2, 1), [Entry(after=100, counts=1), Entry(before=100, after=30)]),
        Conversion(touched(1), [Entry(after=500, counts=1)]),
        Conversion(touched(5, 4, 3, 2, 1), [Entry(after=7, counts=1)]),
        Conversion(touched(400, 0.5), [Entry(after=11, counts=1)]),
        Conversion(touched(1), [Entry(after=900, counts=1)], currency="EUR"),
        Conversion([], [Entry(after=1_000, counts=1)]),
    ]
    await store(database, stored)
    answer = await get(client, PATH, longest=3)
    assert [tuple(row.values()) for row in answer["rows"]] == [("0", 1, "10.00"), ("1", 3, "5.11"), ("2", 1, "0.30"), ("3+", 1, "0.07")]
    assert (answer["mean_touches"], answer["median_touches"]) == (2, 1)
    assert answer["totals"]["conversions"] == 6
    assert answer["totals"]["uncredited"]["conversions"] == 1
    assert answer["totals"]["uncredited"]["reasons"]["unconverted"]["amounts"] == [{"currency": "EUR", "revenue": "9.00"}]
    excluded = await get(client, PATH, longest=1, exclude_direct="true")
    assert [tuple(row.values()) for row in excluded["rows"]] == [("0", 2, "10.11"), ("1+", 4, "5.37")]


async def test_no_conversion_has_neither_mean_nor_median(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, conversion="lead", longest=2)
    assert (answer["mean_touches"], answer["median_touches"]) == (None, None)
    assert answer["rows"] == [{"touches": name, "conversions": 0} for name in ("0", "1", "2+")]


async def test_csv_and_refusals(client: httpx.AsyncClient, database: Database) -> None:
    await store(database, [Conversion(touched(2, 1), [Entry(after=100, counts=1), Entry(after=-250)])])
    table = await client.get(PATH, headers=READER, params={"format": "csv", "longest": 2})
    assert table.text.splitlines() == ["touches,conversions,revenue,currency", "0,0,0.00,USD", "1,0,0.00,USD", "2+,1,-1.50,USD"]
    for refused, named in ({"longest": 0}, "longest"), ({"conversion": "dream"}, "customer"), ({"from": "x"}, "YYYY-MM-DD"):
        answer = await client.get(PATH, headers=READER, params=refused)
        assert answer.status_code == 422, refused
        assert named in answer.json()["detail"]
