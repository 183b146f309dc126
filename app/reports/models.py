"""Every model side by side: a row a channel, campaign, …, with what each model gives it and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports.attribution import attribution
from app.reports.figures import as_csv
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters
from app.reports.spread import side_by_side
from app.reports.tables import counted
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
    """As CSV: a row a label and model, so that a new model is no new column."""
    money = MONEY_OF_KIND.get(filters.conversion)
    header = [*filters.by.split(","), "model", "conversions", *([money, "currency"] if money else [])]
    return as_csv(header, (cells for row in answer["rows"] for cells in _cells(row, answer, filters, money)))


def _cells(row: dict[str, Any], answer: dict[str, Any], filters: ModelsFilters, money: str | None) -> Iterable[list[object]]:
    labels = [row[name] for name in filters.by.split(",")]
    for model in answer["models"]:
        amount = [Decimal(row[money][model]), answer["currency"]] if money else []
        yield [*labels, model, counted(row["conversions"][model]), *amount]
