"""The stage `deals`: dirty deals -> how they stand now, their people, and what won ones were worth over time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, literal, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.deals.amounts import amounts_of_won_deals
from app.deals.companies import companies_of_deals, people_of_companies
from app.deals.free_mail import domains_of_no_company
from app.deals.outcomes import outcomes_of_deals
from app.deals.queries import deals_now, fields_of_deals, people_of_deals
from app.sites.site import Site
from app.swap import Enqueue, Stage, Target, analyse, clear, is_dirty
from app.tables import of_site
from app.touches.queries import staged


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Fold the dirty deals into staging of this stage's own, then stage them, their people and their amounts."""
    here = {"site_id": site.site_id, "site_currency": site.settings.currency}
    for folded, rows in ((tables.folded_deals, fields_of_deals()), (tables.deal_outcomes, outcomes_of_deals())):
        await connection.execute(clear(folded), here)
        await connection.execute(rows, here)
    await analyse(connection, tables.folded_deals, tables.deal_outcomes)
    await connection.execute(staged("deal_people", people_of_deals()), here)
    has_internal = bool(site.settings.internal_contacts)
    if has_internal:
        await analyse(connection, tables.staged["deal_people"])
    await connection.execute(staged("deals", deals_now(has_internal=has_internal)), here)
    if site.settings.account_journeys:
        await _stage_companies(connection, site)
    await connection.execute(staged("deal_amounts", amounts_of_won_deals()), here)


async def _stage_companies(connection: AsyncConnection, site: Site) -> None:
    """Stage the companies of the deals, some of which only the contacts tell, then their people."""
    here = {"site_id": site.site_id}
    companies, people = tables.staged["deal_companies"], tables.staged["deal_people"]
    await analyse(connection, people)
    excluded = {"no_companies": domains_of_no_company(site.settings)}
    await connection.execute(staged("deal_companies", companies_of_deals()), here | excluded)
    await analyse(connection, companies)
    await connection.execute(staged("deal_people", people_of_companies()), here)


def _target(table: Table) -> Target:
    return Target(table, is_dirty(tables.deals_queue, table.c.space, table.c.deal_id))


def _deals_changed(target: str) -> Select[Any]:
    """A row for each changed row of a target: its deal, as a dirty key of the conversions and the opportunities."""
    changed = tables.staged[target]
    return select(changed.c.site_id, literal("").label("person_id"), changed.c.space, changed.c.deal_id).where(of_site(changed))


def _people_changed() -> Select[Any]:
    """A row for each person who came to a deal or left it, as a dirty key of the opportunities: a lead with a deal, or without."""
    changed = tables.staged["deal_people"]
    return select(changed.c.site_id, changed.c.person_id, literal("").label("space"), literal("").label("deal_id")).where(of_site(changed))


def _dirty_deals() -> Select[Any]:
    """A row for each dirty deal, changed or not: how it got where it stands may be another way."""
    dirty = tables.dirty["deals_queue"]
    return select(dirty.c.site_id, literal("").label("person_id"), dirty.c.space, dirty.c.deal_id).where(of_site(dirty))


def _contacts_of_dirty_deals() -> Select[Any]:
    """A row for each contact, old or new, of a dirty deal. Index: the key of `deal_people`."""
    before, now = tables.deal_people, tables.staged["deal_people"]
    people = union(
        select(before.c.site_id, before.c.person_id).where(of_site(before), is_dirty(tables.deals_queue, before.c.space, before.c.deal_id)),
        select(now.c.site_id, now.c.person_id).where(of_site(now)),
    ).subquery("people")
    return select(people.c.site_id, people.c.person_id, literal("").label("space"), literal("").label("deal_id"))


STAGE = Stage(
    name="deals",
    queue=tables.deals_queue,
    targets=tuple(_target(table) for table in (tables.deals, tables.deal_companies, tables.deal_people, tables.deal_amounts)),
    compute=compute,
    # A deal's people need not be enqueued: no conversion of a person depends on a deal.
    enqueues=(
        *(Enqueue(tables.conversions_queue, _deals_changed(target)) for target in ("deals", "deal_people", "deal_amounts")),
        *(Enqueue(tables.opportunities_queue, _deals_changed(target)) for target in ("deals", "deal_people")),
        Enqueue(tables.opportunities_queue, _people_changed()),
        Enqueue(tables.stages_queue, _dirty_deals()),
        Enqueue(tables.stages_queue, _contacts_of_dirty_deals()),
    ),
    sources=(
        (tables.deal_fields.c.site_id, tables.deal_fields.c.space, tables.deal_fields.c.deal_id),
        (tables.deal_changes.c.site_id, tables.deal_changes.c.space, tables.deal_changes.c.deal_id),
        (tables.deals.c.site_id, tables.deals.c.space, tables.deals.c.deal_id),
    ),
)
