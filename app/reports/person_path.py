"""The way of one person as sales wants to see it: every step in one order, what it reads, what it is worth so far, and whose it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, RowMapping, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.collect.properties import RESERVED
from app.journeys.scores import scores_of_people
from app.money import as_decimal_text
from app.reports import person_path_queries as queries
from app.reports.figures import as_number, as_rfc3339
from app.sites.site import Site
from app.tables import to_micros

MOST_STEPS = 1_000
_ORDER = (
    "touch", "page", "form", "event", "deal_opened", "stage", "activity", "deal_won", "deal_lost", "amount_changed", "deal_churned",
)  # fmt: skip
"""Which comes first of what happened at one moment."""

_OUTCOMES = {"won": "won_at", "lost": "lost_at"}

Step = tuple[datetime, dict[str, Any]]


async def path_of(
    connection: AsyncConnection, site: Site, person_id: str, touches: Sequence[RowMapping], deals: Sequence[RowMapping], now: datetime
) -> dict[str, Any]:
    """`path`, `interest`, `value_so_far`, `sales`, `stage`, `score`: a fixed number of statements. `touches` (the newest) and `deals`
    are the person's.

    The path holds the newest 1,000 steps, in order of time; `path_is_cut` says that there are more.
    """
    here = {"site_id": site.site_id, "person_id": person_id, "limit": MOST_STEPS + 1}

    async def rows(statement: Any) -> list[RowMapping]:
        return list((await connection.execute(statement, here)).mappings())

    stages = await rows(queries.stages_of_person())
    outcomes = {(row["space"], row["deal_id"], row[at]) for row in deals for at in _OUTCOMES.values() if row[at] is not None}
    steps = [
        *_steps(touches, "occurred_at", _touch),
        *_steps(await rows(queries.steps_on_pages()), "occurred_at", _page_or_form),
        *_steps(await rows(queries.activities_of_person()), "occurred_at", _activity),
        *_steps((row for row in stages if not _is_told_of_deal(row, outcomes)), "entered_at", _stage),
        *_steps(await rows(queries.changed_amounts()), "occurred_at", _amount),
        *_deals(deals),
    ]
    steps.sort(key=lambda step: (step[0], _ORDER.index(step[1]["what"])))
    said = {row["property"].removeprefix(RESERVED): row["value"] for row in await rows(queries.sales_of_person())}
    return {
        "stage": next((row["stage"] for row in stages if row["person_id"]), None),
        "score": await _score(connection, site, person_id, now),
        "sales": _sales(said, deals),
        "value_so_far": _value(deals),
        "interest": [_section(row) for row in await rows(queries.sections_of_person())],
        "path": [{"occurred_at": as_rfc3339(at), **step} for at, step in steps[-MOST_STEPS:]],
        "path_is_cut": len(steps) > MOST_STEPS,
    }


def _steps(rows: Iterable[RowMapping], at: str, described: Callable[[RowMapping], dict[str, Any]]) -> Iterator[Step]:
    # The newest come first: they are turned, so that what happened at one moment stays in order.
    for row in reversed(list(rows)):
        yield row[at], described(row)


def _touch(row: RowMapping) -> dict[str, Any]:
    names = ("channel", "source", "medium", "campaign", "landing_page", "visitor_id", "event_id")
    return {"what": "touch", **{name: row[name] for name in names}}


def _page_or_form(row: RowMapping) -> dict[str, Any]:
    seen = {"page": f"{row['host']}{row['path']}" or None, "visitor_id": row["visitor_id"], "event_id": row["event_id"]}
    if row["type"] in queries.VIEWS:
        engaged = row["engaged_on_view"]
        return {"what": "page", "title": row["title"], "engaged_seconds": None if engaged is None else round(engaged / 1_000), **seen}
    if row["type"] == "form_submit":
        return {"what": "form", "form": row["form"], **seen}
    return {"what": "event", "type": row["type"], **seen}


def _activity(row: RowMapping) -> dict[str, Any]:
    names = ("kind", "title", "space", "activity_id")
    told = {"by": row["told_by"], "is_automated": bool(row["is_automated"]), "deal_id": row["deal_id"] or None}
    return {"what": "activity", "direction": row["direction"] or None, **{name: row[name] for name in names}, **told}


def _stage(row: RowMapping) -> dict[str, Any]:
    moved = {"moved_by": row["moved_by"], "detail": row["detail"], "is_implied": bool(row["is_implied"])}
    return {"what": "stage", "stage": row["stage"], "space": row["space"] or None, "deal_id": row["deal_id"] or None, **moved}


def _amount(row: RowMapping) -> dict[str, Any]:
    amounts = {name: as_decimal_text(row[f"{name}_minor"], row["currency"]) if row["currency"] else None for name in ("before", "after")}
    return {"what": "amount_changed", "space": row["space"], "deal_id": row["deal_id"], **amounts, "currency": row["currency"]}


def _deals(deals: Iterable[RowMapping]) -> Iterator[Step]:
    """When each deal was opened, and what became of it since; what it had been before is among the stages."""
    for row in deals:
        if not row["is_contact"]:
            continue
        deal = {"space": row["space"], "deal_id": row["deal_id"], "name": row["name"]}
        steps: dict[str, dict[str, Any]] = {"opened": {}, "won": {}, "lost": {"reason": row["lost_reason"]}, "churned": {}}
        for what, more in steps.items():
            if row[f"{what}_at"] is not None:
                yield row[f"{what}_at"], {"what": f"deal_{what}", **deal, **more}


def _is_told_of_deal(row: RowMapping, outcomes: set[tuple[str, str, datetime]]) -> bool:
    """Whether a stage is the win or the loss of a deal that stands: a step of its own tells of it."""
    return row["stage"] in _OUTCOMES and (row["space"], row["deal_id"], row["entered_at"]) in outcomes


# ---------------------------------------------------------------- what it comes to


async def _score(connection: AsyncConnection, site: Site, person_id: str, now: datetime) -> int | float | None:
    """The points at a moment; null where the site has no rules for them. `/v1/people/{id}/score` says what they are made of."""
    if not (site.settings.scoring.rules or site.settings.scoring.fits):
        return None
    person = select(bindparam("person_id", type_=tables.Key).label("person_id")).cte("people")
    here = {"site_id": site.site_id, "person_id": person_id, "at": to_micros(now)}
    row = (await connection.execute(scores_of_people(person, bindparam("at", type_=BigInteger)), here)).one_or_none()
    return as_number((row.score if row else 0) * 1_000)


def _sales(said: dict[str, str], deals: Sequence[RowMapping]) -> dict[str, Any]:
    """Whose the person is, and where the CRM shows it: as the CRM says of the person, else of its newest deal that says so."""
    own = [row for row in reversed(deals) if row["is_contact"]]
    found = {name: said.get(name) or next((row[name] for row in own if row[name]), None) for name in ("owner", "account_manager")}
    may_contact = said.get("may_contact")
    links = [{"deal_id": row["deal_id"], "url": row["url"]} for row in own if row["url"]]
    return {
        **found,
        "may_contact": None if may_contact is None else may_contact == "true",
        "lead_source": said.get("lead_source"),
        "url": said.get("url"),
        "deals": links,
    }


def _value(deals: Iterable[RowMapping]) -> list[dict[str, Any]]:
    """Money of the deals won so far of which the person is a contact, adjustments included: a row a currency."""
    won: dict[str, list[int]] = defaultdict(list)
    for row in deals:
        if row["is_contact"] and row["outcome"] == "won" and row["ignored_because"] is None and row["amount_minor"] is not None:
            won[row["currency"] or ""].append(row["amount_minor"])
    return [
        {"currency": currency, "amount": as_decimal_text(sum(amounts), currency), "deals": len(amounts)}
        for currency, amounts in sorted(won.items())
        if currency
    ]


def _section(row: RowMapping) -> dict[str, Any]:
    """A section with its share of the time on all sections; null where no time was sent."""
    return {
        "section": row["section"],
        "engaged_seconds": row["engaged_ms"] // 1_000,
        "share": round(row["engaged_ms"] / row["of_all_ms"], 4) if row["of_all_ms"] else None,
        "views": row["views"],
        "last_read_at": as_rfc3339(row["last_read_at"]),
    }
