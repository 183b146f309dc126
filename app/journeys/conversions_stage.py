"""The stage `conversions`: dirty people and deals -> the moments that count, whose they are, and what they count."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.identity.internal import without_internal
from app.journeys import conversions
from app.journeys.days import days_written, enqueue_days
from app.sites.site import Site
from app.swap import NOT_SET, Enqueue, Stage, Target, analyse, clear
from app.touches.queries import staged


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the conversions of the dirty people and deals, then what belongs to them."""
    here = {"site_id": site.site_id}
    await connection.execute(clear(tables.concerned_deals), here)
    await connection.execute(conversions.concerned_deals(), here)
    await analyse(connection, tables.concerned_deals)
    threshold = site.settings.scoring.threshold
    of_people = {**here, "bant_minimum": site.settings.bant_minimum, **({} if threshold is None else {"threshold": threshold})}
    rows = conversions.conversions_of_people(has_threshold=threshold is not None)
    counted = without_internal(rows) if site.settings.internal_contacts else rows
    await connection.execute(staged("conversions", counted), of_people)
    of_deals = {**here, "customer_space": site.settings.customer_space or ""}
    await connection.execute(staged("conversions", conversions.conversions_from_deals()), of_deals)
    await connection.execute(clear(tables.concerned_conversions), here)
    await connection.execute(conversions.concerned_conversions(), here)
    await analyse(connection, tables.staged["conversions"], tables.concerned_conversions)
    await connection.execute(staged("conversion_people", conversions.people_of_conversions()), here)
    await connection.execute(staged("ledger_entries", conversions.entries_of_conversions()), here)


_keyed = (tables.conversions, tables.conversion_people, tables.ledger_entries)

STAGE = Stage(
    name="conversions",
    queue=tables.conversions_queue,
    targets=tuple(Target(table, conversions.in_scope(table)) for table in _keyed),
    compute=compute,
    enqueues=(
        # All of them, changed or not: a person becomes dirty also when only its touches changed.
        Enqueue(tables.journeys_queue, conversions.conversions_concerned()),
        Enqueue(tables.stages_queue, conversions.people_computed()),
        Enqueue(tables.sums_queue, days_written()),
        Enqueue(tables.opportunities_queue, conversions.people_of_changed_leads()),
        *enqueue_days("conversions", "ledger_entries"),
    ),
    sources=(
        (tables.visitor_spans.c.site_id, tables.visitor_spans.c.person_id, NOT_SET, NOT_SET),
        (tables.key_people.c.site_id, tables.key_people.c.person_id, NOT_SET, NOT_SET),
        (tables.conversions.c.site_id, tables.conversions.c.person_id, NOT_SET, NOT_SET),
        (tables.deals.c.site_id, NOT_SET, tables.deals.c.space, tables.deals.c.deal_id),
    ),
)
