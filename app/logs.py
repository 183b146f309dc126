"""What the service writes about itself: one line a thing that happened, JSON for machines or coloured for a terminal.

No key, secret, address or query string stands in a line: callers log IDs, counts and paths, and the server's own
access log (which would write whole request lines) is off.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.types import Processor

_SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "alembic")


def configure_logs(level: str, stream: TextIO | None = None) -> None:
    """Sends the log of the service, and of the libraries under it, to `stream` (stderr): JSON unless it is a terminal.

    `level` is `DEBUG`, `INFO`, `WARNING` or `ERROR`; ValueError for any other.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"unknown log level {level!r}: use DEBUG, INFO, WARNING or ERROR")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    _route_libraries(stream or sys.stderr, threshold, shared)


def _renderers(is_terminal: bool) -> list[Processor]:
    # The renderer's own tracebacks show local variables, which hold keys.
    if is_terminal:
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _route_libraries(stream: TextIO, threshold: int, shared: list[Processor]) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(stream.isatty())],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for name in _SERVERS:
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore", "aiosqlite", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    # It warns of each form that is none: whoever sends it is told so, and must not fill the log.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # `app.main` answers and logs what a request failed of; the server would write it a second time.
    logging.getLogger("uvicorn.error").addFilter(_is_new)


def _is_new(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Exception in ASGI application")
