"""The snippet that web pages load: `snippet.js`, made small once and served from memory."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import rjsmin
from fastapi import APIRouter, Request
from starlette.responses import Response

router = APIRouter(tags=["collect"])

_HEADERS = {
    # An hour: what a release changes is everywhere the same day, and a reader of several pages loads it once.
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    # Any page may load it, also one that demands consent to that (`crossorigin`, `Cross-Origin-Embedder-Policy`).
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Snippet:
    """The script in the forms in which it is sent."""

    plain: bytes
    gzipped: bytes
    etag: str


@lru_cache(maxsize=1)
def snippet() -> Snippet:
    """The script without comments and white space."""
    source = files("app.collect").joinpath("snippet.js").read_text(encoding="utf-8")
    plain = str(rjsmin.jsmin(source)).encode()
    return Snippet(plain, gzip.compress(plain, 9, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:16]}"')


@router.get(
    "/loop.js", response_class=Response, responses={200: {"content": {"text/javascript": {}}, "description": "The script."}}
)
async def loop_js(request: Request) -> Response:
    """Load the snippet: `<script defer src="https://…/loop.js" data-key="WRITE_KEY"></script>`."""
    script = snippet()
    headers = {**_HEADERS, "ETag": script.etag}
    if script.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    is_gzip_fine = "gzip" in request.headers.get("accept-encoding", "")
    if is_gzip_fine:
        headers["Content-Encoding"] = "gzip"
    return Response(script.gzipped if is_gzip_fine else script.plain, headers=headers, media_type="text/javascript")
