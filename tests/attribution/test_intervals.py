"""Intervals: seeded, about as wide as the spread is, and modest where there is little to go by."""

from __future__ import annotations

import numpy as np
import pytest

from app.attribution.estimate import MOST_STATES_RESAMPLED, Estimate, estimate
from app.attribution.intervals import MOST_LOTS, pairs_not_ranked, resampled_shares
from app.attribution.observed import Journeys
from app.attribution.shapley import Coalitions
from tests.attribution.journeys import Seen, as_arrays

NAMES = ["a", "b", "c"]


def of(journeys: Journeys, model: str = "shapley", seed: int = 1, names: list[str] = NAMES) -> Estimate:
    return estimate(model, 1, names, journeys, seed=seed, resamples=200)


def alone(*times: int) -> Journeys:
    """Journeys of one touch each, so often by each channel: shares are proportions, whose spread is known."""
    return as_arrays([Seen((channel,), count, 1) for channel, count in enumerate(times)], len(times))


@pytest.mark.parametrize("conversions", [400, 40_000])
def test_intervals_are_as_wide_as_the_binomial_spread(conversions: int) -> None:
    # 40,000 journeys are drawn in lots, 400 one by one: both must show the spread of a proportion.
    assert (conversions > MOST_LOTS) == (conversions == 40_000)
    shares = resampled_shares(
        Coalitions(alone(conversions // 4, 3 * conversions // 4)), alone(conversions // 4, 3 * conversions // 4), seed=3, resamples=1_000
    )
    assert shares[:, 0, 0].std() == pytest.approx((0.25 * 0.75 / conversions) ** 0.5, rel=0.12)
    assert shares[:, 0, 0].mean() == pytest.approx(0.25, abs=0.002)


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    journeys = alone(40, 30, 30)
    assert of(journeys) == of(journeys)
    assert of(journeys).rows[0].millionths_range != of(journeys, seed=2).rows[0].millionths_range


@pytest.mark.parametrize("model", ["markov", "shapley"])
def test_every_interval_holds_its_figure_and_the_whole_stands_still(model: str) -> None:
    seen = [Seen((0, 1), 60, 1), Seen((1,), 20, 1), Seen((0, 2), 50, 0), Seen((2, 1, 0), 5, 1)]
    found = of(as_arrays(seen, 3), model)
    assert sum(row.millionths for row in found.rows) == 85_000_000
    for row in found.rows:
        assert row.millionths_range is not None
        assert row.millionths_range.low <= row.millionths <= row.millionths_range.high <= 85_000_000
    assert (found.journeys, found.converting, found.non_converting) == (135, 85, 50)


def test_the_only_channel_is_sure_of_all() -> None:
    (row,) = of(alone(30), names=["a"]).rows
    assert row.millionths_range is not None
    assert (row.millionths_range.low, row.millionths_range.high) == (30_000_000, 30_000_000)


def test_what_is_close_cannot_be_ranked_and_what_is_far_apart_can() -> None:
    assert of(alone(100, 98, 20)).not_ranked == (("a", "b"),)
    equal = np.ones((100, 2))
    assert pairs_not_ranked(equal) == [(0, 1)]


def test_too_few_conversions_are_told_and_credited_all_the_same() -> None:
    found = of(alone(20, 9, 0))
    assert found.declined is not None
    assert "29 conversions" in found.declined
    assert found.not_ranked is None
    assert [(row.name, row.millionths, row.millionths_range) for row in found.rows] == [("a", 20_000_000, None), ("b", 9_000_000, None)]
    assert of(alone(20, 10, 0)).declined is None


def test_a_large_chain_has_figures_but_no_intervals() -> None:
    many = MOST_STATES_RESAMPLED + 1
    found = of(alone(*[1] * many), "markov", names=[f"{at:04d}" for at in range(many)])
    assert found.declined is not None
    assert "lower order" in found.declined
    assert [row.millionths for row in found.rows] == [1_000_000] * many


def test_money_taken_back_goes_by_what_was_taken_back() -> None:
    journeys = Journeys(2, np.array([0, 1, 1]), np.array([1, 1, 1]), np.array([30, 1, 1]), np.array([[1, 100, 0], [0, 0, 50], [1, 7, 0]]))
    for model in ("markov", "shapley"):
        found = of(journeys, model, names=["a", "b"])
        assert [(row.name, row.millionths, row.minor) for row in found.rows] == [("a", 30_000_000, 3_000), ("b", 1_000_000, -43)]


def test_nothing_at_all_has_no_rows() -> None:
    for model in ("markov", "shapley"):
        assert of(as_arrays([], 3), model).rows == ()
