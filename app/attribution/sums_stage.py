"""The stage `sums`: dirty days of a kind of conversion -> what they count, and the credit of each origin under each model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Insert, Row, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.daily import credit_of_days, entries_of_days, ledger_of_days
from app.attribution.question import Question
from app.attribution.rules import MODELS, Model
from app.attribution.sums import month_of, question_of_sums
from app.sites.site import Site
from app.swap import BatchSize, Enqueue, Stage, Target, is_dirty
from app.tables import of_site
from app.touches.queries import staged

_MOST_ENTRIES = 4_000
"""Ledger entries that one statement looks at, unless a single day has more: it holds every touch under every model."""


@dataclass(frozen=True)
class Portion:
    """Days of one kind of conversion that are summed by one statement, first and last included."""

    kind: str
    first_day: str
    last_day: str
    entries: int


def portions(days: Iterable[Row[Any]]) -> Iterator[Portion]:
    """Rows of `entries_of_days`, in order, as portions."""
    portion: Portion | None = None
    for row in days:
        kind, day, entries = row.kind, row.day, row.entries
        if portion and portion.kind == kind and portion.entries + entries <= _MOST_ENTRIES:
            portion = Portion(kind, portion.first_day, day, portion.entries + entries)
            continue
        if portion:
            yield portion
        portion = Portion(kind, day, day, entries)
    if portion:
        yield portion


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Stage the sums of the dirty days."""
    days = (await connection.execute(entries_of_days(), {"site_id": site.site_id})).all()
    for portion in portions(days):
        question = question_of_sums(site, portion.kind)
        values = {**question.parameters, "first_day": portion.first_day, "last_day": portion.last_day}
        for models in _together(portion):
            await connection.execute(_staged_credit(tuple(models.items()), has_money=question.has_money), values)
        await connection.execute(staged("daily_ledger", ledger_of_days(question, tuple(MODELS))), values)


@cache
def _staged_credit(models: tuple[tuple[str, Model], ...], *, has_money: bool) -> Insert:
    """Stages the credit of days. Built once: eleven models take longer to be put into words than a quiet day to be summed."""
    any_question = Question(site_id="", kind="", currency="", lookback_seconds=0, half_life_seconds=0, has_money=has_money)
    return staged("daily_credit", credit_of_days(any_question, dict(models)))


def _together(portion: Portion) -> Iterator[Mapping[str, Model]]:
    """The models that one statement takes: all of them, but one at a time on a day so busy that memory could run short."""
    if portion.entries <= _MOST_ENTRIES:
        yield MODELS
    else:
        yield from ({name: model} for name, model in MODELS.items())


def _target(table: Table) -> Target:
    return Target(table, is_dirty(tables.sums_queue, table.c.kind, table.c.day))


def _months_changed() -> Select[Any]:
    """A row for each month of a kind with a day whose credit changed."""
    changed = tables.staged["daily_credit"]
    return select(changed.c.site_id, changed.c.kind, month_of(changed.c.day).label("month")).where(of_site(changed))


STAGE = Stage(
    name="sums",
    queue=tables.sums_queue,
    targets=(_target(tables.daily_credit), _target(tables.daily_ledger)),
    compute=compute,
    enqueues=(Enqueue(tables.months_queue, _months_changed()),),
    sources=(
        (tables.ledger_entries.c.site_id, tables.ledger_entries.c.kind, tables.ledger_entries.c.counted_on),
        (tables.daily_ledger.c.site_id, tables.daily_ledger.c.kind, tables.daily_ledger.c.day),
        (tables.daily_credit.c.site_id, tables.daily_credit.c.kind, tables.daily_credit.c.day),
    ),
    # A day may have one conversion or thousands.
    batch=BatchSize(first=64, least=1, most=1_000, seconds=1.0),
    waits_for_backlog=True,
)
