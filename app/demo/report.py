"""What the demo shows in the end: the credit of each channel under every model, and the funnel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

_MODELS_IN_A_TABLE = 7
"""So that figures of six digits fit into 120 characters."""
_STEPS = ("visitors", "leads", "mqls", "sqls", "opportunities", "customers")


def credit_tables(models: dict[str, dict[str, Any]]) -> list[Table]:
    """Channels by models, each cell conversions over revenue, from the answer to `model=all`: as few tables as fit."""
    currency = next(iter(models.values()))["currency"]
    channels = _channels(models)
    title = f"Customers won, and their revenue in {currency}, by channel and model"
    return [_credit_table(title, dict(some), channels) for some in batched(models.items(), _MODELS_IN_A_TABLE)]


def batched(items: Iterable[tuple[str, dict[str, Any]]], size: int) -> Iterator[tuple[tuple[str, dict[str, Any]], ...]]:
    """The items, `size` at a time."""
    rest = iter(items)
    while some := tuple(islice(rest, size)):
        yield some


def _credit_table(title: str, models: dict[str, dict[str, Any]], channels: Sequence[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, leading=1)
    table.add_column("channel")
    for model in models:
        table.add_column(model.replace("_", " "), justify="right", min_width=10)
    for channel in channels:
        table.add_row(channel, *(_cell(_row_of(answer, channel)) for answer in models.values()))
    table.add_row("uncredited", *(_cell(answer["totals"]["uncredited"]) for answer in models.values()), style="dim")
    table.add_row("total", *(_cell(answer["totals"]) for answer in models.values()), style="bold")
    return table


def reasons_line(answer: dict[str, Any]) -> str:
    """Why something is uncredited."""
    reasons = answer["totals"]["uncredited"]["reasons"]
    found = (f"{name} {_count(credit['conversions'])} ({_money(credit['revenue'])})" for name, credit in reasons.items())
    return "Uncredited: " + (", ".join(found) or "nothing")


def funnel_line(funnel: dict[str, Any]) -> str:
    """How many people came as far as each stage; stages that nobody reached are left out."""
    reached = {step: sum(int(row.get(step) or 0) for row in funnel["rows"]) for step in _STEPS}
    return "Funnel, in people: " + " → ".join(f"{count:,} {step}" for step, count in reached.items() if count)


def calls_table(answer: dict[str, Any]) -> Table:
    """Whom to call first, from the answer of `/v1/opportunities`."""
    table = Table(title="Nobody has called them yet, the most expected first", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("name", "outcome", "stage", "channel", "next step"):
        table.add_column(name, overflow="fold")
    for name in ("waited, hours", "expected value"):
        table.add_column(name, justify="right")
    for row in answer["opportunities"]:
        expected = row["expected_value"]
        texts = (row["name"], row["outcome"], row["stage"], row["channel"], row["next_step"])
        worth = f"{_money(expected['amount'])} {expected['currency']}" if expected else "–"
        table.add_row(*(Text(text or "–") for text in texts), f"{row['waited_hours']:,.1f}", worth)
    return table


def outcomes_line(answer: dict[str, Any]) -> str:
    """What became of all who needed contact."""
    totals = answer["totals"]
    names = ("uncontacted", "missed", "open", "lost", "won", "disqualified")
    counts = ", ".join(f"{totals[name]:,} {name}" for name in names if totals[name])
    return f"Of {totals['need_contact']:,} who needed contact: {counts}"


def _channels(models: dict[str, dict[str, Any]]) -> list[str]:
    """Every channel that some model credits, the one with most linear revenue first."""
    names = {row["channel"] for answer in models.values() for row in answer["rows"]}
    by = models.get("linear") or next(iter(models.values()))
    return sorted(names, key=lambda name: (-Decimal(_row_of(by, name).get("revenue", "0")), name))


def _row_of(answer: dict[str, Any], channel: str) -> dict[str, Any]:
    return next((row for row in answer["rows"] if row["channel"] == channel), {})


def _cell(credit: dict[str, Any]) -> str:
    if not credit or (not Decimal(str(credit["conversions"])) and not Decimal(credit["revenue"])):
        return "–"
    return f"{_count(credit['conversions'])}\n{_money(credit['revenue'])}"


def _count(conversions: object) -> str:
    return f"{Decimal(str(conversions)):.2f}"


def _money(revenue: str) -> str:
    return f"{Decimal(revenue):,.2f}"
