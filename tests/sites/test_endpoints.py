"""`/v1/sites`, `/v1/keys` and `/v1/connections`, on both databases."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import httpx
import pytest

from app import tables
from app.db import Database
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

SIGNING = "whsec_" + b64encode(b"x" * 24).decode()


class Api:
    """Calls with one key."""

    def __init__(self, client: httpx.AsyncClient, key: str | None) -> None:
        self.client = client
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = await self.client.request(method, path, json=body, headers=self.headers)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
async def api(client: httpx.AsyncClient) -> Api:
    return Api(client, SECRET_KEY)


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("path", ["/v1/sites", "/v1/keys", "/v1/connections"])
async def test_who_may_administer(api: Api, path: str) -> None:
    _, reader = await api("POST", "/v1/keys", {"scopes": ["read", "ingest"]})
    for key, status in ((None, 401), ("nobody", 401), (WRITE_KEY, 403), (reader["key"], 403), (SECRET_KEY, 200)):
        assert (await Api(api.client, key)("GET", path))[0] == status
    answer = await api.client.get(path, headers={"Authorization": f"Basic {SECRET_KEY}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await api.client.get(path, params={"key": SECRET_KEY})).status_code == 401


async def test_what_belongs_to_another_is_not_even_there(api: Api) -> None:
    await api("POST", "/v1/sites", {"id": "shop"})
    await api("POST", "/v1/connections?site=shop", {"id": "shop-crm"})
    _, own = await api("POST", "/v1/keys", {"site": "default", "scopes": ["admin"]})
    _, of_shop = await api("POST", "/v1/keys", {"site": "shop", "scopes": ["admin"]})
    stranger = Api(api.client, own["key"])
    for method, path, body, status in (
        ("GET", "/v1/sites/shop", None, 404),
        ("PATCH", "/v1/sites/shop", {"currency": "EUR"}, 404),
        ("DELETE", "/v1/sites/shop", None, 404),
        ("GET", f"/v1/keys/{of_shop['id']}", None, 404),
        ("PATCH", f"/v1/keys/{of_shop['id']}", {"label": "mine"}, 404),
        ("DELETE", f"/v1/keys/{of_shop['id']}", None, 404),
        ("POST", "/v1/keys", {"site": "shop"}, 403),
        ("POST", "/v1/keys", {"sites": ["default", "shop"]}, 404),
        ("PATCH", f"/v1/keys/{own['id']}", {"sites": ["default", "shop"]}, 404),
        ("GET", "/v1/connections?site=shop", None, 403),
        ("GET", "/v1/connections/shop-crm", None, 404),
        ("PATCH", "/v1/connections/shop-crm", {"secret": None}, 404),
        ("DELETE", "/v1/connections/shop-crm", None, 404),
        ("POST", "/v1/connections", {"id": "shop-crm"}, 409),
    ):
        assert (await stranger(method, path, body))[0] == status, (method, path)
    assert [site["id"] for site in (await stranger("GET", "/v1/sites"))[1]["sites"]] == ["default"]
    assert of_shop["id"] not in [key["id"] for key in (await stranger("GET", "/v1/keys"))[1]["keys"]]


# ---------------------------------------------------------------- sites


async def test_a_site_lives(api: Api) -> None:
    goals = [{"name": "demo", "path": "/demo*"}]
    status, made = await api("POST", "/v1/sites", {"id": "shop", "timezone": "Europe/Berlin", "currency": "eur", "goals": goals})
    assert (status, made["id"], made["currency"], made["goals"][0]["once_per"], made["settings_version"]) == (201, "shop", "EUR", "person", 1)
    assert (await api("POST", "/v1/sites", {"id": "shop"}))[0] == 409
    status, changed = await api("PATCH", "/v1/sites/shop", {"hosts": ["www.shop.example"], "goals": None})
    assert (status, changed["hosts"], changed["goals"], changed["settings_version"]) == (200, ["shop.example"], [], 2)
    assert (await api("GET", "/v1/sites/shop")) == (200, changed)
    assert [site["id"] for site in (await api("GET", "/v1/sites"))[1]["sites"]] == ["default", "shop"]
    assert await api("DELETE", "/v1/sites/shop") == (204, None)
    assert (await api("GET", "/v1/sites/shop"))[0] == 404


async def test_making_a_site_breaks_no_request_of_its_maker(api: Api) -> None:
    await api("POST", "/v1/sites", {"id": "shop", "currency": "EUR"})
    assert (await api("GET", "/v1/connections")) == (200, {"connections": []})
    assert (await api("POST", "/v1/connections", {"id": "crm"}))[1]["site"] == "default"
    assert (await api("POST", "/v1/connections?site=shop", {"id": "shop-crm"}))[1]["site"] == "shop"


@pytest.mark.parametrize(
    "body",
    [{}, {"id": ""}, {"id": "a b"}, {"id": "x", "timezone": "Mars"}, {"id": "x", "nonsense": 1}, {"id": "x", "goals": [{"name": "lead", "path": "/"}]},
     {"id": "x", "customer_space": "crm"}, [], "x"],
)  # fmt: skip
async def test_sites_that_cannot_be(api: Api, body: Any) -> None:
    status, problem = await api("POST", "/v1/sites", body)
    assert (status, problem["status"]) == (422, 422)
    assert len((await api("GET", "/v1/sites"))[1]["sites"]) == 1


@pytest.mark.parametrize("changes", [{"id": "other"}, {"currency": "EURO"}, {"goals": {}}, {"hosts": "shop.example"}, []])
async def test_changes_that_cannot_be(database: Database, api: Api, changes: Any) -> None:
    assert (await api("PATCH", "/v1/sites/default", changes))[0] == 422
    await assert_rows(database, tables.site_versions, ["version"], [[1]])


async def test_the_space_of_customers_is_a_connections(api: Api) -> None:
    status, problem = await api("PATCH", "/v1/sites/default", {"customer_space": "crm"})
    assert (status, "allowed: generic" in problem["detail"]) == (422, True)
    await api("POST", "/v1/connections", {"id": "crm"})
    assert (await api("PATCH", "/v1/sites/default", {"customer_space": "crm"}))[1]["customer_space"] == "generic"


# ---------------------------------------------------------------- keys


async def test_a_key_lives(api: Api) -> None:
    status, made = await api("POST", "/v1/keys", {"label": "reports", "scopes": ["read", "admin"]})
    assert (status, made["sites"], made["scopes"], made["kind"]) == (201, ["default"], ["read", "admin"], "secret")
    shown = {name: value for name, value in made.items() if name != "key"}
    assert (await api("GET", f"/v1/keys/{made['id']}")) == (200, shown)
    holder = Api(api.client, made["key"])
    assert (await holder("GET", "/v1/sites"))[0] == 200
    assert (await api("PATCH", f"/v1/keys/{made['id']}", {"scopes": ["read"], "label": "less"}))[1]["scopes"] == ["read"]
    assert (await holder("GET", "/v1/sites"))[0] == 403
    assert await api("DELETE", f"/v1/keys/{made['id']}") == (204, None)
    assert (await holder("GET", "/v1/sites"))[0] == 401
    assert (await api("GET", f"/v1/keys/{made['id']}"))[1]["revoked_at"] is not None
    assert (await api("DELETE", f"/v1/keys/{made['id']}"))[0] == 404


@pytest.mark.parametrize("path", ["/v1/keys/%00", "/v1/keys/nobody", "/v1/sites/%00", "/v1/connections/%00", "/v1/connections/" + "x" * 300])
async def test_ids_that_nothing_has(api: Api, path: str) -> None:
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert (await api(method, path, body))[0] == 404, method


async def test_sites_made_at_once_all_reach_their_maker(api: Api) -> None:
    made = await asyncio.gather(*(api("POST", "/v1/sites", {"id": f"shop{n}"}) for n in range(4)))
    assert [status for status, _ in made] == [201] * 4
    assert len((await api("GET", "/v1/sites"))[1]["sites"]) == 5


async def test_no_secret_key_is_shown_again(api: Api) -> None:
    _, secret = await api("POST", "/v1/keys", {})
    _, public = await api("POST", "/v1/keys", {"kind": "write"})
    listed = (await api.client.get("/v1/keys", headers=api.headers)).text
    assert secret["key"] not in listed
    assert SECRET_KEY not in listed
    assert public["key"] in listed


async def test_a_key_of_several_sites_names_one(api: Api) -> None:
    await api("POST", "/v1/sites", {"id": "shop"})
    _, made = await api("POST", "/v1/keys", {"sites": ["shop", "default"], "scopes": ["admin"]})
    both = Api(api.client, made["key"])
    status, problem = await both("GET", "/v1/connections")
    assert (status, "default, shop" in problem["detail"]) == (422, True)
    assert (await both("GET", "/v1/connections?site=shop"))[0] == 200
    assert (await both("GET", "/v1/connections?site=else"))[0] == 403


@pytest.mark.parametrize(
    "body",
    [{"kind": "master"}, {"scopes": ["write"]}, {"scopes": []}, {"sites": []}, {"kind": "write", "sites": ["default", "shop"]},
     {"site": "default", "sites": ["default"]}, {"label": "a\x00b"}, {"key": "my own"}],
)  # fmt: skip
async def test_keys_that_cannot_be(api: Api, body: dict[str, Any]) -> None:
    await api("POST", "/v1/sites", {"id": "shop"})
    before = (await api("GET", "/v1/keys"))[1]
    assert (await api("POST", "/v1/keys", body))[0] == 422
    assert (await api("GET", "/v1/keys"))[1] == before


async def test_a_key_that_also_serves_others_is_revoked_here_alone(api: Api) -> None:
    await api("POST", "/v1/sites", {"id": "shop"})
    _, shared = await api("POST", "/v1/keys", {"sites": ["default", "shop"], "scopes": ["admin"]})
    _, local = await api("POST", "/v1/keys", {"site": "default", "scopes": ["admin"]})
    of_default = Api(api.client, local["key"])
    assert (await of_default("PATCH", f"/v1/keys/{shared['id']}", {"scopes": ["read"]}))[0] == 403
    assert (await of_default("DELETE", f"/v1/keys/{shared['id']}"))[0] == 204
    assert [site["id"] for site in (await Api(api.client, shared["key"])("GET", "/v1/sites"))[1]["sites"]] == ["shop"]


# ---------------------------------------------------------------- connections


async def test_a_connection_lives(database: Database, api: Api) -> None:
    status, made = await api("POST", "/v1/connections", {"id": "crm", "secret": SIGNING, "api_token": "t0ken", "settings": {"won_stages": ["Won"]}})
    assert (status, made["secret"], made["webhook_path"], made["reports_activities"]) == (201, SIGNING, "/v1/webhooks/crm", True)
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert (shown["has_api_token"], shown["has_previous_secret"]) == (True, False)
    assert await api("GET", "/v1/connections/crm") == (200, shown)
    assert await api("GET", "/v1/connections") == (200, {"connections": [shown]})
    assert "t0ken" not in str(await api("GET", "/v1/connections"))
    status, changed = await api("PATCH", "/v1/connections/crm", {"reports_activities": False, "api_token": None})
    assert (status, changed["reports_activities"], changed["has_api_token"]) == (200, False, False)
    assert changed["settings"] == {"won_stages": ["Won"], "lost_stages": [], "pipelines": {}, "fields": {}, "account_id": None}
    assert await api("DELETE", "/v1/connections/crm") == (204, None)
    assert await api("GET", "/v1/connections") == (200, {"connections": []})
    assert (await api("GET", "/v1/connections/crm"))[0] == 404


async def test_secrets_rotate(database: Database, api: Api) -> None:
    _, made = await api("POST", "/v1/connections", {"id": "crm"})
    _, same = await api("PATCH", "/v1/connections/crm", {"secret": made["secret"]})
    assert same["has_previous_secret"] is False
    _, second = await api("PATCH", "/v1/connections/crm", {"secret": None})
    assert (second["secret"] != made["secret"], second["has_previous_secret"]) == (True, True)
    _, third = await api("PATCH", "/v1/connections/crm", {"secret": SIGNING})
    expected = f'["{SIGNING}", "{second["secret"]}"]'
    await assert_rows(database, tables.connections, ["connection_id", "secrets"], [["crm", expected]])
    _, ended = await api("PATCH", "/v1/connections/crm", {"previous_secret": None})
    assert (third["has_previous_secret"], ended["has_previous_secret"], "secret" in ended) == (True, False, False)


@pytest.mark.parametrize(
    "body",
    [{"id": "a/b"}, {"id": ""}, {"id": "x" * 65}, {}, {"id": "c", "provider": "abacus"}, {"id": "c", "secret": "hush"},
     {"id": "c", "settings": {"won_stages": ["Done"], "lost_stages": ["Done"]}}, {"id": "c", "api_base_url": "ftp://x"},
     {"id": "c", "secret": "whsec_" + b64encode(b"short").decode()}, {"id": "c", "api_token": "a\x00b"}],
)  # fmt: skip
async def test_connections_that_cannot_be(api: Api, body: dict[str, Any]) -> None:
    assert (await api("POST", "/v1/connections", body))[0] == 422
    assert await api("GET", "/v1/connections") == (200, {"connections": []})


@pytest.mark.parametrize("changes", [{"id": "other"}, {"provider": "hubspot"}, {"secret": "hush"}, {"secret": 7}, {"previous_secret": SIGNING}])
async def test_changes_of_a_connection_that_cannot_be(api: Api, changes: dict[str, Any]) -> None:
    _, made = await api("POST", "/v1/connections", {"id": "crm"})
    status, problem = await api("PATCH", "/v1/connections/crm", changes)
    assert (status, "hush" in str(problem)) == (422, False)
    assert made["id"] == "crm"


async def test_stages_are_rows_and_folding_begins_anew(database: Database, api: Api) -> None:
    await api("POST", "/v1/connections", {"id": "crm"})
    await assert_rows(database, tables.rebuilds, ["stage"], [])
    await api("PATCH", "/v1/connections/crm", {"settings": {"won_stages": ["Closed won"], "lost_stages": ["Closed lost"]}})
    rows = [["default", "generic", "Closed won", "won"], ["default", "generic", "Closed lost", "lost"]]
    await assert_rows(database, tables.deal_stages, ["site_id", "space", "stage", "outcome"], rows)
    await assert_rows(database, tables.rebuilds, ["site_id", "stage"], [["default", "deals"]])


async def test_two_connections_of_one_space_may_not_contradict_each_other(database: Database, api: Api) -> None:
    await api("POST", "/v1/connections", {"id": "crm", "settings": {"won_stages": ["Done"]}})
    assert (await api("POST", "/v1/connections", {"id": "other", "settings": {"lost_stages": ["Done"]}}))[0] == 422
    assert (await api("POST", "/v1/connections", {"id": "other", "settings": {"won_stages": ["Done"]}}))[0] == 201


async def test_an_ended_connection_keeps_what_stages_meant_and_can_be_made_again(database: Database, api: Api) -> None:
    await api("POST", "/v1/connections", {"id": "crm", "settings": {"won_stages": ["Done"]}})
    await api("DELETE", "/v1/connections/crm")
    await api("POST", "/v1/connections", {"id": "other", "settings": {"lost_stages": ["Dropped"]}})
    await assert_rows(database, tables.deal_stages, ["stage", "outcome"], [["Done", "won"], ["Dropped", "lost"]])
    assert (await api("POST", "/v1/connections", {"id": "crm"}))[0] == 201
    await assert_rows(database, tables.deal_stages, ["stage", "outcome"], [["Dropped", "lost"]])
