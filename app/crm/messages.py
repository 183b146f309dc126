"""What CRMs say, in one vocabulary: every provider's payload becomes messages, and every message one fact of the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from app import ids, tables
from app.collect.deal_facts import Change, Contact, Deal, contact_satellites, deal_facts, lead_key
from app.collect.fields import Line, MicrosOrDay, RecordId
from app.collect.keys import Row, subject_keys
from app.collect.schemas import Event, in_words
from app.collect.steps import Sender
from app.collect.steps import fact_of as event_fact
from app.crm.reported_touches import ReportedTouch, touch_rows
from app.log import Fact
from app.sites.site import Site


@dataclass(frozen=True)
class Said:
    """One thing that a CRM says, by a webhook, an answer to a fetch, or a page of a poll."""

    id: str
    """Names it within its connection: what is said again under the same name, by whichever way, is stored once."""
    type: str
    """One of `TYPES`."""
    data: dict[str, Any]
    """A deal, a contact or an activity, with the fields of the provider `generic`; or an event, as `POST /v1/events` takes it."""
    occurred_at: int | None = None
    """When it came to hold, in microseconds; None: when it was sent."""


def snapshot(type: str, record_id: str, data: dict[str, Any], occurred_at: int) -> Said:
    """A record as it stands in the CRM since `occurred_at` (microseconds), named by what it says.

    So a webhook, a fetch and a poll that find the same state say it once, and a mapping that changes says it anew.
    """
    told = json.dumps([type, record_id, occurred_at, data], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Said(ids.digest(told), type, data, occurred_at)


def stamp(at: int | None) -> str | None:
    """Microseconds as the text that messages hold."""
    return None if at is None else tables.from_micros(at).isoformat().replace("+00:00", "Z")


# ---------------------------------------------------------------- what is sent


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
    by: Line | None = Field(None, description="Who says so.")
    reported_touches: list[ReportedTouch] | None = Field(
        None, max_length=1_000, description="Where the contact came from, as the CRM has kept it; told again, a touch adds nothing."
    )


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

    id: RecordId | None = Field(None, description="The CRM's own; told again under it, an activity replaces what was told before.")
    kind: Annotated[Literal["call", "email", "meeting", "other"], BeforeValidator(_lower)]
    direction: Annotated[Literal["inbound", "outbound"], BeforeValidator(_lower)] | None = None
    automated: StrictBool = Field(False, description="Sent by a machine, or to many at once.")
    done: StrictBool = Field(True, description="Whether it took place; false: planned, or called off.")
    took_place_at: MicrosOrDay | None = Field(None, description="Absent: when it was told.")
    title: Line | None = None
    by: Line | None = Field(None, description="Who of sales did it.")
    contact: Annotated[Contact, BeforeValidator(_named_contact)] | None = None
    deal: Annotated[RecordId, BeforeValidator(_named_deal)] | None = None


class Deleted(BaseModel):
    """A record that the CRM holds no longer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: RecordId


class _Told(BaseModel):
    """What a fact keeps of the event beside it."""

    model_config = ConfigDict(frozen=True)

    type: str


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


def fact_of(site: Site, connection_id: str, space: str, said: Said, *, received_at: int, sent_at: int | None = None) -> Fact:
    """The fact that a message is. ValueError, in words for its sender, if it cannot be understood.

    It happened when it says, else at `sent_at`, else when it came in, and never in the future. Times in microseconds.
    """
    build = _BUILDERS.get(said.type)
    if build is None:
        raise ValueError(f"unknown type; known are {', '.join(_BUILDERS)}")
    told_at = said.occurred_at if said.occurred_at is not None else sent_at
    occurred_at = received_at if told_at is None else min(told_at, received_at)
    fact_id = ids.digest(connection_id, said.id)
    return build(Message(site, connection_id, space, fact_id, said.type, occurred_at, received_at), said.data)


def _read(model: type[Any], data: dict[str, Any]) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ValueError(in_words(error)) from error


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
    return _fact(message, contact, [*satellites, *_touch_rows(message, contact)])


Mark = Literal["lead", "mql", "mql_rejected", "sql", "disqualified", "recycled"]
_HAVE_REASONS = ("mql_rejected", "disqualified", "recycled")


def _mark_fact(mark: Mark) -> Callable[[Message, dict[str, Any]], Fact]:
    def build(message: Message, data: dict[str, Any]) -> Fact:
        contact: MarkedContact = _read(MarkedContact, data)
        link, satellites = _seen(message, contact)
        bant = None if contact.bant is None or mark != "sql" else contact.bant.model_dump_json(exclude_none=True)
        said = {"site_id": message.site.site_id, "fact_id": message.fact_id, "mark": mark, "link_id": link, "marked_by": contact.by}
        why = {"reason": contact.reason if mark in _HAVE_REASONS else None, "bant": bant, "occurred_at": message.occurred_at}
        return _fact(message, contact, [*satellites, *_touch_rows(message, contact), (tables.contact_marks, {**said, **why})])

    return build


def _touch_rows(message: Message, contact: MarkedContact) -> list[Row]:
    """Rows of the touches that the CRM reports of the contact.

    Their home is its ID in the CRM, which stays when its address changes (of one that was a lead, the lead's), else its
    first other key.
    """
    if not contact.reported_touches:
        return []
    known_as = lead_key(contact.lead_id) if contact.lead_id else contact.id
    by_id = subject_keys(message.site, contact=(message.space, known_as)) if known_as else []
    others = subject_keys(message.site, email=contact.email, phone=contact.phone, user_id=contact.user_id)
    keys = by_id or others
    return touch_rows(message.site, keys[0], keys, contact.reported_touches, message.received_at) if keys else []


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
    link, satellites = (None, []) if activity.contact is None else _seen(message, activity.contact)
    took_place_at = message.occurred_at if activity.took_place_at is None else activity.took_place_at
    what = {"kind": activity.kind, "direction": activity.direction or "", "is_automated": activity.automated}
    told = {"title": activity.title, "told_by": activity.by, "is_gone": not activity.done, "told_at": message.occurred_at}
    about = {"link_id": link, "space": message.space, "deal_id": activity.deal, "occurred_at": took_place_at}
    satellites += _activity_rows(message, activity.id or message.fact_id, {**what, **told, **about})
    return _fact(message, activity, satellites, deal_id=activity.deal or "")


def _activity_deleted(message: Message, data: dict[str, Any]) -> Fact:
    gone: Deleted = _read(Deleted, data)
    nothing = {"kind": "other", "direction": "", "is_automated": False, "title": None, "told_by": None, "link_id": None, "deal_id": None}
    told = {"is_gone": True, "told_at": message.occurred_at, "space": message.space, "occurred_at": message.occurred_at}
    return _fact(message, gone, _activity_rows(message, gone.id, {**nothing, **told}))


def _activity_rows(message: Message, activity_id: str, values: dict[str, Any]) -> list[Row]:
    """The row of `activities`, and that it is dirty: whom it was with before, the stage that reads it finds."""
    key = {"site_id": message.site.site_id, "activity_id": activity_id, "fact_id": message.fact_id}
    dirty = {"site_id": message.site.site_id, "space": message.space, "activity_id": activity_id, "received_at": message.received_at}
    return [(tables.activities, {**key, **values}), (tables.activities_queue, dirty)]


# ---------------------------------------------------------------- events


def _event_fact(message: Message, data: dict[str, Any]) -> Fact:
    """What a visitor did where our snippet does not reach: the event of the log that the snippet would have sent.

    It converts, makes touches and identifies as any other, so no later stage has to know of it. The fact beside it says only
    that the connection told of one; its name is another than the event's, as nothing in it is a CRM's knowledge of a human.
    """
    event_id = ids.digest("event", message.fact_id)
    event: Event = _read(Event, {**data, "id": event_id, "occurred_at": stamp(message.occurred_at)})
    if event.type == "deal_closed":
        raise ValueError("type: a deal is told by deal.won or deal.lost")
    told = event_fact(event, Sender(message.site, is_trusted=True, received_at=message.received_at))
    return _fact(message, _Told(type=event.type), [(told.table, told.row), *told.satellites])


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
    body = said.model_dump(exclude_unset=True, exclude=private | {"contact", "reported_touches"})
    contact = getattr(said, "contact", None)
    if contact is not None:
        body["contact"] = contact.model_dump(exclude_unset=True, exclude=private)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


_BUILDERS: dict[str, Callable[[Message, dict[str, Any]], Fact]] = {
    "contact.created": _contact_fact,
    "contact.updated": _contact_fact,
    "contact.lead": _mark_fact("lead"),
    "contact.marketing_qualified": _mark_fact("mql"),
    "contact.marketing_rejected": _mark_fact("mql_rejected"),
    "contact.qualified": _mark_fact("sql"),
    "contact.disqualified": _mark_fact("disqualified"),
    "contact.recycled": _mark_fact("recycled"),
    "activity.logged": _activity_fact,
    "activity.deleted": _activity_deleted,
    "event.happened": _event_fact,
    "deal.created": _deal_fact("seen"),
    "deal.updated": _deal_fact("seen"),
    "deal.won": _deal_fact("won"),
    "deal.lost": _deal_fact("lost"),
    "deal.reopened": _deal_fact("reopened"),
    "deal.adjusted": _deal_fact("adjusted"),
    "deal.churned": _deal_fact("churned"),
    "deal.deleted": _deal_fact("deleted"),
}
"""By type of the message: what makes a fact of its data."""
TYPES = tuple(_BUILDERS)
"""Every type that is understood."""
