"""The provider `calendly`: a booking becomes a `form_submit` of who booked; see `docs/embedded-forms.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.crm.events import NOBODY, happened, line, mapping, mappings, moment, parsed, properties_of, tags_of, visitor_of
from app.crm.messages import Said, stamp
from app.crm.providers import Delivery, NotUnderstood, Provider, Read
from app.crm.senders import has_timed_signature
from app.sites.connections import Connection

_PREFIX = "closedloop_"
"""What stands before the visitor's ID in one of the tracking parameters, the only ones that Calendly gives back."""
_TRACKED = ("utm_content", "utm_term", "salesforce_uuid", "utm_campaign", "utm_medium", "utm_source")
_BOOKED, _CANCELED = "invitee.created", "invitee.canceled"
_NO_SHOWS = {"invitee_no_show.created": False, "invitee_no_show.deleted": True}
"""Whether the meeting took place, by what is told of the guest who did not come."""


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    return has_timed_signature(delivery, connection, "calendly-webhook-signature")


def _read(delivery: Delivery, connection: Connection) -> Read:
    event = mapping(parsed(delivery))
    kind, invitee, sent_at = line(event.get("event")), mapping(event.get("payload")), moment(event.get("created_at"))
    if kind is None:
        raise NotUnderstood("This is nothing that Calendly sends: it has no event.")
    if kind not in {_BOOKED, _CANCELED, *_NO_SHOWS}:
        return Read(ignored={"not_read": 1}, sent_at=sent_at)
    if not line(invitee.get("uri")):
        raise NotUnderstood("The invitee has no uri.")
    said = [] if kind in _NO_SHOWS else [_happened(kind, invitee, connection, sent_at)]
    if connection.fields.reports_activities and line(invitee.get("email")):
        said.append(_meeting(kind, invitee, sent_at))
    kept = tuple(each for each in said if each is not None)
    return Read(kept, ignored={} if kept else {"not_read" if kind in _NO_SHOWS else NOBODY: 1}, sent_at=sent_at)


def _happened(kind: str, invitee: Mapping[str, Any], connection: Connection, sent_at: int | None) -> Said | None:
    """What the visitor did: booked, which is a form, moved the booking, or called it off.

    Whoever moves it is told as a new invitee of whom the old one is called off; that is no second booking.
    """
    if kind == _CANCELED and invitee.get("rescheduled") is True:
        return None
    is_moved = kind == _BOOKED and line(invitee.get("old_invitee")) is not None
    type_ = "meeting_canceled" if kind == _CANCELED else "meeting_rescheduled" if is_moved else "form_submit"
    tracking, meeting = mapping(invitee.get("tracking")), mapping(invitee.get("scheduled_event"))
    fields = connection.fields.settings.fields

    def answer(question: str) -> str | None:
        asked = mappings(invitee.get("questions_and_answers"))
        return next((line(each.get("answer")) for each in asked if each.get("question") == question), None)

    data = {
        "type": type_,
        "form": " ".join(filter(None, ("Calendly", line(meeting.get("name"))))) if type_ == "form_submit" else None,
        "visitor_id": _visitor(tracking),
        "email": line(invitee.get("email")),
        "phone": answer(fields["phone"]) if "phone" in fields else line(invitee.get("text_reminder_number")) or _dialled(meeting),
        "properties": properties_of(fields, answer) if type_ == "form_submit" else None,
    }
    told_at = moment(mapping(invitee.get("cancellation")).get("created_at")) if kind == _CANCELED else moment(invitee.get("created_at"))
    tags = {tag: text for tag, text in tags_of(tracking).items() if not text.startswith(_PREFIX)} if type_ == "form_submit" else {}
    return happened(f"{type_}/{invitee['uri']}", told_at if told_at is not None else sent_at, data, tags)


def _visitor(tracking: Mapping[str, Any]) -> str | None:
    """The visitor's ID: the page puts it into the first parameter that its own link leaves free."""
    sent = (tracking.get(name) for name in _TRACKED)
    found = next((text for text in sent if isinstance(text, str) and text.startswith(_PREFIX)), "")
    return visitor_of(found.removeprefix(_PREFIX))


def _dialled(meeting: Mapping[str, Any]) -> str | None:
    """The number on which the guest is to be called, where the meeting is a call."""
    location = mapping(meeting.get("location"))
    return line(location.get("location")) if location.get("type") == "outbound_call" else None


def _meeting(kind: str, invitee: Mapping[str, Any], sent_at: int | None) -> Said:
    """The meeting itself, as an activity of sales: it takes place when it was booked for, unless it is called off."""
    meeting = mapping(invitee.get("scheduled_event"))
    host = next(iter(mappings(meeting.get("event_memberships"))), {})
    data = {
        "id": str(invitee["uri"]).rpartition("/")[2][:200],
        "kind": "meeting",
        "direction": "inbound",
        "done": kind != _CANCELED and _NO_SHOWS.get(kind, True),
        "took_place_at": stamp(moment(meeting.get("start_time"))),
        "title": line(meeting.get("name")),
        "by": line(host.get("user_email")),
        "contact": {"email": line(invitee.get("email")), "name": line(invitee.get("name"))},
    }
    return Said(f"meeting/{kind}/{invitee['uri']}/{sent_at}", "activity.logged", data, sent_at)


PROVIDER = Provider(
    name="calendly",
    title="Calendly",
    is_authentic=_is_authentic,
    read=_read,
    secret_is="the signing_key that you choose when you make the webhook subscription",  # noqa: S106
)
