"""Touches that a CRM tells of: its stored original source and campaign fields, as events of the log.

They stand under a pseudo-visitor of the contact, beside the fact that told of them, and are trusted. The same touch told
again, by whatever message, has the same ID, and adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from app import ids, tables
from app.collect.fields import Address, Line, MicrosOrDay
from app.collect.keys import Row, sighting_satellites
from app.collect.origins import NOWHERE, Arrival, Origin, arrival, campaign_key, origin_id
from app.collect.personal import personal_names
from app.sites.site import Site

REPORTED_BY = "crm"
"""`events.reported_by` of such touches."""


class ReportedTouch(BaseModel):
    """Where a contact came from once, as its CRM has kept it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    occurred_at: MicrosOrDay
    source: Line | None = None
    medium: Line | None = None
    campaign: Line | None = None
    term: Line | None = None
    content: Line | None = None
    click_id: Line | None = Field(None, description="Value of the ad click ID.")
    url: Address | None = Field(None, description="The page that it led to; its parameters count where nothing else is said.")
    channel: Line | None = Field(None, description="Channel, in our words.")
    title: Line | None = None


def touch_rows(site: Site, home: str, keys: Sequence[str], touches: Sequence[ReportedTouch], received_at: int) -> list[Row]:
    """Rows of `events` and what belongs to them, of the touches of a human with these keys.

    `home` is the key under whose pseudo-visitor they stand.
    """
    return [row for touch in touches for row in _rows(site, home, keys, touch, received_at)]


def _rows(site: Site, home: str, keys: Sequence[str], touch: ReportedTouch, received_at: int) -> list[Row]:
    visitor_id, event_id = f"~{home}", ids.digest("reported", touch.model_dump_json())
    occurred_at = min(touch.occurred_at, received_at)
    page = _page(touch, personal_names(site.settings))
    origin, click_id = _origin(touch, page)
    event = {
        "site_id": site.site_id, "visitor_id": visitor_id, "event_id": event_id, "type": "touch", "reported_by": REPORTED_BY,
        "occurred_at": occurred_at, "received_at": received_at, "sequence": 0, "type_rank": 1, "start_rank": 2, "is_web": False,
        "is_trusted": True, "has_email": False, "has_internal_referrer": False, "origin_id": origin_id(origin),
        "campaign_key": campaign_key(origin, click_id), "click_id": click_id, "url": page.url, "host": page.host, "path": page.path,
        "title": touch.title,
    }  # fmt: skip
    return [
        (tables.events, event),
        (tables.origins, {"site_id": site.site_id, "origin_id": event["origin_id"], **origin._asdict()}),
        *sighting_satellites(site, keys, visitor_id, event_id, occurred_at, 0, True, received_at),
    ]


def _page(touch: ReportedTouch, personal: frozenset[str]) -> Arrival:
    """Where it led to. An address that is none is not worth the contact that it came with."""
    try:
        return arrival(touch.url or None, None, personal)
    except ValueError:
        return arrival(None, None)


def _origin(touch: ReportedTouch, page: Arrival) -> tuple[Origin, str | None]:
    """(origin, click ID): what the CRM states, or else what the address says; never parts of both.

    Which parameter carried a click ID, only an address can tell.
    """
    parts = (touch.channel, touch.source, touch.medium, touch.campaign, touch.term, touch.content)
    stated = Origin(*((part or "").strip() for part in parts))
    click_id = (touch.click_id or "").strip() or None
    if stated == NOWHERE:
        return page.origin, click_id or page.click_id
    kind = page.origin.click_id_kind if click_id is not None and click_id == page.click_id else ""
    return stated._replace(click_id_kind=kind), click_id
