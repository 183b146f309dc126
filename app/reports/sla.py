"""What marketing and sales have promised each other, month by month: qualified leads, first contacts in time, and what is broken now."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import CTE, BigInteger, ColumnElement, Select, and_, bindparam, case, cast, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids, tables
from app.db import greatest, micros
from app.errors import Unprocessable
from app.money import as_decimal_text
from app.reports.figures import as_csv, as_rfc3339
from app.reports.freshness import freshness
from app.reports.opportunity_list_queries import names_of_people
from app.reports.opportunity_rows import Reading, opportunity_rows, reading
from app.reports.parameters import Format
from app.sales.hours import time_at_work
from app.sites.days import FIRST_DAY, LAST_DAY, first_instant
from app.sites.site import Site
from app.tables import from_micros, of_site, to_micros

BREACHES_SHOWN = 200
_HOUR = 3_600_000_000
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")
COLUMNS = ("owner", "due", "kept", "broken", "waiting", "kept_share", "breaches_now")


class SlaFilters(BaseModel):
    """`GET /v1/reports/sla`."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="The site, where the key serves several.")
    month: str | None = Field(None, max_length=10, description="Month in the site's time zone, `2026-05`; absent: the one of now.")
    format: Format = "json"

    def first_days(self, today: date) -> tuple[date, date]:
        """The first day of the month, and of the next. Unprocessable for what is no month, or one beyond the known days."""
        month = self.month or f"{today:%Y-%m}"
        if not _MONTH.match(month) or not FIRST_DAY.year < int(month[:4]) < LAST_DAY.year:
            raise Unprocessable(f"month: {month[:20]!r} is no month such as 2026-05, from {FIRST_DAY.year + 1} to {LAST_DAY.year - 1}.")
        first = date.fromisoformat(f"{month}-01")
        return first, (first + timedelta(days=31)).replace(day=1)


# ---------------------------------------------------------------- statements


def _micros(name: str) -> ColumnElement[int]:
    return bindparam(name, type_=BigInteger)


def qualified_leads() -> Select[Any]:
    """One row: how many conversions of `:kind` count from `:starts_at` to `:ends_at`. Index: `ix_ledger_entries__counted`."""
    entry = tables.ledger_entries.c
    counted = (micros(entry.counted_at) >= _micros("starts_at"), micros(entry.counted_at) < _micros("ends_at"))
    return select(func.count()).where(of_site(tables.ledger_entries), entry.kind == bindparam("kind"), entry.counts == 1, *counted)


def _is_breach(row: Any) -> ColumnElement[bool]:
    """Overdue, not contacted and not closed: somebody can still do something about it. Who may not be contacted is none."""
    return and_(row.outcome == "missed", not_(row.is_closed), row.may_contact)


def promises_by_owner(read: Reading) -> Select[Any]:
    """A row an owner: of first contacts due from `:starts_at` to `:ends_at` how many were `kept`, `broken`, and are still `waiting`; and
    whatever is overdue now, of any month, `breaches`. Reads the site's `opportunities`."""
    rows = opportunity_rows(read)
    row = rows.c
    is_due = and_(row.due_at >= _micros("starts_at"), row.due_at < _micros("ends_at"))
    is_broken = or_(row.outcome == "missed", row.is_late)
    kinds = {
        "kept": and_(is_due, row.is_contacted, not_(row.is_late)),
        "broken": and_(is_due, is_broken),
        "waiting": and_(is_due, row.outcome == "uncontacted"),
        "breaches": _is_breach(row),
    }
    sums = [cast(func.sum(case((condition, 1), else_=0)), BigInteger).label(name) for name, condition in kinds.items()]
    counted = row.outcome.not_in(("disqualified", "unknown"))
    return select(row.owner, *sums).where(counted, row.may_contact, func.coalesce(is_due, False) | _is_breach(row)).group_by(row.owner)


def breaches(read: Reading) -> Select[Any]:
    """A row for each breach now, the one that is over longest first, at most `:limit`: with `over_at_work`, how long in hours at work.

    Reads the site's `opportunities`.
    """
    overdue = _overdue(read)
    row = overdue.c
    over = greatest(time_at_work(_micros("now")) - time_at_work(row.due_at), 0)
    return select(*row, over.label("over_at_work")).order_by(row.due_at, row.person_id, row.space, row.deal_id)


def _overdue(read: Reading) -> CTE:
    rows = opportunity_rows(read, tables.opportunities.c.contacted_at.is_(None), tables.opportunities.c.due_at.is_not(None))
    row = rows.c
    names = ("person_id", "space", "deal_id", "contact_id", "deal_name", "company_name", "owner", "stage", "started_at", "due_at", "url")
    in_order = (row.due_at, row.person_id, row.space, row.deal_id)
    shown = select(*(row[name] for name in (*names, "amount_minor", "currency"))).where(_is_breach(row))
    return shown.order_by(*in_order).limit(bindparam("limit")).cte("overdue")


# ---------------------------------------------------------------- the report


@dataclass
class Promises:
    """First contacts that were promised."""

    kept: int = 0
    broken: int = 0
    waiting: int = 0
    breaches: int = 0

    def add(self, row: Any) -> None:
        """Counts a row of `promises_by_owner`."""
        for name in ("kept", "broken", "waiting", "breaches"):
            setattr(self, name, getattr(self, name) + getattr(row, name))

    def as_dict(self) -> dict[str, Any]:
        """The share is of what was kept or broken; what still waits may be either."""
        over = self.kept + self.broken
        return {
            "due": over + self.waiting,
            "kept": self.kept,
            "broken": self.broken,
            "waiting": self.waiting,
            "kept_share": round(self.kept / over, 4) if over else None,
            "breaches_now": self.breaches,
        }


@dataclass(frozen=True)
class Month:
    """A month, and how much of it has gone."""

    first: date
    next_first: date
    starts_at: int
    ends_at: int
    now: int

    @property
    def bounds(self) -> dict[str, int]:
        """Parameters of the statements."""
        return {"starts_at": self.starts_at, "ends_at": self.ends_at}

    @property
    def gone(self) -> float:
        """From 0 to 1, by the time that has passed."""
        return min(max((self.now - self.starts_at) / (self.ends_at - self.starts_at), 0.0), 1.0)


def _month(site: Site, filters: SlaFilters, now: datetime) -> Month:
    zone = ZoneInfo(site.settings.timezone)
    first, next_first = filters.first_days(now.astimezone(zone).date())
    starts_at, ends_at = (to_micros(first_instant(day, zone)) for day in (first, next_first))
    return Month(first, next_first, starts_at, ends_at, to_micros(now))


async def sla(connection: AsyncConnection, site: Site, filters: SlaFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable for what is no month."""
    month, read = _month(site, filters, now), await reading(connection, site, now)
    settings = site.settings
    parameters = {**read.parameters, **month.bounds}
    count = int(await connection.scalar(qualified_leads(), {**parameters, "kind": settings.qualified_by}) or 0)
    owners: dict[str, Promises] = {}
    total = Promises()
    for row in await connection.execute(promises_by_owner(read), parameters):
        owners.setdefault(row.owner, Promises()).add(row)
        total.add(row)
    in_order = sorted(owners.items(), key=lambda item: (-item[1].breaches, -item[1].broken, item[0]))
    return {
        "month": f"{month.first:%Y-%m}",
        "from": month.first.isoformat(),
        "to": month.next_first.isoformat(),
        "timezone": settings.timezone,
        "settings_version": site.settings_version,
        "qualified_leads": _qualified(site, count, month),
        "first_contact": {
            "promised_hours": settings.first_contact_hours,
            "activities_are_reported": read.are_reported,
            **total.as_dict(),
        },
        "rows": [{"owner": owner, **promises.as_dict()} for owner, promises in in_order],
        "breaches": await _breaches(connection, read, parameters),
        **(await freshness(connection, site, now)).as_dict(),
    }


def _qualified(site: Site, count: int, month: Month) -> dict[str, Any]:
    """The target and how far it is; `projected`: where the month ends if it goes on like this; null before it has begun."""
    target, gone = site.settings.qualified_leads_a_month, month.gone
    projected = count / gone if gone else None
    return {
        "counted_as": site.settings.qualified_by,
        "target": target,
        "count": count,
        "share": None if target is None else round(count / target, 4),
        "month_gone": round(gone, 4),
        "expected_by_now": None if target is None else round(target * gone, 1),
        "projected": None if projected is None else round(projected, 1),
        "is_on_track": None if target is None or projected is None else projected >= target,
    }


async def _breaches(connection: AsyncConnection, read: Reading, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    rows = (await connection.execute(breaches(read), {**parameters, "limit": BREACHES_SHOWN})).all()
    names = await _names(connection, read, sorted({row.person_id for row in rows if row.person_id}))
    return [_breach(row, read.now, names.get(row.person_id)) for row in rows]


async def _names(connection: AsyncConnection, read: Reading, people: Sequence[str]) -> dict[str, str]:
    """How leads are shown: their name, else their e-mail."""
    found: dict[str, dict[str, str]] = {}
    if people:
        for row in await connection.execute(names_of_people(), {"site_id": read.site.site_id, "people": people}):
            for name, value in (("name", row.name), (row.kind, row.value)):
                if value:
                    found.setdefault(row.person_id, {}).setdefault(name, value)
    shown = {person: named.get("name") or named.get("email") or named.get("phone") for person, named in found.items()}
    return {person: name for person, name in shown.items() if name}


def _breach(row: Any, now: int, lead: str | None) -> dict[str, Any]:
    has_amount = row.amount_minor is not None and row.currency
    return {
        "deal_id": row.deal_id or None,
        "space": row.space or None,
        "person_id": ids.public(row.contact_id) if row.contact_id else None,
        "name": row.deal_name or row.company_name or lead,
        "owner": row.owner,
        "stage": row.stage,
        "started_at": as_rfc3339(from_micros(row.started_at)),
        "due_at": as_rfc3339(from_micros(row.due_at)),
        "over_hours": round((now - row.due_at) / _HOUR, 2),
        "over_hours_at_work": round(row.over_at_work / _HOUR, 2),
        "amount": as_decimal_text(row.amount_minor, row.currency) if has_amount else None,
        "currency": row.currency if has_amount else None,
        "url": row.url,
    }


def as_table(answer: dict[str, Any]) -> str:
    """The owners as CSV."""
    return as_csv(COLUMNS, ([row[column] for column in COLUMNS] for row in answer["rows"]))
