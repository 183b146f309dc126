"""The stage `stages`: dirty people and deals -> the stages that they went through, and what moved them."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.sales import stage_queries
from app.sites.site import Site
from app.swap import NOT_SET, Stage, Target, analyse, clear, is_dirty
from app.touches.queries import staged


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the stages of the dirty deals, then those of the dirty people, which their deals move."""
    here = {"site_id": site.site_id}
    await connection.execute(clear(tables.concerned_deals), here)
    await connection.execute(stage_queries.concerned_deals(), here)
    await analyse(connection, tables.concerned_deals)
    await connection.execute(staged("stage_changes", stage_queries.stages_of_deals()), here)
    of_people = {**here, "customer_space": site.settings.customer_space or ""}
    await connection.execute(staged("stage_changes", stage_queries.stages_of_people()), of_people)


_table = tables.stage_changes

STAGE = Stage(
    name="stages",
    queue=tables.stages_queue,
    targets=(Target(_table, is_dirty(tables.stages_queue, _table.c.person_id, _table.c.space, _table.c.deal_id)),),
    compute=compute,
    enqueues=(),
    sources=(
        (tables.key_people.c.site_id, tables.key_people.c.person_id, NOT_SET, NOT_SET),
        (tables.conversions.c.site_id, tables.conversions.c.person_id, NOT_SET, NOT_SET),
        (tables.deal_people.c.site_id, tables.deal_people.c.person_id, NOT_SET, NOT_SET),
        (tables.deals.c.site_id, NOT_SET, tables.deals.c.space, tables.deals.c.deal_id),
        (_table.c.site_id, _table.c.person_id, _table.c.space, _table.c.deal_id),
    ),
)
