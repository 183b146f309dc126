"""What happens to an event between its schema and the log: an ordered tuple of small steps.

`drop_*` looks at the request and says why nothing of it is kept; `put_*` puts one thought into the draft of a fact, or
refuses the event. Only facts are decided here: no channel, no session, no person.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from app import ids, tables
from app.collect.deal_facts import Contact, Deal, deal_facts
from app.collect.keys import Row, clear_texts, link_id, pseudo_visitor, sighting_satellites, subject_keys
from app.collect.origins import NOWHERE, Arrival, Origin, arrival, campaign_key, origin_id
from app.collect.personal import looks_personal, personal_names
from app.collect.properties import person_satellites, property_texts
from app.collect.schemas import Event
from app.log import Fact
from app.sites.site import Site

_SECOND = 1_000_000
_SKEW_ALLOWED = 60 * _SECOND
_OLDEST_PUBLIC = 7 * 86_400 * _SECOND
"""History needs a secret key: with the public one, anybody could rewrite last year's credit."""

_STARTS = frozenset({"visit", "pageview", "touch"})
_NEVER_STARTS = frozenset({"engagement", "identify"})
_DESCRIBES = frozenset({"identify", "form_submit"})
"""Types of event whose properties are those of the human; other events' are their own."""
_WEB_TYPES = frozenset({"visit", "pageview", "form_submit", "engagement"})


class NotAllowed(ValueError):
    """This event cannot be taken, and why; its neighbours can."""


class Sender(NamedTuple):
    """Who sends, for which site, and when it came in."""

    site: Site
    is_trusted: bool
    received_at: int
    """Microseconds."""
    sent_at: int | None = None
    may_be_old: bool = False
    """An administrator replays it, and vouches for its age."""
    daily_visitor: str | None = None
    """What names the browser today (`app.collect.daily`), where its events name no visitor or the site takes none."""
    is_sdk: bool = False
    """An SDK of the kind that pages and servers share: under a write key, too, a user ID may stand for a browser."""

    def visitor(self, sent: str | None) -> str | None:
        """The visitor whom an event stands under that was sent with this one, or none. None if nobody can say."""
        named = sent if sent and sent.strip() else None
        if self.is_trusted or self.may_be_old:
            return named
        return self.daily_visitor if named is None or self.site.settings.consent == "cookieless" else named


@dataclass(slots=True)
class Draft:
    """An event on its way to being a fact."""

    event: Event
    sender: Sender
    other_user_id: str | None = None
    """Another user ID of the same human."""
    row: dict[str, Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    satellites: list[Row] = field(default_factory=list)
    arrival: Arrival | None = None
    origin: Origin = NOWHERE


def fact_of(
    event: Event, sender: Sender, refused: Callable[[str], dict[str, Any]] | None = None, other_user_id: str | None = None
) -> Fact:
    """The fact that an event is. ValueError (mostly NotAllowed) if it cannot be taken.

    `refused` makes its row of the quarantine, should the database not take it either. `other_user_id` is one more that
    the same human has.
    """
    _check_allowed(event, sender)
    if event.type == "deal_closed":
        return replace(_deal_fact(event, sender), refused=refused)
    draft = Draft(event, sender, other_user_id)
    for put in PUTS:
        put(draft)
    return Fact(tables.events, draft.row, tuple(draft.satellites), refused)


def _check_allowed(event: Event, sender: Sender) -> None:
    if not sender.is_trusted and (event.type in ("deal_closed", "touch") or event.channel is not None):
        what = "channel" if event.channel is not None else event.type
        raise NotAllowed(f"{what} needs a secret key; this is a write key")


# ---------------------------------------------------------------- steps


def put_times(draft: Draft) -> None:
    """`occurred_at`, by our clock, and when it came in."""
    draft.row["occurred_at"] = occurred_at(draft.event, draft.sender)
    draft.row["received_at"] = draft.sender.received_at
    draft.row["sequence"] = draft.event.sequence


def put_keys(draft: Draft) -> None:
    """The keys of the human; what cannot be read as an e-mail or a phone is left out, and the event kept."""
    event, site = draft.event, draft.sender.site
    if not (event.email or event.phone or event.user_id):
        draft.row["has_email"] = False
        return
    draft.keys = subject_keys(site, email=event.email, phone=event.phone, user_id=event.user_id)
    draft.row["has_email"] = any(key_id.startswith("e_") for key_id in draft.keys)
    draft.satellites += clear_texts(
        site, draft.row["occurred_at"], email=event.email, phone=event.phone, user_id=event.user_id
    )
    if draft.other_user_id:
        draft.keys = sorted({*draft.keys, *subject_keys(site, user_id=draft.other_user_id)})
        draft.satellites += clear_texts(site, draft.row["occurred_at"], user_id=draft.other_user_id)


def put_visitor(draft: Draft) -> None:
    """The browser, or the pseudo-visitor of the key under which a server's event stands."""
    visitor_id = draft.sender.visitor(draft.event.visitor_id)
    if visitor_id is None:
        visitor_id = pseudo_visitor(draft.keys) if draft.sender.is_trusted or draft.sender.is_sdk else None
    elif visitor_id.startswith("~"):
        raise NotAllowed("visitor_id may not begin with ~")
    if visitor_id is None:
        needed = "visitor_id, or an e-mail, phone or user ID that can be read," if draft.sender.is_trusted else "visitor_id"
        raise NotAllowed(f"{needed} is needed")
    draft.row["site_id"] = draft.sender.site.site_id
    draft.row["visitor_id"] = visitor_id


def put_id(draft: Draft) -> None:
    """The event's ID, and what it is."""
    draft.row["event_id"] = _event_id(draft.event)
    draft.row["type"] = draft.event.type
    draft.row["type_rank"] = 0 if draft.event.type == "visit" else 1
    draft.row["is_trusted"] = draft.sender.is_trusted


def put_page(draft: Draft) -> None:
    """Parts of the address."""
    event = draft.event
    try:
        draft.arrival = found = arrival(event.url or None, event.referrer or None, personal_names(draft.sender.site.settings))
    except ValueError as error:
        raise NotAllowed(str(error)) from error
    draft.row.update(
        url=found.url, host=found.host, path=found.path, referrer=found.referrer, title=event.title,
        has_internal_referrer=found.has_internal_referrer, engaged_ms=event.engaged_ms, properties=event.properties,
    )  # fmt: skip


def put_origin(draft: Draft) -> None:
    """The origin: what the event states itself, or else what its address and referrer say; never parts of both."""
    assert draft.arrival is not None
    stated = _stated_origin(draft.event)
    draft.origin = origin = stated or draft.arrival.origin
    draft.row["click_id"] = click_id = None if stated else draft.arrival.click_id
    draft.row["origin_id"] = named = origin_id(origin)
    draft.row["campaign_key"] = campaign_key(origin, click_id)
    draft.satellites.append((tables.origins, _origin_row(draft.sender.site.site_id, named, origin)))


def put_ranks(draft: Draft) -> None:
    """Whether it may start a session, and whether it keeps one alive."""
    kind, states_source = draft.event.type, draft.arrival is not None and draft.origin is not draft.arrival.origin
    if kind in _NEVER_STARTS or (_is_told_by_a_server(draft) and not states_source):
        draft.row["start_rank"] = 0
    else:
        draft.row["start_rank"] = 2 if kind in _STARTS or states_source else 1
    draft.row["is_web"] = kind in _WEB_TYPES or (kind != "touch" and bool(draft.event.url))


def put_form(draft: Draft) -> None:
    """Which form it was, for a submission: its name and the path of its page."""
    if draft.event.type != "form_submit":
        return
    name, path = (draft.event.form or "").strip(), draft.row["path"]
    draft.row["form_id"] = form_id = ids.digest(name, path)
    draft.satellites.append((tables.forms, {"site_id": draft.sender.site.site_id, "form_id": form_id, "name": name, "path": path}))


def put_sightings(draft: Draft) -> None:
    """The keys seen together on the visitor, and who is dirty now."""
    row, site = draft.row, draft.sender.site
    if draft.keys:
        draft.satellites += sighting_satellites(
            site, draft.keys, row["visitor_id"], row["event_id"], row["occurred_at"], row["sequence"], row["is_trusted"], row["received_at"]
        )
    else:
        dirty = {"site_id": site.site_id, "visitor_id": row["visitor_id"], "received_at": row["received_at"]}
        draft.satellites.append((tables.touches_queue, dirty))


def put_properties(draft: Draft) -> None:
    """What an event says of the human whom it names."""
    row, event = draft.row, draft.event
    if event.properties is None or not draft.keys or event.type not in _DESCRIBES:
        return
    draft.satellites += person_satellites(
        draft.sender.site, link_id(draft.keys), row["visitor_id"], row["event_id"], row["occurred_at"],
        is_trusted=row["is_trusted"], texts=property_texts(json.loads(event.properties)),
    )  # fmt: skip


PUTS: tuple[Callable[[Draft], None], ...] = (
    put_times,
    put_keys,
    put_visitor,
    put_id,
    put_page,
    put_origin,
    put_ranks,
    put_form,
    put_sightings,
    put_properties,
)
"""In this order: each needs what those before it have put."""


# ---------------------------------------------------------------- what the steps share


def _is_told_by_a_server(draft: Draft) -> bool:
    """Whether a server's SDK tells what happened to a human, and not that one arrived: it is no Direct visit before the order."""
    if not draft.sender.is_sdk or draft.event.type in _STARTS or draft.event.url:
        return False
    is_of_keys: bool = draft.row["visitor_id"].startswith("~")
    return is_of_keys


def occurred_at(event: Event, sender: Sender) -> int:
    """When it happened: the sender's clock put right by what it said when it sent, and never in the future."""
    if event.occurred_at is None:
        return sender.received_at
    skew = 0 if sender.sent_at is None else sender.received_at - sender.sent_at
    corrected = event.occurred_at + (skew if abs(skew) > _SKEW_ALLOWED else 0)
    happened_at = max(0, min(corrected, sender.received_at))
    if not sender.is_trusted and not sender.may_be_old and happened_at < sender.received_at - _OLDEST_PUBLIC:
        raise NotAllowed("older than 7 days, which needs a secret key")
    return happened_at


def _event_id(event: Event) -> str:
    """The ID sent; else one of what was sent, so that sending again is harmless; else a random one, as it happened just now."""
    if event.id is not None:
        return event.id
    if event.occurred_at is None:
        return secrets.token_urlsafe(16)
    return ids.digest("event", event.model_dump_json(exclude_unset=True, exclude={"sent_at", "key"}))


@lru_cache(maxsize=16_384)
def _origin_row(site_id: str, named: str, origin: Origin) -> dict[str, Any]:
    return {"site_id": site_id, "origin_id": named, **origin._asdict()}


def _stated_origin(event: Event) -> Origin | None:
    if not any((event.channel, event.source, event.medium, event.campaign, event.term, event.content)):
        return None
    # Some fill them from the address. (A source may be the address that a newsletter comes from.)
    free = ("" if part and looks_personal(part) else part for part in (event.campaign, event.term, event.content))
    stated = Origin(*((part or "").strip() for part in (event.channel, event.source, event.medium, *free)))
    return stated if any(stated) else None


def _deal_fact(event: Event, sender: Sender) -> Fact:
    """A closed deal is a fact of the CRM's kind, in the space `generic`, and no event."""
    if event.deal is None:
        raise NotAllowed("deal_closed needs deal")
    return deal_facts(
        sender.site,
        with_subject(event.deal, event),
        "lost" if event.deal.outcome == "lost" else "won",
        fact_id=ids.digest("events", _event_id(event)),
        fact_type="deal.lost" if event.deal.outcome == "lost" else "deal.won",
        occurred_at=occurred_at(event, sender),
        received_at=sender.received_at,
    )


def with_subject(deal: Deal, event: Event) -> Deal:
    """The deal, with what the event around it says of its human where the deal says nothing itself."""
    changes: dict[str, Any] = {}
    if event.visitor_id and deal.visitor_id is None:
        changes["visitor_id"] = event.visitor_id
    if deal.contacts is None and (event.email or event.phone or event.user_id):
        contact = Contact(email=event.email, phone=event.phone, user_id=event.user_id, visitor_id=event.visitor_id)
        changes["contacts"] = [contact]
    return deal.model_copy(update=changes) if changes else deal
