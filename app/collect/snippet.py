"""The scripts that web pages load, served from memory: `/loop.js`, and those that stand beside it.

What is served is the file `*.min.js`, made from the source beside it by `make scripts`, and not anew at each start: so
the bytes are the same everywhere, and with them the hash by which a page makes sure of them (`integrity`).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from html import escape
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.settings import Settings
from app.sites.settings import SiteSettings

SCRIPTS = {
    "": "The snippet.",
    "-links": "Carries a visitor to the site's other domains. It stands before the snippet.",
    "-forms": "Hears of forms, calendars and chats of others. It stands after the snippet.",
}
"""Each script by what its name has after that of the snippet: `-links` is `/loop-links.js`, made from `loop_links.js`."""

DEFAULT_PATH = "/loop.js"
EVENTS_PATH = "/v1/events"

_HEADERS = {
    # An hour: what a release changes is everywhere the same day, and a reader of several pages loads it once.
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    # Any page may load it, also one that makes sure of its hash (`integrity` needs that), or demands consent to being loaded.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Script:
    """A script in the forms in which it is sent."""

    plain: bytes
    gzipped: bytes
    etag: str
    integrity: str
    """What stands in a tag's `integrity`."""


@lru_cache
def script(suffix: str = "") -> Script:
    """A script of `SCRIPTS`."""
    plain = files("app.collect").joinpath(f"loop{suffix.replace('-', '_')}.min.js").read_bytes()
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(plain).digest()).decode()}"
    return Script(plain, gzip.compress(plain, 9, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:16]}"', integrity)


def path_of(suffix: str, snippet_path: str) -> str:
    """Where a script is served, beside the snippet: `-links` and `/js/a.js` give `/js/a-links.js`."""
    return f"{snippet_path.removesuffix('.js')}{suffix}.js"


# ---------------------------------------------------------------- tags


class Wishes(NamedTuple):
    """What a site wants of its tags beyond its settings."""

    consent: str | None = None
    """`always`, `opt-in` or `cookieless`; None: as the site's settings say."""
    domains: str | None = None
    form_fields: str | None = None
    hash_routes: bool = False
    embedded_forms: bool = False
    integrity: bool = True
    """Whether browsers are to refuse what is not this version's."""


def tags(base: str, key: str, site: SiteSettings, settings: Settings, wishes: Wishes) -> str:
    """The tags of a site's pages, a line each, ready to paste. `base` is the collector's address, without a slash at its end."""
    alias = {} if settings.collect_path == EVENTS_PATH and settings.snippet_path.count("/") == 1 else {"to": base + settings.collect_path}
    consent = wishes.consent or site.consent.replace("_", "-")
    snippet = {
        "key": key,
        **alias,
        **({"consent": consent} if consent != "always" else {}),
        **({} if site.honour_gpc else {"gpc": "ignore"}),
        **({"dnt": "honour"} if site.honour_dnt else {}),
        **({"form-fields": wishes.form_fields} if wishes.form_fields else {}),
        **({"hash": ""} if wishes.hash_routes else {}),
    }
    wanted = {"-links": {"key": key, **alias, "domains": wishes.domains}} if wishes.domains else {}
    wanted |= {"": snippet} | ({"-forms": {}} if wishes.embedded_forms else {})
    addresses = {suffix: base + path_of(suffix, settings.snippet_path) for suffix in wanted}
    hashes = {suffix: script(suffix).integrity if wishes.integrity else "" for suffix in wanted}
    return "\n".join(_tag(addresses[suffix], hashes[suffix], data) for suffix, data in wanted.items())


def _tag(address: str, integrity: str, data: Mapping[str, str]) -> str:
    sure = f' integrity="{integrity}" crossorigin="anonymous"' if integrity else ""
    said = "".join(f' data-{name}="{escape(value)}"' if value else f" data-{name}" for name, value in data.items())
    return f'<script defer src="{escape(address)}"{sure}{said}></script>'


# ---------------------------------------------------------------- serving


def scripts_router(settings: Settings) -> APIRouter:
    """Each script under its own name, and under that of `CLOSEDLOOP_SNIPPET_PATH`."""
    router = APIRouter(tags=["collect"])
    for suffix, summary in SCRIPTS.items():
        for path in dict.fromkeys((DEFAULT_PATH, settings.snippet_path)):
            router.add_api_route(
                path_of(suffix, path),
                partial(_served, suffix),
                response_class=Response,
                responses={200: {"content": {"text/javascript": {}}, "description": summary}},
                summary=summary,
                include_in_schema=path == DEFAULT_PATH,
            )
    return router


async def _served(suffix: str, request: Request) -> Response:
    found = script(suffix)
    headers = {**_HEADERS, "ETag": found.etag}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    is_gzip_fine = "gzip" in request.headers.get("accept-encoding", "")
    if is_gzip_fine:
        headers["Content-Encoding"] = "gzip"
    return Response(found.gzipped if is_gzip_fine else found.plain, headers=headers, media_type="text/javascript")
