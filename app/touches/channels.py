"""Which channel an origin belongs to: rules in a table, the first that holds wins.

The order and the conditions are those of GA4's default channel grouping for manually tagged traffic
(support.google.com/analytics/answer/9756891), over our own lists of sites (`known_sites.toml`). Departures:

- An explicit channel (only a secret key can send one) wins over all; then come a site's own rules.
- `Events`, `Webinars`, `Outbound Sales`, `Partners`, `Direct Mail`, `Phone Calls` (who calls us; `phone` and `call` are
  those of sales) are for touches that happened offline: by exact words as medium, or as source where no medium is given.
- A referrer that means nothing (own host, payment gateway, sign-in provider) leaves `Direct`.
- A medium of Display wins over Paid Search: GA4's pattern of paid media takes in `cpm`, but no search engine sells
  searches by the thousand impressions. Paid Shopping, Paid Social and Paid Video keep their place ahead of Display.
- A click ID stands for the tags that are missing. It proves its platform, and payment only where it is given out for
  paid clicks alone (`gclid`, `msclkid`; not `fbclid`). It counts for nothing where the source, or without one the
  referrer, is another known platform (an address with an old `gclid` that was posted on LinkedIn), nor against a
  medium that says otherwise.
- Without a medium, the kind of the source decides (GA4 does so by the medium that it derives from the referrer).
- `AI Assistants` stands ahead of Organic Search. Paid clicks from one are Paid Other.
- A mail provider as referrer, and `newsletter` as medium or source, are Email; `affiliates`, and the click IDs of
  affiliate networks, Affiliates; `podcast` is Audio.
- `utm_source=direct` is read like `(direct)`.

Names are folded in case and aliases applied; what was sent stays in `origins`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from app.collect.origins import Origin, registrable_domain
from app.sites.settings import ChannelRule, SiteSettings, fold
from app.touches.known_sites import (
    CLICK_IDS,
    IGNORED_KINDS,
    ClickId,
    canonical_source,
    domains_above,
    known_host,
    known_source,
)
from app.touches.spam import is_spam

DIRECT = "(direct)"
DIRECT_CHANNEL = "Direct"
NONE = "(none)"
NOT_SET = "(not set)"


@dataclass(frozen=True)
class OriginLabel:
    """What the rules say of an origin (see `tables.origin_labels`)."""

    channel: str
    rule: str
    source: str
    medium: str
    campaign: str
    term: str
    content: str
    referrer: str
    is_ignored: bool
    is_spam: bool


@dataclass(frozen=True)
class Arrival:
    """An origin as the rules see it: folded in case, aliases applied, what is missing filled in."""

    source: str
    medium: str
    campaign: str
    kind: str
    """Kind of the site that the source is (`search`, `social`, …); empty if it is no listed one."""
    is_paid: bool
    referring_host: str
    """Host of the referrer, also where it means nothing."""
    has_ignored_referrer: bool
    click_id_kind: str


# ---------------------------------------------------------------- the table

_PAID_MEDIUM = re.compile(r".*cp.*|ppc|retargeting|paid.*", re.DOTALL)
_SHOPPING_CAMPAIGN = re.compile(r".*(([^a-df-z]|^)shop|shopping).*", re.DOTALL)
_VIDEO_MEDIUM = re.compile(r".*video.*", re.DOTALL)

_DISPLAY_MEDIA = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_SOCIAL_MEDIA = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_EMAIL = frozenset({"email", "e-mail", "e_mail", "e mail", "newsletter"})
_AI_MEDIA = frozenset({"ai", "ai-assistant", "ai assistant", "ai_assistant", "llm"})

_EVENTS = frozenset({
    "event", "events", "conference", "trade-show", "trade show", "trade_show", "tradeshow", "exhibition", "expo", "meetup", "booth",
})
_WEBINARS = frozenset({"webinar", "webinars", "webcast", "virtual-event", "virtual event", "virtual_event"})
_OUTBOUND_SALES = frozenset({
    "outbound", "outbound-sales", "outbound sales", "outbound_sales", "sales", "sdr", "bdr", "cold-call", "cold call", "cold_call",
    "cold-calling", "cold-email", "cold email", "cold_email", "call", "phone", "prospecting",
})
_PARTNERS = frozenset({"partner", "partners", "partnership", "partnerships", "reseller", "resellers", "co-marketing", "channel-partner"})
_DIRECT_MAIL = frozenset({
    "direct-mail", "direct mail", "direct_mail", "directmail", "postal", "postal-mail", "postcard", "letter", "flyer", "leaflet",
    "brochure", "catalog", "catalogue",
})
_PHONE_CALLS = frozenset({
    "phone_call", "phone-call", "phone call", "phonecall", "inbound-call", "inbound call", "inbound_call", "call-tracking",
    "call tracking", "call_tracking", "calltracking",
})


def _says(words: frozenset[str]) -> Callable[[Arrival], bool]:
    return lambda arrival: arrival.medium in words or (arrival.medium == NOT_SET and arrival.source in words)


def _is_direct(arrival: Arrival) -> bool:
    return arrival.source == DIRECT and arrival.medium in (NONE, NOT_SET)


def _is_shopping(arrival: Arrival) -> bool:
    return arrival.kind == "shopping" or _SHOPPING_CAMPAIGN.fullmatch(arrival.campaign) is not None


def _is_display(arrival: Arrival) -> bool:
    return arrival.medium in _DISPLAY_MEDIA


def _is_push(arrival: Arrival) -> bool:
    medium = arrival.medium
    return medium.endswith("push") or "mobile" in medium or "notification" in medium or arrival.source == "firebase"


@dataclass(frozen=True)
class Rule:
    """When an arrival belongs to a channel. The name stands in explanations."""

    channel: str
    name: str
    holds: Callable[[Arrival], bool]


RULES: tuple[Rule, ...] = (
    Rule(DIRECT_CHANNEL, "direct", _is_direct),
    Rule("Events", "offline event", _says(_EVENTS)),
    Rule("Webinars", "webinar", _says(_WEBINARS)),
    Rule("Outbound Sales", "outbound sales", _says(_OUTBOUND_SALES)),
    Rule("Partners", "partner", _says(_PARTNERS)),
    Rule("Direct Mail", "direct mail", _says(_DIRECT_MAIL)),
    Rule("Phone Calls", "inbound call", _says(_PHONE_CALLS)),
    Rule("Cross-network", "cross-network campaign", lambda a: "cross-network" in a.campaign),
    Rule("Paid Shopping", "paid shopping", lambda a: _is_shopping(a) and a.is_paid),
    Rule("Paid Search", "paid search", lambda a: a.kind == "search" and a.is_paid and not _is_display(a)),
    Rule("Paid Social", "paid social", lambda a: a.kind == "social" and a.is_paid),
    Rule("Paid Video", "paid video", lambda a: a.kind == "video" and a.is_paid),
    Rule("Display", "display medium", _is_display),
    Rule("Affiliates", "affiliate click ID", lambda a: a.is_paid and a.medium == "affiliate"),
    Rule("Paid Other", "other paid medium", lambda a: a.is_paid),
    Rule("Organic Shopping", "shopping site or campaign", _is_shopping),
    Rule("Organic Social", "social network or medium", lambda a: a.kind == "social" or a.medium in _SOCIAL_MEDIA),
    Rule("Organic Video", "video site or medium", lambda a: a.kind == "video" or _VIDEO_MEDIUM.fullmatch(a.medium) is not None),
    Rule("AI Assistants", "AI assistant", lambda a: a.kind == "ai" or a.medium in _AI_MEDIA),
    Rule("Organic Search", "search engine or organic medium", lambda a: a.kind == "search" or a.medium == "organic"),
    Rule("Referral", "referral medium", lambda a: a.medium in ("referral", "app", "link")),
    Rule("Email", "mail provider or e-mail medium", lambda a: a.kind == "email" or a.medium in _EMAIL or a.source in _EMAIL),
    Rule("Affiliates", "affiliate medium", lambda a: a.medium in ("affiliate", "affiliates")),
    Rule("Audio", "audio medium", lambda a: a.medium in ("audio", "podcast")),
    Rule("SMS", "SMS", lambda a: "sms" in (a.source, a.medium)),
    Rule("Mobile Push", "mobile push", _is_push),
    Rule("Unassigned", "no rule", lambda _: True),
)

CHANNELS: tuple[str, ...] = tuple(dict.fromkeys(rule.channel for rule in RULES))
"""Every channel that the shipped rules give, in their order."""
_CHANNEL_BY_FOLDED = {channel.lower(): channel for channel in CHANNELS}


# ---------------------------------------------------------------- labelling


def label_origin(origin: Origin, settings: SiteSettings) -> OriginLabel:
    """The label of an origin under a site's settings. Pure: the same two always give the same label."""
    arrival = arrival_of(origin, settings)
    own_rule = _own_rule(arrival, settings)
    channel, rule = _channel_and_rule(origin, arrival, own_rule)
    # A site that writes a rule on a referrer wants it to count, also where a shipped list would not.
    is_wanted = own_rule is not None and own_rule[1].referrer is not None
    return OriginLabel(
        channel=channel,
        rule=rule,
        source=arrival.source,
        medium=arrival.medium,
        campaign=arrival.campaign or NOT_SET,
        term=folded(origin.term) or NOT_SET,
        content=folded(origin.content) or NOT_SET,
        referrer=origin.referring_host or NONE,
        is_ignored=arrival.has_ignored_referrer and not is_tagged(origin) and not is_wanted,
        is_spam=is_spam(origin, settings) and not is_wanted,
    )


def arrival_of(origin: Origin, settings: SiteSettings) -> Arrival:
    """The origin with its names folded, aliases applied, and what is missing taken from click ID and referrer."""
    is_ignored = is_ignored_host(origin.referring_host, settings)
    host = "" if is_ignored else origin.referring_host
    source, medium = _aliased(origin.source, settings.source_aliases), folded(origin.medium)
    click = _click_id_that_counts(source, medium, host, origin.click_id_kind)
    is_paid = _PAID_MEDIUM.fullmatch(medium) is not None or (click is not None and click.medium != "")
    kind = _kind(source, click, host)
    return Arrival(
        source=canonical_source(source) if source else _missing_source(origin, click, host),
        medium=medium or _missing_medium(origin, source, click, kind, host),
        campaign=_aliased(origin.campaign, settings.campaign_aliases),
        kind=kind,
        is_paid=is_paid,
        referring_host=origin.referring_host,
        has_ignored_referrer=is_ignored,
        click_id_kind=origin.click_id_kind,
    )


def is_tagged(origin: Origin) -> bool:
    """Whether the origin says anything itself, beside what its referrer says."""
    return any(origin._replace(referring_host=""))


def is_ignored_host(host: str, settings: SiteSettings) -> bool:
    """Whether a referrer means nothing: the site's own, a payment gateway, a sign-in provider, one the site has named."""
    if not host:
        return False
    site = known_host(host)
    return (
        (site is not None and site.kind in IGNORED_KINDS)
        or registrable_domain(host) in _registrable_domains(tuple(settings.hosts))
        or not _as_set(tuple(settings.ignored_hosts)).isdisjoint(domains_above(host))
    )


@lru_cache(maxsize=256)
def _registrable_domains(hosts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(registrable_domain(host) for host in hosts)


@lru_cache(maxsize=256)
def _as_set(hosts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(hosts)


def folded(text: str) -> str:
    """A name without case and without superfluous white space."""
    return " ".join(fold(text).split())


def _aliased(text: str, aliases: dict[str, str]) -> str:
    return folded(aliases.get(fold(text), text))


def _click_id_that_counts(source: str, medium: str, host: str, parameter: str) -> ClickId | None:
    """The click ID, unless the tags or the referrer show that it is left over from another click."""
    click = CLICK_IDS.get(parameter.lower())
    if click is None:
        return None
    says_otherwise = bool(click.medium and medium and not _PAID_MEDIUM.fullmatch(medium) and medium != click.medium)
    site = known_source(source) if source else known_host(host)
    if site is None:
        return None if says_otherwise else click
    agrees = site.name in click.goes_with and site.kind != "other"
    return click if agrees and (source or not says_otherwise) else None


def _kind(source: str, click: ClickId | None, host: str) -> str:
    named = known_source(source) if source else None
    site = named or (known_host(host) if not source else None) or (known_source(click.source) if click else None)
    return site.kind if site else ""


def _missing_source(origin: Origin, click: ClickId | None, host: str) -> str:
    site = known_host(host)
    named = site.name if site and site.kind != "other" else host
    if click is not None and (click.medium or site is None):
        return click.source
    return named or (NOT_SET if is_tagged(origin) else DIRECT)


_MEDIUM_OF_KIND = {"search": "organic", "social": "social", "email": "email", "ai": "ai", "video": "referral", "shopping": "referral"}


def _missing_medium(origin: Origin, source: str, click: ClickId | None, kind: str, host: str) -> str:
    if click is not None and click.medium:
        return click.medium
    if kind in _MEDIUM_OF_KIND:
        return _MEDIUM_OF_KIND[kind]
    if host and not source:
        return "referral"
    return NOT_SET if is_tagged(origin) else NONE


def _channel_and_rule(origin: Origin, arrival: Arrival, own_rule: tuple[int, ChannelRule] | None) -> tuple[str, str]:
    explicit = " ".join(origin.explicit_channel.split())
    if explicit:
        return _CHANNEL_BY_FOLDED.get(explicit.lower(), explicit), "explicit channel"
    if own_rule is not None:
        return own_rule[1].channel, f"site rule {own_rule[0]}"
    return next((rule.channel, rule.name) for rule in RULES if rule.holds(arrival))


def _own_rule(arrival: Arrival, settings: SiteSettings) -> tuple[int, ChannelRule] | None:
    """The first of the site's own rules that holds, with its number (from 1)."""
    return next((found for found in enumerate(settings.channel_rules, 1) if _own_rule_holds(found[1], arrival, settings)), None)


def _own_rule_holds(rule: ChannelRule, arrival: Arrival, settings: SiteSettings) -> bool:
    return (
        (rule.source is None or canonical_source(_aliased(rule.source, settings.source_aliases)) == arrival.source)
        and (rule.medium is None or folded(rule.medium) == arrival.medium)
        and (rule.campaign is None or _campaign_matches(folded(rule.campaign), arrival.campaign))
        and (rule.referrer is None or rule.referrer in domains_above(arrival.referring_host))
        and (rule.click_id is None or rule.click_id.strip().lower() == arrival.click_id_kind.lower())
    )


def _campaign_matches(pattern: str, campaign: str) -> bool:
    return campaign.startswith(pattern[:-1]) if pattern.endswith("*") else campaign == pattern
