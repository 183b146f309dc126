"""How far a model's credit is from what the channels really caused."""

from __future__ import annotations

from collections.abc import Mapping

Amounts = Mapping[str, float]
"""Conversions by channel; an absent channel has none."""


def misplaced_share(credited: Amounts, caused: Amounts) -> float | None:
    """The share of the credit that lies on the wrong channels, from 0 (none) to 1 (all of it).

    The total variation distance between the two as shares: half the sum of their absolute differences. It asks only
    how credit is divided, not how much there is. None where nothing was credited, or nothing caused.
    """
    all_credited, all_caused = sum(credited.values()), sum(caused.values())
    if not all_credited or not all_caused:
        return None
    pairs = ((credited.get(name, 0) / all_credited, caused.get(name, 0) / all_caused) for name in _channels(credited, caused))
    return sum(abs(left - right) for left, right in pairs) / 2


def mean_error(credited: Amounts, caused: Amounts) -> float:
    """Mean over the channels of the absolute difference, in conversions. ValueError if there is no channel at all."""
    names = _channels(credited, caused)
    if not names:
        raise ValueError("no channel to compare")
    return sum(abs(credited.get(name, 0) - caused.get(name, 0)) for name in names) / len(names)


def _channels(credited: Amounts, caused: Amounts) -> list[str]:
    """In an order of their own, so that sums of fractions are the same in every run."""
    return sorted({*credited, *caused})
