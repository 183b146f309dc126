"""Credit in plain Python, written from the definitions and not from the statements: what SQL must equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from app.attribution.question import Question
from tests.attribution.ledgers import SECOND, Conversion, Touched


@dataclass(frozen=True)
class Journey:
    """The touches in reach, in order of time; the half-life in microseconds; and the indices of the milestones' touches."""

    touches: Sequence[Touched]
    half_life: int
    lead: int | None = None
    opportunity: int | None = None

    @property
    def length(self) -> int:
        return len(self.touches)


Weights = Callable[[Journey], list[Fraction]]


def split(whole: int, weights: Sequence[Fraction]) -> list[int]:
    """`whole` in parts proportional to the weights, by the largest remainder on its magnitude, ties to the earlier."""
    total = sum(weights)
    exact = [abs(whole) * weight / total for weight in weights]
    parts = [floor(share) for share in exact]
    by_claim = sorted(range(len(weights)), key=lambda at: (parts[at] - exact[at], at))
    for at in by_claim[: abs(whole) - sum(parts)]:
        parts[at] += 1
    return [part if whole >= 0 else -part for part in parts]


def _only(chosen: int, journey: Journey) -> list[Fraction]:
    return [Fraction(at == chosen) for at in range(journey.length)]


def _last_non_direct(journey: Journey) -> list[Fraction]:
    others = [at for at, touch in enumerate(journey.touches) if touch.channel != "Direct"]
    return _only(others[-1] if others else journey.length - 1, journey)


def _time_decay(journey: Journey) -> list[Fraction]:
    last = journey.touches[-1].age
    return [Fraction(floor(1e6 * 2.0 ** -((touch.age - last) / journey.half_life) + 0.5)) for touch in journey.touches]


def weights_of(*, rest: Fraction | float, **of: Fraction | float) -> Weights:
    """Named weights: of the milestones `first`, `lead`, `opportunity`, `last`, and of `rest`."""

    def weights(journey: Journey) -> list[Fraction]:
        holders = {"first": 0, "lead": journey.lead, "opportunity": journey.opportunity, "last": journey.length - 1}
        found = [Fraction(0)] * journey.length
        for milestone, weight in of.items():
            if weight and holders[milestone] is not None:
                found[holders[milestone]] += Fraction(weight)
        others = [at for at, weight in enumerate(found) if not weight]
        for at in others:
            found[at] = Fraction(rest) / len(others)
        return found if any(found) else [Fraction(1)] * journey.length

    return weights


WEIGHTS: dict[str, Weights] = {
    "first_touch": lambda journey: _only(0, journey),
    "last_touch": lambda journey: _only(journey.length - 1, journey),
    "last_non_direct": _last_non_direct,
    "linear": lambda journey: [Fraction(1)] * journey.length,
    "time_decay": _time_decay,
    "position_based": weights_of(first=40, last=40, rest=20),
    "u_shaped": weights_of(first=40, lead=40, rest=20),
    "w_shaped": weights_of(first=30, lead=30, opportunity=30, rest=10),
    "full_path": weights_of(first=22.5, lead=22.5, opportunity=22.5, last=22.5, rest=10),
    "j_shaped": weights_of(first=20, last=60, rest=20),
    "inverse_j_shaped": weights_of(first=60, last=20, rest=20),
}


def credit_by_channel(
    conversions: Sequence[Conversion], question: Question, model: str, weights: Weights | None = None
) -> dict[str, tuple[int, int]]:
    """(millionths, minor units) of each channel that got any; `weights` of a model that is not built in."""
    millionths: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for conversion in conversions:
        touches = in_reach(conversion, question)
        if not touches:
            continue
        shares = (weights or WEIGHTS[model])(_journey(conversion, touches, question))
        is_ours = conversion.currency in (None, question.currency)
        for entry in conversion.entries:
            if not (question.starts_at or 0) <= entry.counted_at < (question.ends_at or 10**18):
                continue
            nets = zip(split(entry.after, shares), split(entry.before, shares), strict=True)
            for touch, count, (after, before) in zip(touches, split(entry.counts * 1_000_000, shares), nets, strict=True):
                millionths[touch.channel] += count
                minor[touch.channel] += (after - before) * is_ours
    return {channel: (millionths[channel], minor[channel]) for channel in millionths if millionths[channel] or minor[channel]}


def in_reach(conversion: Conversion, question: Question) -> list[Touched]:
    """The touches that take part."""
    until = {"close": 0, "lead": conversion.lead_age, "opportunity": conversion.opportunity_age}[question.touches_until]
    if until is None:
        return []
    recent = [touch for touch in conversion.touches if until <= touch.age <= question.lookback_seconds * SECOND]
    return [touch for touch in recent if not (question.exclude_direct and touch.channel == "Direct")]


def _journey(conversion: Conversion, touches: Sequence[Touched], question: Question) -> Journey:
    lead, opportunity = (_last_by(touches, age) for age in (conversion.lead_age, conversion.opportunity_age))
    return Journey(touches, question.half_life_seconds * SECOND, lead, opportunity)


def _last_by(touches: Sequence[Touched], age: int | None) -> int | None:
    return max((at for at, touch in enumerate(touches) if age is not None and touch.age >= age), default=None)
