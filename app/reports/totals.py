"""The closed ledger of a report: what was counted, what touches earned of it, and why they did not earn the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from app.attribution.question import REASONS, Question
from app.money import as_decimal_text
from app.reports.figures import Figures, as_number


def figures(row: RowMapping) -> Figures:
    """What a row counts, by its columns `millionths` and `minor`."""
    return Figures(row["millionths"], row["minor"])


def group_of(row: RowMapping, question: Question) -> dict[str, str]:
    """The properties of a row, by their names, as the question groups by them."""
    return {each.name: row[each.column] for each in question.grouped}


def totals(ledger: Sequence[RowMapping], money: str | None, currency: str) -> dict[str, Any]:
    """Rows of `ledger_by_reason` as an answer: total = credited + uncredited, the latter with its reasons.

    Money in another currency is in no sum: it is listed under the reason `unconverted`.
    """
    sums: dict[str | None, Figures] = defaultdict(Figures)
    for row in ledger:
        sums[row["reason"]] += figures(row) if row["is_convertible"] else Figures(row["millionths"])
    credited = sums.pop(None, Figures())
    uncredited = sum(sums.values(), Figures())
    reasons: dict[str, Any] = {reason: sums[reason].as_dict(money, currency) for reason in REASONS if sums.get(reason)}
    if money and (amounts := _foreign_amounts(ledger, money)):
        reasons["unconverted"] = Figures().as_dict(money, currency) | {"amounts": amounts}
    return {
        **(credited + uncredited).as_dict(money, currency),
        "credited": credited.as_dict(money, currency),
        "uncredited": uncredited.as_dict(money, currency) | {"reasons": reasons},
    }


def first_touch_outside_lookback(ledger: Sequence[RowMapping]) -> dict[str, Any]:
    """How many of the conversions that rows of `ledger_by_reason` count had their first touch, of whatever channel, before
    the look-back; and their share, to six places (null where nothing is counted)."""
    counted, early = (sum(row[name] for row in ledger) for name in ("millionths", "early_millionths"))
    return {"conversions": as_number(early), "share": round(early / counted, 6) if counted else None}


def _foreign_amounts(ledger: Sequence[RowMapping], money: str) -> list[dict[str, Any]]:
    sums: dict[str, int] = defaultdict(int)
    for row in ledger:
        if not row["is_convertible"]:
            sums[row["currency"]] += row["minor"]
    return [{"currency": code, money: as_decimal_text(minor, code)} for code, minor in sorted(sums.items()) if minor]
