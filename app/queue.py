"""The stages' queues: append-only sets of dirty keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Insert, Select, Table, and_, bindparam, delete, func, insert, literal, or_, select

from app import tables


def dirty_columns(queue: Table) -> list[str]:
    """Names of the columns that make up a queue's dirty key, without `site_id`."""
    return [c.name for c in queue.columns if c.name not in ("queue_id", "site_id", "received_at")]


def rows_to_enqueue(queue: Table, site_id: str, keys: Iterable[tuple[str, ...]], received_at: datetime) -> list[dict[str, Any]]:
    """Rows of a queue for dirty keys that Python knows (what ingestion enqueues)."""
    names = dirty_columns(queue)
    return [{"site_id": site_id, "received_at": received_at, **dict(zip(names, key, strict=True))} for key in keys]


def is_anything_queued() -> Select[Any]:
    """One row: whether any queue of the site holds a row, or a rebuild is under way. Index: `ix_<queue>__site`."""
    held = (select(table.c.site_id).where(table.c.site_id == bindparam("site_id")).exists() for table in (*tables.QUEUES, tables.rebuilds))
    return select(or_(*held))


def take(queue: Table) -> Insert:
    """Rows of `taken_rows`: the oldest `:limit` rows of a site's queue. Index: `ix_<queue>__site`."""
    oldest = (
        select(queue.c.site_id, literal(queue.name), queue.c.queue_id)
        .where(queue.c.site_id == bindparam("site_id"))
        .order_by(queue.c.queue_id)
        .limit(bindparam("limit"))
    )
    return insert(tables.taken_rows).from_select(["site_id", "queue_name", "queue_id"], oldest)


def taken_keys(queue: Table) -> Insert:
    """Rows of the queue's `dirty` table: the distinct keys of the rows taken."""
    names = ["site_id", *dirty_columns(queue)]
    keys = select(*(queue.c[name] for name in names)).where(_is_taken(queue)).distinct()
    return insert(tables.dirty[queue.name]).from_select(names, keys)


def oldest_taken(queue: Table) -> Select[Any, Any]:
    """One row: how many rows were taken, and when the oldest fact behind them came in."""
    return select(func.count(), func.min(queue.c.received_at)).where(_is_taken(queue))


def delete_taken(queue: Table) -> Delete:
    """Deletes exactly the rows taken (never 'up to the highest': numbers do not commit in order)."""
    return delete(queue).where(_is_taken(queue))


def _is_taken(queue: Table) -> Any:
    taken = select(tables.taken_rows.c.queue_id).where(
        and_(tables.taken_rows.c.site_id == bindparam("site_id"), tables.taken_rows.c.queue_name == queue.name)
    )
    return and_(queue.c.site_id == bindparam("site_id"), queue.c.queue_id.in_(taken))
