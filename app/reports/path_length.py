"""How many touches conversions took, as a distribution that adds up to all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.journeys import conversions_by_length
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import MILLION, Question
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MONEY_OF_KIND, Format, JourneyFilters, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures, group_of, totals
from app.sites.site import Site


class PathLengthFilters(JourneyFilters):
    """`GET /v1/reports/path-length`."""

    longest: int = Field(12, ge=1, le=1_000, description="Journeys of this many touches or more stand in one row.")
    format: Format = "json"


async def path_length(connection: AsyncConnection, site: Site, filters: PathLengthFilters, now: datetime) -> dict[str, Any]:
    """The report. Mean and median, of all and of each group, are those of the conversions with at least one touch in reach (null: there
    are none)."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    found = (await connection.execute(conversions_by_length(question), question.parameters)).mappings()
    groups = _lengths(found, question)
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    names = filters.columns
    rows = [
        dict(zip(names, key, strict=True)) | {"touches": name} | each.as_dict(money, currency)
        for key, by_length in sorted(groups.items())
        for name, each in _buckets(by_length, filters.longest)
    ]
    return {
        **heading(site, filters, by=filters.grouped_by, longest=filters.longest),
        **_typical(_counts(groups.values())),
        "rows": rows,
        **({"groups": _groups(names, groups)} if names else {}),
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any], filters: PathLengthFilters) -> str:
    """The rows as CSV; they add up to the total."""
    return table_of(answer, (*filters.columns, "touches"))


Lengths = dict[int, Figures]


def _lengths(found: Iterable[RowMapping], question: Question) -> dict[tuple[str, ...], Lengths]:
    """What each group counts at each length; everything as one group where nothing is grouped by."""
    groups: dict[tuple[str, ...], Lengths] = {} if question.grouped else {(): {}}
    for row in found:
        groups.setdefault(tuple(group_of(row, question).values()), {})[row["length"]] = figures(row)
    return groups


def _counts(groups: Iterable[Lengths]) -> dict[int, int]:
    """How many conversions took each number of touches, but for none."""
    counts: dict[int, int] = defaultdict(int)
    for by_length in groups:
        for length, each in by_length.items():
            if length:
                counts[length] += each.millionths // MILLION
    return counts


def _typical(counts: Mapping[int, int]) -> dict[str, float | None]:
    return {"mean_touches": _mean(counts), "median_touches": _median(counts)}


def _groups(names: Sequence[str], groups: Mapping[tuple[str, ...], Lengths]) -> list[dict[str, Any]]:
    """How many touches each group took, the one with most conversions first."""
    counts = {key: _counts([by_length]) for key, by_length in groups.items()}
    ordered = sorted(counts, key=lambda key: (-sum(counts[key].values()), key))
    return [dict(zip(names, key, strict=True)) | {"conversions": sum(counts[key].values())} | _typical(counts[key]) for key in ordered]


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
