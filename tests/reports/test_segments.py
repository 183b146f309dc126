"""Reports filtered and grouped by what is known of people, companies and deals, through the front door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.attribution.rules import MODELS
from app.db import Database
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

MAPPED = [
    {"name": "country", "of": "person", "from": "Land"},
    {"name": "industry", "of": "company", "from": "Branch"},
    {"name": "product", "of": "deal", "from": "Plan"},
]
NEWS, AD = "https://shop.example/?utm_source=news&utm_medium=email", "https://shop.example/?gclid=x"


@pytest.fixture
async def told(client: httpx.AsyncClient, database: Database) -> httpx.AsyncClient:
    """Ada's company bought twice, Bob once, and of Cem nothing is known but his form."""
    acme = {"id": 1, "name": "Acme", "domain": "acme.example", "properties": {"Branch": "Software"}}
    await tell(
        client,
        database,
        visit("ada", 1, AD), form("ada", 2, "ada@example.com", properties={"Land": "DE"}),
        visit("bob", 1, NEWS), form("bob", 2, "bob@example.com", properties={"Land": "FR", "Lists": ["a"]}),
        visit("cem", 3, NEWS), form("cem", 3, "cem@example.com"),
        won("a1", 5, "100.00", type="new", owner="Eve", pipeline="Direct sales", company=acme, properties={"Plan": "Pro"},
            contacts=[{"email": "ada@example.com", "company": {"id": 1}}]),
        won("a2", 9, "50.00", "ada@example.com", type="expansion", company={"domain": "acme.example"}),
        won("b1", 6, "30.00", "bob@example.com", type="new", owner="Eve", properties={"Plan": "Lite, yearly"}),
    )  # fmt: skip
    await change(client, properties=MAPPED)
    return client


async def change(client: httpx.AsyncClient, **settings: Any) -> None:
    answer = await client.patch("/v1/sites/default", headers=READER, json=settings)
    assert answer.status_code == 200, answer.text


async def revenue(client: httpx.AsyncClient, *filters: str, **params: Any) -> str:
    report = await get(client, "/v1/reports/attribution", **params, filter=list(filters))
    rows = sum(float(row["revenue"]) for row in report["rows"])
    assert rows + float(report["totals"]["uncredited"]["revenue"]) == float(report["totals"]["revenue"])
    return str(report["totals"]["revenue"])


FILTERS = [
    ([], "180.00"),
    (["product:Pro"], "100.00"),
    ([r"product:Lite\, yearly"], "30.00"),
    (["product:(not set)"], "50.00"),
    (["product:!Pro"], "80.00"),
    (["industry:Software"], "150.00"),
    (["industry:!Software"], "30.00"),
    (["country:DE,FR"], "180.00"),
    (["country:DE", "product:!Pro"], "50.00"),
    (["customer:new"], "130.00"),
    (["customer:existing"], "50.00"),
    (["type:new"], "130.00"),
    (["owner:Eve"], "130.00"),
    (["pipeline:Direct sales"], "100.00"),
    (["deal_pipeline:(not set)"], "80.00"),
    (["company:Acme"], "100.00"),
    (["company_domain:acme.example"], "150.00"),
    (["country:Atlantis"], "0.00"),
]


async def test_a_filter_leaves_what_it_names(told: httpx.AsyncClient) -> None:
    assert [(filters, await revenue(told, *filters)) for filters, _ in FILTERS] == FILTERS


async def test_a_saved_segment_is_its_filters(told: httpx.AsyncClient) -> None:
    await change(told, segments=[{"name": "Tech in Germany", "filters": ["industry:Software", "country:DE"]}])
    report = await get(told, "/v1/reports/attribution", segment="Tech in Germany", filter="customer:new")
    assert (report["segment"], report["filter"], report["totals"]["revenue"]) == ("Tech in Germany", ["customer:new"], "100.00")
    listed = await get(told, "/v1/conversions", segment="Tech in Germany", by="industry")
    assert [row["deal"]["deal_id"] for row in listed["conversions"]] == ["a2", "a1"]


async def test_rows_by_a_property_add_up(told: httpx.AsyncClient) -> None:
    report = await get(told, "/v1/reports/attribution", by="industry,channel")
    assert report["rows"] == [
        {"industry": "Software", "channel": "Paid Search", "conversions": 2, "revenue": "150.00"},
        {"industry": "(not set)", "channel": "Email", "conversions": 1, "revenue": "30.00"},
    ]
    report = await get(told, "/v1/reports/attribution", by="customer", model="last_touch", format="json")
    assert [(row["customer"], row["revenue"]) for row in report["rows"]] == [("new", "130.00"), ("existing", "50.00")]
    report = await get(told, "/v1/reports/attribution", conversion="opportunity", by="deal_pipeline", filter="type:new")
    assert [(row["deal_pipeline"], row["pipeline"]) for row in report["rows"]] == [("Direct sales", "100.00"), ("(not set)", "30.00")]


async def test_leads_have_what_is_known_of_their_person_and_its_company(told: httpx.AsyncClient) -> None:
    report = await get(told, "/v1/reports/attribution", conversion="lead", by="country,industry,product,customer")
    rows = [(row["country"], row["industry"], row["product"], row["customer"]) for row in report["rows"]]
    assert rows == [
        ("(not set)", "(not set)", "(not set)", "new"), ("DE", "Software", "(not set)", "new"), ("FR", "(not set)", "(not set)", "new"),
    ]  # fmt: skip


async def test_a_funnel_of_some_people(told: httpx.AsyncClient) -> None:
    funnel = await get(told, "/v1/reports/funnel", by="industry,country")
    rows = [(row["industry"], row["country"], row["visitors"], row["customers"]) for row in funnel["rows"]]
    assert rows == [("(not set)", "(not set)", 1, 0), ("(not set)", "FR", 1, 1), ("Software", "DE", 1, 1)]
    funnel = await get(told, "/v1/reports/funnel", filter="country:!DE")
    assert (funnel["filter"], funnel["totals"]["visitors"], funnel["totals"]["leads"]) == (["country:!DE"], 2, 2)
    funnel = await get(told, "/v1/reports/funnel", filter=["country:!DE", "industry:Software"])
    assert funnel["rows"] == []


async def test_every_report_of_conversions_takes_filters_and_those_of_credit_properties(told: httpx.AsyncClient) -> None:
    filters = {"filter": ["product:Pro", "customer:new"]}
    for report in ("path-length", "time-lag", "paths", "overlap", "sourced"):
        answer = await get(told, f"/v1/reports/{report}", **filters)
        assert (report, answer["totals"]["revenue"], answer["filter"]) == (report, "100.00", filters["filter"])
    whole = {"by": "industry,channel", **filters}
    row = {"industry": "Software", "channel": "Paid Search", "conversions": 1, "revenue": "100.00"}
    everything = await get(told, "/v1/reports/attribution", **whole, model="all", influenced=True)
    assert {model: answer["rows"] for model, answer in everything["models"].items()} == {
        model: [row | {"influenced_conversions": 1, "influenced_amount": "100.00"}] for model in MODELS
    }
    [at_lookbacks] = (await get(told, "/v1/reports/lookback", **whole))["rows"]
    assert (at_lookbacks["industry"], at_lookbacks["by_lookback_days"]["30"]["revenue"]) == ("Software", "100.00")
    moments = {"from_as_of": datetime.now(UTC).isoformat()}
    same = await get(told, "/v1/reports/attribution/diff", **whole, **moments)
    assert (same["totals"]["before"]["revenue"], same["totals"]["after"]["revenue"]) == ("100.00", "100.00")


async def test_those_who_did_not_convert_are_of_the_segment_too(told: httpx.AsyncClient) -> None:
    for filters, rates in [([], [1, 0.5]), (["country:!DE"], [0.5]), (["country:FR"], [1]), (["type:new"], [1, 0.5])]:
        paths = await get(told, "/v1/reports/paths", filter=filters)
        assert (filters, sorted((row["conversion_rate"] for row in paths["rows"]), reverse=True)) == (filters, rates)


async def test_a_filter_of_a_moment_takes_what_was_known_then(told: httpx.AsyncClient, database: Database) -> None:
    before = datetime.now(UTC).isoformat()
    changed = {"id": "ada-again", "type": "identify", "visitor_id": "ada", "email": "ada@example.com", "properties": {"Land": "AT"}}
    await tell(told, database, changed)
    assert [await revenue(told, f"country:{land}") for land in ("DE", "AT")] == ["0.00", "150.00"]
    assert [await revenue(told, f"country:{land}", as_of=before) for land in ("DE", "AT")] == ["150.00", "0.00"]


async def test_a_mapping_that_changes_holds_for_the_past_at_once(told: httpx.AsyncClient) -> None:
    await change(told, properties=[{"name": "product", "of": "person", "from": "Land"}])
    assert await revenue(told, "product:DE") == "150.00"


async def test_what_is_not_known_is_refused_with_what_is(told: httpx.AsyncClient) -> None:
    refused = [
        ("/v1/reports/attribution", {"filter": "planet:Mars"}, "country, industry, product, pipeline"),
        ("/v1/reports/attribution", {"filter": "country"}, "country:value"),
        ("/v1/reports/attribution", {"segment": "Tech"}, "none"),
        ("/v1/reports/attribution", {"by": "planet"}, "country"),
        ("/v1/reports/attribution", {"by": "country,country"}, "twice"),
        ("/v1/reports/attribution", {"by": "pipeline", "conversion": "opportunity"}, "deal_pipeline"),
        ("/v1/conversions", {"filter": ["type:new"] * 21}, "20"),
        ("/v1/conversions", {"by": "planet"}, "country"),
        ("/v1/reports/funnel", {"filter": "product:Pro"}, "country, industry"),
        ("/v1/reports/funnel", {"by": "product"}, "country, industry"),
    ]
    for path, params, named in refused:
        answer = await told.get(path, headers=READER, params=params)
        assert (answer.status_code, named in answer.json()["detail"]) == (422, True), (path, params, answer.text)
