"""The funnel of a cohort."""

from __future__ import annotations

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

AD = "https://shop.example/?utm_source=google&utm_medium=cpc"


async def test_a_cohort_and_how_far_it_has_come(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await tell(
        client,
        database,
        visit("early", 1, AD),  # before the interval, so not of the cohort
        form("early", 3, "early@example.com"),
        visit("ada", 2, AD),
        form("ada", 4, "ada@example.com"),
        won("d1", 12, "10", "ada@example.com"),
        visit("bob", 2, AD),
        form("bob", 8, "bob@example.com"),
        visit("cid", 3, AD),
        {"id": "cid", "type": "identify", "visitor_id": "cid", "email": "cid@example.com", "occurred_at": "2026-03-03T12:30:00Z"},
        won("d2", 13, "10", "cid@example.com"),  # bought without a form: the lead is implied
        visit("dan", 31),
        visit("eve", 2),
    )
    answer = await get(client, "/v1/reports/funnel", by="channel", **{"from": "2026-03-02", "to": "2026-03-31"})
    assert answer["rows"] == [
        {
            "channel": "Paid Search",
            "visitors": 3,
            "leads": 3,
            "mqls": None,
            "sqls": None,
            "opportunities": 2,
            "customers": 2,
            "implied": {"leads": 1},
            "steps": [
                {"from": "visitors", "to": "leads", "rate": 1.0, "median_days": 4.04},
                {"from": "leads", "to": "opportunities", "rate": 0.6667, "median_days": 8.21},
                {"from": "opportunities", "to": "customers", "rate": 1.0, "median_days": 0.0},
            ],
        },
        {
            "channel": "Direct",
            "visitors": 1,
            "leads": 0,
            "mqls": None,
            "sqls": None,
            "opportunities": 0,
            "customers": 0,
            "implied": {},
            "steps": [
                {"from": "visitors", "to": "leads", "rate": 0.0, "median_days": None},
                {"from": "leads", "to": "opportunities", "rate": None, "median_days": None},
                {"from": "opportunities", "to": "customers", "rate": None, "median_days": None},
            ],
        },
    ]
    assert (answer["totals"]["visitors"], answer["totals"]["customers"]) == (4, 2)
    everybody = await get(client, "/v1/reports/funnel", by="landing_page")
    assert [(row["landing_page"], row["visitors"]) for row in everybody["rows"]] == [("shop.example/", 6)]
    table = (await client.get("/v1/reports/funnel", headers=READER, params={"format": "csv", "by": "channel"})).text.splitlines()
    assert table[0].startswith(
        "channel,visitors,leads,mqls,sqls,opportunities,customers,visitors_to_leads_rate,visitors_to_leads_median_days"
    )


async def test_a_site_without_anybody_has_an_empty_funnel(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/v1/reports/funnel")
    assert answer["rows"] == []
    assert answer["totals"] == {
        "visitors": 0, "leads": None, "mqls": None, "sqls": None, "opportunities": None, "customers": None, "implied": {}, "steps": [],
    }  # fmt: skip
    assert (await client.get("/v1/reports/funnel", headers=READER, params={"by": "planet"})).status_code == 422
