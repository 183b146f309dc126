"""The texts of paths, built in SQL in the order of the journey, and what is counted under each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Integer, Select, Text, bindparam, case, cast, func, literal, select, union_all

from app import tables
from app.attribution.joins import bytewise, dimension, label_of
from app.attribution.journeys import grouped, own_minor, summed
from app.attribution.ledger import sides
from app.attribution.paths import touches_of_sides, touches_without_conversion
from app.attribution.properties import value_of_person
from app.attribution.question import Question
from app.sites.properties import OF_PEOPLE

SEPARATOR = "\x1f"
"""Stands between the steps of a path in SQL; a label that holds it shows a space."""
CUT = "…"
"""The last step of a path that goes on."""


@dataclass(frozen=True)
class Shape:
    """How a journey is written: by which dimension, its repeats as one step or not, and how many steps at most."""

    by: str
    is_collapsed: bool
    longest: int


def paths(question: Question, shape: Shape) -> Select[Any]:
    """A row a path and group, the most conversions first: at most `:limit`.

    `millionths` and `minor` of those who converted, and `others`, how many non-converting journeys went the same way. Of all
    rows, shown or not, `all_paths` is the number; `all_millionths`, `all_minor` and `all_others` are the sums. Nobody is
    counted among `others` unless `knows_others`. Reads what `touches_of_sides` and `touches_without_conversion` read.
    """
    every = union_all(*_journeys(question, shape)).cte("journeys_of_paths")
    others = cast(func.sum(every.c.others), BigInteger).label("others")
    keys = [*grouped(question, every), every.c.path]
    counted = select(*keys, *summed(every.c), others).group_by(*keys).cte("counted_paths")
    row = counted.c
    sums = (cast(func.sum(row[name]).over(), BigInteger).label(f"all_{name}") for name in ("millionths", "minor", "others"))
    every_one = [func.count().over().label("all_paths"), *sums]
    texts = (row.path, *grouped(question, counted))
    order = (row.millionths.desc(), row.minor.desc(), row.others.desc(), *(bytewise(text) for text in texts))
    return select(*row, *every_one).order_by(*order).limit(bindparam("limit", type_=Integer))


def knows_others(question: Question) -> bool:
    """Whether it can be told who did not convert: not of an earlier moment, since touches have no history, nor by properties of deals,
    since they have none."""
    return question.as_of is None and all(each.of in OF_PEOPLE for each in question.grouped)


def _journeys(question: Question, shape: Shape) -> list[Select[Any]]:
    """A row a side, and a row a path of those who did not convert: the group, `path`, `millionths`, `minor`, `others`."""
    over, zero = sides(question), literal(0, BigInteger)
    converting = _texts(question, touches_of_sides(question, over), shape, "converting")
    figures = [over.c.millionths, own_minor(over.c).label("minor"), zero.label("others")]
    columns: list[ColumnElement[Any]] = [*grouped(question, over), converting.c.path, *figures]
    converted = select(*columns).join_from(over, converting, converting.c.journey == over.c.side)
    if not knows_others(question):
        return [converted]
    other = _texts(question, touches_without_conversion(question), shape, "other")
    person = select(other.c.journey.label("person_id"), other.c.path).cte("paths_of_people")
    values = [value_of_person(question.rows, each, person).label(each.column) for each in question.grouped]
    described = select(*values, person.c.path).cte("paths_of_described_people")
    keys = [*grouped(question, described), described.c.path]
    other_rows: Select[Any] = select(*keys, zero, zero, func.count()).group_by(*keys)
    return [converted, other_rows]


def _texts(question: Question, touches: CTE, shape: Shape, name: str) -> CTE:
    """A row a journey: its `path`, the steps joined by `SEPARATOR`. `touches` has `journey`, `position` and `origin_id`."""
    labelled = _labelled(question, touches, shape, name)
    steps = _collapsed(labelled, name) if shape.is_collapsed else labelled
    number = func.row_number().over(partition_by=steps.c.journey, order_by=steps.c.position)
    numbered = select(steps.c.journey, steps.c.text, number.label("number")).cte(f"{name}_steps")
    row = numbered.c
    text = case((row.number > shape.longest, CUT), else_=row.text)
    # SQLite orders what an aggregate joins only as a window.
    whole: Any = {"partition_by": row.journey, "order_by": row.number, "rows": (None, None)}
    joined = func.aggregate_strings(text, SEPARATOR).over(**whole)
    texts = select(row.journey, row.number, joined.label("path")).where(row.number <= shape.longest + 1).cte(f"{name}_texts")
    return select(texts.c.journey, texts.c.path).where(texts.c.number == 1).cte(f"{name}_paths")


def _labelled(question: Question, touches: CTE, shape: Shape, name: str) -> CTE:
    labels = question.rows(tables.origin_labels)
    label = func.replace(dimension(shape.by, labels), SEPARATOR, " ")
    joined = touches.outerjoin(labels, label_of(labels, touches.c.origin_id))
    return select(touches.c.journey, touches.c.position, label.label("text")).select_from(joined).cte(f"{name}_labelled")


def _collapsed(labelled: CTE, name: str) -> CTE:
    """A row a run of the same label: 'Email ×3'."""
    row = labelled.c
    in_order: Any = {"partition_by": row.journey, "order_by": row.position}
    begins = case((row.text.is_distinct_from(func.lag(row.text).over(**in_order)), 1), else_=0)
    marked = select(*row, begins.label("begins")).cte(f"{name}_marked").c
    run = func.sum(marked.begins).over(partition_by=marked.journey, order_by=marked.position, rows=(None, 0))
    runs = select(marked.journey, marked.position, marked.text, run.label("run")).cte(f"{name}_runs").c
    repeated = runs.text + " ×" + cast(func.count(), Text)
    text = case((func.count() > 1, repeated), else_=runs.text)
    return (
        select(runs.journey, func.min(runs.position).label("position"), text.label("text"))
        .group_by(runs.journey, runs.run, runs.text)
        .cte(f"{name}_collapsed")
    )
