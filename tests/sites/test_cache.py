"""Answers that may be a moment old."""

from __future__ import annotations

import asyncio

import pytest

from app.sites.cache import Recent

pytestmark = pytest.mark.anyio


class Source:
    """Counts what is read, and waits for leave."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.asked = asyncio.Event()
        self.leave = asyncio.Event()
        self.leave.set()
        self.error: Exception | None = None

    async def read(self, key: str) -> int:
        self.reads.append(key)
        self.asked.set()
        number = len(self.reads)
        await self.leave.wait()
        if self.error:
            raise self.error
        return number


async def test_an_answer_is_kept_for_a_while_and_read_once_by_many() -> None:
    source = Source()
    recent = Recent(source.read, seconds=60)
    assert await asyncio.gather(*(recent.get("a") for _ in range(20))) == [1] * 20
    assert await recent.get("a") == 1
    assert await Recent(source.read, seconds=0).get("a") == 2


async def test_old_answers_are_read_anew() -> None:
    source = Source()
    recent = Recent(source.read, seconds=0)
    assert [await recent.get("a"), await recent.get("a")] == [1, 2]


async def test_it_holds_only_so_many() -> None:
    source = Source()
    recent = Recent(source.read, seconds=60, capacity=2)
    for key in "abcab":
        await recent.get(key)
    assert source.reads == ["a", "b", "c", "a", "b"]
    await recent.get("b")
    assert len(source.reads) == 5


async def test_what_is_forgotten_while_it_is_read_is_not_kept() -> None:
    source = Source()
    recent = Recent(source.read, seconds=60)
    source.leave.clear()
    early = asyncio.create_task(recent.get("a"))
    await source.asked.wait()
    recent.forget()
    late = asyncio.create_task(recent.get("a"))
    await asyncio.sleep(0)
    source.leave.set()
    assert [await early, await late, await recent.get("a")] == [1, 2, 2]


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    source = Source()
    recent = Recent(source.read, seconds=60)
    source.error = RuntimeError("gone")
    results = await asyncio.gather(recent.get("a"), recent.get("a"), return_exceptions=True)
    assert [str(result) for result in results] == ["gone", "gone"]
    source.error = None
    assert await recent.get("a") == 2


async def test_one_that_gives_up_does_not_stop_the_others() -> None:
    source = Source()
    recent = Recent(source.read, seconds=60)
    source.leave.clear()
    impatient, patient = asyncio.create_task(recent.get("a")), asyncio.create_task(recent.get("a"))
    await source.asked.wait()
    impatient.cancel()
    source.leave.set()
    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient
