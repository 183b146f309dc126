"""The area that customers log in to: the hosts and paths that a site names, else those that surely are one.

A path is compared in lower case and with exactly one `/` at its end, so that `/Login` and `/login/` are one page. What is looked
for are whole values, so that a page is found by an index, however many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.sites.settings import SiteSettings

_LABELS = ("app", "login", "signin", "sign-in", "account", "accounts", "auth", "sso", "dashboard")
"""First labels of hosts. Not `my` or `id`: those are also countries."""

_LOG_IN = ("login", "log-in", "log_in", "signin", "sign-in", "sign_in")
_FIRST = (
    *_LOG_IN, "logon", "sso", "wp-login.php", "login.php", "login.html", "login.aspx", "forgot-password", "reset-password",
    "password-reset", "account", "my-account", "myaccount", "my_account", "anmelden", "einloggen", "mein-konto", "kundenkonto",
    "connexion", "mon-compte", "iniciar-sesion", "mi-cuenta", "minha-conta", "accedi", "il-mio-account", "inloggen", "mijn-account",
    "logga-in", "mina-sidor",
)  # fmt: skip
"""First segments of paths, also after a language. Not further on: an `account` there may be a bank's product."""

_OUTSIDE = (
    "sign-up", "sign_up", "signup", "register", "registration", "join", "get-started", "start", "trial", "free-trial", "demo", "onboarding",
    "invite", "pricing", "registrieren", "registrierung", "inscription", "registro", "cadastro", "registrazione", "registreren",
)  # fmt: skip
"""First segments of paths that lie outside on any host: prospects go there."""

_BEFORE_LOG_IN = ("/accounts", "/admin", "/auth", "/customer", "/customer/account", "/member", "/members", "/user", "/users")
"""What frameworks and shops put before the page to log in on."""

Part = tuple[str, str]
"""What is compared (`host`, `label`: the host's first; `path`, `prefix`, `first`: the path's first segment; `outside`: that segment too),
and with which value."""


def parts_of(settings: SiteSettings) -> list[Part]:
    """The area: a page lies in it if any part holds, but for `outside`."""
    found = _shipped(settings) if settings.customer_area is None else map(_part, settings.customer_area)
    return list(dict.fromkeys(found))


def _shipped(settings: SiteSettings) -> Iterator[Part]:
    """No host with a label that the site itself lists under `hosts`: whoever has their pages on `app.` means them to count."""
    listed = {host.partition(".")[0] for host in settings.hosts}
    yield from (("label", label) for label in _LABELS if label not in listed)
    yield from (("first", segment) for segment in _FIRST)
    yield from (("outside", segment) for segment in _OUTSIDE)
    yield from (("path", f"{before}/{word}/") for before in _BEFORE_LOG_IN for word in _LOG_IN)


def _part(named: str) -> Part:
    if not named.startswith("/"):
        return "host", named
    path = _folded(named.removesuffix("*"))
    return ("prefix", path) if named.endswith("*") else ("path", path.rstrip("/") + "/")


def _folded(text: str) -> str:
    """Only ASCII letters are folded: SQLite knows no others, and both databases must agree."""
    return re.sub("[A-Z]+", lambda found: found[0].lower(), text)
