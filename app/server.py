"""The HTTP server around the application: one process, which answers what it has begun before it stops."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from app.settings import Settings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DRAINING_SECONDS = 30
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any free one. OSError if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _collect_garbage_seldom() -> None:
    """Leave alone what was made at the start and lives as long as the process, and look at the rest less often.

    A request makes hundreds of objects and no cycles; looking for some took a quarter of ingestion's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def url_of(listener: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what it is bound to, not to bind to
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves an application until it is told to stop, by `should_exit`, SIGTERM or SIGINT.

    It then takes no new connection, answers the requests under way, and lets the application write what waits.
    """

    def __init__(self, app: FastAPI, listener: socket.socket, settings: Settings, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=_DRAINING_SECONDS,
            backlog=_BACKLOG,
        )
        super().__init__(config)
        self._listener = listener
        self._on_ready = on_ready

    async def until_stopped(self) -> None:
        """Serve. SystemExit if the application does not start; the log says why."""
        await self.serve(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, then say so."""
        await super().startup(sockets)
        _collect_garbage_seldom()
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in good order on a signal, and end like any process that has done its work.

        (The inherited one raises the signal again when everything is done, which kills what still has to tidy up.)
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
