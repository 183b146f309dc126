"""What became of whoever needs contact, at a moment: expressions over rows of `opportunities`. Nothing of it is stored.

| outcome | when, tried in this order |
|---|---|
| `unknown` | no live connection of the site reports activities, so nobody can say |
| `won` | it is won, contacted or not |
| `disqualified` | spam, an applicant, a supplier: outside every rate |
| `lost` | closed without a win, and contacted before |
| `missed` | closed without a win, and never contacted; or not contacted, and the promised time is over |
| `open` | contacted, in time or not |
| `uncontacted` | nobody has reached out, still within the promised time |

`is_late` is a fact beside the outcome: the first contact came after the promise. What was reported within a day after the close counts
as contact before it: many log a call when they have closed the deal. Every statement here takes `:now`, in microseconds.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, case, exists, func, literal, not_, or_, select

from app import tables
from app.db import micros
from app.tables import of_site

OUTCOMES = ("uncontacted", "missed", "open", "lost", "won", "disqualified", "unknown")
NEED_CONTACT = ("uncontacted", "missed", "open", "lost", "won")
"""The outcomes that shares are of."""

_HINDSIGHT = 86_400_000_000


def now() -> ColumnElement[int]:
    """The moment of reading."""
    return bindparam("now", type_=BigInteger)


def are_activities_reported() -> Select[Any]:
    """One row: whether a live connection of the site reports what sales do. Reads `connections`, which is small."""
    connection = tables.connections.c
    return select(exists().where(of_site(tables.connections), connection.reports_activities.is_(True), connection.secrets != "[]"))


def outcome(row: Any, *, are_reported: bool) -> ColumnElement[str]:
    """The outcome of a row."""
    if not are_reported:
        return literal("unknown", tables.Key)
    is_over = micros(row.due_at) < now()
    return case(
        (is_closed(row, "won"), "won"),
        (is_closed(row, "disqualified"), "disqualified"),
        (and_(is_closed(row), is_contacted(row)), "lost"),
        (is_closed(row), "missed"),
        (is_contacted(row), "open"),
        (func.coalesce(is_over, False), "missed"),
        else_="uncontacted",
    )


def is_closed(row: Any, *closed_as: str) -> ColumnElement[bool]:
    """Whether a row was closed by now, in one of these ways or in any."""
    ways = row.closed_as.in_(closed_as) if closed_as else row.closed_as != ""
    return and_(row.closed_at.is_not(None), micros(row.closed_at) <= now(), ways)


def is_contacted(row: Any) -> ColumnElement[bool]:
    """Whether somebody had reached out by now, and before it was closed."""
    in_time = or_(not_(is_closed(row)), micros(row.contacted_at) <= micros(row.closed_at) + _HINDSIGHT)
    return and_(row.contacted_at.is_not(None), micros(row.contacted_at) <= now(), in_time)


def is_late(row: Any) -> ColumnElement[bool]:
    """Whether the first contact came after it was promised."""
    return and_(is_contacted(row), row.due_at.is_not(None), micros(row.contacted_at) > micros(row.due_at))


def is_stale(row: Any) -> ColumnElement[bool]:
    """Whether nothing has happened since `:stale_before`, microseconds; of open ones that is a reason to act."""
    return and_(row.last_activity_at.is_not(None), micros(row.last_activity_at) < bindparam("stale_before", type_=BigInteger))
