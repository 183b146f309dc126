"""How many touches conversions took, as a distribution that adds up to all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.journeys import conversions_by_length
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import MILLION
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MONEY_OF_KIND, Filters, Format, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures, totals
from app.sites.site import Site


class PathLengthFilters(Filters):
    """`GET /v1/reports/path-length`."""

    longest: int = Field(12, ge=1, le=1_000, description="Journeys of this many touches or more stand in one row.")
    format: Format = "json"


async def path_length(connection: AsyncConnection, site: Site, filters: PathLengthFilters, now: datetime) -> dict[str, Any]:
    """The report. Mean and median are those of the conversions with at least one touch in reach (null: there are none)."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    found = (await connection.execute(conversions_by_length(question), question.parameters)).mappings()
    by_length = {row["length"]: figures(row) for row in found}
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    counts = {length: each.millionths // MILLION for length, each in by_length.items() if length}
    return {
        **heading(site, filters, longest=filters.longest),
        "mean_touches": _mean(counts),
        "median_touches": _median(counts),
        "rows": [{"touches": name} | each.as_dict(money, currency) for name, each in _buckets(by_length, filters.longest)],
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV; they add up to the total."""
    return table_of(answer, ("touches",))


def _buckets(by_length: Mapping[int, Figures], longest: int) -> Sequence[tuple[str, Figures]]:
    """Every number of touches from 0 to the longest, which stands for itself and more."""
    sums: dict[int, Figures] = defaultdict(Figures)
    for length, each in by_length.items():
        sums[min(length, longest)] += each
    return [(f"{length}+" if length == longest else str(length), sums[length]) for length in range(longest + 1)]


def _mean(counts: Mapping[int, int]) -> float | None:
    number = sum(counts.values())
    return round(sum(length * count for length, count in counts.items()) / number, 2) if number else None


def _median(counts: Mapping[int, int]) -> float | None:
    """Of an even number, the mean of the two in the middle."""
    number = sum(counts.values())
    if not number:
        return None
    return float(Fraction(_at_rank((number + 1) // 2, counts) + _at_rank((number + 2) // 2, counts), 2))


def _at_rank(rank: int, counts: Mapping[int, int]) -> int:
    """The length of the conversion at a rank (1 is the shortest)."""
    seen = 0
    for length, count in sorted(counts.items()):
        seen += count
        if seen >= rank:
            return length
    raise ValueError(f"there is no conversion of rank {rank}")
