"""The score of one person at a moment: what it is made of, and when it rose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import CTE, BigInteger, Row, bindparam, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids, tables
from app.journeys.scores import reasons_of_scores, rises_of_scores, scores_of_people
from app.reports.as_of import AsOf, moment_of
from app.reports.figures import as_number, as_rfc3339
from app.reports.people import resolve
from app.sites.site import Site
from app.tables import from_micros, of_site, to_micros

_MOST_REASONS = 1_000
_DAY = 86_400_000_000


class ScoreFilters(BaseModel):
    """`GET /v1/people/{id}/score`."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="The site, where the key serves several.")
    at: AsOf | None = Field(None, description="A day, which means its end, or a moment; absent: now.")


async def score(connection: AsyncConnection, site: Site, member_id: str, filters: ScoreFilters, now: datetime) -> dict[str, Any]:
    """The score of the person whom an ID now belongs to. NotFound if there is none.

    `reasons` are the newest 1,000 that count; `history` has each moment at which the score rose, also those after `at`.
    """
    person_id = await resolve(connection, site, member_id)
    at = to_micros(now) if filters.at is None else moment_of(filters.at, site.settings.timezone)
    here = {"site_id": site.site_id, "person_id": person_id, "at": at}
    people = select(bindparam("person_id", type_=tables.Key).label("person_id")).cte("people")
    moment = bindparam("at", type_=BigInteger)
    thousandths = (await connection.execute(scores_of_people(people, moment), here)).one_or_none()
    reasons = await connection.execute(reasons_of_scores(people, moment).limit(_MOST_REASONS), here)
    return {
        "person_id": ids.public(person_id),
        "at": as_rfc3339(from_micros(at)),
        "score": points(thousandths.score if thousandths else 0),
        "threshold": site.settings.scoring.threshold,
        "reasons": [_reason(row, at) for row in reasons],
        "history": _history(await connection.execute(rises_of_scores(people), here)),
    }


async def scores_of(connection: AsyncConnection, site: Site, people: Sequence[str], now: datetime) -> dict[str, int]:
    """By person: the score at a moment, in thousandths of a point, of those of the people who have one."""
    if not people:
        return {}
    here = {"site_id": site.site_id, "people": people, "at": to_micros(now)}
    rows = await connection.execute(scores_of_people(_people_named(), bindparam("at", type_=BigInteger)), here)
    return {row.person_id: row.score for row in rows}


def _people_named() -> CTE:
    """A row for each of the people `:people` who has a key or a visitor. Index: `ix_key_people__person`, `ix_visitor_spans__person`."""
    found = (
        select(table.c.person_id).where(of_site(table), table.c.person_id.in_(bindparam("people", expanding=True)))
        for table in (tables.key_people, tables.visitor_spans)
    )
    return union(*found).cte("people")


def points(thousandths: int) -> int | float:
    """Thousandths of a point as a JSON number of at most three places."""
    return as_number(thousandths * 1_000)


def _reason(row: Row[Any], at: int) -> dict[str, Any]:
    event = None if row.event_id is None else {"visitor_id": row.visitor_id, "event_id": row.event_id}
    return {
        "rule": row.rule,
        "points": row.points,
        "occurred_at": as_rfc3339(from_micros(row.occurred_at)),
        "left": points(row.left),
        "days": (at - row.occurred_at) // _DAY,
        "half_life_days": row.half_life,
        "event": event,
    }


def _history(rises: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    return [{"at": as_rfc3339(from_micros(row.at)), "score": points(row.score), "before": points(row.before)} for row in rises]
