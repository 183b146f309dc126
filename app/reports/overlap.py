"""Channels that meet in the same journeys: how often, for how much money, and how often each is alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.ledger import ledger_by_reason
from app.attribution.question import Question
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.overlap_queries import labels_of_journeys, pairs_of_labels
from app.reports.parameters import AND_PROPERTIES, LABELS, MONEY_OF_KIND, Format, JourneyFilters, SlicedGrouping, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures, group_of, totals
from app.sites.site import Site


class OverlapFilters(JourneyFilters):
    """`GET /v1/reports/overlap`."""

    own: ClassVar[Sequence[str]] = LABELS
    default: ClassVar[str | None] = "channel"
    by: SlicedGrouping | None = Field(None, description=f"What meets, one of {', '.join(LABELS)} (absent: channel); {AND_PROPERTIES}")
    top: int = Field(20, ge=2, le=50, description="How many channels to compare: those with most conversions.")
    format: Format = "json"


async def overlap(connection: AsyncConnection, site: Site, filters: OverlapFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    what = filters.dimension or "channel"
    labels = await _rows(connection, labels_of_journeys(question, what), {**question.parameters, "limit": filters.top})
    compared = list(dict.fromkeys(row["label"] for row in labels))
    pairs = await _rows(connection, pairs_of_labels(question, what), {**question.parameters, "labels": compared})
    by_label = {_key(row, "label", question): row for row in labels}
    ledger = await _rows(connection, ledger_by_reason(question), question.parameters)
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    return {
        **heading(site, filters, by=filters.grouped_by),
        "not_additive": ["conversions", *([money] if money else [])],
        "rows": [
            *(group_of(row, question) | _pair(row, by_label, question) | figures(row).as_dict(money, currency) for row in pairs),
            *(group_of(row, question) | _alone(row) | _figures_alone(row).as_dict(money, currency) for row in labels),
        ],
        "each": [group_of(row, question) | {what: row["label"]} | figures(row).as_dict(money, currency) for row in labels],
        "left_out": labels[0]["all_names"] - len(compared) if labels else 0,
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any], filters: OverlapFilters) -> str:
    """The rows as CSV. They do not add up: a conversion stands under each pair that meets in its journey."""
    return table_of(answer, (*filters.columns, "a", "b"), ("share_of_a", "share_of_b"))


async def _rows(connection: AsyncConnection, statement: Any, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    return (await connection.execute(statement, parameters)).mappings().all()


Key = tuple[str, ...]


def _key(row: RowMapping, name: str, question: Question) -> Key:
    return row[name], *group_of(row, question).values()


def _pair(row: RowMapping, by_label: Mapping[Key, RowMapping], question: Question) -> dict[str, Any]:
    """Two that meet, and which share of the conversions of each, of the group, they meet in."""
    whole = {which: by_label[_key(row, name, question)] for which, name in (("a", "one"), ("b", "other"))}
    return {"a": row["one"], "b": row["other"]} | {f"share_of_{which}": _share(row["millionths"], each) for which, each in whole.items()}


def _alone(row: RowMapping) -> dict[str, Any]:
    """One whose journeys have no other."""
    return {"a": row["label"], "b": None, "share_of_a": _share(row["millionths_alone"], row), "share_of_b": None}


def _figures_alone(row: RowMapping) -> Figures:
    return Figures(row["millionths_alone"], row["minor_alone"])


def _share(part: int, whole: RowMapping) -> float | None:
    return round(part / whole["millionths"], 4) if whole["millionths"] else None
