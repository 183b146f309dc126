"""What the log is given, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

Row = tuple[Table, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of `events` or `crm_facts`, and what is written beside it if it is new (of two, the first stored wins)."""

    table: Table
    row: dict[str, Any]
    satellites: tuple[Row, ...] = ()
    refused: Callable[[str], dict[str, Any]] | None = None
    """Makes its row of `quarantine`, given the reason, should the database refuse it."""


@dataclass(frozen=True)
class Refused:
    """The database would not take this fact; it is in the quarantine. False, as nothing was stored."""

    reason: str

    def __bool__(self) -> bool:
        return False


Outcome = bool | Refused
"""Of one fact: whether it is newly stored."""
