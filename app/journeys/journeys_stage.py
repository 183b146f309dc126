"""The stage `journeys`: dirty conversions -> the touches before each."""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.journeys.days import enqueue_days
from app.journeys.queries import journeys_of_conversions, touches_of_journeys
from app.sites.site import Site
from app.swap import Stage, Target, is_dirty
from app.touches.queries import staged


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the journeys of the dirty conversions."""
    here = {"site_id": site.site_id}
    await connection.execute(staged("journeys", journeys_of_conversions()), here)
    await connection.execute(staged("journey_touches", touches_of_journeys()), here)


def _target(table: Table) -> Target:
    return Target(table, is_dirty(tables.journeys_queue, table.c.kind, table.c.holder_id, table.c.fact_id))


STAGE = Stage(
    name="journeys",
    queue=tables.journeys_queue,
    targets=(_target(tables.journeys), _target(tables.journey_touches)),
    compute=compute,
    enqueues=enqueue_days("journeys", "journey_touches"),
    sources=tuple((table.c.site_id, table.c.kind, table.c.holder_id, table.c.fact_id) for table in (tables.conversions, tables.journeys)),
)
