"""What the tests of embedded forms and of calls have in common: visits of the website, and what they earn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from app.db import Database
from app.pipeline import check, run_until_idle
from app.sites.connections import Connection, ConnectionFields, ConnectionSettings
from tests.world import SECRET_KEY

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
VISITOR = "4f1c0ffee4f1c0ffee4f1c0ffee4f1c0"
OTHER_VISITOR = "abad1deaabad1deaabad1deaabad1dea"
MADE_AT = datetime(2026, 3, 1, tzinfo=UTC)


def sender(provider: Any, secret: str, *more: str, reports_activities: bool = False, **fields: str) -> Connection:
    """A connection, as stored."""
    settings = ConnectionSettings(fields=fields)
    known = ConnectionFields(provider=provider, settings=settings, reports_activities=reports_activities)
    return Connection("default", "in", (secret, *more), known, MADE_AT)


async def connect(client: httpx.AsyncClient, provider: str, secret: str, **more: Any) -> None:
    """Make the connection `in`."""
    made = await client.post("/v1/connections", json={"id": "in", "provider": provider, "secret": secret, **more}, headers=ADMIN)
    assert made.status_code == 201, made.text
    assert made.json()["reports_activities"] is more.get("reports_activities", False)


async def visits(client: httpx.AsyncClient, visitor: str, at: str, campaign: str, **more: str) -> None:
    """A visit through a campaign of Google Ads; with `email` or `phone`, a form is sent in, too."""
    page = f"https://brand.example/?utm_source=google&utm_medium=cpc&utm_campaign={campaign}"
    events: list[dict[str, Any]] = [{"id": f"v-{at}", "type": "visit", "visitor_id": visitor, "occurred_at": at, "url": page}]
    if more:
        events.append({"id": f"f-{at}", "type": "form_submit", "visitor_id": visitor, "occurred_at": at, "sequence": 1, "form": "Contact", **more})
    answer = await client.post("/v1/events", json={"events": events}, headers=ADMIN)
    assert answer.json()["accepted"] == len(events), answer.text


async def credit(application: FastAPI, client: httpx.AsyncClient, database: Database, conversion: str, by: str = "campaign") -> dict[str, float]:
    """Conversions by campaign (or another word), linear, after the pipeline has run, and is proven to be as a rebuild would."""
    await run_until_idle(database)
    site = await application.state.directory.site("default")
    assert await check(database, site) == []
    answer = await client.get("/v1/reports/attribution", params={"conversion": conversion, "model": "linear", "by": by}, headers=ADMIN)
    report = answer.json()
    assert report["totals"]["uncredited"]["conversions"] == 0
    return {row[by]: row["conversions"] for row in report["rows"]}
