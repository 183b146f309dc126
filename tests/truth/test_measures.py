"""How far credit is from the truth, by hand."""

from __future__ import annotations

import pytest

from app.truth.measures import mean_error, misplaced_share

BY_HAND: list[tuple[dict[str, float], dict[str, float], float | None, float]] = [
    ({"a": 10, "b": 30}, {"a": 1, "b": 3}, 0.0, 18.0),
    ({"a": 10}, {"b": 10}, 1.0, 10.0),
    ({"a": 3, "b": 1}, {"a": 1, "b": 1}, 0.25, 1.0),
    ({"a": 2, "direct": 2}, {"a": 2}, 0.5, 1.0),
    ({"a": 2}, {"a": 0}, None, 2.0),
    ({}, {"a": 4}, None, 4.0),
]


@pytest.mark.parametrize(("credited", "caused", "share", "error"), BY_HAND)
def test_by_hand(credited: dict[str, float], caused: dict[str, float], share: float | None, error: float) -> None:
    assert misplaced_share(credited, caused) == (None if share is None else pytest.approx(share))
    assert mean_error(credited, caused) == pytest.approx(error)


def test_nothing_at_all_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="no channel"):
        mean_error({}, {})
