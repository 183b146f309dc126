"""Which e-mail domains name no company: the providers where anybody has a mailbox, and the site's own."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from app.collect.origins import registrable_domain
from app.sites.addresses import normal_domain
from app.sites.settings import SiteSettings

_LIST = "free_mail.txt"


def domains_of_no_company(settings: SiteSettings) -> list[str]:
    """The shipped list, what the site adds to it, and the domains of the site's own hosts, in order.

    (Those who work for the site write from its own domain: they are of no customer.)
    """
    return _all(tuple(settings.free_mail_domains), tuple(settings.hosts))


@lru_cache(maxsize=256)
def _all(added: tuple[str, ...], hosts: tuple[str, ...]) -> list[str]:
    named = {*added, *hosts, *(registrable_domain(host) for host in hosts)}
    return sorted({*shipped(), *(normal_domain(domain) or domain for domain in named)})


@lru_cache(maxsize=1)
def shipped() -> frozenset[str]:
    """The domains of `free_mail.txt`."""
    lines = files(__package__).joinpath(_LIST).read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in map(str.strip, lines) if line and not line.startswith("#"))
