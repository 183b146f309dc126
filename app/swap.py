"""What a stage of the pipeline is, and how its result replaces what stood there before.

A stage computes its rows for a set of dirty keys into staging tables, keeps there only what differs from its target
tables, and then writes just that, in one short transaction that also enqueues for the next stages and deletes the
queue rows that it answered. Most recomputations therefore write nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Delete,
    Insert,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app import history, tables
from app import queue as queues
from app.db import upsert
from app.sites.site import Site
from app.tables import of_site

Compute = Callable[[AsyncConnection, Site], Awaitable[None]]
"""Fills the staging twins of a stage's targets for the keys in its `dirty` table. Reads facts and earlier stages."""


NOT_SET: ColumnElement[Any] = literal("", tables.Key)
"""The empty part of a dirty key that names only something else: it sorts before every value."""


@dataclass(frozen=True)
class Change:
    """What of a derived table is staged."""

    gone: int
    """Rows that stand and were not computed again."""
    differing: int
    """Rows that are new, or differ from the one that stands."""
    may_replace: bool
    """Whether any row of the dirty keys stood before: else there is nothing to compare with, and nothing to keep."""

    @property
    def rows(self) -> int:
        """How many rows the swap will write."""
        return self.gone + self.differing


Changes = dict[str, Change]
"""By derived table."""


@dataclass(frozen=True)
class Target:
    """A derived table that a stage owns, and which of its rows belong to the dirty keys."""

    table: Table
    in_scope: ColumnElement[bool]

    @property
    def staged(self) -> Table:
        """The staging twin."""
        return tables.staged[self.table.name]

    @property
    def has_history(self) -> bool:
        """Whether what a swap replaces is kept."""
        return self.table.name in tables.history


@dataclass(frozen=True)
class Enqueue:
    """What a stage makes dirty for a later one: a statement of keys (`site_id` first), over staging and old rows."""

    queue: Table
    keys: Select[Any]


@dataclass(frozen=True)
class BatchSize:
    """How many keys a stage takes at a time: the first time, and the bounds within which it learns."""

    first: int = 500
    least: int = 200
    most: int = 20_000
    seconds: float | None = None
    """How long computing and swapping a batch may take; None: what the database can bear (`app.pipeline.batches`)."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of the pipeline."""

    name: str
    queue: Table
    targets: tuple[Target, ...]
    compute: Compute
    enqueues: tuple[Enqueue, ...]
    sources: tuple[tuple[ColumnElement[Any], ...], ...]
    """Where a rebuild finds the keys: for each table, the columns (`site_id` first) that make up the dirty key.
    A part that a source does not have is `NOT_SET`."""
    needs_first: tuple[Stage, ...] = ()
    """Stages whose queues must be empty between taking this stage's rows and computing them."""
    batch: BatchSize = BatchSize()
    waits_for_backlog: bool = False
    """Whether it is put off while a stage before it has more queued than it takes at a time: what it computes for one
    key holds so much that during a bulk load it would be computed again and again."""

    @property
    def dirty(self) -> Table:
        """The table of the keys being computed."""
        return tables.dirty[self.queue.name]


def is_dirty(stage_queue: Table, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the columns (the dirty key, without `site_id`) are among the keys being computed."""
    dirty = tables.dirty[stage_queue.name]
    names = queues.dirty_columns(stage_queue)
    keys = select(*(dirty.c[name] for name in names)).where(of_site(dirty))
    return columns[0].in_(keys) if len(columns) == 1 else tuple_(*columns).in_(keys)


# ---------------------------------------------------------------- statements


def clear(table: Table) -> Delete:
    """Empties a staging table of the site's rows."""
    return delete(table).where(of_site(table))


def rows_gone(target: Target) -> Insert:
    """Stages, as gone, the target's rows in scope that were not computed again. Index: the target's key."""
    table, staged = target.table, target.staged
    names = [c.name for c in table.primary_key.columns]
    computed = exists().where(*(staged.c[name] == table.c[name] for name in names))
    gone = select(*(table.c[name] for name in names), literal(True)).where(of_site(table), target.in_scope, ~computed)
    return insert(staged).from_select([*names, "is_gone"], gone)


def rows_unchanged(target: Target) -> Delete:
    """Takes out of staging what stands in the target already, so that only differences are left."""
    table, staged = target.table, target.staged
    keys = {c.name for c in table.primary_key.columns}
    same = exists().where(
        *(table.c[c.name] == staged.c[c.name] for c in table.columns if c.name in keys),
        *(table.c[c.name].is_not_distinct_from(staged.c[c.name]) for c in staged.columns if c.name not in (*keys, "is_gone")),
    )
    return delete(staged).where(of_site(staged), staged.c.is_gone.is_(False), same)


def any_in_scope(target: Target) -> Select[Any]:
    """One row: whether the target holds any row of the dirty keys; a first computation has nothing to compare with."""
    return select(exists().where(of_site(target.table), target.in_scope))


def rows_staged(target: Target) -> Select[Any]:
    """At most two rows: how many staged rows are gone, and how many are new or different."""
    staged = target.staged
    return select(staged.c.is_gone, func.count().label("number")).where(of_site(staged)).group_by(staged.c.is_gone)


def delete_gone(target: Target) -> Delete:
    """Deletes the target's rows that are staged as gone."""
    table, staged = target.table, target.staged
    names = [c.name for c in table.primary_key.columns]
    gone = select(*(staged.c[name] for name in names)).where(of_site(staged), staged.c.is_gone.is_(True))
    return delete(table).where(of_site(table), tuple_(*(table.c[name] for name in names)).in_(gone))


def write_changed(is_sqlite: bool, target: Target) -> Insert:
    """Writes the staged rows that are new or different, with the run (`:run`) where the table has history."""
    table, staged = target.table, target.staged
    names = [c.name for c in staged.columns if c.name != "is_gone"]
    columns: list[ColumnElement[Any]] = [staged.c[name] for name in names]
    if target.has_history:
        names, columns = [*names, "run_id"], [*columns, history.RUN]
    changed = select(*columns).where(of_site(staged), staged.c.is_gone.is_(False))
    return upsert(is_sqlite, table, changed, names)


def stage_enqueued(is_sqlite: bool, enqueue: Enqueue) -> Insert:
    """Stages the keys that a later stage will find dirty. Several statements may name the same queue."""
    names = ["site_id", *queues.dirty_columns(enqueue.queue)]
    keys = enqueue.keys.subquery()
    rows = select(*keys.columns).where(literal(True)).distinct()
    return upsert(is_sqlite, tables.enqueued[enqueue.queue.name], rows, names)


def write_enqueued(queue: Table) -> Insert:
    """Enqueues what was staged, with the time of the oldest fact behind it (`:received_at`)."""
    names = ["site_id", *queues.dirty_columns(queue)]
    staged = tables.enqueued[queue.name]
    rows = select(*(staged.c[name] for name in names), bindparam("received_at", type_=tables.Moment)).where(of_site(staged))
    if queue in tables.QUEUED_ONCE:
        rows = rows.where(~exists().where(*(queue.c[name] == staged.c[name] for name in names)))
    return insert(queue).from_select([*names, "received_at"], rows)


def next_keys(stage: Stage, after: tuple[str, ...] | None) -> Insert:
    """Rows of the stage's `dirty` table: the `:limit` keys that follow `after` in its sources and targets.

    With `after`, the parameters `:after_0`, `:after_1`, … are its parts. Index: the key of each source.
    """
    names = ["site_id", *queues.dirty_columns(stage.queue)]
    branches = []
    for source in stage.sources:
        parts = [c for c in source[1:] if c is not NOT_SET]
        branch = select(*(c.label(name) for c, name in zip(source, names, strict=True))).where(
            source[0] == bindparam("site_id"), *(c.is_not(None) for c in parts)
        )
        if after is not None:
            branch = branch.where(_comes_after(source[1:], after))
        first = branch.distinct().order_by(*parts).limit(bindparam("limit")).subquery()
        branches.append(select(*first.columns))
    keys = (union(*branches) if len(branches) > 1 else branches[0]).subquery()
    page = select(*keys.columns).order_by(*list(keys.columns)[1:]).limit(bindparam("limit"))
    return insert(stage.dirty).from_select(names, page)


def _comes_after(key: tuple[ColumnElement[Any], ...], after: tuple[str, ...]) -> ColumnElement[bool]:
    """Whether a source's key follows `after`, said by its own columns alone, so that its index serves."""
    bounds = [(part, value, bindparam(f"after_{n}", type_=tables.Key)) for n, (part, value) in enumerate(zip(key, after, strict=True))]
    while bounds and bounds[0][0] is NOT_SET:
        if bounds.pop(0)[1] != "":
            return false()
    compared = [(part, bound) for part, _, bound in bounds if part is not NOT_SET]
    if len(compared) == 1:
        return compared[0][0] > compared[0][1]
    return tuple_(*(part for part, _ in compared)) > tuple_(*(bound for _, bound in compared))


def last_dirty(stage: Stage) -> Select[Any]:
    """At most one row: the greatest of the keys being computed."""
    names = queues.dirty_columns(stage.queue)
    columns = [stage.dirty.c[name] for name in names]
    return select(*columns).where(of_site(stage.dirty)).order_by(*(c.desc() for c in columns)).limit(1)


# ---------------------------------------------------------------- running them


async def analyse(connection: AsyncConnection, *filled: Table) -> None:
    """Tell PostgreSQL's planner what staging tables hold now: their contents change faster than it looks by itself.

    SQLite's planner has fixed statistics (`app.planner`).
    """
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("ANALYZE " + ", ".join(table.name for table in filled))


async def compute(connection: AsyncConnection, is_sqlite: bool, stage: Stage, site: Site, *, enqueue: bool) -> Changes:
    """Compute the dirty keys into staging and leave there only what differs. Writes no permanent row on SQLite."""
    here = {"site_id": site.site_id}
    for target in stage.targets:
        await connection.execute(clear(target.staged), here)
    await analyse(connection, stage.dirty)
    await stage.compute(connection, site)
    await analyse(connection, *(target.staged for target in stage.targets))
    changes: Changes = {}
    for target in stage.targets:
        may_replace = bool(await connection.scalar(any_in_scope(target), here))
        if may_replace:
            await connection.execute(rows_gone(target), here)
            await connection.execute(rows_unchanged(target), here)
        staged = {row.is_gone: row.number for row in await connection.execute(rows_staged(target), here)}
        changes[target.table.name] = Change(staged.get(True, 0), staged.get(False, 0), may_replace)
    if enqueue:
        for queue in {item.queue.name: item.queue for item in stage.enqueues}.values():
            await connection.execute(clear(tables.enqueued[queue.name]), here)
        for item in stage.enqueues:
            await connection.execute(stage_enqueued(is_sqlite, item), here)
    return changes


async def swap(
    connection: AsyncConnection, is_sqlite: bool, stage: Stage, site: Site, changes: Changes, received_at: Any, *, enqueue: bool
) -> None:
    """Write what was staged, keep what that replaces, enqueue what follows from it. The caller's transaction makes it one."""
    here = {"site_id": site.site_id}
    if enqueue:
        for queue in {item.queue.name: item.queue for item in stage.enqueues}.values():
            await connection.execute(write_enqueued(queue), {**here, "received_at": received_at})
    written = [target for target in stage.targets if changes[target.table.name].rows]
    if not written:
        return
    run = here | {"run": await history.begin_run(connection, is_sqlite, site.site_id)}
    for target in written:
        change = changes[target.table.name]
        if target.has_history and change.may_replace:
            await connection.execute(history.rows_ended(target.table), run)
        if change.gone:
            await connection.execute(delete_gone(target), here)
        if change.differing:
            await connection.execute(write_changed(is_sqlite, target), run if target.has_history else here)
    if any(target.table is tables.visitor_spans for target in written):
        await connection.execute(history.first_touch_moved(), run)
