"""The conversions behind a number, page by page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.attribution.joins import KEY
from app.attribution.models import DATA_DRIVEN
from app.attribution.question import MILLION, Question
from app.errors import NotFound, Unprocessable
from app.money import as_decimal_text
from app.reports.as_of import site_then
from app.reports.conversion_queries import LABELS, channels, conversions_of_interval, people_of_conversions
from app.reports.figures import as_csv, as_number, as_rfc3339
from app.reports.parameters import (
    MONEY_OF_KIND,
    Filters,
    Format,
    ModelName,
    QueryText,
    SlicedGrouping,
    check_kind,
    check_model,
    grouping,
    is_text,
)
from app.sites.site import Site
from app.tables import from_micros, to_micros

_MICROS = re.compile(r"-?[0-9]{1,18}\Z")
COLUMNS = (
    "id", "kind", "occurred_at", "counted_at", "person_id", "deal_id", "name", "conversions", "amount", "currency", "is_repeat",
    "is_tracked",
)  # fmt: skip
"""What the list has as CSV."""


class ConversionFilters(Filters):
    """`GET /v1/conversions`: those of the attribution report, and labels that a touch in reach must have."""

    channel: QueryText | None = Field(None, max_length=200, description="Only conversions with a touch of this channel in reach.")
    source: QueryText | None = Field(None, max_length=1_000, description="… of this source.")
    medium: QueryText | None = Field(None, max_length=1_000, description="… of this medium.")
    campaign: QueryText | None = Field(None, max_length=1_000, description="… of this campaign.")
    term: QueryText | None = Field(None, max_length=1_000, description="… of this term.")
    content: QueryText | None = Field(None, max_length=1_000, description="… of this content.")
    referrer: QueryText | None = Field(None, max_length=1_000, description="… from this referrer.")
    limit: int = Field(50, ge=1, le=500, description="Rows a page.")
    cursor: str | None = Field(None, max_length=5_000, description="`next` of the page before.")
    model: ModelName | None = Field(
        None, description="Taken so that a report's address can be reused; every model has the same conversions."
    )
    by: SlicedGrouping | None = Field(None, description="Taken likewise.")
    format: Format = "json"

    @property
    def labels(self) -> dict[str, str]:
        """The labels asked for, by dimension."""
        return {name: value for name in LABELS if (value := getattr(self, name)) is not None}


def parts_of(public_id: str) -> tuple[str, ...]:
    """The parts of an ID from outside; none if it is not one of ours."""
    try:
        return ids.parts_of(public_id)
    except ValueError:
        return ()


def key_of(public_id: str) -> dict[str, str]:
    """Kind, holder and fact of a public conversion ID. NotFound if it is none."""
    parts = parts_of(public_id)
    if len(parts) != len(KEY) or not is_text(*parts):
        raise NotFound("There is no conversion of that ID. IDs stand in `GET /v1/conversions`.")
    return dict(zip(KEY, parts, strict=True))


async def conversions(connection: AsyncConnection, site: Site, filters: ConversionFilters, now: datetime) -> dict[str, Any]:
    """One page of conversions, the latest counted first, and `next`, the cursor of the page after it (null: none)."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    grouping(filters.by or "channel", site)
    if filters.model is not None:
        check_model(question, filters.model, *DATA_DRIVEN, "all")
    await check_kind(connection, site, filters.conversion)
    await check_channel(connection, question, filters.channel)
    labels = {f"label_{name}": value for name, value in filters.labels.items()}
    statement = conversions_of_interval(question, filters.labels, is_next=filters.cursor is not None)
    parameters = {**question.parameters, **labels, **_after(filters.cursor), "limit": filters.limit + 1}
    rows = (await connection.execute(statement, parameters)).mappings().all()
    page = rows[: filters.limit]
    people = await people_by_conversion(connection, question, page)
    return {
        "conversions": [described(row, people[_key(row)], site) for row in page],
        **({} if site.as_of is None else {"as_of": as_rfc3339(from_micros(site.as_of))}),
        "next": _cursor(page[-1]) if len(rows) > filters.limit else None,
    }


def as_table(answer: dict[str, Any]) -> str:
    """A page as CSV."""
    return as_csv(COLUMNS, ([_cell(row, column) for column in COLUMNS] for row in answer["conversions"]))


def _cell(row: dict[str, Any], column: str) -> object:
    if column in ("deal_id", "name"):
        return (row["deal"] or {}).get(column)
    # As a number, so that a negative one is not taken for a formula.
    return Decimal(row[column]) if column == "amount" and row[column] else row[column]


def described(row: RowMapping, people: Sequence[str], site: Site) -> dict[str, Any]:
    """One conversion. `amount` is its net now, in its own currency; `conversions` and the change of money are those of the interval.

    `company_people` is how many of its company share its journey beside its `people`.
    """
    currency = row["currency"] or site.settings.currency
    money = MONEY_OF_KIND.get(row["kind"])
    changed = {money: as_decimal_text(row["minor"], currency)} if money else {}
    return {
        "id": ids.public(*_key(row)),
        "kind": row["kind"],
        "occurred_at": as_rfc3339(row["occurred_at"]),
        "counted_at": as_rfc3339(row["counted_at"]),
        "conversions": as_number(row["counts"] * MILLION),
        **changed,
        "amount": as_decimal_text(row["net_minor"], currency) if money else None,
        "currency": currency if money else None,
        "person_id": ids.public(people[0]) if people else None,
        "people": [ids.public(person) for person in people],
        "company_people": row["company_people"],
        "deal": _deal(row),
        "is_repeat": bool(row["is_repeat"]),
        "is_tracked": bool(row["is_tracked"]),
        "reported_by_crm": bool(row["is_reported_by_crm"]),
    }


def _deal(row: RowMapping) -> dict[str, Any] | None:
    if row["deal_id"] is None:
        return None
    return {name: row[name] for name in ("space", "deal_id", "name", "outcome", "company_name", "type", "url")}


async def people_by_conversion(
    connection: AsyncConnection, question: Question, rows: Iterable[RowMapping]
) -> dict[tuple[str, ...], list[str]]:
    """The people of each conversion, by its key."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    keys = [_key(row) for row in rows]
    if keys:
        for person in await connection.execute(people_of_conversions(question), {**question.parameters, "keys": keys}):
            found[person.kind, person.holder_id, person.fact_id].append(person.person_id)
    return found


def _key(row: RowMapping) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _cursor(row: RowMapping) -> str:
    return ids.public(str(to_micros(row["counted_at"])), row["holder_id"], row["fact_id"])


def _after(cursor: str | None) -> dict[str, Any]:
    """Parameters of the page after a cursor. Unprocessable if it is none of ours."""
    if cursor is None:
        return {}
    parts = parts_of(cursor)
    if len(parts) != 3 or not is_text(*parts) or not _MICROS.match(parts[0]):
        raise Unprocessable("Unknown cursor: take `next` of the page before.")
    return {"after_at": int(parts[0]), "after_holder": parts[1], "after_fact": parts[2]}


async def check_channel(connection: AsyncConnection, question: Question, channel: str | None) -> None:
    """Unprocessable, naming the allowed ones, if no origin of the site has this channel."""
    if channel is None:
        return
    known = list(await connection.scalars(channels(question), question.parameters))
    if channel not in known:
        raise Unprocessable(f"Unknown channel {channel[:60]!r}; allowed: {', '.join(known)}.")
