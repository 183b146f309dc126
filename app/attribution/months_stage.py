"""The stage `months`: dirty months of a kind of conversion -> the sums of their days."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, false, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.ledger import sums_of
from app.attribution.sums import month_of
from app.sites.site import Site
from app.swap import BatchSize, Stage, Target, is_dirty
from app.tables import of_site
from app.touches.queries import staged

_dirty = tables.dirty["months_queue"]


def credit_of_months() -> Select[Any]:
    """A row of `monthly_credit` for each dirty month, model and origin. Index: the key of `daily_credit`."""
    daily, month = tables.daily_credit, _dirty.c
    # `/` is the first character after `-`: every day of the month, and the empty day for the empty month.
    is_within = and_(of_site(daily), daily.c.kind == month.kind, daily.c.day >= month.month, daily.c.day < month.month + "/")
    keys = [daily.c.model, daily.c.origin_id]
    return (
        select(month.site_id, month.kind, month.month, *keys, *sums_of(daily), false().label("is_gone"))
        .join_from(_dirty, daily, is_within)
        .where(of_site(_dirty), month_of(daily.c.day) == month.month)
        .group_by(month.site_id, month.kind, month.month, *keys)
    )


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the sums of the dirty months."""
    await connection.execute(staged("monthly_credit", credit_of_months()), {"site_id": site.site_id})


STAGE = Stage(
    name="months",
    queue=tables.months_queue,
    targets=(Target(tables.monthly_credit, is_dirty(tables.months_queue, tables.monthly_credit.c.kind, tables.monthly_credit.c.month)),),
    compute=compute,
    enqueues=(),
    sources=(
        (tables.daily_ledger.c.site_id, tables.daily_ledger.c.kind, month_of(tables.daily_ledger.c.day)),
        (tables.monthly_credit.c.site_id, tables.monthly_credit.c.kind, tables.monthly_credit.c.month),
    ),
    batch=BatchSize(first=4, least=1, most=100, seconds=1.0),
    waits_for_backlog=True,
)
