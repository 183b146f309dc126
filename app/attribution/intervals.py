"""How sure a data-driven figure is: a seeded bootstrap over journeys.

Each resample takes every journey a Poisson number of times, once on average; shares are divided by their sum, so that the
random total does not matter. A figure's interval is the middle 95 % of what the resamples give (the percentile method).
More than `MOST_LOTS` journeys are first dealt at random into so many lots, and lots are drawn: the spread of sums over
journeys shows in sums over lots alike, found to about 2 % (1 ÷ √(2·lots)), and a million journeys cost no more than their
first addition.

What is credited is a fact and stands still: the intervals are about how it is shared out. So the only channel of a site
has an interval of width zero, and rightly so.

Sources: Efron, 'Bootstrap Methods: Another Look at the Jackknife' (1979); Chamandy, Muralidharan, Najmi, Naidu,
'Estimating Uncertainty for Massive Data Streams' (2012), for Poisson weights.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy import sparse

from app.attribution.observed import Floats, Integers, Journeys, Model, shares

FEWEST_CONVERSIONS = 30
"""Below, percentiles of a bootstrap are known to be too narrow: a sample so small does not hold what the next one would show."""
MOST_LOTS = 1_000
AT_ONCE = 4_000_000
"""Most numbers in a working array of several resamples: 32 MB."""
MOST_ROWS_RANKED = 50
"""Only the first so many rows are compared with each other: pairs grow with the square."""
CONFIDENCE = 0.95


def resampled_shares(model: Model, journeys: Journeys, *, seed: int, resamples: int) -> Floats:
    """(resamples, channels, quantities): each channel's part of the whole in each resample. The same seed gives the same."""
    chance = np.random.default_rng(seed)
    sums_of_lots = model.features @ _dealt(journeys.seen, chance)
    at_once = max(1, AT_ONCE // max(1, model.numbers_a_draw))
    blocks = []
    for begun in range(0, resamples, at_once):
        times = chance.poisson(1.0, (min(at_once, resamples - begun), sums_of_lots.shape[1]))
        blocks.append(shares(model.values(np.asarray(sums_of_lots @ times.T.astype(np.float64)))))
    return np.concatenate(blocks)


def _dealt(seen: Integers, chance: np.random.Generator) -> Any:
    """Every journey dealt at random into one of `MOST_LOTS` lots of the same size: how many of each row (rows, lots) got."""
    rows = np.repeat(np.arange(len(seen)), seen)
    lots = min(len(rows), MOST_LOTS)
    lot = chance.permutation(len(rows)) % max(1, lots)
    return sparse.csc_matrix((np.ones(len(rows)), (rows, lot)), shape=(len(seen), lots))


def bounds(figures: Floats, resampled: Floats) -> tuple[Floats, Floats]:
    """The ends of each figure's interval; `resampled` has a row a resample.

    The percentiles of a skewed figure can miss the figure itself by a little: then the interval is widened to hold it.
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return np.minimum(low, figures), np.maximum(high, figures)


def pairs_not_ranked(resampled: Floats) -> list[tuple[int, int]]:
    """Pairs of columns of which neither is the greater in at least 97.5 % of the resamples: the interval of their difference holds zero."""
    enough = len(resampled) * (1 + CONFIDENCE) / 2
    columns = range(resampled.shape[1])
    return [
        (left, right)
        for left, right in combinations(columns, 2)
        if max(_times_greater(resampled, left, right), _times_greater(resampled, right, left)) < enough
    ]


def _times_greater(resampled: Floats, left: int, right: int) -> int:
    return int((resampled[:, left] > resampled[:, right]).sum())
