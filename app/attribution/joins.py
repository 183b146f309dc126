"""How the tables of credit join: touches with the labels of their origins, with their events, with their conversions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, case, cast, func

from app import tables
from app.attribution.question import Question
from app.touches.channels import DIRECT_CHANNEL

KEY = ("kind", "holder_id", "fact_id")
"""What names a conversion, within its site."""
DIRECT = DIRECT_CHANNEL
"""The channel that `last_non_direct` and `exclude_direct` pass over."""


def dimension(name: str, labels: FromClause = tables.origin_labels) -> ColumnElement[str]:
    """The text of a dimension, from `labels`, or from `events` for a landing page. An origin without label yet is shown so."""
    if name == "landing_page":
        page = func.coalesce(tables.events.c.host, "") + func.coalesce(tables.events.c.path, "")
        return case((page == "", "(none)"), else_=page)
    missing = "Unassigned" if name == "channel" else "(not set)"
    return func.coalesce(labels.c[name], missing)


def bytewise(text: ColumnElement[str]) -> ColumnElement[str]:
    """For ordering: the same on both databases."""
    return cast(text, tables.Key)


def same_conversion(left: Any, right: Any) -> ColumnElement[bool]:
    """Two rows of one conversion, the left one a table's."""
    return and_(left.site_id == bindparam("site_id"), *(left[name] == right[name] for name in KEY))


def touch_of(touches: FromClause, key: Any) -> ColumnElement[bool]:
    """A touch of the journey of a conversion."""
    return same_conversion(touches.c, key)


def label_of(labels: FromClause, origin_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The label of an origin."""
    return and_(labels.c.site_id == bindparam("site_id"), labels.c.origin_id == origin_id)


def event_of(touch: Any) -> ColumnElement[bool]:
    """The event that was the arrival of a journey's touch."""
    event = tables.events.c
    return and_(event.site_id == bindparam("site_id"), event.visitor_id == touch.touch_visitor_id, event.event_id == touch.touch_event_id)


def with_labels(question: Question, touches: FromClause, *, needed: bool) -> FromClause:
    """Journeys' touches, with their origins' labels where these are needed."""
    if not needed:
        return touches
    labels = question.rows(tables.origin_labels)
    return touches.outerjoin(labels, label_of(labels, question.rows(tables.journey_touches).c.origin_id))


def is_direct(question: Question) -> ColumnElement[bool]:
    """Whether a touch is Direct; `origin_labels` must be joined."""
    return func.coalesce(question.rows(tables.origin_labels).c.channel, "") == DIRECT
