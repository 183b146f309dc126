"""Markets whose truth is known: what reaches their people, what it does to them, and what of it never reaches us.

After `equal` and `clean`, each market is `clean` with one thing changed, so that the difference between the two is what
that thing does to a model; `realistic` has them all. The numbers are made up, within what such businesses see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SEASON_DAYS = 120.0
"""For how long people are reached, and may decide to buy."""


@dataclass(frozen=True)
class Channel:
    """Something that brings people to the site (or to a booth), and what an arrival through it does to them."""

    name: str
    """As the shipped rules label it."""
    reach: float
    """Share of the people whom it reaches at all."""
    frequency: float
    """Mean number of arrivals of those whom it reaches."""
    push: float
    """Hazard of buying that the first arrival adds; 0: it does nothing."""
    timing: float = 1.0
    """1: at any time in the season; above: rather early; below: rather late."""
    is_retargeting: bool = False
    """Shown only to people who have been here through something else."""
    follows_demand: bool = False
    """It finds people in proportion to what they would do anyway."""
    primes: str = ""
    """A channel whose later arrivals push twice as much."""


@dataclass(frozen=True)
class Losses:
    """What happens between what people do and what is recorded of it."""

    short_cookies: float = 0.0
    """Share of people whose browser forgets its cookie seven days after a visit."""
    shared_devices: float = 0.0
    """Share of pairs of people who use one browser."""
    typed: float = 0.0
    """Share of the arrivals through an ad after which the address was typed in and nothing clicked."""
    unscanned: float = 0.0
    """Share of the visits to a booth that nobody wrote down."""
    deal_days: tuple[float, float] = (14.0, 60.0)
    """Shortest and longest time from a deal's opening to its win."""


@dataclass(frozen=True)
class Market:
    """People, what reaches them, and what is recorded."""

    name: str
    models: str
    """What it stands for, in a sentence."""
    channels: tuple[Channel, ...]
    demand: float = 0.05
    """Mean hazard, over the season, of buying without any marketing."""
    unevenness: float = 0.0
    """Variance of the people's demand, relative to its square: 0 if all are alike."""
    returns: tuple[tuple[str, float], ...] = ()
    """How people who have decided come back to say so: a channel and its share. It moves nobody. The rest need no further visit."""
    losses: Losses = Losses()

    @property
    def names(self) -> tuple[str, ...]:
        """Every channel through which somebody may come, the ways back among them."""
        return tuple(dict.fromkeys([*(channel.name for channel in self.channels), *(name for name, _ in self.returns)]))


_EQUAL = (
    Channel("Paid Social", reach=0.40, frequency=2.0, push=0.06),
    Channel("Organic Search", reach=0.30, frequency=1.5, push=0.06),
    Channel("Paid Search", reach=0.25, frequency=1.5, push=0.06),
    Channel("Email", reach=0.20, frequency=3.0, push=0.06),
    Channel("Display", reach=0.30, frequency=2.0, push=0.06),
)
_CLEAN = (
    Channel("Paid Social", reach=0.40, frequency=2.0, push=0.10, timing=2.0),
    Channel("Organic Search", reach=0.30, frequency=1.5, push=0.04),
    Channel("Paid Search", reach=0.25, frequency=1.5, push=0.12),
    Channel("Email", reach=0.20, frequency=3.0, push=0.03, timing=0.5),
    Channel("Display", reach=0.30, frequency=2.0, push=0.0),
)
_EVENTS = Channel("Events", reach=0.08, frequency=1.0, push=0.50)
_RETARGETING = Channel("Display", reach=0.30, frequency=4.0, push=0.0, is_retargeting=True, follows_demand=True)


def _changed(*changes: Channel) -> tuple[Channel, ...]:
    """The channels of `clean`, some of them changed, new ones at the end."""
    return tuple({channel.name: channel for channel in (*_CLEAN, *changes)}.values())


_EQUAL_MARKET = Market(
    "equal", "Every arrival moves people alike, finds them at random, and is recorded: as kind to a model as a market can be.", _EQUAL
)
_CLEAN_MARKET = Market(
    "clean",
    "Channels differ in what they do (Display: nothing) and in when they come; all that people do is recorded.",
    _CLEAN,
)
_ONE_CHANGE = (
    replace(
        _CLEAN_MARKET,
        name="assists",
        models="Display moves nobody by itself, but who has seen it is moved twice as much by a search ad afterwards.",
        channels=_changed(replace(_CLEAN[-1], primes="Paid Search")),
    ),
    replace(
        _CLEAN_MARKET,
        name="lost_cookies",
        models="Six browsers in ten forget who it was seven days after a visit; what was before the form belongs to nobody.",
        losses=Losses(short_cookies=0.6),
    ),
    replace(
        _CLEAN_MARKET,
        name="shared_devices",
        models="Half of the people share a browser with somebody else.",
        losses=Losses(shared_devices=0.5),
    ),
    replace(
        _CLEAN_MARKET,
        name="late_closes",
        models="Deals take eight to sixteen months, so that much of a journey lies before the look-back of 365 days.",
        losses=Losses(deal_days=(240.0, 480.0)),
    ),
    replace(
        _CLEAN_MARKET,
        name="direct_after_ads",
        models="Half of those whom an ad brought did not click it but typed the address in, and so did half of those who had decided.",
        returns=(("Direct", 0.5),),
        losses=Losses(typed=0.5),
    ),
    replace(
        _CLEAN_MARKET,
        name="would_have_bought",
        models="Many would buy anyway; retargeting (Display) follows those, and most of the decided search for the brand and click its ad.",
        channels=_changed(replace(_CLEAN[2], reach=0.0), _RETARGETING),
        demand=0.25,
        unevenness=2.0,
        returns=(("Paid Search", 0.6), ("Direct", 0.2)),
    ),
    replace(
        _CLEAN_MARKET,
        name="offline",
        models="Trade shows move people most, and half of the talks at the booth are never written down.",
        channels=_changed(_EVENTS),
        losses=Losses(unscanned=0.5),
    ),
)
_REALISTIC_MARKET = Market(
    "realistic",
    "All of these at once, each somewhat weaker.",
    _changed(replace(_RETARGETING, push=0.01, primes="Paid Search"), _EVENTS),
    demand=0.10,
    unevenness=2.0,
    returns=(("Paid Search", 0.3), ("Direct", 0.3)),
    losses=Losses(short_cookies=0.4, shared_devices=0.2, typed=0.3, unscanned=0.3, deal_days=(30.0, 300.0)),
)

MARKETS: dict[str, Market] = {market.name: market for market in (_EQUAL_MARKET, _CLEAN_MARKET, *_ONE_CHANGE, _REALISTIC_MARKET)}
"""Every market by its name, in the order in which they are shown."""
