"""An endpoint that a real server stands behind, a clock that the test moves, and rows of what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from app import tables
from app.db import Database
from app.notices.delivery import Notifier
from app.notices.receivers import Receiver, create_receiver
from app.notices.running import deliver_due
from app.sites.site import Site
from tests.notices.receiver import Listener, listening

START = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class World:
    """A site with an endpoint, who listens there, and the time."""

    database: Database
    listener: Listener
    notifier: Notifier
    receiver: Receiver
    clock: Clock

    async def tell(self) -> int:
        """Find and send until nothing is due. How many tries."""
        tries = 0
        while tried := await deliver_due(self.notifier):
            tries += tried
        return tries

    async def rows(self, statement: Any) -> list[Any]:
        async with self.database.read() as connection:
            return list((await connection.execute(statement)).all())

    async def notices(self) -> list[Any]:
        return await self.rows(select(tables.notices).order_by(tables.notices.c.occurred_at, tables.notices.c.notice_id))

    async def put(self, table: Any, *rows: dict[str, Any]) -> None:
        async with self.database.write() as connection:
            await connection.execute(insert(table), [{"site_id": "default", **row} for row in rows])

    def ago(self, **by: float) -> datetime:
        return self.clock() - timedelta(**by)

    async def stage(self, who: str, stage: str, position: int = 1, fact_id: str = "f1", **others: Any) -> None:
        """A stage of a person, or of the deal where `who` is `space/deal`."""
        space, _, deal = who.partition("/") if "/" in who else ("", "", "")
        about = {"person_id": "" if deal else who, "space": space, "deal_id": deal, "position": position, "stage": stage, "fact_id": fact_id}
        row = {"entered_at": self.clock(), "is_implied": False, "moved_by": "form", "detail": None}
        await self.put(tables.stage_changes, about | row | others)

    async def put_deal(self, space: str, deal_id: str, **others: Any) -> None:
        """An open deal that counts."""
        row = {"space": space, "deal_id": deal_id, "outcome": "open", "first_seen_at": START, "opened_at": START, "has_contacts": True}
        await self.put(tables.deals, row | {"owner": "Kim", "url": "https://crm.example/7", "amount_minor": 120_000, "currency": "EUR"} | others)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening(Listener()) as started:
        yield started


@pytest.fixture
async def world(database: Database, site: Site, listener: Listener) -> World:
    clock = Clock()
    async with database.write() as connection:
        fields = {"id": "ours", "url": listener.url}
        receiver = await create_receiver(connection, site.site_id, fields, clock() - timedelta(days=30))
    listener.secret = receiver.secrets[0]
    return World(database, listener, Notifier(database, allow_private=True, seconds=0.5, clock=clock), receiver, clock)
