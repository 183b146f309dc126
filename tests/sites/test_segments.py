"""`/v1/segments`: saved, changed and forgotten over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.reports.story import READER, get
from tests.world import WRITE_KEY

pytestmark = pytest.mark.anyio

NEW = {"name": "New / existing", "filters": ["customer:new"]}


async def test_a_segment_is_saved_changed_and_forgotten(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/segments", headers=READER, json=NEW)
    assert (made.status_code, made.json()) == (201, NEW)
    assert (await client.post("/v1/segments", headers=READER, json=NEW)).status_code == 409
    assert await get(client, "/v1/segments") == {"segments": [NEW]}
    assert await get(client, "/v1/segments/New%20%2F%20existing") == NEW
    assert (await get(client, "/v1/reports/attribution", segment=NEW["name"]))["segment"] == NEW["name"]

    changed = await client.patch("/v1/segments/New / existing", headers=READER, json={"name": "Sales", "filters": ["owner:Eve", "type:new"]})
    assert (changed.status_code, changed.json()) == (200, {"name": "Sales", "filters": ["owner:Eve", "type:new"]})
    assert (await client.delete("/v1/segments/Sales", headers=READER)).status_code == 204
    assert await get(client, "/v1/segments") == {"segments": []}


async def test_what_is_no_segment_is_refused(client: httpx.AsyncClient) -> None:
    refused = [
        ("POST", "", {"name": "x", "filters": ["planet:Mars"]}, 422, "pipeline"),
        ("POST", "", {"name": "x", "filters": []}, 422, "filters"),
        ("POST", "", {"name": " ", "filters": ["type:new"]}, 422, "name"),
        ("PATCH", "/x", {"filters": ["type:new"]}, 404, "none"),
        ("DELETE", "/x", None, 404, "none"),
        ("GET", "/x", None, 404, "none"),
    ]
    for method, path, body, status, named in refused:
        answer = await client.request(method, f"/v1/segments{path}", headers=READER, json=body)
        assert (answer.status_code, named in answer.text) == (status, True), (method, path, answer.text)
    await client.post("/v1/segments", headers=READER, json=NEW)
    for changes in ({"name": 7}, {"name": None}, {"filters": ["planet:Mars"]}, {"colour": "red"}):
        answer = await client.patch("/v1/segments/New / existing", headers=READER, json=changes)
        assert answer.status_code == 422, (changes, answer.text)
    assert (await client.get("/v1/segments", headers={"Authorization": f"Bearer {WRITE_KEY}"})).status_code == 403
