"""The rule models: how much one touch of a journey weighs.

A model is one function from a `Touch` (expressions over one row) to an integer weight of at most 10⁶, and one entry in
`MODELS`. Weights of one journey need no common sum: the split divides by whatever they add up to. The journey is what
is left after the look-back, `exclude_direct` and `touches_until`, so it has at least one touch. What a model does not
look at is not computed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import reduce
from math import gcd
from typing import Any

from sqlalchemy import BigInteger, ColumnClause, ColumnElement, Double, and_, bindparam, case, cast, column, func, literal
from sqlalchemy.sql import visitors

from app.db import greatest


@dataclass(frozen=True)
class Touch:
    """What a model may look at, as SQL expressions over one touch of one journey. Positions grow with time, and may have gaps."""

    position: ColumnElement[int]
    """The touch's own."""
    first_position: ColumnElement[int]
    last_position: ColumnElement[int]
    last_non_direct_position: ColumnElement[int]
    """Of the last touch that is not Direct; in a journey of Direct only, of the last."""
    lead_position: ColumnElement[int | None]
    """Of the last touch at or before the lead; null where there is no lead, or no touch in the journey by then."""
    opportunity_position: ColumnElement[int | None]
    """Likewise of the opportunity."""
    length: ColumnElement[int]
    """Number of touches in the journey."""
    age: ColumnElement[int]
    """Microseconds before the journey's last touch."""
    half_life: ColumnElement[int]
    """Microseconds in which a touch loses half of its weight."""


Model = Callable[[Touch], ColumnElement[int]]
"""From a touch to its weight: an integer from 0 to 10⁶, and above 0 for at least one touch of each journey."""

MILESTONES = ("first", "lead", "opportunity", "last")
"""What a touch can hold; one may hold several."""

_NAMES = tuple(field.name for field in fields(Touch) if field.name != "half_life")
_COLUMNS: dict[str, Any] = {name: column(name, BigInteger) for name in _NAMES}
_TOUCH = Touch(**_COLUMNS, half_life=bindparam("half_life", type_=BigInteger))


def weight_of(model: Model) -> tuple[ColumnElement[int], frozenset[str]]:
    """(the weight as an expression over columns named as the fields of `Touch`, the names of those that it looks at)."""
    weight = model(_TOUCH)
    return weight, frozenset(each.name for each in visitors.iterate(weight) if isinstance(each, ColumnClause))


def by_milestones(touch: Touch, /, *, rest: int = 0, **weights: int) -> ColumnElement[int]:
    """Weights of the `MILESTONES`, and `rest` divided evenly over the touches that hold none.

    A touch that holds several gets them all. A milestone of weight 0 is none of this model's, so its touch is one of the
    rest. Where a milestone is missing, or no touch is left for the rest, the weights that remain keep their proportions;
    where none remains at all (only lead and opportunity weigh, and both are missing), every touch gets the same.

    With r touches in the rest and sums m of what a touch holds, the weights are r·m and `rest` (m where r is 0): exact
    for any r. A journey has at most 1,000 touches, so weights that add up to 1,000 stay within 10⁶.
    """
    common = gcd(rest, *weights.values())
    held = [(getattr(touch, f"{name}_position"), weights[name] // common) for name in MILESTONES if weights.get(name)]
    if not held:
        return literal(1, BigInteger)
    weight = _sum(case((touch.position == position, literal(share, BigInteger)), else_=0) for position, share in held)
    if rest:
        rest_touches = touch.length - _distinct([position for position, _ in held])
        of_rest = literal(rest // common, BigInteger)
        return case((weight > 0, weight * greatest(rest_touches, literal(1, BigInteger))), else_=of_rest)
    if weights.get("first") or weights.get("last"):
        return weight
    return case((and_(*(position.is_(None) for position, _ in held)), 1), else_=weight)


def _distinct(positions: list[ColumnElement[Any]]) -> ColumnElement[int]:
    """How many different positions these are, nulls not counted."""
    unseen = (
        and_(position.is_not(None), *(position.is_distinct_from(earlier) for earlier in positions[:at]))
        for at, position in enumerate(positions)
    )
    return _sum(case((is_new, 1), else_=0) for is_new in unseen)


def _sum(terms: Iterable[ColumnElement[int]]) -> ColumnElement[int]:
    return reduce(operator.add, terms)


def first_touch(touch: Touch) -> ColumnElement[int]:
    """All to the first touch, Direct or not. One touch: all to it."""
    return by_milestones(touch, first=100)


def last_touch(touch: Touch) -> ColumnElement[int]:
    """All to the last touch, Direct or not. One touch: all to it."""
    return by_milestones(touch, last=100)


def last_non_direct(touch: Touch) -> ColumnElement[int]:
    """All to the last touch that is not Direct. Only Direct touches: all to the last of them."""
    return case((touch.position == touch.last_non_direct_position, 1), else_=literal(0, BigInteger))


def linear(touch: Touch) -> ColumnElement[int]:  # noqa: ARG001 (a model gets the touch, whether it looks or not)
    """The same to every touch. What does not divide evenly goes, unit by unit, to the earliest."""
    return literal(1, BigInteger)


def time_decay(touch: Touch) -> ColumnElement[int]:
    """2^(−age ÷ half-life), age counted from the journey's last touch, in millionths.

    floor(10⁶·2^(−age ÷ half-life) + ½). One touch, or all at one instant: equal parts. Older than about 21 half-lives: nothing.
    """
    # PostgreSQL refuses to underflow, and 2⁻⁶⁴ of a million is nothing anyway.
    exponent = greatest(-cast(touch.age, Double) / cast(touch.half_life, Double), literal(-64.0, Double))
    millionths = literal(1_000_000.0, Double) * func.power(literal(2.0, Double), exponent)
    return cast(func.floor(millionths + literal(0.5, Double)), BigInteger)


def position_based(touch: Touch) -> ColumnElement[int]:
    """40 % to the first, 40 % to the last, 20 % over the rest. One touch: all to it; two: half each.

    Over n touches the weights are 2(n−2), 1, …, 1, 2(n−2): the rest add up to n−2, each end to twice that.
    """
    return by_milestones(touch, first=40, last=40, rest=20)


def u_shaped(touch: Touch) -> ColumnElement[int]:
    """40 % to the first, 40 % to the lead's, 20 % over the rest, before the lead or after it.

    No lead: two thirds to the first, one third over the rest. First and lead the same touch: 80 % to it.
    """
    return by_milestones(touch, first=40, lead=40, rest=20)


def w_shaped(touch: Touch) -> ColumnElement[int]:
    """30 % each to the first, the lead's and the opportunity's, 10 % over the rest.

    What is missing leaves its part to the others in proportion: without a lead 3/7, 3/7 and 1/7 over the rest.
    """
    return by_milestones(touch, first=30, lead=30, opportunity=30, rest=10)


def full_path(touch: Touch) -> ColumnElement[int]:
    """22.5 % each to the first, the lead's, the opportunity's and the last (the close), 10 % over the rest.

    What is missing leaves its part to the others in proportion. One touch: all to it.
    """
    return by_milestones(touch, first=225, lead=225, opportunity=225, last=225, rest=100)


def j_shaped(touch: Touch) -> ColumnElement[int]:
    """20 % to the first, 60 % to the last, 20 % over the rest. One touch: all to it; two: a quarter and three quarters."""
    return by_milestones(touch, first=20, last=60, rest=20)


def inverse_j_shaped(touch: Touch) -> ColumnElement[int]:
    """60 % to the first, 20 % to the last, 20 % over the rest. One touch: all to it; two: three quarters and a quarter."""
    return by_milestones(touch, first=60, last=20, rest=20)


MODELS: dict[str, Model] = {
    "first_touch": first_touch,
    "last_touch": last_touch,
    "last_non_direct": last_non_direct,
    "linear": linear,
    "time_decay": time_decay,
    "position_based": position_based,
    "u_shaped": u_shaped,
    "w_shaped": w_shaped,
    "full_path": full_path,
    "j_shaped": j_shaped,
    "inverse_j_shaped": inverse_j_shaped,
}
"""Every model by its public name, in the order in which `model=all` shows them."""
