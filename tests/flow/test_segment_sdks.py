"""A browser and a server that speak to us through Segment's SDKs: what the server tells is credited to what the browser did."""

from __future__ import annotations

import httpx
import pytest

from app.db import Database
from tests.flow.test_first_click_to_closed_deal import AUTHORISED, credit
from tests.world import SECRET_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

AD = {"url": "https://www.brand.example/?utm_source=google&utm_medium=cpc&utm_campaign=crm", "referrer": "https://www.google.com/"}
SETTINGS = {
    "goals": [{"name": "booked", "event": "Demo Booked"}],
    "segment_deals": [{"event": "Order Completed"}, {"event": "Order Refunded", "outcome": "refunded"}],
}
ORDER = {"order_id": "50", "revenue": 30, "currency": "USD"}


async def test_an_order_that_a_server_tells_is_credited_to_the_ad(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.patch("/v1/sites/default", json=SETTINGS, headers=AUTHORISED)).status_code == 200
    await say(client, "page", "2026-05-04T09:00:00Z", anonymousId="laptop", context={"page": AD})
    await say(client, "identify", "2026-05-04T09:10:00Z", anonymousId="laptop", userId="u7", traits={"email": "ada@example.com"})
    # Weeks later, and from a server: nobody came directly.
    await say(client, "track", "2026-05-20T09:00:00Z", userId="u7", event="Demo Booked")
    await say(client, "track", "2026-05-24T09:00:00Z", userId="u7", event="Order Completed", properties=ORDER)
    assert await credit(client, database, "booked", "last_touch") == {"Paid Search": 1}
    assert await credit(client, database, "customer", "last_touch") == {"Paid Search": (1, "30.00")}

    await say(client, "track", "2026-05-25T09:00:00Z", userId="clerk", event="Order Refunded", properties={"order_id": "50", "total": 10})
    assert await credit(client, database, "customer", "last_touch") == {"Paid Search": (1, "20.00")}

    # All of it: an order that names no amount.
    await say(client, "track", "2026-05-26T09:00:00Z", userId="u7", event="Order Completed", properties={**ORDER, "order_id": "51"})
    await say(client, "track", "2026-05-27T09:00:00Z", userId="u7", event="Order Refunded", properties={"order_id": "51"})
    assert await credit(client, database, "customer", "last_touch") == {"Paid Search": (2, "20.00")}


async def test_an_alias_hands_a_browsers_history_to_the_human(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.patch("/v1/sites/default", json=SETTINGS, headers=AUTHORISED)).status_code == 200
    await say(client, "page", "2026-05-04T09:00:00Z", anonymousId="laptop", context={"page": AD})
    await say(client, "alias", "2026-05-04T09:10:00Z", previousId="laptop", userId="u7")
    await say(client, "alias", "2026-05-04T09:20:00Z", previousId="u7", userId="u8")
    await say(client, "track", "2026-05-24T09:00:00Z", userId="u8", event="Order Completed", properties=ORDER)
    assert await credit(client, database, "customer", "last_touch") == {"Paid Search": (1, "30.00")}


async def say(client: httpx.AsyncClient, kind: str, timestamp: str, **fields: object) -> None:
    answer = await client.post(f"/v1/{kind}", json={"timestamp": timestamp, "messageId": timestamp, **fields}, auth=(SECRET_KEY, ""))
    assert (answer.status_code, answer.json()) == (200, {"success": True})
