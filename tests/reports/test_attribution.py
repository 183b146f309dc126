"""The attribution report over HTTP."""

from __future__ import annotations

import httpx
import pytest

from app.attribution.rules import MODELS
from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, NOON, Conversion, Entry, Touched, store, store_labels
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

READER = {"Authorization": f"Bearer {SECRET_KEY}"}
PATH = "/v1/reports/attribution"


@pytest.fixture(autouse=True)
async def conversions(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, ["Email", "Direct", "=cmd()"])
    await store(
        database,
        [
            Conversion([Touched(2 * DAY, "Email"), Touched(DAY, "=cmd()"), Touched(0, "Direct")], [Entry(after=10_000, counts=1)]),
            Conversion([Touched(DAY, "Email")], [Entry(after=500, counts=1), Entry(before=500, after=-100)], currency="EUR"),
            Conversion([], [Entry(after=7, counts=1)], has_people=False),
        ],
    )


async def test_the_answer_is_a_closed_ledger(client: httpx.AsyncClient) -> None:
    answer = (await client.get(PATH, headers=READER, params={"from": "2026-01-01", "to": "2026-01-02"})).json()
    assert answer.pop("computed_through").endswith("Z")
    assert answer == {
        "conversion": "customer",
        "model": "linear",
        "by": "channel",
        "from": "2026-01-01",
        "to": "2026-01-02",
        "timezone": "UTC",
        "currency": "USD",
        "lookback_days": 365,
        "exclude_direct": False,
        "touches_until": "close",
        "settings_version": 1,
        "first_touch_outside_lookback": {"conversions": 0, "share": 0},
        "rebuilding": None,
        "as_of": None,
        "rows": [
            {"channel": "Email", "conversions": 1.333334, "revenue": "33.34"},
            {"channel": "=cmd()", "conversions": 0.333333, "revenue": "33.33"},
            {"channel": "Direct", "conversions": 0.333333, "revenue": "33.33"},
        ],
        "totals": {
            "conversions": 3,
            "revenue": "100.07",
            "credited": {"conversions": 2, "revenue": "100.00"},
            "uncredited": {
                "conversions": 1,
                "revenue": "0.07",
                "reasons": {
                    "no_contact": {"conversions": 1, "revenue": "0.07"},
                    "unconverted": {"conversions": 0, "revenue": "0.00", "amounts": [{"currency": "EUR", "revenue": "-1.00"}]},
                },
            },
        },
    }


async def test_all_models_side_by_side_and_several_dimensions(client: httpx.AsyncClient) -> None:
    answer = (await client.get(PATH, headers=READER, params={"model": "all", "by": "channel,source"})).json()
    assert list(answer["models"]) == [*MODELS]
    assert answer["models"]["first_touch"]["rows"] == [{"channel": "Email", "source": "email", "conversions": 2, "revenue": "100.00"}]
    assert answer["models"]["time_decay"]["half_life_days"] == 7
    totals = [report["totals"] for report in answer["models"].values()]
    assert totals == [totals[0]] * len(MODELS)


async def test_csv_has_no_cell_that_runs(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, headers=READER, params={"format": "csv", "model": "position_based"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines() == [
        "channel,conversions,revenue,currency",
        "Email,1.4,40.00,USD",
        "Direct,0.4,40.00,USD",
        "'=cmd(),0.2,20.00,USD",
        "(uncredited: no_contact),1,0.07,USD",
    ]


async def test_influence_does_not_add_up_and_says_so(client: httpx.AsyncClient) -> None:
    answer = (
        await client.get(PATH, headers=READER, params={"influenced": "true", "model": "first_touch", "exclude_direct": "true"})
    ).json()
    assert answer["not_additive"] == ["influenced_conversions", "influenced_amount"]
    assert answer["rows"] == [
        {"channel": "Email", "conversions": 2, "revenue": "100.00", "influenced_conversions": 2, "influenced_amount": "100.00"},
        {"channel": "=cmd()", "conversions": 0, "revenue": "0.00", "influenced_conversions": 1, "influenced_amount": "100.00"},
    ]
    leads = (await client.get(PATH, headers=READER, params={"influenced": "true", "conversion": "lead"})).json()
    assert leads["not_additive"] == ["influenced_conversions"]


async def test_csv_of_several_dimensions_and_influence_adds_up(client: httpx.AsyncClient) -> None:
    params = {"format": "csv", "model": "last_touch", "by": "source,channel", "influenced": "true"}
    assert (await client.get(PATH, headers=READER, params=params)).text.splitlines() == [
        "source,channel,conversions,revenue,currency,influenced_conversions,influenced_amount",
        "direct,Direct,1,100.00,USD,1,100.00",
        "email,Email,1,0.00,USD,2,100.00",
        "'=cmd(),'=cmd(),0,0.00,USD,1,100.00",
        "(uncredited: no_contact),,1,0.07,USD,,",
    ]


async def test_leads_are_counted_only(client: httpx.AsyncClient) -> None:
    answer = (await client.get(PATH, headers=READER, params={"conversion": "lead"})).json()
    assert answer["lookback_days"] == 90
    assert (answer["rows"], answer["totals"]["credited"]) == ([], {"conversions": 0})


async def test_local_days_begin_in_the_zone_of_the_site(client: httpx.AsyncClient) -> None:
    changed = await client.patch("/v1/sites/default", headers=READER, json={"timezone": "Pacific/Auckland"})
    assert changed.status_code == 200
    # 12:00 UTC on 1 January is 01:00 on 2 January there.
    for day, counted in (("2026-01-01", 0), ("2026-01-02", 3)):
        params = {"from": day, "to": f"{day[:-1]}{int(day[-1]) + 1}"}
        assert (await client.get(PATH, headers=READER, params=params)).json()["totals"]["conversions"] == counted
    assert NOON % DAY == DAY / 2


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"model": "magic"}, "position_based"),
    ({"by": "channel,planet"}, "landing_page"),
    ({"by": "channel,channel"}, "twice"),
    ({"by": ","}, "twice"),
    ({"conversion": "dream"}, "lead, mql, sql, opportunity, customer"),
    ({"from": "2026-02-01", "to": "2026-02-01"}, "earlier"),
    ({"from": "1769904000"}, "YYYY-MM-DD"),
    ({"to": "2026-02-30"}, "to"),
    ({"from": "0001-01-01"}, "1970"),
    ({"lookback_days": "0"}, "lookback_days"),
    ({"lookback_days": "731"}, "lookback_days"),
    ({"half_life_days": "nan"}, "half_life_days"),
    ({"half_life_days": "0"}, "greater than 0"),
    ({"half_life_days": "366"}, "less than or equal to 365"),
    ({"touches_until": "mql"}, "'close', 'opportunity' or 'lead'"),
    ({"format": "xml"}, "csv"),
    ({"lookback": "30"}, "lookback"),
]


async def test_what_is_not_allowed_is_refused_by_name(client: httpx.AsyncClient) -> None:
    for params, named in REFUSED:
        answer = await client.get(PATH, headers=READER, params=params)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), params
        assert named in answer.json()["detail"]


async def test_an_empty_value_is_an_absent_one(client: httpx.AsyncClient) -> None:
    empty = await client.get(f"{PATH}?conversion=customer&model=&by=&from=&to=&lookback_days=&exclude_direct=false", headers=READER)
    assert empty.status_code == 200, empty.text
    assert (empty.json()["model"], empty.json()["from"], empty.json()["lookback_days"]) == ("linear", None, 365)


async def test_only_a_reader_may_read(client: httpx.AsyncClient) -> None:
    for headers, status in (({}, 401), ({"Authorization": "Bearer nonsense"}, 401), ({"Authorization": f"Bearer {WRITE_KEY}"}, 403)):
        assert (await client.get(PATH, headers=headers)).status_code == status
