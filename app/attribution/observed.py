"""Journeys as arrays: what the data-driven models are computed from.

A *row* is a distinct journey (its channels in order, and what each such journey was worth) and how often it was seen.
Channels are numbers from 0. All that a model needs to know of journeys are *sums* over them, its `features`; so a
resample of journeys is nothing but other weights in these sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_LARGEST_TABLE = 1 << 25
_ENDS_ROW = ord("/")
_ZERO = ord("0")


@dataclass(frozen=True)
class Journeys:
    """Distinct journeys, one after another."""

    channels: int
    """How many channels there are; each number in `touches` is smaller."""
    touches: Integers
    """The channel of every touch, row after row."""
    lengths: Integers
    """Touches of each row; at least one."""
    seen: Integers
    """How often each row was seen."""
    worth: Integers
    """(rows, quantities): what one journey of the row was worth, never negative; all zero if it did not convert."""

    @cached_property
    def bounds(self) -> Integers:
        """Where in `touches` each row begins, and at last where they end: one more than there are rows."""
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths)])

    @cached_property
    def row_of_touch(self) -> Integers:
        """The row of every touch."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def total(self) -> Floats:
        """What all journeys were worth, by quantity."""
        return np.asarray(self.seen @ self.worth, np.float64)


class Model(Protocol):
    """A data-driven model of journeys that it was given."""

    features: Any
    """A sparse matrix (features, rows): what one journey of a row adds to each of the sums that the model looks at."""
    numbers_a_draw: int
    """Size of the largest array that one draw needs."""

    def values(self, sums: Floats) -> Floats:
        """(draws, channels, quantities), never negative: what each channel is worth, from (features, draws)."""


def values_as_seen(model: Model, journeys: Journeys) -> Floats:
    """(channels, quantities): what each channel is worth by the journeys as they were seen."""
    return np.asarray(model.values((model.features @ journeys.seen.astype(np.float64))[:, None])[0])


def encoded(
    paths: Iterable[str], seen: Iterable[int], worth: Iterable[tuple[int, ...]], quantities: int, places: Sequence[int]
) -> Journeys:
    """Journeys from decimal numbers with commas between them, how often seen, and the worth of each; `places` has each number's channel."""
    text = np.frombuffer("/".join([*paths, ""]).encode("ascii"), np.uint8)
    ends = np.flatnonzero(text < _ZERO)
    rows_end = np.flatnonzero(text[ends] == _ENDS_ROW)
    channel_of = np.array(places, np.int64)
    return Journeys(
        channels=int(channel_of.max(initial=-1)) + 1,
        touches=channel_of[_numbers(text, ends)],
        lengths=np.diff(rows_end, prepend=-1),
        seen=np.array(list(seen), np.int64),
        worth=np.array(list(worth), np.int64).reshape(-1, quantities),
    )


def _numbers(text: NDArray[np.uint8], ends: Integers) -> Integers:
    """The decimal numbers that end before the places `ends`, each begun after the place before it."""
    width = np.diff(ends, prepend=-1) - 1
    numbers = np.zeros(len(ends), np.int64)
    for place in range(int(width.max(initial=0))):
        has_digit = np.flatnonzero(width > place)
        digits = text[ends[has_digit] - 1 - place].astype(np.int64) - _ZERO
        numbers[has_digit] += digits * 10**place
    return numbers


def joined(parts: Sequence[Journeys]) -> Journeys:
    """Journeys over the same channels as one. At least one part is needed."""
    arrays = {name: np.concatenate([getattr(each, name) for each in parts]) for name in ("touches", "lengths", "seen", "worth")}
    return Journeys(parts[0].channels, **arrays)


def distinct(keys: Integers, bound: int) -> tuple[Integers, Integers]:
    """The different keys in order, and the place of each key among them; every key is smaller than `bound`."""
    if bound > _LARGEST_TABLE:
        names, places = np.unique(keys, return_inverse=True)
        return names, places
    is_there = np.zeros(bound, bool)
    is_there[keys] = True
    names = np.flatnonzero(is_there)
    place_of = np.zeros(bound, np.int64)
    place_of[names] = np.arange(len(names))
    return names, place_of[keys]


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part` ÷ `whole`, and zero where the whole is zero."""
    return np.asarray(np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0))


def shares(values: Floats) -> Floats:
    """Each channel's part of the whole, along the axis of channels (the last but one)."""
    return ratio(values, values.sum(axis=-2, keepdims=True))
