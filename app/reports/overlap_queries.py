"""Which labels meet in the same journeys. A conversion counts under each of them: the rows do not add up."""

from __future__ import annotations

from sqlalchemy import CTE, BigInteger, Integer, Select, Text, and_, bindparam, case, cast, func, select

from app import tables
from app.attribution.joins import bytewise, dimension, label_of
from app.attribution.journeys import own_minor, summed
from app.attribution.ledger import sides
from app.attribution.paths import touches_of_sides
from app.attribution.question import Question


def _members(question: Question, by: str) -> CTE:
    """A row a side and label that a touch in reach of it has; `labels` is how many the side has."""
    over = sides(question)
    touches = touches_of_sides(question, over)
    names = question.rows(tables.origin_labels)
    joined = touches.outerjoin(names, label_of(names, touches.c.origin_id))
    distinct = select(touches.c.journey, dimension(by, names).label("label")).select_from(joined).distinct().cte("labels_of_journeys")
    labels = func.count().over(partition_by=distinct.c.journey)
    return (
        select(*distinct.c, labels.label("labels"), over.c.millionths, own_minor(over.c).label("minor"))
        .join_from(over, distinct, distinct.c.journey == over.c.side)
        .cte("members")
    )


def labels_of_journeys(question: Question, by: str) -> Select[tuple[str, int, int, int, int, int]]:
    """A row a label, the most conversions first: at most `:limit`.

    `millionths` and `minor` of the journeys that it is in, `millionths_alone` and `minor_alone` of those that have no other;
    `all_labels` is how many there are. Reads what `touches_of_sides` reads.
    """
    member = _members(question, by).c
    alone = [
        cast(func.sum(case((member.labels == 1, member[name]), else_=0)), BigInteger).label(f"{name}_alone")
        for name in ("millionths", "minor")
    ]
    summary = select(member.label, *summed(member), *alone).group_by(member.label).cte("summary").c
    order = (summary.millionths.desc(), summary.minor.desc(), bytewise(summary.label))
    all_labels = func.count().over().label("all_labels")
    return select(*summary, all_labels).order_by(*order).limit(bindparam("limit", type_=Integer))


def pairs_of_labels(question: Question, by: str) -> Select[tuple[str, str, int, int]]:
    """A row a pair of the labels `:labels` that meet in a journey, the most conversions first. Reads what `touches_of_sides` reads."""
    found = _members(question, by)
    asked = select(*found.c).where(found.c.label.in_(bindparam("labels", type_=Text, expanding=True))).cte("members_asked")
    one, other = asked.alias("one"), asked.alias("other")
    meet = and_(one.c.journey == other.c.journey, bytewise(one.c.label) < bytewise(other.c.label))
    sums = summed(one.c)
    return (
        select(one.c.label.label("one"), other.c.label.label("other"), *sums)
        .join_from(one, other, meet)
        .group_by(one.c.label, other.c.label)
        .order_by(sums[0].desc(), sums[1].desc(), bytewise(one.c.label), bytewise(other.c.label))
    )
