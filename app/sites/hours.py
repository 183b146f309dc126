"""When a site's sales are at work: hours of its weekdays and its holidays, as stretches of time that rows can hold.

How long somebody waits is counted within them. SQLite knows no time zones, so Python computes the stretches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.tables import BEGINNING, END_OF_TIME, to_micros

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2059, 12, 31)
"""Stretches are known from the first of these days to the last."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_STRETCH = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])\Z")
_DAY = re.compile(r"([0-9]{4}-)?[0-9]{2}-[0-9]{2}\Z")
_LEAP_YEAR = "2000-"


# ---------------------------------------------------------------- values


def _hours(text: str) -> str:
    found = _STRETCH.match(text)
    if not found or found[3] + found[4] > "2400" or found[1] + found[2] >= found[3] + found[4]:
        raise ValueError(f"{text[:40]!r} is not a stretch of a day such as 09:00-17:30; a day ends at 24:00 at the latest")
    return text


def _in_order(stretches: list[str]) -> list[str]:
    ordered = sorted(stretches)
    for before, after in pairwise(ordered):
        if after[:5] < before[6:]:
            raise ValueError(f"{before} and {after} overlap")
    return ordered


def _holiday(text: str) -> str:
    if not _DAY.match(text) or not _is_day(text if len(text) > len("MM-DD") else _LEAP_YEAR + text):
        raise ValueError(f"{text[:40]!r} is neither a day such as 2026-04-06 nor one of every year such as 12-25")
    return text


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _once_each(days: list[str]) -> list[str]:
    return sorted(set(days))


Stretches = Annotated[list[Annotated[str, AfterValidator(_hours)]], Field(max_length=4), AfterValidator(_in_order)]
Holidays = Annotated[list[Annotated[str, AfterValidator(_holiday)]], Field(max_length=2_000), AfterValidator(_once_each)]


class BusinessHours(BaseModel):
    """Hours of each weekday in the site's time zone: `["09:00-12:00", "13:00-17:30"]`; a day without any is closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mon: Stretches = []
    tue: Stretches = []
    wed: Stretches = []
    thu: Stretches = []
    fri: Stretches = []
    sat: Stretches = []
    sun: Stretches = []

    @model_validator(mode="after")
    def _is_ever_open(self) -> Self:
        if not any(self.of(weekday) for weekday in range(7)):
            raise ValueError('somebody must be at work at some hour of the week: {"mon": ["09:00-17:00"], …}; null: always')
        return self

    def of(self, weekday: int) -> Sequence[str]:
        """The hours of a weekday, 0 being Monday, in order."""
        hours: Sequence[str] = getattr(self, WEEKDAYS[weekday])
        return hours


# ---------------------------------------------------------------- stretches of time


class Stretch(NamedTuple):
    """One stretch at work, half-open, in UTC microseconds, and how much work lies in all the stretches before it."""

    starts_at: int
    ends_at: int
    open_before: int


def open_stretches(timezone: str, hours: BusinessHours | None, holidays: Sequence[str]) -> tuple[Stretch, ...]:
    """The stretches at work, in order; those that touch are one. Without hours and holidays a single one: always."""
    if hours is None and not holidays:
        return (Stretch(BEGINNING, END_OF_TIME, 0),)
    zone, closed = ZoneInfo(timezone), frozenset(holidays)
    days = (FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1))
    open_days = (day for day in days if day.isoformat() not in closed and day.isoformat()[5:] not in closed)
    return tuple(_counted(_joined(_of_days(open_days, hours, zone))))


def _of_days(days: Iterable[date], hours: BusinessHours | None, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """The stretches of each day by the clock of the zone. What the clock skips is not worked, what it shows twice is worked twice."""
    for day in days:
        for text in ("00:00-24:00",) if hours is None else hours.of(day.weekday()):
            starts_at, ends_at = _instant(day, text[:5], zone, fold=0), _instant(day, text[6:], zone, fold=1)
            if starts_at < ends_at:
                yield starts_at, ends_at


def _instant(day: date, clock: str, zone: ZoneInfo, *, fold: int) -> int:
    """When a clock in the zone shows that time of the day: the first time (`fold` 0) or the last (1) where it does so twice."""
    midnight = datetime.combine(day, time.min)
    shown = midnight + timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))
    return to_micros(shown.replace(tzinfo=zone, fold=fold).astimezone(UTC))


def _joined(stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same time in stretches that neither touch nor overlap."""
    open_from, open_to = 0, 0
    for starts_at, ends_at in sorted(stretches):
        if open_to and starts_at <= open_to:
            open_to = max(open_to, ends_at)
            continue
        if open_to:
            yield open_from, open_to
        open_from, open_to = starts_at, ends_at
    if open_to:
        yield open_from, open_to


def _counted(stretches: Iterable[tuple[int, int]]) -> Iterator[Stretch]:
    open_before = 0
    for starts_at, ends_at in stretches:
        yield Stretch(starts_at, ends_at, open_before)
        open_before += ends_at - starts_at
