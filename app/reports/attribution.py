"""Credit by channel, campaign, … under one model or all of them, as a closed ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.credit import credit_by
from app.attribution.ledger import ledger_by_reason
from app.reports.as_of import site_then
from app.reports.figures import as_csv, as_text
from app.reports.freshness import freshness
from app.reports.heading import about_model, heading
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters, check_kind
from app.reports.totals import figures, first_touch_outside_lookback, totals
from app.sites.site import Site

Answer = dict[str, Any]


async def attribution(connection: AsyncConnection, site: Site, filters: AttributionFilters, now: datetime) -> Answer:
    """The report under one model, or `{"models": {name: report}}` under all. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    models = filters.models(question)
    await check_kind(connection, site, filters.conversion)
    names = filters.by.split(",")
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    shared = {
        "totals": totals(ledger, MONEY_OF_KIND.get(filters.conversion), site.settings.currency),
        "first_touch_outside_lookback": first_touch_outside_lookback(ledger),
        **(await freshness(connection, site, now)).as_dict(),
    }
    answers = {}
    for model in models:
        credit = await connection.execute(credit_by(question, model, names), question.parameters)
        answers[model] = {**_heading(site, filters, model), "rows": _rows(credit.mappings(), site, filters), **shared}
    return {"models": answers} if filters.model == "all" else answers[filters.model]


def as_table(answer: Answer, filters: AttributionFilters) -> str:
    """The rows as CSV: one column a dimension, then the figures; the model first where there are several."""
    models: dict[str, Answer] = answer.get("models", {filters.model: answer})
    money = MONEY_OF_KIND.get(filters.conversion)
    figures = ["conversions", *([money, "currency"] if money else [])]
    names = filters.by.split(",")
    header = [*(["model"] if filters.model == "all" else []), *names, *figures]
    return as_csv(header, (cells for model, each in models.items() for cells in _cells(model, each, names, money, filters)))


def _cells(model: str, answer: Answer, names: Sequence[str], money: str | None, filters: AttributionFilters) -> Iterable[list[object]]:
    for row in answer["rows"]:
        texts = [*([model] if filters.model == "all" else []), *(row[name] for name in names)]
        conversions = Decimal(as_text(round(row["conversions"] * 1_000_000)))
        yield [*texts, conversions, *([Decimal(row[money]), answer["currency"]] if money else [])]


def _heading(site: Site, filters: AttributionFilters, model: str) -> Answer:
    return heading(site, filters, model=model, by=filters.by) | about_model(site, filters, model)


def _rows(credit: Iterable[RowMapping], site: Site, filters: AttributionFilters) -> list[Answer]:
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    names = filters.by.split(",")
    return [{name: row[name] for name in names} | figures(row).as_dict(money, currency) for row in credit]
