"""Credit at several look-backs, and up to a milestone, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, NOON, Conversion, Entry, Touched, store, store_labels
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/lookback"


@pytest.fixture(autouse=True)
async def conversions(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, ["Email", "Referral", "Direct"])
    await store(
        database,
        [
            Conversion(
                [Touched(400 * DAY, "Email"), Touched(100 * DAY, "Referral"), Touched(10 * DAY, "Direct"), Touched(DAY, "Email")],
                lead_age=50 * DAY, opportunity_age=20 * DAY,
            ),
            Conversion([Touched(8 * DAY, "Referral")], [Entry(after=500, counts=1)], lead_age=9 * DAY),
            Conversion(older_touch_at=NOON - 800 * DAY, entries=[Entry(after=7, counts=1)]),
        ],
    )  # fmt: skip


async def test_each_look_back_is_a_closed_ledger(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, model="first_touch")
    assert (answer["lookback_days"], answer["model"]) == ([7, 30, 90, 180, 365, 730], "first_touch")
    found = {row["channel"]: row["by_lookback_days"] for row in answer["rows"]}
    assert {channel: [each["conversions"] for each in by_days.values()] for channel, by_days in found.items()} == {
        "Email": [1, 0, 0, 0, 0, 1],
        "Referral": [0, 1, 1, 2, 2, 1],
        "Direct": [0, 1, 1, 0, 0, 0],
    }
    assert found["Referral"]["180"] == {"conversions": 2, "revenue": "105.00"}
    totals = answer["totals"]
    assert (totals["conversions"], totals["revenue"]) == (3, "105.07")
    by_days = totals["by_lookback_days"]
    assert by_days["7"]["credited"] == {"conversions": 1, "revenue": "100.00"}
    assert by_days["7"]["uncredited"]["reasons"] == {"outside_lookback": {"conversions": 2, "revenue": "5.07"}}
    assert by_days["730"]["credited"] == {"conversions": 2, "revenue": "105.00"}
    assert [each["first_touch_outside_lookback"]["conversions"] for each in by_days.values()] == [3, 2, 2, 2, 2, 1]
    assert by_days["30"]["first_touch_outside_lookback"]["share"] == 0.666667


async def test_it_agrees_with_the_attribution_report(client: httpx.AsyncClient) -> None:
    whole = await get(client, PATH, model="u_shaped", by="source")
    for days in whole["lookback_days"]:
        report = await get(client, "/v1/reports/attribution", model="u_shaped", by="source", lookback_days=days)
        side = {row["source"]: row["by_lookback_days"][str(days)] for row in whole["rows"]}
        assert {row["source"]: row["conversions"] for row in report["rows"]} == {
            source: each["conversions"] for source, each in side.items() if each["conversions"]
        }
        outside = {"first_touch_outside_lookback": report["first_touch_outside_lookback"]}
        assert whole["totals"]["by_lookback_days"][str(days)] == report["totals"] | outside


async def test_csv_has_a_column_a_look_back(client: httpx.AsyncClient) -> None:
    text = (await client.get(PATH, headers=READER, params={"model": "last_touch", "format": "csv"})).text.splitlines()
    assert text[0].startswith("channel,conversions_7_days,revenue_7_days,conversions_30_days")
    assert text[1:] == [
        "Email,1,100.00,1,100.00,1,100.00,1,100.00,1,100.00,1,100.00,USD",
        "Referral,0,0.00,1,5.00,1,5.00,1,5.00,1,5.00,1,5.00,USD",
        "(uncredited: outside_lookback),2,5.07,1,0.07,1,0.07,1,0.07,1,0.07,1,0.07,USD",
    ]


async def test_what_is_not_allowed_is_refused_by_name(client: httpx.AsyncClient) -> None:
    refused = ({"lookback_days": 30}, "730"), ({"model": "all"}, "linear"), ({"by": "planet"}, "campaign"), ({"influenced": "true"}, "influenced")
    for params, named in refused:
        answer = await client.get(PATH, headers=READER, params=params)
        assert (answer.status_code, named in answer.json()["detail"]) == (422, True), answer.text


# ---------------------------------------------------------------- up to a milestone


async def test_touches_until_a_milestone(client: httpx.AsyncClient) -> None:
    lead = await get(client, "/v1/reports/attribution", touches_until="lead", lookback_days=730)
    assert (lead["touches_until"], {row["channel"]: row["conversions"] for row in lead["rows"]}) == ("lead", {"Email": 0.5, "Referral": 0.5})
    reasons = {"after_milestone": {"conversions": 1, "revenue": "5.00"}, "outside_lookback": {"conversions": 1, "revenue": "0.07"}}
    assert lead["totals"]["uncredited"]["reasons"] == reasons
    opportunity = await get(client, "/v1/reports/attribution", touches_until="opportunity", model="last_touch", lookback_days=730)
    assert {row["channel"]: row["conversions"] for row in opportunity["rows"]} == {"Referral": 1}
    assert opportunity["totals"]["uncredited"]["reasons"]["no_milestone"] == {"conversions": 1, "revenue": "5.00"}


async def test_an_explanation_says_what_came_too_late(client: httpx.AsyncClient) -> None:
    rows = (await get(client, "/v1/conversions", touches_until="lead"))["conversions"]
    first, second = (next(row["id"] for row in rows if row["amount"] == amount) for amount in ("100.00", "5.00"))
    answer = await get(client, f"/v1/conversions/{first}/explain", touches_until="lead")
    assert [touch["channel"] for touch in answer["touches"]] == ["Referral"]
    assert [(touch["channel"], touch["reason"]) for touch in answer["left_out"]] == [
        ("Email", "outside_lookback"),
        ("Direct", "after_milestone"),
        ("Email", "after_milestone"),
    ]
    late = await get(client, f"/v1/conversions/{second}/explain", touches_until="lead")
    assert (late["uncredited"], late["touches"]) == ("after_milestone", [])
    assert late["in_words"].endswith("every touch in the look-back came after the milestone up to which touches were asked for.")
    missing = await get(client, f"/v1/conversions/{second}/explain", touches_until="opportunity")
    assert missing["uncredited"] == "no_milestone"
