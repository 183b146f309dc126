"""How far the pipeline has come: what is queued, and whether a rebuild is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import greatest, micros
from app.reports.figures import as_rfc3339
from app.sites.site import Site
from app.tables import from_micros


@dataclass(frozen=True)
class Freshness:
    """How fresh what is derived is."""

    pending: int
    """Rows in all queues, and what a rebuild has left."""
    computed_through: datetime | None
    """Every fact that came in before this is in the figures; None: of an earlier moment, nobody knows any more."""
    rebuilding: dict[str, object] | None
    as_of: int | None
    """The moment, in microseconds, that gives the same answer when it is asked for as `as_of`; None: nothing is computed yet."""

    def as_dict(self) -> dict[str, object]:
        """What every report says of itself."""
        return {
            "as_of": None if self.as_of is None else as_rfc3339(from_micros(self.as_of)),
            "computed_through": self.computed_through and as_rfc3339(self.computed_through),
            "rebuilding": self.rebuilding,
        }


def queued_rows() -> Select[Any]:
    """One row: how many rows are in the site's queues, and when the oldest fact behind them came in. Index: `ix_<queue>__site`."""
    queues = union_all(
        *(
            select(func.count().label("rows"), func.min(queue.c.received_at).label("oldest_at")).where(
                queue.c.site_id == bindparam("site_id")
            )
            for queue in tables.QUEUES
        )
    ).cte("queues")
    return select(func.sum(queues.c.rows), func.min(queues.c.oldest_at))


def moment_of_figures() -> Select[Any]:
    """At most one number: when what reports say last changed, in microseconds: by a run, by the settings `:settings_version`, or
    by a model of the site's own.

    Reads `latest_runs`, `site_versions` and `models` by primary key.
    """
    run, version, model = tables.latest_runs.c, tables.site_versions.c, tables.models.c
    in_force = and_(version.site_id == run.site_id, version.version == bindparam("settings_version"))
    changed = select(func.coalesce(func.max(micros(model.changed_at)), 0)).where(model.site_id == run.site_id).scalar_subquery()
    joined = tables.latest_runs.join(tables.site_versions, in_force)
    latest = greatest(run.run_id, micros(version.created_at), changed)
    return select(latest).select_from(joined).where(run.site_id == bindparam("site_id"))


async def freshness(connection: AsyncConnection, site: Site, now: datetime) -> Freshness:
    """How fresh the site's derived rows are, in this snapshot, or how old at the moment at which the site is looked at."""
    if site.as_of is not None:
        return Freshness(0, None, None, site.as_of)
    here = {"site_id": site.site_id}
    rows, oldest_at = (await connection.execute(queued_rows(), here)).one()
    rebuild = (
        await connection.execute(select(tables.rebuilds).where(tables.rebuilds.c.site_id == bindparam("site_id")), here)
    ).one_or_none()
    left = 0 if rebuild is None else rebuild.keys_left
    as_of = await connection.scalar(moment_of_figures(), here | {"settings_version": site.settings_version})
    return Freshness(int(rows) + left, oldest_at or now, None if rebuild is None else _described(rebuild), as_of)


def _described(rebuild: Row[Any]) -> dict[str, object]:
    return {
        "stage": rebuild.stage,
        "keys_left": rebuild.keys_left,
        "keys_total": rebuild.keys_total,
        "started_at": as_rfc3339(rebuild.started_at),
    }
