"""When sales are at work, where weekends, holidays and clocks make it hard."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from app.sites.hours import WEEKDAYS, BusinessHours, Stretch, open_stretches
from app.sites.settings import SiteSettings
from app.tables import BEGINNING, END_OF_TIME, from_micros

OFFICE = BusinessHours(**{day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")})
NIGHT = BusinessHours(**{day: ["00:30-04:00"] for day in WEEKDAYS})


def between(first: str, last: str, zone: str, hours: BusinessHours | None, *holidays: str) -> list[str]:
    """The stretches that begin from one UTC time to another, in UTC: `26T08:00-16:00`."""
    stretches = open_stretches(zone, hours, holidays)
    inside = (each for each in stretches if first <= f"{from_micros(each.starts_at):%Y-%m-%dT%H:%M}" < last)
    return [f"{from_micros(each.starts_at):%dT%H:%M}-{from_micros(each.ends_at):%H:%M}" for each in inside]


@pytest.mark.parametrize(
    ("zone", "hours", "first", "last", "found", "why"),
    [
        ("UTC", OFFICE, "2026-03-05", "2026-03-10", ["05T09:00-17:00", "06T09:00-17:00", "09T09:00-17:00"], "a weekend"),
        ("Europe/Berlin", OFFICE, "2026-03-27", "2026-03-31", ["27T08:00-16:00", "30T07:00-15:00"], "summer time begins"),
        ("Europe/Berlin", OFFICE, "2026-10-23", "2026-10-27", ["23T07:00-15:00", "26T08:00-16:00"], "and ends"),
        ("America/New_York", OFFICE, "2026-03-06", "2026-03-10", ["06T14:00-22:00", "09T13:00-21:00"], "elsewhere on another day"),
        ("Europe/Berlin", NIGHT, "2026-03-28T12", "2026-03-29T12", ["28T23:30-02:00"], "half past two is skipped: an hour less"),
        ("Europe/Berlin", NIGHT, "2026-10-24T12", "2026-10-25T12", ["24T22:30-03:00"], "it comes twice: an hour more"),
        ("Asia/Kolkata", OFFICE, "2026-03-05", "2026-03-06", ["05T03:30-11:30"], "half an hour"),
        ("Pacific/Apia", OFFICE, "2011-12-29T12", "2011-12-31T12", ["29T19:00-03:00"], "Friday never was"),
    ],
)
def test_hours_are_by_the_clock_of_the_zone(zone: str, hours: BusinessHours, first: str, last: str, found: list[str], why: str) -> None:
    assert between(first, last, zone, hours) == found, why


def test_holidays_are_closed() -> None:
    assert between("2026-12-23", "2026-12-29", "UTC", OFFICE, "12-25", "2026-12-24") == ["23T09:00-17:00", "28T09:00-17:00"]
    assert between("2027-12-23", "2027-12-25", "UTC", OFFICE, "12-25", "2026-12-24") == ["23T09:00-17:00", "24T09:00-17:00"]


def test_without_hours_holidays_only() -> None:
    assert open_stretches("Europe/Berlin", None, ()) == (Stretch(BEGINNING, END_OF_TIME, 0),)
    first, second, *_ = open_stretches("Europe/Berlin", None, ("2026-05-01",))
    assert from_micros(first.ends_at) == datetime.fromisoformat("2026-04-30T22:00:00Z")
    assert from_micros(second.starts_at) == datetime.fromisoformat("2026-05-01T22:00:00Z")
    assert second.open_before == first.ends_at - first.starts_at


def test_stretches_that_touch_are_one() -> None:
    hours = BusinessHours(mon=["20:00-24:00", "10:00-12:00", "12:00-13:00"], tue=["00:00-01:00"])
    assert between("2026-03-02", "2026-03-09", "UTC", hours) == ["02T10:00-13:00", "02T20:00-01:00"]


def test_work_adds_up_in_order() -> None:
    stretches = open_stretches("Europe/Berlin", OFFICE, ("01-01",))
    worked = 0
    for before, after in pairwise(stretches):
        assert before.starts_at < before.ends_at < after.starts_at
        worked += before.ends_at - before.starts_at
        assert after.open_before == worked
    assert from_micros(stretches[-1].ends_at).year == 2059
    assert timedelta(microseconds=worked) > timedelta(hours=8 * 52 * 5 * 59)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"business_hours": {"mon": ["9-17"]}}, "such as 09:00-17:30"),
        ({"business_hours": {"mon": ["17:00-09:00"]}}, "such as 09:00-17:30"),
        ({"business_hours": {"mon": ["20:00-24:30"]}}, "ends at 24:00 at the latest"),
        ({"business_hours": {"mon": ["09:00-12:00", "11:00-13:00"]}}, "overlap"),
        ({"business_hours": {"monday": ["09:00-12:00"]}}, "Extra inputs"),
        ({"business_hours": {}}, "somebody must be at work"),
        ({"holidays": ["2026-02-30"]}, "neither a day such as"),
        ({"holidays": ["02-30"]}, "neither a day such as"),
        ({"holidays": ["2026-W01-1"]}, "neither a day such as"),
        ({"contact_counts": ["fax"]}, "'call'"),
        ({"first_contact_hours": 0}, "greater than 0"),
        ({"contact_before_days": -1}, "greater than or equal to 0"),
        ({"stale_after_days": 0}, "greater than or equal to 1"),
    ],
)
def test_what_no_setting_may_be(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        SiteSettings.model_validate(given)


def test_the_29th_of_february_may_be_a_holiday() -> None:
    assert SiteSettings(holidays=["02-29", "12-25", "12-25"]).holidays == ["02-29", "12-25"]
