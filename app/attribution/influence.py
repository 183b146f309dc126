"""Influence: what a channel (campaign, page, …) had part in at all, whatever a model gives it. It does not add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from app import tables
from app.attribution.joins import dimension, event_of, label_of
from app.attribution.journeys import own_minor, summed
from app.attribution.ledger import sides
from app.attribution.paths import touches_of_sides
from app.attribution.question import Question


def influenced_by(question: Question, by: Sequence[str]) -> Select[Any]:
    """A row a distinct tuple of the dimensions `by`: `millionths` and `minor` of the conversions with at least one touch of it in
    reach, each as a whole.

    A property of the conversion groups as it does for credit. Reads what `touches_of_sides` reads, `origin_labels`, and for
    landing pages `events`, by primary key. Which conversions share a row must be told one by one, so no sum that is kept can
    answer it.
    """
    over, labels = sides(question), question.rows(tables.origin_labels)
    properties = {each.name: each.column for each in question.grouped}
    touches = touches_of_sides(question, over, ("touch_visitor_id", "touch_event_id") if "landing_page" in by else ())
    joined = touches.outerjoin(labels, label_of(labels, touches.c.origin_id))
    if "landing_page" in by:
        joined = joined.outerjoin(tables.events, event_of(touches.c))
    of_touch = [dimension(name, labels).label(name) for name in by if name not in properties]
    touched = select(touches.c.journey, *of_touch).select_from(joined).distinct().cte("touched")
    names = [(over.c[properties[name]] if name in properties else touched.c[name]).label(name) for name in by]
    counts = [over.c.millionths, own_minor(over.c).label("minor")]
    influenced = select(*names, *counts).join_from(over, touched, touched.c.journey == over.c.side).cte("influenced")
    keys = [influenced.c[name] for name in by]
    return select(*keys, *summed(influenced.c)).group_by(*keys)
