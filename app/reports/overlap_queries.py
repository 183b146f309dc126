"""Which labels meet in the same journeys. A conversion counts under each of them: the rows do not add up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, Select, Text, and_, bindparam, case, cast, func, select

from app import tables
from app.attribution.joins import bytewise, dimension, label_of
from app.attribution.journeys import grouped, own_minor, summed
from app.attribution.ledger import sides
from app.attribution.paths import touches_of_sides
from app.attribution.question import Question
from app.reports.greatest import rows_of_greatest


def _members(question: Question, by: str) -> CTE:
    """A row a side and label that a touch in reach of it has, with the side's properties; `labels` is how many the side has."""
    over = sides(question)
    touches = touches_of_sides(question, over)
    names = question.rows(tables.origin_labels)
    joined = touches.outerjoin(names, label_of(names, touches.c.origin_id))
    distinct = select(touches.c.journey, dimension(by, names).label("label")).select_from(joined).distinct().cte("labels_of_journeys")
    labels = func.count().over(partition_by=distinct.c.journey)
    return (
        select(*distinct.c, labels.label("labels"), *grouped(question, over), over.c.millionths, own_minor(over.c).label("minor"))
        .join_from(over, distinct, distinct.c.journey == over.c.side)
        .cte("members")
    )


def labels_of_journeys(question: Question, by: str) -> Select[Any]:
    """A row a label and group, for at most `:limit` labels: those with most conversions, the most first.

    `millionths` and `minor` of the journeys that it is in, `millionths_alone` and `minor_alone` of those that have no other;
    `all_names` is how many labels there are. Reads what `touches_of_sides` reads.
    """
    members = _members(question, by)
    member, keys = members.c, [members.c.label, *grouped(question, members)]
    alone = [
        cast(func.sum(case((member.labels == 1, member[name]), else_=0)), BigInteger).label(f"{name}_alone")
        for name in ("millionths", "minor")
    ]
    summary = select(*keys, *summed(member), *alone).group_by(*keys).cte("summary")
    return rows_of_greatest(summary, "label", ("millionths", "minor"), [each.column for each in question.grouped])


def pairs_of_labels(question: Question, by: str) -> Select[Any]:
    """A row a group and pair of the labels `:labels` that meet in a journey, the most conversions first. Reads what `touches_of_sides`
    reads."""
    found = _members(question, by)
    asked = select(*found.c).where(found.c.label.in_(bindparam("labels", type_=Text, expanding=True))).cte("members_asked")
    one, other = asked.alias("one"), asked.alias("other")
    meet = and_(one.c.journey == other.c.journey, bytewise(one.c.label) < bytewise(other.c.label))
    groups, sums = grouped(question, one), summed(one.c)
    return (
        select(one.c.label.label("one"), other.c.label.label("other"), *groups, *sums)
        .join_from(one, other, meet)
        .group_by(one.c.label, other.c.label, *groups)
        .order_by(sums[0].desc(), sums[1].desc(), *(bytewise(key) for key in (one.c.label, other.c.label, *groups)))
    )
