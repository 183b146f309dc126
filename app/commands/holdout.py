"""holdout."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import ValidationError

from app.commands.running import now, opened, run, site_of
from app.commands.terminal import note, print_rows, say
from app.reports.holdout import HoldoutFilters, as_table, holdout
from app.sites.administration import unprocessable


def compare_holdout(site_id: str, asked: dict[str, Any], form: str) -> None:
    """`closedloop holdout`."""
    try:
        filters = HoldoutFilters.model_validate({name: value for name, value in asked.items() if value is not None})
    except ValidationError as error:
        raise unprocessable(error) from None

    async def compare() -> dict[str, Any]:
        async with opened() as database:
            site = await site_of(database, site_id)
            async with database.read() as connection:
                return await holdout(connection, site, filters, now())

    answer = run(compare())
    if form == "json":
        say(json.dumps(answer, indent=2))
    elif form == "csv":
        sys.stdout.write(as_table(answer))
    else:
        _show(answer)


def _show(answer: dict[str, Any]) -> None:
    say(answer["in_words"])
    print_rows(("model", "credited", "compared"), [(row["model"], row["credited"], row["compared"]) for row in answer["rows"]])
    for warning in answer["warnings"]:
        note(f"Beware: {warning}")
