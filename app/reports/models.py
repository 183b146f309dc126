"""Every model side by side: a row a channel, campaign, …, with what each model gives it and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports.attribution import attribution
from app.reports.figures import as_csv
from app.reports.influence import influence_columns
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters
from app.reports.spread import side_by_side
from app.reports.tables import counted, uncredited
from app.sites.site import Site

_OF_ONE_MODEL = ("model", "rows", "half_life_days")


class ModelsFilters(AttributionFilters):
    """`GET /v1/reports/models`."""

    model: Literal["all"] = Field("all", description="Every model: nothing else can be asked here.")


async def models(connection: AsyncConnection, site: Site, filters: ModelsFilters, now: datetime) -> dict[str, Any]:
    """The report; its `totals` are those of each model. Unprocessable if there is no such conversion."""
    found = await attribution(connection, site, filters, now)
    answers = found["models"]
    shared = {name: value for name, value in next(iter(answers.values())).items() if name not in _OF_ONE_MODEL}
    return {**shared, "models": [*answers], "left_out": found["left_out"], "rows": side_by_side(answers, filters)}


def as_table(answer: dict[str, Any], filters: ModelsFilters) -> str:
    """As CSV: a row a label and model, so that a new model is no new column; last what no touch earned, which is the same under each
    model: the columns of a model add up to the totals."""
    money, names, more = MONEY_OF_KIND.get(filters.conversion), filters.by.split(","), influence_columns(filters)
    header = [*names, "model", "conversions", *([money, "currency"] if money else []), *more]
    missed = uncredited(answer["totals"]["uncredited"]["reasons"], names)
    rows = (*answer["rows"], *(_under_each(row, answer["models"], money) for row in missed))
    return as_csv(header, (cells for row in rows for cells in _cells(row, answer, (names, more), money)))


def _under_each(row: dict[str, Any], models: Iterable[str], money: str | None) -> dict[str, Any]:
    return row | {name: dict.fromkeys(models, row[name]) for name in ("conversions", *([money] if money else []))}


def _cells(row: dict[str, Any], answer: dict[str, Any], columns: Sequence[Sequence[str]], money: str | None) -> Iterable[list[object]]:
    names, more = columns
    influenced = [None if name not in row else Decimal(str(row[name])) for name in more]
    for model in answer["models"]:
        amount = [Decimal(row[money][model]), answer["currency"]] if money else []
        yield [*(row[name] for name in names), model, counted(row["conversions"][model]), *amount, *influenced]
