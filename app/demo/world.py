"""A small cast of visitors, people and deals; each story says which rule it is there for.

The demo plays it among a month of other traffic, and the tests play it alone. All times are relative to the first
day of the month, so that the same stories can stand in any month.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

HOST = "https://www.acme.example"
GOOGLE = "https://www.google.com/"

Event = dict[str, Any]
"""As `POST /v1/events` takes it."""
Clock = Callable[[int, str], datetime]
"""The moment of a day (0 is the first) and a time of day."""


@dataclass(frozen=True)
class Message:
    """One webhook of the CRM."""

    message_id: str
    type: str
    at: datetime
    data: dict[str, Any]

    def body(self) -> dict[str, Any]:
        """The payload."""
        return {"type": self.type, "timestamp": self.at.isoformat(), "data": self.data}


@dataclass(frozen=True)
class Story:
    """What happened to somebody, and which rule that shows."""

    name: str
    rule: str
    events: tuple[Event, ...] = ()
    messages: tuple[Message, ...] = ()


def event(type_: str, visitor: str, at: datetime, path: str, **fields: Any) -> Event:
    """An event on a page of the site."""
    named = {"id": f"{type_}-{at:%m%dT%H%M%S}", "type": type_, "visitor_id": visitor}
    return {**named, "occurred_at": at.isoformat(), "url": HOST + path, **fields}


def visit(visitor: str, at: datetime, path: str, referrer: str | None = None) -> Event:
    """The start of a session; `path` may carry campaign parameters."""
    return event("visit", visitor, at, path, **({"referrer": referrer} if referrer else {}))


def form(visitor: str, at: datetime, path: str, name: str, email: str) -> Event:
    """A form submitted with an e-mail."""
    return event("form_submit", visitor, at, path, form=name, email=email)


def message(type_: str, at: datetime, **data: Any) -> Message:
    """A webhook about the deal or contact `data`."""
    return Message(f"{type_}/{data['id']}/{at:%m%dT%H%M%S}", type_, at, data)


def cast(first_day: datetime) -> tuple[Story, ...]:
    """Every story, in a month that begins at `first_day` (midnight, with its zone). It ends within 30 days."""

    def at(day: int, time: str) -> datetime:
        hours, minutes = map(int, time.split(":"))
        return first_day + timedelta(days=day, hours=hours, minutes=minutes)

    return (
        _ada(at), _ben_and_cleo(at), _dora(at), _emil_and_fay(at), _gus(at), _hana(at), _ivo(at),
        _jana(at), _kai(at), _lea(at), _max(at), _nora(at), _oli(at), _rosa(at), _tess(at), _uma(at), _vic_and_wes(at), _yara(at), _zed(at),
    )  # fmt: skip


def _ada(at: Clock) -> Story:
    ada = "ada@initech.example.com"
    deal = {"id": "initech", "name": "Initech", "amount": "12000.00", "currency": "USD"}
    call = {"id": "call-ada", "kind": "call", "direction": "outbound", "automated": False, "contact": "ada", "deal": "initech"}
    return Story(
        "ada",
        "The whole loop: an ad, a direct visit, a newsletter, a form, a deal opened, contacted and won two weeks later.",
        (
            visit("v-ada", at(1, "9:00"), "/?utm_source=google&utm_medium=cpc&utm_campaign=crm-software&gclid=Cj0ada", GOOGLE),
            event("pageview", "v-ada", at(1, "9:02"), "/pricing", referrer=HOST + "/"),
            visit("v-ada", at(4, "14:10"), "/"),
            visit("v-ada", at(8, "10:00"), "/blog/attribution?utm_source=newsletter&utm_medium=email&utm_campaign=monthly"),
            form("v-ada", at(8, "10:06"), "/demo", "Request a demo", ada),
        ),
        (
            message("contact.created", at(8, "11:00"), id="ada", email=ada, company="Initech"),
            message("deal.created", at(9, "12:00"), **deal, stage="qualified", contacts=[{"id": "ada", "email": ada}]),
            message("activity.logged", at(9, "15:00"), **call),
            message("deal.won", at(22, "16:00"), id="initech"),
        ),
    )


def _ben_and_cleo(at: Clock) -> Story:
    ben, cleo = "ben@hooli.example.com", "cleo@hooli.example.com"
    return Story(
        "ben and cleo",
        "One deal with two contacts: both journeys lead to it, and the two stay two people.",
        (
            visit(
                "v-ben",
                at(3, "11:00"),
                "/?utm_source=linkedin&utm_medium=paid-social&utm_campaign=ops-leaders",
                "https://www.linkedin.com/",
            ),
            form("v-ben", at(3, "11:09"), "/whitepaper", "Whitepaper", ben),
            visit("v-cleo", at(5, "16:30"), "/compare", "https://chatgpt.com/"),
            form("v-cleo", at(5, "16:41"), "/demo", "Request a demo", cleo),
        ),
        (
            message("deal.created", at(11, "9:00"), id="hooli", name="Hooli", amount="9000.01", currency="USD", contacts=[ben, cleo]),
            message("deal.won", at(21, "9:30"), id="hooli"),
        ),
    )


def _dora(at: Clock) -> Story:
    dora = "dora@globex.example.com"
    return Story(
        "dora",
        "Two browsers, one person: the e-mail of two forms joins them. Her deal is first heard of as won.",
        (
            visit("v-dora-phone", at(2, "20:00"), "/", "https://l.instagram.com/"),
            form("v-dora-phone", at(2, "20:04"), "/whitepaper", "Whitepaper", dora),
            visit("v-dora-laptop", at(10, "9:00"), "/pricing", GOOGLE),
            form("v-dora-laptop", at(10, "9:05"), "/contact", "Contact sales", dora.upper()),
        ),
        (message("deal.won", at(20, "12:00"), id="globex", name="Globex", amount="5000.00", currency="USD", contacts=[dora]),),
    )


def _emil_and_fay(at: Clock) -> Story:
    fay = "fay@umbrella.example.com"
    return Story(
        "emil and fay",
        "A shared laptop: two people stay two, and the ad that brought fay is hers, not emil's.",
        (
            visit("v-shared", at(2, "18:00"), "/?utm_source=adnet&utm_medium=display&utm_campaign=retarget"),
            form("v-shared", at(2, "18:05"), "/whitepaper", "Whitepaper", "emil@example.com"),
            visit("v-shared", at(6, "19:00"), "/?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=Cj0fay", GOOGLE),
            form("v-shared", at(6, "19:03"), "/demo", "Request a demo", fay),
        ),
        (message("deal.won", at(18, "10:00"), id="umbrella", name="Umbrella", amount="2000.00", currency="USD", contacts=[fay]),),
    )


def _gus(at: Clock) -> Story:
    gus = "gus@soylent.example.com"
    return Story(
        "gus",
        "A payment gateway takes no credit: coming back from it starts a session without a touch.",
        (
            visit("v-gus", at(5, "13:00"), "/pricing", "https://www.g2.com/products/acme/reviews"),
            visit("v-gus", at(5, "13:45"), "/welcome", "https://checkout.stripe.com/"),
            form("v-gus", at(5, "13:47"), "/welcome", "Onboarding", gus),
        ),
        (message("deal.won", at(5, "14:00"), id="soylent", name="Soylent", amount="300.00", currency="USD", contacts=[gus]),),
    )


def _hana(at: Clock) -> Story:
    hana = "hana@vandelay.example.com"
    return Story(
        "hana",
        "An idle tab clicked on after 31 minutes is a new session, and no touch.",
        (
            visit("v-hana", at(7, "9:00"), "/features", "https://www.bing.com/"),
            event("pageview", "v-hana", at(7, "9:31"), "/pricing", referrer=HOST + "/features"),
            form("v-hana", at(7, "9:35"), "/demo", "Request a demo", hana),
        ),
        (message("deal.won", at(19, "17:00"), id="vandelay", name="Vandelay", amount="1000.00", currency="USD", contacts=[hana]),),
    )


def _ivo(at: Clock) -> Story:
    ivo = "ivo@stark.example.com"
    return Story(
        "ivo",
        "A second campaign inside a session is a second touch of that session.",
        (
            visit("v-ivo", at(9, "10:00"), "/blog/funnels", GOOGLE),
            visit("v-ivo", at(9, "10:10"), "/pricing?utm_source=newsletter&utm_medium=email&utm_campaign=launch"),
            form("v-ivo", at(9, "10:12"), "/demo", "Request a demo", ivo),
        ),
        (message("deal.won", at(23, "8:00"), id="stark", name="Stark", amount="700.00", currency="USD", contacts=[ivo]),),
    )


def _jana(at: Clock) -> Story:
    won = message("deal.won", at(12, "10:00"), id="wonka", name="Wonka", amount="400.00", currency="USD")
    return Story("jana", "A deal that names nobody is uncredited: no_contact.", messages=(won,))


def _kai(at: Clock) -> Story:
    contact = {"id": "kai", "email": "kai@tyrell.example.com", "lead_source": "Trade fair"}
    won = message("deal.won", at(13, "10:00"), id="tyrell", name="Tyrell", amount="600.00", currency="USD", contacts=[contact])
    return Story("kai", "A contact who was never seen is a person without touches: no_touch.", messages=(won,))


def _lea(at: Clock) -> Story:
    lea = "lea@cyberdyne.example.com"
    return Story(
        "lea",
        "A touch longer ago than the look-back of 365 days earns nothing: outside_lookback.",
        (visit("v-lea", at(-400, "10:00"), "/", GOOGLE), form("v-lea", at(-400, "10:05"), "/whitepaper", "Whitepaper", lea)),
        (message("deal.won", at(14, "10:00"), id="cyberdyne", name="Cyberdyne", amount="800.00", currency="USD", contacts=[lea]),),
    )


def _max(at: Clock) -> Story:
    max_ = "max@oscorp.example.com"
    return Story(
        "max",
        "A refund is an entry of its own, dated when it happened, and takes from whoever got the credit.",
        (
            visit("v-max", at(6, "21:00"), "/", "https://www.youtube.com/"),
            form("v-max", at(6, "21:10"), "/demo", "Request a demo", max_),
        ),
        (
            message("deal.won", at(15, "10:00"), id="oscorp", name="Oscorp", amount="1000.00", currency="USD", contacts=[max_]),
            message("deal.adjusted", at(25, "10:00"), id="oscorp", amount="-250.00"),
        ),
    )


def _nora(at: Clock) -> Story:
    nora = "nora@wayne.example.com"
    return Story(
        "nora",
        "Lost, reopened and won: one conversion, at the win. Her only touch is a direct one, which last_non_direct falls back to.",
        (visit("v-nora", at(8, "8:00"), "/"), form("v-nora", at(8, "8:15"), "/contact", "Contact sales", nora)),
        (
            message("deal.created", at(9, "9:00"), id="wayne", name="Wayne", amount="1500.00", currency="USD", contacts=[nora]),
            message("deal.lost", at(10, "9:00"), id="wayne", lost_reason="No budget"),
            message("deal.reopened", at(12, "9:00"), id="wayne"),
            message("deal.won", at(16, "9:00"), id="wayne"),
        ),
    )


def _oli(at: Clock) -> Story:
    oli = "oli@massive.example.com"
    webinar = {
        "id": "webinar-oli", "type": "touch", "occurred_at": at(4, "17:00").isoformat(), "email": oli,
        "channel": "Webinars", "source": "webinar", "campaign": "closing-the-loop",
    }  # fmt: skip
    won = message("deal.won", at(17, "10:00"), id="massive", name="Massive", amount="2500.00", currency="USD", contacts=[oli])
    return Story("oli", "An offline touch needs no visitor: it stands under the e-mail of who was there.", (webinar,), (won,))


def _rosa(at: Clock) -> Story:
    rosa = "rosa@aperture.example.com"
    return Story(
        "rosa",
        "A lost deal is an opportunity and never a customer.",
        (
            visit("v-rosa", at(4, "15:00"), "/compare", "https://www.capterra.com/"),
            form("v-rosa", at(4, "15:20"), "/demo", "Request a demo", rosa),
        ),
        (
            message("deal.created", at(6, "9:00"), id="aperture", name="Aperture", amount="4000.00", currency="USD", contacts=[rosa]),
            message("deal.lost", at(20, "9:00"), id="aperture", lost_reason="Chose a competitor"),
        ),
    )


def _tess(at: Clock) -> Story:
    return Story(
        "tess",
        "A lead of the last night whom nobody has contacted yet: uncontacted, until a day is over.",
        (
            visit("v-tess", at(29, "23:30"), "/pricing?utm_source=google&utm_medium=cpc&utm_campaign=crm-software&gclid=Cj0tess", GOOGLE),
            event("engagement", "v-tess", at(29, "23:34"), "/pricing", engaged_ms=210_000),
            form("v-tess", at(29, "23:40"), "/demo", "Request a demo", "tess@dunder.example.com"),
        ),
    )


def _uma(at: Clock) -> Story:
    uma = {"id": "uma", "email": "uma@gringotts.example.com", "name": "Uma Patil"}
    deal = {"id": "gringotts", "name": "Gringotts", "amount": "18000.00", "currency": "USD", "stage": "qualified", "owner": "sam"}
    mail = {"id": "mail-uma", "kind": "email", "direction": "outbound", "automated": True, "contact": "uma", "deal": "gringotts"}
    return Story(
        "uma",
        "A mail that went to many is no contact: her deal is missed.",
        (
            visit("v-uma", at(25, "10:00"), "/blog/attribution?utm_source=newsletter&utm_medium=email&utm_campaign=monthly"),
            form("v-uma", at(25, "10:20"), "/contact", "Contact sales", uma["email"]),
        ),
        (message("deal.created", at(26, "9:00"), **deal, contacts=[uma]), message("activity.logged", at(26, "9:30"), **mail)),
    )


def _vic_and_wes(at: Clock) -> Story:
    people = ["vic@monarch.example.com", "wes@monarch.example.com"]
    deal = {"id": "monarch", "name": "Monarch", "amount": "6000.00", "currency": "USD", "stage": "qualified", "owner": "kim"}
    call = {"id": "call-wes", "kind": "call", "direction": "outbound", "contact": people[1]}
    return Story(
        "vic and wes",
        "One deal with two contacts of whom one was called: it is open.",
        messages=(message("deal.created", at(24, "9:00"), **deal, contacts=people), message("activity.logged", at(24, "15:00"), **call)),
    )


def _yara(at: Clock) -> Story:
    yara = "yara@nakatomi.example.com"
    deal = {"id": "nakatomi", "name": "Nakatomi", "amount": "3500.00", "currency": "USD", "stage": "qualified", "owner": "sam"}
    call = {"id": "call-yara", "kind": "call", "direction": "outbound", "contact": yara, "deal": "nakatomi"}
    return Story(
        "yara",
        "Called two days after the promise: her deal is open, and late.",
        messages=(
            message("deal.created", at(20, "9:00"), **deal, contacts=[yara]),
            message("activity.logged", at(23, "9:00"), **call),
        ),
    )


def _zed(at: Clock) -> Story:
    zed = {"id": "zed", "email": "zed@planetexpress.example.com"}
    return Story(
        "zed",
        "A student who asked for a job: disqualified, and outside every rate.",
        (visit("v-zed", at(22, "11:00"), "/", GOOGLE), form("v-zed", at(22, "11:10"), "/contact", "Contact sales", zed["email"])),
        (message("contact.disqualified", at(22, "14:00"), **zed, reason="Applicant"),),
    )
