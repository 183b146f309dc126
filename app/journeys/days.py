"""Which days a change concerns: those of all ledger entries, old and new, of the conversions that changed.

Each function answers rows of keys for the queue of the stage `sums`: `site_id`, `kind`, `day`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, select

from app import tables
from app.journeys.conversions import same_conversion
from app.swap import Enqueue
from app.tables import of_site

_entry = tables.ledger_entries


def _day(entry: Table) -> tuple[ColumnElement[Any], ...]:
    return (entry.c.site_id, entry.c.kind, entry.c.counted_on.label("day"))


def days_written() -> Select[Any]:
    """A row for each staged ledger entry that is new or different."""
    written = tables.staged["ledger_entries"]
    return select(*_day(written)).where(of_site(written), written.c.is_gone.is_(False))


def days_of_changed(changed: Table) -> Select[Any]:
    """A row for each stored ledger entry of a conversion of which a staged row is gone, new or different.

    Index: the key of `ledger_entries`.
    """
    is_entry = and_(of_site(_entry), same_conversion(_entry.c, changed.c))
    return select(*_day(_entry)).join_from(changed, _entry, is_entry).where(of_site(changed))


def enqueue_days(*targets: str) -> tuple[Enqueue, ...]:
    """Makes the days dirty of every conversion of which a row of these derived tables changes."""
    return tuple(Enqueue(tables.sums_queue, days_of_changed(tables.staged[target])) for target in targets)
