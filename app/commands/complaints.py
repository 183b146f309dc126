"""What a failure is called when a person reads it: what is wrong, and what to do about it."""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Problem

_NAMED_BY = {"unknown database": "CLOSEDLOOP_DATABASE_URL", "unknown log level": "CLOSEDLOOP_LOG_LEVEL"}
"""How an error begins, and the setting that it is about."""


def complaint(error: Exception) -> str | None:
    """One or a few lines; None for a failure that is ours, whose traceback is worth more."""
    if isinstance(error, Problem):
        return error.detail
    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        found = (f"CLOSEDLOOP_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        return "a setting is wrong: " + "; ".join(found)
    if isinstance(error, SQLAlchemyError | OSError):
        return f"the database cannot be used ({_first_line(error)}). CLOSEDLOOP_DATABASE_URL names it."
    if "Can't locate revision" in str(error):
        return (
            f"the database was made by another version ({_first_line(error)}). Run the version that made it, or name a new"
            " database in CLOSEDLOOP_DATABASE_URL; before the first release a schema is not carried over to the next."
        )
    for beginning, variable in _NAMED_BY.items():
        if isinstance(error, ValueError) and str(error).startswith(beginning):
            return f"{variable}: {error}"
    return None


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).partition("\n")[0][:300] or type(error).__name__
