"""What Segment's HTTP API takes, and how a body of it is read.

Its SDKs throw a whole batch away when one event of it is answered 400. So only what is no JSON of that shape, or too much,
is refused as a whole; of all else, what cannot be understood is a refusal of that one message.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from app.collect.fields import RecordId, check_json, day_of, micros_of
from app.collect.schemas import Limits, in_words, inflate, parse_object
from app.errors import BadRequest, TooLarge

Kind = Literal["identify", "track", "page", "screen", "group", "alias"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_GZIP = b"\x1f\x8b"
_WITHOUT_COLON = re.compile(r"([+-][0-9]{2})([0-9]{2})\Z")
_WITH_ZONE = re.compile(r"([Zz]|[+-][0-9]{2}:[0-9]{2})\Z")


def _absent_if_blank(value: object) -> object:
    """SDKs send an empty text, or null, for an ID that they do not have."""
    return None if isinstance(value, str) and not value.strip() else value


def _moment(value: object) -> object:
    """Microseconds. Segment's SDKs write ISO 8601; some without a zone, which is UTC then, or with one without a colon."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("not an ISO 8601 time")  # noqa: TRY004 - pydantic reports a ValueError
    if len(value) == len("2026-01-31"):
        return micros_of(f"{day_of(value)}T00:00:00Z")
    zoned = _WITHOUT_COLON.sub(r"\1:\2", value)
    return micros_of(zoned if _WITH_ZONE.search(zoned) else f"{zoned}Z")


def _empty_if_absent(value: object) -> object:
    return {} if value is None else value


Id = Annotated[RecordId | None, BeforeValidator(_absent_if_blank)]
Time = Annotated[int | None, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Part = Annotated[dict[str, Any], BeforeValidator(_empty_if_absent), WithJsonSchema({"type": "object"})]


class Message(BaseModel):
    """One call of an SDK. What is not named here is kept with the event."""

    model_config = ConfigDict(extra="allow", frozen=True, alias_generator=to_camel)

    type: Kind = Field(description="Not needed at the door of one kind.")
    message_id: Id = Field(None, description="Names the message: sent again with it, it is stored once.")
    anonymous_id: Id = Field(None, description="The browser or device.")
    user_id: Id = Field(None, description="The human, by the ID of the site's own.")
    event: str | None = Field(None, description="For `track`: what happened.")
    name: str | None = Field(None, description="For `page` and `screen`: its name.")
    properties: Part = Field({}, description="For `track`, `page` and `screen`.")
    traits: Part = Field({}, description="For `identify` and `group`: what is known of the human, or of the company.")
    group_id: Id = Field(None, description="For `group`: the company.")
    previous_id: Id = Field(None, description="For `alias`: the ID before.")
    context: Part = Field({}, description="`page`, `campaign`, `userAgent`, `ip`, `traits`, `groupId`, and what is kept with the event.")
    timestamp: Time = Field(None, description="When it happened, by the sender's clock.")
    original_timestamp: Time = Field(None, description="The same, where `timestamp` is absent.")
    sent_at: Time = Field(None, description="When the sender's clock says that it was sent: it corrects the other two.")


class Messages(BaseModel):
    """Several messages. `context` and `integrations` beside them are theirs, too."""

    batch: list[Message]
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    sentAt: str | None = Field(None, description="When the sender's clock says that this was sent.")  # noqa: N815 - Segment's name
    writeKey: str | None = Field(None, description="The key, if it stands in no header.")  # noqa: N815


class Success(BaseModel):
    """The answer to everything that could be read. What was not stored stands in the quarantine, with its reason."""

    success: bool = True


class Sent(NamedTuple):
    """A body that was read."""

    messages: list[Any]
    """As they were sent, each with what stood beside the batch, and without a key."""
    key: str | None


def open_body(body: bytes, encoding: str, limits: Limits) -> bytes:
    """The body without its gzip, which its first bytes show: SDKs and proxies between mislabel it. Errors: as `inflate`."""
    is_gzip = body.startswith(_GZIP)
    return inflate(body, "gzip" if is_gzip else encoding.replace("gzip", ""), limits.batch_bytes)


def read_sent(body: bytes, kind: Kind | None, limits: Limits) -> Sent:
    """The messages of a body: one of a `kind`, or a batch of several. BadRequest if it is none; TooLarge if it is too much."""
    parsed = parse_object(body)
    key = _key_in(parsed)
    if kind is not None:
        if len(body) > limits.event_bytes:
            raise TooLarge(f"A message may have at most {limits.event_bytes} bytes.")
        return Sent([{**_without_key(parsed), "type": kind}], key)
    batch = parsed.get("batch")
    if not isinstance(batch, list):
        raise BadRequest('The body is no {"batch": [...]}.')
    if len(batch) > limits.batch_events:
        raise TooLarge(f"A batch may have at most {limits.batch_events} messages.")
    beside = {name: parsed[name] for name in ("context", "integrations") if isinstance(parsed.get(name), dict)}
    named = (found for each in batch if isinstance(each, dict) and (found := _key_in(each)))
    return Sent([_merged(each, beside, parsed.get("sentAt")) for each in batch], key or next(named, None))


def _merged(message: Any, beside: dict[str, Any], sent_at: Any) -> Any:
    """The message with what stands beside the batch; its own word counts more."""
    if not isinstance(message, dict):
        return message
    merged = _without_key(message)
    for name, of_all in beside.items():
        own = message.get(name)
        merged[name] = {**of_all, **own} if isinstance(own, dict) else of_all
    if merged.get("sentAt") is None:
        merged["sentAt"] = sent_at
    return merged


def _key_in(part: dict[str, Any]) -> str | None:
    key = part.get("writeKey")
    return key if isinstance(key, str) and key.strip() else None


def _without_key(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "writeKey"}


def message_of(sent: Any, largest: int) -> Message:
    """A message. ValueError, in words, if it cannot be understood, or has more than `largest` bytes."""
    if not isinstance(sent, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a caller catches one kind of error
    if sent.get("type") not in KINDS:
        raise ValueError(f"type is none of {', '.join(KINDS)}")
    check_json(sent)
    if _size(sent) > largest:
        raise ValueError(f"larger than {largest} bytes")
    try:
        return Message.model_validate(sent)
    except ValidationError as error:
        raise ValueError(in_words(error)) from error


def _size(sent: dict[str, Any]) -> int:
    return len(json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode())
