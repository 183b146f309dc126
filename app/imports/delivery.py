"""How the records of a file reach the log: over HTTP, or straight into the database, with the same verdicts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from app.collect import quarantine
from app.collect.schemas import Limits, read_body
from app.collect.steps import Sender, fact_of
from app.imports.records import Record
from app.log import Fact, Log, Refused
from app.sites.site import Site

_MOST_EVENTS = 1_000
_MOST_BYTES = 400_000
_LARGEST_EVENT = 100_000
"""Beyond this no service takes an event, and a batch would be refused for its sake."""
_TRIES = 6
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})
_DOOR = "events"
_LIMITS = Limits()


class NotDelivered(Exception):
    """The service cannot be reached or does not take the import; the message says what to do."""


@dataclass
class Rejected:
    """A line that was not taken."""

    line: int
    reason: str


@dataclass
class Result:
    """What became of the records so far."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)


class Door(Protocol):
    """Takes records, and adds to the result what became of them."""

    async def take(self, records: list[Record], result: Result) -> None:
        """Deliver records of at most one request. NotDelivered if it is no use to go on."""


async def deliver(records: Iterable[Record], door: Door) -> AsyncIterator[Result]:
    """Deliver all records in order; the result so far, after each request."""
    result = Result()
    for batch in batches(records):
        await door.take(batch, result)
        yield result


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in requests of a size that every service takes."""
    batch: list[Record] = []
    size = 0
    for record in records:
        bytes_of_it = len(json.dumps(record.event)) if record.event else 0
        if batch and (len(batch) == _MOST_EVENTS or size + bytes_of_it > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        if bytes_of_it > _LARGEST_EVENT:
            batch.append(Record(record.line, None, f"an event of {bytes_of_it} bytes is too large", ""))
            continue
        batch.append(record)
        size += bytes_of_it
    if batch:
        yield batch


class HttpDoor:
    """The service at a URL. What a line holds that is no event stays here; what the service refuses, it quarantines."""

    def __init__(self, client: httpx.AsyncClient, key: str, site_id: str) -> None:
        """`client` has the service's URL as its base."""
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._site_id = site_id

    async def take(self, records: list[Record], result: Result) -> None:
        """Post them, with patience for a service that is busy or starting again."""
        good = _without_bad_lines(records, result)
        if not good:
            return
        answer = await self._post({"events": [record.event for record in good]})
        result.accepted += answer["accepted"]
        result.duplicates += answer["duplicates"]
        result.rejected += [Rejected(good[each["index"]].line, each["reason"]) for each in answer["rejected"]]

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        trouble = ""
        for attempt in range(_TRIES):
            try:
                answer = await self._client.post("/v1/events", params={"site": self._site_id}, json=body, headers=self._headers)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__} {error}".strip()
            else:
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                trouble = _said(answer)
                if answer.status_code not in _WORTH_ANOTHER_TRY:
                    break
            await asyncio.sleep(0.5 * 2**attempt)
        raise NotDelivered(
            f"{self._client.base_url} does not take it: {trouble}. Import the file again later: what was stored is not stored twice."
        )


def _said(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"


class DatabaseDoor:
    """The log of a database, without a service between; lines that are no events are quarantined too."""

    def __init__(self, log: Log, site: Site) -> None:
        """`log` is started."""
        self._log = log
        self._site = site

    async def take(self, records: list[Record], result: Result) -> None:
        """Store them in one transaction. Unavailable if the database is gone or full."""
        received_at = time.time_ns() // 1_000
        bad_lines = [record for record in records if record.event is None]
        rows = [self._set_aside(record.problem, record.text, received_at) for record in bad_lines]
        good = _without_bad_lines(records, result)
        facts = []
        for record, fact in self._facts(good, received_at):
            if isinstance(fact, Fact):
                facts.append((record, fact))
                continue
            rows.append(self._set_aside(fact, json.dumps(record.event), received_at))
            result.rejected.append(Rejected(record.line, fact))
        outcomes = await self._log.append([fact for _, fact in facts], quarantined=rows)
        for (record, _), outcome in zip(facts, outcomes, strict=True):
            if isinstance(outcome, Refused):
                result.rejected.append(Rejected(record.line, outcome.reason))
            elif outcome:
                result.accepted += 1
            else:
                result.duplicates += 1

    def _facts(self, records: list[Record], received_at: int) -> Iterator[tuple[Record, Fact | str]]:
        """Each record with the fact that it is, or why it is none: by the schema and the steps of `POST /v1/events`."""
        if not records:
            return
        sender = Sender(self._site, True, received_at)
        body = read_body(json.dumps({"events": [record.event for record in records]}).encode(), _LIMITS)
        for index, event in body.events:
            try:
                yield records[index], fact_of(event, sender)
            except ValueError as error:
                yield records[index], str(error)
        for refusal in body.refusals:
            yield records[refusal.index], refusal.reason

    def _set_aside(self, reason: str, text: str, received_at: int) -> dict[str, Any]:
        return quarantine.quarantine_row(self._site.site_id, _DOOR, reason, text, is_trusted=True, received_at=received_at)


def _without_bad_lines(records: list[Record], result: Result) -> list[Record]:
    """The records that are events; the others are counted as rejected."""
    result.rejected += [Rejected(record.line, record.problem) for record in records if record.event is None]
    return [record for record in records if record.event is not None]
