"""What a failure is called when a person reads it: what is wrong, and what to do about it."""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Problem


def complaint(error: Exception) -> str | None:
    """One or a few lines; None for a failure that is ours, whose traceback is worth more."""
    if isinstance(error, Problem):
        return error.detail
    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        found = (f"CLOSEDLOOP_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        return "a setting is wrong: " + "; ".join(found)
    if isinstance(error, SQLAlchemyError | OSError):
        return f"the database cannot be used ({_first_line(error)}). CLOSEDLOOP_DATABASE_URL names it."
    if isinstance(error, ValueError) and "unknown database" in str(error):
        return f"CLOSEDLOOP_DATABASE_URL: {error}"
    return None


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).partition("\n")[0][:300] or type(error).__name__
