"""Answers of the database that may be a moment old, so that a busy door does not ask for the same row on each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """What `read` answered for a key within the last `seconds`, for at most `capacity` keys.

    Concurrent callers of one key share one read. An exception of `read` is raised to them all and not kept.
    """

    def __init__(self, read: Callable[[str], Awaitable[T]], *, seconds: float = 2.0, capacity: int = 4_096) -> None:
        self._read = read
        self._seconds = seconds
        self._capacity = capacity
        self._answers: dict[str, tuple[float, T]] = {}
        self._reading: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str) -> T:
        """The answer for `key`, at most `seconds` old."""
        known = self._answers.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._answer(key))
            reading.add_done_callback(lambda task: self._keep(key, task))
        # A caller that gives up must not cancel the read that others wait for.
        return await asyncio.shield(reading)

    def forget(self, key: str | None = None) -> None:
        """Ask anew next time, for one key or for all; a read that is under way is not kept either."""
        for known in (self._answers, self._reading):
            if key is None:
                known.clear()
            else:
                known.pop(key, None)

    async def _answer(self, key: str) -> T:
        return await self._read(key)

    def _keep(self, key: str, task: asyncio.Task[T]) -> None:
        is_current = self._reading.get(key) is task
        if is_current:
            del self._reading[key]
        if task.cancelled() or task.exception() is not None or not is_current:
            return
        self._answers.pop(key, None)
        self._answers[key] = (time.monotonic() + self._seconds, task.result())
        while len(self._answers) > self._capacity:
            del self._answers[next(iter(self._answers))]
