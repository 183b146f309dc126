"""Where HubSpot says that a contact came from: its original and latest source, as touches that it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.collect.origins import arrival
from app.crm.hubspot_values import Record, micros
from app.crm.messages import stamp

TOUCH_PROPERTIES = (
    "hs_analytics_source", "hs_analytics_source_data_1", "hs_analytics_source_data_2", "hs_analytics_first_timestamp",
    "hs_analytics_first_url", "hs_analytics_first_referrer", "hs_latest_source", "hs_latest_source_data_1", "hs_latest_source_data_2",
    "hs_latest_source_timestamp", "hs_google_click_id", "hs_facebook_click_id",
)  # fmt: skip

_TAGS = ("source", "medium", "campaign", "term", "content")


@dataclass(frozen=True)
class _Source:
    """What one of HubSpot's sources means, and which of our words its two drill-downs hold."""

    channel: str | None
    medium: str | None = None
    first: str = ""
    second: str = ""


_SOURCES = {
    "ORGANIC_SEARCH": _Source("Organic Search", "organic", "term", "source"),
    "PAID_SEARCH": _Source("Paid Search", "cpc", "campaign", "term"),
    "PAID_SOCIAL": _Source("Paid Social", "paid_social", "source", "campaign"),
    "SOCIAL_MEDIA": _Source("Organic Social", "social", "source", "campaign"),
    "EMAIL_MARKETING": _Source("Email", "email", "campaign", "content"),
    "REFERRALS": _Source("Referral", "referral", "source"),
    "AI_REFERRALS": _Source("AI Assistants", "referral", "source"),
    "OTHER_CAMPAIGNS": _Source(None, None, "campaign", "source"),
    "DIRECT_TRAFFIC": _Source("Direct"),
}
"""`OFFLINE` is missing: it says how the record came into HubSpot (an import, an integration), not the human to us."""
_CLICK_IDS = {"PAID_SEARCH": "hs_google_click_id", "PAID_SOCIAL": "hs_facebook_click_id"}
_NOTHING = {"unknown keywords (ssl)", "unknown keywords", "(not set)", "not provided", "unknown"}


def reported_touches(contact: Record, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """The touches that a contact's properties tell of: by whom and what it first came, and last.

    `{"occurred_at", "source", "medium", "campaign", "term", "content", "click_id", "url", "channel"}`, what is not known
    left out. Each touch has one origin: the tags of its address, or those that settings name, or HubSpot's own words.
    """
    first_at = micros(contact.get("hs_analytics_first_timestamp")) or micros(contact.get("createdate"))
    last_at = micros(contact.get("hs_latest_source_timestamp"))
    first = _first(contact, fields)
    last = _stated(contact, "hs_latest_source") if last_at not in {None, first_at} else {}
    return [{"occurred_at": stamp(at), **touch} for at, touch in ((first_at, first), (last_at, last)) if touch and at is not None]


def _first(contact: Record, fields: Mapping[str, str]) -> dict[str, Any]:
    url = contact.get("hs_analytics_first_url")
    named = {word: text for word in (*_TAGS, "click_id") if (text := contact.get(fields.get(_tag(word))))}
    came = _of_address(url, contact.get("hs_analytics_first_referrer")) if contact.get("hs_analytics_source") in _SOURCES else {}
    told = came or named or _stated(contact, "hs_analytics_source")
    return ({"url": url} if url and told else {}) | told


def _tag(word: str) -> str:
    return word if word == "click_id" else f"utm_{word}"


def _of_address(url: str | None, referrer: str | None) -> dict[str, Any]:
    """The tags and the click ID of an address; nothing if it carries none."""
    try:
        found = arrival(url, referrer)
    except ValueError:
        return {}
    told = {word: getattr(found.origin, word) for word in _TAGS} | {"click_id": found.click_id}
    return {word: text for word, text in told.items() if text}


def _stated(contact: Record, name: str) -> dict[str, Any]:
    """One of HubSpot's sources in our words."""
    kind = contact.get(name) or ""
    source = _SOURCES.get(kind)
    if source is None:
        return {}
    drilled = {source.first: contact.get(f"{name}_data_1"), source.second: contact.get(f"{name}_data_2")}
    found = {word: text for word, text in drilled.items() if word and text and text.lower() not in _NOTHING}
    click_id = contact.get(_CLICK_IDS.get(kind))
    told = {"channel": source.channel, "medium": source.medium, **found, "click_id": click_id}
    return {word: text for word, text in told.items() if text}
