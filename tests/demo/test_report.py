"""The demo's tables hold every model, and nothing in them is cut."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from app.attribution.rules import MODELS
from app.demo.report import credit_tables


def answer(revenue: str) -> dict[str, Any]:
    credit = {"conversions": 1234.5, "revenue": revenue}
    return {"currency": "USD", "rows": [{"channel": "Organic Shopping", **credit}], "totals": {**credit, "uncredited": {**credit, "reasons": {}}}}


def test_figures_of_every_model_fit() -> None:
    models = {name: answer(f"{number}23456.78") for number, name in enumerate([*MODELS, "a_model_of_ours"], start=1)}
    console = Console(width=120, file=io.StringIO())
    for table in credit_tables(models):
        console.print(table)
    shown = console.file.getvalue()
    assert "…" not in shown
    for number in range(1, len(models) + 1):
        assert shown.count(f" {number * 100_000 + 23_456.78:,.2f}") == 3, "the channel, what is uncredited, and the total"
