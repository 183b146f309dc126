"""What people read, and what came of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told")]

PATH = "/v1/reports/content"
SHOP = "https://shop.example"


def event(visitor: str, day: int, path: str, type: str = "pageview", minute: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{visitor}-{type}-{day}-{minute}", "type": type, "visitor_id": visitor,
        "occurred_at": f"2026-03-{day:02d}T12:{minute:02d}:00Z", "url": SHOP + path, **more,
    }  # fmt: skip


@pytest.fixture
async def told(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    """Ada reads the blog twice, asks, and buys: her deal opens on the 10th and is won on the 20th; she reads the manual in
    between. Bob reads the blog and a guide and does nothing."""
    assert site.site_id == "default"
    await tell(
        client,
        database,
        visit("ada", 1, f"{SHOP}/blog/attribution"),
        event("ada", 1, "/blog/funnels"),
        event("ada", 1, "/blog/funnels", "engagement", 2, engaged_ms=61_500),
        form("ada", 1, "ada@example.com"),
        visit("ada", 15, f"{SHOP}/docs/manual"),
        visit("bob", 2, f"{SHOP}/blog/attribution"),
        event("bob", 2, "/files/Guide.PDF", minute=3),
        event("bob", 2, "/blog/attribution", "download", 4),
        won("d1", 20, "100.50", "ada@example.com", opened_at="2026-03-10T09:00:00Z"),
    )


def shown(answer: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in (answer["by"], *names)) for row in answer["rows"]]


READ = ("readers", "views", "engaged_seconds")
CAME = ("leads", "opportunities", "pipeline", "customers", "revenue")


async def test_pages_with_their_readers_and_what_came_of_them(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, **{"from": "2026-03-01", "to": "2026-04-01"})
    assert shown(answer, *READ, *CAME) == [
        ("shop.example/blog/attribution", 2, 2, 0, 1, 1, "100.50", 1, "100.50"),
        ("shop.example/blog/funnels", 1, 1, 61, 1, 1, "100.50", 1, "100.50"),
        ("shop.example/docs/manual", 1, 1, 0, 0, 0, "0.00", 1, "100.50"),
        ("shop.example/files/Guide.PDF", 1, 1, 0, 0, 0, "0.00", 0, "0.00"),
    ]
    assert "customers" in answer["not_additive"]


async def test_sections_count_each_reader_once(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, by="section", sort="customers", read_before="opened")
    assert shown(answer, "readers", "views", "customers", "revenue") == [("shop.example/blog", 2, 3, 1, "100.50")]


async def test_what_won_deals_read_before_they_opened(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, read_before="opened", **{"from": "2026-03-03"})
    assert shown(answer, "readers", "customers") == [("shop.example/docs/manual", 1, 0)]


async def test_the_lookback_and_the_interval_limit_what_counts(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, lookback_days=10)
    assert [row["customers"] for row in answer["rows"]] == [0, 0, 1, 0]
    assert [row["leads"] for row in answer["rows"]] == [1, 1, 0, 0]
    later = await get(client, PATH, **{"from": "2026-03-02", "to": "2026-03-03"})
    assert shown(later, "readers", "leads") == [("shop.example/blog/attribution", 1, 0), ("shop.example/files/Guide.PDF", 1, 0)]


async def test_forms_and_assets(client: httpx.AsyncClient) -> None:
    forms = await get(client, PATH, by="form")
    assert shown(forms, "readers", "views", "leads", "customers") == [("contact", 1, 1, 1, 1)]
    assets = await get(client, PATH, by="asset")
    assert shown(assets, "readers", "views") == [("shop.example/blog/attribution", 1, 1), ("shop.example/files/Guide.PDF", 1, 1)]


async def test_excluded_pages_are_no_content(client: httpx.AsyncClient) -> None:
    changed = await client.patch("/v1/sites/default", headers=READER, json={"excluded_paths": ["/blog/*"]})
    assert changed.status_code == 200
    answer = await get(client, PATH)
    assert [row["page"] for row in answer["rows"]] == ["shop.example/docs/manual", "shop.example/files/Guide.PDF"]


async def test_csv_limit_and_refusals(client: httpx.AsyncClient) -> None:
    table = await client.get(PATH, headers=READER, params={"format": "csv", "limit": 1})
    assert table.text.splitlines() == [
        "page,readers,views,engaged_seconds,leads,opportunities,pipeline,customers,revenue,currency",
        "shop.example/blog/attribution,2,2,0,1,1,100.50,1,100.50,USD",
    ]
    for refused, named in ({"by": "channel"}, "section"), ({"sort": "luck"}, "readers"), ({"as_of": "2026-03-10"}, "as_of"):
        answer = await client.get(PATH, headers=READER, params=refused)
        assert answer.status_code == 422, refused
        assert named in answer.json()["detail"]
