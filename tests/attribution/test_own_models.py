"""Models that a site names itself, and how little a built-in one needs: over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, case

from app.attribution.credit import credit_by
from app.attribution.models import DATA_DRIVEN
from app.attribution.rules import MODELS, Touch
from app.db import Database
from app.sites.site import Site, load_site, load_site_then
from app.sites.weights import OwnModel, Weights
from app.tables import from_micros, to_micros
from tests.attribution.ledgers import DAY, NOON, Conversion, Touched, question, store, store_labels
from tests.attribution.witness import credit_by_channel, weights_of
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
OURS = {"first": 40, "lead": 30, "opportunity": 0, "last": 20, "rest": 10}
CHANNELS = ["Email", "Paid Search", "Direct", "Referral"]

Call = Callable[..., Any]


@pytest.fixture(autouse=True)
async def conversion(database: Database, site: Site) -> None:
    """Four touches, one a day, the third of them the lead's."""
    assert site.site_id == "default"
    await store_labels(database, CHANNELS)
    await store(database, [Conversion([Touched((4 - at) * DAY, channel) for at, channel in enumerate(CHANNELS)], lead_age=DAY * 3 // 2)])


@pytest.fixture
def call(client: httpx.AsyncClient) -> Call:
    async def call(method: str, path: str, status: int = 200, json: Any = None, **params: Any) -> Any:
        answer = await client.request(method, path, headers=ADMIN, json=json, params=params)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return call


def shares(report: dict[str, Any]) -> dict[str, float]:
    return {row["channel"]: row["conversions"] for row in report["rows"]}


async def test_adding_a_model_needs_one_function_and_one_entry(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def second_to_last(touch: Touch) -> ColumnElement[int]:
        """All to the touch before the last. One touch: all to it."""
        return case((touch.length == 1, 1), (touch.position == touch.last_position - 1, 1), else_=0)

    monkeypatch.setitem(MODELS, "second_to_last", second_to_last)
    report = await call("GET", "/v1/reports/attribution", model="second_to_last")
    assert (shares(report), report["totals"]["credited"]) == ({"Direct": 1}, {"conversions": 1, "revenue": "100.00"})
    assert "second_to_last" in (await call("GET", "/v1/reports/attribution", model="all"))["models"]
    [row] = (await call("GET", "/v1/conversions", model="second_to_last"))["conversions"]
    explained = await call("GET", f"/v1/conversions/{row['id']}/explain", model="second_to_last")
    assert [touch["conversions"] for touch in explained["touches"]] == [0, 0, 1, 0]
    refused = await call("GET", "/v1/reports/attribution", 422, model="third_to_last")
    assert "second_to_last" in refused["detail"]


async def test_a_site_s_own_model_is_made_used_changed_and_removed(call: Call) -> None:
    made = await call("POST", "/v1/models", 201, {"name": "ours", "weights": OURS})
    assert (made["name"], made["weights"]) == ("ours", OURS)
    report = await call("GET", "/v1/reports/attribution", model="ours")
    assert (report["model"], report["weights"]) == ("ours", OURS)
    assert shares(report) == {"Email": 0.4, "Direct": 0.3, "Referral": 0.2, "Paid Search": 0.1}
    assert list((await call("GET", "/v1/reports/attribution", model="all"))["models"]) == [*MODELS, "ours", *DATA_DRIVEN]
    [row] = (await call("GET", "/v1/conversions", model="ours"))["conversions"]
    explained = await call("GET", f"/v1/conversions/{row['id']}/explain", model="ours")
    assert (explained["weights"], [touch["revenue"] for touch in explained["touches"]]) == (OURS, ["40.00", "10.00", "30.00", "20.00"])
    changed = await call("PATCH", "/v1/models/ours", json={"weights": {"lead": 7.5, "opportunity": 22.5}})
    assert changed["weights"] == {"first": 40, "lead": 7.5, "opportunity": 22.5, "last": 20, "rest": 10}
    assert changed["changed_at"] > made["changed_at"]
    # No opportunity: 40, 7.5, 20 and 10 of 77.5.
    again = await call("GET", "/v1/reports/attribution", model="ours")
    assert (again["weights"], shares(again)["Email"]) == (changed["weights"], 0.516129)
    assert await call("GET", "/v1/models") == {"models": [changed], "built_in": [*MODELS, *DATA_DRIVEN]}
    assert await call("GET", "/v1/models/ours") == changed
    await call("DELETE", "/v1/models/ours", 204)
    await call("DELETE", "/v1/models/ours", 404)
    await call("GET", "/v1/models/ours", 404)
    assert "linear" in (await call("GET", "/v1/reports/attribution", 422, model="ours"))["detail"]
    await call("POST", "/v1/models", 201, {"name": "ours", "weights": OURS})


async def test_an_earlier_moment_has_its_own_weights(call: Call, database: Database, site: Site) -> None:
    made = await call("POST", "/v1/models", 201, {"name": "ours", "weights": OURS})
    changed = await call("PATCH", "/v1/models/ours", json={"weights": {"first": 10, "last": 50}})
    await call("DELETE", "/v1/models/ours", 204)
    moments = [to_micros(datetime.fromisoformat(each["changed_at"])) for each in (made, changed)]
    async with database.read() as connection:
        for moment, expected in ((moments[0] - 1, []), (moments[0], [40]), (moments[1] - 1, [40]), (moments[1], [10])):
            then = await load_site_then(connection, site, moment)
            assert [each.weights.as_numbers()["first"] for each in then.models] == expected
        assert (await load_site(connection, "default")).models == ()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "ours", "weights": {**OURS, "rest": 11}}, "add up to 101"),
    ({"name": "ours", "weights": {"first": 22.5, "last": 22.5}}, "add up to 45:"),
    ({"name": "ours", "weights": {}}, "add up to 0:"),
    ({"name": "ours", "weights": {"first": 110, "last": -10}}, "greater than or equal to 0"),
    ({"name": "ours", "weights": {"first": 33.33, "last": 66.67}}, "multiple of 0.1"),
    ({"name": "ours", "weights": {"first": "NaN", "last": 100}}, "finite"),
    ({"name": "ours", "weights": {"middle": 100}}, "middle"),
    ({"name": "linear", "weights": OURS}, "taken"),
    ({"name": "Markov", "weights": OURS}, "taken"),
    ({"name": "all", "weights": OURS}, "taken"),
    ({"name": "a b", "weights": OURS}, "letters"),
    ({"name": "ours"}, "weights"),
]


async def test_what_is_not_allowed_is_refused_by_name(call: Call) -> None:
    for body, named in REFUSED:
        assert named in (await call("POST", "/v1/models", 422, body))["detail"], body
    await call("POST", "/v1/models", 201, {"name": "ours", "weights": OURS})
    await call("POST", "/v1/models", 409, {"name": "ours", "weights": OURS})
    assert "add up to 110" in (await call("PATCH", "/v1/models/ours", 422, {"weights": {"rest": 20}}))["detail"]
    assert "name" in (await call("PATCH", "/v1/models/ours", 422, {"name": "theirs"}))["detail"]
    for model in ("theirs", "x" * 65):
        refused = await call("GET", "/v1/reports/attribution", 422, model=model)
        assert "at most 64" in refused["detail"] or "inverse_j_shaped, ours, " in refused["detail"]
    assert "ours" in (await call("GET", "/v1/conversions", 422, model="theirs"))["detail"]


async def test_who_may_see_and_who_may_change(client: httpx.AsyncClient, call: Call) -> None:
    made = {scope: (await call("POST", "/v1/keys", 201, {"scopes": [scope]}))["key"] for scope in ("ingest", "read", "admin")}
    for scope, seen, changed in (("ingest", 403, 403), ("read", 200, 403), ("admin", 200, 201)):
        headers = {"Authorization": f"Bearer {made[scope]}"}
        assert (await client.get("/v1/models", headers=headers)).status_code == seen
        assert (await client.post("/v1/models", headers=headers, json={"name": "ours", "weights": OURS})).status_code == changed


# ---------------------------------------------------------------- the same as plain Python

permilles = st.lists(st.integers(0, 1_000), min_size=4, max_size=4).map(sorted)
touches = st.lists(st.builds(Touched, st.integers(0, 4).map(lambda days: days * DAY), st.sampled_from(CHANNELS)), min_size=1, max_size=8)
ages = st.one_of(st.none(), st.integers(0, 4).map(lambda days: days * DAY))
conversions = st.builds(
    lambda found, lead, opportunity: Conversion(sorted(found, key=lambda touch: -touch.age), lead_age=lead, opportunity_age=opportunity),
    touches, ages, ages,
)  # fmt: skip


@given(permilles, st.lists(conversions, min_size=1, max_size=5))
async def test_any_weights_give_what_plain_python_gives(database: Database, cuts: list[int], stored: list[Conversion]) -> None:
    parts = [after - before for before, after in zip([0, *cuts], [*cuts, 1_000], strict=True)]
    await _compare(database, dict(zip(Weights.model_fields, parts, strict=True)), stored)


@pytest.mark.parametrize("weights", [{"lead": 1_000}, {"opportunity": 500, "lead": 500}, {"rest": 1_000}, {"first": 999, "rest": 1}])
async def test_weights_that_may_find_no_touch(database: Database, weights: dict[str, int]) -> None:
    found = [Touched((3 - at) * DAY, channel) for at, channel in enumerate(CHANNELS)]
    for lead_age in (None, 9 * DAY, DAY, 0):
        await _compare(database, weights, [Conversion(found, lead_age=lead_age), Conversion(found[:1], lead_age=lead_age)])


async def test_the_longest_journey_stays_exact(database: Database) -> None:
    long = Conversion([Touched((1_000 - at) * DAY // 10, CHANNELS[at % 4]) for at in range(1_000)], lead_age=DAY)
    await _compare(database, {"first": 331, "lead": 333, "opportunity": 335, "rest": 1}, [long])


async def _compare(database: Database, permille: dict[str, int], stored: list[Conversion]) -> None:
    weights = Weights.model_validate({name: share / 10 for name, share in permille.items()})
    asked = question(own_models=(OwnModel("ours", weights, from_micros(NOON)),))
    await store(database, stored)
    async with database.read() as connection:
        rows = await connection.execute(credit_by(asked, "ours", ["channel"]), asked.parameters)
        found = {row.channel: (row.millionths, row.minor) for row in rows}
    assert found == credit_by_channel(stored, asked, "ours", weights_of(**{"rest": 0, **permille}))
