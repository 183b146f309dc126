"""Who brought the deals: marketing, sales or partners, by the channel of the first touch in reach. A closed ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.journeys import first_labels, journeys, summed, with_first_touch
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import Question
from app.reports.as_of import site_then
from app.reports.figures import Figures
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MONEY_OF_KIND, Filters, Format, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures, totals
from app.sites.site import Site

MARKETING, SALES, PARTNERS, NONE = "marketing", "sales", "partners", "none"
SOURCED_BY = (MARKETING, SALES, PARTNERS, NONE)
"""`none`: no touch is in reach, so nobody can say who brought it; `totals.uncredited` has the reasons."""
_OF_CHANNEL = {"Outbound Sales": SALES, "Partners": PARTNERS, None: NONE}
"""Every other channel is marketing's, Direct too: somebody knew the name."""


class SourcedFilters(Filters):
    """`GET /v1/reports/sourced`."""

    format: Format = "json"


def conversions_by_first_channel(question: Question) -> Select[Any]:
    """A row a channel of the first touch in reach (null: none is in reach): `millionths` and `minor`. Reads what `journeys` reads,
    and by primary key the first touches and their labels."""
    found = journeys(question)
    channel = first_labels(question, found, ("channel",))
    labelled = select(*channel, found.c.millionths, found.c.minor).select_from(with_first_touch(question, found)).cte("first_channels")
    return select(labelled.c.channel, *summed(labelled.c)).group_by(labelled.c.channel)


async def sourced(connection: AsyncConnection, site: Site, filters: SourcedFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion."""
    site = await site_then(connection, site, filters.as_of, now)
    question = filters.question(site)
    await check_kind(connection, site, filters.conversion)
    found = (await connection.execute(conversions_by_first_channel(question), question.parameters)).mappings()
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    return {
        **heading(site, filters),
        "rows": [{"sourced_by": name} | each.as_dict(money, currency) for name, each in _sums(found).items()],
        "totals": totals(ledger, money, currency),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV; they add up to the total."""
    return table_of(answer, ("sourced_by",))


def _sums(found: Iterable[RowMapping]) -> dict[str, Figures]:
    """What each of the four brought."""
    sums: dict[str, Figures] = defaultdict(Figures)
    for row in found:
        sums[_OF_CHANNEL.get(row["channel"], MARKETING)] += figures(row)
    return {name: sums[name] for name in SOURCED_BY}
