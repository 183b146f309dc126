"""The stage `activities`: dirty activities of sales -> those that took place, and with whom."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.sales.activity_queries import activities_now, people_and_deals_of_changed_activities
from app.sites.site import Site
from app.swap import Enqueue, Stage, Target, is_dirty
from app.touches.queries import staged


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the dirty activities as they stand now."""
    await connection.execute(staged("sales_activities", activities_now()), {"site_id": site.site_id})


_key = (tables.sales_activities.c.space, tables.sales_activities.c.activity_id)

STAGE = Stage(
    name="activities",
    queue=tables.activities_queue,
    targets=(Target(tables.sales_activities, is_dirty(tables.activities_queue, *_key)),),
    compute=compute,
    enqueues=(Enqueue(tables.opportunities_queue, people_and_deals_of_changed_activities()),),
    sources=(
        (tables.activities.c.site_id, tables.activities.c.space, tables.activities.c.activity_id),
        (tables.sales_activities.c.site_id, *_key),
    ),
)
