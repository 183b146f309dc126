"""When each local day of a zone starts. SQLite knows no time zones, so the days are rows that Python computes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.tables import to_micros

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2079, 12, 31)


@lru_cache(maxsize=8)
def day_starts(timezone: str) -> tuple[tuple[str, int], ...]:
    """(day, first instant of it in UTC microseconds) from 1990-01-01 to 2079-12-31, in order."""
    zone = ZoneInfo(timezone)
    days = (FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1))
    return tuple((day.isoformat(), to_micros(first_instant(day, zone))) for day in days)


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which a clock in the zone shows that day.

    Where clocks are put back over midnight, that is the first of the two midnights. Where midnight is skipped, it is
    the instant of the jump; a day that is skipped as a whole (Samoa, 2011-12-30) starts when the next one does.
    """
    midnight = datetime.combine(day, time.min)
    start = midnight.replace(tzinfo=zone).astimezone(UTC)
    if _clock(start, zone) == midnight:
        return start
    return _jump_over(midnight, zone, start)


def _jump_over(midnight: datetime, zone: ZoneInfo, not_before_jump: datetime) -> datetime:
    """The instant at which the zone's clock jumps past a midnight that it never shows, by bisection to the second."""
    before, after = not_before_jump - timedelta(days=2), not_before_jump
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if _clock(middle, zone) >= midnight else (middle, after)
    return after


def _clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in the zone shows at that moment."""
    return moment.astimezone(zone).replace(tzinfo=None)
