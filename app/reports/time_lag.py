"""How long conversions took from the first touch in reach, as a distribution that adds up to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import BigInteger, RowMapping, Select, case, literal, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.joins import bytewise
from app.attribution.journeys import first_labels, grouped, journeys, summed, with_first_touch
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import MILLION, Question
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import AND_PROPERTIES, LABELS, MONEY_OF_KIND, Format, JourneyFilters, SlicedGrouping, check_kind
from app.reports.quantiles import Quantiles, quantiles, quantiles_by
from app.reports.tables import table_of
from app.reports.totals import figures, group_of, totals
from app.sites.site import Site

_DAY = 86_400 * MILLION
_LAST_DAYS = (0, 1, 2, 7, 14, 30, 60, 90, 180, 365)
"""The last whole day of each bucket but the open one."""
BUCKETS = ("0", "1", "2", "3-7", "8-14", "15-30", "31-60", "61-90", "91-180", "181-365", ">365")
"""Whole days from the first touch to the conversion: 0 is less than 24 hours."""
NO_TOUCH = "(no touch)"


class TimeLagFilters(JourneyFilters):
    """`GET /v1/reports/time-lag`."""

    own: ClassVar[Sequence[str]] = LABELS
    by: SlicedGrouping | None = Field(None, description=f"What the first touch in reach was, one of {', '.join(LABELS)}; {AND_PROPERTIES}")
    format: Format = "json"


def conversions_by_lag(question: Question, by: Sequence[str]) -> Select[Any]:
    """A row a bucket of days (its number among `BUCKETS`; null: no touch in reach) and tuple of properties and of the first touch's
    dimensions: `millionths` and `minor`. Reads what `journeys` reads, and by primary key the first touches and their labels.
    """
    found = journeys(question)
    labels = first_labels(question, found, by)
    bucket = case(
        (found.c.lag.is_(None), null()),
        *((found.c.lag < literal((last + 1) * _DAY, BigInteger), number) for number, last in enumerate(_LAST_DAYS)),
        else_=len(_LAST_DAYS),
    )
    source = with_first_touch(question, found) if by else found
    columns = [*grouped(question, found), *labels, bucket.label("bucket")]
    lags = select(*columns, found.c.millionths, found.c.minor).select_from(source).cte("lags")
    groups = [*grouped(question, lags), *(lags.c[name] for name in by)]
    keys = [*groups, lags.c.bucket]
    return select(*keys, *summed(lags.c)).group_by(*keys).order_by(*(bytewise(key) for key in groups), lags.c.bucket)


def lag_quantiles(question: Question, by: Sequence[str]) -> Select[Any]:
    """A row a tuple of properties and of the first touch's dimensions, as `quantiles_by` makes it of the lags of conversions, in
    microseconds."""
    found = journeys(question)
    source = with_first_touch(question, found) if by else found
    lags = (
        select(*grouped(question, found), *first_labels(question, found, by), found.c.lag)
        .select_from(source)
        .where(found.c.lag.is_not(None), found.c.millionths > 0)
        .cte("lags")
    )
    return quantiles_by(lags, (*(each.column for each in question.grouped), *by), "lag")


async def time_lag(connection: AsyncConnection, site: Site, filters: TimeLagFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    by = (filters.dimension,) if filters.dimension else ()
    found = (await connection.execute(conversions_by_lag(question, by), question.parameters)).mappings()
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    overall = await _quantiles(connection, replace(question, grouped=()), ())
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    rows = _by_group(found, question, by) if filters.by else _every_bucket(found)
    return {
        **heading(site, filters, by=filters.grouped_by),
        **_in_days(overall[0][1] if overall else None),
        "rows": [names | each.as_dict(money, currency) for names, each in rows],
        **({"groups": _groups((*filters.columns, *by), await _quantiles(connection, question, by))} if filters.by else {}),
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any], filters: TimeLagFilters) -> str:
    """The rows as CSV; they add up to the total."""
    return table_of(answer, (*filters.columns, *((filters.dimension,) if filters.dimension else ()), "days"))


async def _quantiles(connection: AsyncConnection, question: Question, by: Sequence[str]) -> list[tuple[tuple[str, ...], Quantiles]]:
    rows = await connection.execute(lag_quantiles(question, by), question.parameters)
    width = len(question.grouped) + len(by)
    return [(tuple(row[:width]), each) for row in rows if (each := quantiles(row))]


def _days(bucket: int | None) -> str:
    return NO_TOUCH if bucket is None else BUCKETS[bucket]


def _every_bucket(found: Iterable[RowMapping]) -> list[tuple[dict[str, str], Figures]]:
    """A row for every bucket, in order, empty ones too; last what has no touch."""
    sums = {row["bucket"]: figures(row) for row in found}
    return [({"days": _days(bucket)}, sums.get(bucket, Figures())) for bucket in (*range(len(BUCKETS)), None)]


def _by_group(found: Iterable[RowMapping], question: Question, by: Sequence[str]) -> list[tuple[dict[str, str], Figures]]:
    """A row for each bucket that a group has; what has no touch has no channel of it and stands last."""

    def names(row: RowMapping) -> dict[str, str]:
        return group_of(row, question) | {name: row[name] or NO_TOUCH for name in by} | {"days": _days(row["bucket"])}

    rows = [(names(row), figures(row)) for row in found]
    return sorted(rows, key=lambda row: row[0]["days"] == NO_TOUCH)


def _groups(by: Sequence[str], found: Sequence[tuple[tuple[str, ...], Quantiles]]) -> list[dict[str, Any]]:
    """How long each group took, the one with most conversions first."""
    ordered = sorted(found, key=lambda group: (-group[1].count, group[0]))
    return [dict(zip(by, names, strict=True)) | {"conversions": each.count} | _in_days(each) for names, each in ordered]


def _in_days(found: Quantiles | None) -> dict[str, float | None]:
    if found is None:
        return {"median_days": None, "p90_days": None}
    return {"median_days": round(found.median / _DAY, 2), "p90_days": round(found.ninetieth / _DAY, 2)}
