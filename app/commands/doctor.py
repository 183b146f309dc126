"""closedloop doctor."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from app.commands.running import now, opened, run, site_of
from app.commands.terminal import counted, printable, say
from app.reports.doctor.report import DoctorFilters, as_table, doctor, in_words
from app.sites.administration import unprocessable

_STYLES = {"error": "bold red", "warning": "bold yellow", "advice": "bold cyan"}
_WIDEST = 110


def examine(site_id: str, asked: dict[str, Any], form: str, *, is_strict: bool) -> None:
    """`closedloop doctor`. With `is_strict`, exit code 1 where there is an error."""
    try:
        filters = DoctorFilters.model_validate({name: value for name, value in asked.items() if value is not None})
    except ValidationError as error:
        raise unprocessable(error) from None

    async def look() -> dict[str, Any]:
        async with opened() as database:
            site = await site_of(database, site_id)
            async with database.read() as connection:
                return await doctor(connection, site, filters, now())

    answer = run(look())
    if form == "json":
        say(json.dumps(answer, indent=2))
    elif form == "csv":
        sys.stdout.write(as_table(answer))
    else:
        _show(answer)
    if is_strict and any(each["severity"] == "error" for each in answer["findings"]):
        raise typer.Exit(1)


def _show(answer: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.width = min(console.width, _WIDEST)
    _line(console, _heading(answer))
    for finding in answer["findings"]:
        _show_finding(console, finding, answer)
    states = {state: [each for each in answer["checked"] if each["state"] == state] for state in ("ok", "not_enough_data")}
    if well := states["ok"]:
        _line(console, f"\nAll is well with {counted(len(well), 'check')}:", "bold green")
        _lines(console, (each["looks_for"] for each in well))
    if unknown := states["not_enough_data"]:
        _line(console, f"\nToo little is known for {counted(len(unknown), 'check')}:", "bold")
        _lines(console, (f"{each['looks_for']}: {each['why']}" for each in unknown))


def _heading(answer: dict[str, Any]) -> str:
    found = [each["severity"] for each in answer["findings"]]
    words = {"error": ("error",), "warning": ("warning",), "advice": ("piece of advice", "pieces of advice")}
    numbers = [counted(found.count(severity), *word) for severity, word in words.items()]
    conversions = counted(int(answer["totals"]["conversions"]), "conversion")
    return f"{answer['from']} to {answer['to']} (exclusive), {conversions} ({answer['conversion']}): {', '.join(numbers)}."


def _show_finding(console: Console, finding: dict[str, Any], answer: dict[str, Any]) -> None:
    severity = finding["severity"]
    title = Text.assemble(("\n" + severity.upper(), _STYLES[severity]), f"  {finding['code']}", (_affected(finding, answer), "bold"))
    console.print(title, soft_wrap=True)
    _line(console, finding["seen"], indent=2)
    _lines(console, map(in_words, finding["examples"]))
    _line(console, finding["change"]["advice"], indent=2)
    if finding["change"]["command"]:
        # Never broken: it is there to be copied.
        console.print(Text.assemble("  $ ", printable(finding["change"]["command"])), soft_wrap=True)


def _affected(finding: dict[str, Any], answer: dict[str, Any]) -> str:
    affected = finding["affected"]
    if affected is None:
        return ""
    money = next((f", {Decimal(affected[name]):,f} {answer['currency']}" for name in ("revenue", "pipeline") if name in affected), "")
    number = affected["conversions"]
    return f"  {number:,} {'conversion' if number == 1 else 'conversions'}{money}"


def _line(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    shown = Text("\n", style).join(printable(line) for line in text.split("\n"))
    shown.stylize(style)
    if console.is_terminal:
        console.print(Padding(shown, (0, 0, 0, indent)))
    else:
        console.print(Text(" " * indent).append(shown), soft_wrap=True)


def _lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        _line(console, f"· {line}", indent=4)
