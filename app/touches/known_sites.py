"""The sites, click IDs and spellings that `known_sites.toml` lists, and how a host or a source is found among them.

A listed domain stands for itself and for every host below it, and the longest one that is listed wins: so
`mail.google.com` is a mail provider although `google.*` is a search engine. Labels are compared whole, never as parts
of a text: `t.co` is in `microsoft.com`, and means nothing there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from publicsuffixlist import PublicSuffixList

from app.collect.origins import registrable_domain

IGNORED_KINDS = frozenset({"payment", "sign_in"})
"""Kinds of site that people only pass through: as a referrer they mean nothing."""

# Under suffixes that a company lets its customers have (`blogspot.com`), `google` is anybody.
_OFFICIAL_SUFFIXES = PublicSuffixList(only_icann=True)


@dataclass(frozen=True)
class KnownSite:
    """A site that sends traffic: the name that reports show as source, and its kind."""

    name: str
    kind: str


@dataclass(frozen=True)
class ClickId:
    """A parameter that a platform adds to the links it sends people through."""

    source: str
    medium: str
    """Medium that it proves (`cpc`, `cpm`, `affiliate`); empty where it proves the source, but no payment."""
    goes_with: frozenset[str]
    """Sources that it does not contradict: the platform's own and its partners'."""


def known_host(host: str) -> KnownSite | None:
    """The site that a host (in ASCII and lower case, with or without `www.`) belongs to, if it is listed."""
    return _known_host(host.removeprefix("www."))


@lru_cache(maxsize=65_536)
def _known_host(host: str) -> KnownSite | None:
    return next((_BY_DOMAIN[domain] for domain in _listed_as(host) if domain in _BY_DOMAIN), None)


def known_source(source: str) -> KnownSite | None:
    """The site that a source names, by any of its spellings or domains. Folded in case by the caller."""
    name = _BY_SPELLING.get(source, source)
    return _BY_NAME.get(name) or (known_host(source) if "." in source else None)


def canonical_source(source: str) -> str:
    """The one name that reports show for a source: `facebook` for `fb`; an unknown one is its own. Case folded."""
    site = known_source(source)
    return site.name if site else _BY_SPELLING.get(source, source)


def domains_above(host: str) -> Iterator[str]:
    """A host itself and each domain above it: `a.example.com`, `example.com`, `com`."""
    while host:
        yield host
        host = host.partition(".")[2]


def _listed_as(host: str) -> Iterator[str]:
    """The ways in which a host may be listed, longest first: each domain above it, as it is and with `.*` for its suffix."""
    suffix = _official_suffix(host)
    for domain in domains_above(host):
        yield domain
        if suffix and domain.endswith("." + suffix):
            yield domain.removesuffix(suffix) + "*"


def _official_suffix(host: str) -> str:
    """The public suffix under which a host is registered; empty for an address, or a customer of a hosting company."""
    registered = registrable_domain(host)
    return registered.partition(".")[2] if registered == _OFFICIAL_SUFFIXES.privatesuffix(host) else ""


# ---------------------------------------------------------------- the file


def read_file() -> dict[str, Any]:
    """The data file as TOML has it."""
    return tomllib.loads(files("app.touches").joinpath("known_sites.toml").read_text(encoding="utf-8"))


def listed_sites(content: dict[str, Any]) -> Iterator[tuple[str, str, KnownSite]]:
    """(region, domain, site) for each domain of the file, in its order."""
    for kind, regions in content["sites"].items():
        for region, sites in regions.items():
            for name, domains in sites.items():
                for domain in domains:
                    yield region, domain, KnownSite(name, kind)


def _click_id(source: str, medium: str = "", goes_with: tuple[str, ...] = ()) -> ClickId:
    return ClickId(source, medium, frozenset({source, *goes_with}))


_CONTENT = read_file()
_BY_DOMAIN = {domain: site for _, domain, site in listed_sites(_CONTENT)}
# Of a name that several kinds list, the first is what a bare source of that name means: hence the reversal.
_BY_NAME = {site.name: site for _, _, site in reversed(list(listed_sites(_CONTENT))) if site.kind != "other"}
_BY_SPELLING = {spelling: name for name, spellings in _CONTENT["spellings"].items() for spelling in spellings}

CLICK_IDS = {parameter: _click_id(**entry) for parameter, entry in _CONTENT["click_ids"].items()}
"""By parameter, in lower case: what its presence proves."""
