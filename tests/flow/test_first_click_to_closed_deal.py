"""What the product is for, told once from beginning to end over HTTP. Read this first.

Mia looks around anonymously on her phone and on her laptop, and asks for a demo. Her company becomes a deal in the CRM,
Noah joins it, and weeks later it is won. Which channels earned that, to the cent? Then life goes on: a refund, a touch
that arrives late, and a wrong join that is undone.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from app.db import Database
from app.pipeline import check, run_until_idle
from app.sites.site import load_site
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ACME = "https://www.acme.example"
MIA, NOAH = "mia@initech.example.com", "noah@initech.example.com"
CRM_SECRET = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()
AUTHORISED = {"Authorization": f"Bearer {SECRET_KEY}"}


async def test_first_click_to_closed_deal(client: httpx.AsyncClient, database: Database) -> None:
    await make_connection(client)

    # Two browsers that nobody knows: a phone on which Mia follows a post, a laptop on which she clicks an ad.
    await send(client, visit("phone", "2026-05-04T20:00:00Z", "/", referrer="https://www.linkedin.com/"))
    await send(client, visit("laptop", "2026-05-06T09:00:00Z", "/pricing?utm_source=google&utm_medium=cpc&utm_campaign=crm&gclid=Cj0"))
    assert await credit(client, database, "lead", "linear") == {}

    # On the laptop she asks for a demo. Her history there becomes hers; that of the phone is still nobody's.
    await send(client, form("laptop", "2026-05-06T09:07:00Z", "/demo", "Request a demo", MIA))
    assert await credit(client, database, "lead", "linear") == {"Paid Search": 1}

    # A week later she opens the newsletter on the phone and confirms her address: so the phone was hers all along.
    await send(client, visit("phone", "2026-05-12T08:00:00Z", "/news?utm_source=newsletter&utm_medium=email&utm_campaign=may"))
    await send(client, form("phone", "2026-05-12T08:01:00Z", "/news", "Newsletter", MIA))
    assert await credit(client, database, "lead", "linear") == {"Organic Social": 0.5, "Paid Search": 0.5}

    # Sales has opened a deal meanwhile, and called her. Noah, who found us by himself, joins in.
    await send(client, visit("noahs-desktop", "2026-05-14T15:00:00Z", "/compare", referrer="https://www.google.com/"))
    await send(client, form("noahs-desktop", "2026-05-14T15:10:00Z", "/whitepaper", "Whitepaper", NOAH))
    await tell(client, "contact.created", "2026-05-06T10:00:00Z", {"id": "c1", "email": MIA, "company": "Initech"})
    deal = {"id": "d1", "name": "Initech", "amount": "9999.99", "currency": "USD", "contacts": [{"id": "c1", "email": MIA}]}
    await tell(client, "deal.created", "2026-05-08T10:00:00Z", deal)
    await tell(client, "activity.logged", "2026-05-08T11:00:00Z", {"kind": "call", "direction": "outbound", "contact": "c1", "deal": "d1"})
    await tell(client, "deal.updated", "2026-05-15T10:00:00Z", {"id": "d1", "contacts": [{"id": "c1", "email": MIA}, NOAH]})
    assert await credit(client, database, "opportunity", "last_touch") == {"Paid Search": (1, "9999.99")}
    assert await credit(client, database, "customer", "linear") == {}

    # Won, a month after the first click. Four touches of two people led to it.
    await tell(client, "deal.won", "2026-06-02T16:00:00Z", {"id": "d1"})
    assert await credit(client, database, "customer", "first_touch") == {"Organic Social": (1, "9999.99")}
    assert await credit(client, database, "customer", "last_touch") == {"Organic Search": (1, "9999.99")}
    assert await credit(client, database, "customer", "linear") == {
        "Organic Social": (0.25, "2500.00"),
        "Paid Search": (0.25, "2500.00"),
        "Email": (0.25, "2500.00"),
        "Organic Search": (0.25, "2499.99"),
    }
    assert await credit(client, database, "customer", "position_based") == {
        "Organic Social": (0.4, "4000.00"),
        "Paid Search": (0.1, "1000.00"),
        "Email": (0.1, "1000.00"),
        "Organic Search": (0.4, "3999.99"),
    }

    # A part is paid back: no conversion less, but money, from whoever had earned it.
    await tell(client, "deal.adjusted", "2026-06-20T10:00:00Z", {"id": "d1", "amount": "-1000.00"})
    after_refund = {
        "Organic Social": (0.25, "2250.00"),
        "Paid Search": (0.25, "2250.00"),
        "Email": (0.25, "2250.00"),
        "Organic Search": (0.25, "2249.99"),
    }
    assert await credit(client, database, "customer", "linear") == after_refund

    # The tablet of a trade fair was offline until now. Somebody gave Noah's address on it, before everything else.
    stand = visit("tablet", "2026-05-01T11:00:00Z", "/fair?utm_source=fair&utm_medium=display&utm_campaign=stand")
    address = form("tablet", "2026-05-01T11:05:00Z", "/fair", "Prize draw", NOAH)
    await send(client, stand, address)
    assert await credit(client, database, "customer", "first_touch") == {"Display": (1, "8999.99")}
    assert await credit(client, database, "customer", "linear") == {
        "Display": (0.2, "1800.00"),
        "Organic Social": (0.2, "1800.00"),
        "Paid Search": (0.2, "1800.00"),
        "Email": (0.2, "1800.00"),
        "Organic Search": (0.2, "1799.99"),
    }

    # It was not Noah. Undone, everything is as it was, and every number still opens down to its touches.
    answer = await client.post("/v1/people/unlink", json={"visitor_id": "tablet", "event_id": address["id"]}, headers=AUTHORISED)
    assert answer.is_success, answer.text
    assert await credit(client, database, "customer", "linear") == after_refund
    assert await explained(client, "linear") == [
        ("2026-05-04", "Organic Social", "2250.00"),
        ("2026-05-06", "Paid Search", "2250.00"),
        ("2026-05-12", "Email", "2250.00"),
        ("2026-05-14", "Organic Search", "2249.99"),
    ]

    # What was computed step by step is what one computation of the whole log gives.
    async with database.read() as connection:
        site = await load_site(connection, "default")
    assert await check(database, site) == []


# ---------------------------------------------------------------- how browsers and the CRM speak


def visit(visitor: str, at: str, path: str, referrer: str | None = None) -> dict[str, str]:
    """The start of a session."""
    return event("visit", visitor, at, path) | ({"referrer": referrer} if referrer else {})


def form(visitor: str, at: str, path: str, name: str, email: str) -> dict[str, str]:
    """A form submitted."""
    return event("form_submit", visitor, at, path) | {"form": name, "email": email}


def event(kind: str, visitor: str, at: str, path: str) -> dict[str, str]:
    """What all events have."""
    return {"id": f"{kind}-{at}", "type": kind, "visitor_id": visitor, "occurred_at": at, "url": ACME + path}


async def send(client: httpx.AsyncClient, *events: dict[str, str]) -> None:
    """Events, with a secret key: the story is older than the seven days of a write key."""
    answer = await client.post("/v1/events", json={"events": events}, headers=AUTHORISED)
    assert answer.json() == {"accepted": len(events), "duplicates": 0, "rejected": []}


async def make_connection(client: httpx.AsyncClient) -> None:
    """The CRM may send webhooks."""
    connection = {"id": "crm", "provider": "generic", "secret": CRM_SECRET}
    assert (await client.post("/v1/connections", json=connection, headers=AUTHORISED)).status_code == 201


async def tell(client: httpx.AsyncClient, kind: str, at: str, data: dict[str, object]) -> None:
    """A webhook of the CRM, signed."""
    body, message_id, signed_at = json.dumps({"type": kind, "timestamp": at, "data": data}), f"{kind}-{at}", datetime.now(UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(signed_at.timestamp())),
        "webhook-signature": Webhook(CRM_SECRET).sign(message_id, signed_at, body),
    }
    answer = await client.post("/v1/webhooks/crm", content=body, headers=headers)
    assert answer.is_success, answer.text


# ---------------------------------------------------------------- what comes out


async def credit(client: httpx.AsyncClient, database: Database, conversion: str, model: str) -> dict[str, object]:
    """Conversions by channel, with their money where they have some. The ledger is closed: nothing is missing."""
    await run_until_idle(database)
    query = {"conversion": conversion, "model": model, "by": "channel"}
    answer = await client.get("/v1/reports/attribution", params=query, headers=AUTHORISED)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["totals"]["uncredited"]["conversions"] == 0
    money = {"opportunity": "pipeline", "customer": "revenue"}.get(conversion)
    return {row["channel"]: (row["conversions"], row[money]) if money else row["conversions"] for row in report["rows"]}


async def explained(client: httpx.AsyncClient, model: str) -> list[tuple[str, str, str]]:
    """Day, channel and revenue of each touch behind the only customer."""
    listed = await client.get("/v1/conversions", params={"conversion": "customer"}, headers=AUTHORISED)
    [conversion] = listed.json()["conversions"]
    answer = await client.get(f"/v1/conversions/{conversion['id']}/explain", params={"model": model}, headers=AUTHORISED)
    return [(touch["occurred_at"][:10], touch["channel"], touch["revenue"]) for touch in answer.json()["touches"]]
