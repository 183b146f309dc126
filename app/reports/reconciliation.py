"""Our figures of a month beside the CRM's, and each deal that differs, with the reason. The differences add up."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Unprocessable
from app.money import as_decimal_text
from app.reports.figures import as_csv, as_rfc3339
from app.reports.freshness import freshness
from app.reports.parameters import Format
from app.reports.reconciliation_queries import asked_at, deals_of_month
from app.sites.connections import load_connections
from app.sites.days import first_instant
from app.sites.rules import GENERIC_SPACE
from app.sites.site import Site
from app.tables import to_micros

_MONTH = re.compile(r"(19[7-9]|[2-8][0-9]{2})[0-9]-(0[1-9]|1[0-2])\Z")
REASONS = (
    "not_received", "deleted", "excluded", "internal", "ignored_pipeline", "ignored_stage", "not_won_here", "other_connection_counts",
    "counted_in_another_month", "not_stated", "currency_unconverted", "amount_differs",
)  # fmt: skip
"""Why a deal differs: the first that holds."""
_IGNORED = {"pipeline": "ignored_pipeline", "stage": "ignored_stage", "excluded": "excluded", "internal": "internal", "deleted": "deleted"}
COLUMNS = ("deal_id", "name", "reason", "crm_amount", "crm_currency", "crm_closed_on", "our_amount", "our_currency", "counted_on")
"""What the deals have as CSV."""


def _month(text: str) -> str:
    if not _MONTH.match(text):
        raise ValueError("a month is YYYY-MM, such as 2026-03")
    return text


Month = Annotated[str, AfterValidator(_month)]


class ReconciliationFilters(BaseModel):
    """`GET /v1/reports/reconciliation`."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="The site, where the key serves several.")
    month: Month = Field(description="YYYY-MM, by the close date in the site's time zone.")
    connection: str | None = Field(None, max_length=64, description="Whose deals; the site's only connection, or `generic`, if not said.")
    format: Format = "json"


@dataclass(frozen=True)
class Side:
    """What one side counts of the month."""

    count: int
    minor: int
    others: Counter[str]
    """Minor units by any other currency than the site's."""

    def as_dict(self, currency: str) -> dict[str, Any]:
        """`count`, `sum` in the site's currency, and the sums of other currencies, which are in no total."""
        others = [{"currency": code, "sum": as_decimal_text(minor, code)} for code, minor in sorted(self.others.items())]
        return {"count": self.count, "sum": as_decimal_text(self.minor, currency), "other_currencies": others}


async def reconciliation(connection: AsyncConnection, site: Site, filters: ReconciliationFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if the connection is not one of the site's, or several could be meant."""
    space = await _space(connection, site, filters.connection)
    parameters = {"site_id": site.site_id, "space": space, "currency": site.settings.currency, **_bounds(site, filters.month)}
    stated_at = await connection.scalar(asked_at(), parameters)
    rows = (await connection.execute(deals_of_month(is_stated=stated_at is not None), parameters)).mappings().all()
    currency = site.settings.currency
    crm, ours = _crm(rows, currency), _our(rows, currency)
    differing = [(row, reason) for row in rows if (reason := _reason(row, site, space, filters.month))]
    reasons = Counter(reason for _, reason in differing)
    return {
        "month": filters.month,
        "connection": filters.connection,
        "space": space,
        "timezone": site.settings.timezone,
        "currency": currency,
        "settings_version": site.settings_version,
        "according_to": "messages" if stated_at is None else "statement",
        "stated_at": stated_at and as_rfc3339(stated_at),
        "crm": crm.as_dict(currency),
        "ours": ours.as_dict(currency),
        "difference": {"count": ours.count - crm.count, "sum": as_decimal_text(ours.minor - crm.minor, currency)},
        "reasons": {reason: reasons[reason] for reason in REASONS if reason in reasons},
        "deals": [_described(row, reason, currency) for row, reason in differing],
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The deals as CSV."""
    return as_csv(COLUMNS, (cells(deal) for deal in answer["deals"]))


def cells(deal: dict[str, Any]) -> list[object]:
    """A deal as a row of `COLUMNS`."""
    return [_cell(deal, column) for column in COLUMNS]


def _cell(deal: dict[str, Any], column: str) -> object:
    for side, prefix in (("crm", "crm_"), ("ours", "our_")):
        if column.startswith(prefix):
            value = (deal[side] or {}).get(column.removeprefix(prefix))
            return Decimal(value) if column.endswith("amount") and value is not None else value
    return (deal["ours"] or {}).get(column) if column == "counted_on" else deal[column]


async def _space(connection: AsyncConnection, site: Site, named: str | None) -> str:
    """The space that is meant."""
    spaces = {each.connection_id: each.space for each in await load_connections(connection, site.site_id)}
    if named is None and len(set(spaces.values())) <= 1:
        return next(iter(spaces.values()), GENERIC_SPACE)
    known = {**spaces, GENERIC_SPACE: GENERIC_SPACE}
    if named not in known:
        what = "say which" if named is None else f"there is no {named[:64]!r}"
        raise Unprocessable(f"connection: {what}; allowed: {', '.join(sorted(known))}.")
    return known[named]


def _bounds(site: Site, month: str) -> dict[str, Any]:
    """The parameters that name the month."""
    first = date.fromisoformat(f"{month}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    zone = ZoneInfo(site.settings.timezone)
    starts_at, ends_at = (to_micros(first_instant(day, zone)) for day in (first, following))
    days = {"first_day": first.isoformat(), "next_day": following.isoformat()}
    return {"month": month, **days, "starts_at": starts_at, "ends_at": ends_at}


# ---------------------------------------------------------------- what the sides count, and why a deal differs


def _crm(rows: Any, currency: str) -> Side:
    here = [row for row in rows if row["is_in_crm"]]
    others: Counter[str] = Counter()
    for row in here:
        if _crm_currency(row, currency) != currency:
            others[_crm_currency(row, currency)] += row["crm_minor"] or 0
    return Side(len(here), sum(row["crm_minor"] or 0 for row in here if _crm_currency(row, currency) == currency), others)


def _our(rows: Any, currency: str) -> Side:
    here = [row for row in rows if row["counts"] is not None]
    others: Counter[str] = Counter()
    for row in here:
        if _our_currency(row, currency) != currency:
            others[_our_currency(row, currency)] += row["our_minor"]
    own = sum(row["our_minor"] for row in here if _our_currency(row, currency) == currency)
    return Side(sum(row["counts"] for row in here), own, others)


def _crm_currency(row: RowMapping, currency: str) -> str:
    return row["crm_currency"] or currency


def _our_currency(row: RowMapping, currency: str) -> str:
    return row["currency"] or currency


def _reason(row: RowMapping, site: Site, space: str, month: str) -> str | None:
    """Why a deal differs; None: both sides have it, with the same amount, in the site's currency."""
    if row["counts"] is None:
        return _why_not_counted(row, site, space, month)
    if not row["is_in_crm"]:
        if not row["counts"]:
            # Only a later change of its money lies in the month: the deal itself is of another one.
            return "amount_differs"
        return "not_stated"
    if not row["counts"]:
        return "counted_in_another_month"
    currency = site.settings.currency
    if _our_currency(row, currency) != currency or _crm_currency(row, currency) != currency:
        return "currency_unconverted"
    return "amount_differs" if (row["crm_minor"] or 0) != row["our_minor"] else None


def _why_not_counted(row: RowMapping, site: Site, space: str, month: str) -> str:
    if not row["is_known"]:
        return "not_received"
    if row["ignored_because"]:
        return _IGNORED[row["ignored_because"]]
    if row["outcome"] != "won":
        return "not_won_here"
    if site.settings.customer_space not in {None, space}:
        return "other_connection_counts"
    # Won and counted, but not in this month: by another close date, or by the day of the win where we know no close date.
    return "counted_in_another_month" if (row["counted_on"] or "")[:7] != month else "amount_differs"


def _described(row: RowMapping, reason: str, currency: str) -> dict[str, Any]:
    crm, ours = None, None
    if row["is_in_crm"]:
        code = _crm_currency(row, currency)
        amount = None if row["crm_minor"] is None else as_decimal_text(row["crm_minor"], code)
        crm = {"amount": amount, "currency": code, "closed_on": row["crm_closed_on"]}
    if row["counts"] is not None:
        code = _our_currency(row, currency)
        ours = {"amount": as_decimal_text(row["our_minor"], code), "currency": code, "counted_on": row["counted_on"]}
    elif row["counted_on"]:
        ours = {"amount": None, "currency": None, "counted_on": row["counted_on"]}
    return {"deal_id": row["deal_id"], "name": row["name"], "url": row["url"], "reason": reason, "crm": crm, "ours": ours}
