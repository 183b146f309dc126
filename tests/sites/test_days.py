"""When local days start, where clocks make it hard."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from app.sites.days import day_starts, first_instant
from app.tables import from_micros


@pytest.mark.parametrize(
    ("zone", "day", "start", "why"),
    [
        ("UTC", "2026-03-29", "2026-03-29T00:00", "nothing happens"),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00", "summer time began the day before"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "it begins at two o'clock"),
        ("Asia/Kolkata", "2026-01-01", "2025-12-31T18:30", "half an hour"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", "midnight is skipped: the day begins at one"),
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00", "clocks went back at midnight, to the day before"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00", "midnight is skipped"),
        ("America/Havana", "2025-11-02", "2025-11-02T04:00", "midnight comes twice: the first counts"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30", "the clock jumps from half past eleven to half past midnight"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", "a day that never was"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", "and the one that came instead"),
        ("Pacific/Apia", "2012-01-01", "2011-12-31T10:00", "and the next"),
    ],
)
def test_the_first_instant_of_a_day(zone: str, day: str, start: str, why: str) -> None:
    assert first_instant(date.fromisoformat(day), ZoneInfo(zone)) == datetime.fromisoformat(start).replace(tzinfo=UTC), why


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Pacific/Apia", "Africa/Casablanca"])
def test_every_day_starts_when_clocks_first_show_it(zone: str) -> None:
    starts = day_starts(zone)
    assert (len(starts), starts[0][0], starts[-1][0]) == (32_872, "1990-01-01", "2079-12-31")
    for (day, start), (_, following) in pairwise(starts):
        assert start <= following
        shown = from_micros(start).astimezone(ZoneInfo(zone)).date().isoformat()
        assert shown == day or start == following, "a day has no length unless clocks show it"
        before = (from_micros(start) - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date().isoformat()
        assert before < day
