"""Referrer spam: domains that are visited upon a site for no other reason than to stand in its reports.

The list (`spam_domains.txt`) is our own and short. A site adds to it (`spam_referrers`), by hand or from a list that others keep
(`closedloop sites spam`), and takes from it (`allowed_referrers`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from app.collect.origins import Origin
from app.sites.settings import SiteSettings, fold, normal_host
from app.touches.known_sites import domains_above


def is_spam(origin: Origin, settings: SiteSettings) -> bool:
    """Whether the referrer, or the source where that is a domain, or a domain above it, is a spammer's. What a secret key gave a
    channel is not."""
    if origin.explicit_channel:
        return False
    return any(_is_listed(host, settings) for host in (origin.referring_host, _as_domain(origin.source)) if host)


def _is_listed(host: str, settings: SiteSettings) -> bool:
    """The nearest domain that either list knows decides: a host can be allowed under a domain that is spam."""
    for domain in domains_above(host):
        if domain in settings.allowed_domains:
            return False
        if domain in settings.spam_domains or domain in shipped():
            return True
    return False


def _as_domain(source: str) -> str:
    name = fold(source).removeprefix("www.")
    return name if "." in name else ""


def domains_of_list(lines: Iterable[str]) -> tuple[list[str], int]:
    """The domains of a list that others keep, one a line and `#` before a remark, in order and once each; and how many lines hold none."""
    found, refused = dict[str, None](), 0
    for line in lines:
        text = line.partition("#")[0].strip()
        try:
            domain = normal_host(text) if text else ""
        except ValueError:
            domain = ""
        found |= {domain: None} if "." in domain else {}
        refused += bool(text) and "." not in domain
    return list(found), refused


@lru_cache(maxsize=1)
def shipped() -> frozenset[str]:
    """The domains of the shipped list."""
    lines = files("app.touches").joinpath("spam_domains.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
