"""The arithmetic of one conversion's credit, step by step, out of the very expressions that compute every report."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, func, literal, select

from app.attribution.credit import quantities, weighted_touches
from app.attribution.ledger import sides
from app.attribution.question import Question
from app.attribution.rules import MILESTONES
from app.attribution.split import left_over_unit, shares

_TOUCH = ("touch_visitor_id", "touch_event_id")
_POSITIONS = tuple(f"{name}_position" for name in MILESTONES)


def arithmetic_of_touches(question: Question, model: str) -> Select[Any]:
    """A row a touch in reach and side of a ledger entry of one conversion, in order of entries and positions.

    `entry`, and `sign` (1: the net after it, −1: the net before it, which is taken back), whose money counts in `direction`;
    the touch's ID; its `weight`, and the `total` of its journey's (null where the touch has none); of `millionths` and
    `magnitude` each the whole, its `_share`, the `_claim` (remainder) and `_unit` (1 where it got one of those left over);
    and for each milestone `holds_…`, whether the touch holds it. Reads what `credit_rows` reads.
    """
    over = sides(question)
    weighted = weighted_touches(question, model, over, _TOUCH, _POSITIONS)
    ranked = shares(weighted, ("side", "position", "total"), quantities(question))
    touch = weighted.c
    steps = [column for name in ("millionths", "magnitude") for column in _steps(question, weighted, ranked, name)]
    holds = [func.coalesce(touch.position == touch[f"{name}_position"], literal(False)).label(f"holds_{name}") for name in MILESTONES]
    return (
        select(
            over.c.entry, over.c.sign, over.c.direction, *(touch[name] for name in _TOUCH), touch.position, touch.weight,
            ranked.c.total, *steps, *holds,
        )
        .join_from(weighted, over, over.c.side == touch.side)
        .outerjoin(ranked, and_(ranked.c.side == touch.side, ranked.c.position == touch.position))
        .order_by(over.c.entry, over.c.sign.desc(), touch.position)
    )  # fmt: skip


def _steps(question: Question, weighted: Any, ranked: Any, name: str) -> list[ColumnElement[Any]]:
    """The whole that is split, and what of it a touch gets in which steps; nothing of money that is not asked for."""
    if name not in quantities(question):
        return [literal(0, BigInteger).label(each) for each in (name, f"{name}_share", f"{name}_claim", f"{name}_unit")]
    unit = case((ranked.c.side.is_(None), 0), else_=left_over_unit(ranked, name))
    parts = [func.coalesce(ranked.c[each], 0).label(each) for each in (f"{name}_share", f"{name}_claim")]
    return [weighted.c[name], *parts, unit.label(f"{name}_unit")]
