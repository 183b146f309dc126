"""Files read one record at a time: each an event as `POST /v1/events` takes it, or the reason why it is none."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from app import ids

LONGEST_LINE = 1_000_000
"""In bytes. What is longer is no event (an event has at most 32 KB), and is not held in memory."""

COLUMNS = (
    "id", "type", "visitor_id", "occurred_at", "sequence", "url", "referrer", "title", "email", "phone", "user_id",
    "source", "medium", "campaign", "term", "content", "channel", "engaged_ms", "form",
    "deal.id", "deal.name", "deal.amount", "deal.currency", "deal.outcome", "deal.opened_at", "deal.closed_on",
    "deal.pipeline", "deal.stage", "deal.type", "deal.company.id", "deal.company.name", "deal.company.domain", "deal.owner",
    "deal.lost_reason", "deal.recurring.amount", "deal.recurring.period", "deal.contacts", "deal.visitor_id", "deal.url",
)  # fmt: skip
"""Columns of a CSV file; besides these, any `properties.<name>`."""

_WHOLE_NUMBERS = ("sequence", "engaged_ms")


@dataclass(frozen=True)
class Record:
    """One event of a file, or what is wrong with the line that it stood on."""

    line: int
    event: dict[str, Any] | None
    problem: str = ""
    text: str = ""
    """What stood there, if it is no event."""


class UnreadableFile(Exception):
    """The file as a whole is not what it was said to be; the message says what to do."""


def json_lines(file: BinaryIO) -> Iterator[Record]:
    """A record a line: one JSON object, an event. Empty lines are passed over."""
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            yield _record_of_json(number, line)


def csv_rows(file: BinaryIO) -> Iterator[Record]:
    """A record a row; the columns are `COLUMNS`, an empty cell is an absent field. UnreadableFile if there are others."""
    for number, row, problem in table_rows(file, _checked_columns):
        if problem:
            yield Record(number, None, problem, json.dumps(row))
            continue
        try:
            yield _complete(number, _nested(row))
        except ValueError as error:
            yield Record(number, None, str(error), json.dumps(row))


def table_rows(file: BinaryIO, check_columns: Any) -> Iterator[tuple[int, dict[str, str], str]]:
    """(line, cell by column, problem) of each row of a CSV file with a header, separated by comma, semicolon or tab.

    `check_columns` gets the list of columns first, and may raise. A row that cannot be read has a problem.
    """
    lines = _text_lines(file)
    header = next(lines, "").rstrip("\r\n")
    separator = max(",;\t", key=header.count)
    columns = [column.strip() for column in next(csv.reader([header], delimiter=separator), [])]
    check_columns(columns)
    reader = csv.reader(lines, delimiter=separator)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num + 1, {}, f"not a row of CSV: {error}"
            continue
        if cells:
            yield reader.line_num + 1, *_checked_row(columns, cells)


def _checked_row(columns: list[str], cells: list[str]) -> tuple[dict[str, str], str]:
    row = dict(zip(columns, cells, strict=False))
    if len(cells) != len(columns):
        return row, f"{len(cells)} cells, where the header has {len(columns)}"
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return {}, "not UTF-8"
    return row, ""


def _checked_columns(columns: list[str]) -> None:
    unknown = [column for column in columns if column not in COLUMNS and not column.startswith("properties.")]
    if unknown or not columns:
        known = ", ".join((*COLUMNS, "properties.<name>"))
        raise UnreadableFile(f"unknown columns {', '.join(unknown) or '(none)'}. A column is one of: {known}")
    if missing := {"type", "occurred_at"} - set(columns):
        raise UnreadableFile(f"no column {' and none '.join(sorted(missing))}: every event needs it")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, the too long ones cut short, without the mark that some programs put at the beginning of a file."""
    is_first = True
    while line := file.readline(LONGEST_LINE):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(LONGEST_LINE)):
            pass
        yield line.removeprefix(b"\xef\xbb\xbf") if is_first else line
        is_first = False


def _text_lines(file: BinaryIO) -> Iterator[str]:
    return (line.decode("utf-8", "surrogateescape") for line in _lines(file))


def _record_of_json(number: int, line: bytes) -> Record:
    text = line.decode("utf-8", "replace")
    if len(line) >= LONGEST_LINE:
        return Record(number, None, f"longer than {LONGEST_LINE} bytes", text[:1_000])
    try:
        event = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return Record(number, None, f"not JSON: {error}", text)
    if not isinstance(event, dict):
        return Record(number, None, "not a JSON object", text)
    return _complete(number, event)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _complete(number: int, event: dict[str, Any]) -> Record:
    """The event with an ID that follows from its content, so that the same file again brings nothing new."""
    if not event.get("occurred_at"):
        return Record(number, None, "occurred_at is missing: what a file tells is past, and needs its time", json.dumps(event))
    if not event.get("id"):
        content = json.dumps(event, sort_keys=True, separators=(",", ":"))
        event = {**event, "id": ids.digest("import", content)}
    return Record(number, event)


def _nested(row: dict[str, str]) -> dict[str, Any]:
    """`{"deal.company.id": "7"}` as `{"deal": {"company": {"id": "7"}}}`, without what is empty."""
    event: dict[str, Any] = {}
    for column, cell in row.items():
        if cell == "":
            continue
        *path, name = column.split(".") if column in COLUMNS else column.split(".", 1)
        place = event
        for step in path:
            place = place.setdefault(step, {})
        place[name] = _value(column, cell)
    return event


def _value(column: str, cell: str) -> object:
    if column == "deal.contacts":
        return [address.strip() for address in cell.split(";") if address.strip()]
    if column in _WHOLE_NUMBERS:
        if not (cell.isascii() and cell.isdigit()):
            raise ValueError(f"{column}: {cell[:40]!r} is not a whole number")
        return int(cell)
    return cell
