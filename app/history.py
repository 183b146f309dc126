"""Runs and history: a swap that writes is a run, named by its moment, and what it replaces is kept.

A row of a light derived table stands from the run that wrote it (`run_id`) until the run that replaced it
(`ended_by_run`, exclusively). So the rows of any moment are those of the table and of its twin that were begun by then and
not ended: a run's name is its moment, and needs no list to look it up in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Delete,
    Insert,
    Select,
    Subquery,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import Database, greatest, least, micros
from app.tables import of_site, to_micros

_latest = tables.latest_runs
_first = tables.first_touches
RUN = bindparam("run", type_=BigInteger)
"""The run of the swap under way."""
_as_of = bindparam("as_of", type_=BigInteger)


# ---------------------------------------------------------------- a swap's run


def begun_run(is_sqlite: bool) -> Insert:
    """Names the run of a swap and answers its `run_id`: the moment `run_id` that is given, but later than every run before it.

    Takes `site_id`, and the moment as `run_id` and as `kept_since`, which the site's first run leaves behind.
    """
    named = (sqlite.insert if is_sqlite else postgresql.insert)(_latest)
    later = greatest(_latest.c.run_id + 1, named.excluded.run_id)
    return named.on_conflict_do_update(index_elements=["site_id"], set_={"run_id": later}).returning(_latest.c.run_id)


async def begin_run(connection: AsyncConnection, is_sqlite: bool, site_id: str) -> int:
    """Inside the transaction of a swap: the `run_id` of what it writes. The moment is the swap's own, whoever asked for it."""
    now = to_micros(datetime.now(UTC))
    named = await connection.execute(begun_run(is_sqlite), {"site_id": site_id, "run_id": now, "kept_since": now})
    return int(named.scalar_one())


def rows_ended(table: Table) -> Insert:
    """Copies into history the rows that the swap `:run` is about to replace or delete. Index: the table's key."""
    staged = tables.staged[table.name]
    is_staged = and_(*(staged.c[c.name] == c for c in table.primary_key.columns))
    ended = select(*table.columns, RUN).join_from(staged, table, is_staged).where(of_site(staged), of_site(table))
    return insert(tables.history[table.name]).from_select([*table.columns.keys(), "ended_by_run"], ended)


def first_touch_moved() -> Insert:
    """Notes that the site's first touch is another one since the swap `:run`. Index: `ix_visitor_spans__first_touch`."""
    span = tables.visitor_spans
    now = select(func.min(span.c.first_touched_at).label("first_touched_at")).where(of_site(span)).cte("now")
    noted = select(_first.c.first_touched_at).where(of_site(_first)).order_by(_first.c.run_id.desc()).limit(1).scalar_subquery()
    moved = select(bindparam("site_id", type_=tables.Key), RUN, now.c.first_touched_at).where(
        now.c.first_touched_at.is_distinct_from(noted)
    )
    return insert(_first).from_select(["site_id", "run_id", "first_touched_at"], moved)


# ---------------------------------------------------------------- what stood at a moment


@cache
def rows_then(table: Table, moment: str = "as_of") -> Subquery:
    """A row of a light derived table as it stood at the moment that the parameter names: its columns but `run_id`.

    One object a table, so that a statement may name its columns wherever it needs them. LookupError if the table has no
    history. Index: those of the table, and the same of its twin.
    """
    past, then = tables.history[table.name], bindparam(moment, type_=BigInteger)
    names = [c.name for c in table.columns if c.name != "run_id"]
    still = select(*(table.c[name] for name in names)).where(of_site(table), table.c.run_id <= then)
    until = select(*(past.c[name] for name in names)).where(of_site(past), past.c.run_id <= then, past.c.ended_by_run > then)
    return union_all(still, until).subquery(f"{table.name}_{moment}")


def first_touch_then() -> Select[Any]:
    """At most one row: the site's first touch, in microseconds, as it was known at the moment `:as_of`. Index: the primary key."""
    known = select(micros(_first.c.first_touched_at)).where(of_site(_first), _first.c.run_id <= _as_of)
    return known.order_by(_first.c.run_id.desc()).limit(1)


def reach_of_history() -> Select[Any]:
    """At most one row: the latest run of the site, and the earliest that `as_of` answers from. Index: the primary key."""
    return select(_latest.c.run_id, _latest.c.kept_since).where(of_site(_latest))


# ---------------------------------------------------------------- what is kept


def forgotten() -> Update:
    """Has `as_of` answer from `:before` on, for every site that it still answers earlier."""
    # A site at rest stays what it was: its latest run is always in reach.
    before = least(bindparam("before", type_=BigInteger), _latest.c.run_id)
    return update(_latest).where(_latest.c.kept_since < before).values(kept_since=before)


def rows_out_of_reach(past: Table) -> Delete:
    """Deletes at most `:limit` rows of a history that no `as_of` can reach. Index: `ix_<history>__ended`."""
    key = list(past.primary_key.columns)
    is_out = and_(past.c.site_id == _latest.c.site_id, past.c.ended_by_run <= _latest.c.kept_since)
    return delete(past).where(tuple_(*key).in_(select(*key).join_from(_latest, past, is_out).limit(bindparam("limit"))))


def first_touches_out_of_reach() -> Delete:
    """Deletes the first touches that were known before the earliest moment that `as_of` answers, but for the last of them."""
    later = _first.alias("later")
    is_reached = and_(_latest.c.site_id == later.c.site_id, later.c.run_id <= _latest.c.kept_since)
    is_past = and_(later.c.site_id == _first.c.site_id, later.c.run_id > _first.c.run_id)
    return delete(_first).where(exists().select_from(_latest.join(later, is_reached)).where(is_past))


async def prune(database: Database, now: datetime, *, days: int, limit: int = 1_000) -> int:
    """Forgets what ended more than `days` ago, in transactions of at most `limit` rows. Answers how many rows went."""
    async with database.write() as connection:
        await connection.execute(forgotten(), {"before": to_micros(now - timedelta(days=days))})
        gone = (await connection.execute(first_touches_out_of_reach())).rowcount
    for past in tables.history.values():
        deleted = limit
        while deleted == limit:
            async with database.write() as connection:
                deleted = (await connection.execute(rows_out_of_reach(past), {"limit": limit})).rowcount
            gone += deleted
    return gone
