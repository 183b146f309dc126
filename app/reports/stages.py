"""The stages that a person or a deal went through, what moved it, and how many went through each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.errors import NotFound
from app.reports import stage_queries as queries
from app.reports.figures import as_csv, as_rfc3339
from app.reports.freshness import freshness
from app.reports.parameters import FunnelFilters, is_text
from app.reports.people import resolve
from app.reports.person_path_queries import sales_of_person
from app.reports.quantiles import quantiles, quantiles_by
from app.sales.stage_queries import STAGES
from app.sites.site import Site

_DAY = 86_400_000_000
_WITH_REASONS = ("lost", "recycled", "mql_rejected", "disqualified")
_ORDER = (*STAGES, *_WITH_REASONS)
_COLUMNS = ("stage", "entered", "implied", "median_days")
Answer = dict[str, Any]


# ---------------------------------------------------------------- of one


async def stages_of_person(connection: AsyncConnection, site: Site, member_id: str) -> Answer:
    """The stages of the person whom an ID now belongs to, in order. NotFound if there is none."""
    person_id = await resolve(connection, site, member_id)
    here = {"site_id": site.site_id, "person_id": person_id}
    stages = [_of_person(row) for row in (await connection.execute(queries.stages_of_person(), here)).mappings()]
    if not stages:
        stages = [_visited(row) for row in (await connection.execute(queries.first_visit_of_person(), here)).mappings()]
    sales = {row.property: row.value for row in await connection.execute(sales_of_person(), here)}
    return {
        "person_id": ids.public(person_id),
        "stage": stages[-1]["stage"] if stages else None,
        "owner": sales.get(":owner"),
        "account_manager": sales.get(":account_manager"),
        "stages": stages,
    }


async def stages_of_deal(connection: AsyncConnection, site: Site, space: str, deal_id: str) -> Answer:
    """The stages of a deal, in order. NotFound if there is none of that ID."""
    here = {"site_id": site.site_id, "space": space, "deal_id": deal_id}
    found = (await connection.execute(queries.deal_of_key(), here)).mappings().one_or_none() if is_text(space, deal_id) else None
    if found is None:
        raise NotFound("There is no deal of that ID in that space: `generic`, or the ID of its connection.")
    rows = (await connection.execute(queries.stages_of_deal(), here)).mappings()
    names = ("space", "deal_id", "name", "outcome", "stage", "owner", "account_manager", "lost_reason", "ignored_because")
    return {**{name: found[name] for name in names}, "stages": [_moved(row) for row in rows]}


def _moved(row: RowMapping) -> Answer:
    return {
        "stage": row["stage"],
        "entered_at": as_rfc3339(row["entered_at"]),
        "is_implied": bool(row["is_implied"]),
        "moved_by": row["moved_by"] or None,
        "fact": _fact(row["visitor_id"], row["fact_id"]),
    }


def _of_person(row: RowMapping) -> Answer:
    has_deal = bool(row["moving_deal_id"])
    named = {"space": row["moving_space"], "deal_id": row["moving_deal_id"], "name": row["deal_name"]}
    deal = {**named, "owner": row["owner"], "account_manager": row["account_manager"]} if has_deal else None
    detail = row["lost_reason"] if row["stage"] == "lost" and has_deal else row["detail"]
    return _moved(row) | {"detail": detail, "deal": deal}


def _visited(row: RowMapping) -> Answer:
    """The only stage of an unidentified visitor of whom nothing else is known."""
    seen = {"entered_at": as_rfc3339(row["first_touched_at"]), "fact": _fact(row["visitor_id"], row["first_touch_event_id"])}
    return {"stage": "visitor", **seen, "is_implied": False, "moved_by": "visit", "detail": None, "deal": None}


def _fact(visitor_id: str, fact_id: str) -> dict[str, str] | None:
    """The fact that moved it: an event, or one of a CRM; null where a later stage implies it."""
    if not fact_id:
        return None
    return {"visitor_id": visitor_id, "event_id": fact_id} if visitor_id else {"fact_id": fact_id}


# ---------------------------------------------------------------- counted


async def report(connection: AsyncConnection, site: Site, filters: FunnelFilters, now: datetime) -> Answer:
    """How many entered each stage in the interval. Unprocessable if it is empty."""
    bounds = dict(zip(("starts_at", "ends_at"), filters.bounds(site.settings.timezone), strict=True))
    parameters = {"site_id": site.site_id} | {name: value for name, value in bounds.items() if value is not None}
    names, grouped = filters.grouping(site)
    asked: dict[str, Any] = {f"has_{bound}": f"{bound}s_at" in parameters for bound in ("start", "end")}
    asked["conditions"] = filters.conditions(site)
    totals = await _rows(connection, parameters, (), asked)
    entered = queries.entries(names, grouped=grouped, **asked)
    reasons = (await connection.execute(queries.entries_by_reason(entered, names, _WITH_REASONS), parameters)).mappings()
    return {
        "by": filters.by,
        **filters.sliced_by,
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "settings_version": site.settings_version,
        "rows": await _rows(connection, parameters, names, {**asked, "grouped": grouped}),
        "totals": totals,
        "reasons": _in_order(({**row, "reason": row["reason"] or None} for row in reasons), names),
        **(await freshness(connection, site, now)).as_dict(),
    }


async def _rows(connection: AsyncConnection, parameters: dict[str, Any], by: Sequence[str], asked: dict[str, Any]) -> list[Answer]:
    entered, keys = queries.entries(by, **asked), (*by, "stage")
    medians = {}
    for found in await connection.execute(quantiles_by(queries.durations(entered), keys, "duration"), parameters):
        of_stage = quantiles(found)
        medians[tuple(found[: len(keys)])] = None if of_stage is None else round(of_stage.median / _DAY, 2)
    counts = (await connection.execute(queries.entries_by_stage(entered, by), parameters)).mappings()
    return _in_order(({**row, "median_days": medians.get(tuple(row[name] for name in keys))} for row in counts), by)


def _in_order(rows: Iterable[Answer], by: Sequence[str]) -> list[Answer]:
    """By the dimensions, then from stage to stage, the most first."""
    return sorted(rows, key=lambda row: (*(row[name] for name in by), _ORDER.index(row["stage"]), -row["entered"], row.get("reason") or ""))


def as_table(answer: Answer) -> str:
    """The rows as CSV."""
    names = (*answer["by"].split(","), *_COLUMNS)
    return as_csv(names, ([row[name] for name in names] for row in answer["rows"]))
