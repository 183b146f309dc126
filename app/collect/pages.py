"""The few pages that people see of the collector: plain HTML that needs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from string import Template

from starlette.responses import HTMLResponse

_STYLE = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.4rem 1rem}"
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
<main>
<h1>$title</h1>
$rest
</main>
</html>
""")
_HEADERS = {
    # Nothing is loaded and nothing runs, whatever text found its way in.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, *paragraphs: str, status: int = 200, headers: Mapping[str, str] | None = None, form: str = "") -> HTMLResponse:
    """A page of a title and paragraphs, which are texts; `form` is HTML of our own."""
    rest = "\n".join([*(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs), form])
    return HTMLResponse(_PAGE.substitute(title=escape(title), style=_STYLE, rest=rest), status, {**_HEADERS, **(headers or {})})
