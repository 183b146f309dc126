"""The journeys that most conversions took, as sequences of channels, and how many of those who went the same way converted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.ledger import ledger_by_reason
from app.attribution.question import MILLION
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import AND_PROPERTIES, LABELS, MONEY_OF_KIND, Format, JourneyFilters, SlicedGrouping, check_kind
from app.reports.path_queries import CUT, SEPARATOR, Shape, knows_others, paths
from app.reports.tables import table_of
from app.reports.totals import figures, group_of, totals
from app.sites.site import Site


class PathFilters(JourneyFilters):
    """`GET /v1/reports/paths`."""

    own: ClassVar[Sequence[str]] = LABELS
    default: ClassVar[str | None] = "channel"
    by: SlicedGrouping | None = Field(
        None, description=f"What a step of a path is, one of {', '.join(LABELS)} (absent: channel); {AND_PROPERTIES}"
    )
    collapse: bool = Field(False, description="Write immediate repeats as one step: `Email ×3`.")
    longest: int = Field(20, ge=1, le=50, description="Steps after which a path is cut (`…`); paths that differ later are one row.")
    limit: int = Field(50, ge=1, le=1_000, description="Rows; what is left stands under `rest`.")
    format: Format = "json"


async def top_paths(connection: AsyncConnection, site: Site, filters: PathFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    statement = paths(question, Shape(filters.dimension or "channel", filters.collapse, filters.longest))
    found = (await connection.execute(statement, {**question.parameters, "limit": filters.limit})).mappings().all()
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    answer = {
        **heading(site, filters, by=filters.grouped_by, collapse=filters.collapse),
        "rows": [group_of(row, question) | _row(row, money, currency) for row in found],
        "rest": _rest(found, money, currency),
        "totals": totals(ledger, money, currency) | {"non_converting": found[0]["all_others"] if found else 0},
        **(await freshness(connection, site, now)).as_dict(),
    }
    return answer if knows_others(question) else _without_others(answer)


def as_table(answer: dict[str, Any], filters: PathFilters) -> str:
    """The rows as CSV."""
    return table_of(answer, (*filters.columns, "path"), ("non_converting", "conversion_rate"))


def _row(row: RowMapping, money: str | None, currency: str) -> dict[str, Any]:
    steps = row["path"].split(SEPARATOR)
    went = row["millionths"] // MILLION + row["others"]
    return {
        "path": " > ".join(steps),
        "steps": steps,
        "is_cut": steps[-1] == CUT,
        **figures(row).as_dict(money, currency),
        "non_converting": row["others"],
        "conversion_rate": round(row["millionths"] / MILLION / went, 4) if went else None,
    }


def _rest(found: Sequence[RowMapping], money: str | None, currency: str) -> dict[str, Any]:
    """The paths beyond the limit, together."""
    sums = {name: (found[0][f"all_{name}"] if found else 0) - sum(row[name] for row in found) for name in ("millionths", "minor", "others")}
    paths_left = found[0]["all_paths"] - len(found) if found else 0
    return {"paths": paths_left, **Figures(sums["millionths"], sums["minor"]).as_dict(money, currency), "non_converting": sums["others"]}


def _without_others(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer where nobody can say who did not convert, or of which group they are: unknown, not none."""
    unknown = {"non_converting": None}
    rows = [row | unknown | {"conversion_rate": None} for row in answer["rows"]]
    return answer | {"rows": rows, "rest": answer["rest"] | unknown, "totals": answer["totals"] | unknown}
