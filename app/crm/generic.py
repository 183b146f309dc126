"""The provider `generic`: messages signed as Standard Webhooks says, `{"type": …, "timestamp": …, "data": {…}}`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StrictBool, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app import ids, tables
from app.collect.deal_facts import Change, Contact, Deal, contact_satellites, deal_facts
from app.collect.fields import Line, Micros, RecordId
from app.collect.keys import Row
from app.collect.schemas import in_words
from app.log import Fact
from app.sites.site import Site


def is_signed(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of the live secrets signed this, within five minutes of now."""
    return any(_is_signed_with(secret, body, headers) for secret in secrets)


def _is_signed_with(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        # A header that is no base64 or no ASCII, or a body that is no UTF-8, makes the library raise a ValueError.
        return False
    return True


# ---------------------------------------------------------------- what is sent


class NotJson(ValueError):
    """The body is not JSON at all."""


class Envelope(BaseModel):
    """A message of any type."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Line
    timestamp: Micros | None = Field(None, description="When it happened.")
    data: dict[str, JsonValue]


class Bant(BaseModel):
    """What a conversation with the contact brought to light."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    budget: StrictBool | None = None
    authority: StrictBool | None = None
    need: StrictBool | None = None
    timeline: StrictBool | None = None


class MarkedContact(Contact):
    """A contact, and what sales or marketing says of it."""

    bant: Bant | None = None
    reason: Line | None = None


def _named_contact(value: object) -> object:
    """An activity may name its contact by an ID or an e-mail alone."""
    if isinstance(value, str):
        return {"email": value} if "@" in value else {"id": value}
    return {"id": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _named_deal(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Activity(BaseModel):
    """A call, a meeting or an e-mail of sales."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Annotated[Literal["call", "email", "meeting", "other"], BeforeValidator(_lower)]
    direction: Annotated[Literal["inbound", "outbound"], BeforeValidator(_lower)] | None = None
    automated: StrictBool = Field(False, description="Sent by a machine.")
    contact: Annotated[Contact, BeforeValidator(_named_contact)] | None = None
    deal: Annotated[RecordId, BeforeValidator(_named_deal)] | None = None


@dataclass(frozen=True)
class Message:
    """One message of a connection, as far as its type does not matter."""

    site: Site
    connection_id: str
    space: str
    fact_id: str
    type: str
    occurred_at: int
    """Microseconds, as is `received_at`."""
    received_at: int


def fact_of(site: Site, connection_id: str, space: str, message_id: str, body: str, *, sent_at: int, received_at: int) -> Fact:
    """The fact that a message is. ValueError, in words for its sender, if it cannot be understood.

    It happened at its `timestamp`, else at `sent_at`, and never in the future. Times in microseconds.
    """
    envelope = _read(Envelope, body)
    build = _BUILDERS.get(envelope.type)
    if build is None:
        raise ValueError(f"unknown type; known are {', '.join(_BUILDERS)}")
    occurred_at = min(sent_at if envelope.timestamp is None else envelope.timestamp, received_at)
    fact_id = ids.digest(connection_id, message_id)
    return build(Message(site, connection_id, space, fact_id, envelope.type, occurred_at, received_at), envelope.data)


def _read(model: type[Any], value: Any) -> Any:
    try:
        return model.model_validate_json(value) if isinstance(value, str) else model.model_validate(value)
    except ValidationError as error:
        is_json = all(each["type"] != "json_invalid" for each in error.errors(include_input=False, include_context=False))
        raise (ValueError if is_json else NotJson)(in_words(error)) from error


# ---------------------------------------------------------------- deals


def _deal_fact(change: Change) -> Callable[[Message, dict[str, Any]], Fact]:
    def build(message: Message, data: dict[str, Any]) -> Fact:
        deal: Deal = _read(Deal, data)
        if change == "adjusted" and deal.amount is None:
            raise ValueError("amount: deal.adjusted needs the signed change")
        return deal_facts(
            message.site,
            deal,
            # A CRM that says the outcome with an update has said it.
            (deal.outcome or change) if change == "seen" else change,
            fact_id=message.fact_id,
            fact_type=message.type,
            occurred_at=message.occurred_at,
            received_at=message.received_at,
            connection_id=message.connection_id,
            space=message.space,
        )

    return build


# ---------------------------------------------------------------- contacts


def _contact_fact(message: Message, data: dict[str, Any]) -> Fact:
    contact: MarkedContact = _read(MarkedContact, data)
    _, satellites = _seen(message, contact)
    return _fact(message, contact, satellites)


def _mark_fact(mark: Literal["sql", "disqualified"]) -> Callable[[Message, dict[str, Any]], Fact]:
    def build(message: Message, data: dict[str, Any]) -> Fact:
        contact: MarkedContact = _read(MarkedContact, data)
        link, satellites = _seen(message, contact)
        bant = None if contact.bant is None or mark != "sql" else contact.bant.model_dump_json(exclude_none=True)
        said = {"site_id": message.site.site_id, "fact_id": message.fact_id, "mark": mark, "link_id": link}
        why = {"reason": contact.reason if mark == "disqualified" else None, "bant": bant, "occurred_at": message.occurred_at}
        return _fact(message, contact, [*satellites, (tables.contact_marks, {**said, **why})])

    return build


def _seen(message: Message, contact: Contact) -> tuple[str, list[Row]]:
    """(link ID, rows) of the contact's keys, seen together."""
    link, rows = contact_satellites(
        message.site,
        contact,
        space=message.space,
        fact_id=message.fact_id,
        occurred_at=message.occurred_at,
        received_at=message.received_at,
    )
    if link is None:
        raise ValueError("the contact has no id, and no e-mail, phone or user_id that can be read")
    return link, rows


# ---------------------------------------------------------------- activities


def _activity_fact(message: Message, data: dict[str, Any]) -> Fact:
    activity: Activity = _read(Activity, data)
    if activity.contact is None and activity.deal is None:
        raise ValueError("an activity names a contact, a deal, or both")
    here = {"site_id": message.site.site_id}
    link, satellites = (None, []) if activity.contact is None else _seen(message, activity.contact)
    what = {"kind": activity.kind, "direction": activity.direction or "", "is_automated": activity.automated}
    about = {"link_id": link, "space": message.space, "deal_id": activity.deal}
    row = {**here, "fact_id": message.fact_id, **what, **about, "occurred_at": message.occurred_at}
    satellites.append((tables.activities, row))
    if activity.deal is not None:
        dirty = {**here, "space": message.space, "deal_id": activity.deal, "received_at": message.received_at}
        satellites.append((tables.deals_queue, dirty))
    return _fact(message, activity, satellites, deal_id=activity.deal or "")


# ---------------------------------------------------------------- what they share


def _fact(message: Message, said: BaseModel, satellites: Sequence[Row], *, deal_id: str = "") -> Fact:
    row = {
        "site_id": message.site.site_id,
        "fact_id": message.fact_id,
        "connection_id": message.connection_id,
        "space": message.space,
        "type": message.type,
        "deal_id": deal_id,
        "occurred_at": message.occurred_at,
        "received_at": message.received_at,
        "body": _body(said),
    }
    return Fact(tables.crm_facts, row, tuple(satellites))


def _body(said: BaseModel) -> str:
    """What was said, without what names a human: that stands hashed in the keys, in clear only in `contacts`."""
    private = {"email", "phone", "name", "user_id"}
    body = said.model_dump(exclude_unset=True, exclude=private | {"contact"})
    contact = getattr(said, "contact", None)
    if contact is not None:
        body["contact"] = contact.model_dump(exclude_unset=True, exclude=private)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


_BUILDERS: dict[str, Callable[[Message, dict[str, Any]], Fact]] = {
    "contact.created": _contact_fact,
    "contact.updated": _contact_fact,
    "contact.qualified": _mark_fact("sql"),
    "contact.disqualified": _mark_fact("disqualified"),
    "activity.logged": _activity_fact,
    "deal.created": _deal_fact("seen"),
    "deal.updated": _deal_fact("seen"),
    "deal.won": _deal_fact("won"),
    "deal.lost": _deal_fact("lost"),
    "deal.reopened": _deal_fact("reopened"),
    "deal.adjusted": _deal_fact("adjusted"),
    "deal.churned": _deal_fact("churned"),
}
"""By type of the message: what makes a fact of its data."""
TYPES = tuple(_BUILDERS)
"""Every type that is understood."""
