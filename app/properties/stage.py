"""The stage `properties`: dirty people, deals and companies -> what is said of each now."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.properties.queries import people_whose_fit_changed, properties_of_people, properties_of_records
from app.sites.site import Site
from app.swap import Enqueue, Stage, Target, is_dirty
from app.touches.queries import staged


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the properties of the dirty holders."""
    here = {"site_id": site.site_id}
    await connection.execute(staged("properties", properties_of_people()), here)
    await connection.execute(staged("properties", properties_of_records()), here)


STAGE = Stage(
    name="properties",
    queue=tables.properties_queue,
    targets=(Target(tables.properties, is_dirty(tables.properties_queue, tables.properties.c.holder_id)),),
    compute=compute,
    # Reports join them when they are read; a score may make a conversion.
    enqueues=(Enqueue(tables.conversions_queue, people_whose_fit_changed()),),
    sources=(
        (tables.key_people.c.site_id, tables.key_people.c.person_id),
        (tables.record_fields.c.site_id, tables.record_fields.c.record_id),
        (tables.properties.c.site_id, tables.properties.c.holder_id),
    ),
)
