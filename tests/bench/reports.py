"""Reports over a stitched database: how long each takes, as the median of a few answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import Database
from app.reports.attribution import attribution
from app.reports.doctor.report import DoctorFilters, doctor
from app.reports.funnel import funnel
from app.reports.parameters import AttributionFilters, FunnelFilters
from app.sites.site import Site, load_site
from tests.bench.load import SITE

_TIMES = 3
Report = Callable[[AsyncConnection, Site, datetime], Awaitable[Any]]


def _attribution(**asked: Any) -> Report:
    filters = AttributionFilters.model_validate(asked)
    return lambda connection, site, now: attribution(connection, site, filters, now)


REPORTS: dict[str, Report] = {
    "linear by channel": _attribution(conversion="lead", model="linear", by="channel"),
    "time decay by campaign": _attribution(conversion="lead", model="time_decay", by="campaign"),
    "revenue, every model": _attribution(conversion="customer", model="all", by="channel"),
    "by landing page": _attribution(conversion="lead", model="linear", by="landing_page"),
    "other look-back": _attribution(conversion="lead", model="linear", by="channel", lookback_days=30),
    "doctor": lambda connection, site, now: doctor(connection, site, DoctorFilters(), now),
    "funnel": lambda connection, site, now: funnel(connection, site, FunnelFilters(), now),
}


async def time_reports(database: Database) -> dict[str, float]:
    """Milliseconds of each report."""
    milliseconds = {}
    for name, report in REPORTS.items():
        taken = []
        for _ in range(_TIMES):
            async with database.read() as connection:
                site = await load_site(connection, SITE)
                began = time.perf_counter()
                await report(connection, site, datetime.now(UTC))
                taken.append((time.perf_counter() - began) * 1_000)
        milliseconds[name] = statistics.median(taken)
    return milliseconds
