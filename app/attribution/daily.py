"""The statements of the stage `sums`: the credit and the ledger of whole days, under all models at once.

The touches in reach are found once; then each model has a *view* of each side, which is split like a side of its own.
What is in reach, what a model gives, and how it is split is said where reports say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, bindparam, case, false, func, literal, select, union_all

from app import tables
from app.attribution.credit import quantities
from app.attribution.ledger import LEDGER, outcomes, sides, sums_of
from app.attribution.question import Question
from app.attribution.reach import reached
from app.attribution.rules import Model, weight_of
from app.attribution.split import split
from app.tables import of_site

_dirty = tables.dirty["sums_queue"]


def entries_of_days() -> Select[Any]:
    """A row a dirty day with entries: `kind`, `day` and how many `entries`, in order. Index: `ix_ledger_entries__day`."""
    entry, cell = tables.ledger_entries, (_dirty.c.kind, _dirty.c.day)
    is_of_day = (entry.c.site_id == _dirty.c.site_id) & (entry.c.kind == _dirty.c.kind) & (entry.c.counted_on == _dirty.c.day)
    counted = select(*cell, func.count().label("entries")).join_from(_dirty, entry, is_of_day)
    return counted.where(of_site(_dirty)).group_by(*cell).order_by(*cell)


def credit_of_days(question: Question, models: Mapping[str, Model]) -> Select[Any]:
    """A row of `daily_credit` for each dirty day of `:kind` from `:first_day` to `:last_day`, model and origin.

    Reads what `credit_rows` reads, the entries by `ix_ledger_entries__day`.
    """
    over = sides(question, *_is_on_dirty_day())
    looked_at = frozenset[str]().union(*(weight_of(model)[1] for model in models.values()))
    touches = reached(question, over, ("origin_id", "counted_on"), looked_at)
    kept = ("direction", "position", "origin_id", "counted_on")
    parts = split(_views(touches, models, (*kept, *quantities(question))), ("side", *kept), quantities(question))
    minor = parts.c.direction * parts.c.magnitude if question.has_money else literal(0, BigInteger)
    number = (parts.c.side % len(models)).label("number")
    credit = select(parts.c.counted_on, number, parts.c.origin_id, parts.c.millionths, minor.label("minor")).cte("credit_of_views")
    keys = [credit.c.counted_on, credit.c.number, credit.c.origin_id]
    day, _, origin_id = keys
    model = case({place: literal(name) for place, name in enumerate(models)}, value=credit.c.number).label("model")
    return select(_site(), _kind(), day, model, origin_id, *sums_of(credit), false().label("is_gone")).group_by(*keys)


def _views(touches: CTE, models: Mapping[str, Model], kept: Sequence[str]) -> CTE:
    """A row a touch in reach and model: `side`, which names side and model; what is `kept`; and the `weight`."""
    columns = [touches.c[name] for name in kept]
    weights = enumerate(weight_of(model)[0] for model in models.values())
    views = (
        select((touches.c.side * len(models) + number).label("side"), *columns, weight.label("weight")).select_from(touches)
        for number, weight in weights
    )
    return union_all(*views).cte("views")


def ledger_of_days(question: Question, models: Sequence[str]) -> Select[Any]:
    """A row of `daily_ledger` for each dirty day of `:kind` from `:first_day` to `:last_day`, reason and currency.

    Reads what `ledger_by_reason` reads, the entries by `ix_ledger_entries__day`.
    """
    outcome = outcomes(question, sides(question, *_is_on_dirty_day()))
    keys = [outcome.c.counted_on, outcome.c.reason, outcome.c.currency, outcome.c.is_convertible]
    day, reason, currency, is_convertible = keys
    shown = [day, func.coalesce(reason, "").label("reason"), func.coalesce(currency, "").label("currency"), is_convertible]
    names = literal(" ".join(models)).label("models")
    return select(_site(), _kind(), *shown, *sums_of(outcome, LEDGER), names, false().label("is_gone")).group_by(*keys)


def _is_on_dirty_day() -> tuple[ColumnElement[bool], ...]:
    """Conditions on a ledger entry. (Not BETWEEN: PostgreSQL's takes no parameter with a collation)."""
    first_day, last_day = bindparam("first_day", type_=tables.Key), bindparam("last_day", type_=tables.Key)
    counted_on = tables.ledger_entries.c.counted_on
    days = select(_dirty.c.day).where(of_site(_dirty), _dirty.c.kind == bindparam("kind"))
    return (counted_on >= first_day, counted_on <= last_day, counted_on.in_(days))


def _site() -> ColumnElement[str]:
    return bindparam("site_id", type_=tables.Key).label("site_id")


def _kind() -> ColumnElement[str]:
    return bindparam("kind", type_=tables.Key).label("kind")
