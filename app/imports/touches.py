"""A list of offline touches (who was at an event, answered a mailing, took a call), one a row, as events of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from app import ids
from app.collect.schemas import Event
from app.collect.steps import Sender, fact_of
from app.imports.cells import Writing, addresses
from app.imports.sheets import Sheet, read_sheet
from app.log import Fact
from app.sites.site import Site
from app.tables import from_micros

REPORTED_BY = "import"
"""`events.reported_by` of such touches."""
ATTENDED = ("attended", "responded", "participated", "teilgenommen", "anwesend")
"""Statuses that count unless a list's owner says others: who registered has not been there."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "email": ("email", "e mail", "email address", "e mail adresse", "mail"),
    "phone": ("phone", "phone number", "mobile", "telefon", "telefonnummer"),
    "occurred_at": ("date", "occurred at", "event date", "attended at", "first responded date", "time", "datum", "start date"),
    "campaign": ("campaign", "campaign name", "event", "event name", "webinar", "veranstaltung", "kampagne"),
    "status": ("status", "member status", "attendance", "attendance status", "attended", "teilnahme"),
    "channel": ("channel", "kanal"),
    "source": ("source", "quelle"),
    "medium": ("medium",),
    "content": ("content",),
    "title": ("title", "titel"),
}
"""What is taken of a touch, and the headers by which its column is guessed."""
_YES = frozenset({"yes", "true", "1", "ja", "x"})


@dataclass(frozen=True)
class TouchMeaning:
    """What a list's owner says of it."""

    writing: Writing
    list_name: str
    """Names the list: imported again under it, it replaces what it held."""
    counts: frozenset[str] = frozenset(ATTENDED)
    """Statuses that make a touch, in lower case."""
    channel: str | None = None
    """Of rows that say none."""
    campaign: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    """How many rows have a status that counts not."""


def event_prefix(list_name: str) -> str:
    """What the IDs of a list's touches begin with."""
    return f"import:{ids.digest(list_name)}:"


def read_touches(file: BinaryIO, said: list[str], meaning: TouchMeaning) -> Sheet[Event | None]:
    """The touches of a file; None for a row whose status counts not. UnreadableFile if no column holds their time."""
    return read_sheet(file, said, COLUMNS, ("occurred_at",), _reader(meaning))


def facts_of_touches(site: Site, events: Sequence[Event], received_at: int) -> list[Fact]:
    """The facts that they are, told by an import."""
    facts = [fact_of(event, Sender(site, True, received_at)) for event in events]
    return [replace(fact, row={**fact.row, "reported_by": REPORTED_BY}) for fact in facts]


def _reader(meaning: TouchMeaning) -> Callable[[dict[str, str]], Event | None]:
    seen: Counter[str] = Counter()

    def become(cells: dict[str, str]) -> Event | None:
        touch = _touch(cells, meaning)
        status = cells.get("status", "")
        if "status" in cells and status.lower() not in meaning.counts and status.lower() not in _YES:
            meaning.left_out[status] += 1
            return None
        # Twice the same row is two touches; the same list again makes the same two.
        content = ids.digest(*(f"{name}={value}" for name, value in sorted(touch.items())))
        seen[content] += 1
        return Event.model_validate({**touch, "id": f"{event_prefix(meaning.list_name)}{ids.digest(content, str(seen[content]))}"})

    return become


def _touch(cells: dict[str, str], meaning: TouchMeaning) -> dict[str, Any]:
    if "occurred_at" not in cells:
        raise ValueError("it has no date")
    at = meaning.writing.moment(cells["occurred_at"])
    if "email" in cells:
        addresses(cells["email"])
    elif "phone" not in cells:
        raise ValueError("it has neither an e-mail nor a phone number")
    stated = {name: text for name, text in cells.items() if name not in ("occurred_at", "status")}
    defaults = {"campaign": meaning.campaign, "channel": None if {"source", "medium"} & cells.keys() else meaning.channel}
    touch = {name: text for name, text in defaults.items() if text} | stated
    return {"type": "touch", "occurred_at": from_micros(at).isoformat(), **touch}
