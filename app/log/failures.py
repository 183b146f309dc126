"""What a failed statement means: a bad value, a moment's contention, or storage that is gone."""

from __future__ import annotations

import sqlite3

_BAD_VALUE = ("22", "23", "54")
"""Classes of SQLSTATE: data exception, integrity constraint, program limit (a key too long for its index)."""
_PASSING = ("40001", "40P01", "55P03")
"""SQLSTATE of a failed serialization, a deadlock, a lock that was not to be had."""


def is_bad_value(error: BaseException) -> bool:
    """Whether a value in the statement is at fault, so that the other rows would pass without it."""
    # asyncpg refuses what it cannot encode with a ValueError, Python's sqlite3 with various, before the database sees it.
    return isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | ValueError | TypeError | OverflowError) or _sqlstate(
        error
    ).startswith(_BAD_VALUE)


def is_passing(error: BaseException) -> bool:
    """Whether the same statement may well pass if it is tried again at once."""
    return _sqlstate(error) in _PASSING


def in_words(error: BaseException) -> str:
    """What went wrong, in one line: a database's further lines may hold other people's data."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return text.encode(errors="replace").decode()[:200]


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")
