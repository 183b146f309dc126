"""The size that no request body may pass, on every door: refused before anything of it is read, or while it is."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: a body of more than `largest` bytes, as sent, is answered 413.

    FastAPI's own `max_body_size` answers in plain text, past every error handler. A compressed body is bounded again
    by whoever inflates it.
    """

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self.app = app
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "")
        is_too_large = stated.isdecimal() and int(stated[:20]) > self.largest
        read = 0

        async def bounded() -> Message:
            nonlocal read
            # An HTTPException, and not a Problem: FastAPI would take the latter for a body that cannot be parsed.
            if is_too_large:
                raise self._too_large()
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.largest:
                raise self._too_large()
            return message

        await self.app(scope, bounded, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"A request may have at most {self.largest} bytes.")
