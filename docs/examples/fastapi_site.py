"""A site made with FastAPI, whose server tells Closed Loop of pages and of a form.

COLLECTOR=https://loop.example.com SECRET_KEY=… fastapi run fastapi_site.py
"""

import logging
import os
from typing import Annotated

import httpx
from fastapi import BackgroundTasks, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

app = FastAPI()

FORM = """<!doctype html><title>Demo</title>
<form method="post"><input type="email" name="email" required> <button>Book a demo</button></form>"""


@app.get("/demo", response_class=HTMLResponse)
def show_demo(request: Request, after: BackgroundTasks) -> str:
    """Show the form. Where the page has the snippet, that tells of pages."""
    after.add_task(tell_closedloop, *about(request, {"type": "pageview", "title": "Demo"}))
    return FORM


@app.post("/demo")
def take_demo(request: Request, email: Annotated[str, Form()], after: BackgroundTasks) -> RedirectResponse:
    """Take it."""
    # Here the site does with it what it does with forms. Then:
    after.add_task(tell_closedloop, *about(request, {"type": "form_submit", "form": "demo", "email": email}))
    return RedirectResponse("/thanks", 303)


@app.get("/thanks")
def thanks() -> str:
    """Say so."""
    return "Thank you"


def about(request: Request, event: dict) -> list[dict]:
    """The event with the visitor and the page of a request; none where the browser is not to be counted."""
    if request.cookies.get("closedloop_opt_out") == "1" or request.headers.get("sec-gpc") == "1":
        return []
    visitor = request.cookies.get("_loop")
    # Without the cookie, a form stands under its e-mail; a page of nobody cannot be kept.
    if visitor is None and "email" not in event:
        return []
    return [event | {"visitor_id": visitor, "url": str(request.url), "referrer": request.headers.get("referer")}]


def tell_closedloop(*events: dict) -> None:
    """Send events, after the visitor has the answer."""
    if not events:
        return
    try:
        key = {"Authorization": f"Bearer {os.environ['SECRET_KEY']}"}
        httpx.post(os.environ["COLLECTOR"] + "/v1/events", json={"events": events}, headers=key, timeout=10).raise_for_status()
    except httpx.HTTPError as error:
        logging.getLogger(__name__).warning("Closed Loop was not told: %s", error)
