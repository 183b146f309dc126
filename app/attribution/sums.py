"""Ready-made sums: which questions they answer, and how they are read.

The stages `sums` and `months` keep the credit of each day and month by origin, under each rule model, for the question
that a site asks by default: its own look-back and half-life, no channel left out. Any other is answered from journeys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, func, or_, select, union, union_all

from app import tables
from app.attribution.credit import by_dimensions
from app.attribution.ledger import LEDGER, sums_of
from app.attribution.question import Question
from app.journeys.conversions import DEAL_KINDS
from app.sites.days import FIRST_DAY, LAST_DAY, first_instant
from app.sites.site import Site
from app.tables import from_micros, of_site, to_micros

ORIGIN_DIMENSIONS = frozenset({"channel", "source", "medium", "campaign", "term", "content", "referrer"})
"""What an origin has a label for."""
_DAY_SECONDS = 86_400
_BEFORE_ALL, _AFTER_ALL = "", "9999"
_first_month, _end_month = (bindparam(name, type_=tables.Key) for name in ("first_month", "end_month"))


def question_of_sums(site: Site, kind: str, starts_at: int | None = None, ends_at: int | None = None) -> Question:
    """What the site asks about a kind of conversion by default."""
    return Question(
        site_id=site.site_id,
        kind=kind,
        currency=site.settings.currency,
        lookback_seconds=site.settings.lookback_days.of(kind) * _DAY_SECONDS,
        half_life_seconds=max(1, round(site.settings.half_life_days * _DAY_SECONDS)),
        has_money=kind in DEAL_KINDS,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def has_sums(site: Site, question: Question, by: Sequence[str]) -> bool:
    """Whether the sums, where they are settled, answer a question: the default one, whole local days, by labels of origins."""
    default = question_of_sums(site, question.kind, question.starts_at, question.ends_at)
    is_default = question == replace(default, own_models=question.own_models)
    return is_default and ORIGIN_DIMENSIONS.issuperset(by) and days_of(question, site.settings.timezone) is not None


def days_of(question: Question, timezone: str) -> dict[str, str] | None:
    """The values of `:from_day` and `:to_day` (first day not counted), and of `:first_month` and `:end_month` (first month
    not counted as a whole). None where the interval's ends are not the first instants of days that the site has."""
    from_day = _BEFORE_ALL if question.starts_at is None else _day_begun(question.starts_at, timezone)
    to_day = _AFTER_ALL if question.ends_at is None else _day_begun(question.ends_at, timezone)
    if from_day is None or to_day is None:
        return None
    # A month that has begun before the first day is not counted as a whole; `~` sorts after every day of it.
    first_month = from_day[:7] if from_day[8:] in ("", "01") else from_day[:7] + "~"
    return {"from_day": from_day, "to_day": to_day, "first_month": first_month, "end_month": to_day[:7]}


def _day_begun(moment: int, timezone: str) -> str | None:
    zone = ZoneInfo(timezone)
    day = from_micros(moment).astimezone(zone).date()
    is_known = FIRST_DAY <= day <= LAST_DAY and to_micros(first_instant(day, zone).astimezone(UTC)) == moment
    return day.isoformat() if is_known else None


def month_of(day: ColumnElement[str]) -> ColumnElement[str]:
    """The month of a day, YYYY-MM."""
    return func.substr(day, 1, 7, type_=tables.Key)


# ---------------------------------------------------------------- statements


def unsettled() -> Select[Any]:
    """One row: whether a rebuild is under way, a day that is asked about is still to be summed, or one could not be. Then
    journeys answer: a report says what stands, not what stood a moment ago.

    What changes a conversion or a journey queues its day in the same transaction. Index: `ix_sums_queue__site`.
    """
    rebuild, failed, queue = tables.rebuilds, tables.failed_keys, tables.sums_queue
    rebuilds = select(rebuild.c.site_id).where(of_site(rebuild))
    failures = select(failed.c.site_id).where(of_site(failed), failed.c.stage.in_(("sums", "months")))
    queued = select(queue.c.site_id).where(*_is_asked(queue.c))
    return select(or_(*(found.exists() for found in (rebuilds, failures, queued))))


def ledger_from_sums() -> Select[Any]:
    """A row a reason, currency and set of `models` that were summed: as `ledger_by_reason`. Index: the key of `daily_ledger`."""
    daily = tables.daily_ledger
    keys = [daily.c.reason, daily.c.currency, daily.c.is_convertible, daily.c.models]
    shown = [func.nullif(daily.c.reason, "").label("reason"), daily.c.currency, daily.c.is_convertible, daily.c.models]
    return select(*shown, *sums_of(daily, LEDGER)).where(*_is_asked(daily.c)).group_by(*keys)


def credit_by_from_sums(question: Question, by: Sequence[str]) -> Select[Any]:
    """A row a distinct tuple of the dimensions `by`, under `:model`: as `credit_by`.

    Index: the keys of `daily_ledger`, `daily_credit` and `monthly_credit`.
    """
    months, days = _whole_months(), _other_days()
    daily, monthly = tables.daily_credit, tables.monthly_credit
    of_month, of_day = _of_model(monthly, monthly.c.month == months.c.month), _of_model(daily, daily.c.day == days.c.day)
    parts = union_all(
        select(monthly.c.origin_id, monthly.c.millionths, monthly.c.minor).join_from(months, monthly, of_month),
        select(daily.c.origin_id, daily.c.millionths, daily.c.minor).join_from(days, daily, of_day),
    ).cte("parts")
    return by_dimensions(question, select(parts.c.origin_id, *sums_of(parts)).group_by(parts.c.origin_id).cte("credit_of_origins"), by)


def _whole_months() -> CTE:
    """A row a month that lies in the interval as a whole and is summed already: a day's sums are stored ahead of its month's."""
    day, waiting = tables.daily_ledger.c.day, tables.months_queue
    queued = select(waiting.c.month).where(of_site(waiting), waiting.c.kind == bindparam("kind"))
    is_whole = (month_of(day) >= _first_month, month_of(day) < _end_month, month_of(day).not_in(queued))
    return select(month_of(day).label("month")).where(*_is_asked(tables.daily_ledger.c), *is_whole).distinct().cte("whole_months")


def _other_days() -> CTE:
    """A row a day of the interval on which something counts and that no whole month holds.

    Each part says itself how few its days are: of all days but those of a list of months PostgreSQL expects most, and reads a year's.
    """
    daily, waiting = tables.daily_ledger, tables.months_queue
    asked = select(daily.c.day).where(*_is_asked(daily.c))
    is_waiting = and_(of_site(waiting), waiting.c.kind == bindparam("kind"), waiting.c.month == month_of(daily.c.day))
    before, after = asked.where(daily.c.day < _first_month), asked.where(daily.c.day >= _end_month)
    return union(before, after, asked.join_from(daily, waiting, is_waiting)).cte("other_days")


def _of_model(table: Any, is_of_part: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(of_site(table), table.c.kind == bindparam("kind"), is_of_part, table.c.model == bindparam("model"))


def _is_asked(daily: Any) -> tuple[ColumnElement[bool], ...]:
    from_day, to_day = bindparam("from_day", type_=tables.Key), bindparam("to_day", type_=tables.Key)
    return (daily.site_id == bindparam("site_id"), daily.kind == bindparam("kind"), daily.day >= from_day, daily.day < to_day)
