"""The types that values from outside are read into.

They refuse what one database takes and the other does not, or what Python reads too generously: NUL, lone surrogates,
integers beyond 64 bits, NaN, digits that are not ASCII, times at the edge of the calendar.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints, WithJsonSchema

from app.tables import to_micros

LATEST = to_micros(datetime(9000, 1, 1, tzinfo=UTC))
"""First instant that is refused, in microseconds. The earliest that is taken is 1970-01-01T00:00:00Z."""
LARGEST_INTEGER = 2**63 - 1
DEEPEST = 100
"""Most levels of JSON arrays and objects."""

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?P<clock>[0-9]{2}:[0-9]{2}:)(?P<second>[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
# Checked by pydantic's own (Rust) engine, which costs nothing beside a call of Python. JSON's lone surrogates are refused by its parser.
_NO_NUL = r"^[^\x00]*$"


def micros_of(value: object) -> int:
    """An RFC 3339 time with its zone as microseconds since 1970. ValueError if it is none, or outside 1970..8999."""
    found = _TIME.match(value) if isinstance(value, str) else None
    if not isinstance(value, str) or found is None:
        raise ValueError("not an RFC 3339 time with its zone, such as 2026-01-31T12:00:00Z")
    if found["second"] == "60":
        # A leap second is the last moment of its minute.
        value = value[: found.start("second")] + "59.999999" + (found[4] or "")
    micros = to_micros(datetime.fromisoformat(value.upper()))
    if not 0 <= micros < LATEST:
        raise ValueError("a time outside the years 1970 to 8999")
    return micros


def day_of(value: object) -> str:
    """A day, YYYY-MM-DD. ValueError if there is no such day between 1970 and 8999."""
    if not isinstance(value, str) or not _DAY.match(value) or not "1970" <= value[:4] < "9000":
        raise ValueError("not a day such as 2026-01-31")
    return date.fromisoformat(value).isoformat()


def _micros_of_time_or_day(value: object) -> int:
    return micros_of(f"{day_of(value)}T00:00:00Z" if isinstance(value, str) and _DAY.match(value) else value)


def _number_as_text(value: object) -> object:
    """IDs that a CRM counts up come as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER else value


def check_json(value: Any, depth: int = 1) -> None:
    """ValueError if a parsed JSON value holds something, names included, that cannot be stored alike everywhere."""
    if isinstance(value, str):
        if _NOT_TEXT.search(value):
            raise ValueError("a text holds NUL or half a surrogate pair")
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        for member in value:
            check_json(member, depth + 1)
        if isinstance(value, dict):
            for member in value.values():
                check_json(member, depth + 1)
    elif isinstance(value, int) and not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise ValueError("a whole number beyond 64 bits")
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError("a number that is not finite")


def _properties(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - pydantic reports a ValueError
    check_json(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _checked_object(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    check_json(value)
    return value


def _text(longest: int, shortest: int = 0) -> Any:
    return StringConstraints(strict=True, min_length=shortest, max_length=longest, pattern=_NO_NUL)


Name = Annotated[str, _text(128, 1)]
"""What stands in a key: a visitor ID, an event ID."""
Label = Annotated[str, _text(64, 1)]
"""A type of event."""
Line = Annotated[str, _text(1_000)]
"""A name, a campaign, a reason."""
Address = Annotated[str, _text(8_192)]
"""A URL."""
RecordId = Annotated[str, _text(200, 1), BeforeValidator(_number_as_text, json_schema_input_type=str | int)]
"""ID of a record in a CRM or a shop: a text, or a number. (The limits stand beside the text, else a refusal speaks of items.)"""
Count = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER)]
Micros = Annotated[int, BeforeValidator(micros_of), WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 time, held as microseconds since 1970."""
MicrosOrDay = Annotated[int, BeforeValidator(_micros_of_time_or_day), WithJsonSchema({"type": "string", "format": "date-time"})]
"""The same, or a day, which is its first moment in UTC."""
Day = Annotated[str, BeforeValidator(day_of), WithJsonSchema({"type": "string", "format": "date"})]
Properties = Annotated[str | None, BeforeValidator(_properties), WithJsonSchema({"type": "object"})]
"""A JSON object of the sender's own, held as JSON text."""
Object = Annotated[dict[str, JsonValue], AfterValidator(_checked_object), WithJsonSchema({"type": "object"})]
"""The same, held as it is read."""
