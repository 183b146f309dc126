"""The doctor's report: every check, what it found, and which conversions that affects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.reports.doctor import campaigns, conversions, doors, pages, sources
from app.reports.doctor.findings import SEVERITIES, Check, Finding, NotEnoughData, Outcome, Reading
from app.reports.doctor.queries import arrivals_by_origin, facts_by_connection, views_of_hosts_and_pages
from app.reports.figures import Figures, as_csv, as_text
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MONEY_OF_KIND, Filters, Format, check_kind
from app.reports.sources import source_of
from app.reports.totals import totals
from app.sites.days import first_instant
from app.sites.site import Site
from app.tables import to_micros

_DAYS = 90
_MOST_ORIGINS = 20_000
"""Of which Python looks at the names: ingestion may run on the same event loop."""

CHECKS: tuple[Check, ...] = (*conversions.CHECKS, *sources.CHECKS, *campaigns.CHECKS, *pages.CHECKS, *doors.CHECKS)


class DoctorFilters(Filters):
    """`GET /v1/reports/doctor`."""

    format: Format = "json"

    def of_the_last_days(self, site: Site, now: datetime) -> Self:
        """With the interval that is meant where none is said: the last 90 days, today included."""
        today = now.astimezone(ZoneInfo(site.settings.timezone)).date()
        to_day = self.to_day or max(today, self.from_day or today) + timedelta(days=1)
        return self.model_copy(update={"to_day": to_day, "from_day": self.from_day or to_day - timedelta(days=_DAYS)})


async def doctor(connection: AsyncConnection, site: Site, filters: DoctorFilters, now: datetime) -> dict[str, Any]:
    """The report. `findings` by money, then by conversions; `checked` every check, in a fixed order. Unprocessable as every report."""
    filters = filters.of_the_last_days(site, now)
    await check_kind(connection, site, filters.conversion)
    reading = await _reading(connection, site, filters, now)
    outcomes = [(check, await check.look(reading)) for check in CHECKS]
    found = sorted(((check, each) for check, each in outcomes if isinstance(each, Finding)), key=_weight)
    return {
        **heading(site, filters),
        "totals": {name: reading.totals[name] for name in ("conversions", reading.money) if name},
        "findings": [_described(reading, check, each) for check, each in found],
        "checked": [{"code": check.code, "looks_for": check.looks_for, **_state(each)} for check, each in outcomes],
        **(await freshness(connection, site, now)).as_dict(),
    }


async def _reading(connection: AsyncConnection, site: Site, filters: DoctorFilters, now: datetime) -> Reading:
    """What several checks look at, read once."""
    question, zone = filters.question(site), ZoneInfo(site.settings.timezone)
    money = MONEY_OF_KIND.get(filters.conversion)
    values = {**question.parameters, "now": to_micros(now)}
    ledger = (await source_of(connection, site, question, ("channel",))).ledger
    viewed = (await connection.execute(views_of_hosts_and_pages(), {**values, **pages.REGULAR})).mappings().all()
    today: date = now.astimezone(zone).date()
    return Reading(
        connection,
        site,
        question,
        money,
        to_micros(now),
        today,
        to_micros(first_instant(today + timedelta(days=1), zone)),
        arrivals=(await connection.execute(arrivals_by_origin(), {**values, "most_origins": _MOST_ORIGINS})).mappings().all(),
        hosts=[row for row in viewed if row["path"] is None],
        regular_pages=[row for row in viewed if row["path"] is not None],
        connections_heard=(await connection.execute(facts_by_connection(), values)).mappings().all(),
        totals=totals(ledger, money, site.settings.currency),
    )


def _weight(found: tuple[Check, Finding]) -> tuple[int, int, int, str]:
    check, finding = found
    figures = finding.affected.figures if finding.affected else Figures()
    return -abs(figures.minor), -figures.millionths, SEVERITIES.index(finding.severity), check.code


def _described(reading: Reading, check: Check, finding: Finding) -> dict[str, Any]:
    affected = finding.affected
    return {
        "code": check.code,
        "severity": finding.severity,
        "seen": finding.seen,
        "affected": affected and affected.figures.as_dict(reading.money, reading.site.settings.currency),
        "such_as": [ids.public(*key) for key in affected.such_as] if affected else [],
        "examples": [dict(each) for each in finding.examples],
        "change": finding.change.as_dict(reading.site),
    }


def _state(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, NotEnoughData):
        return {"state": "not_enough_data", "why": outcome.why}
    return {"state": "ok" if outcome is None else "found", "why": None}


# ---------------------------------------------------------------- as a table


def as_table(answer: dict[str, Any]) -> str:
    """The findings as CSV, then what was checked without one."""
    money = MONEY_OF_KIND.get(answer["conversion"])
    header = ["code", "state", "severity", "seen", "conversions", *([money, "currency"] if money else []), "examples", "advice", "command"]
    return as_csv(header, _cells(answer, money))


def _cells(answer: dict[str, Any], money: str | None) -> Iterator[list[object]]:
    for finding in answer["findings"]:
        affected, change = finding["affected"], finding["change"]
        amount: list[object] = [affected and Decimal(affected[money]), affected and answer["currency"]] if money else []
        number = affected and Decimal(as_text(round(affected["conversions"] * 1_000_000)))
        texts = ["; ".join(map(in_words, finding["examples"])), change["advice"], change["command"]]
        yield [finding["code"], "found", finding["severity"], finding["seen"], number, *amount, *texts]
    for each in answer["checked"]:
        if each["state"] != "found":
            yield [each["code"], each["state"], None, each["why"] or each["looks_for"], *[None] * (6 if money else 4)]


def in_words(example: dict[str, Any]) -> str:
    """An example on one line: its values with their names, but for the first, where that is a name itself."""
    named = [(name, _text(value)) for name, value in example.items() if value not in (None, "", [])]
    is_title = bool(named) and not named[0][1].isdigit()
    return ", ".join(value if at == 0 and is_title else f"{name.replace('_', ' ')} {value}" for at, (name, value) in enumerate(named))


def _text(value: Any) -> str:
    return " / ".join(map(str, value)) if isinstance(value, list) else str(value)


