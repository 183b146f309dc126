"""How the service is doing for one site: what came in, what was refused, and how far it has computed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.crm.waiting import calls_of_site
from app.history import reach_of_history
from app.identity.internal import internal_people
from app.notices.shown import notices_of_site
from app.reports.figures import as_rfc3339
from app.reports.freshness import freshness
from app.sites.site import Site
from app.tables import from_micros


def rows_of_site(table: Table) -> Select[Any]:
    """One row: how many rows of a table are the site's. Index: the primary key."""
    return select(func.count()).select_from(table).where(table.c.site_id == bindparam("site_id"))


def drops_by_reason() -> Select[Any]:
    """A row a reason for which something was dropped at the door, and how often. Index: the primary key of `drops`."""
    drop = tables.drops.c
    return select(drop.reason, func.sum(drop.count).label("count")).where(drop.site_id == bindparam("site_id")).group_by(drop.reason)


def failures() -> Select[Any]:
    """A row a stage that had to set keys aside, and how many. Index: the primary key of `failed_keys`."""
    key = tables.failed_keys.c
    return select(key.stage, func.count().label("count")).where(key.site_id == bindparam("site_id")).group_by(key.stage)


def ignored_deals() -> Select[Any]:
    """A row a reason for which deals count not, and how many. Reads the site's `deals`."""
    deal = tables.deals.c
    return (
        select(deal.ignored_because.label("reason"), func.count().label("count"))
        .where(deal.site_id == bindparam("site_id"), deal.ignored_because.is_not(None))
        .group_by(deal.ignored_because)
    )


def left_out_touches() -> Select[Any]:
    """A row a rule that leaves out touches, and how many. Reads the site's `left_out_touches`."""
    touch = tables.left_out_touches.c
    return select(touch.reason, func.count().label("count")).where(touch.site_id == bindparam("site_id")).group_by(touch.reason)


def number_of_internal_people() -> Select[Any]:
    """One row: how many people are internal. Reads what `internal_people` reads."""
    return select(func.count()).select_from(internal_people().subquery("internal"))


async def _reach(connection: AsyncConnection, here: dict[str, str]) -> dict[str, str | None]:
    """The latest run, and the earliest moment that `as_of` may name; null before the first run."""
    reach = (await connection.execute(reach_of_history(), here)).one_or_none() or (None, None)
    names = ("latest_run_at", "history_since")
    return {name: None if run is None else as_rfc3339(from_micros(run)) for name, run in zip(names, reach, strict=True)}


async def status(connection: AsyncConnection, site: Site, now: datetime) -> dict[str, Any]:
    """The answer of `GET /v1/status`. `pending` is 0 when everything that came in is in the figures."""
    here = {"site_id": site.site_id}
    counts = {
        name: await connection.scalar(rows_of_site(table), here)
        for name, table in {"events": tables.events, "crm_facts": tables.crm_facts, "quarantined": tables.quarantine}.items()
    }
    fresh = await freshness(connection, site, now)
    return {
        "pending": fresh.pending,
        **fresh.as_dict(),
        **await _reach(connection, here),
        **counts,
        "dropped": {row.reason: int(row.count) for row in await connection.execute(drops_by_reason(), here)},
        "set_aside": {row.stage: row.count for row in await connection.execute(failures(), here)},
        "connections": await calls_of_site(connection, site.site_id, now),
        "notice_endpoints": await notices_of_site(connection, site.site_id),
        "left_out_touches": {row.reason: row.count for row in await connection.execute(left_out_touches(), here)},
        "ignored_deals": {row.reason: row.count for row in await connection.execute(ignored_deals(), here)},
        "internal_people": await connection.scalar(number_of_internal_people(), here),
        "settings_version": site.settings_version,
    }
