"""The Markov model: what would be lost without a channel, in closed form.

Journeys are walks of an absorbing chain: from a start through states to an end. The states are the last `order`
channels (fewer at the beginning of a journey), and a channel touched twice in a row is a transition from a state to
itself. With Q the transitions between states, R what ends in each state are worth (for conversions: the probability of
one), π where journeys start: N = (I − Q)⁻¹ is how often each state is passed, b = N·R what is still to come, and π·b the
worth of a journey.

Removing a channel makes every walk worthless that enters a state which contains it. With S these states, the walks
enter S first in the states π·N_{·S}·(N_SS)⁻¹, and lose there what was to come: π·N_{·S}·(N_SS)⁻¹·b_S. The removal effect is
that, as a part of π·b; with π as numbers of journeys, what is lost is that of all journeys. So one inverse serves every
channel and every quantity; no chain is computed again and nothing is simulated.

Sources: Anderl, Becker, von Wangenheim, Schumann, 'Mapping the customer journey' (2016), for chain, orders and removal
effect; Kemeny and Snell, 'Finite Markov Chains' (1960), for N and the entry into a set of states.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from app.attribution.observed import Floats, Integers, Journeys, distinct, ratio

MOST_STATES = 3_000
"""More would need an inverse of over 72 MB and many seconds."""


class TooManyStates(ValueError):
    """The journeys pass more states than a chain may have."""

    def __init__(self, states: int) -> None:
        super().__init__(f"{states} states, at most {MOST_STATES} are allowed")
        self.states = states


class Chain:
    """The absorbing chain of journeys, of order 1, 2, …: an `observed.Model`. TooManyStates if there are over `MOST_STATES`.

    Its features are how often journeys go from one state to another, start in a state, end in it, and what those that end
    in it are worth, by quantity.
    """

    def __init__(self, journeys: Journeys, order: int = 1) -> None:
        names, state = distinct(_keys(journeys, order), (journeys.channels + 1) ** order)
        if len(names) > MOST_STATES:
            raise TooManyStates(len(names))
        self.states = len(names)
        self.numbers_a_draw = self.states**2
        self._states_of = [_states_with(channel, names, journeys.channels, order) for channel in range(journeys.channels)]
        last = journeys.bounds[1:] - 1
        goes_on = np.ones(len(state), bool)
        goes_on[last] = False
        here = np.flatnonzero(goes_on)
        pairs, pair = distinct(state[here] * self.states + state[here + 1], self.states**2)
        self._from, self._to = np.divmod(pairs, self.states)
        by_row = partial(sparse.csc_matrix, shape=(self.states, len(last)))
        rows = np.arange(len(last) + 1)
        passes = sparse.csc_matrix((np.ones(len(pair)), pair, journeys.bounds - rows), shape=(len(pairs), len(last)))
        starts = by_row((np.ones(len(last)), state[journeys.bounds[:-1]], rows))
        ends = [by_row((worth, state[last], rows)) for worth in (np.ones(len(last)), *journeys.worth.T.astype(np.float64))]
        self.features: Any = sparse.vstack([passes, starts, *ends], format="csc")

    def values(self, sums: Floats) -> Floats:
        """(draws, channels, quantities): what would be lost without each channel: its removal effect times what all journeys are worth."""
        starts, chain, worth = self._parts(sums)
        passed = np.asarray(np.linalg.inv(chain))
        coming = passed @ worth
        entered = np.einsum("ds,dst->dt", starts, passed)
        return np.stack([_lost(passed, coming, entered, states) for states in self._states_of], axis=1)

    def _parts(self, sums: Floats) -> tuple[Floats, Floats, Floats]:
        """π as numbers of journeys, I − Q, and R, each with a first axis of draws."""
        passes, others = sums[: len(self._from)], sums[len(self._from) :].reshape(-1, self.states, sums.shape[1])
        starts, ends, worth = others[0], others[1], others[2:]
        left = ends.copy()
        np.add.at(left, self._from, passes)
        chain = np.tile(np.eye(self.states), (sums.shape[1], 1, 1))
        chain[:, self._from, self._to] -= ratio(passes, left[self._from]).T
        return starts.T, chain, ratio(worth, left).transpose(2, 1, 0)


def _lost(passed: Floats, coming: Floats, entered: Floats, states: Integers) -> Floats:
    """π·N_{·S}·(N_SS)⁻¹·b_S: (draws, quantities)."""
    within = passed[:, states[:, None], states]
    lost = np.einsum("ds,dsq->dq", entered[:, states], np.linalg.solve(within, coming[:, states, :]))
    return np.asarray(np.maximum(lost, 0.0))


def _keys(journeys: Journeys, order: int) -> Integers:
    """A number for each touch that names its state: its channel and those of the touches before it, in base channels + 1."""
    base = journeys.channels + 1
    keys = journeys.touches + 1
    if order > 1:
        place = np.arange(len(keys)) - journeys.bounds[journeys.row_of_touch]
    for back in range(1, order):
        before = np.zeros_like(keys)
        before[back:] = journeys.touches[:-back] + 1
        keys = keys + np.where(place >= back, before, 0) * base**back
    return keys


def _states_with(channel: int, names: Integers, channels: int, order: int) -> Integers:
    """The states that contain the channel."""
    digits = (names // (channels + 1) ** back % (channels + 1) for back in range(order))
    return np.flatnonzero(np.any([digit == channel + 1 for digit in digits], axis=0))
