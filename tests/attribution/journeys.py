"""Journeys for tests of the data-driven models, and what these must equal: plain Python from the definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial
from typing import NamedTuple

from hypothesis import strategies as st

from app.attribution.observed import Journeys, encoded


class Seen(NamedTuple):
    """A distinct journey: its channels, how often it was seen, and what each was worth."""

    channels: tuple[int, ...]
    times: int
    worth: int


def as_arrays(journeys: Iterable[Seen], channels: int) -> Journeys:
    seen = list(journeys)
    paths = (",".join(map(str, each.channels)) for each in seen)
    return encoded(paths, (each.times for each in seen), ((each.worth,) for each in seen), 1, range(channels))


def journeys(channels: int) -> st.SearchStrategy[list[Seen]]:
    """Random journeys over so many channels, of which some are worth something."""
    path = st.lists(st.integers(0, channels - 1), min_size=1, max_size=6).map(tuple)
    return st.lists(st.builds(Seen, path, st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=12)


# ---------------------------------------------------------------- Markov


def worth_by_walking(seen: Sequence[Seen], order: int, without: int | None = None) -> Fraction:
    """Worth of a journey: the chain's equations solved in fractions, where walks into the states `without` a channel end at nothing."""
    start = ()
    goes: dict[tuple[int, ...], Counter[tuple[int, ...]]] = {}
    leaves: Counter[tuple[int, ...]] = Counter()
    ends: Counter[tuple[int, ...]] = Counter()
    for channels, times, worth in seen:
        states = [start, *(channels[max(0, at - order + 1) : at + 1] for at in range(len(channels)))]
        for here, there in pairwise(states):
            goes.setdefault(here, Counter())[there] += times
        leaves.update({state: times * count for state, count in Counter(states).items()})
        ends[states[-1]] += times * worth
    kept = [state for state in leaves if without not in state]
    matrix = [
        [Fraction(int(here == there)) - Fraction(goes.get(here, Counter())[there], leaves[here]) for there in kept]
        + [Fraction(ends[here], leaves[here])]
        for here in kept
    ]
    return _solve(matrix)[kept.index(start)]


def _solve(matrix: list[list[Fraction]]) -> list[Fraction]:
    """Gauss and Jordan, exactly: the last column is the right-hand side."""
    for pivot in range(len(matrix)):
        row = next(at for at in range(pivot, len(matrix)) if matrix[at][pivot])
        matrix[pivot], matrix[row] = matrix[row], matrix[pivot]
        matrix[pivot] = [value / matrix[pivot][pivot] for value in matrix[pivot]]
        for other in range(len(matrix)):
            if other != pivot and matrix[other][pivot]:
                factor = matrix[other][pivot]
                matrix[other] = [value - factor * unit for value, unit in zip(matrix[other], matrix[pivot], strict=True)]
    return [row[-1] for row in matrix]


# ---------------------------------------------------------------- Shapley


def shapley_by_definition(seen: Sequence[Seen], channels: int) -> list[Fraction]:
    """The average, over every order of adding channels, of what each adds: a term for each coalition without it."""

    def worth_of(coalition: Iterable[int]) -> int:
        return sum(each.times * each.worth for each in seen if set(each.channels) <= set(coalition))

    values = []
    for channel in range(channels):
        others = [each for each in range(channels) if each != channel]
        value = Fraction(0)
        for size in range(channels):
            part = Fraction(factorial(size) * factorial(channels - size - 1), factorial(channels))
            value += sum(part * (worth_of((*group, channel)) - worth_of(group)) for group in combinations(others, size))
        values.append(value)
    return values
