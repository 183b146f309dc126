"""What moved each channel between two moments: the report of the later one less that of the earlier, by cause.

A conversion that the ledger holds at one of the moments only is new, or gone, with all its credit. For those that it holds
at both, what the report reads is brought from then to now in three steps, and the credit counted after each: first the
rules (labels of origins, settings), then the conversions (amounts, dates, milestones), last the journeys (touches, people,
what is known of them). What a step changes is what its cause moved. So the causes add up to the change, row by row, exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.credit import credit_by
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import Question
from app.errors import Unprocessable
from app.reports.as_of import AsOf, site_then
from app.reports.figures import Figures, as_csv, as_rfc3339, as_text
from app.reports.freshness import freshness
from app.reports.heading import heading
from app.reports.parameters import MODEL_NAMES, MONEY_OF_KIND, CreditFilters, ModelName, check_kind, check_model
from app.reports.totals import figures
from app.sites.site import Site
from app.tables import END_OF_TIME, from_micros

CAUSES = ("new_conversions", "removed_conversions", "amounts_changed", "journeys_changed", "rules_changed")
"""What can move credit."""
_RULES = frozenset({tables.origin_labels.name})
_AMOUNTS = _RULES | {tables.ledger_entries.name, tables.conversions.name}

Names = tuple[str, ...]
"""The values of the dimensions of a row; of the ledger, its two halves."""
Counted = dict[Names, Figures]


class DiffFilters(CreditFilters):
    """`GET /v1/reports/attribution/diff`."""

    from_as_of: AsOf = Field(description="The earlier moment, as in `as_of`.")
    to_as_of: AsOf | None = Field(None, description="The later moment; absent: now.")
    model: ModelName = Field("linear", description=f"Who gets the credit: {MODEL_NAMES}.")


@dataclass(frozen=True)
class Moved:
    """What a row was, is, and what moved it."""

    before: Figures
    after: Figures
    causes: Mapping[str, Figures]

    @property
    def change(self) -> Figures:
        """After less before: the sum of the causes."""
        return self.after - self.before

    def as_dict(self, money: str | None, currency: str) -> dict[str, Any]:
        """As answered: `before`, `after`, `change`, and of the `causes` those that moved something."""
        sums = {"before": self.before, "after": self.after, "change": self.change}
        causes = {cause: self.causes[cause].as_dict(money, currency) for cause in CAUSES if self.causes[cause]}
        return {name: each.as_dict(money, currency) for name, each in sums.items()} | {"causes": causes}


async def diff(connection: AsyncConnection, site: Site, filters: DiffFilters, now: datetime) -> dict[str, Any]:
    """The report. Unprocessable for moments that are not kept or not in order, and where the currency changed between them."""
    earlier, later = await _moments(connection, site, filters, now)
    before, after = filters.question(earlier), filters.question(later)
    if before.currency != after.currency and after.has_money:
        raise Unprocessable(f"The site's currency was {before.currency} then and is {after.currency}: their amounts cannot be compared.")
    check_model(after, filters.model)
    check_model(before, filters.model)
    await check_kind(connection, later, filters.conversion)
    names = filters.by.split(",")
    by_question = {name: await _counted(connection, each, filters.model, names) for name, each in _questions(before, after).items()}
    money, currency = MONEY_OF_KIND.get(filters.conversion), later.settings.currency
    rows = _moved({name: credit for name, (credit, _) in by_question.items()})
    halves = _moved({name: ledger for name, (_, ledger) in by_question.items()})
    fresh = (await freshness(connection, site, now)).as_dict()
    return {
        **heading(later, filters, model=filters.model, by=filters.by),
        "from_as_of": as_rfc3339(from_micros(before.as_of or 0)),
        "to_as_of": fresh["as_of"] if filters.to_as_of is None else as_rfc3339(from_micros(after.as_of or 0)),
        "rows": [dict(zip(names, key, strict=True)) | rows[key].as_dict(money, currency) for key in _greatest_first(rows)],
        "totals": _total(halves).as_dict(money, currency) | {name: each.as_dict(money, currency) for (name,), each in halves.items()},
    }


async def _moments(connection: AsyncConnection, site: Site, filters: DiffFilters, now: datetime) -> tuple[Site, Site]:
    """The site at the earlier and at the later moment."""
    if filters.as_of is not None:
        raise Unprocessable("as_of: a difference has two moments, `from_as_of` and `to_as_of`.")
    earlier = await site_then(connection, site, filters.from_as_of, now)
    later = await site_then(connection, site, filters.to_as_of, now) if filters.to_as_of else replace(site, as_of=END_OF_TIME)
    if (earlier.as_of or 0) >= (later.as_of or 0):
        raise Unprocessable("`from_as_of` must be earlier than `to_as_of`.")
    return earlier, later


def _questions(before: Question, after: Question) -> dict[str, Question]:
    """What is counted: the conversions of one moment only, and those of both, after each step."""
    steps = replace(after, as_of=before.as_of, until=after.as_of, stood="both")
    return {
        "removed": replace(before, until=after.as_of, stood="then_only"),
        "new": replace(after, until=before.as_of, stood="then_only"),
        "before": replace(before, until=after.as_of, stood="both"),
        "ruled": replace(steps, newer=_RULES),
        "amended": replace(steps, newer=_AMOUNTS),
        "after": replace(after, until=before.as_of, stood="both"),
    }


async def _counted(connection: AsyncConnection, question: Question, model: str, by: Sequence[str]) -> tuple[Counted, Counted]:
    """The credit by row, and the ledger's two halves."""
    credit = (await connection.execute(credit_by(question, model, by), question.parameters)).mappings()
    rows = {tuple(row[name] for name in by): figures(row) for row in credit}
    halves: Counted = {("credited",): Figures(), ("uncredited",): Figures()}
    for row in (await connection.execute(ledger_by_reason(question), question.parameters)).mappings():
        half = ("credited",) if row["reason"] is None else ("uncredited",)
        halves[half] += figures(row) if row["is_convertible"] else Figures(row["millionths"])
    return rows, halves


def _moved(counted: Mapping[str, Counted]) -> dict[Names, Moved]:
    """Each row that any of the questions has."""
    found = {name: defaultdict(Figures, rows) for name, rows in counted.items()}
    keys = sorted({key for rows in counted.values() for key in rows})
    return {key: _moved_row({name: rows[key] for name, rows in found.items()}) for key in keys}


def _moved_row(of: Mapping[str, Figures]) -> Moved:
    causes = {
        "new_conversions": of["new"],
        "removed_conversions": Figures() - of["removed"],
        "rules_changed": of["ruled"] - of["before"],
        "amounts_changed": of["amended"] - of["ruled"],
        "journeys_changed": of["after"] - of["amended"],
    }
    return Moved(of["before"] + of["removed"], of["after"] + of["new"], causes)


def _total(halves: Mapping[Names, Moved]) -> Moved:
    every = list(halves.values())
    causes = {cause: sum((each.causes[cause] for each in every), Figures()) for cause in CAUSES}
    return Moved(sum((each.before for each in every), Figures()), sum((each.after for each in every), Figures()), causes)


def _greatest_first(rows: Mapping[Names, Moved]) -> list[Names]:
    return sorted(rows, key=lambda key: (-abs(rows[key].change.minor), -abs(rows[key].change.millionths), key))


def as_table(answer: dict[str, Any], filters: DiffFilters) -> str:
    """The rows as CSV: of each figure one column for before, after, the change and every cause."""
    money, names = MONEY_OF_KIND.get(filters.conversion), filters.by.split(",")
    quantities = ["conversions", *([money] if money else [])]
    columns = [(part, quantity) for part in ("before", "after", "change", *CAUSES) for quantity in quantities]
    header = [*names, *(f"{part}_{quantity}" for part, quantity in columns), *(["currency"] if money else [])]
    currency = [answer["currency"]] if money else []
    rows = ([*(row[name] for name in names), *_cells(row, columns), *currency] for row in answer["rows"])
    return as_csv(header, rows)


def _cells(row: dict[str, Any], columns: Sequence[tuple[str, str]]) -> Iterator[Decimal]:
    for part, quantity in columns:
        of_part = row["causes"].get(part, {}) if part in CAUSES else row[part]
        value = of_part.get(quantity, 0)
        yield Decimal(value) if isinstance(value, str) else Decimal(as_text(round(value * 1_000_000)))
