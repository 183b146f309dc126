"""Channels that meet in the same journeys: how often, for how much money, and how often each is alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.ledger import ledger_by_reason
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.overlap_queries import labels_of_journeys, pairs_of_labels
from app.reports.parameters import MONEY_OF_KIND, Filters, Format, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures, totals
from app.sites.site import Site


class OverlapFilters(Filters):
    """`GET /v1/reports/overlap`."""

    by: Literal["channel", "source", "medium", "campaign"] = Field("channel", description="What meets.")
    top: int = Field(20, ge=2, le=50, description="How many channels to compare: those with most conversions.")
    format: Format = "json"


async def overlap(connection: AsyncConnection, site: Site, filters: OverlapFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    labels = await _rows(connection, labels_of_journeys(question, filters.by), {**question.parameters, "limit": filters.top})
    by_label = {row["label"]: row for row in labels}
    pairs = await _rows(connection, pairs_of_labels(question, filters.by), {**question.parameters, "labels": list(by_label)})
    ledger = await _rows(connection, ledger_by_reason(question), question.parameters)
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    return {
        **heading(site, filters, by=filters.by),
        "not_additive": ["conversions", *([money] if money else [])],
        "rows": [
            *(_pair(row, by_label) | figures(row).as_dict(money, currency) for row in pairs),
            *(_alone(row) | _figures_alone(row).as_dict(money, currency) for row in labels),
        ],
        "each": [{filters.by: row["label"]} | figures(row).as_dict(money, currency) for row in labels],
        "left_out": labels[0]["all_labels"] - len(labels) if labels else 0,
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV. They do not add up: a conversion stands under each pair that meets in its journey."""
    return table_of(answer, ("a", "b"), ("share_of_a", "share_of_b"))


async def _rows(connection: AsyncConnection, statement: Any, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    return (await connection.execute(statement, parameters)).mappings().all()


def _pair(row: RowMapping, by_label: Mapping[str, RowMapping]) -> dict[str, Any]:
    """Two that meet, and which share of the conversions of each they meet in."""
    shares = {f"share_of_{which}": _share(row["millionths"], by_label[row[name]]) for which, name in (("a", "one"), ("b", "other"))}
    return {"a": row["one"], "b": row["other"], **shares}


def _alone(row: RowMapping) -> dict[str, Any]:
    """One whose journeys have no other."""
    return {"a": row["label"], "b": None, "share_of_a": _share(row["millionths_alone"], row), "share_of_b": None}


def _figures_alone(row: RowMapping) -> Figures:
    return Figures(row["millionths_alone"], row["minor_alone"])


def _share(part: int, whole: RowMapping) -> float | None:
    return round(part / whole["millionths"], 4) if whole["millionths"] else None
