"""States the exact rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Table, select

from app.db import Database


async def assert_rows(database: Database, source: Table | Select[Any], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Fails unless the table (or statement) has these rows and no others, whatever their order."""
    statement = select(source) if isinstance(source, Table) else source
    named = statement.subquery()
    async with database.read() as connection:
        found = [list(row) for row in await connection.execute(select(*(named.c[column] for column in columns)))]
    assert _in_order(found) == _in_order(rows)


def _in_order(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows sorted by their text: an order that does not mind nulls and types."""
    return sorted((list(row) for row in rows), key=lambda row: [(value is not None, str(value)) for value in row])
