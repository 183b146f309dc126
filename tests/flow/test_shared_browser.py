"""Two people on one laptop stay two, each with their own stretch of its history."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import select

from app import tables
from app.db import Database
from app.pipeline import run_until_idle
from tests.flow.test_first_click_to_closed_deal import AUTHORISED, credit, form, send, visit

pytestmark = pytest.mark.anyio

AD = "/?utm_source=google&utm_medium=cpc&utm_campaign=crm"


async def test_the_one_who_came_by_an_ad_gets_that_ad(client: httpx.AsyncClient, database: Database) -> None:
    # Ada finds us by a search and asks for a demo; in the evening Bob, on the same laptop, clicks an ad and asks too.
    await send(client, visit("laptop", "2026-05-04T09:00:00Z", "/", referrer="https://www.bing.com/"))
    await send(client, form("laptop", "2026-05-04T09:05:00Z", "/demo", "Demo", "ada@example.com"))
    await send(client, visit("laptop", "2026-05-04T20:00:00Z", AD))
    await send(client, form("laptop", "2026-05-04T20:05:00Z", "/demo", "Demo", "bob@example.com"))
    assert await credit(client, database, "lead", "linear") == {"Organic Search": 1, "Paid Search": 1}
    assert len(await people(database)) == 2

    # Each journey is that person's own.
    assert await channels_of(client, "ada@example.com") == ["Organic Search"]
    assert await channels_of(client, "bob@example.com") == ["Paid Search"]

    # Ada is back the next day, by a newsletter: from the start of that session it is hers again.
    await send(client, visit("laptop", "2026-05-05T09:00:00Z", "/?utm_source=news&utm_medium=email"))
    await send(client, form("laptop", "2026-05-05T09:05:00Z", "/offer", "Offer", "ada@example.com"))
    await run_until_idle(database)
    assert await channels_of(client, "ada@example.com") == ["Organic Search", "Email"]
    assert await channels_of(client, "bob@example.com") == ["Paid Search"]


async def people(database: Database) -> list[str]:
    """The IDs of all people with a key."""
    async with database.read() as connection:
        return list(await connection.scalars(select(tables.key_people.c.person_id).distinct()))


async def channels_of(client: httpx.AsyncClient, email: str) -> list[str]:
    """The channels of a person's touches, in order."""
    found = await client.get("/v1/people", params={"email": email}, headers=AUTHORISED)
    [person] = found.json()["people"]
    journey = await client.get(f"/v1/people/{person['id']}/journey", headers=AUTHORISED)
    return [touch["channel"] for touch in journey.json()["touches"]]
