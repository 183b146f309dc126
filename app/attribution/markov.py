"""The Markov model: what would be lost without a channel, in closed form.

Journeys are walks of an absorbing chain: from a start through states to an end. The states are the last `order`
channels (fewer at the beginning of a journey), and a channel touched twice in a row is a transition from a state to
itself. With Q the transitions between states, R what ends in each state are worth (for conversions: the probability of
one), π where journeys start: N = (I − Q)⁻¹ is how often each state is passed, b = N·R what is still to come, and π·b the
worth of a journey.

Removing a channel makes every walk worthless that enters a state which contains it. With S these states, the walks
enter S first in the states π·N_{·S}·(N_SS)⁻¹, and lose there what was to come: π·N_{·S}·(N_SS)⁻¹·b_S. The removal effect is
that, as a part of π·b. So one inverse serves every channel and every quantity; no chain is computed again and nothing
is simulated.

Sources: Anderl, Becker, von Wangenheim, Schumann, 'Mapping the customer journey' (2016), for chain, orders and removal
effect; Kemeny and Snell, 'Finite Markov Chains' (1960), for N and the entry into a set of states.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from app.attribution.observed import Floats, Integers, Journeys, ratio

MOST_STATES = 3_000
"""More would need an inverse of over 72 MB and many seconds."""


class TooManyStates(ValueError):
    """The journeys pass more states than a chain may have."""

    def __init__(self, states: int) -> None:
        super().__init__(f"{states} states, at most {MOST_STATES} are allowed")
        self.states = states


class Chain:
    """The absorbing chain of journeys, of order 1, 2, …: an `observed.Model`. TooManyStates if there are over `MOST_STATES`."""

    def __init__(self, journeys: Journeys, order: int = 1) -> None:
        keys = _keys(journeys, order)
        names, state = np.unique(keys, return_inverse=True)
        if len(names) > MOST_STATES:
            raise TooManyStates(len(names))
        rows = len(journeys.lengths)
        first, last = journeys.starts, journeys.starts + journeys.lengths - 1
        self.states = len(names)
        self._worth = journeys.worth.astype(np.float64)
        self._states_of = [_states_with(channel, names, journeys.channels, order) for channel in range(journeys.channels)]
        self._starts = _incidence(state[first], np.arange(rows), (self.states, rows))
        self._ends = _incidence(state[last], np.arange(rows), (self.states, rows))
        goes_on = np.ones(len(state), bool)
        goes_on[last] = False
        here = np.flatnonzero(goes_on)
        pairs, pair = np.unique(state[here] * self.states + state[here + 1], return_inverse=True)
        self._from, self._to = np.divmod(pairs, self.states)
        self._passes = _incidence(pair, journeys.row_of_touch[here], (len(pairs), rows))

    @property
    def numbers_per_draw(self) -> int:
        """Size of the largest array that one column of weights needs."""
        return max(self.states**2, len(self._worth))

    def values(self, weights: Floats) -> Floats:
        """(draws, channels, quantities): what would be lost without each channel, over all journeys."""
        return self.removal_effects(weights) * self.worth(weights)[:, None, :]

    def worth(self, weights: Floats) -> Floats:
        """(draws, quantities): what all journeys are worth."""
        return np.asarray(weights.T @ self._worth)

    def removal_effects(self, weights: Floats) -> Floats:
        """(draws, channels, quantities): the part of the worth of all journeys that would be lost without each channel."""
        passed, coming, entered = self._solved(weights)
        lost = np.stack([_lost(passed, coming, entered, states) for states in self._states_of], axis=1)
        whole = np.einsum("ds,dsq->dq", self._from_start(weights), coming)[:, None, :]
        return ratio(lost, whole)

    def _solved(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """N, b and π·N for each column of weights."""
        passes, ends = self._passes @ weights, self._ends @ weights
        worth = np.stack([self._ends @ (weights * quantity[:, None]) for quantity in self._worth.T], axis=-1)
        left = ends.copy()
        np.add.at(left, self._from, passes)
        left = np.where(left > 0, left, 1.0)
        chain = np.zeros((weights.shape[1], self.states, self.states))
        chain[:, self._from, self._to] = -(passes / left[self._from]).T
        chain[:, np.arange(self.states), np.arange(self.states)] += 1.0
        passed = np.asarray(np.linalg.inv(chain), np.float64)
        coming = passed @ (worth / left[:, :, None]).transpose(1, 0, 2)
        entered = np.einsum("ds,dst->dt", self._from_start(weights), passed)
        return passed, coming, entered

    def _from_start(self, weights: Floats) -> Floats:
        """(draws, states): where journeys start."""
        started: Floats = (self._starts @ weights).T
        return ratio(started, started.sum(axis=1, keepdims=True))


def _lost(passed: Floats, coming: Floats, entered: Floats, states: Integers) -> Floats:
    """π·N_{·S}·(N_SS)⁻¹·b_S: (draws, quantities)."""
    within = passed[:, states[:, None], states]
    lost = np.einsum("ds,dsq->dq", entered[:, states], np.linalg.solve(within, coming[:, states, :]))
    return np.asarray(np.maximum(lost, 0.0))


def _keys(journeys: Journeys, order: int) -> Integers:
    """A number for each touch that names its state: its channel and those of the touches before it, in base channels + 1."""
    base = journeys.channels + 1
    keys = journeys.touches + 1
    place = np.arange(len(keys)) - journeys.starts[journeys.row_of_touch]
    for back in range(1, order):
        before = np.zeros_like(keys)
        before[back:] = journeys.touches[:-back] + 1
        keys = keys + np.where(place >= back, before, 0) * base**back
    return keys


def _states_with(channel: int, names: Integers, channels: int, order: int) -> Integers:
    """The states that contain the channel."""
    digits = (names // (channels + 1) ** back % (channels + 1) for back in range(order))
    return np.flatnonzero(np.any([digit == channel + 1 for digit in digits], axis=0))


def _incidence(left: Integers, right: Integers, shape: tuple[int, int]) -> Any:
    """How often each pair occurs, as a sparse matrix."""
    return sparse.csr_matrix((np.ones(len(left)), (left, right)), shape=shape)
