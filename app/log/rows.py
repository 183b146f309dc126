"""Multi-row INSERTs of the log: one statement a table, its rows in one parameter for each column or for all.

The text of a statement depends on the table only, so the drivers prepare it once: PostgreSQL gets an array for each
column (`unnest`), SQLite one JSON text of all rows (`json_each`). On SQLite, `executemany` takes a third less work, but
asks for Python's global lock at each row, for which a busy event loop lets it wait up to 5 ms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Integer, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.queue import dirty_columns

_POSITIONS = {table.name: position for position, table in enumerate(tables.metadata.tables.values())}
"""Every process writes its tables in this order, and rows in order of their keys: so none waits in a circle."""

_HAVE_LABELS = (tables.origins, tables.forms)
_GATES = (tables.events, tables.crm_facts)
_ARRAY_TYPES = {"BIGINT": "bigint", "SMALLINT": "smallint", "BOOLEAN": "boolean", "TEXT": "text"}
_CONTACT_DETAILS = ("name", "company", "lead_source")


class Rows:
    """Rows by table, without those that would collide with another of the same group (the first stays)."""

    def __init__(self, rows: Iterable[tuple[Table, dict[str, Any]]]) -> None:
        self._by_table: dict[Table, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self.extend(rows)

    def extend(self, rows: Iterable[tuple[Table, dict[str, Any]]]) -> None:
        """More rows."""
        for table, row in rows:
            self.add(table, row)

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """One more row."""
        key = tuple([row.get(name, "") for name in key_columns(table)])
        mine = self._by_table.setdefault(table, {})
        held = mine.setdefault(key, row)
        if held is not row and table is tables.contacts and _rank(row) > _rank(held):
            mine[key] = row

    def pop(self, table: Table) -> list[dict[str, Any]]:
        """Takes the rows of one table out, in order of their keys."""
        held = self._by_table.pop(table, {})
        return [held[key] for key in sorted(held)]

    def in_order(self) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
        """The tables in the order in which they are written, each with its rows in order of their keys."""
        for table in sorted(self._by_table, key=lambda table: _POSITIONS[table.name]):
            held = self._by_table[table]
            yield table, [held[key] for key in sorted(held)]


@cache
def key_columns(table: Table) -> tuple[str, ...]:
    """Names of the columns that tell its rows apart: the primary key; of a queue, what is dirty."""
    if table in tables.QUEUES:
        return ("site_id", *dirty_columns(table))
    return tuple(column.name for column in table.primary_key.columns)


async def insert_rows(connection: AsyncConnection, is_sqlite: bool, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows (each key once) on a connection of the engine: for whoever writes many at a time beside the log."""
    if rows:
        parameters = (as_json(table, rows),) if is_sqlite else tuple(as_arrays(table, rows))
        await connection.exec_driver_sql(statement(table, is_sqlite=is_sqlite), parameters)


def _rank(row: dict[str, Any]) -> tuple[Any, ...]:
    """Of two rows of one contact, the greater stays, whichever came first: one with details, then the newer."""
    details = [row.get(name) or "" for name in _CONTACT_DETAILS]
    return (any(details) or row.get("may_contact") is not None, _micros(row["occurred_at"]), *details)


def _rank_in_sql(table: str) -> str:
    """The same in SQL."""
    details = ", ".join(f"coalesce({table}.{name}, '')" for name in _CONTACT_DETAILS)
    has_details = " OR ".join(f"coalesce({table}.{name}, '') <> ''" for name in _CONTACT_DETAILS)
    return f"(({has_details} OR {table}.may_contact IS NOT NULL), {table}.occurred_at, {details})"


# ---------------------------------------------------------------- statements


@cache
def statement(table: Table, *, is_sqlite: bool) -> str:
    """Writes rows of a table, each key once. Answers the keys of those that are new, for gates, origins and forms.

    A row that is there already stays as it is, but for `contacts` (see `_rank`) and the counts of `drops`.
    """
    names = ", ".join(column.name for column in _columns(table))
    rows = _rows_of_json(table) if is_sqlite else _rows_of_arrays(table)
    returning = f" RETURNING {', '.join(key_columns(table))}" if table in _GATES or table in _HAVE_LABELS else ""
    return f"INSERT INTO {table.name} ({names}) {rows}{_on_conflict(table)}{returning}"


def _rows_of_arrays(table: Table) -> str:
    arrays = ", ".join(f"${n}::{_ARRAY_TYPES[_type_name(column)]}[]" for n, column in enumerate(_columns(table), 1))
    return f"SELECT * FROM unnest({arrays})"  # noqa: S608 - made of the names in tables.py


def _rows_of_json(table: Table) -> str:
    # The condition tells the parser that ON CONFLICT is not the ON of a join.
    values = ", ".join(f"json_extract(value, '$[{n}]')" for n, _ in enumerate(_columns(table)))
    return f"SELECT {values} FROM json_each(?) WHERE true"  # noqa: S608 - made of numbers


def _on_conflict(table: Table) -> str:
    if table in tables.QUEUES:
        return ""
    key = ", ".join(key_columns(table))
    if table is tables.drops:
        return f" ON CONFLICT ({key}) DO UPDATE SET count = drops.count + excluded.count"
    if table is tables.contacts:
        others = [column.name for column in table.columns if not column.primary_key]
        changes = ", ".join(f"{name} = excluded.{name}" for name in others)
        return f" ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {_rank_in_sql('excluded')} > {_rank_in_sql('contacts')}"
    return " ON CONFLICT DO NOTHING"


# ---------------------------------------------------------------- parameters


@cache
def _columns(table: Table) -> tuple[Column[Any], ...]:
    return tuple(column for column in table.columns if column.name != "queue_id")


@cache
def _defaults(table: Table) -> tuple[tuple[str, Any, bool], ...]:
    """(name, value of a row that lacks it, whether it is a time) of each column written."""
    return tuple((c.name, None if c.server_default is None else "", isinstance(c.type, tables.Moment)) for c in _columns(table))


def _type_name(column: Column[Any]) -> str:
    return str(column.type.compile()).partition(" ")[0]


def _micros(moment: Any) -> Any:
    return moment if isinstance(moment, int) or moment is None else tables.to_micros(moment)


def _column_values(table: Table, rows: Sequence[dict[str, Any]]) -> Iterator[list[Any]]:
    for name, default, is_time in _defaults(table):
        values = [row.get(name, default) for row in rows]
        yield [_micros(value) for value in values] if is_time else values


def as_arrays(table: Table, rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """Parameters of the statement on PostgreSQL."""
    return list(_column_values(table, rows))


def as_json(table: Table, rows: Sequence[dict[str, Any]]) -> str:
    """The one parameter of the statement on SQLite. OverflowError for a number beyond 64 bits, which JSON would make a fraction."""
    columns = list(_column_values(table, rows))
    for values, column in zip(columns, _columns(table), strict=True):
        if isinstance(column.type, Integer | tables.Moment) and any(value is not None and abs(value) >= 2**63 for value in values):
            raise OverflowError(f"{table.name}.{column.name} is beyond 64 bits")
    # Not ASCII only: half a surrogate pair must fail here, as it does on PostgreSQL, and not be stored as an escape.
    return json.dumps(list(zip(*columns, strict=True)), ensure_ascii=False, separators=(",", ":"))
