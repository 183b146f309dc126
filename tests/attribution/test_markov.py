"""The Markov model: its closed form is what removing channels one by one gives."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.attribution.markov import MOST_STATES, Chain, TooManyStates
from app.attribution.observed import Floats, Journeys, ratio, values_as_seen
from tests.attribution.journeys import Seen, as_arrays, journeys, worth_by_walking

CHANNELS = 4


def effects_of(arrays: Journeys, order: int = 1) -> Floats:
    return ratio(values_as_seen(Chain(arrays, order), arrays), arrays.total)[:, 0]


@given(journeys(CHANNELS), st.sampled_from([1, 2, 3]))
def test_the_closed_form_is_removal_by_brute_force(seen: list[Seen], order: int) -> None:
    arrays = as_arrays(seen, CHANNELS)
    effects = effects_of(arrays, order)
    whole = worth_by_walking(seen, order)
    for channel in range(CHANNELS):
        left = worth_by_walking(seen, order, without=channel)
        assert effects[channel] == pytest.approx(float(1 - left / whole) if whole else 0.0, abs=1e-9)


@given(journeys(CHANNELS), st.sampled_from([1, 2, 3]))
def test_the_chain_is_worth_what_the_journeys_are(seen: list[Seen], order: int) -> None:
    times = sum(each.times for each in seen)
    assert worth_by_walking(seen, order) * times == as_arrays(seen, CHANNELS).total[0]


def test_a_small_chain_by_hand() -> None:
    # 0 → 1 converts, 0 alone does not: of three journeys one converts, and none without channel 0 or without channel 1.
    arrays = as_arrays([Seen((0, 1), 1, 1), Seen((0,), 2, 0), Seen((2,), 1, 1)], 3)
    assert effects_of(arrays) == pytest.approx([0.5, 0.5, 0.5])


def test_order_two_sees_what_came_before() -> None:
    # Channel 2 converts after 0, never after 1: order 1 cannot tell them apart there.
    arrays = as_arrays([Seen((0, 2), 5, 1), Seen((1, 2), 5, 0)], 3)
    assert effects_of(arrays, 1) == pytest.approx([0.5, 0.5, 1])
    assert effects_of(arrays, 2) == pytest.approx([1, 0, 1])


def test_several_draws_at_once_are_each_alone() -> None:
    seen = [Seen((0, 1, 1), 5, 1), Seen((1, 2), 3, 0), Seen((2, 0), 2, 2)]
    chain = Chain(as_arrays(seen, 3), 2)
    draws = np.array([[5.0, 1.0], [3.0, 0.0], [2.0, 4.0]])
    together = chain.values(chain.features @ draws)
    for at in (0, 1):
        assert together[at] == pytest.approx(chain.values(chain.features @ draws[:, [at]])[0])


def test_nothing_worth_anything_has_no_effect() -> None:
    arrays = as_arrays([Seen((0, 1), 5, 0)], 2)
    assert effects_of(arrays).tolist() == [0, 0]


def test_a_chain_of_too_many_states_is_refused() -> None:
    with pytest.raises(TooManyStates):
        Chain(as_arrays([Seen((channel,), 1, 1) for channel in range(MOST_STATES + 1)], MOST_STATES + 1))


def test_the_published_figures_of_a_public_set() -> None:
    """Order 1 over the example set that the `mta` project distributes (MIT licence, copyright 2024 Igor Korostil)."""
    packed = Path(__file__).with_name("published_journeys.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    names = lines[0].split(",")
    counted = [line.split(" ") for line in lines[1:]]
    seen = [Seen(tuple(int(at, 36) for at in path), int(times), worth) for path, *both in counted for worth, times in enumerate(both)]
    arrays = as_arrays([each for each in seen if each.times], len(names))
    effects = dict(zip(names, effects_of(arrays), strict=True))
    assert arrays.total[0] / arrays.seen.sum() == pytest.approx(0.223845, abs=5e-7)
    published = {"alpha": 0.55840, "iota": 0.40584, "eta": 0.34903, "beta": 0.26404}
    assert {name: round(float(effects[name]), 5) for name in published} == published
