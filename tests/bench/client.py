"""A client that costs little: prepared requests over keep-alive sockets, so that the service is what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Result:
    """How long each request took, and how long all of them together."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def per_second(self) -> float:
        """Requests answered as wanted, per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds within which so many of the requests were answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1_000


def request(path: str, body: bytes, key: str) -> bytes:
    """A whole HTTP request."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line[15:])
    if length:
        await reader.readexactly(length)
    return int(head[9:12])


async def _connection(port: int, requests: Iterator[bytes], until: float, result: Result) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for prepared in requests:
        began = time.perf_counter()
        if began > until:
            break
        writer.write(prepared)
        status = await _answer(reader)
        if 200 <= status < 300:
            result.latencies.append(time.perf_counter() - began)
        else:
            result.failures += 1
    writer.close()
    await writer.wait_closed()


async def load(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Result:
    """Post requests over so many connections, each waiting for its answer, for so long."""
    result, began = Result(), time.perf_counter()
    await asyncio.gather(*(_connection(port, requests, began + seconds, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result
