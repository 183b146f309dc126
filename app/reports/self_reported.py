"""What people say brought them ('How did you hear about us?') beside what was tracked: kept beside it, never instead."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, RowMapping, Select, and_, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.joins import dimension, label_of, touch_of
from app.attribution.journeys import first_labels, grouped, journeys, summed, with_first_touch
from app.attribution.ledger import sides
from app.attribution.question import Question
from app.attribution.reach import is_in_reach
from app.errors import Unprocessable
from app.reports.as_of import site_then
from app.reports.figures import Figures, as_number
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MONEY_OF_KIND, Filters, Format, check_kind
from app.reports.tables import table_of
from app.reports.totals import figures
from app.sites.properties import NOT_SET, Property
from app.sites.settings import SiteSettings
from app.sites.site import Site

NOT_SAID, UNMAPPED, NO_TOUCH = "(not said)", "(unmapped)", "(no touch)"
_MOST_ANSWERS = 100

SHIPPED: dict[str, str] = {
    "chatgpt|claude|perplexity|gemini|copilot|ai|ki": "AI Assistants",
    "colleague|coworker|friend|friends|word of mouth|recommendation|recommended|referred by|kollege|kollegin|freund|freundin|"
    "empfehlung|empfohlen|mundpropaganda": "Word of mouth",
    "google|bing|duckduckgo|ecosia|search|search engine|searched|googled|suche|suchmaschine|gegoogelt": "Organic Search",
    "youtube|video": "Organic Video",
    "linkedin|facebook|instagram|twitter|x.com|tiktok|xing|reddit|social|social media|soziale medien": "Organic Social",
    "podcast|podcasts|radio|spotify": "Audio",
    "newsletter|email|e-mail|mailing": "Email",
    "webinar|webinars|webcast": "Webinars",
    "conference|event|events|trade show|tradeshow|fair|meetup|summit|konferenz|messe|veranstaltung|vortrag": "Events",
    "partner|agency|reseller|agentur": "Partners",
    "cold call|outreach|sales call|vertrieb": "Outbound Sales",
    "flyer|letter|brochure|postcard|brief|prospekt": "Direct Mail",
    "blog|article|press|news|magazine|review|reviews|g2|capterra|artikel|presse|zeitung": "Referral",
}
"""Words, in this order, and the channel that they mean. A site's own come first."""


class SelfReportedFilters(Filters):
    """`GET /v1/reports/self-reported`."""

    format: Format = "json"


class Channels:
    """What answers mean."""

    def __init__(self, settings: SiteSettings) -> None:
        own = settings.self_reported.channels
        self._patterns = [(_pattern(words), channel) for words, channel in (*own.items(), *SHIPPED.items())]
        self._known = {NOT_SAID: NOT_SAID}

    def of(self, answer: str) -> str:
        """The channel of the first words that an answer holds, whole and in either case; `(unmapped)` if none."""
        if answer not in self._known:
            folded = answer.casefold()
            self._known[answer] = next((channel for pattern, channel in self._patterns if pattern.search(folded)), UNMAPPED)
        return self._known[answer]


def _pattern(words: str) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(word) for each in words.split("|") if (word := each.strip().casefold()))
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")


# ---------------------------------------------------------------- statements


def _said(question: Question, rows: CTE) -> ColumnElement[str]:
    """The first answer there is, of the properties asked about."""
    answers = [case((column != NOT_SET, column)) for column in grouped(question, rows)]
    return func.coalesce(*answers, literal(NOT_SAID))


def _family(channel: ColumnElement[str]) -> ColumnElement[str]:
    """A channel without whether it was paid for: who says 'Google' cannot know that."""
    return case(
        (channel.like("Organic %"), func.substr(channel, 9)), (channel.like("Paid %"), func.substr(channel, 6)), else_=channel
    )


def conversions_said(question: Question) -> Select[Any]:
    """A row an answer (`said`) and channel of the first touch in reach (null: none): `millionths` and `minor`.

    Reads what `journeys` reads, and by primary key the first touches and their labels.
    """
    found = journeys(question)
    channel = first_labels(question, found, ("channel",))
    columns = [_said(question, found).label("said"), *channel, found.c.millionths, found.c.minor]
    rows = select(*columns).select_from(with_first_touch(question, found)).cte("said_and_tracked")
    keys = [rows.c.said, rows.c.channel]
    return select(*keys, *summed(rows.c)).group_by(*keys)


def conversions_shown(question: Question) -> Select[Any]:
    """A row an answer and a family of channels that some touch in reach has: the `millionths` of those conversions.

    Reads what `sides` reads, `journey_touches` by primary key and `origin_labels`.
    """
    over, touches, labels = sides(question), question.rows(tables.journey_touches), question.rows(tables.origin_labels)
    family = _family(dimension("channel", labels)).label("family")
    touched = over.join(touches, and_(touch_of(touches, over.c), over.c.millionths > 0))
    joined = touched.outerjoin(labels, label_of(labels, touches.c.origin_id))
    met = (
        select(over.c.side, _said(question, over).label("said"), family, over.c.millionths)
        .select_from(joined)
        .where(is_in_reach(question, over.c))
        .distinct()
        .cte("families_met")
    )
    return select(met.c.said, met.c.family, func.sum(met.c.millionths).label("millionths")).group_by(met.c.said, met.c.family)


# ---------------------------------------------------------------- the report


@dataclass
class Tally:
    """What the conversions add up to."""

    cells: dict[tuple[str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))
    """By (said, tracked)."""
    unmapped: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    said: int = 0
    mapped: int = 0
    agreeing: int = 0
    shown: int = 0

    def add(self, row: RowMapping, channels: Channels) -> None:
        """One row of `conversions_said`."""
        channel = channels.of(row["said"])
        self.cells[channel, row["channel"] or NO_TOUCH] += figures(row)
        if channel == NOT_SAID:
            return
        self.said += row["millionths"]
        if channel == UNMAPPED:
            self.unmapped[row["said"]] += row["millionths"]
            return
        self.mapped += row["millionths"]
        if row["channel"] and family_of(channel) == family_of(row["channel"]):
            self.agreeing += row["millionths"]


def family_of(channel: str) -> str:
    """As `_family`."""
    return channel.removeprefix("Organic ").removeprefix("Paid ")


async def self_reported(connection: AsyncConnection, site: Site, filters: SelfReportedFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable if there is no such conversion, or the site names no property that holds the answers."""
    site = await site_then(connection, site, filters.as_of, now)
    if not site.settings.self_reported.properties:
        raise Unprocessable("The site does not say which property holds the answers: set self_reported.properties.")
    await check_kind(connection, site, filters.conversion)
    question = replace(filters.question(site), grouped=_properties(site.settings.self_reported.properties))
    channels, tally = Channels(site.settings), Tally()
    for row in (await connection.execute(conversions_said(question), question.parameters)).mappings():
        tally.add(row, channels)
    for met in (await connection.execute(conversions_shown(question), question.parameters)).mappings():
        if family_of(channels.of(met["said"])) == met["family"]:
            tally.shown += int(met["millionths"])
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    whole = sum(tally.cells.values(), Figures())
    return {
        **heading(site, filters),
        "rows": [
            {"said": said, "tracked": tracked, **each.as_dict(money, currency)}
            for (said, tracked), each in sorted(tally.cells.items(), key=lambda cell: (-cell[1].millionths, cell[0]))
        ],
        "totals": whole.as_dict(money, currency),
        "said": _part(tally.said, whole.millionths),
        "agreeing": _part(tally.agreeing, tally.mapped),
        "dark": _part(tally.mapped - tally.shown, tally.mapped),
        "unmapped": _answers(tally.unmapped),
        **(await freshness(connection, site, now)).as_dict(),
    }


def as_table(answer: dict[str, Any]) -> str:
    """The rows as CSV; they add up to the total."""
    return table_of(answer, ("said", "tracked"))


def _properties(names: Sequence[str]) -> tuple[Property, ...]:
    return tuple(Property(f"self_reported_{number}", "person", name) for number, name in enumerate(names))


def _part(part: int, whole: int) -> dict[str, Any]:
    return {"conversions": as_number(part), "share": round(part / whole, 6) if whole else None}


def _answers(unmapped: dict[str, int]) -> list[dict[str, Any]]:
    ordered = sorted(unmapped.items(), key=lambda answer: (-answer[1], answer[0]))
    return [{"answer": answer, "conversions": as_number(count)} for answer, count in ordered[:_MOST_ANSWERS]]
