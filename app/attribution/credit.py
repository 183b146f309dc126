"""Credit, computed when read: which part of each conversion, and of its money, each touch has earned.

Each side of a ledger entry is split over the journey's touches by the largest remainder, in integers, so whatever the
rows are grouped by, they add up to the ledger exactly.

Every statement is for one site and takes the parameters of `Question.parameters`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, Select, cast, func, literal, or_, select

from app import tables
from app.attribution.joins import bytewise, dimension, event_of, label_of
from app.attribution.ledger import sides, sums_of
from app.attribution.question import Question
from app.attribution.reach import reached
from app.attribution.rules import weight_of
from app.attribution.split import split


def credit_rows(question: Question, model: str, carried: Sequence[str] = ("origin_id",)) -> CTE:
    """A row a touch and side: the credit that the touch gets of it.

    Columns: `side`; `millionths` of a conversion; `minor` units of money in the site's currency, signed (0 where the
    question has no money); and the columns of `journey_touches` (or properties of `sides`) that are `carried`: each costs
    time in every window.
    Touches without weight have no row. Reads what `sides` and `reached` read.
    """
    weighted = weighted_touches(question, model, sides(question), carried)
    parts = split(weighted, ("side", "direction", "position", *carried), quantities(question))
    minor = parts.c.direction * parts.c.magnitude if question.has_money else literal(0, BigInteger)
    columns = [parts.c.side, *(parts.c[name] for name in carried)]
    return select(*columns, parts.c.millionths, minor.label("minor")).cte("credit")


def quantities(question: Question) -> tuple[str, ...]:
    """What is split: `millionths` of a conversion, and the `magnitude` of its money where it has any."""
    return ("millionths", "magnitude") if question.has_money else ("millionths",)


def weighted_touches(question: Question, model: str, over: CTE, carried: Sequence[str], shown: Collection[str] = ()) -> CTE:
    """A row a touch in reach of a side, with its `weight` (0: it gets nothing), what is to be split, what is `carried`, and the
    fields of `Touch` that are to be `shown`. Reads what `reached` reads."""
    weight, looked_at = weight_of(question.model(model))
    touches = reached(question, over, carried, {*looked_at, *shown})
    kept = ("side", "position", "direction", *carried, *quantities(question), *shown)
    return select(*(touches.c[name] for name in kept), weight.label("weight")).select_from(touches).cte("weighted")


def credit_by(question: Question, model: str, by: Sequence[str]) -> Select[Any]:
    """A row a distinct tuple of the dimensions `by`: its `millionths` and `minor`, the greatest first.

    Credit is summed by origin (and touch, for landing pages; and property) before it meets labels and events, which are few.
    Reads what `credit_rows` reads, `origin_labels`, and for landing pages `events`, by primary key.
    """
    touch = ("touch_visitor_id", "touch_event_id") if "landing_page" in by else ()
    carried = ("origin_id", *touch, *(each.column for each in question.grouped))
    credit = credit_rows(question, model, carried)
    keys = [credit.c[name] for name in carried]
    return by_dimensions(question, select(*keys, *sums_of(credit)).group_by(*keys).cte("credit_of_origins"), by)


def by_dimensions(question: Question, origins: CTE, by: Sequence[str]) -> Select[Any]:
    """Credit by origin (and touch, for landing pages; and property), summed anew by what the dimensions `by` say of them."""
    properties = {each.name: each.column for each in question.grouped}
    labels = question.rows(tables.origin_labels)
    joined = origins.outerjoin(labels, label_of(labels, origins.c.origin_id))
    if "landing_page" in by:
        joined = joined.outerjoin(tables.events, event_of(origins.c))
    names = [(origins.c[properties[name]] if name in properties else dimension(name, labels)).label(name) for name in by]
    labelled = select(*names, origins.c.millionths, origins.c.minor).select_from(joined).cte("labelled_credit")
    keys = [labelled.c[name] for name in by]
    millionths, minor = (cast(func.sum(labelled.c[name]), BigInteger) for name in ("millionths", "minor"))
    return (
        select(*keys, millionths.label("millionths"), minor.label("minor"))
        .group_by(*keys)
        .having(or_(millionths != 0, minor != 0))
        .order_by(millionths.desc(), minor.desc(), *(bytewise(key) for key in keys))
    )
