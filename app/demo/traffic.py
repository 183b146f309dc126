"""A believable month of B2B traffic around the cast, made by a seeded generator: the same month for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.demo.world import GOOGLE, HOST, Event, Message, Story, event, form, message, visit

DAYS = 30


@dataclass(frozen=True)
class _Way:
    """A way that visitors come by, and how often."""

    weight: int
    query: str = ""
    referrer: str | None = None


_WAYS = (
    _Way(26, referrer=GOOGLE),
    _Way(22),
    _Way(13, "?utm_source=google&utm_medium=cpc&utm_campaign=crm-software&gclid=Cj0{n}", GOOGLE),
    _Way(8, "?utm_source=linkedin&utm_medium=paid-social&utm_campaign=ops-leaders", "https://www.linkedin.com/"),
    _Way(7, "?utm_source=newsletter&utm_medium=email&utm_campaign=monthly"),
    _Way(6, referrer="https://www.g2.com/"),
    _Way(5, referrer="https://www.linkedin.com/"),
    _Way(4, referrer="https://www.bing.com/"),
    _Way(4, referrer="https://chatgpt.com/"),
    _Way(3, "?utm_source=adnet&utm_medium=display&utm_campaign=retarget", "https://news.example/"),
    _Way(2, referrer="https://www.youtube.com/"),
)
_LANDING_PAGES = ("/", "/", "/", "/pricing", "/features", "/blog/attribution", "/blog/first-touch-or-last", "/compare", "/docs")
_FURTHER_PAGES = ("/features", "/pricing", "/customers", "/docs", "/integrations", "/blog/closing-the-loop", "/about")
_FORMS = (("/demo", "Request a demo"), ("/contact", "Contact sales"), ("/whitepaper", "Whitepaper"))
_NAMES = ("alex", "bo", "chris", "dana", "eli", "finn", "gale", "harper", "indra", "jo", "kim", "lou", "mika", "noa", "ola", "pat")
_TREES = (
    "acorn", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper", "kapok", "larch", "maple", "nutmeg",
    "oak", "pine", "quince", "rowan", "spruce", "teak", "umbra", "vine", "willow", "yew", "aspen", "beech", "cypress", "ebony",
)  # fmt: skip
_COMPANIES = tuple(f"{tree}{kind}" for kind in ("works", "labs") for tree in _TREES)


def month(first_day: datetime, last_moment: datetime, *, seed: int = 7, browsers: int = 620) -> list[Story]:
    """Stories of passers-by and of companies that buy, from `first_day` (midnight) to `last_moment` at the latest."""
    generator = random.Random(seed)  # noqa: S311 - believable traffic, no secret
    made = [_passer_by(generator, number, first_day) for number in range(browsers)]
    made += [_company(generator, name, first_day) for name in _COMPANIES]
    return [_until(story, last_moment) for story in made]


def _until(story: Story, last_moment: datetime) -> Story:
    """The story as far as it has happened."""
    events = tuple(each for each in story.events if datetime.fromisoformat(each["occurred_at"]) <= last_moment)
    return Story(story.name, story.rule, events, tuple(each for each in story.messages if each.at <= last_moment))


def _passer_by(generator: random.Random, number: int, first_day: datetime) -> Story:
    """A browser that nobody identifies: one to three sessions."""
    visitor = f"v-{number:04}"
    times = sorted(_office_hours(generator, first_day, 0, DAYS) for _ in range(generator.choice((1, 1, 1, 2, 2, 3))))
    return Story(visitor, "Anonymous traffic.", tuple(each for at in times for each in _session(generator, visitor, at)))


def _office_hours(generator: random.Random, first_day: datetime, earliest: int, latest: int) -> datetime:
    """A moment of some day, mostly within working hours."""
    seconds = int(generator.triangular(6 * 3600, 23 * 3600, 14 * 3600))
    return first_day + timedelta(days=generator.randrange(earliest, latest), seconds=seconds)


def _session(generator: random.Random, visitor: str, at: datetime) -> Iterator[Event]:
    [way] = generator.choices(_WAYS, [each.weight for each in _WAYS])
    page = generator.choice(_LANDING_PAGES)
    yield visit(visitor, at, page + way.query.format(n=generator.randrange(10**6)), way.referrer)
    for _ in range(generator.choice((0, 0, 1, 1, 2, 3))):
        at += timedelta(seconds=generator.randrange(15, 400))
        referrer, page = HOST + page, generator.choice(_FURTHER_PAGES)
        yield event("pageview", visitor, at, page, referrer=referrer)


def _company(generator: random.Random, company: str, first_day: datetime) -> Story:
    """One or two people of a company look around, ask for a demo, and become a deal."""
    people = generator.sample(_NAMES, generator.choice((1, 1, 2)))
    asked_at = first_day + timedelta(days=22)
    events: list[Event] = []
    for person in people:
        inquiry = _office_hours(generator, first_day, 3, 19)
        asked_at = min(asked_at, inquiry)
        events += _research(generator, f"v-{company}-{person}", f"{person}@{company}.example.com", first_day, inquiry)
    emails = [f"{person}@{company}.example.com" for person in people]
    return Story(company, "A company on its way to a deal.", tuple(events), tuple(_crm(generator, company, emails, asked_at)))


def _research(generator: random.Random, visitor: str, email: str, first_day: datetime, inquiry: datetime) -> list[Event]:
    """Sessions before the form, the form, and one or two sessions after it."""
    days = (inquiry - first_day).days
    times = sorted(_office_hours(generator, first_day, 0, days) for _ in range(generator.choice((0, 1, 1, 2, 3))))
    times += [inquiry, *(inquiry + timedelta(days=generator.uniform(0.5, 6)) for _ in range(generator.choice((0, 1, 1, 2))))]
    events = [each for at in times for each in _session(generator, visitor, at)]
    path, name = generator.choice(_FORMS)
    return [*events, form(visitor, inquiry + timedelta(minutes=25), path, name, email)]


def _crm(generator: random.Random, company: str, emails: list[str], asked_at: datetime) -> Iterator[Message]:
    """What sales makes of it: four of five are called, most of those become deals, a good third of them is won."""

    def after(**time: float) -> datetime:
        return asked_at + timedelta(**time)

    if generator.random() < 0.2:
        return
    deal = f"d-{company}"
    yield message("contact.created", after(hours=1), id=f"c-{company}", email=emails[0], company=company.title())
    called = after(hours=generator.uniform(2, 50))
    yield message("activity.logged", called, id=f"call-{company}", kind="call", direction="outbound", contact=emails[0])
    if generator.random() < 0.15:
        return
    worth = f"{generator.randrange(8, 240) * 100 + generator.choice((0, 0, 50, 99)):.2f}"
    opened = after(days=generator.uniform(0.3, 3))
    name = f"{company.title()} licence"
    yield message("deal.created", opened, id=deal, name=name, amount=worth, currency="USD", stage="qualified", contacts=emails)
    yield message("deal.updated", opened + timedelta(days=1), id=deal, stage="proposal", owner="sam")
    fate, closed = generator.random(), opened + timedelta(days=generator.uniform(2, 14))
    if fate < 0.55:
        yield message("deal.won", closed, id=deal)
    elif fate < 0.8:
        yield message("deal.lost", closed, id=deal, lost_reason=generator.choice(("No budget", "Chose a competitor", "No answer")))
    if fate < 0.05:
        yield message("deal.adjusted", closed + timedelta(days=2), id=deal, amount="-150.00")
