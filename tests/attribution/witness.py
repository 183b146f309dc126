"""Credit in plain Python, written from the definitions and not from the statements: what SQL must equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor

from app.attribution.question import Question
from tests.attribution.ledgers import SECOND, Conversion, Touched

Weights = Callable[[Sequence[Touched], int], list[int]]
"""From the touches in reach, in order of time, and the half-life in microseconds, to their weights."""


def split(whole: int, weights: Sequence[int]) -> list[int]:
    """`whole` in parts proportional to the weights, by the largest remainder on its magnitude, ties to the earlier."""
    total = sum(weights)
    exact = [Fraction(abs(whole) * weight, total) for weight in weights]
    parts = [floor(share) for share in exact]
    by_claim = sorted(range(len(weights)), key=lambda at: (parts[at] - exact[at], at))
    for at in by_claim[: abs(whole) - sum(parts)]:
        parts[at] += 1
    return [part if whole >= 0 else -part for part in parts]


def _only(chosen: int, length: int) -> list[int]:
    return [int(at == chosen) for at in range(length)]


def _last_non_direct(touches: Sequence[Touched], _half_life: int) -> list[int]:
    others = [at for at, touch in enumerate(touches) if touch.channel != "Direct"]
    return _only(others[-1] if others else len(touches) - 1, len(touches))


def _position_based(touches: Sequence[Touched], _half_life: int) -> list[int]:
    length = len(touches)
    if length <= 2:
        return [1] * length
    return [2 * (length - 2), *[1] * (length - 2), 2 * (length - 2)]


def _time_decay(touches: Sequence[Touched], half_life: int) -> list[int]:
    last = touches[-1].age
    return [floor(1e6 * 2.0 ** -((touch.age - last) / half_life) + 0.5) for touch in touches]


WEIGHTS: dict[str, Weights] = {
    "first_touch": lambda touches, _: _only(0, len(touches)),
    "last_touch": lambda touches, _: _only(len(touches) - 1, len(touches)),
    "last_non_direct": _last_non_direct,
    "linear": lambda touches, _: [1] * len(touches),
    "time_decay": _time_decay,
    "position_based": _position_based,
}


def credit_by_channel(conversions: Sequence[Conversion], question: Question, model: str) -> dict[str, tuple[int, int]]:
    """(millionths, minor units) of each channel that got any."""
    millionths: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for conversion in conversions:
        touches = _in_reach(conversion, question)
        if not touches:
            continue
        weights = WEIGHTS[model](touches, question.half_life_seconds * SECOND)
        is_ours = conversion.currency in (None, question.currency)
        for entry in conversion.entries:
            if not (question.starts_at or 0) <= entry.counted_at < (question.ends_at or 10**18):
                continue
            nets = zip(split(entry.after, weights), split(entry.before, weights), strict=True)
            for touch, count, (after, before) in zip(touches, split(entry.counts * 1_000_000, weights), nets, strict=True):
                millionths[touch.channel] += count
                minor[touch.channel] += (after - before) * is_ours
    return {channel: (millionths[channel], minor[channel]) for channel in millionths if millionths[channel] or minor[channel]}


def _in_reach(conversion: Conversion, question: Question) -> list[Touched]:
    recent = [touch for touch in conversion.touches if touch.age <= question.lookback_seconds * SECOND]
    return [touch for touch in recent if not (question.exclude_direct and touch.channel == "Direct")]
