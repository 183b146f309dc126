"""What people read in an interval, and the leads, opportunities and customers that came of it since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.question import Question
from app.money import as_decimal_text
from app.reports.content_queries import influenced, readers
from app.reports.figures import as_csv, as_number
from app.reports.freshness import freshness
from app.reports.parameters import MONEY_OF_KIND, Format, JourneyFilters, SlicedGrouping, of_people
from app.sites.properties import Property
from app.sites.site import Site

_PLURAL = {"lead": "leads", "opportunity": "opportunities", "customer": "customers"}
_NOT_ADDITIVE = ("readers", "leads", "opportunities", "pipeline", "customers", "revenue")
_COLUMNS = ("readers", "views", "engaged_seconds", "leads", "opportunities", "pipeline", "customers", "revenue")


class ContentFilters(JourneyFilters):
    """`GET /v1/reports/content`. The interval is that of reading; conversions count whenever they came after it."""

    own: ClassVar[Sequence[str]] = ("page", "section", "form", "asset")
    default: ClassVar[str | None] = "page"

    conversion: str = Field(
        "customer",
        max_length=205,
        description="Taken so that a report's address can be reused; leads, opportunities and customers are shown.",
    )
    by: SlicedGrouping | None = Field(
        None,
        description="`page` (absent: this), `section`: first segment of the path, `form`, or `asset`: a path that ends like a file (pdf, "
        "…), or a `download` event; and properties of people and companies, with commas: of the readers, and of the conversions.",
    )
    read_before: Literal["conversion", "opened"] = Field(
        "conversion", description="`opened`: of customers only those whose people read it before the deal opened."
    )
    sort: Literal["readers", "leads", "opportunities", "customers"] = Field("readers", description="The greatest first.")
    limit: int = Field(50, ge=1, le=500, description="How many pages (sections, …); each has a row for each group of `by`.")
    format: Format = "json"

    def properties(self, site: Site, allowed: Iterable[Property] | None = None) -> tuple[Property, ...]:
        """Of people and companies alone: a reader has no deal."""
        return super().properties(site, of_people(site) if allowed is None else allowed)


Key = tuple[str, ...]
"""A row's: its item, then its properties."""
Found = dict[str, dict[Key, RowMapping]]
"""By figure, what it says of each row."""


async def content(connection: AsyncConnection, site: Site, filters: ContentFilters, now: datetime) -> dict[str, Any]:
    """The report. A filter selects conversions, and by what it says of people and companies their readers."""
    found: Found = {filters.sort: await _rows(connection, site, filters, filters.sort, None)}
    items = list(dict.fromkeys(key[0] for key in found[filters.sort]))
    for figure in ("readers", *_PLURAL.values()):
        if figure not in found:
            found[figure] = await _rows(connection, site, filters, figure, items)
    names, currency = (filters.dimension, *filters.columns), site.settings.currency
    return {
        "by": filters.grouped_by,
        "read_before": filters.read_before,
        "sort": filters.sort,
        **filters.sliced_by,
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "currency": currency,
        "settings_version": site.settings_version,
        "not_additive": list(_NOT_ADDITIVE),
        "rows": [
            dict(zip(names, key, strict=True)) | _read(found, key) | _influenced(found, key, currency) for key in _in_order(found, items)
        ],
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV."""
    amounts, names = set(MONEY_OF_KIND.values()), answer["by"].split(",")

    def cells(row: dict[str, Any]) -> list[object]:
        figures = (Decimal(row[name]) if name in amounts else row[name] for name in _COLUMNS)
        return [*(row[name] for name in names), *figures, answer["currency"]]

    return as_csv([*names, *_COLUMNS, "currency"], (cells(row) for row in answer["rows"]))


def _in_order(found: Found, items: Sequence[str]) -> list[Key]:
    """The rows of each item in turn: every group of which any figure knows something, by its names."""
    place = {item: number for number, item in enumerate(items)}
    return sorted({key for rows in found.values() for key in rows}, key=lambda key: (place[key[0]], key[1:]))


async def _rows(
    connection: AsyncConnection, site: Site, filters: ContentFilters, figure: str, items: list[str] | None
) -> dict[Key, RowMapping]:
    """What a figure says of the items, or of those that have most of it."""
    read_from, read_to = filters.bounds(site.settings.timezone)
    bounds = {name: value for name, value in (("read_from", read_from), ("read_to", read_to)) if value is not None}
    chosen = {"limit": filters.limit} if items is None else {"items": items}
    statement, question = _statement(site, filters, figure, is_chosen=items is not None)
    rows = (await connection.execute(statement, question.parameters | bounds | chosen)).mappings()
    return {(row["item"], *(row[each.column] for each in question.grouped)): row for row in rows}


def _statement(site: Site, filters: ContentFilters, figure: str, *, is_chosen: bool) -> tuple[Select[Any], Question]:
    chosen = {"has_start": filters.from_day is not None, "has_end": filters.to_day is not None, "is_chosen": is_chosen}
    kind = next((kind for kind, plural in _PLURAL.items() if plural == figure), filters.conversion)
    # Whenever they came: the interval is that of reading.
    question = replace(filters.model_copy(update={"conversion": kind}).question(site), starts_at=None, ends_at=None)
    by = filters.dimension or "page"
    if figure == "readers":
        return readers(question, by, **chosen), question
    before_opening = filters.read_before == "opened" and kind == "customer"
    return influenced(question, by, before_opening=before_opening, **chosen), question


def _read(found: Found, key: Key) -> dict[str, int]:
    row = found["readers"].get(key)
    if row is None:
        return {"readers": 0, "views": 0, "engaged_seconds": 0}
    return {"readers": row["readers"], "views": row["views"], "engaged_seconds": row["engaged_ms"] // 1_000}


def _influenced(found: Found, key: Key, currency: str) -> dict[str, object]:
    shown: dict[str, object] = {}
    for kind, plural in _PLURAL.items():
        row = found[plural].get(key)
        shown[plural] = as_number(row["millionths"]) if row else 0
        if money := MONEY_OF_KIND.get(kind):
            shown[money] = as_decimal_text(row["minor"] if row else 0, currency)
    return shown
