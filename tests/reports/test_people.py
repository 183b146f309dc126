"""Finding people, and all that is known of one."""

from __future__ import annotations

import httpx
import pytest

from app.db import Database
from app.sites.site import Site
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio


async def test_any_id_of_a_person_leads_to_the_whole_of_it(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await tell(
        client,
        database,
        visit("phone", 1, "https://shop.example/?utm_source=letter&utm_medium=email"),
        visit("laptop", 2),
        form("phone", 3, "ada@example.com", user_id="u-7"),
        form("laptop", 4, "Ada@Example.com "),
        won("d1", 9, "10", "ada@example.com", name="Big one"),
    )
    (person,) = (await get(client, "/v1/people", email="ADA@example.com"))["people"]
    assert person["is_identified"]
    assert {(key["kind"], key["value"]) for key in person["keys"]} == {("email", "ada@example.com"), ("user_id", "u-7")}
    assert (await get(client, "/v1/people", user_id="u-7"))["people"] == [person]

    journey = await get(client, f"/v1/people/{person['id']}/journey")
    for member in (person["keys"][0]["id"], person["keys"][1]["id"], "phone", "v_laptop", "laptop"):
        assert await get(client, f"/v1/people/{member}/journey") == journey
    assert [(touch["visitor_id"], touch["channel"]) for touch in journey["touches"]][:2] == [("phone", "Email"), ("laptop", "Direct")]
    assert [event["event_id"] for event in journey["events"]] == ["phone-1", "laptop-2", "phone-form-3", "laptop-form-4"]
    assert [(deal["name"], deal["amount"], deal["outcome"]) for deal in journey["deals"]] == [("Big one", "10.00", "won")]
    assert {conversion["kind"] for conversion in journey["conversions"]} >= {"lead", "opportunity", "customer"}
    assert {tie["visitor_id"]: tie["because_of"] for tie in journey["identity"]["visitors"]} == {
        "phone": {"visitor_id": "phone", "event_id": "phone-form-3"},
        "laptop": {"visitor_id": "laptop", "event_id": "laptop-form-4"},
    }

    undo = journey["identity"]["evidence"][0]["fact"]
    assert undo == {"visitor_id": "phone", "event_id": "phone-form-3"}
    assert (await client.post("/v1/people/unlink", headers=READER, json=undo)).status_code == 202
    await tell(client, database)
    after = await get(client, f"/v1/people/{(await get(client, '/v1/people', email='ada@example.com'))['people'][0]['id']}/journey")
    assert [tie["visitor_id"] for tie in after["identity"]["visitors"]] == ["laptop"]
    assert (await get(client, "/v1/people/phone/journey"))["person"] == {
        "id": "v_phone", "is_identified": False, "is_internal": False, "name": None, "company": None, "keys": [],
    }  # fmt: skip


async def test_nobody_is_found_by_what_nobody_has(client: httpx.AsyncClient) -> None:
    assert await get(client, "/v1/people", email="nobody@example.com") == {"people": []}
    assert (await client.get("/v1/people/nobody/journey", headers=READER)).status_code == 404
    for params in ({}, {"email": "not an address"}, {"name": "Ada"}):
        assert (await client.get("/v1/people", headers=READER, params=params)).status_code == 422
