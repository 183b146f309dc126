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

import numpy as np
from scipy import sparse

from app.attribution.observed import Floats, Journeys


class Coalitions:
    """The sets of channels of journeys: an `observed.Model`."""

    def __init__(self, journeys: Journeys) -> None:
        rows = len(journeys.lengths)
        row, channel = np.divmod(np.unique(journeys.row_of_touch * journeys.channels + journeys.touches), journeys.channels)
        part = 1.0 / np.bincount(row, minlength=rows)[row]
        self._parts = sparse.csr_matrix((part, (channel, row)), shape=(journeys.channels, rows))
        self._worth = journeys.worth.astype(np.float64)

    @property
    def numbers_per_draw(self) -> int:
        """Size of the largest array that one column of weights needs."""
        return len(self._worth)

    def values(self, weights: Floats) -> Floats:
        """(draws, channels, quantities): the Shapley value of each channel, over all journeys."""
        return np.stack([(self._parts @ (weights * quantity[:, None])).T for quantity in self._worth.T], axis=-1)
