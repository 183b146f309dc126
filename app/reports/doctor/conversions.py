"""Conversions that cannot be credited, or not rightly, and deals whose dates and amounts cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.attribution.question import MILLION, Question
from app.reports.doctor.affected import (
    Condition,
    closed_before_created,
    everything,
    in_other_currency,
    never_seen,
    touched_too_early,
    with_people,
    without_amount,
    without_people,
    without_touch,
)
from app.reports.doctor.findings import (
    EXAMPLES,
    Affected,
    Change,
    Check,
    Finding,
    NotEnoughData,
    Outcome,
    Reading,
    Severity,
    counted,
    listed,
    percent,
    verb,
)
from app.reports.doctor.queries import details_of_deals, kinds_counted
from app.reports.figures import as_text

_WITHOUT_TOUCH = ("no_contact", "before_tracking_began", "no_touch")
_DEALS = ("customer", "opportunity")
_LONGEST_LOOKBACK = 730
_OFTEN = 0.2
"""A share from which on it is no exception any more."""

_HIDDEN_INPUT = '<input type="hidden" name="closedloop_visitor_id">'
RECIPE = (
    f"Put {_HIDDEN_INPUT} into each form that goes to the CRM: the snippet fills it (`/loop-forms.js` hands the ID to embedded forms). "
    "Keep it in a field of the CRM's contact, which the connection reads as `visitor_id` (its setting `fields`; in HubSpot the property "
    "`closedloop_visitor_id`)."
)
"""How the visitor ID reaches the CRM."""


def _conversions(affected: Affected) -> str:
    number = affected.figures.millionths // MILLION
    return counted(number, "conversion")


def _counted(reading: Reading) -> int:
    """How many conversions there are to judge."""
    return int(reading.totals["conversions"])


_NOTHING = NotEnoughData("No conversions count in this time.")
_NO_DEALS = NotEnoughData("Conversions of this kind have no deals.")


# ---------------------------------------------------------------- what nothing is credited for


async def conversions_without_touch(reading: Reading) -> Outcome:
    """Conversions that no touch led to, with the reasons of the attribution report."""
    if not _counted(reading):
        return _NOTHING
    every = reading.totals["uncredited"]["reasons"]
    reasons = {name: every[name] for name in _WITHOUT_TOUCH if name in every and every[name]["conversions"]}
    affected = await reading.affected(without_touch)
    if not reasons:
        return None
    share = percent(affected.figures.millionths, _counted(reading) * MILLION)
    words = ", ".join(f"{name} {as_text(round(each['conversions'] * MILLION))}" for name, each in reasons.items())
    return Finding(
        "warning",
        f"{_conversions(affected)} of {_counted(reading):,} ({share}) {_have(affected)} no touch at all: {words}.",
        Change(
            "`no_contact`: name the deal's contacts in the CRM. `no_touch`: their visits were not tied to them, so let forms carry the "
            "visitor ID into the CRM, and import offline touches. `before_tracking_began` ends by itself. Where a rule of yours leaves "
            "visits out, the explanation of the conversion names it (`left_out_by_rule`)."
        ),
        affected,
        [{"reason": name, **each} for name, each in reasons.items()],
    )


def _have(affected: Affected) -> str:
    return verb(affected.figures.millionths // MILLION, "has", "have")


async def lookback_too_short(reading: Reading) -> Outcome:
    """Conversions whose touches are all older than the look-back."""
    if not _counted(reading):
        return _NOTHING
    affected = await reading.affected(touched_too_early)
    if not affected.figures:
        return None
    days = reading.question.lookback_seconds // 86_400
    kind = reading.question.kind
    field = kind if kind in (*_DEALS, "lead", "mql", "sql") else "goal"
    longer = min(2 * days, _LONGEST_LOOKBACK)
    return Finding(
        "advice",
        f"All touches of {_conversions(affected)} lie before the look-back of {counted(days, 'day')}.",
        Change(
            "Set a longer look-back for this kind of conversion, if people really take so long to decide.",
            {"lookback_days": {field: longer}} if longer > days else None,
        ),
        affected,
    )


async def people_never_seen(reading: Reading) -> Outcome:
    """Conversions of whose people no browser is known: the visitor ID never reached the CRM."""
    known = await reading.affected(with_people)
    if not known.such_as:
        return NotEnoughData("No conversions of known people count in this time.")
    affected = await reading.affected(never_seen)
    if not affected.figures.millionths:
        return None
    share = affected.figures.millionths / max(known.figures.millionths, 1)
    number, whole = affected.figures.millionths // MILLION, counted(known.figures.millionths // MILLION, "conversion")
    return Finding(
        "warning" if share >= _OFTEN else "advice",
        f"{number:,} of {whole} ({percent(affected.figures.millionths, known.figures.millionths)}) {verb(number, 'is', 'are')} by people "
        "of whom no browser is known: their visitor ID never reached the CRM, nor their e-mail a tracked form.",
        Change(RECIPE),
        affected,
        await _deals(reading, affected),
    )


# ---------------------------------------------------------------- deals


async def won_without_contacts(reading: Reading) -> Outcome:
    """Deals that name nobody."""
    return await _of_deals(
        reading, without_people, "error", ("names", "name"),
        "nobody: no touch can have the credit.",
        Change("Name at least one contact on each deal in the CRM; make it a condition of winning the deal, where the CRM can."),
    )  # fmt: skip


async def deals_without_amount(reading: Reading) -> Outcome:
    """Deals that were worth nothing when they were counted."""
    return await _of_deals(
        reading, without_amount, "warning", ("counts", "count"),
        "with an amount of zero, or with none.",
        Change("Fill in the amount in the CRM. What is corrected there is corrected here, too."),
    )  # fmt: skip


async def closed_before_creation(reading: Reading) -> Outcome:
    """Deals that were closed before they were created."""
    if reading.question.kind != "customer":
        return NotEnoughData("Only `customer` counts by close dates.")
    return await _of_deals(
        reading, closed_before_created, "warning", ("has", "have"),
        "a close date before the day of creation.",
        Change("Correct the close dates in the CRM: intervals count a deal by it."),
    )  # fmt: skip


async def _of_deals(
    reading: Reading, condition: Condition, severity: Severity, verbs: tuple[str, str], words: str, change: Change
) -> Outcome:
    """Deals that meet a condition; `verbs` for one and for several, `words` what follows it."""
    if reading.question.kind not in _DEALS:
        return _NO_DEALS
    if not _counted(reading):
        return _NOTHING
    affected = await reading.affected(condition)
    number, whole = affected.figures.millionths, _counted(reading) * MILLION
    if not number:
        return None
    deals = counted(number // MILLION, "deal")
    seen = f"{deals} of {_counted(reading):,} ({percent(number, whole)}) {verb(number // MILLION, *verbs)} {words}"
    return Finding(severity, seen, change, affected, await _deals(reading, affected))


async def closed_in_future(reading: Reading) -> Outcome:
    """Won deals with a close date after today: they are in no report yet. Asked without regard to the interval."""
    if reading.question.kind not in _DEALS:
        return _NO_DEALS
    question: Question = replace(reading.question, starts_at=reading.tomorrow_at, ends_at=None)
    affected = await reading.affected(everything, question=question)
    if not affected.such_as:
        return None
    return Finding(
        "error",
        f"{counted(affected.figures.millionths // MILLION, 'deal')} won already {_have(affected)} a close date after today, "
        f"{reading.today.isoformat()}: no report up to now counts {verb(affected.figures.millionths // MILLION, 'it', 'them')}.",
        Change("Set the close date in the CRM to the day on which the deal was won."),
        affected,
        await _deals(reading, affected),
    )


async def amounts_unconverted(reading: Reading) -> Outcome:
    """Money in another currency than the site's, for which there is no rate."""
    if reading.money is None:
        return NotEnoughData("Conversions of this kind have no money.")
    if not _counted(reading):
        return _NOTHING
    affected = await reading.affected(in_other_currency)
    if not affected.such_as:
        return None
    currency = reading.site.settings.currency
    amounts: Sequence[Mapping[str, Any]] = reading.totals["uncredited"]["reasons"].get("unconverted", {}).get("amounts", ())
    words = ", ".join(f"{each[reading.money]} {each['currency']}" for each in amounts) or "no net amount"
    return Finding(
        "error",
        f"The money of {_conversions(affected)} is in another currency than the site's {currency}, without a rate, and in no sum: {words}.",
        Change(
            f"Let the CRM send amounts in {currency} (its company currency), or, if most deals are in another one, make that the site's "
            "`currency`."
        ),
        affected,
        list(amounts) or await _deals(reading, affected),
    )


async def goals_never_reached(reading: Reading) -> Outcome:
    """Goals of the site's own that nobody reached: perhaps the page was moved, or the event is called otherwise."""
    goals = [goal.name for goal in reading.site.settings.goals]
    if not goals:
        return NotEnoughData("The site has no goals of its own.")
    reached = {row["kind"] for row in await reading.rows(kinds_counted())}
    if not reached:
        return _NOTHING
    missed = [name for name in goals if name not in reached]
    if not missed:
        return None
    return Finding(
        "warning",
        f"Nobody reached {counted(len(missed), 'goal')} of the site's own: {listed(missed)}.",
        Change("See whether the goal's `event` and `path` are what the pages send; `closedloop sites show` shows them."),
        examples=[{"goal": name} for name in missed[:EXAMPLES]],
    )


async def _deals(reading: Reading, affected: Affected) -> list[dict[str, Any]]:
    """The first few of the deals concerned, as the CRM calls them."""
    if reading.question.kind not in _DEALS or not affected.such_as:
        return []
    keys = [(holder_id, fact_id) for _, holder_id, fact_id in affected.such_as]
    found = {(row["space"], row["deal_id"]): row for row in await reading.rows(details_of_deals(), keys=keys)}
    columns = ("deal_id", "name", "closed_on", "owner", "url")
    return [{name: found[key][name] for name in columns} for key in keys if key in found]


CHECKS: Sequence[Check] = (
    Check("conversions_without_touch", "Conversions that no touch led to", conversions_without_touch),
    Check("won_without_contacts", "Deals that name nobody", won_without_contacts),
    Check("people_never_seen", "Conversions of whose people no browser is known", people_never_seen),
    Check("lookback_too_short", "Conversions whose touches are all older than the look-back", lookback_too_short),
    Check("goals_never_reached", "Goals that nobody reached", goals_never_reached),
    Check("closed_in_future", "Won deals with a close date after today", closed_in_future),
    Check("closed_before_creation", "Won deals that were closed before they were created", closed_before_creation),
    Check("deals_without_amount", "Deals without an amount", deals_without_amount),
    Check("amounts_unconverted", "Money without an exchange rate", amounts_unconverted),
)
