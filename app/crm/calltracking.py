"""The provider `calltracking`: a call that a call-tracking service reports becomes a `phone_call` of who called.

Such services differ in what they call things, so a connection's settings name the fields; without them, CallRail's names are
tried. Most sign nothing that could be relied on: the secret stands in the address or is the password of HTTP Basic. See
`docs/embedded-forms.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from app import ids
from app.crm.events import NOBODY, VISITOR_FIELD, happened, line, mapping, moment, parsed, properties_of, tags_of, visitor_of
from app.crm.messages import Said, stamp
from app.crm.providers import Delivery, NotUnderstood, Provider, Read
from app.crm.senders import has_secret_as_password, has_secret_in_address
from app.sites.connections import Connection

MEDIUM = "phone_call"
"""Medium of a call of which nothing more is known than the number that was dialled."""

_NAMES = {
    "id": ("resource_id", "id"),
    "phone": ("customer_phone_number", "customer_number", "callernum"),
    "occurred_at": ("start_time",),
    "source": ("source_name",),
    "url": ("landing_page_url",),
    "referrer": ("referring_url",),
    "direction": ("direction",),
    "answered": ("answered",),
    "visitor_id": (VISITOR_FIELD,),
}
"""By our name, those under which it is sought where the settings name none."""


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    return has_secret_in_address(delivery, connection) or has_secret_as_password(delivery, connection)


def _read(delivery: Delivery, connection: Connection) -> Read:
    call, fields = _call(delivery), connection.fields.settings.fields

    def told(name: str) -> str | None:
        named = (fields[name],) if name in fields else _NAMES[name]
        return next((text for each in named if (text := _text(call, each)) is not None), None)

    phone, called_at = told("phone"), moment(told("occurred_at"))
    if phone is not None and not any(character.isdigit() for character in phone):
        phone = None  # withheld
    kept_fields = {ours: theirs for ours, theirs in fields.items() if ours not in _NAMES}
    data = {
        "type": "phone_call",
        "visitor_id": visitor_of(told("visitor_id")),
        "phone": phone,
        "properties": properties_of(kept_fields, lambda name: _text(call, name)),
    }
    name = told("id") or ids.digest(delivery.body.decode(errors="replace"))
    is_ours = (told("direction") or "").lower().startswith("out")
    said = [] if is_ours else [happened(f"call/{name}", called_at, data, _origin(call, told("source"), told("url"), told("referrer")))]
    if connection.fields.reports_activities and phone is not None:
        said.append(_activity(name, called_at, phone, "outbound" if is_ours else "inbound", told("answered")))
    kept = tuple(each for each in said if each is not None)
    return Read(kept, ignored={} if kept else {"outbound_call" if is_ours else NOBODY: 1})


def _call(delivery: Delivery) -> Mapping[str, Any]:
    """The fields of the call, from JSON or from a form."""
    if "x-www-form-urlencoded" in delivery.headers.get("content-type", ""):
        return dict(parse_qsl(delivery.body.decode(errors="replace")))
    call = mapping(parsed(delivery))
    if not call:
        raise NotUnderstood("This is no call: it is no object with fields.")
    return call


def _text(call: Mapping[str, Any], name: str) -> str | None:
    """A field as a text; `data.caller_number` is one within another."""
    value: Any = call.get(name)
    if value is None:
        value = call
        for part in name.split("."):
            value = mapping(value).get(part)
    return line(str(value) if isinstance(value, int | float) else value)


def _origin(call: Mapping[str, Any], source: str | None, url: str | None, referrer: str | None) -> dict[str, str]:
    """Where the caller came from: the tags that the service has kept of the visit, else its first page and referrer, else
    the name of the number that was dialled."""
    tags = tags_of(call)
    if tags or url is None:
        return tags or {"source": source or MEDIUM, "medium": MEDIUM}
    return {"url": url, "referrer": referrer} if referrer else {"url": url}


def _activity(name: str, called_at: int | None, phone: str, direction: str, answered: str | None) -> Said:
    data = {
        "id": name[:200],
        "kind": "call",
        "direction": direction,
        "done": (answered or "").lower() not in {"false", "0", "no"},
        "took_place_at": stamp(called_at),
        "contact": {"phone": phone},
    }
    return Said(f"activity/{name}", "activity.logged", data, called_at)


PROVIDER = Provider(
    name="calltracking",
    title="call tracking",
    is_authentic=_is_authentic,
    read=_read,
    secret_is="chosen by you: it stands in the webhook's address as ?secret=, or is the password of HTTP Basic",  # noqa: S106
)
