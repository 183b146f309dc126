"""Statements of the calls to CRMs: what waits to be fetched, how far has been read, and who is left in peace.

Each takes the site and the connection as `:of_site` and `:of_connection`, and the moment as `:now`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Delete,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from app import tables

_fetches, _polls, _pauses = tables.crm_fetches, tables.crm_polls, tables.crm_pauses
_ENDED = "[]"


def of_connection(table: Any) -> ColumnElement[bool]:
    """Rows of the connection. Index: a primary key that begins with (`site_id`, `connection_id`)."""
    return and_(table.c.site_id == bindparam("of_site"), table.c.connection_id == bindparam("of_connection"))


def _of_site(table: Any) -> ColumnElement[bool]:
    mine: ColumnElement[bool] = table.c.site_id == bindparam("of_site")
    return mine


def _moment(name: str) -> BindParameter[Any]:
    return bindparam(name, type_=tables.Moment)


def _is_due(table: Any) -> ColumnElement[bool]:
    due: ColumnElement[bool] = table.c.next_try_at <= _moment("now")
    return due


def _is_paused(site_id: Any, connection_id: Any, kind: Any = None) -> ColumnElement[bool]:
    """Whether every call of the connection is paused, or, given a kind, its fetches."""
    kinds = _pauses.c.kind == "" if kind is None else or_(_pauses.c.kind == "", _pauses.c.kind == kind)
    here = and_(_pauses.c.site_id == site_id, _pauses.c.connection_id == connection_id, kinds)
    return exists().where(here, _pauses.c.paused_until > _moment("now"))


# ---------------------------------------------------------------- who is to be called


def connections_with_a_token() -> Select[Any]:
    """A row a live connection of any site that has an API token and is not paused: its columns, whether fetches and polls
    are due, and how many kinds are polled. Index: `ix_crm_fetches__due`, the key of `crm_polls`.
    """
    connection = tables.connections.c
    fetch, poll = _fetches.c, _polls.c
    of_fetch = and_(fetch.site_id == connection.site_id, fetch.connection_id == connection.connection_id)
    of_poll = and_(poll.site_id == connection.site_id, poll.connection_id == connection.connection_id)
    fetches_due = exists().where(of_fetch, _is_due(_fetches), ~_is_paused(fetch.site_id, fetch.connection_id, fetch.kind))
    polls_due = exists().where(of_poll, _is_due(_polls))
    kinds_polled = select(func.count()).select_from(_polls).where(of_poll).scalar_subquery()
    return (
        select(tables.connections, fetches_due.label("fetches_due"), polls_due.label("polls_due"), kinds_polled.label("kinds_polled"))
        .where(connection.api_token.is_not(None), connection.secrets != _ENDED, ~_is_paused(connection.site_id, connection.connection_id))
        .order_by(connection.connection_id)
    )


# ---------------------------------------------------------------- fetches


def kind_to_fetch() -> Select[Any]:
    """At most one row: the kind of the record that has been due the longest. Index: `ix_crm_fetches__due`."""
    due = and_(of_connection(_fetches), _is_due(_fetches), ~_is_paused(_fetches.c.site_id, _fetches.c.connection_id, _fetches.c.kind))
    return select(_fetches.c.kind).where(due).order_by(_fetches.c.next_try_at).limit(1)


def lease_fetches() -> Update:
    """Leases until `:leased_until` the due rows of the `:limit` records of `:of_kind` that have been due the longest.

    Answers (record, notice, how often tried). Of two that lease at once, the second finds the rows of the first
    leased: it asks again whether a row is due when it gets its lock. Index: the primary key.
    """
    due = and_(of_connection(_fetches), _fetches.c.kind == bindparam("of_kind"), _is_due(_fetches))
    record = _fetches.c.record_id
    records = select(record).where(due).group_by(record).order_by(func.min(_fetches.c.next_try_at), record).limit(bindparam("limit"))
    return (
        update(_fetches)
        .where(due, record.in_(records))
        .values(next_try_at=_moment("leased_until"))
        .returning(record, _fetches.c.fact_id, _fetches.c.tries)
    )


def _is_notice() -> ColumnElement[bool]:
    """The row of the notice `:of_notice` of `:of_record` of `:of_kind`. Index: the primary key."""
    fetch = _fetches.c
    record = and_(fetch.kind == bindparam("of_kind"), fetch.record_id == bindparam("of_record"))
    return and_(of_connection(_fetches), record, fetch.fact_id == bindparam("of_notice"))


def delete_fetch() -> Delete:
    """Deletes exactly the row that was leased: a notice that came in meanwhile is still to be fetched."""
    return delete(_fetches).where(_is_notice())


def release_fetch() -> Update:
    """Gives a row back untried, to be taken as soon as nothing pauses it."""
    return update(_fetches).where(_is_notice()).values(next_try_at=_moment("now"))


def postpone_fetch() -> Update:
    """Gives a row back that failed, until `:again_at`; `:error` says why."""
    again = {"next_try_at": _moment("again_at"), "tries": _fetches.c.tries + 1, "last_error": bindparam("error")}
    return update(_fetches).where(_is_notice()).values(**again)


# ---------------------------------------------------------------- polls


def polls_due() -> Select[Any]:
    """A row a kind that is due, and not paused. Index: the primary key."""
    poll = _polls.c
    return select(poll.kind).where(of_connection(_polls), _is_due(_polls), ~_is_paused(poll.site_id, poll.connection_id))


def polls_of_connection() -> Select[Any]:
    """A row a kind that is read by asking. Index: the primary key."""
    return select(_polls).where(of_connection(_polls))


def lease_poll() -> Update:
    """Leases until `:leased_until` the row of `:of_kind`, if it is due, and begins a round if none is under way. Answers the row."""
    return (
        update(_polls)
        .where(of_connection(_polls), _polls.c.kind == bindparam("of_kind"), _is_due(_polls))
        .values(next_try_at=_moment("leased_until"), began_at=func.coalesce(_polls.c.began_at, _moment("now")))
        .returning(*_polls.c)
    )


def leased_poll() -> Update:
    """The row that was leased until `:leased_until`: not one that was since told to begin anew. To be given values."""
    is_ours = and_(_polls.c.kind == bindparam("of_kind"), _polls.c.next_try_at == _moment("leased_until"))
    return update(_polls).where(of_connection(_polls), is_ours)


def poll_at_once() -> Update:
    """The kinds `:kinds` are asked for now, from where they are."""
    named = _polls.c.kind.in_(bindparam("kinds", expanding=True))
    return update(_polls).where(of_connection(_polls), named).values(next_try_at=_moment("now"))


def begin_polls_anew() -> Update:
    """The kinds `:kinds` are read again from `:since_at`, from now."""
    fresh = {"cursor": None, "began_at": None, "tries": 0, "last_error": None}
    named = _polls.c.kind.in_(bindparam("kinds", expanding=True))
    return update(_polls).where(of_connection(_polls), named).values(since=_moment("since_at"), next_try_at=_moment("now"), **fresh)


# ---------------------------------------------------------------- pauses


def pauses_of_connection() -> Select[Any]:
    """A row a pause, whether or not it is over. Index: the primary key."""
    return select(_pauses).where(of_connection(_pauses))


def end_pauses() -> Delete:
    """Ends the pauses of the kinds `:kinds`: a call went through."""
    return delete(_pauses).where(of_connection(_pauses), _pauses.c.kind.in_(bindparam("kinds", expanding=True)))


# ---------------------------------------------------------------- what is shown


def fetches_by_connection() -> Select[Any]:
    """A row a connection of the site that has something to fetch: how much, how much of it came in by `:stuck_before`, when the
    oldest came in, and what went wrong last. Index: the primary key of `crm_fetches`.
    """
    fetch = _fetches.c
    errors_first = case((fetch.last_error.is_(None), 1), else_=0)
    place = func.row_number().over(partition_by=fetch.connection_id, order_by=(errors_first, fetch.next_try_at.desc()))
    shown = select(fetch.connection_id, fetch.received_at, fetch.last_error, place.label("place"))
    waiting = shown.where(_of_site(_fetches)).cte("waiting")
    is_stuck = waiting.c.received_at <= _moment("stuck_before")
    return select(
        waiting.c.connection_id,
        func.count().label("waiting"),
        func.sum(case((is_stuck, 1), else_=0)).label("stuck"),
        func.min(waiting.c.received_at).label("oldest_at"),
        func.max(case((waiting.c.place == 1, waiting.c.last_error))).label("last_error"),
    ).group_by(waiting.c.connection_id)


def polls_of_site() -> Select[Any]:
    """A row a connection and kind of the site. Index: the primary key."""
    return select(_polls).where(_of_site(_polls))


def pauses_of_site() -> Select[Any]:
    """A row a pause of the site that is not over. Index: the primary key."""
    return select(_pauses).where(_of_site(_pauses), _pauses.c.paused_until > _moment("now"))


def facts_of_connection() -> Select[Any]:
    """One row: how many facts came through the connection. Index: the primary key of `crm_facts`, by its site."""
    return select(func.count()).select_from(tables.crm_facts).where(of_connection(tables.crm_facts))
