"""Names of things: hashes inside, one URL-safe string outside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")


def digest(*parts: str) -> str:
    """128-bit hash of a tuple of texts: 22 characters of base64url. Parts cannot run into one another."""
    joined = json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()
    return _text(hashlib.blake2b(joined, digest_size=16).digest())


def digest_64(*parts: str) -> int:
    """Signed 64-bit hash of a tuple of texts, for a column that is only compared with its neighbour's."""
    joined = json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "big", signed=True)


def key_id(hash_key: bytes, kind: str, *value: str) -> str:
    """The ID of a key that names a human: `c_`, `e_`, `p_` or `u_` and a keyed hash (HMAC-SHA256, cut to 128 bits).

    `kind` is the letter; `value` the normalised address, number or user ID, or (space, contact ID). (`d_` names a
    browser for a day: `app.collect.daily`.)
    """
    joined = json.dumps((kind, *value), ensure_ascii=True, separators=(",", ":")).encode()
    return f"{kind}_{_text(hmac.new(hash_key, joined, hashlib.sha256).digest()[:16])}"


def public(*parts: str) -> str:
    """One URL-safe string for an ID of one or several parts; `parts_of` reads it back.

    An ID of one part that is URL-safe as it stands is itself.
    """
    if len(parts) == 1 and _SAFE.match(parts[0]) and not parts[0].startswith("~"):
        return parts[0]
    return "~" + _text(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode())


def parts_of(public_id: str) -> tuple[str, ...]:
    """The parts that `public` was given. ValueError if it is no such string."""
    if not public_id.startswith("~"):
        return (public_id,)
    try:
        parts = json.loads(base64.urlsafe_b64decode(public_id[1:] + "=" * (-len(public_id[1:]) % 4)))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not an ID of this service: {public_id[:60]!r}") from error
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"not an ID of this service: {public_id[:60]!r}")
    return tuple(parts)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
