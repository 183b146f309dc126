"""Group commit: one task writes what many callers hand in, each time all that waits in one transaction.

A caller is answered after COMMIT, never before. A group that the database refuses is halved until the bad fact is
alone; that one is quarantined, and nobody else pays for it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Table

from app import ids
from app.db import Database
from app.errors import Unavailable
from app.log.facts import Fact, Outcome, Refused
from app.log.failures import in_words, is_bad_value, is_passing
from app.log.plan import DropKey, Group, Key, plan_of
from app.log.transactions import transactions_on

_logger = structlog.get_logger()

_TRIES = 5
"""How often a group is tried that met a deadlock or a lock."""
_PATIENCE_SECONDS = 40.0
"""How long one group may take before its callers are told to try again: longer than SQLite's own patience."""
_MOST_KNOWN = 100_000
"""Origins and forms that a process remembers to be committed."""

@dataclass(slots=True)
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
        self._most_waiting = most_waiting
        self._group_size = group_size
        self._clock = clock
        self._waiting: deque[_Request] = deque()
        self._facts_waiting = 0
        self._arrived = asyncio.Event()
        self._is_open = False
        self._task: asyncio.Task[None] | None = None
        self._known: dict[tuple[Table, Key], None] = {}
        self._transactions = transactions_on(database)

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
            await self._transactions.close()

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
        group = Group()
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

    async def _store(self, group: Group) -> list[Outcome]:
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

    async def _quarantine(self, group: Group, reason: str) -> list[Outcome]:
        """Set aside the group's only fact."""
        if not group.facts:
            _logger.error("log.row_refused", reason=reason)
            return []
        [fact] = group.facts
        row = fact.refused(reason) if fact.refused else _refused_row(fact, reason)
        await self._store_patiently(Group(quarantined=[row]))
        return [Refused(reason)]

    async def _store_patiently(self, group: Group) -> list[bool]:
        for _ in range(_TRIES - 1):
            try:
                return await self._commit(group)
            except Exception as error:
                if not is_passing(error):
                    raise
        return await self._commit(group)

    async def _commit(self, group: Group) -> list[bool]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                written = await self._transactions.run(plan_of(group, self._known, self._clock()))
        except Exception:
            self._known.clear()  # who knows which database the next group meets
            raise
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(dict.fromkeys(written.labelled))
        return written.is_new


def _refused_row(fact: Fact, reason: str) -> dict[str, Any]:
    """A row of `quarantine` for a fact whose sender left no better one."""
    body = json.dumps(fact.row, default=str, ensure_ascii=True)
    return {
        "site_id": fact.row["site_id"], "quarantine_id": ids.digest("log", body), "door": "log", "reason": reason,
        "body": body, "is_trusted": bool(fact.row.get("is_trusted", True)), "received_at": fact.row["received_at"],
    }
