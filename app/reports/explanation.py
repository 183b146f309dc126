"""Why one conversion's credit lies where it does: down to the touch, the rule and the fact that tied a browser to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.attribution.credit import credit_of_touches
from app.attribution.ledger import ledger_by_reason
from app.attribution.models import DATA_DRIVEN
from app.attribution.question import Question
from app.errors import NotFound
from app.reports import conversion_queries as queries
from app.reports.conversions import described, key_of, people_by_conversion
from app.reports.figures import Figures, as_rfc3339, as_text
from app.reports.heading import about_model
from app.reports.parameters import MODEL_NAMES, MONEY_OF_KIND, Filters, ModelName, check_model
from app.sites.site import Site

_LABELS = (*queries.LABELS, "landing_page")

REASONS_IN_WORDS = {
    "no_contact": "the deal names no contact, so nobody's touches can be credited",
    "before_tracking_began": "it happened before the first visit to the site was recorded",
    "no_touch": "none of its people was ever seen on the site before it",
    "outside_lookback": "every touch lies further back than the look-back",
    "no_milestone": "it has no milestone of the kind up to which touches were asked for",
    "after_milestone": "every touch in the look-back came after the milestone up to which touches were asked for",
    "only_direct": "every touch in the look-back is Direct, which was excluded",
}

_CREDITS_NO_TOUCH = (
    "credits rows of a report, not touches: it is computed from all journeys at once, so no part of one conversion is any touch's."
)


class ExplainFilters(Filters):
    """`GET /v1/conversions/{id}/explain`: the whole ledger of one conversion, so no interval and no kind."""

    model: ModelName = Field("linear", description=f"The model to explain: {MODEL_NAMES}. `markov` and `shapley` credit no touches.")


async def explanation(connection: AsyncConnection, site: Site, public_id: str, filters: ExplainFilters) -> dict[str, Any]:
    """The touches of one conversion with their credit, those left out, and the evidence. NotFound if there is none of that ID."""
    key = key_of(public_id)
    asked = filters.model_copy(update={"conversion": key["kind"], "from_day": None, "to_day": None, "filter": [], "segment": None})
    question = Question(**{**vars(asked.question(site)), "conversion": (key["holder_id"], key["fact_id"])})
    check_model(question, filters.model, *DATA_DRIVEN)
    row = (await connection.execute(queries.conversion_of_key(question), question.parameters)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no conversion of that ID. It may have gone with the fact that made it; see `GET /v1/conversions`.")
    parameters = {**question.parameters, **key}
    touches = (await connection.execute(queries.touches_of_conversion(question), parameters)).mappings().all()
    people = await people_by_conversion(connection, question, [row])
    credit = await _credit(connection, question, filters.model)
    uncredited = await _uncredited(connection, question)
    reached = [touch for touch in touches if touch["is_in_time"] and not (filters.exclude_direct and touch["is_direct"])]
    missed = [touch for touch in touches if touch not in reached]
    shown = [_touch(touch, _milestones(touch, reached, row)) | _earned(touch, credit, row, site) for touch in reached]
    return {
        "conversion": described(row, next(iter(people.values()), []), site) | _times(row),
        "model": filters.model,
        **about_model(site, filters, filters.model),
        "lookback_days": asked.lookback(site),
        "exclude_direct": filters.exclude_direct,
        "touches_until": filters.touches_until,
        "currency": site.settings.currency,
        "settings_version": site.settings_version,
        "touches": shown,
        "left_out": [_touch(touch, []) | {"reason": _why_left_out(touch)} for touch in missed],
        "left_out_by_cap": await connection.scalar(queries.cap_of_conversion(question), parameters) or 0,
        "uncredited": uncredited,
        "identity": await _identity(connection, question, parameters),
        "in_words": _in_words(row, filters.model, asked.lookback(site), shown, uncredited),
    }


async def _credit(connection: AsyncConnection, question: Question, model: str) -> dict[tuple[str, str], Figures]:
    if model in DATA_DRIVEN:
        return {}
    rows = await connection.execute(credit_of_touches(question, model), question.parameters)
    return {(row.touch_visitor_id, row.touch_event_id): Figures(row.millionths, row.minor) for row in rows}


async def _uncredited(connection: AsyncConnection, question: Question) -> str | None:
    """Why no touch earned the conversion; null where touches did."""
    rows = await connection.execute(ledger_by_reason(question), question.parameters)
    return next((row.reason for row in rows), None)


def _touch(touch: RowMapping, milestones: list[str]) -> dict[str, Any]:
    return {
        "touch_id": ids.public(touch["visitor_id"], touch["event_id"]),
        "occurred_at": as_rfc3339(touch["occurred_at"]),
        **{name: touch[name] for name in _LABELS},
        "rule": touch["rule"],
        "type": touch["type"],
        "visitor_id": touch["visitor_id"],
        "event_id": touch["event_id"],
        "person_id": touch["person_id"] and ids.public(touch["person_id"]),
        "milestones": milestones,
    }


def _why_left_out(touch: RowMapping) -> str:
    if not touch["is_recent"]:
        return "outside_lookback"
    return "direct_excluded" if touch["is_in_time"] else "after_milestone"


def _earned(touch: RowMapping, credit: dict[tuple[str, str], Figures], row: RowMapping, site: Site) -> dict[str, object]:
    figures = credit.get((touch["visitor_id"], touch["event_id"]), Figures())
    return figures.as_dict(MONEY_OF_KIND.get(row["kind"]), site.settings.currency)


def _milestones(touch: RowMapping, reached: Sequence[RowMapping], row: RowMapping) -> list[str]:
    """What the touch is: the first and last in reach, and the last at or before the lead and the opportunity."""
    found = ["first"] if touch is reached[0] else []
    for name in ("lead", "opportunity"):
        moment = row[f"{name}_at"]
        before = [each for each in reached if moment is not None and each["occurred_at"] <= moment]
        found += [name] if before and before[-1] is touch else []
    return found + (["last"] if touch is reached[-1] else [])


def _times(row: RowMapping) -> dict[str, str | None]:
    return {name: row[name] and as_rfc3339(row[name]) for name in ("lead_at", "opportunity_at")}


async def _identity(connection: AsyncConnection, question: Question, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    rows = (await connection.execute(queries.evidence_of_conversion(question), parameters)).mappings()
    return [tie(row) for row in rows]


def tie(span: RowMapping) -> dict[str, Any]:
    """Which person a visitor was, from when to when, and the fact that says so, as `POST /v1/people/unlink` takes it."""
    return {
        "visitor_id": span["visitor_id"],
        "person_id": ids.public(span["person_id"]),
        "from": as_rfc3339(span["starts_at"]) if span["starts_at"].year > 1970 else None,
        "to": as_rfc3339(span["ends_at"]) if span["ends_at"].year < 9999 else None,
        "because_of": unlinkable(span),
    }


def unlinkable(fact: RowMapping) -> dict[str, str] | None:
    """The fact as `unlink` takes it; null for a visitor whom nothing has identified."""
    if fact["fact_id"] is None:
        return None
    return {"visitor_id": fact["visitor_id"], "event_id": fact["fact_id"]} if fact["is_event"] else {"fact_id": fact["fact_id"]}


def _in_words(row: RowMapping, model: str, lookback: int, touches: Sequence[dict[str, Any]], uncredited: str | None) -> str:
    """Two plain sentences: what happened, and who gets the credit."""
    what = f"This {row['kind']} conversion happened on {row['occurred_at']:%Y-%m-%d}"
    if uncredited is not None:
        return f"{what}. No touch is credited: {REASONS_IN_WORDS[uncredited]}."
    length = f"{len(touches)} touch{'es' if len(touches) > 1 else ''}"
    shares = [f"{touch['channel']} {_percent(touch['conversions'])}" for touch in touches if touch["conversions"]]
    listed = ", ".join(shares[:5]) + (f" and {len(shares) - 5} more" if len(shares) > 5 else "")
    first, last = touches[0], touches[-1]
    journey = f"from {first['channel']} on {first['occurred_at'][:10]} to {last['channel']} on {last['occurred_at'][:10]}"
    gives = _CREDITS_NO_TOUCH if model in DATA_DRIVEN else f"gives {listed} of it."
    return f"{what}, after {length} within {lookback} days, {journey}. The model {model} {gives}"


def _percent(conversions: float) -> str:
    return f"{as_text(round(conversions * 100 * 1_000_000))} %"
