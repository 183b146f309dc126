"""How far the pipeline has come: what is queued, and whether a rebuild is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.reports.figures import as_rfc3339
from app.sites.site import Site


@dataclass(frozen=True)
class Freshness:
    """How fresh what is derived is."""

    pending: int
    """Rows in all queues, and what a rebuild has left."""
    computed_through: datetime
    """Every fact that came in before this is in the figures."""
    rebuilding: dict[str, object] | None

    def as_dict(self) -> dict[str, object]:
        """What every report says of itself."""
        return {"computed_through": as_rfc3339(self.computed_through), "rebuilding": self.rebuilding}


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


async def freshness(connection: AsyncConnection, site: Site, now: datetime) -> Freshness:
    """How fresh the site's derived rows are, in this snapshot."""
    here = {"site_id": site.site_id}
    rows, oldest_at = (await connection.execute(queued_rows(), here)).one()
    rebuild = (
        await connection.execute(select(tables.rebuilds).where(tables.rebuilds.c.site_id == bindparam("site_id")), here)
    ).one_or_none()
    left = 0 if rebuild is None else rebuild.keys_left
    return Freshness(int(rows) + left, oldest_at or now, None if rebuild is None else _described(rebuild))


def _described(rebuild: Row[Any]) -> dict[str, object]:
    return {
        "stage": rebuild.stage,
        "keys_left": rebuild.keys_left,
        "keys_total": rebuild.keys_total,
        "started_at": as_rfc3339(rebuild.started_at),
    }
