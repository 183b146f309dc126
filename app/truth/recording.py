"""What is recorded of what people do: events as `POST /v1/events` takes them, with what a market loses on the way.

Everything is dated in fixed years and named by the person's number, so the same seed makes the same events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode

from app.truth.markets import Losses, Market
from app.truth.people import Arrival, Person, chance

Event = dict[str, Any]

SEASON_STARTS_AT = datetime(2024, 1, 8, tzinfo=UTC)
_SITE = "https://www.shop.example"
_COOKIE_LASTS_DAYS = 7.0
_TO_THE_FORM_DAYS = 0.02
_HALF_A_DAY = 0.5
_AMOUNT = "1000.00"


@dataclass(frozen=True)
class _Way:
    """How an arrival through a channel looks from here."""

    tags: dict[str, str]
    referrer: str | None = None
    is_ad: bool = False
    """Shown among other things, so that one may remember it instead of clicking."""
    is_offline: bool = False


_WAYS: dict[str, _Way] = {
    "Paid Social": _Way(
        {"utm_source": "facebook", "utm_medium": "paid-social", "utm_campaign": "spring"}, "https://www.facebook.com/", True
    ),
    "Organic Search": _Way({}, "https://www.google.com/"),
    "Paid Search": _Way({"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "search"}, "https://www.google.com/"),
    "Email": _Way({"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "monthly"}),
    "Display": _Way({"utm_source": "adnet", "utm_medium": "display", "utm_campaign": "banners"}, "https://news.example/", True),
    "Events": _Way({"source": "trade-show", "medium": "event"}, is_offline=True),
    "Direct": _Way({}),
}


@dataclass(frozen=True)
class _Visit:
    """An arrival as it is recorded."""

    day: float
    channel: str


def recorded(person: Person, market: Market, seed: int) -> list[Event]:
    """All that is recorded of one person: visits, offline touches, the form, and the deal that was won.

    Who decides and has never been on the site calls: there is a deal, and no form.
    """
    luck = chance(seed, person.number, "recording")
    visits, decided_on = list(_visits(person, market, luck)), person.decides_on()
    form_on = None if decided_on is None else _form_day(decided_on, visits, market, luck)
    devices = _Devices(person, market.losses, seed)
    events = [_event(person, index, visit, devices) for index, visit in enumerate(sorted(visits, key=_day_of))]
    if decided_on is None or form_on is None:
        return events
    if any(visit.day <= form_on and not _WAYS[visit.channel].is_offline for visit in visits):
        events.append(_form(person, form_on, devices.at(form_on)))
    return [*events, _deal(person, form_on, market.losses, luck)]


def _day_of(visit: _Visit) -> float:
    return visit.day


# ---------------------------------------------------------------- visits


def _visits(person: Person, market: Market, luck: Random) -> Iterator[_Visit]:
    for arrival in person.arrivals():
        yield from _visit_of(arrival, market.losses, luck)


def _visit_of(arrival: Arrival, losses: Losses, luck: Random) -> Iterator[_Visit]:
    way, is_lost, later = _WAYS[arrival.channel.name], luck.random(), luck.uniform(0, _HALF_A_DAY)
    if way.is_offline and is_lost < losses.unscanned:
        return
    if way.is_ad and is_lost < losses.typed:
        yield _Visit(arrival.day + later, "Direct")
    else:
        yield _Visit(arrival.day, arrival.channel.name)


def _form_day(decided_on: float, visits: list[_Visit], market: Market, luck: Random) -> float:
    """When somebody who has decided says so; a visit to do that is added to the visits."""
    which, later = luck.random(), luck.uniform(0.0, 2.0)
    for channel, share in market.returns:
        which -= share
        if which < 0:
            visits.append(_Visit(decided_on + later, channel))
            return decided_on + later + _TO_THE_FORM_DAYS
    return decided_on + _HALF_A_DAY + _TO_THE_FORM_DAYS


class _Devices:
    """Which visitor a person is, visit by visit."""

    def __init__(self, person: Person, losses: Losses, seed: int) -> None:
        pair = person.number // 2
        is_shared = chance(seed, pair, "device").random() < losses.shared_devices
        self._name = f"pair-{pair}" if is_shared else f"person-{person.number}"
        self._forgets = chance(seed, pair if is_shared else person.number, "browser").random() < losses.short_cookies
        self._cookie = 0
        self._last_day: float | None = None

    def at(self, day: float) -> str:
        """The visitor ID on a day. Days must be asked for in their order."""
        if self._forgets and self._last_day is not None and day > self._last_day + _COOKIE_LASTS_DAYS:
            self._cookie += 1
        self._last_day = day
        return f"{self._name}-{self._cookie}"


# ---------------------------------------------------------------- events


def _event(person: Person, index: int, visit: _Visit, devices: _Devices) -> Event:
    way = _WAYS[visit.channel]
    named = {"id": f"{person.number}-{index}", "occurred_at": _moment(visit.day)}
    if way.is_offline:
        return {**named, "type": "touch", "email": _email(person), **way.tags}
    url = f"{_SITE}/?{urlencode(way.tags)}" if way.tags else f"{_SITE}/"
    referrer = {"referrer": way.referrer} if way.referrer else {}
    return {**named, "type": "visit", "visitor_id": devices.at(visit.day), "url": url, **referrer}


def _form(person: Person, day: float, visitor_id: str) -> Event:
    named = {"id": f"{person.number}-form", "type": "form_submit", "visitor_id": visitor_id, "occurred_at": _moment(day)}
    return {**named, "url": f"{_SITE}/demo", "form": "Request a demo", "email": _email(person)}


def _deal(person: Person, form_on: float, losses: Losses, luck: Random) -> Event:
    opened_on = form_on + luck.uniform(1.0, 14.0)
    won_on = opened_on + luck.uniform(*losses.deal_days)
    deal = {"id": f"deal-{person.number}", "amount": _AMOUNT, "currency": "USD", "outcome": "won", "opened_at": _moment(opened_on)}
    return {
        "id": f"won-{person.number}",
        "type": "deal_closed",
        "occurred_at": _moment(won_on),
        "deal": {**deal, "contacts": [_email(person)]},
    }


def _email(person: Person) -> str:
    return f"person-{person.number}@buyers.example"


def _moment(day: float) -> str:
    return (SEASON_STARTS_AT + timedelta(days=day)).isoformat()
