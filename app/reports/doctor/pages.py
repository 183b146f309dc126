"""Which pages still send events.

What is silent is told from what is seldom by chance: where page views come at their own pace, none at all come in a stretch of
time that should have had n of them with the probability exp(−n) (Poisson). Real traffic is less even than that, so what is compared
holds every day of the week, and only what had views on most days counts as regular.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, bindparam

from app import tables
from app.reports.doctor.affected import with_landing
from app.reports.doctor.findings import (
    EXAMPLES,
    MOST_NAMES,
    Change,
    Check,
    Finding,
    NotEnoughData,
    Outcome,
    Reading,
    counted,
    listed,
    verb,
)
from app.reports.doctor.queries import BEFORE_DAYS, RECENT_DAYS, SAME_DAYS
from app.reports.figures import as_rfc3339
from app.tables import from_micros

_REGULAR_DAYS = BEFORE_DAYS // 2
_FALSE_ALARMS = 0.01
"""How probable one false alarm may be, over everything that is compared."""
_LEAST_EXPECTED = math.ceil(-math.log(_FALSE_ALARMS))
_LEAST_BEFORE = _LEAST_EXPECTED * BEFORE_DAYS // RECENT_DAYS
REGULAR = {"least": _LEAST_BEFORE, "least_days": _REGULAR_DAYS, "limit": 10_000}
"""What makes a page one with regular traffic, and how many of them are looked at: parameters of `views_of_hosts_and_pages`."""
_event = tables.events.c


def _expected(row: RowMapping) -> float:
    """How many page views the newest days should have had."""
    return float(row["before"]) * RECENT_DAYS / BEFORE_DAYS


def _is_regular(row: RowMapping) -> bool:
    return bool(row["before"] >= _LEAST_BEFORE and row["days"] >= _REGULAR_DAYS)


def _silent(rows: Sequence[RowMapping]) -> list[RowMapping]:
    """Those without a view in the newest days of which chance is no explanation, however many are compared."""
    needed = math.log(max(1, len(rows)) / _FALSE_ALARMS)
    return [row for row in rows if not row["recent"] and _expected(row) >= needed]


def _shown(row: RowMapping, *names: str) -> dict[str, Any]:
    views = {"views_in_28_days": row["before"], "expected": round(_expected(row), 1), "last_at": as_rfc3339(from_micros(row["last_at"]))}
    return {name: row[name] for name in names} | views


async def no_page_events(reading: Reading) -> Outcome:
    """No page has sent anything for a day: the snippet is gone, or the service cannot be reached."""
    ever, last_day = (sum(row[name] for row in reading.hosts) for name in ("ever", "last_day"))
    if last_day:
        return None
    if not ever:
        advice = "Put the snippet's tag into every page: `closedloop snippet` prints it."
        # Perhaps the site means to live on what its CRM and its servers tell.
        return Finding("warning", "No page has ever sent an event.", Change(advice))
    same_days = [sum(row[f"same_day_{weeks}"] for row in reading.hosts) for weeks in range(1, SAME_DAYS + 1)]
    if min(same_days) < _LEAST_EXPECTED:
        return NotEnoughData(f"In one of the last {SAME_DAYS} weeks the same day had fewer than {_LEAST_EXPECTED} page views.")
    last_at = as_rfc3339(from_micros(max(row["last_at"] for row in reading.hosts)))
    return Finding(
        "error",
        f"No page has sent an event in the last 24 hours; in the {SAME_DAYS} weeks before, the same day had at least "
        f"{counted(min(same_days), 'page view')}. The last came at {last_at}.",
        Change(
            "See whether the snippet still stands in the pages, whether a new consent banner or content security policy stops it, and "
            "whether the service can be reached from outside."
        ),
    )


async def host_silent(reading: Reading) -> Outcome:
    """Hosts of which no page sends events any more."""
    regular = [row for row in reading.hosts if _is_regular(row)]
    if not regular:
        return NotEnoughData(_too_few("host"))
    silent = _silent(regular)
    if not silent:
        return None
    hosts = [row["host"] for row in silent]
    return Finding(
        "error",
        f"{_silence(len(hosts), 'host')}: {listed(hosts)}.",
        Change("If the host still serves pages, put the snippet back into them; if it was closed on purpose, nothing is to be done."),
        await reading.affected(with_landing(_event.host.in_(bindparam("hosts", expanding=True))), {"hosts": hosts[:MOST_NAMES]}),
        [_shown(row, "host") for row in silent[:EXAMPLES]],
    )


async def page_silent(reading: Reading) -> Outcome:
    """Pages that send no events any more, on hosts that do."""
    regular = reading.regular_pages
    if not regular:
        return NotEnoughData(_too_few("page"))
    alive = {row["host"] for row in reading.hosts if row["recent"]}
    silent = [row for row in _silent(regular) if row["host"] in alive]
    if not silent:
        return None
    pages = [row["host"] + row["path"] for row in silent]
    is_one = (_event.host + _event.path).in_(bindparam("pages", expanding=True))
    return Finding(
        "warning",
        f"{_silence(len(pages), 'page')}: {listed(pages)}.",
        Change("If the page still stands, put the snippet back into it; if it was moved or taken down on purpose, nothing is to be done."),
        await reading.affected(with_landing(is_one), {"pages": pages[:MOST_NAMES]}),
        [_shown(row, "host", "path") for row in silent[:EXAMPLES]],
    )


def _silence(number: int, one: str) -> str:
    return f"{counted(number, one)} with regular traffic {verb(number, 'has', 'have')} sent nothing for {RECENT_DAYS} days"


def _too_few(one: str) -> str:
    return (
        f"No {one} had {_LEAST_BEFORE} page views on {_REGULAR_DAYS} of the {BEFORE_DAYS} days before the last {RECENT_DAYS}: with fewer, "
        "silence may be chance."
    )


CHECKS: Sequence[Check] = (
    Check("no_page_events", "Whether pages have sent anything in the last 24 hours", no_page_events),
    Check("host_silent", "Hosts whose pages send no events any more", host_silent),
    Check("page_silent", "Pages that send no events any more", page_silent),
)
