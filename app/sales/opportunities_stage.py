"""The stage `opportunities`: dirty people and deals -> who needs contact, by when, and when it came."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.sales import opportunity_queries as queries
from app.sites.site import Site
from app.swap import NOT_SET, Stage, Target, analyse, clear
from app.touches.queries import staged

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR


def promises(site: Site) -> dict[str, Any]:
    """What the site's settings say of contact, as parameters of the stage's statements; times in microseconds."""
    settings = site.settings
    return {
        "contact_counts": list(settings.contact_counts),
        "contact_before": settings.contact_before_days * _DAY,
        "promise": max(1, round(settings.first_contact_hours * _HOUR)),
    }


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the rows of the dirty people and deals, and of the deals and contacts of these."""
    here = {"site_id": site.site_id}
    await connection.execute(clear(tables.concerned_opportunities), here)
    await connection.execute(queries.concerned_people_and_deals(), here)
    await analyse(connection, tables.concerned_opportunities)
    for rows in (queries.opportunities_of_deals(), queries.opportunities_of_leads()):
        await connection.execute(staged("opportunities", rows), here | promises(site))


STAGE = Stage(
    name="opportunities",
    queue=tables.opportunities_queue,
    targets=(Target(tables.opportunities, queries.in_scope()),),
    compute=compute,
    enqueues=(),
    sources=(
        (tables.key_people.c.site_id, tables.key_people.c.person_id, NOT_SET, NOT_SET),
        (tables.deals.c.site_id, NOT_SET, tables.deals.c.space, tables.deals.c.deal_id),
        (tables.opportunities.c.site_id, tables.opportunities.c.person_id, tables.opportunities.c.space, tables.opportunities.c.deal_id),
    ),
)
