"""Markov and Shapley over HTTP: closed ledgers, intervals, and what they decline to say."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from app.db import Database
from app.reports.attribution import attribution
from app.reports.parameters import AttributionFilters
from app.reports.remembered import Remembered
from app.sites.site import Site
from tests.attribution.ledgers import DAY, Conversion, Entry, Touched, store, store_labels
from tests.attribution.test_credit import conversions
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/attribution"
CHANNELS = ["Email", "Paid Search", "Referral", "Direct"]


@pytest.fixture(autouse=True)
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, CHANNELS)


def bought(*channels: str) -> Conversion:
    return Conversion([Touched((len(channels) - at) * DAY, channel) for at, channel in enumerate(channels)], [Entry(after=1_000, counts=1)])


async def many(database: Database) -> None:
    await store(database, [bought("Email", "Paid Search")] * 30 + [bought("Paid Search")] * 9 + [bought("Referral")])


async def test_markov_by_hand(database: Database, client: httpx.AsyncClient) -> None:
    await many(database)
    answer = await get(client, PATH, model="markov")
    # Without Paid Search 1 of 40 is left, without Email 10, without Referral 39: 39, 30 and 1 of 70.
    assert [(row["channel"], row["conversions"], row["revenue"], row["removal_effect"]) for row in answer["rows"]] == [
        ("Paid Search", 22.285714, "222.86", 0.975),
        ("Email", 17.142857, "171.43", 0.75),
        ("Referral", 0.571429, "5.71", 0.025),
    ]
    told = {
        name: answer[name]
        for name in ("order", "seed", "resamples", "journeys", "converting", "non_converting", "conversion_probability", "declined")
    }
    assert told == {
        "order": 1, "seed": 1, "resamples": 200, "journeys": 40, "converting": 40, "non_converting": 0, "conversion_probability": 1, "declined": None,
    }  # fmt: skip
    for row in answer["rows"]:
        assert row["low"] <= row["conversions"] <= row["high"]
        assert Decimal(row["revenue_low"]) <= Decimal(row["revenue"]) <= Decimal(row["revenue_high"])
    assert answer["cannot_be_ranked"] == []
    assert answer == await get(client, PATH, model="markov", seed=1, resamples=200, order=1) | {
        "computed_through": answer["computed_through"]
    }


async def test_shapley_by_hand(database: Database, client: httpx.AsyncClient) -> None:
    await many(database)
    answer = await get(client, PATH, model="shapley", by="source")
    assert [(row["source"], row["conversions"], row["revenue"]) for row in answer["rows"]] == [
        ("paid search", 24, "240.00"),
        ("email", 15, "150.00"),
        ("referral", 1, "10.00"),
    ]
    assert "removal_effect" not in answer["rows"][0]


async def test_too_few_conversions_get_figures_without_intervals(database: Database, client: httpx.AsyncClient) -> None:
    await store(database, [bought("Email")])
    for model in ("markov", "shapley"):
        answer = await get(client, PATH, model=model)
        assert "fewer than 30" in answer["declined"]
        assert (answer["cannot_be_ranked"], answer["rows"][0]["low"], answer["rows"][0]["revenue_high"]) == (None, None, None)
        assert answer["totals"]["credited"] == {"conversions": 1, "revenue": "10.00"}


async def test_as_csv(database: Database, client: httpx.AsyncClient) -> None:
    await store(database, [bought("Email")])
    answer = await client.get(PATH, headers=READER, params={"model": "markov", "format": "csv"})
    assert answer.text.splitlines() == [
        "channel,conversions,revenue,currency,low,high,revenue_low,revenue_high,removal_effect",
        "Email,1,10.00,USD,,,,,1.0",
    ]


@given(st.lists(conversions, max_size=6), st.sampled_from(["channel", "source", "campaign"]), st.booleans(), st.sampled_from([1, 2]))
async def test_rows_and_uncredited_add_up(
    database: Database, site: Site, stored: list[Conversion], by: str, exclude: bool, order: int
) -> None:
    await store(database, stored)
    for model in ("markov", "shapley"):
        asked = {"model": model, "by": by, "exclude_direct": exclude, "order": order, "from": "2025-12-31", "to": "2026-01-03"}
        async with database.read() as connection:
            report = await attribution(connection, site, AttributionFilters.model_validate(asked), datetime(2026, 1, 9, tzinfo=UTC))
        credited = report["totals"]["credited"]
        assert sum(round(row["conversions"] * 1_000_000) for row in report["rows"]) == round(credited["conversions"] * 1_000_000)
        assert sum((Decimal(row["revenue"]) for row in report["rows"]), Decimal(0)) == Decimal(credited["revenue"])


async def test_models_side_by_side(database: Database, client: httpx.AsyncClient) -> None:
    await many(database)
    answer = await get(client, "/v1/reports/models")
    assert answer["models"][-2:] == ["markov", "shapley"]
    assert answer["left_out"] == {}
    row = next(row for row in answer["rows"] if row["channel"] == "Email")
    assert {row["conversions"][model] for model in ("first_touch", "last_touch", "shapley")} == {30, 0, 15}
    assert row["revenue"]["markov"] == "171.43"
    assert row["spread"] == {
        "conversions": {"min": 0, "max": 30, "difference": 30},
        "revenue": {"min": "0.00", "max": "300.00", "difference": "300.00"},
    }
    assert answer["totals"]["credited"] == {"conversions": 40, "revenue": "400.00"}
    everything = await get(client, PATH, model="all")
    assert {"channel": "Email"} | row["spread"] in everything["spread"]
    table = await client.get("/v1/reports/models", headers=READER, params={"format": "csv"})
    assert "Email,shapley,15,150.00,USD" in table.text.splitlines()


async def test_what_data_driven_models_cannot_group_by(database: Database, client: httpx.AsyncClient) -> None:
    await many(database)
    everything = await get(client, PATH, model="all", by="channel,source")
    assert set(everything["left_out"]) == {"markov", "shapley"}
    assert "markov" not in everything["models"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": "markov", "by": "channel,source"}, "channel, source, campaign"),
    ({"model": "shapley", "by": "medium"}, "channel, source, campaign"),
    ({"model": "markov", "order": 4}, "less than or equal to 3"),
    ({"model": "markov", "resamples": 10}, "100"),
    ({"model": "markov", "seed": -1}, "0"),
]


async def test_what_is_not_allowed_is_refused_by_name(client: httpx.AsyncClient) -> None:
    for params, named in REFUSED:
        answer = await client.get(PATH, headers=READER, params=params)
        assert answer.status_code == 422
        assert named in answer.json()["detail"]


async def test_an_explanation_says_that_no_touch_is_credited(database: Database, client: httpx.AsyncClient) -> None:
    await store(database, [bought("Email")])
    found = (await get(client, "/v1/conversions"))["conversions"][0]["id"]
    answer = await get(client, f"/v1/conversions/{found}/explain", model="markov")
    assert "credits rows of a report, not touches" in answer["in_words"]
    assert [touch["conversions"] for touch in answer["touches"]] == [0]


async def test_an_answer_is_computed_once_until_something_changes(database: Database, client: httpx.AsyncClient) -> None:
    async def read_journeys(*answers: Any) -> int:
        """How often the journeys were read while the answers were awaited."""
        seen = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append("spelled" in statement)

        event.listen(Engine, "before_cursor_execute", note)
        await asyncio.gather(*answers)
        event.remove(Engine, "before_cursor_execute", note)
        return sum(seen)

    def markov(**more: Any) -> Any:
        return get(client, PATH, model="markov", **more)

    await tell(client, database, visit("v1", 1), form("v1", 1, "ada@example.com"), won("d1", 2, "10.00", "ada@example.com"))
    assert await read_journeys(markov(), markov()) == 2
    assert await read_journeys(markov(), get(client, PATH, model="all")) == 2
    assert await read_journeys(markov(), get(client, PATH, model="all")) == 0
    assert await read_journeys(markov(seed=2), markov(exclude_direct=True)) == 4
    await tell(client, database, won("d2", 3, "5.00", "ada@example.com"))
    assert await read_journeys(markov()) == 2
    assert (await markov())["converting"] == 2


async def test_whoever_waits_for_a_turn_holds_no_connection(database: Database, application: FastAPI, client: httpx.AsyncClient) -> None:
    await store(database, [bought("Email")])
    engine = application.state.database.engine
    async with Remembered.of(engine).turn:
        waiting = [asyncio.ensure_future(get(client, PATH, model="markov", seed=seed)) for seed in range(30)]
        assert (await get(client, PATH, model="linear"))["totals"]["conversions"] == 1
        for _ in range(500):  # until the key of each is checked
            await asyncio.sleep(0.01 if engine.pool.checkedout() else 0)
        assert engine.pool.checkedout() == 0
        assert not any(each.done() for each in waiting)
    assert {answer["totals"]["conversions"] for answer in await asyncio.gather(*waiting)} == {1}
