"""What a failed statement means: a bad value, a moment's contention, or storage that is gone."""

from __future__ import annotations

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

_BAD_VALUE = ("22", "23", "54")
"""Classes of SQLSTATE: data exception, integrity constraint, program limit (a key too long for its index)."""
_PASSING = ("40001", "40P01", "55P03")
"""SQLSTATE of a failed serialization, a deadlock, a lock that was not to be had."""


def is_bad_value(error: BaseException) -> bool:
    """Whether a value in the statement is at fault, so that the other rows would pass without it."""
    if isinstance(error, IntegrityError | DataError):
        return True
    if isinstance(error, DBAPIError):
        # asyncpg refuses values that it cannot encode (a NUL, a number out of range) before PostgreSQL sees them.
        return _sqlstate(error).startswith(_BAD_VALUE) or isinstance(_driver_error(error), ValueError)
    return isinstance(error, ValueError | TypeError | OverflowError)


def is_passing(error: BaseException) -> bool:
    """Whether the same statement may well pass if it is tried again at once."""
    if not isinstance(error, DBAPIError):
        return False
    return _sqlstate(error) in _PASSING or "database is locked" in str(error.orig)


def in_words(error: BaseException) -> str:
    """What went wrong, without the statement and its values: other people's data may be among them."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = str(inner).partition("\n")[0] or type(inner).__name__
    return text.encode(errors="replace").decode()[:200]


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _driver_error(error: DBAPIError) -> BaseException | None:
    return error.orig.__cause__ if error.orig is not None else None
