"""The statistics of a holdout test, against published figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.lift import Estimate, Group, absolute_lift, is_small, lift, p_value, rate, relative_lift

# R. G. Newcombe, 'Two-sided confidence intervals for the single proportion', Statistics in Medicine 17 (1998), table I, method 3.
SCORE_INTERVALS = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]

# The same author, 'Interval estimation for the difference between independent proportions', table II, method 10.
HYBRID_SCORE_INTERVALS = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


@pytest.mark.parametrize(("conversions", "people", "low", "high"), SCORE_INTERVALS)
def test_a_rate_has_the_score_interval(conversions: int, people: int, low: float, high: float) -> None:
    assert rate(Group(people, conversions)) == Estimate(
        pytest.approx(conversions / people), pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5)
    )


@pytest.mark.parametrize(("a", "m", "b", "n", "low", "high"), HYBRID_SCORE_INTERVALS)
def test_a_difference_has_the_hybrid_score_interval(a: int, m: int, b: int, n: int, low: float, high: float) -> None:
    found = absolute_lift(Group(m, a), Group(n, b))
    assert (found.value, found.low, found.high) == (
        pytest.approx(a / m - b / n),
        pytest.approx(low, abs=5e-5),
        pytest.approx(high, abs=5e-5),
    )


def test_a_ratio_has_the_interval_of_its_logarithm() -> None:
    # Heart attacks without and with aspirin: the ratio is 1.82, from 1.43 to 2.31 (A. Agresti, Categorical Data Analysis, chapter 3).
    found = relative_lift(Group(11_034, 189), Group(11_037, 104))
    assert found is not None
    assert (round(found.value, 2), round(found.low, 2), round(found.high, 2)) == (0.82, 0.43, 1.31)
    assert relative_lift(Group(10, 1), Group(10, 0)) is None
    assert relative_lift(Group(10, 0), Group(10, 1)) is None


def test_the_p_value_is_fishers() -> None:
    # The lady who tasted tea: three of four cups right; 34/70 for a table as unlike as that.
    assert p_value(Group(4, 3), Group(4, 1)) == pytest.approx(34 / 70)


def test_small_is_what_expects_fewer_than_five() -> None:
    assert not is_small(Group(100, 5), Group(100, 5))
    assert is_small(Group(100, 5), Group(100, 4))
    assert is_small(Group(100, 96), Group(100, 95))
    assert is_small(Group(1_000_000, 10_000), Group(400, 4))


def test_what_showing_it_made_is_the_difference_among_those_shown() -> None:
    found = lift(Group(1_000, 50), Group(500, 15))
    assert found.incremental.value == pytest.approx(20)
    assert found.incremental.low == pytest.approx(1_000 * found.absolute.low)
    assert [found.incremental.compared(each) for each in (-5, 20, 60)] == ["below", "within", "above"]


def test_a_very_large_experiment_takes_no_time() -> None:
    found = lift(Group(10**9, 5 * 10**8 + 40_000), Group(10**9, 5 * 10**8))
    assert found.absolute.low < 4e-5 < found.absolute.high
    assert 0 < found.p_value < 1


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 300), st.integers(0, 300))
def test_intervals_hold_their_figure_and_turn_with_the_groups(m: int, a: int, n: int, b: int) -> None:
    shown, held_out = Group(m, min(a, m)), Group(n, min(b, n))
    there, back = absolute_lift(shown, held_out), absolute_lift(held_out, shown)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))


@pytest.mark.parametrize(("people", "conversions"), [(0, 0), (10, 11), (10, -1)])
def test_impossible_counts_are_refused(people: int, conversions: int) -> None:
    with pytest.raises(ValueError, match="person"):
        Group(people, conversions)
