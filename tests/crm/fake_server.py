"""What stand-ins for CRMs have in common: a real port, JSON, and the trouble that servers make when one needs it.

A stand-in says who may call (`is_known`) and what it finds (`found`), and raises Refused where the CRM would.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BREAKS, STALLS = 0, 1
"""In place of a status: the connection breaks; the answer comes after two seconds."""
Answer = tuple[int, dict[str, str], Any]


class Refused(Exception):
    """A call that the CRM answers with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


@dataclass
class FakeServer:
    """What was asked, and what goes wrong."""

    port: int = 0
    page_size: int | None = None
    """Records of one page at most; None: as many as were asked for."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(path, query) of each call."""
    faults: deque[Answer] = field(default_factory=deque)
    """Answers in place of the next ones."""
    calls_before_faults: int = 0
    is_down: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Whether the token is good."""
        raise NotImplementedError

    def found(self, path: list[str], query: dict[str, str]) -> Any:
        """The answer to a call; None: there is no such thing."""
        raise NotImplementedError

    def limited(self, query: Mapping[str, str], *, most: int) -> int:
        """Records of one page, as was asked for and is allowed."""
        limit = int(query.get("limit", 100))
        if not 1 <= limit <= most:
            raise Refused(400, {"error": f"limit: at most {most}"})
        return min(limit, self.page_size or limit)

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        self.asked.append((path, query))
        if self.faults:
            if not self.calls_before_faults:
                return self.faults.popleft()
            self.calls_before_faults -= 1
        if self.is_down:
            return 503, {}, {"error": "service unavailable"}
        try:
            found = self.found(path.strip("/").split("/"), query)
        except Refused as refused:
            return refused.status, {}, refused.body
        return (404, {}, {"error": "not found"}) if found is None else (200, {}, found)


def _handler(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not fake.is_known({name.lower(): value for name, value in self.headers.items()}):
                return self._send(401, {}, {"error": "unauthorized access"})
            url = urlsplit(self.path)
            status, headers, body = fake.answer(url.path, dict(parse_qsl(url.query)))
            if status == BREAKS:
                self.close_connection = True
                return self.connection.close()
            if status == STALLS:
                time.sleep(2.0)
            return self._send(max(status, 200), headers, body)

        def _send(self, status: int, headers: dict[str, str], answered: Any) -> None:
            body = json.dumps(answered).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""


@contextmanager
def serving(fake: FakeServer) -> Iterator[None]:
    """The stand-in on a port that the system chooses (the same again, if it had one)."""
    with _Server(("127.0.0.1", fake.port), _handler(fake)) as server:
        fake.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
