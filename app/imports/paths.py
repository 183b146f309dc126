"""A table of journeys (one path of channels a row, with how many converted) as the events that would have made it.

Columns: `path` (channels in order, separated by ` > `), `total_conversions`, `total_conversion_value` (their sum, in
units of money; may be absent), `total_null` (journeys of this path that did not convert; may be absent).

Each journey becomes one visitor of its own, each of its touches a session of its own with that channel, and a journey
that converted ends in a deal that is won. The same table always makes the same events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, BinaryIO

from app import ids, money
from app.imports.records import Record, UnreadableFile, table_rows

SEPARATOR = " > "
BETWEEN_TOUCHES = timedelta(days=1)
LONGEST_PATH = 730
"""Touches: more than these cannot lie within any look-back."""

_REQUIRED = ("path", "total_conversions")
_OPTIONAL = ("total_conversion_value", "total_null")


@dataclass
class Tally:
    """What the rows read so far add up to."""

    rows: int = 0
    journeys: int = 0
    conversions: int = 0
    touches: int = 0
    value: Decimal = Decimal(0)
    value_minor: int = 0

    def lost_to_rounding(self, currency: str) -> Decimal:
        """What the rounding of each row's value to minor units took away (negative: added), in units of money."""
        return self.value - Decimal(self.value_minor).scaleb(-money.EXPONENTS[currency])


@dataclass(frozen=True)
class _Row:
    path: str
    conversions: int
    nulls: int
    value: Decimal

    @property
    def channels(self) -> list[str]:
        return [channel.strip() for channel in self.path.split(SEPARATOR)]


def journeys(file: BinaryIO, *, ending: date, currency: str, tally: Tally) -> Iterator[Record]:
    """The events of every journey, row by row. UnreadableFile if columns are missing.

    Conversions happen at noon (UTC) of the day `ending`, the last touch a day before, each earlier one a day earlier.
    A row's value is rounded to the currency's minor units (halves to even) and split over its conversions, the first
    of them taking what is left over. `tally` counts as it goes.
    """
    ends_at = datetime(ending.year, ending.month, ending.day, 12, tzinfo=UTC)
    seen: dict[str, int] = {}
    for line, cells, problem in table_rows(file, _check_columns):
        try:
            row = _row(cells, problem)
        except ValueError as error:
            yield Record(line, None, str(error), json.dumps(cells))
            continue
        nth = seen[row.path] = seen.get(row.path, 0) + 1
        yield from (Record(line, event) for event in _events(row, nth, ends_at, currency, tally))


def _check_columns(columns: list[str]) -> None:
    if missing := [column for column in _REQUIRED if column not in columns]:
        raise UnreadableFile(f"no column {', '.join(missing)}. A table of journeys has the columns {', '.join(_REQUIRED + _OPTIONAL)}")


def _row(cells: dict[str, str], problem: str) -> _Row:
    if problem:
        raise ValueError(problem)
    row = _Row(
        cells["path"].strip(),
        _count(cells["total_conversions"], "total_conversions"),
        _count(cells.get("total_null") or "0", "total_null"),
        _value(cells.get("total_conversion_value") or "0"),
    )
    if not all(channel.strip("> ") == channel != "" for channel in row.channels):
        raise ValueError("the path has an empty channel")
    if len(row.channels) > LONGEST_PATH:
        raise ValueError(f"the path has more than {LONGEST_PATH} touches")
    if row.value and not row.conversions:
        raise ValueError("a value without a conversion")
    return row


def _count(text: str, column: str) -> int:
    # Spreadsheets write whole numbers as 3.0.
    whole = text.strip().removesuffix(".0")
    if not (whole.isascii() and whole.isdigit() and len(whole) < 10):
        raise ValueError(f"{column}: {text[:40]!r} is not a count")
    return int(whole)


def _value(text: str) -> Decimal:
    try:
        value = Decimal(text.strip()) if text.isascii() else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) > money.LARGEST_MINOR:
        raise ValueError(f"total_conversion_value: {text[:40]!r} is not a number")
    return value


def _events(row: _Row, nth: int, ends_at: datetime, currency: str, tally: Tally) -> Iterator[dict[str, Any]]:
    places = money.EXPONENTS[currency]
    value_minor = int(row.value.scaleb(places).to_integral_value(ROUND_HALF_EVEN))
    tally.rows += 1
    tally.value += row.value
    tally.value_minor += value_minor
    for number in range(row.conversions):
        visitor = ids.digest("paths", row.path, str(nth), "converted", str(number))
        yield from _touches(row, visitor, ends_at, tally)
        share = value_minor // row.conversions + (number < value_minor % row.conversions)
        tally.conversions += 1
        yield _won_deal(visitor, money.as_decimal_text(share, currency), currency, ends_at)
    for number in range(row.nulls):
        yield from _touches(row, ids.digest("paths", row.path, str(nth), "null", str(number)), ends_at, tally)


def _touches(row: _Row, visitor: str, ends_at: datetime, tally: Tally) -> Iterator[dict[str, Any]]:
    channels = row.channels
    tally.journeys += 1
    tally.touches += len(channels)
    for position, channel in enumerate(channels):
        at = ends_at - (len(channels) - position) * BETWEEN_TOUCHES
        yield {"id": str(position), "type": "touch", "visitor_id": visitor, "occurred_at": at.isoformat(), "channel": channel}


def _won_deal(visitor: str, amount: str, currency: str, at: datetime) -> dict[str, Any]:
    deal = {"id": visitor, "visitor_id": visitor, "amount": amount, "currency": currency, "outcome": "won"}
    return {"id": visitor, "type": "deal_closed", "occurred_at": at.isoformat(), "deal": deal}
