"""Top journeys, and channels that meet in them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told")]

PATH = "/v1/reports/paths"
ADS = "https://shop.example/?utm_source=google&utm_medium=cpc&utm_campaign=spring"
LETTER = "https://shop.example/?utm_source=letter&utm_medium=email"
MARCH = {"from": "2026-03-01", "to": "2026-04-01"}


@pytest.fixture
async def told(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    """Ada and Bob buy after an ad and two letters; Cleo goes the same way and does not buy; Dan and Eve only click the ad,
    and Eve buys; Fay buys unseen."""
    assert site.site_id == "default"
    longer = [visit(name, day, url) for name in ("ada", "bob", "cleo") for day, url in ((1, ADS), (5, LETTER), (6, LETTER))]
    shorter = [visit(name, 2, ADS) for name in ("dan", "eve")]
    known = [form(name, 6, f"{name}@example.com") for name in ("ada", "bob", "eve")]
    sales = [won(f"of-{name}", 20, "100.01", f"{name}@example.com") for name in ("ada", "bob", "eve", "fay")]
    await tell(client, database, *longer, *shorter, *known, *sales)


def shown(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("path", "conversions", "revenue", "non_converting", "conversion_rate")
    return [tuple(row[name] for name in names) for row in answer["rows"]]


async def test_top_journeys_with_the_rate_at_which_they_convert(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, **MARCH)
    assert shown(answer) == [
        ("Paid Search > Email > Email", 2, "200.02", 1, 0.6667),
        ("Paid Search", 1, "100.01", 1, 0.5),
    ]
    assert answer["rows"][0]["steps"] == ["Paid Search", "Email", "Email"]
    assert answer["rest"] == {"paths": 0, "conversions": 0, "revenue": "0.00", "non_converting": 0}
    assert (answer["totals"]["credited"]["conversions"], answer["totals"]["non_converting"]) == (3, 2)


async def test_what_is_beyond_the_limit_stands_under_rest(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, limit=1, collapse="true", **MARCH)
    assert shown(answer) == [("Paid Search > Email ×2", 2, "200.02", 1, 0.6667)]
    assert answer["rest"] == {"paths": 1, "conversions": 1, "revenue": "100.01", "non_converting": 1}


async def test_of_an_earlier_moment_nobody_can_say_who_did_not_convert(client: httpx.AsyncClient) -> None:
    now = await get(client, PATH, **MARCH)
    then = await get(client, PATH, as_of=now["as_of"], **MARCH)
    assert shown(then) == [("Paid Search > Email > Email", 2, "200.02", None, None), ("Paid Search", 1, "100.01", None, None)]
    assert (then["totals"]["credited"]["conversions"], then["totals"]["non_converting"]) == (3, None)


async def test_a_filter_on_conversions_leaves_out_nobody_who_has_none(client: httpx.AsyncClient) -> None:
    filtered = await get(client, PATH, filter="customer:new", **MARCH)
    assert shown(filtered) == shown(await get(client, PATH, **MARCH))


async def test_long_paths_are_cut(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, longest=1, by="source", **MARCH)
    assert [(row["path"], row["is_cut"], row["conversions"]) for row in answer["rows"]] == [("google > …", True, 2), ("google", False, 1)]


async def test_the_interval_chooses_journeys_and_cuts_none(client: httpx.AsyncClient) -> None:
    """Cleo's last touch lies in it, Dan's does not; those who bought at any time are not non-converting."""
    answer = await get(client, PATH, **{"from": "2026-03-06", "to": "2026-03-07"})
    assert shown(answer) == [("Paid Search > Email > Email", 0, "0.00", 1, 0)]
    near = await get(client, PATH, lookback_days=1, **{"from": "2026-03-06", "to": "2026-03-07"})
    assert shown(near) == [("Email > Email", 0, "0.00", 1, 0)]
    before = await get(client, PATH, **{"from": "2026-03-02", "to": "2026-03-03"})
    assert shown(before) == [("Paid Search", 0, "0.00", 1, 0)]


async def test_csv_and_refusals(client: httpx.AsyncClient) -> None:
    table = await client.get(PATH, headers=READER, params={"format": "csv", "limit": 1})
    assert table.text.splitlines() == [
        "path,conversions,revenue,currency,non_converting,conversion_rate",
        "Paid Search > Email > Email,2,200.02,USD,1,0.6667",
    ]
    for refused, named in ({"by": "landing_page"}, "campaign"), ({"limit": 0}, "limit"), ({"collapse": "perhaps"}, "collapse"):
        answer = await client.get(PATH, headers=READER, params=refused)
        assert answer.status_code == 422, refused
        assert named in answer.json()["detail"]


async def test_channels_that_meet_and_channels_alone(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/v1/reports/overlap", **MARCH)
    assert answer["not_additive"] == ["conversions", "revenue"]
    names = ("a", "b", "conversions", "revenue", "share_of_a", "share_of_b")
    assert [tuple(row[name] for name in names) for row in answer["rows"]] == [
        ("Email", "Paid Search", 2, "200.02", 1, 0.6667),
        ("Paid Search", None, 1, "100.01", 0.3333, None),
        ("Email", None, 0, "0.00", 0, None),
    ]
    assert answer["each"][0] == {"channel": "Paid Search", "conversions": 3, "revenue": "300.03"}
    assert answer["totals"]["conversions"] == 4


async def test_overlap_compares_the_top_and_says_what_it_left_out(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/v1/reports/overlap", top=2, exclude_direct="true", lookback_days=15, **MARCH)
    assert [(row["a"], row["b"], row["conversions"]) for row in answer["rows"]] == [("Email", None, 2)]
    nothing = await get(client, "/v1/reports/overlap", conversion="mql")
    assert (nothing["rows"], nothing["each"], nothing["left_out"]) == ([], [], 0)
    table = await client.get("/v1/reports/overlap", headers=READER, params={"format": "csv", "top": 2})
    assert table.text.splitlines()[:2] == [
        "a,b,conversions,revenue,currency,share_of_a,share_of_b",
        "Email,Paid Search,2,200.02,USD,1.0,0.6667",
    ]
