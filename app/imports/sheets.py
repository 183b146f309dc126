"""A sheet read row by row: each row what it becomes, or the reason why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Generic, TypeVar

from app.imports.columns import mapping
from app.imports.records import table_rows

T = TypeVar("T")


@dataclass
class Sheet(Generic[T]):
    """What a file holds."""

    columns: dict[str, str]
    """Column by field."""
    unused: list[str]
    """Columns of which nothing is taken."""
    rows: list[tuple[int, T]] = field(default_factory=list)
    """(line, what it becomes)."""
    rejected: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason)."""


def read_sheet(
    file: BinaryIO, said: list[str], known: dict[str, tuple[str, ...]], needed: tuple[str, ...], become: Callable[[dict[str, str]], T]
) -> Sheet[T]:
    """Read a whole file. `become` gets the cells that are not empty by field, and raises ValueError for a row that is none."""
    sheet: Sheet[T] = Sheet({}, [])

    def check(columns: list[str]) -> None:
        sheet.columns = mapping(columns, said, known, needed)
        sheet.unused = [column for column in columns if column not in sheet.columns.values()]

    for line, cells, problem in _rows(file, check):
        if problem:
            sheet.rejected.append((line, problem))
            continue
        try:
            named = {field: cells[column].strip() for field, column in sheet.columns.items() if cells.get(column, "").strip()}
            sheet.rows.append((line, become(named)))
        except ValueError as error:
            sheet.rejected.append((line, str(error)))
    return sheet


def _rows(file: BinaryIO, check: Any) -> Iterator[tuple[int, dict[str, str], str]]:
    """The rows of which some cell says something: programs write empty ones under the last."""
    return (row for row in table_rows(file, check) if row[2] or any(cell.strip() for cell in row[1].values()))
