"""The conversions behind a number, and the explanation of one."""

from __future__ import annotations

import httpx
import pytest

from app.attribution.rules import MODELS
from app.db import Database
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told")]

PAID = "https://shop.example/landing?utm_source=google&utm_medium=cpc&utm_campaign=spring"


@pytest.fixture
async def told(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    """Ada comes by an ad, then by a newsletter, asks, and buys twice; Bob, unknown, buys once."""
    assert site.site_id == "default"
    await tell(
        client,
        database,
        visit("ada", 1, PAID),
        visit("ada", 5, "https://shop.example/?utm_source=letter&utm_medium=email"),
        form("ada", 5, "ada@example.com"),
        won("d1", 9, "300.01", "ada@example.com"),
        won("d2", 20, "50", "ada@example.com"),
        won("d3", 21, "70", "bob@example.com"),
    )


async def test_the_list_has_the_latest_first_with_deals_people_and_repeats(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/v1/conversions", conversion="customer", **{"from": "2026-03-01", "to": "2026-04-01"})
    rows = answer["conversions"]
    assert answer["next"] is None
    assert [(row["deal"]["deal_id"], row["amount"], row["revenue"], row["is_repeat"]) for row in rows] == [
        ("d3", "70.00", "70.00", False),
        ("d2", "50.00", "50.00", True),
        ("d1", "300.01", "300.01", False),
    ]
    assert rows[0]["occurred_at"] == "2026-03-21T18:00:00Z"
    assert rows[1]["person_id"] == rows[2]["person_id"] != rows[0]["person_id"]


async def test_pages_follow_one_another_without_gap_or_overlap(client: httpx.AsyncClient) -> None:
    found, cursor = [], None
    while True:
        page = await get(client, "/v1/conversions", limit=1, **({"cursor": cursor} if cursor else {}))
        found += [row["deal"]["deal_id"] for row in page["conversions"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["d3", "d2", "d1"]


async def test_a_refund_in_the_interval_brings_its_conversion_along(client: httpx.AsyncClient, database: Database) -> None:
    await tell(client, database, {**won("d1", 25, "100.01", "ada@example.com"), "id": "changed"})
    answer = await get(client, "/v1/conversions", **{"from": "2026-03-09", "to": "2026-04-01"})
    by_deal = {row["deal"]["deal_id"]: (row["conversions"], row["revenue"], row["amount"]) for row in answer["conversions"]}
    assert by_deal["d1"][2] == "100.01"
    report = await get(client, "/v1/reports/attribution", **{"from": "2026-03-09", "to": "2026-04-01"})
    assert sum(row[0] for row in by_deal.values()) == report["totals"]["conversions"]


async def test_filters_by_label_and_csv(client: httpx.AsyncClient) -> None:
    answer = await get(client, "/v1/conversions", channel="Paid Search", campaign="spring", model="linear", by="channel")
    assert [row["deal"]["deal_id"] for row in answer["conversions"]] == ["d2", "d1"]
    assert (await get(client, "/v1/conversions", channel="Paid Search", lookback_days=9))["conversions"][0]["deal"]["deal_id"] == "d1"
    table = (await client.get("/v1/conversions", headers=READER, params={"format": "csv", "limit": 1})).text.splitlines()
    assert table[0] == "id,kind,occurred_at,counted_at,person_id,deal_id,name,conversions,amount,currency,is_repeat,is_tracked"
    assert len(table) == 2


async def test_leads_have_a_person_and_no_money(client: httpx.AsyncClient) -> None:
    (lead,) = (await get(client, "/v1/conversions", conversion="lead"))["conversions"]
    assert (lead["amount"], lead["deal"], lead["is_repeat"]) == (None, None, False)
    assert "revenue" not in lead
    person = await get(client, f"/v1/people/{lead['person_id']}/journey")
    assert person["person"]["keys"][0]["value"] == "ada@example.com"


# ---------------------------------------------------------------- one of them, explained


async def conversion_id(client: httpx.AsyncClient, deal: str) -> str:
    rows = (await get(client, "/v1/conversions"))["conversions"]
    return next(row["id"] for row in rows if row["deal"]["deal_id"] == deal)


async def test_an_explanation_adds_up_and_names_its_evidence(client: httpx.AsyncClient) -> None:
    answer = await get(client, f"/v1/conversions/{await conversion_id(client, 'd1')}/explain", model="position_based")
    assert [(touch["channel"], touch["milestones"], touch["conversions"], touch["revenue"]) for touch in answer["touches"]] == [
        ("Paid Search", ["first"], 0.5, "150.01"),
        ("Email", ["lead", "opportunity", "last"], 0.5, "150.00"),
    ]
    assert answer["touches"][0]["landing_page"] == "shop.example/landing"
    assert answer["touches"][0]["rule"]
    assert [tie["because_of"] for tie in answer["identity"]] == [{"visitor_id": "ada", "event_id": "ada-form-5"}]
    assert answer["in_words"] == (
        "This customer conversion happened on 2026-03-09, after 2 touches within 365 days, from Paid Search on 2026-03-01 to Email on "
        "2026-03-05, known to be its people's by form_submit on 2026-03-05 with an e-mail. The model position_based gives Paid Search "
        "50 % and Email 50 % of it."
    )


async def test_what_was_left_out_has_its_reason(client: httpx.AsyncClient) -> None:
    answer = await get(client, f"/v1/conversions/{await conversion_id(client, 'd1')}/explain", lookback_days=5)
    assert [(touch["channel"], touch["reason"]) for touch in answer["left_out"]] == [("Paid Search", "outside_lookback")]
    assert [touch["conversions"] for touch in answer["touches"]] == [1]


async def test_a_conversion_without_touches_says_why(client: httpx.AsyncClient) -> None:
    answer = await get(client, f"/v1/conversions/{await conversion_id(client, 'd3')}/explain")
    assert (answer["touches"], answer["uncredited"]) == ([], "no_touch")
    assert answer["in_words"].endswith("none of its people was ever seen on the site before it.")


async def test_explanation_and_report_are_one_statement(client: httpx.AsyncClient) -> None:
    for model in MODELS:
        explained = [
            (await get(client, f"/v1/conversions/{await conversion_id(client, deal)}/explain", model=model))["touches"]
            for deal in ("d1", "d2")
        ]
        report = await get(client, "/v1/reports/attribution", model=model)
        for row in report["rows"]:
            touches = [touch for each in explained for touch in each if touch["channel"] == row["channel"]]
            assert round(sum(touch["conversions"] for touch in touches), 6) == row["conversions"]
            assert f"{sum(float(touch['revenue']) for touch in touches):.2f}" == row["revenue"]
