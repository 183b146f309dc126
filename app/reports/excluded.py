"""What counts not, by reason: dropped at the door, where nothing of it is kept, or left out by a rule, with which it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports import excluded_queries as queries
from app.reports.figures import as_csv
from app.reports.freshness import freshness
from app.reports.parameters import Format, Interval
from app.sites.site import Site

_COLUMNS = ("reason", "at", "setting", "comes_back", "events", "visitors", "touches")

_SETTINGS = {
    "bot": None,
    "prefetch": None,
    "opted_out": None,
    "honeypot": None,
    "gpc": "honour_gpc",
    "dnt": "honour_dnt",
    "excluded_network": "excluded_networks",
    "too_fast": "most_pages_an_hour",
    "spam_referrer": "spam_referrers",
    "customer_area": "customer_area",
    "excluded_page": "excluded_paths",
    "crm_touch": "crm_touches",
    "internal_contact": "internal_contacts",
}
"""By reason: the setting that decides; None: there is none."""


class ExcludedFilters(Interval):
    """`GET /v1/reports/excluded`."""

    format: Format = "json"


async def excluded(connection: AsyncConnection, site: Site, filters: ExcludedFilters, now: datetime) -> dict[str, Any]:
    """The report. A touch lies in the interval by its own time, and brings the events that belong to it. What the door drops is
    counted by UTC days."""
    bounds = dict(zip(("starts_at", "ends_at"), filters.bounds(site.settings.timezone), strict=True))
    days = {"first_day": filters.from_day, "last_day": filters.to_day}
    parameters = {"site_id": site.site_id} | {name: value for name, value in bounds.items() if value is not None}
    parameters |= {name: day.isoformat() for name, day in days.items() if day is not None}
    has = {"has_start": filters.from_day is not None, "has_end": filters.to_day is not None}
    dropped = (await connection.execute(queries.drops_by_reason(**has), parameters)).mappings().all()
    rows = [_row(at="door", **row) for row in dropped]
    for statement in _statements(site, **has):
        found = (await connection.execute(statement, parameters)).mappings().all()
        rows += [_row(at="rule", **row) for row in found if row["events"]]
    return {
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "settings_version": site.settings_version,
        "rows": rows,
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV."""
    return as_csv(_COLUMNS, ([row[name] for name in _COLUMNS] for row in answer["rows"]))


def _statements(site: Site, *, has_start: bool, has_end: bool) -> Iterator[Select[Any]]:
    """What the site's rules leave out; those that it has not set are not asked, since some read every event."""
    settings, has = site.settings, {"has_start": has_start, "has_end": has_end}
    yield queries.touches_by_reason(**has)
    if settings.excluded_hosts or settings.excluded_paths:
        yield queries.excluded_pages(**has)
    if not settings.crm_touches:
        yield queries.unwanted_reports(**has)
    if settings.internal_contacts:
        yield queries.internal_visits(**has)


def _row(*, reason: str, at: str, **counts: int | None) -> dict[str, Any]:
    """One reason. What was dropped at the door is gone; what a rule leaves out comes back with a change of its setting."""
    figures = {name: counts.get(name) for name in ("events", "visitors", "touches")}
    return {"reason": reason, "at": at, "setting": _SETTINGS.get(reason), "comes_back": at == "rule", **figures}
