"""truth."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console

from app.commands.running import run
from app.commands.terminal import progress_bar, say
from app.logs import configure_logs
from app.truth.bench import Played, play_all
from app.truth.markets import MARKETS, Market
from app.truth.showing import FIGURES, as_json, as_markdown, as_table, channels_of, headline, models_by_markets

_WIDTH_ON_PAPER = 140


def tell_the_truth(market_names: Sequence[str], *, people: int, seed: int, form: str) -> None:
    """`closedloop truth`."""
    configure_logs("WARNING")
    everything = run(_played([MARKETS[name] for name in market_names or MARKETS], people, seed))
    if form == "json":
        say(json.dumps(as_json(everything, seed), indent=2))
    elif form == "csv":
        sys.stdout.write(as_table(everything))
    elif form == "markdown":
        say(as_markdown(everything))
    else:
        _show(everything, in_detail=bool(market_names))


async def _played(markets: Sequence[Market], people: int, seed: int) -> list[Played]:
    with progress_bar() as progress:
        bar = progress.add_task("Preparing", total=len(markets))

        def told(market: Market, what: str, share: float) -> None:
            progress.update(bar, description=f"{market.name}: {what}", completed=markets.index(market) + share)

        return [played async for played in play_all(markets, count=people, seed=seed, told=told)]


def _show(everything: Sequence[Played], *, in_detail: bool) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_ON_PAPER)
    for played in everything:
        console.print(f"[bold]{played.market.name}[/bold]: {played.market.models}\n  {headline(played)}", highlight=False)
        if in_detail:
            console.print(channels_of(played))
    if len(everything) > 1:
        for title, figure in FIGURES.items():
            console.print(f"\n[bold]{title}[/bold]", models_by_markets(figure, everything), sep="\n")
