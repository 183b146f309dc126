"""What one group writes, in which order: the gates, then what stands beside those of them that are new.

A plan is a generator: it gives inserts and is sent the keys of the rows that were new, so the same plan runs within a
thread on SQLite and within the event loop on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Table

from app import tables
from app.log.facts import Fact
from app.log.rows import Rows, key_columns

Key = tuple[Any, ...]
DropKey = tuple[str, str]
"""(site ID, reason)."""


class Insert(NamedTuple):
    """Rows of one table (each key once), in order of their keys."""

    table: Table
    rows: Sequence[dict[str, Any]]


Plan = Generator[Insert, Sequence[Key], "Written"]


class Written(NamedTuple):
    """What a transaction did."""

    is_new: list[bool]
    """Of each fact, in order."""
    labelled: list[tuple[Table, Key]]
    """The origins and forms that are there now."""


@dataclass
class Group:
    """What is written in one transaction."""

    facts: list[Fact] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[DropKey, int] = field(default_factory=dict)

    def halves(self) -> list[Group]:
        """Two smaller groups; none if it holds a single row."""
        first, second = len(self.facts) // 2, len(self.quarantined) // 2
        kinds = [Group(self.facts), Group(quarantined=self.quarantined), Group(dropped=self.dropped)]
        present = [kind for kind in kinds if kind != Group()]
        if len(present) > 1:
            return present
        if first:
            return [Group(self.facts[:first]), Group(self.facts[first:])]
        if second:
            return [Group(quarantined=self.quarantined[:second]), Group(quarantined=self.quarantined[second:])]
        return []


def plan_of(group: Group, known: Mapping[tuple[Table, Key], None], now: datetime) -> Plan:
    """Writes a group. `known` are origins and forms that are committed already, and need not be written again."""
    keys = [(fact.table, _key_of(fact.table, fact.row)) for fact in group.facts]
    first: dict[tuple[Table, Key], Fact] = {}
    is_first = []
    for key, fact in zip(keys, group.facts, strict=True):
        is_first.append(key not in first)
        first.setdefault(key, fact)
    new: set[tuple[Table, Key]] = set()
    for table, rows in Rows((fact.table, fact.row) for fact in first.values()).in_order():
        new.update((table, key) for key in (yield Insert(table, rows)))
    satellites = Rows(row for key, fact in first.items() if key in new for row in fact.satellites)
    labelled = yield from _labelled(satellites, known, now)
    satellites.extend((tables.quarantine, row) for row in group.quarantined)
    satellites.extend(_drop_rows(group.dropped, now))
    for table, rows in satellites.in_order():
        yield Insert(table, rows)
    return Written([each and key in new for each, key in zip(is_first, keys, strict=True)], labelled)


def _labelled(
    satellites: Rows, known: Mapping[tuple[Table, Key], None], now: datetime
) -> Generator[Insert, Sequence[Key], list[tuple[Table, Key]]]:
    """Writes the origins and forms that are not known yet; one that is new is to be labelled."""
    written: list[tuple[Table, Key]] = []
    for table in (tables.origins, tables.forms):
        unknown = {(table, _key_of(table, row)): row for row in satellites.pop(table)}
        for key in unknown.keys() & known.keys():
            del unknown[key]
        if unknown:
            for site_id, named in (yield Insert(table, list(unknown.values()))):
                satellites.add(tables.labels_queue, {"site_id": site_id, key_columns(table)[1]: named, "received_at": now})
            written += unknown
    return written


def _drop_rows(dropped: Mapping[DropKey, int], now: datetime) -> Iterable[tuple[Table, dict[str, Any]]]:
    day = now.date().isoformat()
    for (site_id, reason), count in dropped.items():
        yield tables.drops, {"site_id": site_id, "day": day, "reason": reason, "count": count}


def _key_of(table: Table, row: dict[str, Any]) -> Key:
    return tuple([row[name] for name in key_columns(table)])
