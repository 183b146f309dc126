"""How the bench shows what it found: tables for eyes, Markdown for a README, JSON and CSV for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    truth, credited = played.truth, played.truth.customers - played.uncredited
    return (
        f"{truth.customers:,} customers: {truth.anyway:,} would have bought anyway, {truth.customers - truth.anyway:,} only because of "
        f"marketing. Every model credits {credited:,.0f}: it cannot tell the ones from the others."
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
    """The two tables as the README shows them."""
    header = ["model", *(f"`{played.market.name}`" for played in everything)]
    return "\n\n".join(
        "\n".join([f"{title}:", "", _line(header), _line(["---", *["---:"] * len(everything)]), *map(_line, _rows(figure, everything))])
        for title, figure in FIGURES.items()
    )


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


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


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
        for channel in _channels(played):
            caused, credited = played.truth.incremental.get(channel, 0), round(verdict.credited.get(channel, 0), 6)
            yield [played.market.name, verdict.model, channel, caused, credited, verdict.misplaced_share, verdict.mean_error]
