"""The holdout report over HTTP: an experiment beside the credit of its channel."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, Conversion, Touched, store, store_labels
from tests.reports.story import READER, get

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/holdout"
COUNTS: dict[str, Any] = {"shown_people": 1_000, "shown_conversions": 50, "held_out_people": 500, "held_out_conversions": 15}
ASKED = {"channel": "Email", **COUNTS}


@pytest.fixture(autouse=True)
async def conversions(database: Database, site: Site) -> None:
    """Sixty customers: Email first in all, and last in ten."""
    assert site.site_id == "default"
    await store_labels(database, ["Email", "Display", "SMS"])
    twice = Conversion([Touched(2 * DAY, "Email"), Touched(DAY, "Display")])
    await store(database, [twice] * 50 + [Conversion([Touched(DAY, "Email")])] * 10)


async def test_the_experiment_stands_beside_the_credit(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, **ASKED, model="linear")
    assert (answer["channel"], answer["model"], answer["conversion"]) == ("Email", "linear", "customer")
    assert answer["shown"]["rate"] == {"value": 0.05, "low": 0.038130262, "high": 0.06531382}
    assert answer["held_out"] == {"people": 500, "conversions": 15, "rate": {"value": 0.03, "low": 0.018263213, "high": 0.048903667}}
    # Newcombe's limits, by hand: 0.02 - sqrt((0.05-0.038130)^2 + (0.048904-0.03)^2), 0.02 + sqrt((0.065314-0.05)^2 + (0.03-0.018263)^2).
    assert answer["absolute_lift"] == {"value": 0.02, "low": -0.002321274, "high": 0.039294177}
    assert answer["incremental_conversions"] == {"value": 20.0, "low": -2.321, "high": 39.294}
    # Katz: (5/3)·e^(±1.959964·sqrt(1/50 - 1/1000 + 1/15 - 1/500)) - 1.
    assert answer["relative_lift"] == {"value": 0.666667, "low": -0.054553, "high": 1.938058}
    assert answer["rows"] == [
        {
            "model": "linear",
            "credited": 35,
            "compared": "within",
            "in_words": "linear credits 35; the experiment says -2.3 to 39: in line with it.",
        }
    ]
    assert (
        "Among the 1,000 shown it made 20 conversions that would not have been, between -2.3 and 39 at 95% confidence."
        in answer["in_words"]
    )
    assert ["interval holds zero" in warning for warning in answer["warnings"]] == [True, False]
    assert "counts 65 conversions, and this site only 60 of customer" in answer["warnings"][1]


async def test_every_model_is_compared(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, **{**ASKED, "shown_conversions": 45, "held_out_conversions": 10})
    rows = {row["model"]: row for row in answer["rows"]}
    assert list(rows) == list((await get(client, "/v1/reports/attribution", model="all"))["models"])
    assert (rows["first_touch"]["credited"], rows["first_touch"]["compared"]) == (60, "above")
    assert rows["first_touch"]["in_words"].endswith("more than the experiment allows.")
    assert (rows["last_touch"]["credited"], rows["last_touch"]["compared"]) == (10, "within")
    assert answer["warnings"] == []


async def test_an_interval_of_days_and_a_channel_without_credit(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, **{**ASKED, "channel": "SMS"}, **{"from": "2026-01-02", "to": "2026-01-03"}, model="linear")
    assert (answer["from"], answer["rows"][0]["credited"]) == ("2026-01-02", 0)


async def test_what_an_experiment_cannot_show_is_said(client: httpx.AsyncClient) -> None:
    small = await get(client, PATH, channel="Email", shown_people=20, shown_conversions=1, held_out_people=20, held_out_conversions=0)
    assert small["relative_lift"] is None
    for words in ("too small", "holds zero", "no relative lift"):
        assert any(words in warning for warning in small["warnings"]), words
    worse = await get(
        client, PATH, channel="Email", shown_people=1_000, shown_conversions=5, held_out_people=1_000, held_out_conversions=50
    )
    assert any("below zero" in warning for warning in worse["warnings"])


async def test_csv(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, headers=READER, params={**ASKED, "model": "linear", "format": "csv"})
    assert answer.text.splitlines() == ["model,credited,compared,incremental,low,high", "linear,35,within,20.0,-2.321,39.294"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"channel": "Telepathy"}, "Display, Email"),
    ({"channel": None}, "channel"),
    ({"shown_people": 0, "shown_conversions": 0}, "shown_people"),
    ({"held_out_people": 0, "held_out_conversions": 0}, "held_out_people"),
    ({"shown_conversions": 1_001}, "shown_conversions may be at most shown_people (1000)"),
    ({"held_out_conversions": 501}, "held_out_conversions may be at most held_out_people (500)"),
    ({"shown_conversions": -1}, "shown_conversions"),
    ({"shown_conversions": None}, "shown_conversions"),
    ({"shown_people": "many"}, "shown_people"),
    ({"shown_people": 10**8 + 1}, "shown_people: Input should be less than or equal to 100000000"),
    ({"model": "magic"}, "position_based"),
    ({"conversion": "dream"}, "customer"),
    ({"from": "2026-01-02", "to": "2026-01-02"}, "earlier"),
    ({"by": "channel"}, "by"),
    ({"as_of": "soon"}, "as_of"),
]


async def test_impossible_numbers_are_refused_by_their_rule(client: httpx.AsyncClient) -> None:
    for changes, named in REFUSED:
        params = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
        answer = await client.get(PATH, headers=READER, params=params)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (changes, answer.text)
        assert named in answer.json()["detail"], (changes, answer.text)
