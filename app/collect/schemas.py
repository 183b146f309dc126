"""What `POST /v1/events` takes, and how a body is read: sizes first, then one validation of the whole.

Only a body in which something is wrong is read a second time, event by event, so that the good ones are kept.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.collect.deal_facts import Deal
from app.collect.fields import DEEPEST, Address, Count, Label, Line, Micros, Name, Properties, RecordId
from app.errors import BadRequest, TooLarge


class Event(BaseModel):
    """One fact about a visitor, or a deal that was closed."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    id: Name | None = Field(None, description="Unique within the visitor. Sending an event again with it is harmless.")
    type: Label = Field(
        description="`visit`, `pageview`, `form_submit`, `identify`, `engagement`, `touch`, `deal_closed`, or a name of the site's own."
    )
    visitor_id: Name | None = Field(None, description="The browser's cookie ID; not needed where a secret key sends a key of a human.")
    occurred_at: Micros | None = Field(None, description="When it happened; absent: now.")
    sequence: Count = Field(0, description="Order among events of the same instant.")
    url: Address | None = Field(None, description="Address of the page, with its campaign parameters.")
    referrer: Address | None = None
    title: Line | None = None
    email: Line | None = None
    phone: Line | None = None
    user_id: RecordId | None = None
    source: Line | None = Field(None, description="States the source outright; the address's parameters then count for nothing.")
    medium: Line | None = None
    campaign: Line | None = None
    term: Line | None = None
    content: Line | None = None
    channel: Line | None = Field(None, description="States the channel outright. Secret key only.")
    engaged_ms: Count | None = Field(None, description="For `engagement`: milliseconds in the foreground.")
    form: Line | None = Field(None, description="For `form_submit`: the form's name.")
    deal: Deal | None = Field(None, description="For `deal_closed`.")
    properties: Properties = Field(None, description="An object of your own, kept with the event.")


class SingleEvent(Event):
    """A body of one event."""

    sent_at: Micros | None = Field(None, description="When the sender's clock says that this was sent.")
    key: str | None = Field(None, description="The key, if it stands nowhere else.")


class Batch(BaseModel):
    """A body of several events."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    events: list[Event]
    sent_at: Micros | None = Field(None, description="When the sender's clock says that this was sent: it corrects the events' times.")
    key: str | None = Field(None, description="The key, if it stands nowhere else.")


class Rejected(BaseModel):
    """One event that was not stored, by its place in the batch."""

    index: int
    reason: str


class Accepted(BaseModel):
    """What became of the events of a request."""

    accepted: int = Field(description="Newly stored: committed to disk.")
    duplicates: int = Field(description="Stored before under the same ID.")
    rejected: list[Rejected] = Field(description="Not stored; they are in the quarantine.")


@dataclass(frozen=True, order=True)
class Refusal:
    """An event that cannot be understood, or is not allowed."""

    index: int
    reason: str


class Body(NamedTuple):
    """A body that was read."""

    events: list[tuple[int, Event]]
    refusals: list[Refusal]
    sent_at: int | None
    key: str | None
    raw: Callable[[int], Any]
    """The event of an index, as it was sent."""


def body_of_one(raw: dict[str, Any], limits: Limits) -> Body:
    """The body of one event that a door has made itself."""
    read = read_event(0, raw, limits)
    return Body([], [read], None, None, lambda _: raw) if isinstance(read, Refusal) else Body([(0, read)], [], None, None, lambda _: raw)


class Limits(NamedTuple):
    """What is too much; sizes in bytes after decompression."""

    event_bytes: int = 32 * 1024
    batch_bytes: int = 500 * 1024
    batch_events: int = 2_500


_BATCH = TypeAdapter(Batch)
_SINGLE = TypeAdapter(SingleEvent)
_EVENT = TypeAdapter(Event)
_LONGEST_REASON = 300


def inflate(body: bytes, encoding: str, largest: int) -> bytes:
    """The body without its gzip. TooLarge beyond `largest` bytes; BadRequest if it is no gzip, or encoded otherwise."""
    if encoding in ("", "identity"):
        inflated = body
    elif encoding == "gzip":
        inflated = _gunzip(body, largest)
    else:
        raise BadRequest(f"Content-Encoding {encoding[:40]!r} is not known: send gzip, or nothing.")
    if len(inflated) > largest:
        raise TooLarge(f"A body may have at most {largest} bytes after decompression.")
    return inflated


def _gunzip(body: bytes, largest: int) -> bytes:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(body, largest + 1)
    except zlib.error as error:
        raise BadRequest("The body is not gzip, although its Content-Encoding says so.") from error
    if len(inflated) <= largest and not inflater.eof:
        raise BadRequest("The gzip body ends too early.")
    return inflated


def read_body(body: bytes, limits: Limits) -> Body:
    """Read one event, or a batch. BadRequest if it is not JSON of that shape; TooLarge if it is too much."""
    if _looks_like_batch(body):
        return _read_batch(body, limits)
    return _read_single(body, limits)


def _looks_like_batch(body: bytes) -> bool:
    """A cheap guess, to try the likelier schema first; wrong at worst costs a second reading."""
    return b'"events"' in body


def _read_batch(body: bytes, limits: Limits) -> Body:
    try:
        batch = _BATCH.validate_json(body)
    except ValidationError:
        return _read_piecemeal(body, limits)
    _check_count(len(batch.events), limits)
    raw = _LazyEvents(body)
    if len(body) <= limits.event_bytes:
        return Body(list(enumerate(batch.events)), [], batch.sent_at, batch.key, raw)
    events, refusals = [], []
    for index, event in enumerate(batch.events):
        if _size(event) > limits.event_bytes:
            refusals.append(_too_large(index, limits))
        else:
            events.append((index, event))
    return Body(events, refusals, batch.sent_at, batch.key, raw)


def _read_single(body: bytes, limits: Limits) -> Body:
    try:
        event = _SINGLE.validate_json(body)
    except ValidationError:
        return _read_piecemeal(body, limits)
    if len(body) > limits.event_bytes:
        raise TooLarge(f"An event may have at most {limits.event_bytes} bytes.")
    return Body([(0, event)], [], event.sent_at, event.key, lambda _: _without_envelope(parse_object(body)))


def _read_piecemeal(body: bytes, limits: Limits) -> Body:
    """The same for a body in which something is wrong: each event by itself."""
    parsed = parse_object(body)
    is_batch = "events" in parsed
    if is_batch and not isinstance(parsed["events"], list):
        raise BadRequest("`events` is not a list.")
    if not is_batch and len(body) > limits.event_bytes:
        raise TooLarge(f"An event may have at most {limits.event_bytes} bytes.")
    raw = parsed["events"] if is_batch else [_without_envelope(parsed)]
    _check_count(len(raw), limits)
    sent_at, key = _envelope(parsed)
    events, refusals = [], []
    for index, each in enumerate(raw):
        read = read_event(index, each, limits)
        if isinstance(read, Refusal):
            refusals.append(read)
        else:
            events.append((index, read))
    return Body(events, refusals, sent_at, key, raw.__getitem__)


def read_event(index: int, raw: Any, limits: Limits) -> Event | Refusal:
    """One event of parsed JSON."""
    try:
        text = json.dumps(raw)
        if len(text) > limits.event_bytes and len(json.dumps(raw, ensure_ascii=False)) > limits.event_bytes:
            return _too_large(index, limits)
        return _EVENT.validate_json(text)
    except ValidationError as error:
        return Refusal(index, in_words(error))
    except RecursionError:
        return Refusal(index, f"nested deeper than {DEEPEST} levels")


def _envelope(parsed: dict[str, Any]) -> tuple[int | None, str | None]:
    try:
        envelope = Batch.model_validate({"events": [], "sent_at": parsed.get("sent_at"), "key": parsed.get("key")})
    except ValidationError as error:
        raise BadRequest(f"The body cannot be read: {in_words(error)}.") from error
    return envelope.sent_at, envelope.key


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object. BadRequest if the body is none."""
    try:
        parsed = json.loads(body.decode(), parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON in UTF-8.") from error
    if not isinstance(parsed, dict):
        raise BadRequest("The body is not a JSON object.")
    return parsed


def _whole_number(digits: str) -> int:
    """Python refuses to read thousands of digits, and with them the whole body; thirty are too many for any field."""
    return int(digits[:30])


class _LazyEvents:
    """The events of a batch as they were sent; parsed only if one is asked for."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __call__(self, index: int) -> Any:
        return parse_object(self._body)["events"][index]


def _without_envelope(parsed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parsed.items() if name not in ("key", "sent_at")}


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.batch_events:
        raise TooLarge(f"A batch may have at most {limits.batch_events} events.")


def _size(event: Event) -> int:
    """About the bytes of what is kept of it; all other fields are short by their schema."""
    texts = (event.properties, event.url, event.referrer)
    return sum(len(text.encode()) for text in texts if text) + (len(event.deal.model_dump_json()) if event.deal else 0)


def _too_large(index: int, limits: Limits) -> Refusal:
    return Refusal(index, f"larger than {limits.event_bytes} bytes")


def in_words(error: ValidationError) -> str:
    """What is wrong and where, without echoing what was sent."""
    found = [
        ".".join(map(str, each["loc"])) + ": " + each["msg"].removeprefix("Value error, ")
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "; ".join(found).removeprefix(": ").replace(r"String should match pattern '^[^\x00]*$'", "a text holds NUL")[:_LONGEST_REASON]
