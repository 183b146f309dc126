"""What people did at a form, a calendar or a telephone that belongs to others, as events of the log.

They stand under the visitor whose ID the embed was handed (`/loop-forms.js`), else under the pseudo-visitor of the human's
own key. Whoever knows the visitor knows where it came from; so only an event without one states an origin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

from app.collect.fields import micros_of
from app.crm.messages import Said
from app.crm.providers import Delivery, NotUnderstood

VISITOR_FIELD = "closedloop_visitor_id"
"""What embeds call the field that holds the visitor's ID."""
TAGS = ("source", "medium", "campaign", "term", "content")
NOBODY = "names_nobody"
"""Why what names neither a visitor nor a human is not kept."""

_VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_NAMES = ("visitor_id", "email", "phone", "user_id")
_LONGEST = 1_000


def parsed(delivery: Delivery) -> Any:
    """The body as JSON. NotUnderstood if it is none."""
    try:
        return from_json(delivery.body, allow_inf_nan=False)
    except ValueError as error:
        raise NotUnderstood("This is no JSON.", is_readable=False) from error


def mapping(value: object) -> Mapping[str, Any]:
    """An object of JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; none for anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def moment(value: object) -> int | None:
    """An RFC 3339 time as microseconds; None if it is none."""
    try:
        return micros_of(value)
    except ValueError:
        return None


def visitor_of(text: object) -> str | None:
    """The visitor's ID that an embed gave back; None if it is none. A human can write anything into an address."""
    return text if isinstance(text, str) and _VISITOR_ID.match(text) else None


def tags_of(sent: Mapping[str, Any]) -> dict[str, str]:
    """The campaign tags among what was sent: `{"source": …}` of `utm_source`, and so on. What is no text, or empty, is none."""
    return {tag: text for tag in TAGS if (text := line(sent.get(f"utm_{tag}")))}


def line(value: object) -> str | None:
    """A text that somebody typed, as long as one may be; None if it is none, or empty."""
    return value.strip()[:_LONGEST] or None if isinstance(value, str) else None


def properties_of(fields: Mapping[str, str], answer: Callable[[str], str | None]) -> dict[str, str]:
    """What the connection's settings want kept: by our name, what was answered under theirs."""
    wanted = {name: answer(theirs) for name, theirs in fields.items() if name not in _NAMES}
    return {name: text for name, text in wanted.items() if text is not None}


def happened(name: str, occurred_at: int | None, data: Mapping[str, Any], origin: Mapping[str, Any] | None = None) -> Said | None:
    """The message that this happened, named `name` within its connection; None if it names nobody.

    `data` is an event without its ID and time, `origin` what an event states of where it came from.
    """
    told = {field: value for field, value in data.items() if value}
    if not any(field in told for field in _NAMES):
        return None
    return Said(name, "event.happened", told if "visitor_id" in told else {**(origin or {}), **told}, occurred_at)
