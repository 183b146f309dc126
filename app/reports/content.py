"""What people read in an interval, and the leads, opportunities and customers that came of it since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.money import as_decimal_text
from app.reports.content_queries import influenced, readers
from app.reports.figures import as_csv, as_number
from app.reports.freshness import freshness
from app.reports.parameters import MONEY_OF_KIND, Filters, Format
from app.sites.site import Site

_PLURAL = {"lead": "leads", "opportunity": "opportunities", "customer": "customers"}
_NOT_ADDITIVE = ("readers", "leads", "opportunities", "pipeline", "customers", "revenue")
_COLUMNS = ("readers", "views", "engaged_seconds", "leads", "opportunities", "pipeline", "customers", "revenue")


class ContentFilters(Filters):
    """`GET /v1/reports/content`. The interval is that of reading; conversions count whenever they came after it."""

    conversion: str = Field(
        "customer",
        max_length=205,
        description="Taken so that a report's address can be reused; leads, opportunities and customers are shown.",
    )
    by: Literal["page", "section", "form", "asset"] = Field(
        "page", description="`section`: first segment of the path; `asset`: a path that ends like a file (pdf, …), or a `download` event."
    )
    read_before: Literal["conversion", "opened"] = Field(
        "conversion", description="`opened`: of customers only those whose people read it before the deal opened."
    )
    sort: Literal["readers", "leads", "opportunities", "customers"] = Field("readers", description="The greatest first.")
    limit: int = Field(50, ge=1, le=500, description="Rows.")
    format: Format = "json"


Rows = Sequence[RowMapping]


async def content(connection: AsyncConnection, site: Site, filters: ContentFilters, now: datetime) -> dict[str, Any]:
    """The report. What a filter selects is conversions, never readers."""
    found: dict[str, Rows] = {filters.sort: await _rows(connection, site, filters, filters.sort, None)}
    items = [row["item"] for row in found[filters.sort]]
    for figure in ("readers", *_PLURAL.values()):
        if figure not in found:
            found[figure] = await _rows(connection, site, filters, figure, items)
    by_item = {figure: {row["item"]: row for row in rows} for figure, rows in found.items()}
    return {
        "by": filters.by,
        "read_before": filters.read_before,
        "sort": filters.sort,
        **filters.sliced_by,
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "currency": site.settings.currency,
        "settings_version": site.settings_version,
        "not_additive": list(_NOT_ADDITIVE),
        "rows": [{filters.by: item, **_read(by_item, item), **_influenced(by_item, item, site.settings.currency)} for item in items],
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV."""
    amounts = set(MONEY_OF_KIND.values())

    def cells(row: dict[str, Any]) -> list[object]:
        return [row[answer["by"]], *(Decimal(row[name]) if name in amounts else row[name] for name in _COLUMNS), answer["currency"]]

    return as_csv([answer["by"], *_COLUMNS, "currency"], (cells(row) for row in answer["rows"]))


async def _rows(connection: AsyncConnection, site: Site, filters: ContentFilters, figure: str, items: list[str] | None) -> Rows:
    """What a figure says of the items, or of those that have most of it."""
    read_from, read_to = filters.bounds(site.settings.timezone)
    bounds = {name: value for name, value in (("read_from", read_from), ("read_to", read_to)) if value is not None}
    chosen = {"limit": filters.limit} if items is None else {"items": items}
    statement, parameters = _statement(site, filters, figure, is_chosen=items is not None)
    rows: Rows = (await connection.execute(statement, parameters | bounds | chosen)).mappings().all()
    return rows


def _statement(site: Site, filters: ContentFilters, figure: str, *, is_chosen: bool) -> tuple[Select[Any], dict[str, Any]]:
    chosen = {"has_start": filters.from_day is not None, "has_end": filters.to_day is not None, "is_chosen": is_chosen}
    if figure == "readers":
        return readers(filters.by, **chosen), {"site_id": site.site_id}
    kind = next(kind for kind, plural in _PLURAL.items() if plural == figure)
    # Whenever they came: the interval is that of reading.
    question = replace(filters.model_copy(update={"conversion": kind}).question(site), starts_at=None, ends_at=None)
    before_opening = filters.read_before == "opened" and kind == "customer"
    return influenced(question, filters.by, before_opening=before_opening, **chosen), question.parameters


def _read(by_item: Mapping[str, Mapping[str, RowMapping]], item: str) -> dict[str, int]:
    row = by_item["readers"].get(item)
    if row is None:
        return {"readers": 0, "views": 0, "engaged_seconds": 0}
    return {"readers": row["readers"], "views": row["views"], "engaged_seconds": row["engaged_ms"] // 1_000}


def _influenced(by_item: Mapping[str, Mapping[str, RowMapping]], item: str, currency: str) -> dict[str, object]:
    shown: dict[str, object] = {}
    for kind, plural in _PLURAL.items():
        row = by_item[plural].get(item)
        shown[plural] = as_number(row["millionths"]) if row else 0
        if money := MONEY_OF_KIND.get(kind):
            shown[money] = as_decimal_text(row["minor"] if row else 0, currency)
    return shown
