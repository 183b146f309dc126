"""What people do, checked by hand, and what taking a channel away does to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.truth.markets import MARKETS, SEASON_DAYS, Channel, Market
from app.truth.people import FATIGUE, Arrival, Person, people, truth

AD = Channel("Paid Social", reach=1, frequency=1, push=0.5)
MAIL = Channel("Email", reach=1, frequency=1, push=0.3)
BANNER = Channel("Display", reach=1, frequency=1, push=0.1, is_retargeting=True, primes="Email")


def person(*chances: tuple[float, Channel], resistance: float, demand: float = 0.0) -> Person:
    return Person(1, demand, resistance, tuple(Arrival(*chance) for chance in chances))


DECISIONS: list[tuple[str, Person, float | None]] = [
    ("demand alone, half-way", person(resistance=0.5, demand=1.0), SEASON_DAYS / 2),
    ("demand alone, too late", person(resistance=1.0, demand=1.0), None),
    ("no demand, nothing else", person(resistance=0.1), None),
    ("an arrival is enough", person((10, AD), resistance=0.5), 10),
    ("not quite", person((10, AD), resistance=0.51), None),
    ("a second arrival pushes less", person((10, AD), (20, AD), resistance=0.5 + 0.5 * FATIGUE), 20),
    ("and no more than that", person((10, AD), (20, AD), resistance=0.5 + 0.5), None),
    ("demand goes on from what was pushed", person((12, AD), resistance=1.0, demand=1.0), SEASON_DAYS / 2),
    ("demand was enough before the arrival", person((90, AD), resistance=0.5, demand=1.0), SEASON_DAYS / 2),
    ("an arrival, on top of demand until then", person((60, AD), resistance=0.9, demand=1.0), 60),
    ("a primed arrival pushes twice as much", person((5, AD), (6, BANNER), (7, MAIL), resistance=0.5 + 0.1 + 0.6), 7),
    ("not if it came before", person((5, AD), (6, MAIL), (7, BANNER), resistance=0.5 + 0.1 + 0.6), None),
    ("retargeting has nobody who was never here", person((5, BANNER), resistance=0.1), None),
    ("retargeting has whoever was here", person((5, MAIL), (6, BANNER), resistance=0.4), 6),
]


@pytest.mark.parametrize(("what", "who", "day"), DECISIONS, ids=[what for what, *_ in DECISIONS])
def test_a_person_buys_when_it_is_moved_enough(what: str, who: Person, day: float | None) -> None:
    assert who.decides_on() == (None if day is None else pytest.approx(day))


def test_incremental_are_those_who_would_not_have_bought_without() -> None:
    crowd = [
        person(resistance=0.5, demand=1.0),
        person((1, AD), resistance=0.4),
        person((1, AD), (2, MAIL), resistance=0.8),
        person((1, AD), (2, AD), resistance=0.3),
        person((1, AD), (2, MAIL), resistance=0.2),
        person((1, AD), (2, BANNER), resistance=0.6),
        person((1, MAIL), resistance=0.4),
    ]
    found = truth(Market("hand", "", (AD, MAIL, BANNER), returns=(("Direct", 1.0),)), crowd)
    assert (found.customers, found.anyway) == (6, 1)
    # The fifth would have bought after either; the third and the sixth needed two.
    assert found.incremental == {"Paid Social": 4, "Email": 1, "Display": 1, "Direct": 0}


@given(st.integers(0, 10_000), st.sampled_from(sorted(MARKETS)))
def test_taking_channels_away_never_makes_anybody_buy(seed: int, name: str) -> None:
    market = MARKETS[name]
    for who in people(market, 20, seed):
        day = who.decides_on()
        for channel in market.names:
            without = who.decides_on(frozenset({channel}))
            assert without is None or (day is not None and day <= without)


def test_more_people_are_the_same_people_and_more() -> None:
    market = MARKETS["realistic"]
    assert people(market, 20, 1) == people(market, 30, 1)[:20]
    assert people(market, 20, 1) != people(market, 20, 2)


def test_markets_differ_by_what_they_say_and_nothing_else() -> None:
    clean = people(MARKETS["clean"], 50, 1)
    for name in ("lost_cookies", "shared_devices", "late_closes", "direct_after_ads"):
        assert people(MARKETS[name], 50, 1) == clean, name
        assert truth(MARKETS[name], clean).customers == truth(MARKETS["clean"], clean).customers


def test_reach_and_frequency_are_what_they_are_called() -> None:
    crowd = people(MARKETS["clean"], 4_000, 1)
    for channel in MARKETS["clean"].channels:
        counts = [sum(arrival.channel == channel for arrival in who.chances) for who in crowd]
        reached = [count for count in counts if count]
        assert len(reached) / len(crowd) == pytest.approx(channel.reach, abs=0.04)
        assert sum(reached) / len(reached) == pytest.approx(channel.frequency, rel=0.1)
