"""The provider `generic`: messages signed as Standard Webhooks says, `{"type": …, "timestamp": …, "data": {…}}`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.collect.fields import Line, Micros
from app.collect.schemas import in_words
from app.crm.messages import Said
from app.crm.providers import Delivery, NotUnderstood, Provider, Read
from app.sites.connections import Connection


class Envelope(BaseModel):
    """A message of any type."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Line
    timestamp: Micros | None = Field(None, description="When it happened.")
    data: dict[str, JsonValue]


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    """Whether one of the live secrets signed this, within five minutes of now."""
    return any(_is_signed_with(secret, delivery) for secret in connection.secrets)


def _is_signed_with(secret: str, delivery: Delivery) -> bool:
    try:
        Webhook(secret).verify(delivery.body, dict(delivery.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        # A header that is no base64 or no ASCII, or a body that is no UTF-8, makes the library raise a ValueError.
        return False
    return True


def _read(delivery: Delivery, _connection: Connection) -> Read:
    """The one message; named by its `webhook-id`, and sent at its `webhook-timestamp`."""
    try:
        envelope = Envelope.model_validate_json(delivery.body)
    except ValidationError as error:
        is_json = all(each["type"] != "json_invalid" for each in error.errors(include_input=False, include_context=False))
        raise NotUnderstood(in_words(error), is_readable=is_json) from error
    sent_at = int(float(delivery.headers["webhook-timestamp"])) * 1_000_000
    said = Said(delivery.headers["webhook-id"], envelope.type, envelope.data, envelope.timestamp)
    return Read(said=(said,), sent_at=sent_at)


PROVIDER = Provider(name="generic", is_authentic=_is_authentic, read=_read, kept_headers=("webhook-id",))
