"""Journeys as arrays: what the data-driven models are computed from.

A *row* is a distinct journey (its channels in order, and what each such journey was worth) and how often it was seen.
Channels are numbers from 0. A *weight* is how often a row counts: how often it was seen, or was drawn in a resample.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

AT_ONCE = 4_000_000
"""Most numbers in a working array of several resamples: 32 MB."""


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
    def starts(self) -> Integers:
        """Where in `touches` each row begins."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def row_of_touch(self) -> Integers:
        """The row of every touch."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def once(self) -> Floats:
        """(rows, 1): the weights of the journeys as they were seen."""
        return self.seen.astype(np.float64)[:, None]


class Model(Protocol):
    """A data-driven model over journeys that it was given."""

    @property
    def numbers_per_draw(self) -> int:
        """Size of the largest array that one column of weights needs."""

    def values(self, weights: Floats) -> Floats:
        """(draws, channels, quantities), never negative: what each channel is worth, for each column of (rows, draws)."""


def encoded(rows: Iterable[tuple[str, int, tuple[int, ...]]], channels: int) -> Journeys:
    """Journeys from (channels as numbers with commas between them, how often seen, worth of each)."""
    texts, seen, worth = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    touches = np.fromstring(",".join(texts), dtype=np.int64, sep=",") if texts else np.zeros(0, np.int64)
    lengths = np.fromiter((text.count(",") + 1 for text in texts), np.int64, len(texts))
    return Journeys(channels, touches, lengths, np.array(seen, np.int64), _table(worth))


def joined(parts: Iterable[Journeys]) -> Journeys:
    """Journeys over the same channels as one; at least one part is needed."""
    every = list(parts)
    arrays = {name: np.concatenate([getattr(each, name) for each in every]) for name in ("touches", "lengths", "seen", "worth")}
    return Journeys(every[0].channels, **arrays)


def _table(worth: Iterable[tuple[int, ...]]) -> Any:
    found = np.array(list(worth), np.int64)
    return found.reshape(len(found), -1) if len(found) else np.zeros((0, 1), np.int64)


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part` ÷ `whole`, and zero where the whole is zero."""
    return np.asarray(np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0))


def shares(values: Floats) -> Floats:
    """Each channel's part of the whole, along the axis of channels (the second of three); zero where the whole is zero."""
    whole = values.sum(axis=1, keepdims=True)
    return ratio(values, whole)
