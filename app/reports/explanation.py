"""Why one conversion's credit lies where it does: down to the touch, the rule, the arithmetic, and what tied a browser to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.attribution.arithmetic import arithmetic_of_touches
from app.attribution.ledger import ledger_by_reason
from app.attribution.models import DATA_DRIVEN
from app.attribution.question import Question
from app.collect.origins import Origin
from app.errors import NotFound
from app.identity.concerned_deals import BY_DOMAIN
from app.money import as_decimal_text
from app.reports import arithmetic
from app.reports import conversion_queries as queries
from app.reports import explanation_queries as behind
from app.reports.arithmetic import Credited
from app.reports.conversions import described, key_of, people_by_conversion
from app.reports.evidence import ties_of_conversion
from app.reports.explanation_words import in_words
from app.reports.figures import as_number, as_rfc3339
from app.reports.heading import about_model
from app.reports.parameters import MODEL_NAMES, MONEY_OF_KIND, Filters, ModelName, check_model
from app.reports.tracked import reported
from app.sites.site import Site
from app.touches import rules_in_words

_LABELS = (*queries.LABELS, "landing_page")


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
    money = MONEY_OF_KIND.get(row["kind"])
    credited = await _credited(connection, question, filters.model, money)
    uncredited = await _uncredited(connection, question)
    shown = [_touch(touch, site) | _credit(credited[id_], money, site) for touch in touches if (id_ := _id(touch)) in credited]
    ties = await ties_of_conversion(connection, question, parameters)
    by_rule = await _left_out_by_rule(connection, question, parameters)
    rules = [touch["reason"] for touch in by_rule]
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
        "left_out": [_touch(touch, site) | {"reason": _why_left_out(touch)} for touch in touches if _id(touch) not in credited],
        "left_out_by_rule": by_rule,
        **await _journey(connection, question, parameters),
        "uncredited": uncredited,
        "ledger": await _ledger(connection, question, parameters, row, site),
        "arithmetic_in_words": arithmetic.IN_WORDS,
        "identity": ties,
        "companies": await _companies(connection, question, parameters),
        "in_words": in_words(row, filters.model, asked.lookback(site), shown, uncredited, ties, rules),
    }


async def _credited(connection: AsyncConnection, question: Question, model: str, money: str | None) -> dict[tuple[str, str], Credited]:
    """What each touch in reach got, by (visitor ID, event ID): of a data-driven model nothing, but the milestones that it holds."""
    by_rule = "linear" if model in DATA_DRIVEN else model
    rows = (await connection.execute(arithmetic_of_touches(question, by_rule), question.parameters)).mappings().all()
    credited = arithmetic.by_touch(rows, money)
    return {id_: Credited(milestones=touch.milestones) for id_, touch in credited.items()} if model in DATA_DRIVEN else credited


async def _uncredited(connection: AsyncConnection, question: Question) -> str | None:
    """Why no touch earned the conversion; null where touches did."""
    rows = await connection.execute(ledger_by_reason(question), question.parameters)
    return next((row.reason for row in rows), None)


def _id(touch: RowMapping) -> tuple[str, str]:
    return (touch["visitor_id"], touch["event_id"])


def _touch(touch: RowMapping, site: Site) -> dict[str, Any]:
    origin = Origin(*(touch[f"origin_{name}"] or "" for name in Origin._fields))
    rule = touch["rule"]
    return {
        "touch_id": ids.public(*_id(touch)),
        "occurred_at": as_rfc3339(touch["occurred_at"]),
        **{name: touch[name] for name in _LABELS},
        "rule": rule,
        "rule_in_words": rule and rules_in_words.in_words(touch["channel"], rule, origin, site.settings),
        "origin": rules_in_words.as_sent(origin),
        "type": touch["type"],
        "visitor_id": touch["visitor_id"],
        "event_id": touch["event_id"],
        "person_id": touch["person_id"] and ids.public(touch["person_id"]),
        **reported(touch),
    }


def _credit(credited: Credited, money: str | None, site: Site) -> dict[str, Any]:
    figures = credited.figures.as_dict(money, site.settings.currency)
    return {"milestones": credited.milestones, **figures, "arithmetic": credited.steps}


def _why_left_out(touch: RowMapping) -> str:
    if not touch["is_recent"]:
        return "outside_lookback"
    return "direct_excluded" if touch["is_in_time"] else "after_milestone"


def _times(row: RowMapping) -> dict[str, str | None]:
    return {name: row[name] and as_rfc3339(row[name]) for name in ("lead_at", "opportunity_at")}


async def _journey(connection: AsyncConnection, question: Question, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The first touch, also where it lies further back than any look-back, and how many were beyond the cap."""
    row = (await connection.execute(behind.journey_of_conversion(question), parameters)).one_or_none()
    first = row and row.first_touched_at
    return {"left_out_by_cap": row.touches_left_out if row else 0, "first_touched_at": first and as_rfc3339(first)}


async def _left_out_by_rule(connection: AsyncConnection, question: Question, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What would have been a touch of its people, but for a rule of the site, which is its reason."""
    rows = (await connection.execute(behind.touches_left_out_by_rule(question), parameters)).mappings()
    return [
        {
            "touch_id": ids.public(*_id(row)),
            "occurred_at": as_rfc3339(row["occurred_at"]),
            **{name: row[name] for name in ("reason", "landing_page", "referrer", "visitor_id", "event_id")},
            "person_id": ids.public(row["person_id"]),
        }
        for row in rows
    ]


async def _ledger(
    connection: AsyncConnection, question: Question, parameters: Mapping[str, Any], row: RowMapping, site: Site
) -> list[dict[str, Any]]:
    """What the touches share: the conversion itself, and each later change of its money (a refund), in the deal's own currency."""
    currency = row["currency"] or site.settings.currency
    entries = await connection.execute(behind.ledger_of_conversion(question), parameters)
    return [
        {
            "entry": entry.entry,
            "occurred_at": as_rfc3339(entry.occurred_at),
            "counted_at": as_rfc3339(entry.counted_at),
            "conversions": as_number(entry.counts * 1_000_000),
            **_money(entry, currency, site, has_money=question.has_money),
        }
        for entry in entries
    ]


def _money(entry: Any, currency: str, site: Site, *, has_money: bool) -> dict[str, Any]:
    if not has_money:
        return {}
    nets = {"before": as_decimal_text(entry.before_minor, currency), "after": as_decimal_text(entry.after_minor, currency)}
    return {**nets, "currency": currency, "is_converted": currency == site.settings.currency}


async def _companies(connection: AsyncConnection, question: Question, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The companies whose people share the journey; of a crowded one, nobody does."""
    rows = await connection.execute(behind.companies_of_conversion(question), parameters)
    return [
        {"domain" if row.company_space == BY_DOMAIN else "company_id": row.company, "is_crowded": row.is_crowded} for row in rows
    ]
