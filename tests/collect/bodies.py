"""Small makers for the tests of ingestion."""

from __future__ import annotations

import json
from datetime import datetime


def as_body(value):
    """JSON as it is sent."""
    return json.dumps(value).encode()


def moment(text):
    """An aware datetime of an RFC 3339 text."""
    return datetime.fromisoformat(text)
