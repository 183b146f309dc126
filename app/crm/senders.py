"""How a delivery proves who sent it, in the ways that several providers share. Each compares in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from urllib.parse import unquote, urlsplit

from app.crm.providers import Delivery
from app.sites.connections import Connection

_LONGEST_AGE = 300 * 1_000_000
_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z")


def has_timed_signature(delivery: Delivery, connection: Connection, header: str) -> bool:
    """Whether a header `t=…,v1=…` holds the HMAC-SHA256 (hexadecimal) of `t.body` by a live secret, within five minutes of now.

    It may carry several signatures.
    """
    pairs = [pair.strip().partition("=") for pair in delivery.headers.get(header, "").split(",")]
    timestamp = next((value for name, _, value in pairs if name == "t"), "")
    if not _TIMESTAMP.match(timestamp) or abs(delivery.received_at - int(timestamp) * 1_000_000) > _LONGEST_AGE:
        return False
    signed = timestamp.encode() + b"." + delivery.body
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in connection.secrets]
    given = [value.encode() for name, _, value in pairs if name == "v1"]
    return any(hmac.compare_digest(each, other) for each in expected for other in given)


def has_body_signature(delivery: Delivery, connection: Connection, header: str) -> bool:
    """Whether a header `sha256=…` holds the HMAC-SHA256 (base64) of the body by a live secret."""
    given = delivery.headers.get(header, "").encode()
    made = (hmac.new(secret.encode(), delivery.body, hashlib.sha256).digest() for secret in connection.secrets)
    return any(hmac.compare_digest(b"sha256=" + base64.b64encode(each), given) for each in made)


def has_secret_as_password(delivery: Delivery, connection: Connection) -> bool:
    """Whether the password of HTTP Basic is a live secret; the user's name may be any."""
    scheme, _, encoded = delivery.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        _, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return any(hmac.compare_digest(password, secret.encode()) for secret in connection.secrets)


def has_secret_in_address(delivery: Delivery, connection: Connection) -> bool:
    """Whether `?secret=` is a live secret. A secret holds no space, so a plus sign is one, whether or not it was encoded."""
    pairs = (pair.partition("=") for pair in urlsplit(delivery.url).query.split("&"))
    sent = [unquote(value).encode() for name, _, value in pairs if name == "secret"]
    return any(hmac.compare_digest(given, secret.encode()) for given in sent for secret in connection.secrets)
