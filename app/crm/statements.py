"""What a CRM states when it is asked for the deals won in a month: what our figures are held against."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from app import money, tables
from app.crm.api import Denied, Failed, Missing, Throttled, api_of
from app.crm.calls import in_words
from app.crm.providers import StatedDeal
from app.crm.registry import PROVIDERS
from app.db import Database
from app.errors import NoAnswer, Unprocessable
from app.log.rows import insert_rows
from app.sites.connections import Connection

_SECONDS = 60


async def ask(database: Database, sender: Connection, month: str, now: datetime, *, allow_private: bool) -> None:
    """Ask the CRM for the deals won in a month (YYYY-MM), and keep what it states in place of what it stated before.

    Unprocessable if it cannot be asked; NoAnswer, in words, if it did not answer.
    """
    provider = PROVIDERS[sender.fields.provider]
    if provider.won_in is None or not sender.fields.api_token:
        able = ", ".join(each.name for each in PROVIDERS.values() if each.won_in is not None)
        raise Unprocessable(f"Only a connection with an API token can be asked, of {able}; else the report goes by what it has told.")
    try:
        async with api_of(sender, provider, allow_private=allow_private, seconds=_SECONDS) as client:
            stated = await provider.won_in(client, sender, month)
    except (Throttled, Failed, Denied, Missing, TimeoutError) as error:
        raise NoAnswer(f"{provider.title or provider.name} did not answer: {in_words(error)}.") from error
    async with database.write() as connection:
        await _replace(connection, sender, month, stated, now)


async def _replace(connection: AsyncConnection, sender: Connection, month: str, stated: Any, now: datetime) -> None:
    statement = tables.crm_statements
    here = {"site_id": sender.site_id, "space": sender.space, "month": month, "stated_at": now}
    before = and_(*(statement.c[name] == here[name] for name in ("site_id", "space", "month")))
    await connection.execute(delete(statement).where(before))
    # The row without a deal says that it was asked, also where it states none.
    rows = [{**here, "deal_id": ""}, *({**here, **_row(deal)} for deal in {each.id: each for each in stated}.values())]
    await insert_rows(connection, connection.dialect.name == "sqlite", statement, rows)


def _row(deal: StatedDeal) -> dict[str, Any]:
    amount = None if deal.amount is None else money.parse_amount(deal.amount, deal.currency)
    return {"deal_id": deal.id, "name": deal.name, "amount": amount, "currency": deal.currency, "closed_on": deal.closed_on}
