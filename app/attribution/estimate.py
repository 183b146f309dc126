"""Credit by a data-driven model: exact integers that add up, each with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.attribution.intervals import FEWEST_CONVERSIONS, MOST_ROWS_RANKED, bounds, pairs_not_ranked, resampled_shares
from app.attribution.markov import Chain
from app.attribution.observed import Floats, Journeys, Model, ratio, values_as_seen
from app.attribution.question import MILLION
from app.attribution.shapley import Coalitions
from app.money import split

MOST_STATES_RESAMPLED = 500
"""Each resample of a Markov chain needs an inverse: beyond, some hundreds of them take minutes."""

_TOO_FEW = (
    f"{{}} conversions are fewer than {FEWEST_CONVERSIONS}: so few do not show how much the next ones would differ, and an interval "
    "from them would look surer than it is. Ask for a longer time."
)


@dataclass(frozen=True)
class Range:
    """The interval of one figure, in its units."""

    low: int
    high: int


@dataclass(frozen=True)
class Row:
    """What one label of the dimension got."""

    name: str
    millionths: int
    minor: int
    removal_effect: float
    """The part of all conversions that would be lost without it (Markov), or that it brought (Shapley)."""
    millionths_range: Range | None
    minor_range: Range | None


@dataclass(frozen=True)
class Estimate:
    """The rows, the greatest first; those with nothing are left out."""

    rows: tuple[Row, ...]
    journeys: int
    """Those that convert, those that do not, and those of which only the money changed within the interval."""
    converting: int
    non_converting: int
    not_ranked: tuple[tuple[str, str], ...] | None
    """Pairs of names, among the first `MOST_ROWS_RANKED` rows; None where it was declined to say."""
    declined: str | None
    """Why there are no intervals; None where there are."""


def estimate(name: str, order: int, names: Sequence[str], journeys: Journeys, *, seed: int, resamples: int) -> Estimate:
    """Credit of the labels `names` by the model `name` (`markov` of that order, or `shapley`).

    The quantities of `journeys.worth` are conversions and, where there is money, minor units gained and taken back: what
    was taken back is shared out by who brought in what was taken back. Raises `markov.TooManyStates`.
    """
    if not len(journeys.seen):
        return Estimate((), 0, 0, 0, None, _TOO_FEW.format(0))
    model = Chain(journeys, order) if name == "markov" else Coalitions(journeys)
    values = values_as_seen(model, journeys)
    declined = _reason_to_decline(model, journeys)
    resampled = None if declined else resampled_shares(model, journeys, seed=seed, resamples=resamples)
    rows = _rows(names, journeys, values, resampled)
    best = sorted(range(len(rows)), key=lambda at: (-rows[at].millionths, -rows[at].minor, rows[at].name.encode()))
    shown = [at for at in best if rows[at].millionths or rows[at].minor]
    return Estimate(
        rows=tuple(rows[at] for at in shown),
        journeys=int(journeys.seen.sum()),
        converting=int(journeys.total[0]),
        non_converting=int(journeys.seen[~journeys.worth.any(axis=1)].sum()),
        not_ranked=None if resampled is None else _pairs(names, resampled[:, :, 0], shown[:MOST_ROWS_RANKED]),
        declined=declined,
    )


def _reason_to_decline(model: Model, journeys: Journeys) -> str | None:
    conversions = int(journeys.total[0])
    if conversions < FEWEST_CONVERSIONS:
        return _TOO_FEW.format(conversions)
    states = model.states if isinstance(model, Chain) else 0
    if states > MOST_STATES_RESAMPLED:
        return f"{states} states are over {MOST_STATES_RESAMPLED}: too many to solve again for each resample. Ask for a lower order."
    return None


def _rows(names: Sequence[str], journeys: Journeys, values: Floats, resampled: Floats | None) -> list[Row]:
    wholes = [int(total) for total in (journeys.seen.astype(object) @ journeys.worth.astype(object))]
    wholes[0] *= MILLION
    parts = [split(whole, values[:, at].tolist()) for at, whole in enumerate(wholes)]
    minor = [gained - taken_back for gained, taken_back in zip(*parts[1:], strict=True)] or [0] * len(names)
    effects = ratio(values, journeys.total)[:, 0]
    ranges: list[list[Range | None]] = [[None] * len(names), [None] * len(names)]
    if resampled is not None:
        amounts = np.moveaxis(resampled * np.array(wholes, np.float64), 2, 0)
        ranges = [_ranges(parts[0], amounts[0]), _ranges(minor, _net(amounts))]
    columns = zip(names, parts[0], minor, effects.tolist(), *ranges, strict=True)
    return [Row(*cells) for cells in columns]


def _net(quantities: Floats) -> Floats:
    """What was gained without what was taken back, of quantities along the first axis; zero where there is no money."""
    return np.asarray(quantities[1] - quantities[2] if len(quantities) > 1 else quantities[0] * 0)


def _ranges(figures: Sequence[int], resampled: Floats) -> list[Range | None]:
    low, high = bounds(np.array(figures, np.float64), resampled)
    return [Range(int(down), int(up)) for down, up in zip(np.floor(low), np.ceil(high), strict=True)]


def _pairs(names: Sequence[str], resampled: Floats, shown: Sequence[int]) -> tuple[tuple[str, str], ...]:
    pairs = pairs_not_ranked(resampled[:, shown])
    return tuple((names[shown[left]], names[shown[right]]) for left, right in pairs)
