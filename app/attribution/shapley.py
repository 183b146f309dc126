"""The Shapley model: what each channel adds, on average over every order in which channels could be added.

The players are channels, and a coalition is worth what the journeys are worth that need no other channel: v(C) is the
sum over journeys whose set of channels lies within C. Such a v is a sum of games, one a journey, each of which is won by
the coalitions that hold all of that journey's channels; all of them are needed alike, so each gets the same part, and
the Shapley value is additive: φ(c) = Σ worth(journey) ÷ |its channels|, over the journeys with c. One pass over the
journeys is exact, where the definition has a term for each of 2ⁿ coalitions.

Source: Zhao, Mahboobi, Bagheri, 'Shapley Value Methods for Attribution Modeling in Online Advertising' (2018), theorem 1,
where it is called the simplified formula.

A journey that did not convert is worth nothing in v, and so moves no value; as v over the number of all journeys is the
probability that a journey converts within C, such journeys scale every value alike. A ratio inside each coalition
(conversions ÷ journeys of that very set) would let a set that was seen once outweigh one that was seen a thousand times,
and is not computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from app.attribution.observed import Floats, Journeys, distinct


class Coalitions:
    """The sets of channels of journeys: an `observed.Model`. Its features are the values themselves, which are sums."""

    def __init__(self, journeys: Journeys) -> None:
        rows, self._channels = len(journeys.lengths), journeys.channels
        members, _ = distinct(journeys.row_of_touch * self._channels + journeys.touches, rows * self._channels)
        row, channel = np.divmod(members, self._channels)
        sizes = np.bincount(row, minlength=rows)
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        parts = [sparse.csc_matrix(((worth / sizes)[row], channel, bounds), shape=(self._channels, rows)) for worth in journeys.worth.T]
        self.features: Any = sparse.vstack(parts, format="csc")
        self.numbers_a_draw = self.features.shape[0]

    def values(self, sums: Floats) -> Floats:
        """(draws, channels, quantities): the Shapley value of each channel, over all journeys."""
        return sums.reshape(-1, self._channels, sums.shape[1]).transpose(2, 1, 0)
