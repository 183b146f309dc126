"""The arithmetic of a touch's credit as an explanation shows it: each entry of the ledger, each side, each step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping

from app.attribution.rules import MILESTONES
from app.reports.figures import Figures

IN_WORDS = (
    "Conversions are split in millionths, money in minor units. With w the touch's weight, W the sum of all weights (`of`) and A the "
    "whole, the share is (A div W)·w + ((A mod W)·w) div W, and the remainder ((A mod W)·w) mod W. The units that the shares leave over "
    "go one each to the greatest remainders, of equal ones to the earlier touch. Money is split before and after each change; a touch "
    "gets its part of the net after less its part of the net before."
)


@dataclass
class Credited:
    """What one touch got, step by step, and the milestones that it holds."""

    figures: Figures = field(default_factory=Figures)
    milestones: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)


def by_touch(rows: Iterable[RowMapping], money: str | None) -> dict[tuple[str, str], Credited]:
    """By (visitor ID, event ID), of the rows of `arithmetic_of_touches`; `money` is what the money of the kind is called."""
    sides: dict[tuple[int, int], list[RowMapping]] = {}
    for row in rows:
        sides.setdefault((row["entry"], row["sign"]), []).append(row)
    found: dict[tuple[str, str], Credited] = {}
    for side in sides.values():
        _add_side(found, side, money)
    return found


def _add_side(found: dict[tuple[str, str], Credited], side: Sequence[RowMapping], money: str | None) -> None:
    total = next(row["total"] for row in side if row["total"] is not None)
    for row in side:
        touch = found.setdefault((row["touch_visitor_id"], row["touch_event_id"]), Credited())
        touch.milestones = [name for name in MILESTONES if row[f"holds_{name}"]]
        steps = [_step(row, total, "millionths", "conversions", 1)]
        if money is not None:
            steps.append(_step(row, total, "magnitude", money, row["direction"]))
        touch.steps += [step for step in steps if step["whole"]]
        touch.figures += Figures(steps[0]["credit"], sum(step["credit"] for step in steps[1:]))


def _step(row: RowMapping, total: int, quantity: str, name: str, direction: int) -> dict[str, Any]:
    part = row[f"{quantity}_share"] + row[f"{quantity}_unit"]
    return {
        "entry": row["entry"],
        "side": "after" if row["sign"] == 1 else "before",
        "what": name,
        "whole": direction * row[quantity],
        "weight": row["weight"],
        "of": total,
        "share": row[f"{quantity}_share"],
        "remainder": row[f"{quantity}_claim"],
        "extra_unit": bool(row[f"{quantity}_unit"]),
        "credit": direction * part,
    }
