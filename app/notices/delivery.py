"""Sending what is written down: leased, signed, posted, and tried again for three days.

Each try has the same ID and, for Standard Webhooks, the same body; only the time of the try and so the signature differ. A process
that is killed between sending and noting it sends again when its lease is over: receivers tell by the ID.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from sqlalchemy import update
from standardwebhooks import Webhook

from app import tables
from app.db import Database
from app.ids import digest_64
from app.notices import queries
from app.notices.bodies import Names, envelope, names_for, text_of
from app.notices.receivers import Receiver, is_receiver, names_of
from app.outgoing import PrivateAddress, outgoing_client
from app.settings import Settings
from app.sites.site import load_site
from app.tables import END_OF_TIME

SCHEDULE = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))))
"""How long after the try before each try is made (Standard Webhooks' suggestion); after the last it is given up."""
LEASE = timedelta(minutes=3)
_NOTICES_AT_ONCE = 10
"""At `seconds` a call, well within the lease."""
_THROTTLES = (429, 502, 503, 504)
_THROTTLED_SECONDS, _LONGEST_PAUSE_SECONDS = 60.0, 3600.0
_FAILED_SECONDS = 5.0


@dataclass(frozen=True)
class Notifier:
    """How others are told."""

    database: Database
    allow_private: bool = False
    seconds: float = 10.0
    """How long one call may take."""
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @classmethod
    def configured(cls, database: Database, settings: Settings) -> Notifier:
        """As the process's settings say."""
        return cls(database, allow_private=settings.allow_private_addresses)


@dataclass(frozen=True)
class Answer:
    """What came of one call."""

    status: int | None = None
    error: str | None = None
    """Why it was not taken; None: it was."""
    pause_seconds: float = 0.0
    is_gone: bool = False
    """The receiver wants nothing more, ever."""


@dataclass(frozen=True)
class _Leased:
    """A notice that is ours for the time of a lease."""

    notice_id: str
    kind: str
    person_id: str
    body: str
    tries: int


# ---------------------------------------------------------------- one call


async def post(notifier: Notifier, receiver: Receiver, notice_id: str, content: str) -> Answer:
    """Send one message. Whatever goes wrong is an answer; no address and no secret stands in it."""
    body = content.encode()
    headers = {"Content-Type": "application/json", "User-Agent": "closedloop"}
    if receiver.fields.format == "standard":
        headers |= signed(receiver.secrets, notice_id, notifier.clock(), content)
    try:
        async with (
            asyncio.timeout(notifier.seconds),
            outgoing_client(allow_private=notifier.allow_private, seconds=notifier.seconds) as client,
            client.stream("POST", receiver.fields.url, content=body, headers=headers) as answer,
        ):
            return _judged(answer)
    except (TimeoutError, httpx.TimeoutException):
        return Answer(error="it did not answer in time")
    except PrivateAddress as error:
        return Answer(error=str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(error=f"it cannot be reached ({type(error).__name__})")


def signed(secrets: Sequence[str], notice_id: str, at: datetime, content: str) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each live secret."""
    signatures = " ".join(Webhook(secret).sign(notice_id, at, content) for secret in secrets)
    return {"webhook-id": notice_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signatures}


def _judged(answer: httpx.Response) -> Answer:
    status = answer.status_code
    if answer.is_success:
        return Answer(status)
    if status == 410:
        return Answer(status, "it answered 410: it wants nothing more", is_gone=True)
    if status in _THROTTLES:
        return Answer(status, f"it answered {status}: it asks for a pause", pause_seconds=_pause(answer.headers))
    return Answer(status, f"it answered {status}")


def _pause(headers: httpx.Headers) -> float:
    """What `Retry-After` asks for, at most an hour; a minute where it says nothing."""
    asked = headers.get("retry-after", "").strip()
    seconds = _THROTTLED_SECONDS
    if asked.isascii() and asked.isdigit():
        seconds = float(asked[:9])
    elif asked:
        with suppress(ValueError, TypeError, OverflowError):
            sent_at = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
            seconds = (parsedate_to_datetime(asked) - sent_at).total_seconds()
    return min(max(seconds, 1.0), _LONGEST_PAUSE_SECONDS)


async def send_test(notifier: Notifier, receiver: Receiver) -> Answer:
    """Send a message of type `test`, which is neither stored nor tried again."""
    now = notifier.clock()
    body = envelope("test", now, {"endpoint": receiver.endpoint_id})
    content = body if receiver.fields.format == "standard" else _chat(body, "", Names(), "UTC")
    return await post(notifier, receiver, f"test_{tables.to_micros(now)}", content)


def _chat(body: str, person_id: str, names: Names, timezone: str) -> str:
    return json.dumps({"text": text_of(body, person_id, names, timezone)})


# ---------------------------------------------------------------- what waits


async def deliver(notifier: Notifier, receiver: Receiver) -> int:
    """Send what has waited longest for an endpoint, one after another, until one is not taken. How many were tried."""
    now = notifier.clock()
    until = now + LEASE
    leased = await _lease(notifier, receiver, now, until)
    tried = 0
    try:
        contents = await _contents(notifier, receiver, leased)
        for each in leased:
            answer = await _tell(notifier, receiver, each, contents)
            tried += 1
            await _settle(notifier, receiver, each, answer, until)
            if answer.error is not None:
                break
    finally:
        with suppress(Exception):
            # What was not tried, whoever runs next takes at once.
            await _release(notifier, receiver, leased[tried:], until)
    return tried


async def _lease(notifier: Notifier, receiver: Receiver, now: datetime, until: datetime) -> list[_Leased]:
    wanted = {**names_of(receiver), "now": now, "leased_until": until, "limit": _NOTICES_AT_ONCE}
    async with notifier.database.write() as connection:
        rows = (await connection.execute(queries.lease_notices(), wanted)).all()
    in_order = sorted(rows, key=lambda row: (row.occurred_at, row.notice_id))
    return [_Leased(row.notice_id, row.kind, row.person_id, row.body, row.tries) for row in in_order]


async def _contents(notifier: Notifier, receiver: Receiver, leased: Sequence[_Leased]) -> dict[str, str]:
    """What is posted, by notice: the body as it was written, or a text with the names of now."""
    there = [each for each in leased if each.body != queries.ERASED]
    if receiver.fields.format == "standard" or not there:
        return {each.notice_id: each.body for each in there}
    async with notifier.database.read() as connection:
        timezone = (await load_site(connection, receiver.site_id)).settings.timezone
        names = await names_for(connection, receiver.site_id, ((each.person_id, each.body) for each in there))
    return {each.notice_id: _chat(each.body, each.person_id, names, timezone) for each in there}


async def _tell(notifier: Notifier, receiver: Receiver, notice: _Leased, contents: dict[str, str]) -> Answer:
    if notice.notice_id not in contents:
        return Answer()  # erased: nobody is to be told
    return await post(notifier, receiver, notice.notice_id, contents[notice.notice_id])


async def _settle(notifier: Notifier, receiver: Receiver, notice: _Leased, answer: Answer, until: datetime) -> None:
    now, tries = notifier.clock(), notice.tries + 1
    again_at: datetime | int = END_OF_TIME
    if answer.error is not None and tries < len(SCHEDULE):
        again_at = now + max(with_jitter(SCHEDULE[tries], notice.notice_id), timedelta(seconds=answer.pause_seconds))
    told = {"of_notice": notice.notice_id, "leased_until": until, "now": now, "again_at": again_at, "error": answer.error}
    async with notifier.database.write() as connection:
        await connection.execute(queries.settle_notice(), {**names_of(receiver), **told})
        if values := _state_after(answer, now):
            await connection.execute(
                update(tables.notice_endpoints).where(is_receiver(tables.notice_endpoints)).values(**values), names_of(receiver)
            )


def _state_after(answer: Answer, now: datetime) -> dict[str, Any]:
    """What becomes of the endpoint: disabled, left in peace for a while, or nothing."""
    if answer.is_gone:
        return {"disabled_at": now, "disabled_because": answer.error}
    if answer.error is None:
        return {}
    return {"paused_until": now + timedelta(seconds=answer.pause_seconds or _FAILED_SECONDS)}


def with_jitter(wait: timedelta, notice_id: str) -> timedelta:
    """Up to a tenth more, by what it is of: so not everything that failed at once is tried again at once, and a test knows when."""
    return wait * (1 + (digest_64(notice_id) % 1000) / 10_000)


async def _release(notifier: Notifier, receiver: Receiver, untried: Sequence[_Leased], until: datetime) -> None:
    if not untried:
        return
    now = notifier.clock()
    rows = [{**names_of(receiver), "of_notice": each.notice_id, "leased_until": until, "now": now} for each in untried]
    async with notifier.database.write() as connection:
        await connection.execute(queries.release_notices(), rows)
