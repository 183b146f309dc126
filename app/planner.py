"""What the databases' planners are told of the tables.

Every key begins with `site_id`, which selects nothing in a database of one site. SQLite, without statistics, takes
any equality on an index's first column to leave ten rows, and joins in ruinous orders (a rebuild was thirty times
slower); with `ANALYZE` its plans would depend on when that was last run. So it is given fixed statistics, written by
each migration: the shape of a database that has grown. PostgreSQL keeps its own for what is permanent; staging
tables change too fast for that and are analysed by the stage that fills them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, MetaData, Table, column, delete, insert, table

from app import tables

_HEAVY_ROWS, _LIGHT_ROWS, _STAGED_ROWS = 10_000_000, 500_000, 2_000
_HEAVY = {"events", "touches", "left_out_touches", "goal_events", "visitor_spans", "sightings", "journey_touches", "daily_credit"}

_DISTINCT = {
    "site_id": 1, "kind": 5, "space": 2, "goal": 5, "field": 18, "property": 20, "mark": 2, "entry": 1, "stage": 5,
    "queue_name": 10, "day": 400, "counted_on": 400, "month": 12, "model": 11,
}  # fmt: skip
"""How many values a column has, where it is no ID: what an equality on it divides the rows by."""


def statistics(metadata: MetaData, schema: str = "main") -> list[dict[str, str]]:
    """Rows of `sqlite_stat1` for every index of the tables."""
    return [row for described in metadata.sorted_tables for row in _of_table(described, schema)]


def _of_table(described: Table, schema: str) -> Iterable[dict[str, str]]:
    rows = _STAGED_ROWS if schema == "temp" else _HEAVY_ROWS if described.name in _HEAVY else _LIGHT_ROWS
    if len(described.primary_key.columns) > 1 or "queue_id" not in described.primary_key.columns:
        yield _row(
            described.name, f"sqlite_autoindex_{described.name}_1", [c.name for c in described.primary_key.columns], rows, is_unique=True
        )
    for index in described.indexes:
        yield _row(described.name, str(index.name), [c.name for c in index.columns], rows, is_unique=bool(index.unique))


def _row(name: str, index: str, columns: list[str], rows: int, *, is_unique: bool) -> dict[str, str]:
    left, averages = rows, []
    for place, part in enumerate(columns, 1):
        is_whole_key = is_unique and place == len(columns)
        left = 1 if is_whole_key else max(2, left // _DISTINCT.get(part, 100_000))
        averages.append(left)
    return {"tbl": name, "idx": index, "stat": " ".join(map(str, [rows, *averages]))}


def write_statistics(connection: Connection, metadata: MetaData = tables.metadata, schema: str = "main") -> None:
    """Give SQLite the statistics, and make this connection read them. Writing them again changes nothing."""
    connection.exec_driver_sql(f"ANALYZE {schema}.sqlite_schema")  # makes sqlite_stat1 where there is none
    stored = table("sqlite_stat1", column("tbl"), column("idx"), column("stat"), schema=schema)
    connection.execute(delete(stored))
    connection.execute(insert(stored), statistics(metadata, schema))
    connection.exec_driver_sql("ANALYZE sqlite_schema")
