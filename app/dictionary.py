"""The data dictionary: `docs/data-dictionary.md`, from the comments of `app.tables`.

`python -m app.dictionary` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Index, Table
from sqlalchemy.dialects import postgresql

from app import tables

_DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "data-dictionary.md"

_HEAD = """\
# Data dictionary

Written by `make docs` from `app/tables.py`; a test compares the two. Tables stand in the order of the flow.
Times are UTC, stored as integer microseconds since 1970; money is in minor units of its currency.
Types are PostgreSQL's. A key column is marked with its place in the primary key.
"""


def data_dictionary() -> str:
    """The whole document, in Markdown."""
    contents = "\n".join(f"- [{table.name}](#{table.name})" for table in tables.metadata.tables.values())
    return "\n".join([_HEAD, contents, "", *(_section(table) for table in tables.metadata.tables.values())])


def write() -> None:
    """Writes the document into the clone that this file stands in."""
    _DOCUMENT.write_text(data_dictionary(), encoding="utf-8")


def _section(table: Table) -> str:
    rows = "\n".join(_row(column, _key_place(column, table)) for column in table.columns)
    indexes = "".join(f"- `{index.name}`: {_columns(index)}\n" for index in sorted(table.indexes, key=lambda index: str(index.name)))
    heading = f"## {table.name}\n\n{table.comment}\n\n| column | type | key | meaning |\n|---|---|---|---|\n{rows}\n"
    return heading + (f"\nIndexes:\n\n{indexes}" if indexes else "")


def _row(column: Column[object], key_place: str) -> str:
    kind = column.type.compile(dialect=postgresql.dialect()).removesuffix(' COLLATE "C"').lower()  # type: ignore[no-untyped-call]
    nullable = ", or null" if column.nullable else ""
    meaning = (column.comment or "").replace("|", "\\|")
    return f"| `{column.name}` | {kind}{nullable} | {key_place} | {meaning} |"


def _key_place(column: Column[object], table: Table) -> str:
    names = [key.name for key in table.primary_key.columns]
    return str(names.index(column.name) + 1) if column.name in names else ""


def _columns(index: Index) -> str:
    unique = "unique, " if index.unique else ""
    return unique + ", ".join(f"`{column.name}`" for column in index.columns)


if __name__ == "__main__":
    write()
