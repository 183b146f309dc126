"""Who brought the deals: marketing, sales or partners, by the channel of the first touch in reach. A closed ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.journeys import first_labels, grouped, journeys, summed, with_first_touch
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import Question
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MONEY_OF_KIND, Format, JourneyFilters, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures, group_of, totals
from app.sites.site import Site

MARKETING, SALES, PARTNERS, NONE = "marketing", "sales", "partners", "none"
SOURCED_BY = (MARKETING, SALES, PARTNERS, NONE)
"""`none`: no touch is in reach, so nobody can say who brought it; `totals.uncredited` has the reasons."""
_OF_CHANNEL = {"Outbound Sales": SALES, "Partners": PARTNERS, None: NONE}
"""Every other channel is marketing's, Direct too: somebody knew the name."""


class SourcedFilters(JourneyFilters):
    """`GET /v1/reports/sourced`."""

    format: Format = "json"


def conversions_by_first_channel(question: Question) -> Select[Any]:
    """A row a channel of the first touch in reach (null: none is in reach) and group: `millionths` and `minor`. Reads what `journeys`
    reads, and by primary key the first touches and their labels."""
    found = journeys(question)
    channel = first_labels(question, found, ("channel",))
    columns = [*grouped(question, found), *channel, found.c.millionths, found.c.minor]
    labelled = select(*columns).select_from(with_first_touch(question, found)).cte("first_channels")
    keys = [*grouped(question, labelled), labelled.c.channel]
    return select(*keys, *summed(labelled.c)).group_by(*keys)


async def sourced(connection: AsyncConnection, site: Site, filters: SourcedFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    found = (await connection.execute(conversions_by_first_channel(question), question.parameters)).mappings()
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    return {
        **heading(site, filters, by=filters.grouped_by),
        "rows": [names | each.as_dict(money, currency) for names, each in _sums(found, question)],
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any], filters: SourcedFilters) -> str:
    """The rows as CSV; they add up to the total."""
    return table_of(answer, (*filters.columns, "sourced_by"))


def _sums(found: Iterable[RowMapping], question: Question) -> list[tuple[dict[str, str], Figures]]:
    """What each of the four brought; in each group, where there are any."""
    sums: dict[tuple[str, ...], dict[str, Figures]] = {} if question.grouped else {(): defaultdict(Figures)}
    for row in found:
        of_group = sums.setdefault(tuple(group_of(row, question).values()), defaultdict(Figures))
        of_group[_OF_CHANNEL.get(row["channel"], MARKETING)] += figures(row)
    names = (*(each.name for each in question.grouped), "sourced_by")
    return [(dict(zip(names, (*key, name), strict=True)), sums[key][name]) for key in sorted(sums) for name in SOURCED_BY]
