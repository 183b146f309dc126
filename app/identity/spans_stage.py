"""The stage `spans`: dirty visitors -> which person they were, from when to when."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.identity import spans
from app.identity.first_visit import days_between_first_visits
from app.sites.site import Site
from app.swap import Enqueue, Stage, Target, is_dirty
from app.touches.stage import left_out, session_parameters


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the spans of the dirty visitors."""
    staged = tables.staged["visitor_spans"]
    rows = insert(staged).from_select([c.name for c in staged.columns], spans.spans_of_visitors(left_out(site)))
    await connection.execute(rows, session_parameters(site))


STAGE = Stage(
    name="spans",
    queue=tables.spans_queue,
    targets=(Target(tables.visitor_spans, is_dirty(tables.spans_queue, tables.visitor_spans.c.visitor_id)),),
    compute=compute,
    enqueues=(
        Enqueue(tables.conversions_queue, spans.people_of_dirty_visitors()),
        Enqueue(tables.deals_queue, spans.deals_of_changed_visitors()),
        Enqueue(tables.sums_queue, days_between_first_visits()),
    ),
    sources=(
        (tables.touches.c.site_id, tables.touches.c.visitor_id),
        (tables.goal_events.c.site_id, tables.goal_events.c.visitor_id),
        (tables.sightings.c.site_id, tables.sightings.c.visitor_id),
        (tables.visitor_spans.c.site_id, tables.visitor_spans.c.visitor_id),
    ),
)
