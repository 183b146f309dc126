"""The stage `touches`: dirty visitors -> their touches and the goals they reached."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.sites.rules import customer_page_rows, goal_rows
from app.sites.site import Site
from app.swap import Enqueue, Stage, Target, analyse, clear, is_dirty
from app.tables import of_site
from app.touches import labels
from app.touches import left_out as rules
from app.touches.queries import LeftOut, goal_events_of_visitors, staged, touches_of_visitors

_dirty = tables.dirty["touches_queue"]


def dirty_visitors() -> Select[Any]:
    """A row a visitor whose touches are being computed."""
    return select(_dirty.c.visitor_id).where(of_site(_dirty))


def session_parameters(site: Site) -> dict[str, Any]:
    """The parameters of the session expression."""
    return {"site_id": site.site_id, "session_gap": site.settings.session_gap_minutes * 60_000_000}


def left_out(site: Site) -> LeftOut:
    """Which events the site leaves out of touches and goals."""
    settings = site.settings
    return LeftOut(pages=bool(settings.excluded_hosts or settings.excluded_paths), crm_touches=not settings.crm_touches)


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the touches and goals of the dirty visitors."""
    touches = staged("touches", touches_of_visitors(dirty_visitors(), left_out(site)))
    await connection.execute(touches, {**session_parameters(site), "touch_cap": site.settings.touch_cap})
    goals = goal_events_of_visitors(dirty_visitors(), left_out=left_out(site), has_rules=bool(goal_rows(site)))
    await connection.execute(staged("goal_events", goals), {"site_id": site.site_id})
    await _leave_out(connection, site)


async def _leave_out(connection: AsyncConnection, site: Site) -> None:
    """Move what the site's rules leave out from the staged touches to `left_out_touches`. Mostly that is nothing."""
    here = {"site_id": site.site_id}
    found = 0
    if most := site.settings.most_pages_an_hour:
        found += (await connection.execute(rules.touches_of_programs(), {**here, "most_pages": most})).rowcount
    found += (await connection.execute(rules.touches_of_spam(), here)).rowcount
    if customer_page_rows(site):
        await connection.execute(clear(tables.customer_arrivals), here)
        if (await connection.execute(rules.arrivals_of_customers(), here)).rowcount:
            await analyse(connection, tables.customer_arrivals)
            found += (await connection.execute(rules.touches_of_customers(left_out(site)), session_parameters(site))).rowcount
    if found:
        await connection.execute(rules.goals_left_out(), here)
        await connection.execute(rules.touches_left_out(), here)


def _visitors_staged(table: Table) -> Select[Any]:
    """Visitors of whom a row changed."""
    return select(table.c.site_id, table.c.visitor_id).where(of_site(table))


def _dirty_visitors_seen() -> Select[Any]:
    """Dirty visitors on whom a key was seen: a moved session may move their spans. Index: `ix_sightings__visitor`."""
    seen = exists().where(tables.sightings.c.site_id == _dirty.c.site_id, tables.sightings.c.visitor_id == _dirty.c.visitor_id)
    return select(_dirty.c.site_id, _dirty.c.visitor_id).where(of_site(_dirty), seen)


STAGE = Stage(
    name="touches",
    queue=tables.touches_queue,
    targets=(
        Target(tables.touches, is_dirty(tables.touches_queue, tables.touches.c.visitor_id)),
        Target(tables.goal_events, is_dirty(tables.touches_queue, tables.goal_events.c.visitor_id)),
        Target(tables.left_out_touches, is_dirty(tables.touches_queue, tables.left_out_touches.c.visitor_id)),
    ),
    compute=compute,
    enqueues=(
        Enqueue(tables.spans_queue, _visitors_staged(tables.staged["touches"])),
        Enqueue(tables.spans_queue, _visitors_staged(tables.staged["goal_events"])),
        Enqueue(tables.spans_queue, _dirty_visitors_seen()),
    ),
    sources=(
        (tables.events.c.site_id, tables.events.c.visitor_id),
        (tables.touches.c.site_id, tables.touches.c.visitor_id),
        (tables.goal_events.c.site_id, tables.goal_events.c.visitor_id),
        (tables.left_out_touches.c.site_id, tables.left_out_touches.c.visitor_id),
    ),
    needs_first=(labels.STAGE,),
)
