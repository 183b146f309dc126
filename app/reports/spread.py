"""Models side by side: what each gives every channel, campaign, …, and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app.money import as_decimal_text
from app.reports.figures import as_number
from app.reports.influence import influence_columns
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters

Answer = dict[str, Any]


def spread(answers: Mapping[str, Answer], filters: AttributionFilters) -> list[Answer]:
    """A row a label: its least and its greatest figure over all models, and their difference; the widest first."""
    rows = [_labels(row, filters) | row["spread"] for row in side_by_side(answers, filters)]
    return sorted(rows, key=lambda row: -row["conversions"]["difference"])


def side_by_side(answers: Mapping[str, Answer], filters: AttributionFilters) -> list[Answer]:
    """A row a label: the figures of each model by its name, and their `spread`; the greatest first. What it had part in, if that is asked
    for, is the same under each model."""
    names = filters.by.split(",")
    found: dict[tuple[str, ...], dict[str, Answer]] = {}
    for model, answer in answers.items():
        for row in answer["rows"]:
            found.setdefault(tuple(row[name] for name in names), {})[model] = row
    rows = [_row(dict(zip(names, labels, strict=True)), by_model, answers, filters) for labels, by_model in found.items()]
    return sorted(rows, key=lambda row: (-row["spread"]["conversions"]["max"], [row[name] for name in names]))


def _row(labels: Answer, by_model: Mapping[str, Answer], models: Mapping[str, Answer], filters: AttributionFilters) -> Answer:
    money, currency = MONEY_OF_KIND.get(filters.conversion), next(iter(models.values()))["currency"]
    figures = {"conversions": {model: by_model[model]["conversions"] if model in by_model else 0 for model in models}}
    ends: Answer = {"conversions": _ends(figures["conversions"].values())}
    if money:
        zero = as_decimal_text(0, currency)
        figures[money] = {model: by_model[model][money] if model in by_model else zero for model in models}
        amounts = [Decimal(amount) for amount in figures[money].values()]
        ends[money] = {"min": f"{min(amounts):f}", "max": f"{max(amounts):f}", "difference": f"{max(amounts) - min(amounts):f}"}
    one = next(iter(by_model.values()))
    influence = {name: one[name] for name in influence_columns(filters) if name in one}
    return labels | figures | influence | {"spread": ends}


def _ends(conversions: Iterable[float]) -> Answer:
    millionths = [round(count * 1_000_000) for count in conversions]
    least, most = min(millionths), max(millionths)
    return {"min": as_number(least), "max": as_number(most), "difference": as_number(most - least)}


def _labels(row: Answer, filters: AttributionFilters) -> Answer:
    return {name: row[name] for name in filters.by.split(",")}
