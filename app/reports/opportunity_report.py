"""What became of the deals and leads that need contact: counts, shares and response times by channel, owner, …; what slowness cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import Field
from sqlalchemy import CTE, BigInteger, ColumnElement, Row, Select, and_, bindparam, case, cast, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.joins import bytewise
from app.attribution.question import DIMENSIONS
from app.errors import Unprocessable
from app.money import as_decimal_text, split
from app.reports.figures import as_csv
from app.reports.freshness import freshness
from app.reports.opportunity_list_queries import leads_by_outcome
from app.reports.opportunity_rows import OWN, Reading, opportunity_rows, reading, told_of
from app.reports.parameters import Format, Sliced, SlicedGrouping
from app.reports.quantiles import quantiles, quantiles_by
from app.sales.outcomes import NEED_CONTACT, OUTCOMES
from app.sites.properties import Condition, Property, properties_of_site
from app.sites.site import Site
from app.tables import of_site

LEAST_CLOSED = 10
"""With fewer closed deals that were contacted in time, or fewer that were not, nothing can be said of what slowness costs."""
_HOUR = 3_600_000_000

FORMULA = (
    "of deals: amount × (win rate in time − win rate slow); of leads without a deal: average won deal × share of leads that become "
    "customers × (1 − win rate slow ÷ win rate in time); never below zero. Slow is contacted late, or missed; a deal without an amount "
    "counts as the average won deal. Win rates are of the closed deals asked about"
)
CAVEAT = (
    "Slow and quick ones may differ in more than in speed: sales may leave those for later of which it expects little. Only an experiment "
    "can tell; take the sum as the most that speed could bring."
)


class OpportunityReportFilters(Sliced):
    """`GET /v1/reports/opportunities`: those that began in the interval."""

    by: SlicedGrouping = Field(
        "channel",
        description=f"Any of {', '.join(DIMENSIONS)} (of the first touch in reach), owner, reason, and properties as in `filter`, several "
        "with commas.",
    )
    format: Format = "json"

    def grouping(self, site: Site) -> tuple[tuple[str, ...], dict[str, Property]]:
        """(names, the site's properties by name). Unprocessable, naming what is allowed, for another name."""
        known = properties_of_site(site.settings.properties)
        names = tuple(self.by.split(","))
        allowed = list(dict.fromkeys([*DIMENSIONS, *OWN, *known]))
        if unknown := [name for name in names if name not in allowed]:
            raise Unprocessable(f"by: unknown grouping {unknown[0][:40]!r}; allowed, several with commas: {', '.join(allowed)}.")
        return names, known


# ---------------------------------------------------------------- statements


def _grouped(
    read: Reading, names: Sequence[str], known: dict[str, Property], conditions: Sequence[Condition], bounds: Mapping[str, int]
) -> CTE:
    """A row for each deal and lead asked about, with what it is grouped by. Reads what `opportunity_rows` and `columns_of` read."""
    started_at = tables.opportunities.c.started_at
    within = [started_at >= bindparam("starts_at", type_=tables.Moment)] if "starts_at" in bounds else []
    within += [started_at < bindparam("ends_at", type_=tables.Moment)] if "ends_at" in bounds else []
    rows = opportunity_rows(read, *within)
    joined, columns, held = told_of(read, rows, names, known, conditions)
    row = rows.c
    is_slow = or_(row.is_late, row.outcome == "missed")
    return (
        select(
            *(column.label(f"by_{name}") for name, column in columns.items()), row.outcome, row.waited, row.is_contacted, row.is_closed,
            row.is_deal, (row.contacted_at >= row.started_at).label("is_answered"),
            row.may_contact, row.currency, row.amount_minor, is_slow.label("is_slow"), row.is_late,
        )
        .select_from(joined)
        .where(*held)
        .cte("grouped")
    )  # fmt: skip


def counts_by(grouped: CTE, names: Sequence[str]) -> Select[Any]:
    """A row a group, outcome, whether it was slow, late, closed and a deal, and currency: how many, and their amounts."""
    row = grouped.c
    is_in_time = and_(row.is_contacted, not_(row.is_late))
    currency = func.coalesce(row.currency, "").label("currency")
    keys = [*(row[f"by_{name}"] for name in names), row.outcome, row.is_slow, row.is_late, row.is_closed, row.is_deal, currency]

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return cast(func.sum(case((condition, 1), else_=0)), BigInteger)

    return select(
        *keys,
        func.count().label("number"),
        cast(func.coalesce(func.sum(row.amount_minor), 0), BigInteger).label("minor"),
        number(row.amount_minor > 0).label("with_amount"),
        number(is_in_time).label("in_time"),
        number(not_(row.may_contact)).label("refused"),
    ).group_by(*keys)


def waits(grouped: CTE) -> CTE:
    """A row for each one that was first contacted after it began: how long it had waited, in microseconds at work."""
    row = grouped.c
    return select(*row).where(row.is_contacted, row.is_answered, row.outcome.in_(NEED_CONTACT)).cte("waits")


def leads_and_customers() -> Select[Any]:
    """One row: how many people were leads, and how many of them became customers. Index: as of `leads_by_outcome`."""
    return select(leads_by_outcome())


def ignored_deals() -> Select[Any]:
    """A row a reason why deals count not, and how many. Reads the site's `deals`."""
    deal = tables.deals.c
    return (
        select(deal.ignored_because, func.count().label("number"))
        .where(of_site(tables.deals), deal.ignored_because.is_not(None))
        .group_by(deal.ignored_because)
        .order_by(bytewise(deal.ignored_because))
    )


# ---------------------------------------------------------------- the report


@dataclass
class Group:
    """What is counted of one group."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    minor: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    """Amounts by outcome, in the site's currency."""
    unconverted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Amounts by other currencies."""
    late: int = 0
    in_time: int = 0
    refused: int = 0
    slow_deals: int = 0
    slow_minor: int = 0
    slow_without_amount: int = 0
    slow_leads: int = 0
    closed: dict[tuple[bool, bool], int] = field(default_factory=lambda: defaultdict(int))
    """Closed deals by (slow, won)."""
    won_with_amount: int = 0

    def add(self, row: Any, currency: str) -> None:
        """Counts a row of `counts_by`."""
        outcome, number = row.outcome, row.number
        self.counts[outcome] += number
        if row.currency == currency:
            self.minor[outcome] += row.minor
        elif row.currency and row.minor:
            self.unconverted[row.currency] += row.minor
        self.refused += row.refused
        if outcome not in NEED_CONTACT:
            return
        self.late += number if row.is_late else 0
        self.in_time += row.in_time
        if row.is_slow and not row.is_deal:
            self.slow_leads += number
        elif row.is_slow:
            has_amount = row.with_amount if row.currency == currency else 0
            self.slow_deals += number
            self.slow_minor += row.minor if row.currency == currency else 0
            self.slow_without_amount += number - has_amount
        if outcome == "won" and row.currency == currency:
            self.won_with_amount += row.with_amount
        if row.is_deal and row.is_closed:
            self.closed[bool(row.is_slow), outcome == "won"] += number

    @property
    def need_contact(self) -> int:
        """How many the shares are of."""
        return sum(self.counts[name] for name in NEED_CONTACT)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


@dataclass(frozen=True)
class Slowness:
    """What slow follow-up cost, by the win rates of all closed deals asked about. Money in minor units of the site's currency."""

    closed_in_time: int
    won_in_time: int
    closed_slow: int
    won_slow: int
    average_won: int | None
    leads: int
    customers: int
    """How many people ever were leads, and became customers."""

    @property
    def declined(self) -> str | None:
        """Why nothing can be said; None where something can."""
        if min(self.closed_in_time, self.closed_slow) < LEAST_CLOSED:
            return (
                f"At least {LEAST_CLOSED} closed deals that were contacted in time, and as many that were not, are needed; there are "
                f"{self.closed_in_time} and {self.closed_slow}."
            )
        return None

    def at_stake(self, group: Group) -> tuple[int, int]:
        """What a group's slow deals, and its slow leads, might have brought."""
        deals = max(0, group.slow_minor + group.slow_without_amount * (self.average_won or 0))
        return deals, group.slow_leads * (self.average_won or 0) * self.customers // max(self.leads, 1)

    def lost(self, group: Group) -> Fraction:
        """What of that was lost."""
        if self.declined or not self.won_in_time:
            return Fraction(0)
        in_time, slow = Fraction(self.won_in_time, self.closed_in_time), Fraction(self.won_slow, self.closed_slow)
        deals, leads = self.at_stake(group)
        return max(Fraction(0), deals * (in_time - slow) + leads * (1 - slow / in_time))

    def as_dict(self, currency: str) -> dict[str, Any]:
        """What the answer says of it."""
        return {
            "closed_in_time": self.closed_in_time,
            "win_rate_in_time": _share(self.won_in_time, self.closed_in_time),
            "closed_slow": self.closed_slow,
            "win_rate_slow": _share(self.won_slow, self.closed_slow),
            "leads_that_become_customers": _share(self.customers, self.leads),
            "average_won_deal": None if self.average_won is None else as_decimal_text(self.average_won, currency),
            "declined": self.declined,
            "formula": FORMULA,
            "caveat": CAVEAT,
        }


def _slowness(total: Group, leads: int, customers: int) -> Slowness:
    closed = total.closed
    average = total.minor["won"] // total.won_with_amount if total.won_with_amount else None
    in_time, slow = ([closed[is_slow, False], closed[is_slow, True]] for is_slow in (False, True))
    return Slowness(sum(in_time), in_time[1], sum(slow), slow[1], average, leads, customers)


async def opportunity_report(connection: AsyncConnection, site: Site, filters: OpportunityReportFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable for an unknown grouping or filter, or an empty interval."""
    names, known = filters.grouping(site)
    conditions = filters.conditions(site)
    edges = zip(("starts_at", "ends_at"), filters.bounds(site.settings.timezone), strict=True)
    bounds = {name: moment for name, moment in edges if moment is not None}
    read = await reading(connection, site, now)
    parameters = {**read.parameters, **bounds}
    grouped, currency = _grouped(read, names, known, conditions, bounds), site.settings.currency
    groups, total = await _groups(connection, counts_by(grouped, names), parameters, len(names), currency)
    by = [f"by_{name}" for name in names]
    responses = {
        tuple(row[: len(names)]): row for row in await connection.execute(quantiles_by(waits(grouped), by, "waited"), parameters)
    }
    of_all = (await connection.execute(quantiles_by(waits(grouped), (), "waited"), parameters)).one_or_none()
    slowness = _slowness(total, *(await connection.execute(leads_and_customers(), parameters)).one())
    losses = _losses(slowness, groups)
    return {
        "by": filters.by,
        **filters.sliced_by,
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "currency": currency,
        "settings_version": site.settings_version,
        "activities_are_reported": read.are_reported,
        "first_contact_hours": site.settings.first_contact_hours,
        "rows": [
            dict(zip(names, key, strict=True)) | _figures(group, responses.get(key), slowness, losses[key], currency)
            for key, group in groups.items()
        ],
        "totals": _figures(total, of_all, slowness, sum(losses.values()), currency)
        | {"unconverted": {code: as_decimal_text(minor, code) for code, minor in sorted(total.unconverted.items())}},
        "slow_follow_up": slowness.as_dict(currency),
        "ignored_deals": {row.ignored_because: row.number for row in await connection.execute(ignored_deals(), read.parameters)},
        **(await freshness(connection, site, now)).as_dict(),
    }


async def _groups(
    connection: AsyncConnection, statement: Select[Any], parameters: Mapping[str, Any], width: int, currency: str
) -> tuple[dict[tuple[str, ...], Group], Group]:
    """The groups by what they are grouped by, the one with most that need contact first, and all of them together."""
    groups: dict[tuple[str, ...], Group] = defaultdict(Group)
    total = Group()
    for row in await connection.execute(statement, parameters):
        groups[tuple(row[:width])].add(row, currency)
        total.add(row, currency)
    return dict(sorted(groups.items(), key=lambda item: (-item[1].need_contact, item[0]))), total


def _losses(slowness: Slowness, groups: Mapping[tuple[str, ...], Group]) -> dict[tuple[str, ...], int]:
    """What slowness cost each group, in minor units; the parts add up to the whole."""
    lost = [slowness.lost(group) for group in groups.values()]
    return dict(zip(groups, split(int(sum(lost)), lost), strict=True))


def _figures(group: Group, response: Row[Any] | None, slowness: Slowness, lost: int, currency: str) -> dict[str, Any]:
    """A row, or the totals."""
    needed, missed = group.need_contact, group.counts["missed"]
    return {
        **group.counts,
        "need_contact": needed,
        "missed_share": _share(missed, needed),
        "lost_share": _share(group.counts["lost"], needed),
        "late": group.late,
        "may_not_be_contacted": group.refused,
        "amounts": {name: as_decimal_text(minor, currency) for name, minor in group.minor.items()},
        "response": _response(group, response),
        "slow_follow_up": {
            "deals": group.slow_deals,
            "leads": group.slow_leads,
            "at_stake": as_decimal_text(sum(slowness.at_stake(group)), currency),
            "lost": None if slowness.declined else as_decimal_text(lost, currency),
        },
    }


def _response(group: Group, row: Row[Any] | None) -> dict[str, Any]:
    """How quick the first contact was, in hours at work, of those first contacted after they began (`contacted`). `in_time` are also those
    contacted before; its share is of all whose promise was kept or broken."""
    found = None if row is None else quantiles(row)
    return {
        "contacted": found.count if found else 0,
        "median_hours": None if found is None else round(found.median / _HOUR, 2),
        "ninetieth_hours": None if found is None else round(found.ninetieth / _HOUR, 2),
        "in_time": group.in_time,
        "in_time_share": _share(group.in_time, group.in_time + group.late + group.counts["missed"]),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV; their counts and amounts add up to the totals."""
    names = answer["by"].split(",")
    header = [
        *names, *OUTCOMES, "need_contact", "missed_share", "lost_share", "late", "may_not_be_contacted",
        *(f"{name}_amount" for name in OUTCOMES), "median_hours", "ninetieth_hours", "in_time_share", "slow_deals", "slow_leads",
        "at_stake", "lost_to_slowness", "currency",
    ]  # fmt: skip
    return as_csv(header, (_cells(row, names, answer["currency"]) for row in answer["rows"]))


def _cells(row: dict[str, Any], names: Iterable[str], currency: str) -> list[object]:
    response, slow = row["response"], row["slow_follow_up"]
    counted = ("need_contact", "missed_share", "lost_share", "late", "may_not_be_contacted")
    return [
        *(row[name] for name in (*names, *OUTCOMES, *counted)),
        *(Decimal(row["amounts"][name]) for name in OUTCOMES),
        *(response[name] for name in ("median_hours", "ninetieth_hours", "in_time_share")),
        slow["deals"],
        slow["leads"],
        Decimal(slow["at_stake"]),
        None if slow["lost"] is None else Decimal(slow["lost"]),
        currency,
    ]
