"""A change of rules shows in history by itself, and touches no event."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app import tables
from app.db import Database
from tests.flow.test_first_click_to_closed_deal import AUTHORISED, credit, form, send, visit

pytestmark = pytest.mark.anyio


async def log(database: Database) -> list[Any]:
    """Every event as it is stored."""
    async with database.read() as connection:
        return sorted(tuple(row) for row in await connection.execute(select(tables.events)))


async def change(client: httpx.AsyncClient, **settings: object) -> None:
    """Change settings of the site."""
    answer = await client.patch("/v1/sites/default", json=settings, headers=AUTHORISED)
    assert answer.is_success, answer.text


async def a_story(client: httpx.AsyncClient) -> None:
    """A podcast brings somebody, who comes back by way of a shop's checkout and asks for a demo."""
    await send(client, visit("v", "2026-05-04T09:00:00Z", "/?utm_source=podcast&utm_medium=spot"))
    await send(client, visit("v", "2026-05-05T09:00:00Z", "/", referrer="https://pay.partner-shop.example/"))
    await send(client, form("v", "2026-05-05T09:05:00Z", "/demo", "Demo", "ada@example.com"))


async def test_a_channel_rule(client: httpx.AsyncClient, database: Database) -> None:
    await a_story(client)
    assert await credit(client, database, "lead", "linear") == {"Unassigned": 0.5, "Referral": 0.5}
    events = await log(database)
    await change(client, channel_rules=[{"channel": "Podcasts", "source": "podcast"}])
    assert await credit(client, database, "lead", "linear") == {"Podcasts": 0.5, "Referral": 0.5}
    await change(client, channel_rules=[])
    assert await credit(client, database, "lead", "linear") == {"Unassigned": 0.5, "Referral": 0.5}
    assert await log(database) == events


async def test_an_ignored_host(client: httpx.AsyncClient, database: Database) -> None:
    await a_story(client)
    assert await credit(client, database, "lead", "last_touch") == {"Referral": 1}
    events = await log(database)
    await change(client, ignored_hosts=["pay.partner-shop.example"])
    assert await credit(client, database, "lead", "last_touch") == {"Unassigned": 1}
    await change(client, ignored_hosts=[])
    assert await credit(client, database, "lead", "last_touch") == {"Referral": 1}
    assert await log(database) == events


async def test_an_excluded_page_and_a_goal(client: httpx.AsyncClient, database: Database) -> None:
    await a_story(client)
    await change(client, goals=[{"name": "home", "path": "/", "once_per": "event"}])
    assert await credit(client, database, "home", "linear") == {"Unassigned": 1.5, "Referral": 0.5}
    await change(client, goals=[], excluded_paths=["/demo"])
    assert await credit(client, database, "lead", "linear") == {}
    await change(client, excluded_paths=[])
    assert await credit(client, database, "lead", "linear") == {"Unassigned": 0.5, "Referral": 0.5}
