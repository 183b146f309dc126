"""A site made with Django, whose server tells Closed Loop of a form.

COLLECTOR=https://loop.example.com SECRET_KEY=… python django_site.py runserver
"""

import json
import os
import sys
import urllib.request

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "only for trying it out"),
)

FORM = """<!doctype html><title>Demo</title>
<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{token}">
<input type="email" name="email" required> <button>Book a demo</button></form>"""


def demo(request: HttpRequest) -> HttpResponse:
    """Show the form, and take it."""
    if request.method != "POST":
        return HttpResponse(FORM.format(token=get_token(request)))
    # Here the site does with it what it does with forms. Then:
    tell_closedloop(request, {"type": "form_submit", "form": "demo", "email": request.POST.get("email", "")})
    return HttpResponseRedirect("/thanks")


def tell_closedloop(request: HttpRequest, event: dict) -> None:
    """Send an event of the visitor who sent this request; a page never fails for it, and waits two seconds at most."""
    if request.COOKIES.get("closedloop_opt_out") == "1" or request.headers.get("Sec-GPC") == "1":
        return
    # Without the cookie, it stands under the e-mail.
    event |= {"visitor_id": request.COOKIES.get("_loop"), "url": request.build_absolute_uri(), "referrer": request.headers.get("Referer")}
    call = urllib.request.Request(
        os.environ["COLLECTOR"] + "/v1/events",
        json.dumps(event).encode(),
        {"Authorization": f"Bearer {os.environ['SECRET_KEY']}", "Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(call, timeout=2).close()
    except OSError as error:
        print("Closed Loop was not told:", error, file=sys.stderr)


def thanks(_request: HttpRequest) -> HttpResponse:
    """Say so."""
    return HttpResponse("Thank you")


urlpatterns = [path("demo", demo), path("thanks", thanks)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
