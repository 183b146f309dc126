"""Random stories: what a few people do on a few browsers, what a CRM says of them, and what an administrator changes.

Facts are made as the doors make them, with every time their own, so that the same seed is always the same story.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.collect.schemas import Event
from app.collect.steps import Sender, fact_of
from app.crm import messages
from app.log import Fact
from app.sites.site import Site
from app.tables import to_micros
from tests.facts import at

CRM = "crm"
PEOPLE = ("ada", "bob", "cem", "dee")
VISITORS = ("v1", "v2", "v3", "v4", "v5")
PAGES = ("/", "/pricing", "/?utm_source=news&utm_medium=email", "/?gclid=abc", "/?utm_campaign=spring")
REFERRERS = ("", "https://www.google.com/", "https://shop.example/", "https://checkout.stripe.com/", "https://blog.example.net/")
GAPS = (0, 0.2, 5, 29, 31, 300, 2_000)
"""Minutes between two facts; some happen at one instant."""

SETTINGS: tuple[dict[str, Any], ...] = (
    {"session_gap_minutes": 20},
    {"touch_cap": 3},
    {"goals": [{"name": "prices", "path": "/pricing"}, {"name": "page", "event": "pageview", "once_per": "event"}]},
    {"excluded_paths": ["/pricing"]},
    {"ignored_hosts": ["blog.example.net"]},
    {"lead_forms": ["newsletter"]},
    {"currency": "EUR"},
    {"timezone": "America/New_York"},
    {"channel_rules": [{"channel": "Direct", "source": "news"}]},
    {"lookback_days": {"lead": 1, "customer": 2}},
    {"half_life_days": 0.25},
    {"business_hours": {"mon": ["09:00-12:00", "13:00-17:00"], "thu": ["10:00-24:00"]}, "holidays": ["03-04"]},
    {"contact_counts": ["email:inbound", "other"], "first_contact_hours": 0.5, "contact_before_days": 0},
    {"bant_minimum": 1},
)
LEFT_OUT: tuple[dict[str, Any], ...] = ({"customer_area": ["/pricing"]}, {"most_pages_an_hour": 2}, {"spam_referrers": ["example.net"]})
"""Rules by which some touches are none."""
SCORING: dict[str, Any] = {
    "scoring": {
        "threshold": 25,
        "half_life_days": 1,
        "rules": [
            {"name": "prices", "path": "/pricing", "points": 10, "at_most": 2},
            {"name": "demo", "form": "demo", "points": 12, "half_life_days": 0},
        ],
        "fits": [
            {"name": "german", "property": "country", "value": "DE", "points": 5},
            {"name": "of a size", "of": "company", "property": "size", "points": 8},
        ],
    }
}
"""What makes an mql."""
ACCOUNTS: tuple[dict[str, Any], ...] = (
    {"account_journeys": True},
    {"account_journeys": True, "free_mail_domains": ["example.org"]},
    {"account_journeys": True, "hosts": ["shop.example", "www.example.net"]},
)
"""Everyone of a deal's company shares its journey, whatever a company is."""
DOMAINS = {"ada": "example.com", "bob": "example.com", "cem": "example.org", "dee": "gmail.com"}
COMPANIES = ({"id": "k1"}, {"domain": "www.Example.org"}, {"id": 2, "domain": "example.net"}, {"id": None}, {"name": "Acme"}, "Acme", None)
_MESSAGES = tuple(type_ for type_ in messages.TYPES if type_ != "event.happened")
"""What a CRM says; events are sent as events here."""
STAGES = {"won_stages": ["Signed"], "lost_stages": ["Dead"]}
"""What a CRM's stages mean, once an administrator has said so."""


@dataclass(frozen=True)
class Undone:
    """A join that is undone: the fact that made it, by its place in the story."""

    place: int
    fact_id: str
    visitor_id: str | None


@dataclass
class Story:
    """Facts in order of time, and what an administrator does at whatever time."""

    facts: list[Fact] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)
    knows_stages: bool = False


def a_story(site: Site, seed: int, length: int = 32) -> Story:
    """A random story."""
    chance = random.Random(seed)
    story = Story(settings=chance.sample(SETTINGS, chance.choice((0, 1, 2))), knows_stages=chance.random() < 0.3)
    if chance.random() < 0.6:
        story.settings.append(chance.choice(ACCOUNTS))
    if chance.random() < 0.6:
        story.settings.append(SCORING)
    # Drawn apart, so that the same seed goes on telling the same facts.
    story.settings += random.Random(seed).sample(LEFT_OUT, seed % 3)
    minutes = 0.0
    for place in range(length):
        minutes += chance.choice(GAPS)
        told = _told(site, chance, place, to_micros(at(minutes)))
        story.facts.append(told)
        keys = [row for table, row in told.satellites if table.name == "sightings"]
        if keys and chance.random() < 0.1:
            is_event = told.table.name == "events"
            story.undone.append(Undone(place, keys[0]["fact_id"], keys[0]["visitor_id"] if is_event else None))
    return story


def _told(site: Site, chance: random.Random, place: int, moment: int) -> Fact:
    """One fact, by an event or by a message of the CRM."""
    if chance.random() < 0.3:
        type_, data = _message(chance)
        return messages.fact_of(site, CRM, "generic", messages.Said(f"m{place}", type_, data), sent_at=moment, received_at=moment)
    sent = _event(chance)
    is_trusted = "visitor_id" not in sent or chance.random() < 0.5
    event = Event.model_validate_json(json.dumps({"id": f"e{place}", **sent}))
    return fact_of(event, Sender(site, is_trusted, moment))


def _event(chance: random.Random) -> dict[str, Any]:
    person = chance.choice(PEOPLE)
    page = {"visitor_id": chance.choice(VISITORS), "url": "https://shop.example" + chance.choice(PAGES), "referrer": chance.choice(REFERRERS)}
    kind = chance.random()
    if kind < 0.55:
        return {**page, "type": chance.choice(("visit", "pageview", "engagement", "signed_up"))}
    if kind < 0.8:
        keys = {"email": _address(person), "user_id": f"u-{person}", "phone": f"+4930123450{PEOPLE.index(person)}"}
        named = {name: keys[name] for name in chance.sample(sorted(keys), chance.choice((1, 1, 2)))}
        return {**page, "type": "form_submit", "form": chance.choice(("demo", "newsletter")), **named, **_described(chance)}
    if kind < 0.85:
        return {"type": "touch", "email": _address(person), "channel": "Events", "source": "fair"}
    return {"type": "deal_closed", "deal": _deal(chance) | {"outcome": chance.choice(("won", "won", "lost"))}}


def _message(chance: random.Random) -> tuple[str, dict[str, Any]]:
    type_ = chance.choice(_MESSAGES)
    if type_.startswith("contact."):
        return type_, _contact(chance) | chance.choice(({}, {"bant": {"need": chance.random() < 0.5}, "reason": "no budget"}))
    if type_ == "activity.logged":
        return type_, _activity(chance)
    if type_ == "activity.deleted":
        return type_, {"id": f"a{chance.randrange(4)}"}
    if type_ == "deal.adjusted":
        return type_, {"id": f"d{chance.randrange(4)}", "amount": f"{chance.randrange(-500, 500)}.50", "currency": "USD"}
    return type_, _deal(chance)


def _activity(chance: random.Random) -> dict[str, Any]:
    """What sales did, told anew at times: with a contact, about a deal, or both."""
    about = {"contact": _contact(chance), "deal": f"d{chance.randrange(4)}"}
    return {
        "id": chance.choice((None, *(f"a{number}" for number in range(4)))),
        "kind": chance.choice(("call", "call", "email", "other")),
        "direction": chance.choice((None, "inbound", "outbound")),
        "automated": chance.random() < 0.2,
        "took_place_at": at(chance.choice((-1_000, 0, 1_000, 3_000))).isoformat(),
        **{name: about[name] for name in chance.choice((("contact",), ("deal",), ("contact", "deal")))},
    }


def _deal(chance: random.Random) -> dict[str, Any]:
    """A deal with some of its fields: what is absent says nothing, null clears."""
    fields = {
        "amount": chance.choice((None, f"{chance.randrange(1, 10_000)}.{chance.randrange(100):02}")),
        "currency": "USD",
        "contacts": chance.choice((None, [_contact(chance)], [_contact(chance), _contact(chance)])),
        "closed_on": "2026-03-20",
        "opened_at": at(chance.choice((-1_000, 0, 1_000))).isoformat(),
        "stage": chance.choice(("Talks", "Signed", "Dead")),
        "visitor_id": chance.choice((None, *VISITORS)),
        "recurring": chance.choice((None, {"amount": "9.50", "period": "month"})),
        "company": _company(chance),
        **_described(chance),
    }
    return {"id": f"d{chance.randrange(4)}"} | {name: value for name, value in fields.items() if chance.random() < 0.4}


def _contact(chance: random.Random) -> dict[str, Any]:
    person = chance.choice(PEOPLE)
    contact = {"id": f"c-{person}"}
    if chance.random() < 0.5:
        contact["email"] = _address(person if chance.random() < 0.9 else chance.choice(PEOPLE))
    if chance.random() < 0.2:
        contact["visitor_id"] = chance.choice(VISITORS)
    if chance.random() < 0.3:
        contact["company"] = _company(chance)
    return contact | _described(chance)


def _company(chance: random.Random) -> dict[str, Any] | str | None:
    if chance.random() < 0.6:
        return chance.choice(COMPANIES)
    named = {"id": chance.choice((1, 2)), "domain": chance.choice(("acme.example", "initech.example")), "name": "Acme"}
    return {name: named[name] for name in chance.sample(sorted(named), 2)} | _described(chance)


def _described(chance: random.Random) -> dict[str, Any]:
    """Properties, half of the time: one is changed or cleared."""
    return chance.choice(({}, {"properties": {chance.choice(("country", "size")): chance.choice((None, "DE", "US", 7, True))}}))


def _address(person: str) -> str:
    return f"{person}@{DOMAINS[person]}"


def batches(chance: random.Random, facts: list[Fact]) -> Iterator[list[Fact]]:
    """The facts in random order, some of them twice, a few at a time."""
    shuffled = [*facts, *chance.sample(facts, 8)]
    chance.shuffle(shuffled)
    while shuffled:
        size = chance.randrange(1, 15)
        yield shuffled[:size]
        shuffled = shuffled[size:]
