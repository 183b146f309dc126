"""Credit by Markov and Shapley as a report: the journeys read, the model computed off the event loop, the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.models import DATA_DRIVEN
from app.attribution.observed_queries import UNLABELLED, converting_journeys, names_of_numbers, non_converting_journeys
from app.attribution.question import Question
from app.money import as_decimal_text
from app.reports.figures import Figures, as_number
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters
from app.reports.remembered import Remembered
from app.sites.site import Site

if TYPE_CHECKING:
    from app.attribution.estimate import Estimate, Row
    from app.attribution.observed import Journeys

_ROWS_AT_ONCE = 20_000
_PLACES = 6
_PLACES_OF_EFFECTS = 9
"""So that rounding to fewer places afterwards is right."""


async def estimates(
    connection: AsyncConnection, question: Question, filters: AttributionFilters, state: tuple[int, object]
) -> dict[str, Estimate | str]:
    """By each data-driven model that is asked for: its estimate, or why there is none.

    `state` is the version of the settings and the moment since which figures have not changed: while both are the same,
    the answer is. Without such a moment nothing is remembered. The connection is one of `snapshot_in_turn`.
    """
    if not filters.data_driven:
        return {}
    remembered = Remembered.of(connection.engine)
    keys = {model: (model, filters.by, filters.order, filters.seed, filters.resamples, question, state) for model in filters.data_driven}
    found = {model: remembered.get(question.site_id, key) for model, key in keys.items()}
    if missing := [model for model, answer in found.items() if answer is None]:
        names, journeys = await _journeys(connection, question, filters.by)
        for model in missing:
            found[model] = await asyncio.to_thread(_estimate, model, names, journeys, filters)
            if state[1] is not None:
                remembered.keep(question.site_id, keys[model], found[model])
    return found


def _estimate(model: str, names: Sequence[str], journeys: Journeys, filters: AttributionFilters) -> Estimate | str:
    from app.attribution.estimate import estimate
    from app.attribution.markov import TooManyStates

    try:
        return estimate(model, filters.order, names, journeys, seed=filters.seed, resamples=filters.resamples)
    except TooManyStates as error:
        return f"The chain of order {filters.order} by {filters.by} has {error}. Ask for a lower order, a coarser grouping or less time."


async def _journeys(connection: AsyncConnection, question: Question, by: str) -> tuple[list[str], Journeys]:
    """The labels, and every journey over them as their numbers."""
    from app.attribution.observed import joined

    rows = (await connection.execute(names_of_numbers(question, by), question.parameters)).all()
    name_of = {UNLABELLED: "Unassigned" if by == "channel" else "(not set)"} | {row.number: row.name for row in rows}
    names = sorted(set(name_of.values()), key=str.encode)
    place_of = {name: at for at, name in enumerate(names)}
    places = [place_of[name_of[number]] for number in sorted(name_of)]
    parts = [_encoded([], question, places)]
    for statement in (converting_journeys(question, by), non_converting_journeys(question, by)):
        result = await connection.stream(statement, question.parameters)
        parts += [await asyncio.to_thread(_encoded, found, question, places) async for found in result.partitions(_ROWS_AT_ONCE)]
    return names, joined(parts)


def _encoded(rows: Sequence[Any], question: Question, places: Sequence[int]) -> Journeys:
    """Journeys of the statements' rows; `places` has the channel of each number."""
    from app.attribution.observed import encoded

    worth = ((row.counts, max(row.net, 0), max(-row.net, 0)) if question.has_money else (row.counts,) for row in rows)
    quantities = 3 if question.has_money else 1
    return encoded((row.path for row in rows), (row.times for row in rows), worth, quantities, places)


# ---------------------------------------------------------------- the answer


def not_answered(filters: AttributionFilters) -> dict[str, str]:
    """By data-driven model that has no answer to what is asked: why."""
    return dict.fromkeys(DATA_DRIVEN, filters.not_data_driven) if filters.not_data_driven else {}


def answered(estimate: Estimate, site: Site, filters: AttributionFilters, model: str) -> dict[str, Any]:
    """What an answer says beside heading and totals."""
    order = {"order": filters.order} if model == "markov" else {}
    pairs = estimate.not_ranked
    return {
        **order,
        "seed": filters.seed,
        "resamples": filters.resamples,
        "journeys": estimate.journeys,
        "converting": estimate.converting,
        "non_converting": estimate.non_converting,
        "conversion_probability": round(estimate.converting / max(1, estimate.journeys), _PLACES),
        "declined": estimate.declined,
        "cannot_be_ranked": None if pairs is None else [list(pair) for pair in pairs],
        "rows": [_row(row, site, filters, model) for row in estimate.rows],
    }


def _row(row: Row, site: Site, filters: AttributionFilters, model: str) -> dict[str, Any]:
    money, currency = MONEY_OF_KIND.get(filters.conversion), site.settings.currency
    counts, amounts = row.millionths_range, row.minor_range
    ends: dict[str, object] = {"low": counts and as_number(counts.low), "high": counts and as_number(counts.high)}
    if money:
        ends[f"{money}_low"] = amounts and as_decimal_text(amounts.low, currency)
        ends[f"{money}_high"] = amounts and as_decimal_text(amounts.high, currency)
    effect = {"removal_effect": round(row.removal_effect, _PLACES_OF_EFFECTS)} if model == "markov" else {}
    return {filters.by: row.name} | Figures(row.millionths, row.minor).as_dict(money, currency) | ends | effect


def columns_of(model: str, money: str | None) -> list[str]:
    """What the rows of a data-driven model have beside their figures; nothing of another model."""
    ends = ["low", "high", *([f"{money}_low", f"{money}_high"] if money else [])]
    return [*ends, *(["removal_effect"] if model == "markov" else [])] if model in DATA_DRIVEN else []
