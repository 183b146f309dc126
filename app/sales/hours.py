"""Time at work, in SQL: how much of it lies before a moment, and when so much of it has passed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from app import tables
from app.db import least, micros
from app.tables import of_site


def time_at_work(moment: ColumnElement[Any]) -> ColumnElement[int]:
    """Microseconds at work from the first stretch that is known to a moment. Index: the key of `open_hours`."""
    hours = tables.open_hours.alias("hours_begun")
    starts_at, at = micros(hours.c.starts_at), micros(moment)
    in_stretch = least(at, micros(hours.c.ends_at)) - starts_at
    begun = select(hours.c.open_before + in_stretch).where(of_site(hours), starts_at <= at).order_by(starts_at.desc()).limit(1)
    return func.coalesce(begun.scalar_subquery(), 0)


def moment_of_work(worked: ColumnElement[int]) -> ColumnElement[Any]:
    """The moment at which so much time at work has passed; null: beyond the stretches that are known. At the end of a stretch it is
    that end, not the beginning of the next. Index: `ix_open_hours__open_before`."""
    hours = tables.open_hours.alias("hours_worked")
    moment = micros(hours.c.starts_at) + worked - hours.c.open_before
    within = case((moment <= micros(hours.c.ends_at), moment))
    reached = select(within).where(of_site(hours), hours.c.open_before < worked).order_by(hours.c.open_before.desc()).limit(1)
    return reached.scalar_subquery()
