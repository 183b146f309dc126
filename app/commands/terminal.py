"""How commands talk: results to stdout, progress and complaints to stderr, with or without a terminal."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

progress_console = Console(stderr=True)


def progress_bar(*columns: TextColumn) -> Progress:
    """A bar on stderr; `columns` stand before the clock."""
    clock = (TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, *clock, console=progress_console)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for eyes, or lines with tabs for programs."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows([columns, *cells])
        return
    table = Table(*columns, box=None, header_style="bold")
    for row in cells:
        table.add_row(*map(printable, row))
    Console().print(table)


def printable(cell: str) -> Text:
    """The cell without control sequences, and never read as markup: much of it comes from outside."""
    return Text("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cell))


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 line`, `1,200 lines`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def say(text: str) -> None:
    """A result."""
    typer.echo(text)


def note(text: str) -> None:
    """Something to know that is no result."""
    typer.echo(text, err=True)


def fail(text: str) -> NoReturn:
    """Say what is wrong and what to do, and end with exit code 1."""
    typer.echo(f"closedloop: {text}", err=True)
    raise typer.Exit(1)
