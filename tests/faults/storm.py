"""Clients that post without pause while the service comes and goes, and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.world import SECRET_KEY, WRITE_KEY

CLIENTS = 50
_ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def service(database_url: str, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`closedloop serve` as a process of its own; killed at the end of the block if it still runs."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(_ROOT),
        "CLOSEDLOOP_DATABASE_URL": database_url,
        "CLOSEDLOOP_WRITE_KEY": WRITE_KEY,
        "CLOSEDLOOP_SECRET_KEY": SECRET_KEY,
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with (
        (folder / "service.log").open("ab") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


async def until_ready(url: str, seconds: float = 60) -> None:
    """Waits for the service to answer."""
    deadline = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, "the service does not become ready"
            await asyncio.sleep(0.05)


@dataclass
class Storm:
    """What was sent, and what was acknowledged with 202."""

    url: str
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    answers: dict[int, int] = field(default_factory=dict)

    async def blow(self, until: asyncio.Event) -> None:
        """Fifty clients post small batches until told to stop."""
        limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
        async with httpx.AsyncClient(base_url=self.url, timeout=20, limits=limits, trust_env=False) as client:
            await asyncio.gather(*(self._client(client, number, until) for number in range(CLIENTS)))

    async def _client(self, client: httpx.AsyncClient, number: int, until: asyncio.Event) -> None:
        while not until.is_set():
            await self._post(client, self._events(number))
            await asyncio.sleep(0.01)

    def _events(self, client: int) -> list[dict[str, Any]]:
        """Two new events: a visit of one visitor, and a page of another that all clients share."""
        number = len(self.sent)
        at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        common = {"occurred_at": at, "url": f"https://shop.example/{number}?utm_source=s{number % 7}"}
        events = [
            {"id": f"event-{number}", "type": "visit", "visitor_id": f"visitor-{client}-{number}", **common},
            {"id": f"event-{number + 1}", "type": "pageview", "visitor_id": f"shared-{number % 3}", **common},
        ]
        self.sent.update({event["id"]: event for event in events})
        return events

    async def _post(self, client: httpx.AsyncClient, events: list[dict[str, Any]]) -> None:
        try:
            answer = await client.post("/v1/events", json={"events": events}, headers={"Authorization": f"Bearer {SECRET_KEY}"})
        except httpx.HTTPError:
            return
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
        if answer.status_code == 202:
            assert answer.json()["rejected"] == []
            self.acknowledged.update(event["id"] for event in events)

    async def send_again(self) -> dict[str, int]:
        """Sends everything once more; answers how many were new, and how many duplicates."""
        totals = {"accepted": 0, "duplicates": 0}
        events = list(self.sent.values())
        async with httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            for start in range(0, len(events), 500):
                body = {"events": events[start : start + 500]}
                answer = await client.post("/v1/events", json=body, headers={"Authorization": f"Bearer {SECRET_KEY}"})
                assert answer.status_code == 202, answer.text
                for name in totals:
                    totals[name] += answer.json()[name]
        return totals
