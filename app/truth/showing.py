"""How the bench shows what it found: tables for eyes, Markdown for a README, JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from app.reports.figures import as_csv
from app.truth.bench import Played, Verdict

Figure = Callable[[Verdict], str]


def misplaced(verdict: Verdict) -> str:
    """The share of the credit on the wrong channels, in per cent."""
    return "–" if verdict.misplaced_share is None else f"{verdict.misplaced_share:.0%}"


def error(verdict: Verdict) -> str:
    """The mean error in conversions."""
    return f"{verdict.mean_error:.1f}"


FIGURES: dict[str, Figure] = {
    "Share of the credit on the wrong channels": misplaced,
    "Mean error of a channel, in customers": error,
}
"""What is shown of every model in every market, by its title."""


def headline(played: Played) -> str:
    """The truth about a market, in a sentence."""
    customers, anyway, credited = _headcount(played)
    return (
        f"{_whole(customers)} customers: {_whole(anyway)} would have bought anyway, {_whole(customers - anyway)} only by marketing. "
        f"Every model credits {_whole(credited)}: it cannot tell the ones from the others."
    )


# ---------------------------------------------------------------- for eyes


def models_by_markets(figure: Figure, everything: Sequence[Played]) -> Table:
    """A row a model, a column a market."""
    table = _table("model")
    for played in everything:
        table.add_column(played.market.name.replace("_", " "), justify="right")
    for cells in _rows(figure, everything):
        table.add_row(*cells)
    return table


def channels_of(played: Played) -> Table:
    """A market: what each channel caused, what each model credits it with, and how far the two are apart."""
    channels = _channels(played)
    table = _table("customers")
    for name in [*channels, "misplaced", "error"]:
        table.add_column(name, justify="right")
    table.add_row("caused", *(f"{played.truth.incremental.get(name, 0):,}" for name in channels), "", "", style="bold")
    for verdict in played.verdicts:
        credited = (f"{verdict.credited.get(name, 0):,.1f}" for name in channels)
        table.add_row(verdict.model, *credited, misplaced(verdict), error(verdict))
    return table


def _table(first_column: str) -> Table:
    return Table(first_column, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


# ---------------------------------------------------------------- for programs


def as_markdown(everything: Sequence[Played]) -> str:
    """The markets and the two tables, as `docs/truth-bench.md` shows them."""
    markets = _lines(
        ["market", "what it stands for", "customers", "would have bought anyway", "credited"],
        ([f"`{each.market.name}`", each.market.models, *map(_whole, _headcount(each))] for each in everything),
    )
    header = ["model", *(f"`{played.market.name}`" for played in everything)]
    figures = (f"{title}:\n\n{_lines(header, _rows(figure, everything))}" for title, figure in FIGURES.items())
    return "\n\n".join([markets, *figures])


def as_json(everything: Sequence[Played], seed: int) -> dict[str, Any]:
    """Everything that was found; unrounded."""
    return {"seed": seed, "markets": [_market(played) for played in everything]}


def as_table(everything: Sequence[Played]) -> str:
    """CSV: a row a market, model and channel."""
    header = ["market", "model", "channel", "caused", "credited", "misplaced_share", "mean_error"]
    return as_csv(header, (row for played in everything for row in _csv_rows(played)))


def _rows(figure: Figure, everything: Sequence[Played]) -> Iterator[list[str]]:
    models = list(dict.fromkeys(verdict.model for played in everything for verdict in played.verdicts))
    found = [{verdict.model: figure(verdict) for verdict in played.verdicts} for played in everything]
    return ([model, *(column.get(model, "–") for column in found)] for model in models)


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])


def _headcount(played: Played) -> tuple[float, float, float]:
    """Customers, those who would have bought anyway, those whom a touch earned."""
    return played.truth.customers, played.truth.anyway, played.truth.customers - played.uncredited


def _whole(count: float) -> str:
    return f"{count:,.0f}"


def _channels(played: Played) -> list[str]:
    """Those that can cause something, then whatever else was credited."""
    return list(dict.fromkeys([*played.truth.incremental, *(name for verdict in played.verdicts for name in verdict.credited)]))


def _market(played: Played) -> dict[str, Any]:
    return {
        "market": played.market.name,
        "models": played.market.models,
        "people": played.people,
        "customers": played.truth.customers,
        "would_have_bought_anyway": played.truth.anyway,
        "caused": played.truth.incremental,
        "uncredited": played.uncredited,
        "verdicts": [asdict(verdict) for verdict in played.verdicts],
    }


def _csv_rows(played: Played) -> Iterator[list[object]]:
    for verdict in played.verdicts:
        errors = [None if verdict.misplaced_share is None else round(verdict.misplaced_share, 6), round(verdict.mean_error, 6)]
        for channel in _channels(played):
            caused, credited = played.truth.incremental.get(channel, 0), verdict.credited.get(channel, 0)
            yield [played.market.name, verdict.model, channel, caused, credited, *errors]
