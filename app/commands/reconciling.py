"""closedloop crm reconcile."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from app.commands.running import now, opened, run, site_of
from app.commands.terminal import fail, print_rows, say
from app.crm.statements import ask
from app.reports.reconciliation import COLUMNS, ReconciliationFilters, cells, reconciliation
from app.settings import settings
from app.sites.connections import load_connection


def reconcile(site_id: str, connection_id: str, month: str, *, is_asked: bool) -> None:
    """Ask the CRM for the deals won in a month (or go by what it has told), and show each deal that differs."""
    try:
        filters = ReconciliationFilters(month=month, connection=connection_id)
    except ValidationError:
        fail(f"--month {month[:20]!r} is not a month such as 2026-03.")

    async def load() -> dict[str, Any]:
        async with opened() as database:
            site = await site_of(database, site_id)
            if is_asked:
                async with database.read() as connection:
                    sender = await load_connection(connection, site_id, connection_id)
                await ask(database, sender, month, now(), allow_private=settings().allow_private_addresses)
            async with database.read() as connection:
                return await reconciliation(connection, site, filters, now())

    answer = run(load())
    by = "what it stated when it was asked" if answer["according_to"] == "statement" else "what it has told"
    for whose, side in (("The CRM, by " + by, answer["crm"]), ("We", answer["ours"]), ("Difference", answer["difference"])):
        say(f"{whose}: {side['count']:,} deals, {side['sum']} {answer['currency']}")
    print_rows(COLUMNS, (cells(deal) for deal in answer["deals"]))
