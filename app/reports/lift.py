"""What an experiment shows: the conversions of people who were shown a channel against those of people who were not.

Pure statistics over four counts. `scipy.stats` takes seconds to import, so it is imported by what needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

CONFIDENCE = 0.95
_ENOUGH = 5
"""Fewest conversions, and fewest others, that either group should be expected to have (Cochran 1954)."""


@dataclass(frozen=True)
class Group:
    """People of an experiment, and how many of them converted."""

    people: int
    conversions: int

    def __post_init__(self) -> None:
        """ValueError if nobody could be counted so."""
        if self.people < 1:
            raise ValueError("a group has at least one person")
        if not 0 <= self.conversions <= self.people:
            raise ValueError("a person converts once or not at all: conversions are from 0 to the number of people")

    @property
    def rate(self) -> float:
        """Share of the people who converted."""
        return self.conversions / self.people


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """The same in another unit. `factor` is positive."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def compared(self, figure: float) -> str:
        """Where another figure lies: `below` the interval, `within` it or `above` it."""
        return "below" if figure < self.low else "above" if figure > self.high else "within"


def rate(group: Group) -> Estimate:
    """A rate with its score interval (Wilson 1927, without continuity correction)."""
    from scipy import stats

    interval = stats.binomtest(group.conversions, group.people).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(group.rate, float(interval.low), float(interval.high))


def absolute_lift(shown: Group, held_out: Group) -> Estimate:
    """The difference of the rates with Newcombe's hybrid score interval.

    Method 10 of R. G. Newcombe, 'Interval estimation for the difference between independent proportions', Statistics in
    Medicine 17 (1998), 873-890: from the score intervals (l, u) of the two rates p, the limits are
    d − √((p₁−l₁)² + (u₂−p₂)²) and d + √((u₁−p₁)² + (p₂−l₂)²). It keeps its word in small groups and at rates near zero.
    """
    first, second = rate(shown), rate(held_out)
    difference = first.value - second.value
    low = difference - hypot(first.value - first.low, second.high - second.value)
    high = difference + hypot(first.high - first.value, second.value - second.low)
    return Estimate(difference, max(low, -1.0), min(high, 1.0))


def relative_lift(shown: Group, held_out: Group) -> Estimate | None:
    """The ratio of the rates, less one, with Katz's interval of its logarithm; None where a group has no conversion.

    D. Katz and others, 'Obtaining confidence intervals for the risk ratio in cohort studies', Biometrics 34 (1978), 469-474.
    """
    if not shown.conversions or not held_out.conversions:
        return None
    from scipy.stats.contingency import relative_risk

    ratio = relative_risk(shown.conversions, shown.people, held_out.conversions, held_out.people)
    interval = ratio.confidence_interval(CONFIDENCE)
    return Estimate(float(ratio.relative_risk) - 1, float(interval.low) - 1, float(interval.high) - 1)


def p_value(shown: Group, held_out: Group) -> float:
    """How likely two groups at least as unlike are where the channel does nothing: Fisher's exact test, two-sided."""
    from scipy import stats

    table = [[group.conversions, group.people - group.conversions] for group in (shown, held_out)]
    return float(stats.fisher_exact(table).pvalue)


def is_small(shown: Group, held_out: Group) -> bool:
    """Whether a group is too small to say much: fewer than five conversions, or others, are to be expected in it."""
    conversions, people = shown.conversions + held_out.conversions, shown.people + held_out.people
    return any(group.people * count / people < _ENOUGH for group in (shown, held_out) for count in (conversions, people - conversions))


@dataclass(frozen=True)
class Lift:
    """All that an experiment shows."""

    shown: Estimate
    held_out: Estimate
    absolute: Estimate
    relative: Estimate | None
    incremental: Estimate
    """Conversions among those shown that would not have been without the channel."""
    p_value: float
    is_small: bool


def lift(shown: Group, held_out: Group) -> Lift:
    """What the two groups show. Takes a moment the first time."""
    absolute = absolute_lift(shown, held_out)
    return Lift(
        shown=rate(shown),
        held_out=rate(held_out),
        absolute=absolute,
        relative=relative_lift(shown, held_out),
        incremental=absolute.times(shown.people),
        p_value=p_value(shown, held_out),
        is_small=is_small(shown, held_out),
    )
