"""What people do, with all channels and without any one of them: the truth that models are measured against.

A person buys as soon as what has moved it reaches its own resistance, which is drawn once, from an exponential
distribution: so a hazard of h makes it buy with the probability 1 − e^(−h). Demand of its own moves it steadily over the
season, each arrival by the push of its channel, a repeated one by less. A channel's *incremental* customers are those
who would not have bought had it not been there; all that is drawn stays as it was (common random numbers), so the
difference is the channel's alone and holds no luck. That is what a perfect holdout test of everybody would find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from random import Random

from app.truth.markets import SEASON_DAYS, Channel, Market

FATIGUE = 0.7
"""What is left of a channel's push at each further arrival through it."""
_PRIMED = 2.0
_MOST_ARRIVALS = 20

Without = frozenset[str]
"""Names of the channels that are taken away."""
_NOTHING: Without = frozenset()


@dataclass(frozen=True)
class Arrival:
    """A moment at which a channel would bring a person here."""

    day: float
    channel: Channel


@dataclass(frozen=True)
class Person:
    """One person: all that chance decides about it, whatever channels there are."""

    number: int
    demand: float
    """Hazard, over the season, of buying without any marketing."""
    resistance: float
    chances: tuple[Arrival, ...]
    """In order of time; retargeting among them even where nothing came before it."""

    def arrivals(self, without: Without = _NOTHING) -> Iterator[Arrival]:
        """The arrivals that come about: none through channels that are not there, retargeting only after another one."""
        was_here = False
        for arrival in self.chances:
            if arrival.channel.name in without or (arrival.channel.is_retargeting and not was_here):
                continue
            was_here = True
            yield arrival

    def decides_on(self, without: Without = _NOTHING) -> float | None:
        """The day on which it decides to buy; None if it does not."""
        pushed = 0.0
        for day, push in _pushes(self.arrivals(without)):
            if self._demand_suffices_on(pushed) <= day:
                break
            pushed += push
            if self._demand_suffices_on(pushed) <= day:
                return day
        day = self._demand_suffices_on(pushed)
        return day if day < SEASON_DAYS else None

    def _demand_suffices_on(self, pushed: float) -> float:
        """The day on which its own demand and what has pushed it add up to its resistance."""
        lacking = self.resistance - pushed
        if lacking <= 0:
            return 0.0
        return SEASON_DAYS * lacking / self.demand if self.demand else inf


def _pushes(arrivals: Iterable[Arrival]) -> Iterator[tuple[float, float]]:
    """Day and push of each arrival, in order."""
    seen: Counter[str] = Counter()
    primed = set()
    for arrival in arrivals:
        channel = arrival.channel
        yield arrival.day, channel.push * FATIGUE ** seen[channel.name] * (_PRIMED if channel.name in primed else 1.0)
        seen[channel.name] += 1
        primed.add(channel.primes)


# ---------------------------------------------------------------- chance


def chance(seed: int, number: int, what: str) -> Random:
    """Chance for one thing about one person, the same whatever else is drawn and however many people there are."""
    return Random(f"{seed}/{number}/{what}")  # noqa: S311 - a simulation, no secret


def people(market: Market, count: int, seed: int) -> list[Person]:
    """The first `count` people of a market."""
    return [_person(market, number, seed) for number in range(count)]


def _person(market: Market, number: int, seed: int) -> Person:
    relative = chance(seed, number, "demand").gammavariate(1 / market.unevenness, market.unevenness) if market.unevenness else 1.0
    arrivals = [arrival for channel in market.channels for arrival in _chances(channel, relative, chance(seed, number, channel.name))]
    return Person(
        number,
        market.demand * relative,
        chance(seed, number, "resistance").expovariate(1.0),
        tuple(sorted(arrivals, key=lambda arrival: arrival.day)),
    )


def _chances(channel: Channel, relative_demand: float, random: Random) -> list[Arrival]:
    if random.random() >= channel.reach * (relative_demand if channel.follows_demand else 1.0):
        return []
    count = 1
    while count < _MOST_ARRIVALS and random.random() > 1 / channel.frequency:
        count += 1
    return [Arrival(SEASON_DAYS * random.random() ** channel.timing, channel) for _ in range(count)]


# ---------------------------------------------------------------- the truth


@dataclass(frozen=True)
class Truth:
    """What really caused the customers of a market."""

    customers: int
    anyway: int
    """Those who would have bought without any marketing."""
    incremental: dict[str, int]
    """By channel: those who would not have bought without it. People for whom either of two channels would have been
    enough are in neither's, and people who needed two are in both: so it need not add up to customers − anyway."""


def truth(market: Market, crowd: Iterable[Person]) -> Truth:
    """The truth about these people, by taking each channel away from all of them."""
    everything = frozenset(market.names)
    customers = [person for person in crowd if person.decides_on() is not None]
    # Whoever does not buy with every channel does not buy with fewer: no arrival moves anybody away.
    lost = {name: sum(person.decides_on(frozenset({name})) is None for person in customers) for name in market.names}
    return Truth(len(customers), sum(person.decides_on(everything) is not None for person in customers), lost)
