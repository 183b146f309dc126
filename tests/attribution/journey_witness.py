"""Reports on journeys in plain Python, from the conversions of `tests.attribution.ledgers`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from app.attribution.question import Question
from tests.attribution.ledgers import Conversion, Touched
from tests.attribution.witness import in_reach

Name = TypeVar("Name", bound=Hashable)


def figures(conversion: Conversion, question: Question) -> tuple[int, int] | None:
    """What it counts in the interval: millionths, and minor units of the site's currency; none if nothing lies in it."""
    entries = [entry for entry in conversion.entries if (question.starts_at or 0) <= entry.counted_at < (question.ends_at or 10**18)]
    is_ours = conversion.currency in (None, question.currency)
    minor = sum((entry.after - entry.before) * is_ours for entry in entries)
    return (sum(entry.counts for entry in entries) * 1_000_000, minor) if entries else None


def summed_by(
    conversions: Sequence[Conversion], question: Question, names: Callable[[list[Touched]], Iterable[Name]]
) -> dict[Name, tuple[int, int]]:
    """What is counted under each of the names that a conversion's touches in reach have; a conversion may have several."""
    millionths: Counter[Name] = Counter()
    minor: Counter[Name] = Counter()
    for conversion in conversions:
        if counted := figures(conversion, question):
            for name in set(names(in_reach(conversion, question))):
                millionths[name] += counted[0]
                minor[name] += counted[1]
    return {name: (millionths[name], minor[name]) for name in millionths}
