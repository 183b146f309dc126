"""What a channel rule says of an origin, for a reader who asks why a touch has its channel."""

from __future__ import annotations

import re

from app.collect.origins import Origin
from app.sites.settings import ChannelRule, SiteSettings
from app.touches.channels import NOT_SET, Arrival, arrival_of, is_tagged

_SITE_RULE = re.compile(r"site rule ([0-9]+)\Z")
_CONDITIONS = ("source", "medium", "campaign", "referrer", "click_id")

_KINDS = {
    "search": "a search engine", "social": "a social network", "video": "a video site", "shopping": "a shopping site",
    "email": "a mail provider", "ai": "an AI assistant",
}  # fmt: skip
_BECAUSE = {
    "direct": "there is no referrer that means anything, no campaign and no source",
    "offline event": "{named} is a word for an event",
    "webinar": "{named} is a word for a webinar",
    "outbound sales": "{named} is a word for outbound sales",
    "inbound call": "{named} is a word for a call that somebody made to us",
    "partner": "{named} is a word for partners",
    "direct mail": "{named} is a word for direct mail",
    "cross-network campaign": "the campaign {campaign!r} says cross-network",
    "paid shopping": "{shopping}, and {payment}",
    "paid search": "{told}, and {payment}",
    "paid social": "{told}, and {payment}",
    "paid video": "{told}, and {payment}",
    "display medium": "the medium {medium!r} is one of display advertising",
    "affiliate click ID": "the click ID {click_id!r} is an affiliate network's",
    "other paid medium": "{payment}, and the source {source!r} is no search engine, social network, video or shopping site",
    "shopping site or campaign": "{shopping}, and {payment}",
    "social network or medium": "{told}, and {payment}",
    "video site or medium": "{told}, and {payment}",
    "AI assistant": "{told}",
    "search engine or organic medium": "{told}, and {payment}",
    "referral medium": "a link on {source!r} was followed, which is no search engine, social network, video or shopping site",
    "mail provider or e-mail medium": "{told}",
    "affiliate medium": "the medium {medium!r} says affiliate",
    "audio medium": "the medium {medium!r} is one of audio",
    "SMS": "source or medium is SMS",
    "mobile push": "the source {source!r} or the medium {medium!r} is one of push messages",
    "no rule": "no rule knows {named}",
}
"""By name of a shipped rule (`app.touches.channels.RULES`): why it holds."""


def because(rule: str, origin: Origin, settings: SiteSettings) -> str:
    """Why a rule gave an origin its channel, as a clause: what in the origin made it hold."""
    if rule == "explicit channel":
        return f"the sender named the channel itself: {origin.explicit_channel!r}"
    numbered = _SITE_RULE.match(rule)
    if numbered:
        return _of_the_site(int(numbered[1]), settings)
    arrival = arrival_of(origin, settings)
    return _BECAUSE.get(rule, "the rule holds").format(
        named=_named(arrival),
        source=arrival.source,
        told=_told(arrival),
        shopping=_shopping(arrival),
        medium=arrival.medium,
        campaign=arrival.campaign,
        click_id=origin.click_id_kind,
        payment=_payment(origin, arrival),
    )


def _of_the_site(number: int, settings: SiteSettings) -> str:
    """The conditions of one of the site's own rules, by its number (from 1); it may have changed since."""
    if number > len(settings.channel_rules):
        return "a rule of the site's own that has gone since; the origin is about to be labelled anew"
    rule: ChannelRule = settings.channel_rules[number - 1]
    conditions = [f"{name.replace('_', ' ')} {value!r}" for name in _CONDITIONS if (value := getattr(rule, name)) is not None]
    return f"rule {number} of the site's own asks for {' and '.join(conditions)}"


def _named(arrival: Arrival) -> str:
    """The word that an offline rule went by: the medium, or the source where no medium was given."""
    return f"the source {arrival.source!r}" if arrival.medium == NOT_SET else f"the medium {arrival.medium!r}"


def _told(arrival: Arrival) -> str:
    """What the source is known to be; of an unknown one, that the medium or its own name says so."""
    if arrival.kind in _KINDS:
        return f"{arrival.source!r} is {_KINDS[arrival.kind]}"
    return f"{_named(arrival)} says so"


def _shopping(arrival: Arrival) -> str:
    return _told(arrival) if arrival.kind == "shopping" else f"the campaign {arrival.campaign!r} says shopping"


def _payment(origin: Origin, arrival: Arrival) -> str:
    if not arrival.is_paid:
        return "nothing says that it was paid"
    if origin.medium:
        return f"the medium {arrival.medium!r} says that it was paid"
    return f"the click ID {origin.click_id_kind!r} is given out for paid clicks alone"


def as_sent(origin: Origin) -> dict[str, str]:
    """The parts of an origin that were there at all, as they were sent."""
    return {name: value for name, value in origin._asdict().items() if value}


def in_words(channel: str, rule: str, origin: Origin, settings: SiteSettings) -> str:
    """One sentence: which channel an origin has, and why."""
    what = "" if is_tagged(origin) or not origin.referring_host else f" (it came from {origin.referring_host})"
    return f"{channel}, because {because(rule, origin, settings)}{what}."
