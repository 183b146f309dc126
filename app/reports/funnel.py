"""The funnel of a cohort: the people whose first touch lies in the interval, and how far they have come since.

It counts people: a deal with two contacts has two customers. A later stage implies the earlier ones. A stage of which
the site has no conversion at all is null, not zero, and steps go from one stage in use to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports.figures import as_csv
from app.reports.freshness import freshness
from app.reports.funnel_queries import VISITORS, median_steps, people_by_stage, progress, stages_in_use
from app.reports.parameters import STAGES, FunnelFilters
from app.sites.properties import Condition, Property
from app.sites.site import Site

_DAY = 86_400_000_000
_PLURAL = {VISITORS: "visitors", "lead": "leads", "mql": "mqls", "sql": "sqls", "opportunity": "opportunities", "customer": "customers"}
Answer = dict[str, Any]


async def funnel(connection: AsyncConnection, site: Site, filters: FunnelFilters, now: datetime) -> Answer:
    """The report. Unprocessable if the interval is empty."""
    bounds = dict(zip(("starts_at", "ends_at"), filters.bounds(site.settings.timezone), strict=True))
    parameters = {"site_id": site.site_id} | {name: value for name, value in bounds.items() if value is not None}
    used = set(await connection.scalars(stages_in_use(), parameters))
    stages = [VISITORS, *(stage for stage in STAGES if stage in used)]
    conditions = filters.conditions(site)
    names, grouped = filters.grouping(site)
    (totals,) = await _rows(connection, parameters, (), stages, (), conditions)
    return {
        "counts": "people",
        "by": filters.by,
        **filters.sliced_by,
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "settings_version": site.settings_version,
        "rows": await _rows(connection, parameters, names, stages, grouped, conditions),
        "totals": totals,
        **(await freshness(connection, site, now)).as_dict(),
    }


async def _rows(
    connection: AsyncConnection,
    parameters: dict[str, Any],
    by: Sequence[str],
    stages: Sequence[str],
    grouped: Sequence[Property],
    conditions: Sequence[Condition],
) -> list[Answer]:
    """The funnel of each tuple of the dimensions; of everybody, as one row, where there are none."""
    has_start, has_end = "starts_at" in parameters, "ends_at" in parameters
    people = progress(by, has_start=has_start, has_end=has_end, grouped=grouped, conditions=conditions)
    medians: dict[tuple[str, ...], int] = {}
    if len(stages) > 1:
        for row in await connection.execute(median_steps(people, by, stages), parameters):
            medians[tuple(row[:-1])] = row.duration
    counts = (await connection.execute(people_by_stage(people, by), parameters)).mappings()
    return [_row(row, by, stages, medians) for row in counts]


def _row(row: RowMapping, by: Sequence[str], stages: Sequence[str], medians: Mapping[tuple[str, ...], int]) -> Answer:
    group = tuple(row[name] for name in by)
    implied = {_PLURAL[stage]: row[f"{stage}_implied"] for stage in stages[1:] if row[f"{stage}_implied"]}
    return {
        **dict(zip(by, group, strict=True)),
        **{plural: row[stage] if stage in stages else None for stage, plural in _PLURAL.items()},
        "implied": implied,
        "steps": [_step(row, earlier, later, medians.get((*group, later))) for earlier, later in pairwise(stages)],
    }


def _step(row: RowMapping, earlier: str, later: str, median: int | None) -> Answer:
    """From one stage in use to the next: `rate` of those who took it, and `median_days` it took them."""
    return {
        "from": _PLURAL[earlier],
        "to": _PLURAL[later],
        "rate": round(row[later] / row[earlier], 4) if row[earlier] else None,
        "median_days": None if median is None else round(median / _DAY, 2),
    }


def as_table(answer: Answer, filters: FunnelFilters) -> str:
    """The rows as CSV, rates and medians in a column a step."""
    names = [*filters.by.split(","), *_PLURAL.values()]
    steps = [(step["from"], step["to"]) for step in answer["rows"][0]["steps"]] if answer["rows"] else []
    header = [*names, *(f"{start}_to_{end}_{what}" for start, end in steps for what in ("rate", "median_days"))]
    return as_csv(header, ([*(row[name] for name in names), *_step_cells(row)] for row in answer["rows"]))


def _step_cells(row: Answer) -> list[object]:
    return [step[what] for step in row["steps"] for what in ("rate", "median_days")]
