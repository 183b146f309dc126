"""What is tracked end to end: conversions of which we have seen a touch ourselves, not only heard of one afterwards."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.joins import event_of, touch_of, with_labels
from app.attribution.journeys import own_minor, summed
from app.attribution.ledger import sides
from app.attribution.question import Question
from app.attribution.reach import is_in_reach
from app.reports.figures import Figures
from app.reports.totals import figures


def reported(touch: RowMapping) -> dict[str, bool]:
    """How an answer marks a touch that a CRM has told of: `reported_by_crm`."""
    return {"reported_by_crm": touch["reported_by"] == "crm"}


def is_tracked(question: Question, conversion: Any) -> ColumnElement[bool]:
    """Whether a conversion (by the columns of its key and its times) has a touch in reach that we saw ourselves.

    Index: the key of `journey_touches`.
    """
    touches = question.rows(tables.journey_touches)
    labelled = with_labels(question, touches, needed=question.exclude_direct)
    seen = and_(touch_of(touches, conversion), touches.c.is_reported.is_(False), is_in_reach(question, conversion))
    return exists().select_from(labelled).where(seen)


def is_reported_by_crm(question: Question, conversion: Any) -> ColumnElement[bool]:
    """Whether it has a touch in reach that a CRM told of. Index: the keys of `journey_touches` and `events`."""
    touches = question.rows(tables.journey_touches)
    labelled = with_labels(question, touches, needed=question.exclude_direct).join(tables.events, event_of(touches.c))
    told = and_(touch_of(touches, conversion), touches.c.is_reported.is_(True), is_in_reach(question, conversion))
    return exists().select_from(labelled).where(told, tables.events.c.reported_by == "crm")


def tracked_conversions(question: Question) -> Select[Any]:
    """At most two rows: whether it is tracked, and its `millionths` and `minor`. Reads what `sides` reads, and `journey_touches`."""
    over = sides(question)
    tracked = is_tracked(question, over.c).correlate(over).label("is_tracked")
    rows = select(tracked, over.c.millionths, own_minor(over.c).label("minor")).cte("sides_tracked")
    return select(rows.c.is_tracked, *summed(rows.c)).group_by(rows.c.is_tracked)


async def tracked(connection: AsyncConnection, question: Question, money: str | None, currency: str) -> dict[str, Any]:
    """`conversions`, the money under its name, and their `share` of all that is counted: of the money where there is any, else of the
    conversions; to six places, null where nothing is counted."""
    rows = (await connection.execute(tracked_conversions(question), question.parameters)).mappings().all()
    ours = sum((figures(row) for row in rows if row["is_tracked"]), Figures())
    whole = sum((figures(row) for row in rows), Figures())
    part, of = (ours.minor, whole.minor) if money and whole.minor else (ours.millionths, whole.millionths)
    return {**ours.as_dict(money, currency), "share": round(part / of, 6) if of else None}
