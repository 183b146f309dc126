"""The Shapley model: one pass over journeys is the sum over all coalitions."""

from __future__ import annotations

import pytest
from hypothesis import given

from app.attribution.observed import values_as_seen
from app.attribution.shapley import Coalitions
from tests.attribution.journeys import Seen, as_arrays, journeys, shapley_by_definition

CHANNELS = 5


@given(journeys(CHANNELS))
def test_one_pass_is_the_definition(seen: list[Seen]) -> None:
    arrays = as_arrays(seen, CHANNELS)
    values = values_as_seen(Coalitions(arrays), arrays)[:, 0]
    assert values == pytest.approx([float(value) for value in shapley_by_definition(seen, CHANNELS)])


def test_a_channel_counts_once_in_a_journey() -> None:
    arrays = as_arrays([Seen((0, 0, 0, 1), 4, 1), Seen((1,), 2, 1), Seen((2, 0), 9, 0)], 3)
    assert values_as_seen(Coalitions(arrays), arrays)[:, 0].tolist() == [2, 4, 0]
