"""How a month of stories reaches the service: history in bulk, recent days as browsers post them, the CRM by webhooks.

As in life, some of it comes late, some of it twice, and nothing in order.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

import httpx
from standardwebhooks import Webhook

from app.demo.world import HOST, Event, Message, Story

_Thing = TypeVar("_Thing")

CONNECTION = "crm"
_BATCH = 100
_AT_ONCE = 8
_WRITE_KEY_REACHES = timedelta(days=6)
"""A write key may send what is up to 7 days old; a day is left for clocks."""
_BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Content-Type": "text/plain;charset=UTF-8",
    "Origin": HOST,
}


@dataclass(frozen=True)
class Keys:
    """What the sender signs and identifies itself with."""

    write: str
    secret: str
    webhook: str


@dataclass
class Plan:
    """What is sent, in the order in which it is sent. Every request is one entry."""

    batches: list[list[Event]] = field(default_factory=list)
    posts: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    late_batches: list[list[Event]] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many there are."""
        return len(self.batches) + len(self.posts) + len(self.messages) + len(self.late_batches)


class Refused(Exception):
    """The service did not take what a correct sender sent."""


def plan(stories: Sequence[Story], now: datetime, *, seed: int = 7) -> Plan:
    """How the stories are sent at the moment `now`: 3 in 100 old events late, 1 in 30 events and messages twice."""
    generator = random.Random(seed)  # noqa: S311 - disorder, no secret
    events = [event for story in stories for event in story.events]
    generator.shuffle(events)
    recent = [event for event in events if _is_recent(event, now)]
    old = [event for event in events if not _is_recent(event, now)]
    messages = [message for story in stories for message in story.messages]
    generator.shuffle(messages)
    late = len(old) * 3 // 100
    return Plan(
        batches=_batches(_some_twice(generator, old[late:])),
        posts=_some_twice(generator, recent),
        messages=_some_twice(generator, messages),
        late_batches=_batches(old[:late]),
    )


def _is_recent(event: Event, now: datetime) -> bool:
    return "visitor_id" in event and datetime.fromisoformat(event["occurred_at"]) > now - _WRITE_KEY_REACHES


def _some_twice(generator: random.Random, things: list[_Thing]) -> list[_Thing]:
    return things + generator.sample(things, len(things) // 30)


def _batches(events: list[Event]) -> list[list[Event]]:
    return [events[start : start + _BATCH] for start in range(0, len(events), _BATCH)]


async def deliver(client: httpx.AsyncClient, plan: Plan, keys: Keys, sent: Callable[[], None]) -> None:
    """Send everything, a few requests at a time, the late events last. `sent` is called after each request.

    Refused if the service does not take something.
    """
    turns = chain(
        (_bulk(events, keys) for events in plan.batches),
        (_webhook(message, keys) for message in plan.messages),
        (_beacon(event, keys) for event in plan.posts),
        (_bulk(events, keys) for events in plan.late_batches),
    )
    try:
        async with asyncio.TaskGroup() as senders:
            for _ in range(_AT_ONCE):
                senders.create_task(_send(client, turns, sent))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _send(client: httpx.AsyncClient, turns: Iterator[dict[str, Any]], sent: Callable[[], None]) -> None:
    for request in turns:
        answer = await client.post(**request)
        if not answer.is_success:
            raise Refused(f"{request['url'].partition('?')[0]} answered {answer.status_code}: {answer.text[:500]}")
        sent()


def _bulk(events: list[Event], keys: Keys) -> dict[str, Any]:
    return {"url": "/v1/events", "json": {"events": events}, "headers": {"Authorization": f"Bearer {keys.secret}"}}


def _beacon(event: Event, keys: Keys) -> dict[str, Any]:
    return {"url": f"/v1/events?key={keys.write}", "content": json.dumps(event), "headers": _BROWSER}


def _webhook(message: Message, keys: Keys) -> dict[str, Any]:
    body, signed_at = json.dumps(message.body()), datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message.message_id,
        "webhook-timestamp": str(int(signed_at.timestamp())),
        "webhook-signature": Webhook(keys.webhook).sign(message.message_id, signed_at, body),
    }
    return {"url": f"/v1/webhooks/{CONNECTION}", "content": body, "headers": headers}
