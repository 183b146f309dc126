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


async def test_the_list_of_conversions_calls_repeat_who_was_a_customer(told: httpx.AsyncClient, database: Database) -> None:
    company = {"id": 1, "name": "Acme"}
    await tell(
        told,
        database,
        won("a3", 11, "10.00", "new@example.com", company=company),
        won("a4", 11, "10.00", "new@example.com", company=company),
        won("b2", 12, "10.00", "bob@example.com"),
        won("c1", 13, "10.00", "cem@example.com"),
        won("c2", 13, "10.00", "cem@example.com"),
    )
    for kind, known in {"customer": {"a2", "a3", "a4", "b2"}, "opportunity": {"a2", "a3", "a4", "b2"}}.items():
        for value, is_repeat in {"existing": True, "new": False}.items():
            listed = await get(told, "/v1/conversions", conversion=kind, filter=f"customer:{value}")
            found = {row["deal"]["deal_id"]: row["is_repeat"] for row in listed["conversions"]}
            assert found == dict.fromkeys(known if is_repeat else {"a1", "b1", "c1", "c2"}, is_repeat)
    leads = {value: await get(told, "/v1/conversions", conversion="lead", filter=f"customer:{value}") for value in ("new", "existing", "!new")}
    assert {value: len(listed["conversions"]) for value, listed in leads.items()} == {"new": 3, "existing": 0, "!new": 0}


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


GROUPED = [
    ("path-length", "industry,country", "touches"),
    ("time-lag", "country", "days"),
    ("time-lag", "channel,customer", "channel,days"),
    ("paths", "industry,country", "path"),
    ("paths", "product,source", "path"),
    ("overlap", "type", "a,b"),
    ("sourced", "owner,industry", "sourced_by"),
    ("content", "country,section", "section"),
    ("content", "industry", "page"),
]


async def test_groups_of_every_report_add_up_to_the_report_without(told: httpx.AsyncClient) -> None:
    for report, by, own in GROUPED:
        columns, names = own.split(","), by.split(",")
        only_own = [name for name in names if name in ("channel", "source", "section")]
        properties = [name for name in names if name not in only_own]
        whole = await get(told, f"/v1/reports/{report}", **({"by": ",".join(only_own)} if only_own else {}))
        parted = await get(told, f"/v1/reports/{report}", by=by)
        assert all({*properties, *columns} <= row.keys() for row in parted["rows"])
        assert len({tuple(row[name] for name in properties) for row in parted["rows"]}) > 1
        # Nobody can say of which product they are who have no deal.
        known = "product" not in properties
        assert (report, sums(parted, columns, with_others=known)) == (report, sums(whole, columns, with_others=known))
        assert parted.get("totals") == whole.get("totals") or not known


def sums(report: dict[str, Any], columns: list[str], *, with_others: bool) -> dict[tuple[Any, ...], dict[str, float]]:
    """The figures by what is not a property; rows of nothing are none."""
    names = ["conversions", "revenue", "readers", "views", "customers", "pipeline", *(["non_converting"] if with_others else [])]
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in report["rows"]:
        of_row = found.setdefault(tuple(row[name] for name in columns), {})
        for name in (name for name in names if name in row):
            of_row[name] = of_row.get(name, 0) + float(row[name])
    return {key: each for key, each in found.items() if any(each.values())}


async def test_rows_of_journeys_carry_their_properties(told: httpx.AsyncClient) -> None:
    paths = await get(told, "/v1/reports/paths", by="country")
    assert paths["by"] == "country,channel"
    rows = [(row["country"], row["path"], row["conversions"], row["non_converting"], row["conversion_rate"]) for row in paths["rows"]]
    assert rows == [("DE", "Paid Search", 2, 0, 1.0), ("FR", "Email", 1, 0, 1.0), ("(not set)", "Email", 0, 1, 0.0)]
    paths = await get(told, "/v1/reports/paths", by="owner")
    assert {row["non_converting"] for row in paths["rows"]} == {None}
    lengths = await get(told, "/v1/reports/path-length", by="country", longest=1)
    rows = [(row["country"], row["touches"], row["conversions"]) for row in lengths["rows"]]
    assert rows == [("DE", "0", 0), ("DE", "1+", 2), ("FR", "0", 0), ("FR", "1+", 1)]
    assert lengths["groups"][0] == {"country": "DE", "conversions": 2, "mean_touches": 1.0, "median_touches": 1.0}
    lags = await get(told, "/v1/reports/time-lag", by="country,channel")
    rows = [(row["country"], row["channel"], row["days"], row["conversions"]) for row in lags["rows"]]
    assert rows == [("DE", "Paid Search", "3-7", 1), ("DE", "Paid Search", "8-14", 1), ("FR", "Email", "3-7", 1)]
    assert [(each["country"], each["conversions"]) for each in lags["groups"]] == [("DE", 2), ("FR", 1)]
    text = (await told.get("/v1/reports/sourced", headers=READER, params={"by": "country", "format": "csv"})).text
    assert text.splitlines()[:2] == ["country,sourced_by,conversions,revenue,currency", "DE,marketing,2,150.00,USD"]
    for report in ("path-length", "time-lag", "paths", "overlap", "content"):
        text = (await told.get(f"/v1/reports/{report}", headers=READER, params={"by": "country", "format": "csv"})).text
        assert "country" in text.splitlines()[0].split(",")


async def test_readers_are_of_the_segment_too(told: httpx.AsyncClient) -> None:
    for filters, readers in [([], 3), (["country:!DE"], 2), (["industry:Software"], 1), (["country:FR", "type:expansion"], 1)]:
        [section] = (await get(told, "/v1/reports/content", by="section", filter=filters))["rows"][:1]
        assert (filters, section["readers"]) == (filters, readers)
    shown = (await get(told, "/v1/reports/content", by="country,section"))["rows"]
    rows = [(row["section"], row["country"], row["readers"], row["customers"]) for row in shown]
    assert rows == [("shop.example/", "(not set)", 1, 0), ("shop.example/", "DE", 1, 2), ("shop.example/", "FR", 1, 1)]


async def test_csv_of_credit_adds_up(told: httpx.AsyncClient, database: Database) -> None:
    await tell(told, database, won("none", 7, "5.00", opened_at="2026-03-02T12:00:00Z"))
    for report, last in [
        ("lookback", [
            ["(uncredited: no_contact)", "", *["1", "5.00"] * 6, "USD"],
            ["(uncredited: outside_lookback)", "", "1", "50.00", *["0", "0.00"] * 5, "USD"],
        ]),
        ("models", [["(uncredited: no_contact)", "", model, "1", "5.00", "USD"] for model in MODELS]),
        ("pipeline", [["(uncredited: no_contact)", "", "1", "5.00", "USD", "5.00", "0.00"]]),
    ]:  # fmt: skip
        answer = await told.get(f"/v1/reports/{report}", headers=READER, params={"by": "industry,channel", "format": "csv"})
        assert [line.split(",") for line in answer.text.splitlines()[-len(last) :]] == last


async def test_models_side_by_side_show_influence(told: httpx.AsyncClient) -> None:
    answer = await get(told, "/v1/reports/models", by="channel", influenced=True)
    shown = [(row["channel"], row["influenced_conversions"], row["influenced_amount"]) for row in answer["rows"]]
    assert shown == [("Paid Search", 2, "150.00"), ("Email", 1, "30.00")]
    assert answer["not_additive"] == ["influenced_conversions", "influenced_amount"]
    text = (await told.get("/v1/reports/models", headers=READER, params={"influenced": True, "format": "csv"})).text
    assert text.splitlines()[0].endswith("currency,influenced_conversions,influenced_amount")


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
        ("/v1/reports/paths", {"by": "planet"}, "one of channel, source, medium, campaign; and any, with commas, of country, industry"),
        ("/v1/reports/paths", {"by": "channel,source"}, "only one of channel, source, medium, campaign"),
        ("/v1/reports/overlap", {"by": "landing_page"}, "country, industry"),
        ("/v1/reports/path-length", {"by": "channel"}, "any, with commas, of country, industry"),
        ("/v1/reports/sourced", {"by": "pipeline", "conversion": "opportunity"}, "deal_pipeline"),
        ("/v1/reports/time-lag", {"by": "country,country"}, "twice"),
        ("/v1/reports/content", {"by": "page,product"}, "one of page, section, form, asset; and any, with commas, of country, industry."),
    ]
    for path, params, named in refused:
        answer = await told.get(path, headers=READER, params=params)
        assert (answer.status_code, named in answer.json()["detail"]) == (422, True), (path, params, answer.text)
