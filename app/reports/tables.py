"""Answers whose rows are counted in conversions and money, as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.reports.figures import as_csv, as_text
from app.reports.parameters import MONEY_OF_KIND

_AMOUNTS = frozenset({"influenced_amount", "pipeline_at_creation", "pipeline_now"})
"""Further columns that are money, and so are written as numbers."""


def table_of(answer: dict[str, Any], names: Sequence[str], more: Sequence[str] = (), also: Iterable[dict[str, Any]] = ()) -> str:
    """An answer's `rows`: the columns `names`, then conversions, money and its currency, then the columns `more`. Under
    them stand the rows `also`."""
    money = MONEY_OF_KIND.get(answer["conversion"])
    header = [*names, "conversions", *([money, "currency"] if money else []), *more]
    return as_csv(header, (cells_of(row, names, more, money, answer["currency"]) for row in (*answer["rows"], *also)))


def cells_of(row: dict[str, Any], names: Sequence[str], more: Sequence[str], money: str | None, currency: str) -> list[object]:
    """One row: its names, conversions, money and currency, and the columns `more`."""
    amount = [Decimal(row[money]), currency] if money else []
    return [*(row[name] for name in names), counted(row["conversions"]), *amount, *(_cell(row, name) for name in more)]


def uncredited(reasons: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Iterable[dict[str, Any]]:
    """A row for each reason why no touch earned something, so that columns add up to the totals; of the columns `names` the first says it.
    Money in another currency is in no total, so it has none."""
    for reason, each in reasons.items():
        if reason != "unconverted":
            yield {**dict.fromkeys(names), names[0]: f"(uncredited: {reason})", **each}


def _cell(row: dict[str, Any], name: str) -> object:
    return Decimal(row[name]) if name in _AMOUNTS and row.get(name) is not None else row.get(name)


def counted(conversions: float) -> Decimal:
    """A number of conversions as a cell: a decimal number of six places at most, never with an exponent."""
    return Decimal(as_text(round(conversions * 1_000_000)))
