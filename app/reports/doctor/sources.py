"""Where visits seem to come from and do not: the site's own pages, payment gateways, sign-in pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import RowMapping, bindparam, or_

from app import tables
from app.collect.origins import registrable_domain
from app.reports.doctor.affected import with_internal_campaign, with_landing, with_touch
from app.reports.doctor.findings import (
    EXAMPLES,
    MOST_NAMES,
    Change,
    Check,
    Finding,
    NotEnoughData,
    Outcome,
    Reading,
    counted,
    listed,
    verb,
)
from app.reports.doctor.queries import internal_campaigns, returns_from_hosts
from app.reports.doctor.referrals import CAME_FROM_HOSTS, from_hosts, hosts_shown, touches_by, untagged
from app.sites.settings import fold, normal_host
from app.touches.known_sites import known_host

_origin = tables.origins.c
_MINUTE = 60_000_000
_LEAST_RETURNS = 3
"""Visits from a host that only ever sends people back, before we say so."""
_OWN_SHARE = 0.001
"""Of all page views, those that a host of the site's own has at least."""
_HARDLY_A_COPY = 0.1
"""Of all page views: a host with as many is never proposed to be left out, as that would take its visits from every figure."""
_SHORTEST_NAME = 4
_EVERYDAY = frozenset({
    "shop", "store", "blog", "news", "mail", "info", "help", "docs", "demo", "test", "home", "online", "media", "group", "global",
    "digital", "portal", "support", "cloud", "data", "europe",
})  # fmt: skip
"""Names of domains that say nothing of whose they are."""
_PASSED_THROUGH = frozenset({
    "pay", "payment", "payments", "payer", "checkout", "paypage", "hpp", "3ds", "3dsecure", "3d", "acs", "billing", "invoice", "bezahlen",
    "zahlung", "paiement", "pagamento", "pago", "login", "logon", "signin", "sso", "auth", "oauth", "oauth2", "idp", "saml", "okta",
    "auth0", "adfs", "account", "accounts",
})  # fmt: skip
"""Parts of the names of hosts that people only pass through."""
_PARTS = re.compile(r"[.-]")


class OwnHosts:
    """Which hosts are the site's own: those that its settings list, and those whose pages send events.

    A write key is public: whoever has it can send events of any page. So what sends hardly any, or is a site that everybody knows
    (a translation, a cache, a mischief), makes nothing the site's own.
    """

    def __init__(self, reading: Reading) -> None:
        settings = reading.site.settings
        self.listed = {registrable_domain(host) for host in settings.hosts}
        self.excluded = set(settings.excluded_hosts)
        enough = _OWN_SHARE * sum(row["pages"] for row in reading.hosts)
        pages = [row for row in reading.hosts if row["pages"] and row["pages"] >= enough]
        self.sending = [row["host"] for row in pages if known_host(row["host"]) is None]

    def is_listed(self, host: str) -> bool:
        """Whether the settings know the host, or one of its domain."""
        return registrable_domain(host) in self.listed

    @cached_property
    def domains(self) -> set[str]:
        """Registrable domains of all that is the site's own."""
        return self.listed | {registrable_domain(host) for host in self.sending}

    @cached_property
    def names(self) -> set[str]:
        """What these domains are called, without what everybody's are."""
        names = {domain.partition(".")[0] for domain in self.domains if "." in domain}
        return {name for name in names if len(name) >= _SHORTEST_NAME and name not in _EVERYDAY}


def _with_hosts(reading: Reading, hosts: Iterable[str]) -> dict[str, Any]:
    """The settings with these hosts too among the site's own."""
    return {"hosts": _added(reading.site.settings.hosts, hosts)}


def _added(known: Sequence[str], hosts: Iterable[str]) -> list[str]:
    """A list of hosts of the settings with others too, as far as these are names of hosts: senders write into referrers what they like."""
    return list(dict.fromkeys([*known, *(host for host in hosts if _is_host(host))]))


def _is_host(text: str) -> bool:
    try:
        return normal_host(text) == text
    except ValueError:
        return False


# ---------------------------------------------------------------- the site's own


async def own_host_as_source(reading: Reading) -> Outcome:
    """Referrals from the site's own pages, or a source that names one of them."""
    own = OwnHosts(reading)
    referrals = [row for row in untagged(reading.arrivals) if not own.is_listed(row["referring_host"])]
    by_host = touches_by((row for row in referrals if registrable_domain(row["referring_host"]) in own.domains), "referring_host")
    named = [row for row in reading.arrivals if row["source"] and registrable_domain(_as_host(row["source"])) in own.domains]
    by_source = touches_by(named, "source")
    touches = by_host + by_source
    if not touches:
        return None
    to_add = list(dict.fromkeys(registrable_domain(host) for host in by_host))
    came = or_(CAME_FROM_HOSTS, _origin.source.in_(bindparam("sources", expanding=True)))
    advice = (
        "List every host of yours in `hosts`, and, as no cookie goes from one domain to another, name the others in `data-domains` of the "
        "snippet's tag: then who goes from one to another goes on with one journey."
    )
    if by_source:
        advice += " Take `utm_source` with your own name out of the links on your pages."
    return Finding(
        "error",
        f"The site's own pages stand as the source of {counted(touches.total(), 'visit')}: {listed(_names(touches))}.",
        Change(advice, _with_hosts(reading, to_add) if to_add else None),
        await reading.affected(with_touch(came), {**from_hosts(by_host), "sources": list(by_source)[:MOST_NAMES]}),
        hosts_shown(touches),
    )


def _as_host(source: str) -> str:
    return fold(source).removeprefix("www.")


def _names(touches: Counter[str]) -> list[str]:
    return [name for name, _ in touches.most_common()]


async def lookalike_host_as_source(reading: Reading) -> Outcome:
    """Referrals from hosts that are called like the site: perhaps they are the site's own, too."""
    own = OwnHosts(reading)
    if not own.names:
        return NotEnoughData("No host of the site is known that has a name of its own.")
    others = (row for row in untagged(reading.arrivals) if registrable_domain(row["referring_host"]) not in own.domains)
    alike = (row for row in others if known_host(row["referring_host"]) is None and _is_called(row["referring_host"], own.names))
    alike = (row for row in alike if not _gateway_words(row["referring_host"]))
    touches = touches_by(alike, "referring_host")
    if not touches:
        return None
    advice = "If these are yours, list them in `hosts`, and put the snippet on their pages; if they are not, all is well."
    return Finding(
        "warning",
        f"{counted(len(touches), 'host')} called like the site {verb(len(touches), 'stands', 'stand')} as the source of "
        f"{counted(touches.total(), 'visit')}: "
        f"{listed(_names(touches))}.",
        Change(advice, _with_hosts(reading, touches)),
        await reading.affected(with_touch(CAME_FROM_HOSTS), from_hosts(touches)),
        hosts_shown(touches),
    )


def _is_called(host: str, names: set[str]) -> bool:
    return not names.isdisjoint(_PARTS.split(host))


async def page_host_not_listed(reading: Reading) -> Outcome:
    """Pages of hosts that the site does not list send events: a test system, a copy, a translation, or a shop of its own."""
    own = OwnHosts(reading)
    if not own.listed:
        return NotEnoughData("The site lists no `hosts` to compare with.")
    if not any(row["pages"] for row in reading.hosts):
        return NotEnoughData("No page has sent events in this time.")
    sending = set(own.sending)
    self_referring = {registrable_domain(row["referring_host"]) for row in untagged(reading.arrivals)}
    pages = Counter({row["host"]: row["pages"] for row in reading.hosts if row["pages"]})
    unknown = Counter({
        host: number
        for host, number in pages.items()
        if not own.is_listed(host) and host not in own.excluded and not (host in sending and registrable_domain(host) in self_referring)
    })
    if not unknown:
        return None
    hosts = _names(unknown)
    of_hosts = tables.events.c.host.in_(bindparam("hosts", expanding=True))
    small = [host for host in hosts if pages[host] < _HARDLY_A_COPY * pages.total()]
    excluded = {"excluded_hosts": _added(reading.site.settings.excluded_hosts, small)} if small else None
    return Finding(
        "warning",
        f"{counted(unknown.total(), 'page view')} came from {counted(len(hosts), 'host')} that `hosts` does not list: {listed(hosts)}.",
        Change("Leave test systems and copies of the site out (`excluded_hosts`), and add to `hosts` what is yours.", excluded),
        await reading.affected(with_landing(of_hosts), from_hosts(hosts)),
        [{"host": host, "page_views": number} for host, number in unknown.most_common(EXAMPLES)],
    )


async def hosts_missing(reading: Reading) -> Outcome:
    """The site has not said which hosts are its own."""
    own = OwnHosts(reading)
    if own.listed:
        return None
    if not own.sending:
        return NotEnoughData("No page has sent events in this time.")
    domains, sending = list(dict.fromkeys(map(registrable_domain, own.sending))), set(own.sending)
    return Finding(
        "advice",
        f"The site lists no `hosts`, and pages of {listed(own.sending)} send events.",
        Change(
            "List your hosts: visits between them then count as one, your own mail domain is no customer's company, and strangers' copies "
            "of your pages can be told.",
            _with_hosts(reading, domains[:MOST_NAMES]),
        ),
        examples=[{"host": row["host"], "page_views": row["pages"]} for row in reading.hosts if row["host"] in sending][:EXAMPLES],
    )


async def campaign_on_internal_links(reading: Reading) -> Outcome:
    """Tagged links from page to page of the site: each begins a touch of its own in the middle of a visit."""
    own = OwnHosts(reading)
    referrers = {row["referring_host"] for row in reading.arrivals if registrable_domain(row["referring_host"]) in own.domains}
    hosts = {"own_hosts": sorted(referrers)[:MOST_NAMES]}
    rows = await reading.rows(internal_campaigns(), limit=EXAMPLES, **hosts)
    if not rows:
        return None
    campaigns = list(dict.fromkeys(row["campaign"] or row["source"] for row in rows))
    return Finding(
        "error",
        f"{counted(rows[0]['all_touches'], 'touch', 'touches')} began in the middle of a visit, by links of the site's own that carry "
        f"campaign parameters: {listed(campaigns)}.",
        Change(
            "Take the utm parameters out of links between your own pages: they take the credit from what brought the visitor. To measure "
            "such links, send an event of your own, or look at `/v1/reports/content`."
        ),
        await reading.affected(with_internal_campaign, hosts),
        [{name: row[name] for name in ("host", "path", "source", "medium", "campaign", "touches")} for row in rows],
    )


# ---------------------------------------------------------------- what people only pass through


async def gateway_as_source(reading: Reading) -> Outcome:
    """Referrals from payment gateways and sign-in pages beyond the shipped list, by what they are called or by what they do."""
    own = OwnHosts(reading)
    touches = touches_by((row for row in untagged(reading.arrivals) if _may_be_passed(row["referring_host"], own)), "referring_host")
    if not touches:
        return None
    returns = await reading.rows(
        returns_from_hosts(),
        session_gap=reading.site.settings.session_gap_minutes * _MINUTE,
        **from_hosts(touches),
    )
    behaves = {row["referring_host"]: row for row in returns}
    because = {host: reason for host in touches if (reason := _why_passed(host, behaves.get(host)))}
    if not because:
        return None
    found = Counter({host: touches[host] for host in because})
    return Finding(
        "warning",
        f"{counted(len(found), 'host')} that people seem to only pass through, to pay or to sign in, "
        f"{verb(len(found), 'stands', 'stand')} as the source of {counted(found.total(), 'visit')}: {listed(_names(found))}.",
        Change(
            "Add them to `ignored_hosts`: who comes back from one goes on with the journey that led there.",
            {"ignored_hosts": _added(reading.site.settings.ignored_hosts, found)},
        ),
        await reading.affected(with_touch(CAME_FROM_HOSTS), from_hosts(found)),
        [{"host": host, "touches": number, "because": because[host]} for host, number in found.most_common(EXAMPLES)],
    )


def _may_be_passed(host: str, own: OwnHosts) -> bool:
    """What is listed as a search engine, a network, … is none, and what is called like the site only if it is called like a gateway too
    (a customer's own host there)."""
    is_other = known_host(host) is None and registrable_domain(host) not in own.domains
    return is_other and (not _is_called(host, own.names) or bool(_gateway_words(host)))


def _why_passed(host: str, row: RowMapping | None) -> str | None:
    """Why people seem to only pass through a host; None: they do not."""
    words = _gateway_words(host)
    if words and not _brings_people(host, row):
        return f"its name has {words[0]!r}"
    if row is None or row["arrivals"] < _LEAST_RETURNS or row["newcomers"] or row["detours"] < row["arrivals"]:
        return None
    return f"all {row['arrivals']:,} visits from it came in the middle of a session, or back to a page such as /checkout or /thanks"


def _brings_people(host: str, row: RowMapping | None) -> bool:
    """Whether mostly new people come from a host that is called like a gateway by its domain alone: `pay-per-click.example` writes
    about it, `pay.bank.example` does it."""
    if row is None or row["arrivals"] < _LEAST_RETURNS or 2 * row["newcomers"] <= row["arrivals"]:
        return False
    return _PASSED_THROUGH.isdisjoint(_PARTS.split(host.removesuffix(registrable_domain(host))))


def _gateway_words(host: str) -> list[str]:
    """The parts of a host's name, without its public suffix, that say that people only pass through."""
    suffix = registrable_domain(host).partition(".")[2]
    return [part for part in _PARTS.split(host.removesuffix(suffix)) if part in _PASSED_THROUGH]


CHECKS: Sequence[Check] = (
    Check("own_host_as_source", "Visits whose source is a page of the site's own", own_host_as_source),
    Check("lookalike_host_as_source", "Visits from hosts that are called like the site", lookalike_host_as_source),
    Check("gateway_as_source", "Payment gateways and sign-in pages as sources", gateway_as_source),
    Check("campaign_on_internal_links", "Campaign parameters on links within the site", campaign_on_internal_links),
    Check("page_host_not_listed", "Pages of hosts that `hosts` does not list", page_host_not_listed),
    Check("hosts_missing", "The site lists its `hosts`", hosts_missing),
)
