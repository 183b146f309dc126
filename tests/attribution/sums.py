"""Ready-made sums beside the credit that is computed from journeys: they must be the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.credit import credit_by
from app.attribution.ledger import LEDGER, ledger_by_reason
from app.attribution.question import Question
from app.attribution.rules import MODELS
from app.attribution.sums import question_of_sums
from app.db import Database
from app.reports.sources import Source, source_of
from app.sites.site import Site


async def assert_sums_equal_journeys(database: Database, site: Site) -> None:
    """For every kind of conversion that the site has: all of it, by channel and by campaign."""
    async with database.read() as connection:
        kinds = list(await connection.scalars(select(tables.ledger_entries.c.kind).distinct()))
        assert kinds, "nothing counts"
        for kind in kinds:
            for by in (["channel"], ["source", "campaign"]):
                await assert_same(connection, site, question_of_sums(site, kind), by)


async def assert_same(connection: AsyncConnection, site: Site, asked: Question, by: Sequence[str]) -> None:
    """The sums answer this question, with the very rows that journeys would give."""
    source = await source_of(connection, site, asked, by)
    from_journeys = (await connection.execute(ledger_by_reason(asked), asked.parameters)).mappings().all()
    assert _ledger(source.ledger) == _ledger(from_journeys)
    assert source.models == (frozenset(MODELS) if from_journeys else frozenset())
    for model in MODELS:
        expected = await connection.execute(credit_by(asked, model, by), asked.parameters)
        assert await _from_sums(connection, source, model) == [tuple(row) for row in expected]


async def _from_sums(connection: AsyncConnection, source: Source, model: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await source.credit(connection, model)]


def _ledger(rows: Iterable[Any]) -> dict[Any, dict[str, int]]:
    """By reason and currency; another site's currency apart."""
    sums: dict[Any, Counter[str]] = {}
    for row in rows:
        key = (row["reason"], row["currency"] or "", bool(row["is_convertible"]))
        sums.setdefault(key, Counter()).update({name: row[name] for name in LEDGER})
    return {key: dict(figures) for key, figures in sums.items()}
