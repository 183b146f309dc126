"""The same conversions under one model at several look-backs: how much a longer memory would change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.credit import credit_by
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import REASONS, Question
from app.reports.as_of import site_then
from app.reports.figures import Figures, as_csv
from app.reports.freshness import freshness
from app.reports.heading import about_model, heading
from app.reports.parameters import MODEL_NAMES, MONEY_OF_KIND, CreditFilters, ModelName, check_kind, check_model
from app.reports.tables import counted, uncredited
from app.reports.totals import figures, first_touch_outside_lookback, totals
from app.sites.site import Site

LOOKBACKS = (7, 30, 90, 180, 365, 730)
"""In days."""

Credits = dict[tuple[str, ...], dict[int, Figures]]


class LookbackFilters(CreditFilters):
    """`GET /v1/reports/lookback`: those of the attribution report, but for the look-back, which is every one of a list."""

    model: ModelName = Field("linear", description=f"Who gets the credit: {MODEL_NAMES}.")

    @model_validator(mode="after")
    def _has_no_lookback(self) -> LookbackFilters:
        if self.lookback_days is not None:
            raise ValueError(f"lookback_days cannot be chosen here: the report shows {', '.join(map(str, LOOKBACKS))} days side by side")
        return self


async def lookback(connection: AsyncConnection, site: Site, filters: LookbackFilters, now: datetime) -> dict[str, Any]:
    """The report: a closed ledger at each look-back. Unprocessable if there is no such conversion or model."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    check_model(question, filters.model)
    await check_kind(connection, site, filters.conversion)
    names = filters.by.split(",")
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    found: Credits = defaultdict(dict)
    ledgers = {}
    for days in LOOKBACKS:
        asked = replace(question, lookback_seconds=days * 86_400)
        await _credit(connection, asked, filters.model, names, days, found)
        ledgers[str(days)] = await _ledger(connection, asked, money, currency)
    whole = {name: next(iter(ledgers.values()))[name] for name in ("conversions", *([money] if money else []))}
    return {
        **heading(site, filters, model=filters.model, by=filters.by),
        "lookback_days": LOOKBACKS,
        **about_model(site, filters, filters.model),
        "rows": [dict(zip(names, key, strict=True)) | _side_by_side(each, money, currency) for key, each in _in_order(found)],
        "totals": whole | {"by_lookback_days": ledgers},
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: Mapping[str, Any], filters: LookbackFilters) -> str:
    """The rows as CSV: the dimensions, then the figures of each look-back; and a row for each reason why no touch earned something at any
    of them, so that each column adds up to the total."""
    money = MONEY_OF_KIND.get(filters.conversion)
    shown = ["conversions", *([money] if money else [])]
    header = [*filters.by.split(","), *(f"{name}_{days}_days" for days in LOOKBACKS for name in shown), *(["currency"] if money else [])]
    rows = (*answer["rows"], *uncredited(_reasons(answer, money), filters.by.split(",")))
    return as_csv(header, (_cells(row, answer, filters, shown) for row in rows))


def _reasons(answer: Mapping[str, Any], money: str | None) -> dict[str, Any]:
    """What each reason holds back at each look-back."""
    ledgers = {days: each["uncredited"]["reasons"] for days, each in answer["totals"]["by_lookback_days"].items()}
    nothing = Figures().as_dict(money, answer["currency"])
    found = {reason for reasons in ledgers.values() for reason in reasons}
    return {
        reason: {"by_lookback_days": {days: reasons.get(reason, nothing) for days, reasons in ledgers.items()}}
        for reason in REASONS
        if reason in found
    }


def _cells(row: Mapping[str, Any], answer: Mapping[str, Any], filters: LookbackFilters, shown: Iterable[str]) -> list[object]:
    names = [row[name] for name in filters.by.split(",")]
    by_days = [row["by_lookback_days"][str(days)] for days in LOOKBACKS]
    values = [counted(each[name]) if name == "conversions" else Decimal(each[name]) for each in by_days for name in shown]
    return [*names, *values, *([answer["currency"]] if filters.conversion in MONEY_OF_KIND else [])]


async def _credit(connection: AsyncConnection, asked: Question, model: str, by: list[str], days: int, found: Credits) -> None:
    for row in (await connection.execute(credit_by(asked, model, by), asked.parameters)).mappings():
        found[tuple(row[name] for name in by)][days] = figures(row)


async def _ledger(connection: AsyncConnection, asked: Question, money: str | None, currency: str) -> dict[str, Any]:
    rows = (await connection.execute(ledger_by_reason(asked), asked.parameters)).mappings().all()
    return totals(rows, money, currency) | {"first_touch_outside_lookback": first_touch_outside_lookback(rows)}


def _side_by_side(found: Mapping[int, Figures], money: str | None, currency: str) -> dict[str, Any]:
    return {"by_lookback_days": {str(days): found.get(days, Figures()).as_dict(money, currency) for days in LOOKBACKS}}


def _in_order(found: Credits) -> list[tuple[tuple[str, ...], dict[int, Figures]]]:
    """What got most at the longest look-back first."""
    longest = LOOKBACKS[-1]

    def rank(item: tuple[tuple[str, ...], dict[int, Figures]]) -> tuple[int, int, tuple[str, ...]]:
        figures = item[1].get(longest, Figures())
        return -figures.millionths, -figures.minor, item[0]

    return sorted(found.items(), key=rank)
