"""Credit by channel, campaign, … under one model or all of them, as a closed ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.question import Question
from app.errors import Unprocessable
from app.reports.as_of import site_then
from app.reports.data_driven import answered, columns_of, estimates, not_answered
from app.reports.figures import as_csv
from app.reports.freshness import freshness
from app.reports.heading import about_model, heading
from app.reports.influence import influence_columns, with_influence
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters, check_kind
from app.reports.sources import source_of
from app.reports.spread import spread
from app.reports.tables import counted, uncredited
from app.reports.totals import figures, first_touch_outside_lookback, totals
from app.reports.tracked import tracked
from app.sites.site import Site

Answer = dict[str, Any]


async def attribution(connection: AsyncConnection, site: Site, filters: AttributionFilters, now: datetime) -> Answer:
    """The report under one model, or `{"models": {name: report}}` under all. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    models = filters.models(question)
    await check_kind(connection, site, filters.conversion)
    names = filters.by.split(",")
    source = await source_of(connection, site, question, names)
    shared = {
        "totals": totals(source.ledger, MONEY_OF_KIND.get(filters.conversion), site.settings.currency),
        "first_touch_outside_lookback": first_touch_outside_lookback(source.ledger),
        **(await _tracked(connection, question, filters) if filters.tracked else {}),
        **(await freshness(connection, site, now)).as_dict(),
    }
    answers = {}
    for model in models:
        credit = await source.credit(connection, model)
        answers[model] = {**_heading(site, filters, model), "rows": _rows(credit, site, filters), **shared}
    refused = {}
    for model, found in (await estimates(connection, question, filters, (site.settings_version, shared["as_of"]))).items():
        if isinstance(found, str):
            refused[model] = found
        else:
            answers[model] = {**_heading(site, filters, model), **answered(found, site, filters, model), **shared}
    shown = await with_influence(connection, question, answers, filters) if filters.influenced else answers
    if filters.model == "all":
        return {"models": shown, "spread": spread(answers, filters), "left_out": refused | not_answered(filters)}
    if refused:
        raise Unprocessable(refused[filters.model])
    return shown[filters.model]


def as_table(answer: Answer, filters: AttributionFilters) -> str:
    """The rows as CSV: one column a dimension, then the figures; the model first where there are several, else what it says more.

    What no touch earned has a row for each reason, so that the columns add up to the totals.
    """
    models: dict[str, Answer] = answer.get("models", {filters.model: answer})
    money = MONEY_OF_KIND.get(filters.conversion)
    figures = ["conversions", *([money, "currency"] if money else [])]
    names, more = filters.by.split(","), [*columns_of(filters.model, money), *influence_columns(filters)]
    header = [*(["model"] if filters.model == "all" else []), *names, *figures, *more]
    return as_csv(header, (cells for model, each in models.items() for cells in _cells(model, each, [names, more], money, filters)))


def _cells(
    model: str, answer: Answer, columns: Sequence[Sequence[str]], money: str | None, filters: AttributionFilters
) -> Iterable[list[object]]:
    names, more = columns
    for row in (*answer["rows"], *uncredited(answer["totals"]["uncredited"]["reasons"], names)):
        texts = [*([model] if filters.model == "all" else []), *(row.get(name) for name in names)]
        amount = [Decimal(row[money]), answer["currency"]] if money else []
        yield [*texts, counted(row["conversions"]), *amount, *(None if row.get(name) is None else Decimal(str(row[name])) for name in more)]


async def _tracked(connection: AsyncConnection, question: Question, filters: AttributionFilters) -> Answer:
    return {"tracked": await tracked(connection, replace(question, grouped=()), MONEY_OF_KIND.get(filters.conversion), question.currency)}


def _heading(site: Site, filters: AttributionFilters, model: str) -> Answer:
    return heading(site, filters, model=model, by=filters.by) | about_model(site, filters, model)


def _rows(credit: Iterable[RowMapping], site: Site, filters: AttributionFilters) -> list[Answer]:
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    names = filters.by.split(",")
    return [{name: row[name] for name in names} | figures(row).as_dict(money, currency) for row in credit]
