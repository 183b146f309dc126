"""A small story told through the front door, for tests of reports on what the pipeline really made of it."""

from __future__ import annotations

from typing import Any

import httpx

from app.db import Database
from app.pipeline import run_until_idle
from tests.world import SECRET_KEY

READER = {"Authorization": f"Bearer {SECRET_KEY}"}


async def tell(client: httpx.AsyncClient, database: Database, *events: dict[str, Any]) -> None:
    """Send the events with the secret key and compute what follows from them."""
    answer = await client.post("/v1/events", headers=READER, json={"events": list(events)})
    assert answer.json()["rejected"] == [], answer.text
    await run_until_idle(database)


def visit(visitor: str, day: int, url: str = "https://shop.example/", **more: Any) -> dict[str, Any]:
    """A visit at noon of a day in March 2026."""
    return {
        "id": f"{visitor}-{day}",
        "type": "visit",
        "visitor_id": visitor,
        "occurred_at": f"2026-03-{day:02d}T12:00:00Z",
        "url": url,
        **more,
    }


def form(visitor: str, day: int, email: str, **more: Any) -> dict[str, Any]:
    """A contact form, an hour after noon."""
    return {
        "id": f"{visitor}-form-{day}", "type": "form_submit", "visitor_id": visitor, "occurred_at": f"2026-03-{day:02d}T13:00:00Z",
        "url": "https://shop.example/contact", "form": "contact", "email": email, **more,
    }  # fmt: skip


def won(deal: str, day: int, amount: str, *emails: str, **more: Any) -> dict[str, Any]:
    """A deal that was won at six in the evening."""
    return {
        "id": f"won-{deal}", "type": "deal_closed", "occurred_at": f"2026-03-{day:02d}T18:00:00Z",
        "deal": {"id": deal, "outcome": "won", "amount": amount, "currency": "USD", "contacts": list(emails), **more},
    }  # fmt: skip


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    """The answer to a reader, which must be a good one."""
    answer = await client.get(path, headers=READER, params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body
