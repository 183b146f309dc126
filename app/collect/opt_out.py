"""The page on which people see whether their browser is counted, and change it."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse

from app.collect.cookies import VISITOR_COOKIE, kept_cookie, removed_cookies
from app.collect.door import headers_of, host_of, is_secure, own_host
from app.collect.drops import OPT_OUT_COOKIE, has_opted_out
from app.collect.origins import registrable_domain
from app.collect.pages import page

router = APIRouter(tags=["collect"])

_FORM = '<form method="post"><button name="counted" value="{value}">{words}</button></form>'
_OF_VISITORS = (VISITOR_COOKIE, f"{VISITOR_COOKIE}_s")


@router.get("/opt-out", response_class=HTMLResponse)
async def show(request: Request) -> HTMLResponse:
    """Show a page that says whether this browser is counted, with a button to change it."""
    headers = headers_of(request)
    domain = registrable_domain(own_host(request, headers))
    if has_opted_out(headers):
        change = _FORM.format(value="yes", words="Count my visits again")
        return page("This browser is not counted", f"Nothing that it does on {domain} is recorded here.", form=change)
    change = _FORM.format(value="no", words="Do not count my visits")
    said = f"Visits of this browser to {domain} are counted, unless the page that it visits says otherwise."
    more = "A cookie keeps your choice, in this browser only. Whoever deletes cookies makes the choice anew."
    return page("This browser is counted", said, more, form=change)


@router.post("/opt-out", status_code=303, response_class=RedirectResponse)
async def change(request: Request) -> RedirectResponse:
    """Count this browser from now on (`counted=yes`), or not (`counted=no`), and show the page again."""
    headers = headers_of(request)
    counted = parse_qs((await request.body()).decode("latin-1")).get("counted", [""])[-1]
    # Relative: a proxy may have put a path before ours.
    answer = RedirectResponse("opt-out", 303, {"Cache-Control": "no-store"})
    host = own_host(request, headers)
    if not _comes_from(headers, registrable_domain(host)):
        return answer
    if counted == "no":
        answer.headers.append("Set-Cookie", kept_cookie(OPT_OUT_COOKIE, "1", host, is_secure=is_secure(request)))
    for name in {"no": _OF_VISITORS, "yes": (OPT_OUT_COOKIE,)}.get(counted, ()):
        for cookie in removed_cookies(name, host):
            answer.headers.append("Set-Cookie", cookie)
    return answer


def _comes_from(headers: dict[str, str], domain: str) -> bool:
    """Whether it is a page of the domain that asks: nobody else's page may choose for its readers."""
    if headers.get("sec-fetch-site") == "cross-site":
        return False
    origin = headers.get("origin")
    return not origin or registrable_domain(host_of(origin)) == domain
