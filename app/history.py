"""Runs and history: a swap that writes is a run, named by its moment, and what it replaces is kept.

A row of a light derived table stands from the run that wrote it (`run_id`) until the run that replaced it
(`ended_by_run`, exclusively). So the rows of any moment are those of the table and of its twin that were begun by then and
not ended: a run's name is its moment, and needs no list to look it up in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Insert,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    func,
    insert,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import greatest, micros
from app.tables import to_micros

_latest = tables.latest_runs
_first = tables.first_touches
RUN = bindparam("run", type_=BigInteger)
"""The run of the swap under way."""
_as_of = bindparam("as_of", type_=BigInteger)


def _of_site(table: FromClause) -> ColumnElement[bool]:
    return table.c.site_id == bindparam("site_id")


# ---------------------------------------------------------------- a swap's run


def begun_run(is_sqlite: bool) -> Insert:
    """Names the run of a swap and answers its `run_id`: the moment `run_id` that is given, but later than every run before it.

    Takes `site_id`, and the moment as `run_id` and as `kept_since_run`, which the site's first run leaves behind.
    """
    named = (sqlite.insert if is_sqlite else postgresql.insert)(_latest)
    later = greatest(_latest.c.run_id + 1, named.excluded.run_id)
    return named.on_conflict_do_update(index_elements=["site_id"], set_={"run_id": later}).returning(_latest.c.run_id)


async def begin_run(connection: AsyncConnection, is_sqlite: bool, site_id: str) -> int:
    """Inside the transaction of a swap: the `run_id` of what it writes. The moment is the swap's own, whoever asked for it."""
    now = to_micros(datetime.now(UTC))
    named = await connection.execute(begun_run(is_sqlite), {"site_id": site_id, "run_id": now, "kept_since_run": now})
    return int(named.scalar_one())


def rows_ended(table: Table) -> Insert:
    """Copies into history the rows that the swap `:run` is about to replace or delete. Index: the table's key."""
    staged = tables.staged[table.name]
    is_staged = and_(*(staged.c[c.name] == c for c in table.primary_key.columns))
    ended = select(*table.columns, RUN).join_from(staged, table, is_staged).where(_of_site(staged), _of_site(table))
    return insert(tables.history[table.name]).from_select([*table.columns.keys(), "ended_by_run"], ended)


def first_touch_moved() -> Insert:
    """Notes that the site's first touch is another one since the swap `:run`. Index: `ix_visitor_spans__first_touch`."""
    span = tables.visitor_spans
    now = select(func.min(span.c.first_touched_at).label("first_touched_at")).where(_of_site(span)).cte("now")
    noted = select(_first.c.first_touched_at).where(_of_site(_first)).order_by(_first.c.run_id.desc()).limit(1).scalar_subquery()
    moved = select(bindparam("site_id", type_=tables.Key), RUN, now.c.first_touched_at).where(
        now.c.first_touched_at.is_distinct_from(noted)
    )
    return insert(_first).from_select(["site_id", "run_id", "first_touched_at"], moved)


# ---------------------------------------------------------------- what stood at a moment


@cache
def rows_then(table: Table) -> Subquery:
    """A row of a light derived table as it stood at the moment `:as_of`: its columns but `run_id`.

    One object a table, so that a statement may name its columns wherever it needs them. LookupError if the table has no
    history. Index: those of the table, and the same of its twin.
    """
    past = tables.history[table.name]
    names = [c.name for c in table.columns if c.name != "run_id"]
    still = select(*(table.c[name] for name in names)).where(_of_site(table), table.c.run_id <= _as_of)
    until = select(*(past.c[name] for name in names)).where(_of_site(past), past.c.run_id <= _as_of, past.c.ended_by_run > _as_of)
    return union_all(still, until).subquery(f"{table.name}_then")


def first_touch_then() -> Select[Any]:
    """At most one row: the site's first touch, in microseconds, as it was known at the moment `:as_of`. Index: the primary key."""
    known = select(micros(_first.c.first_touched_at)).where(_of_site(_first), _first.c.run_id <= _as_of)
    return known.order_by(_first.c.run_id.desc()).limit(1)


def latest_run() -> Select[Any]:
    """At most one row: the latest swap of the site that wrote something, as microseconds. Index: the primary key.

    While it is the same, and the settings are, everything derived is.
    """
    return select(_latest.c.run_id).where(_of_site(_latest))


def reach_of_history() -> Select[Any]:
    """At most one row: the latest run of the site, and the earliest that `as_of` answers from. Index: the primary key."""
    return select(_latest.c.run_id, _latest.c.kept_since_run).where(_of_site(_latest))
