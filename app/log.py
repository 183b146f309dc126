"""The log: the one place where facts are written, many callers in one transaction (group commit).

A caller is answered after COMMIT, never before. A group that the database refuses is halved until the bad fact is
alone; that one is quarantined, and nobody else pays for it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids, tables
from app.db import Database
from app.errors import Unavailable
from app.log_rows import Rows, insert_rows, key_columns
from app.storage_errors import in_words, is_bad_value, is_passing

_logger = structlog.get_logger()

_TRIES = 5
"""How often a group is tried that met a deadlock or a lock."""
_PATIENCE_SECONDS = 40.0
"""How long one group may take before its callers are told to try again: longer than SQLite's own patience."""

Row = tuple[Table, dict[str, Any]]
DropKey = tuple[str, str]
"""(site ID, reason)."""


@dataclass(frozen=True)
class Fact:
    """A row of `events` or `crm_facts`, and what is written beside it if it is new (of two, the first stored wins)."""

    table: Table
    row: dict[str, Any]
    satellites: tuple[Row, ...] = ()
    refused: Callable[[str], dict[str, Any]] | None = None
    """Makes its row of `quarantine`, given the reason, should the database refuse it."""

    @property
    def key(self) -> tuple[str, ...]:
        """Its primary key, after the name of its table."""
        return (self.table.name, *(self.row[name] for name in key_columns(self.table)))


@dataclass(frozen=True)
class Refused:
    """The database would not take this fact; it is in the quarantine. False, as nothing was stored."""

    reason: str

    def __bool__(self) -> bool:
        return False


Outcome = bool | Refused
"""Of one fact: whether it is newly stored."""


@dataclass
class _Group:
    """What is written in one transaction."""

    facts: list[Fact] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[DropKey, int] = field(default_factory=dict)

    def halves(self) -> list[_Group]:
        """Two smaller groups; none if it is a single row already."""
        if len(self.facts) > 1:
            middle = len(self.facts) // 2
            return [_Group(self.facts[:middle]), _Group(self.facts[middle:], self.quarantined, self.dropped)]
        if self.facts and (self.quarantined or self.dropped):
            return [_Group(self.facts), _Group([], self.quarantined, self.dropped)]
        return []


@dataclass
class _Request:
    """One caller that waits."""

    facts: Sequence[Fact]
    quarantined: Sequence[dict[str, Any]]
    dropped: Mapping[DropKey, int]
    answer: asyncio.Future[list[Outcome]]


class Log:
    """Writes facts. One task a process; several processes may write to one PostgreSQL database."""

    def __init__(
        self,
        database: Database,
        *,
        most_waiting: int = 20_000,
        group_size: int = 2_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`most_waiting` facts may wait before callers are told to try again; a group has about `group_size`."""
        self._database = database
        self._most_waiting = most_waiting
        self._group_size = group_size
        self._clock = clock
        self._waiting: deque[_Request] = deque()
        self._facts_waiting = 0
        self._arrived = asyncio.Event()
        self._is_open = False
        self._task: asyncio.Task[None] | None = None
        self._known: dict[tuple[str, ...], None] = {}

    async def start(self) -> None:
        """Begin to write."""
        self._is_open = True
        self._task = asyncio.create_task(self._run(), name="log")

    async def stop(self) -> None:
        """Take nothing more, write what waits, and end."""
        self._is_open = False
        self._arrived.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def append(
        self,
        facts: Sequence[Fact],
        *,
        quarantined: Sequence[dict[str, Any]] = (),
        dropped: Mapping[DropKey, int] | None = None,
    ) -> list[Outcome]:
        """Write facts, rows of `quarantine`, and counts of what was dropped today. Returns after COMMIT.

        One outcome a fact. Unavailable if the database is gone or full, or too much waits already.
        """
        if not (facts or quarantined or dropped):
            return []
        if not self._is_open:
            raise Unavailable("The service is stopping.")
        if self._facts_waiting + len(facts) > self._most_waiting and self._waiting:
            raise Unavailable("More arrives than can be written.")
        request = _Request(facts, quarantined, dropped or {}, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._facts_waiting += len(facts)
        self._arrived.set()
        return await request.answer

    async def _run(self) -> None:
        while self._waiting or self._is_open:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            requests = self._next_requests()
            try:
                await self._answer(requests)
            except Exception as error:  # noqa: BLE001 - whatever it is, no caller may wait for ever, and the next group may pass
                _logger.warning("log.group_failed", error=in_words(error), requests=len(requests))
                for request in requests:
                    if not request.answer.done():
                        request.answer.set_exception(Unavailable("It is not known to be stored. Send it again."))

    def _next_requests(self) -> list[_Request]:
        requests: list[_Request] = []
        size = 0
        while self._waiting and (not requests or size + len(self._waiting[0].facts) <= self._group_size):
            request = self._waiting.popleft()
            size += len(request.facts)
            requests.append(request)
        self._facts_waiting -= size
        return requests

    async def _answer(self, requests: Sequence[_Request]) -> None:
        group = _Group()
        for request in requests:
            group.facts += request.facts
            group.quarantined += request.quarantined
            for drop_key, count in request.dropped.items():
                group.dropped[drop_key] = group.dropped.get(drop_key, 0) + count
        outcomes = iter(await self._store(group))
        for request in requests:
            mine = [next(outcomes) for _ in request.facts]
            if not request.answer.done():
                request.answer.set_result(mine)

    async def _store(self, group: _Group) -> list[Outcome]:
        """Outcomes of the group's facts, in order. Raises what is not the fault of a value."""
        try:
            return list(await self._store_patiently(group))
        except Exception as error:
            if not is_bad_value(error):
                raise
            halves = group.halves()
            if halves:
                return [outcome for half in halves for outcome in await self._store(half)]
            return await self._quarantine(group, f"the database refused it: {in_words(error)}")

    async def _quarantine(self, group: _Group, reason: str) -> list[Outcome]:
        """Set aside the group's only fact."""
        if not group.facts:
            _logger.error("log.row_refused", reason=reason)
            return []
        [fact] = group.facts
        row = fact.refused(reason) if fact.refused else _refused_row(fact, reason)
        await self._store_patiently(_Group(quarantined=[row]))
        return [Refused(reason)]

    async def _store_patiently(self, group: _Group) -> list[bool]:
        for _ in range(_TRIES - 1):
            try:
                return await self._commit(group)
            except Exception as error:
                if not is_passing(error):
                    raise
        return await self._commit(group)

    async def _commit(self, group: _Group) -> list[bool]:
        """One transaction."""
        committed: list[tuple[str, ...]] = []
        async with asyncio.timeout(_PATIENCE_SECONDS), self._database.write() as connection:
            is_new = await self._write_facts(connection, group.facts, committed)
            await insert_rows(connection, self._database.is_sqlite, tables.quarantine, group.quarantined)
            await insert_rows(connection, self._database.is_sqlite, tables.drops, self._drop_rows(group.dropped))
        self._remember(committed)
        return is_new

    async def _write_facts(
        self, connection: AsyncConnection, facts: Sequence[Fact], committed: list[tuple[str, ...]]
    ) -> list[bool]:
        """Gate rows, then the satellites of those that are new. Fills `committed` with the origins and forms there are."""
        first: dict[tuple[str, ...], Fact] = {}
        for fact in facts:
            first.setdefault(fact.key, fact)
        new = await self._write_gates(connection, list(first.values()))
        satellites = Rows(row for key, fact in first.items() if key in new for row in fact.satellites)
        for table in (tables.origins, tables.forms):
            await self._write_labelled(connection, table, satellites, committed)
        for table, rows in satellites.in_order():
            await insert_rows(connection, self._database.is_sqlite, table, rows)
        return [fact is first[fact.key] and fact.key in new for fact in facts]

    async def _write_gates(self, connection: AsyncConnection, facts: Sequence[Fact]) -> set[tuple[str, ...]]:
        """Keys, after the name of the table, of the facts that were not stored before."""
        new: set[tuple[str, ...]] = set()
        for table, rows in Rows((fact.table, fact.row) for fact in facts).in_order():
            stored = await insert_rows(connection, self._database.is_sqlite, table, rows)
            new.update((table.name, *key) for key in stored)
        return new

    async def _write_labelled(
        self, connection: AsyncConnection, table: Table, satellites: Rows, committed: list[tuple[str, ...]]
    ) -> None:
        """Origins or forms; one that is new is also to be labelled."""
        id_column = key_columns(table)[1]
        unknown = {}
        for row in satellites.pop(table):
            key = (table.name, row["site_id"], row[id_column])
            if key not in self._known:
                unknown[key] = row
        stored = await insert_rows(connection, self._database.is_sqlite, table, list(unknown.values()))
        for site_id, named in stored:
            satellites.add(tables.labels_queue, {"site_id": site_id, id_column: named, "received_at": self._clock()})
        committed += unknown

    def _remember(self, keys: list[tuple[str, ...]]) -> None:
        if len(self._known) > 100_000:
            self._known.clear()
        self._known.update(dict.fromkeys(keys))

    def _drop_rows(self, dropped: Mapping[DropKey, int]) -> list[dict[str, Any]]:
        day = self._clock().date().isoformat()
        return [{"site_id": site, "day": day, "reason": reason, "count": count} for (site, reason), count in dropped.items()]


def _refused_row(fact: Fact, reason: str) -> dict[str, Any]:
    """A row of `quarantine` for a fact whose sender left no better one."""
    body = json.dumps(fact.row, default=str, ensure_ascii=True)
    return {
        "site_id": fact.row["site_id"], "quarantine_id": ids.digest("log", body), "door": "log", "reason": reason,
        "body": body, "is_trusted": bool(fact.row.get("is_trusted", True)), "received_at": fact.row["received_at"],
    }
