"""The stage `identity`: dirty keys -> the person that each key of their components belongs to."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.identity import concerned_deals, queries
from app.identity.internal import people_of_excluded_keys
from app.sites.site import Site
from app.swap import Enqueue, Stage, Target, analyse, clear, is_dirty
from app.tables import of_site


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the crowded days of the dirty keys, then the people of all keys that they are joined with."""
    here = {"site_id": site.site_id}
    staged_days = tables.staged["crowded_days"]
    days = insert(staged_days).from_select([c.name for c in staged_days.columns], queries.crowded_days_of_dirty_keys())
    await connection.execute(days, here)
    await _reach(connection, here)
    await _label(connection, site.site_id)
    staged_people = tables.staged["key_people"]
    people = insert(staged_people).from_select([c.name for c in staged_people.columns], queries.people_of_keys())
    await connection.execute(people, here)


async def _reach(connection: AsyncConnection, here: dict[str, str]) -> None:
    """Fill staging with the closure of the dirty keys over the links that hold."""
    await connection.execute(clear(tables.staged_keys), here)
    await connection.execute(clear(tables.staged_links), here)
    found = (await connection.execute(queries.seeds(), here)).rowcount
    await analyse(connection, tables.staged_keys)
    reached_in = 0
    while found:
        await connection.execute(queries.links_reached(), {**here, "round": reached_in})
        found = (await connection.execute(queries.keys_reached(), {**here, "round": reached_in})).rowcount
        reached_in += 1
    await analyse(connection, tables.staged_keys, tables.staged_links)


async def _label(connection: AsyncConnection, site_id: str) -> None:
    """Lower the labels of links and keys in turn until nothing changes: each round carries a label one link further."""
    lowered = 1
    while lowered:
        await connection.execute(queries.lower_link_labels(site_id))
        lowered = (await connection.execute(queries.lower_key_labels(site_id))).rowcount


_closure = select(tables.staged_keys.c.key_id).where(of_site(tables.staged_keys))

STAGE = Stage(
    name="identity",
    queue=tables.identity_queue,
    targets=(
        Target(tables.crowded_days, is_dirty(tables.identity_queue, tables.crowded_days.c.key_id)),
        Target(tables.key_people, tables.key_people.c.key_id.in_(_closure)),
    ),
    compute=compute,
    enqueues=(
        Enqueue(tables.spans_queue, queries.visitors_of_changed_keys()),
        Enqueue(tables.spans_queue, queries.visitors_of_changed_days()),
        Enqueue(tables.deals_queue, queries.deals_of_changed_keys()),
        Enqueue(tables.deals_queue, concerned_deals.deals_of_changed_people()),
        Enqueue(tables.deals_queue, concerned_deals.deals_of_changed_domains()),
        Enqueue(tables.deals_queue, concerned_deals.deals_of_contacts_companies()),
        Enqueue(tables.properties_queue, queries.people_of_described_keys()),
        Enqueue(tables.conversions_queue, queries.people_of_marked_keys()),
        Enqueue(tables.opportunities_queue, queries.people_of_marked_keys()),
        Enqueue(tables.conversions_queue, people_of_excluded_keys()),
        Enqueue(tables.stages_queue, queries.people_of_concerned_keys()),
        Enqueue(tables.activities_queue, queries.activities_of_changed_keys()),
    ),
    sources=(
        (tables.link_keys.c.site_id, tables.link_keys.c.key_id),
        (tables.key_people.c.site_id, tables.key_people.c.key_id),
        (tables.crowded_days.c.site_id, tables.crowded_days.c.key_id),
    ),
)
