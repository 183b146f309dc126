"""The provider `typeform`: a form that was sent in becomes a `form_submit` of who sent it; see `docs/embedded-forms.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.crm.events import NOBODY, VISITOR_FIELD, happened, line, mapping, mappings, moment, parsed, properties_of, tags_of, visitor_of
from app.crm.providers import Delivery, NotUnderstood, Provider, Read
from app.crm.senders import has_body_signature
from app.sites.connections import Connection


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    """Whether one of the live secrets signed the body. Typeform signs no time: what is sent again is stored once."""
    return has_body_signature(delivery, connection, "typeform-signature")


def _read(delivery: Delivery, connection: Connection) -> Read:
    event = mapping(parsed(delivery))
    if event.get("event_type", "form_response") != "form_response":
        return Read(ignored={"not_read": 1})
    response = mapping(event.get("form_response"))
    if not line(response.get("form_id")) or not line(response.get("token")):
        raise NotUnderstood("This is no response to a form: it has no form_response with its form_id and token.")
    hidden, answers = mapping(response.get("hidden")), mappings(response.get("answers"))
    fields = connection.fields.settings.fields

    def answer(name: str) -> str | None:
        """What was answered to the question of that ref or ID, else the hidden field of that name."""
        told = next((each for each in answers if name in _names(each)), None)
        return line(hidden.get(name)) if told is None else _text(told)

    data = {
        "type": "form_submit",
        "form": f"Typeform {response['form_id']}",
        "title": line(mapping(response.get("definition")).get("title")),
        "visitor_id": visitor_of(hidden.get(fields.get("visitor_id", VISITOR_FIELD))),
        "email": answer(fields["email"]) if "email" in fields else _first(answers, "email") or line(hidden.get("email")),
        "phone": answer(fields["phone"]) if "phone" in fields else _first(answers, "phone_number") or line(hidden.get("phone")),
        "properties": properties_of(fields, answer),
    }
    said = happened(f"response/{response['token']}", moment(response.get("submitted_at")), data, tags_of(hidden))
    return Read(ignored={NOBODY: 1}) if said is None else Read((said,))


def _names(answer: Mapping[str, Any]) -> tuple[Any, Any]:
    """The ref of a question, which its author gives, and its ID."""
    asked = mapping(answer.get("field"))
    return asked.get("ref"), asked.get("id")


def _first(answers: list[Mapping[str, Any]], kind: str) -> str | None:
    return next((line(each.get(kind)) for each in answers if each.get("type") == kind), None)


def _text(answer: Mapping[str, Any]) -> str | None:
    """An answer as a text: what was typed, or the labels that were chosen."""
    value = answer.get(str(answer.get("type")))
    if isinstance(value, dict):
        labels = value.get("labels") or [value.get("label") or value.get("other")]
        value = ", ".join(str(label) for label in labels if label) if isinstance(labels, list) else None
    if isinstance(value, bool):
        return str(value).lower()
    return line(str(value) if isinstance(value, int | float) else value)


PROVIDER = Provider(
    name="typeform",
    title="Typeform",
    is_authentic=_is_authentic,
    read=_read,
    secret_is="the secret that you type into the form's webhook",  # noqa: S106
)
