"""The problem types (RFC 9457) that the service answers with; each carries its status.

Raise one anywhere below a router; `app.main` turns it into `application/problem+json`.
"""

from __future__ import annotations

from typing import ClassVar


class Problem(Exception):
    """Something that the caller is told. `detail` says what to do about it, and never echoes a secret."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "The service failed"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}

    def as_dict(self) -> dict[str, object]:
        """The body of the answer."""
        return {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail, **self.extra}


class BadRequest(Problem):
    """The request itself cannot be read."""

    status = 400
    title = "The request cannot be read"


class Unauthorized(Problem):
    """No key, or one that is unknown or revoked."""

    status = 401
    title = "No valid key"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail, **extra)
        self.headers["WWW-Authenticate"] = "Bearer"


class Forbidden(Problem):
    """A valid key that may not do this."""

    status = 403
    title = "This key may not do that"


class NotFound(Problem):
    """Nothing has this ID."""

    status = 404
    title = "Not found"


class Conflict(Problem):
    """It exists already, or something else stands in the way."""

    status = 409
    title = "Conflict"


class TooLarge(Problem):
    """A body over its limit."""

    status = 413
    title = "Too large"


class Unprocessable(Problem):
    """Readable, but with a value that is not allowed; the detail names the allowed ones."""

    status = 422
    title = "A value is not allowed"


class Unavailable(Problem):
    """The database or the disk is gone or full: try again."""

    status = 503
    title = "Storage is not available"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail, **extra)
        self.headers["Retry-After"] = "5"


class NoAnswer(Problem):
    """Somebody else's service was asked, and did not answer."""

    status = 502
    title = "Another service did not answer"
