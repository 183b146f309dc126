"""Opportunities and their amounts: when they opened, as they are, and what is still open. Credited by a model, as a closed ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.credit import credit_by
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import Question
from app.money import as_decimal_text
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import about_model, heading
from app.reports.parameters import CreditFilters
from app.reports.tables import table_of, uncredited
from app.reports.totals import figures, totals
from app.sites.site import Site

_WORTH: dict[str, Literal["ledger", "creation", "open"]] = {
    "pipeline": "ledger",
    "pipeline_at_creation": "creation",
    "pipeline_now": "open",
}
"""The amounts by their names: as the deals are, when they opened, and of those that are still open now."""


class PipelineFilters(CreditFilters):
    """`GET /v1/reports/pipeline`."""

    conversion: Literal["opportunity"] = Field("opportunity", description="Opportunities only.")


Found = dict[tuple[str, ...], Figures]


async def pipeline(connection: AsyncConnection, site: Site, filters: PipelineFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable for a model that is no rule."""
    question = filters.question(site)
    question.model(filters.model)
    names, currency = filters.by.split(","), site.settings.currency
    found = {name: await _credit(connection, replace(question, worth=worth), filters.model, names) for name, worth in _WORTH.items()}
    ledgers = {name: await _totals(connection, replace(question, worth=worth), currency) for name, worth in _WORTH.items()}
    return {
        **heading(site, filters, model=filters.model, by=filters.by),
        **about_model(site, filters, filters.model),
        "rows": [dict(zip(names, labels, strict=True)) | _amounts(found, labels, currency) for labels in _labels(found)],
        "totals": {
            **_together(ledgers),
            "credited": _together({name: each["credited"] for name, each in ledgers.items()}),
            "uncredited": _uncredited({name: each["uncredited"] for name, each in ledgers.items()}, currency),
        },
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV, and a row for each reason why no touch earned something: each column adds up to its total."""
    names = answer["by"].split(",")
    also = uncredited(answer["totals"]["uncredited"]["reasons"], names)
    return table_of(answer, names, ("pipeline_at_creation", "pipeline_now"), also)


async def _credit(connection: AsyncConnection, question: Question, model: str, names: Sequence[str]) -> Found:
    rows = (await connection.execute(credit_by(question, model, names), question.parameters)).mappings()
    return {tuple(row[name] for name in names): figures(row) for row in rows}


async def _totals(connection: AsyncConnection, question: Question, currency: str) -> dict[str, Any]:
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    return totals(ledger, "pipeline", currency)


def _together(ledgers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The ledger's own figures (and reasons), with the other amounts beside them."""
    return ledgers["pipeline"] | {name: each["pipeline"] for name, each in ledgers.items()}


def _uncredited(parts: dict[str, dict[str, Any]], currency: str) -> dict[str, Any]:
    """What no touch earned, with every amount beside each reason. An opportunity is counted whatever it is worth."""
    reasons = dict.fromkeys(reason for part in parts.values() for reason in part["reasons"])
    nothing = Figures().as_dict("pipeline", currency)

    def of_reason(reason: str) -> dict[str, Any]:
        return _together({name: part["reasons"].get(reason, nothing) for name, part in parts.items()})

    return _together(parts) | {"reasons": {reason: of_reason(reason) for reason in reasons}}


def _labels(found: dict[str, Found]) -> list[tuple[str, ...]]:
    """Every row's labels, those with most conversions first. A row may have money of one sort only, where a share is tiny."""
    return list(dict.fromkeys(labels for rows in found.values() for labels in rows))


def _amounts(found: dict[str, Found], labels: tuple[str, ...], currency: str) -> dict[str, object]:
    row = found["pipeline"].get(labels, Figures()).as_dict("pipeline", currency)
    return row | {name: as_decimal_text(found[name].get(labels, Figures()).minor, currency) for name in _WORTH}
