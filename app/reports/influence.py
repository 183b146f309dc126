"""What each row of a report had part in, beside what a model gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.influence import influenced_by
from app.attribution.question import Question
from app.money import as_decimal_text
from app.reports.figures import Figures, as_number
from app.reports.parameters import MONEY_OF_KIND, AttributionFilters
from app.reports.totals import figures

Answer = dict[str, Any]


def influence_columns(filters: AttributionFilters) -> list[str]:
    """The fields that influence adds to a row, if it is asked for; none of them adds up."""
    amount = ["influenced_amount"] if filters.conversion in MONEY_OF_KIND else []
    return ["influenced_conversions", *amount] if filters.influenced else []


async def with_influence(
    connection: AsyncConnection, question: Question, answers: Mapping[str, Answer], filters: AttributionFilters
) -> dict[str, Answer]:
    """The answers with what each row had part in, and after them a row without credit for all else that had."""
    names = filters.by.split(",")
    rows = (await connection.execute(influenced_by(question, names), question.parameters)).mappings()
    found = {tuple(row[name] for name in names): figures(row) for row in rows}
    labels = {"not_additive": influence_columns(filters)}
    return {model: answer | labels | {"rows": _rows(answer, found, names, filters)} for model, answer in answers.items()}


def _rows(answer: Answer, found: Mapping[tuple[str, ...], Figures], names: list[str], filters: AttributionFilters) -> list[Answer]:
    money, currency = MONEY_OF_KIND.get(filters.conversion), answer["currency"]
    credited = {tuple(row[name] for name in names): row for row in answer["rows"]}
    others = sorted(found.keys() - credited.keys(), key=lambda labels: (-found[labels].millionths, -found[labels].minor, labels))
    without = Figures().as_dict(money, currency)
    every = credited | {labels: dict(zip(names, labels, strict=True)) | without for labels in others}
    return [row | _figures(found.get(labels, Figures()), money, currency) for labels, row in every.items()]


def _figures(found: Figures, money: str | None, currency: str) -> dict[str, object]:
    counted: dict[str, object] = {"influenced_conversions": as_number(found.millionths)}
    return counted | {"influenced_amount": as_decimal_text(found.minor, currency)} if money else counted
