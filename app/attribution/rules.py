"""The rule models: how much one touch of a journey weighs.

A model is one function from a `Touch` (expressions over one row) to an integer weight of at most 10⁶, and one entry in
`MODELS`. Weights of one journey need no common sum: the split divides by whatever they add up to. The journey is what
is left after the look-back and `exclude_direct`, so it has at least one touch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Double, case, cast, func, literal, or_

from app.db import greatest


@dataclass(frozen=True)
class Touch:
    """What a model may look at, as SQL expressions over one touch of one journey."""

    is_first: ColumnElement[bool]
    is_last: ColumnElement[bool]
    is_last_non_direct: ColumnElement[bool]
    """Whether it is the last touch that is not Direct; in a journey of Direct only, whether it is the last."""
    length: ColumnElement[int]
    """Number of touches in the journey."""
    age: ColumnElement[int]
    """Microseconds before the journey's last touch."""
    half_life: ColumnElement[int]
    """Microseconds in which a touch loses half of its weight."""


Model = Callable[[Touch], ColumnElement[int]]
"""From a touch to its weight: an integer from 0 to 10⁶, and above 0 for at least one touch of each journey."""


def first_touch(touch: Touch) -> ColumnElement[int]:
    """All to the first touch, Direct or not. One touch: all to it."""
    return _one_if(touch.is_first)


def last_touch(touch: Touch) -> ColumnElement[int]:
    """All to the last touch, Direct or not. One touch: all to it."""
    return _one_if(touch.is_last)


def last_non_direct(touch: Touch) -> ColumnElement[int]:
    """All to the last touch that is not Direct. Only Direct touches: all to the last of them."""
    return _one_if(touch.is_last_non_direct)


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
    middle = touch.length - 2
    return case((touch.length <= 2, 1), (or_(touch.is_first, touch.is_last), 2 * middle), else_=1)


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, literal(1, BigInteger)), else_=literal(0, BigInteger))


MODELS: dict[str, Model] = {
    "first_touch": first_touch,
    "last_touch": last_touch,
    "last_non_direct": last_non_direct,
    "linear": linear,
    "time_decay": time_decay,
    "position_based": position_based,
}
"""Every model by its public name, in the order in which `model=all` shows them."""
