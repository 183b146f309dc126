"""What is recorded of what people do, and what each loss takes away."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from app.truth.markets import MARKETS, Losses
from app.truth.people import people
from app.truth.recording import Event, recorded

SEED = 5
CLEAN = MARKETS["clean"]


def events(name: str = "clean", count: int = 200, **losses: object) -> list[Event]:
    market = replace(MARKETS[name], losses=Losses(**losses)) if losses else MARKETS[name]
    return [event for person in people(market, count, SEED) for event in recorded(person, market, SEED)]


def visitors(found: list[Event]) -> set[str]:
    return {event["visitor_id"] for event in found if event["type"] == "visit"}


def kinds(found: list[Event]) -> Counter[str]:
    return Counter(event["type"] for event in found)


def test_the_same_seed_makes_the_same_events_each_with_a_name_of_its_own() -> None:
    for name in MARKETS:
        found = events(name)
        assert found == events(name)
        named = [(event.get("visitor_id"), event["id"]) for event in found]
        assert len(set(named)) == len(named)


def test_everything_is_recorded_where_nothing_is_lost() -> None:
    found, crowd = events(), people(CLEAN, 200, SEED)
    assert kinds(found)["visit"] == sum(len(person.chances) for person in crowd)
    assert kinds(found)["deal_closed"] == sum(person.decides_on() is not None for person in crowd)
    assert len(visitors(found)) == sum(bool(person.chances) for person in crowd)


def test_who_has_never_been_here_leaves_no_form() -> None:
    found = events()
    assert 0 < kinds(found)["form_submit"] < kinds(found)["deal_closed"]
    for form in (event for event in found if event["type"] == "form_submit"):
        assert any(event["occurred_at"] < form["occurred_at"] for event in found if event.get("visitor_id") == form["visitor_id"])


def test_a_forgotten_cookie_makes_a_new_visitor_and_nothing_else() -> None:
    clean, forgetful = events(), events(short_cookies=1.0)
    assert len(visitors(forgetful)) > len(visitors(clean)) + 50
    assert [event["occurred_at"] for event in clean] == [event["occurred_at"] for event in forgetful]


def test_a_shared_browser_is_one_visitor() -> None:
    assert len(visitors(events(shared_devices=1.0))) <= 100 < len(visitors(events()))


def test_an_ad_that_is_not_clicked_is_an_address_typed_in() -> None:
    ads = ("utm_medium=paid-social", "utm_medium=display")
    typed, clean = events(typed=1.0), events()
    assert not [event for event in typed if any(ad in event.get("url", "") for ad in ads)]
    assert kinds(typed)["visit"] == kinds(clean)["visit"]


def test_a_talk_that_nobody_wrote_down_is_not_there() -> None:
    talks = kinds(events("offline", unscanned=0.0))["touch"]
    assert 0 == kinds(events("offline", unscanned=1.0))["touch"] < kinds(events("offline", unscanned=0.5))["touch"] < talks
