"""Somebody who is told: a server on a real port that checks signatures, and does what servers do when one needs them."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

STALL, CLOSE = 1, 0
"""In place of a status: it answers after a second; it hangs up."""


@dataclass
class Told:
    """One message as it came."""

    id: str
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listener:
    """Takes every message, but for the faults."""

    secret: str | None = None
    """What messages must be signed with; None: nothing is checked."""
    faults: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    """(status, headers) of the next answers."""
    asked: list[Told] = field(default_factory=list)
    taken: list[Told] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def receive(self, told: Told) -> tuple[int, dict[str, str]]:
        self.asked.append(told)
        if self.secret is not None:
            try:
                Webhook(self.secret).verify(told.body, told.headers)
            except (WebhookVerificationError, ValueError) as error:
                self.bad.append(repr(error))
                return 401, {}
        status, headers = self.faults.popleft() if self.faults else (200, {})
        if status in (200, 204):
            self.taken.append(told)
        return status, headers


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra = listener.receive(Told(headers.get("webhook-id", ""), body, headers))
            if status == CLOSE:
                self.close_connection = True
                return self.connection.close()
            if status == STALL:
                time.sleep(1.0)
            self.send_response_only(status if status > 1 else 200)
            for name, value in {"content-length": "0", **extra}.items():
                self.send_header(name, value)
            return self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    """The listener on a port of its own."""
    with _Server(("127.0.0.1", listener.port), _handler(listener)) as server:
        listener.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()
