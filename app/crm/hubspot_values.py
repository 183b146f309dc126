"""HubSpot's records and values as its API writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.collect.fields import LATEST, micros_of

Properties = Mapping[str, str | None]
LONGEST_LINE = 1_000


@dataclass(frozen=True)
class Entry:
    """A value that a property once had."""

    value: str
    at: int
    """Microseconds."""
    by: str = ""
    """ID of the user who set it, or what else did."""


@dataclass(frozen=True)
class Record:
    """One record, and the IDs of those associated with it."""

    id: str
    properties: Properties
    history: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    """By property, in any order."""
    contacts: Sequence[str] = ()
    deals: Sequence[str] = ()
    companies: Sequence[str] = ()
    """The primary one first."""

    def get(self, name: str | None) -> str | None:
        """A property's text; None if it has none."""
        text = self.properties.get(name) if name else None
        return (text.replace("\x00", "").strip() or None) if isinstance(text, str) else None

    def line(self, name: str | None) -> str | None:
        """The same of a text that may be long, cut to what is kept of one."""
        text = self.get(name)
        return None if text is None else text[:LONGEST_LINE]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """The oldest first."""
    return sorted(entries, key=lambda entry: (entry.at, entry.value))


def micros(value: object) -> int | None:
    """A time of HubSpot's in microseconds: ISO 8601, a day (its start in UTC), or milliseconds. None if it is none."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text.isascii() and text.isdigit():
        at = int(text[:18]) * 1_000
        return at if 0 < at < LATEST else None
    try:
        return micros_of(text if "T" in text else f"{text}T00:00:00Z")
    except ValueError:
        return None
