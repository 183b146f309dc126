"""The explanation of one conversion in two plain sentences, for a reader who doubts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from app.attribution.models import DATA_DRIVEN
from app.reports.evidence import listed
from app.reports.figures import as_text

REASONS_IN_WORDS = {
    "no_contact": "the deal names no contact, so nobody's touches can be credited",
    "before_tracking_began": "it happened before the first visit to the site was recorded",
    "no_touch": "none of its people was ever seen on the site before it",
    "outside_lookback": "every touch lies further back than the look-back",
    "no_milestone": "it has no milestone of the kind up to which touches were asked for",
    "after_milestone": "every touch in the look-back came after the milestone up to which touches were asked for",
    "only_direct": "every touch in the look-back is Direct, which was excluded",
}
_SEES_NOBODY = ("before_tracking_began", "no_touch")
"""What a rule brings about as well: it leaves out all that its people did on the site before."""
_CREDITS_NO_TOUCH = (
    "credits rows of a report, not touches: it is computed from all journeys at once, so no part of one conversion is any touch's"
)
_MOST_CHANNELS = 5

Touch = dict[str, Any]
"""A touch as the explanation shows it."""


def in_words(
    row: RowMapping,
    model: str,
    lookback: int,
    touches: Sequence[Touch],
    uncredited: str | None,
    ties: Sequence[dict[str, Any]],
    rules: Sequence[str] = (),
) -> str:
    """What happened, and how we know; and who gets the credit. `rules`: for which touches of its people are left out."""
    what = f"This {row['kind']} conversion happened on {row['occurred_at']:%Y-%m-%d}"
    if uncredited is not None:
        return f"{what}. No touch is credited: {_why_nobody(uncredited, rules)}."
    journey = f"{what}, after {_journey(touches, lookback)}{_known_by(touches, ties)}."
    return f"{journey} The model {model} {_CREDITS_NO_TOUCH if model in DATA_DRIVEN else _shares(touches)}."


def _why_nobody(uncredited: str, rules: Sequence[str]) -> str:
    if rules and uncredited in _SEES_NOBODY:
        return f"what its people did on the site before it is left out by a rule of the site ({listed(list(dict.fromkeys(rules)))})"
    return REASONS_IN_WORDS[uncredited]


def _journey(touches: Sequence[Touch], lookback: int) -> str:
    first, last = touches[0], touches[-1]
    if len(touches) == 1:
        return f"1 touch within {lookback} days, {_place(first)}"
    return f"{len(touches)} touches within {lookback} days, from {_place(first)} to {_place(last)}"


def _place(touch: Touch) -> str:
    return f"{touch['channel']} on {touch['occurred_at'][:10]}"


def _known_by(touches: Sequence[Touch], ties: Sequence[dict[str, Any]]) -> str:
    """The first facts that tie the visitors of the touches to their people."""
    visitors = {touch["visitor_id"] for touch in touches}
    facts = list(dict.fromkeys(tie["in_words"] for tie in ties if tie["evidence"] and tie["visitor_id"] in visitors))
    if not facts:
        return ""
    more = f" and {len(facts) - 1} more" if len(facts) > 1 else ""
    return f", known to be its people's by {facts[0]}{more}"


def _shares(touches: Sequence[Touch]) -> str:
    """`gives Paid Search 60 % (2 touches) and Email 40 % of it`: the channels that got anything, in order of the touches."""
    credited = [touch for touch in touches if touch["conversions"]]
    by_channel: dict[str, list[float]] = {}
    for touch in credited:
        by_channel.setdefault(touch["channel"], []).append(touch["conversions"])
    if len(by_channel) == 1:
        return f"gives all of it to {next(iter(by_channel))}{_number(len(credited))}"
    words = [f"{channel} {_percent(sum(parts))}{_number(len(parts))}" for channel, parts in by_channel.items()]
    beyond = len(words) - _MOST_CHANNELS
    shown = [*words[:_MOST_CHANNELS], *([f"{beyond} more channels" if beyond > 1 else "1 more channel"] if beyond > 0 else [])]
    return f"gives {listed(shown)} of it"


def _number(touches: int) -> str:
    """How many touches share it, where they are several."""
    return f" ({touches} touches)" if touches > 1 else ""


def _percent(conversions: float) -> str:
    return f"{as_text(round(conversions * 100 * 1_000_000))} %"
