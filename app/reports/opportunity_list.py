"""Whom to contact: deals, and leads without one, by what is to be expected of them, with what a salesperson wants to know first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.errors import Unprocessable
from app.money import as_decimal_text
from app.reports import opportunity_list_queries as queries
from app.reports.conversion_queries import channels
from app.reports.conversions import parts_of
from app.reports.figures import as_csv, as_rfc3339
from app.reports.freshness import freshness
from app.reports.opportunity_rows import Reading, reading
from app.reports.parameters import Format, QueryText, is_text
from app.reports.score import points, scores_of
from app.sales.outcomes import OUTCOMES
from app.sites.settings import fold
from app.sites.site import Site
from app.tables import from_micros

NO_CHANNEL = "(none)"
SECTIONS_SHOWN = 3
_HOUR = 3_600_000_000
_MICROS = re.compile(r"-?[0-9]{1,19}\Z")
COLUMNS = (
    "deal_id", "person_id", "name", "company", "contact_name", "contact_email", "outcome", "is_late", "is_stale", "stage", "owner",
    "channel", "amount", "currency", "expected_value", "started_at", "due_at", "contacted_at", "waited_hours", "next_step", "reason", "url",
)  # fmt: skip
"""What the list has as CSV."""


class OpportunityFilters(BaseModel):
    """`GET /v1/opportunities`."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="The site, where the key serves several.")
    outcome: str | None = Field(
        None, max_length=200, description=f"{', '.join(f'`{name}`' for name in OUTCOMES)}, several with commas; absent: any."
    )
    owner: QueryText | None = Field(None, max_length=500, description="Who of sales owns it; `(not set)`: nobody.")
    channel: QueryText | None = Field(None, max_length=200, description="Channel of its first touch in reach; `(none)`: there is none.")
    stale: bool | None = Field(
        None, description="Only open ones without an activity for the site's `stale_after_days`, or only all others."
    )
    closed: bool | None = Field(None, description="Only those that were won, lost or disqualified, or only all others.")
    limit: int = Field(50, ge=1, le=200, description="Rows a page.")
    cursor: str | None = Field(None, max_length=5_000, description="`next` of the page before.")
    format: Format = "json"

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        """What forms send for what was left open is absent."""
        return {name: value for name, value in given.items() if value not in ("", [""])} if isinstance(given, dict) else given

    @property
    def outcomes(self) -> list[str]:
        """The outcomes asked for. Unprocessable, naming what is allowed, for another word."""
        names = self.outcome.split(",") if self.outcome else []
        if unknown := [name for name in names if name not in OUTCOMES]:
            raise Unprocessable(f"Unknown outcome {unknown[0][:40]!r}; allowed, several with commas: {', '.join(OUTCOMES)}.")
        return names

    def asked(self) -> dict[str, Any]:
        """The conditions of the statements, and their parameters."""
        stale = {} if self.stale is None else {"stale" if self.stale else "fresh": True}
        closed = {} if self.closed is None else {"closed" if self.closed else "unclosed": True}
        named = {"outcomes": self.outcomes, "owner": self.owner, "channel": self.channel}
        return stale | closed | {name: value for name, value in named.items() if value}


async def opportunities(connection: AsyncConnection, site: Site, filters: OpportunityFilters, now: datetime) -> dict[str, Any]:
    """One page: the most expected first. `next` is the cursor of the page after it (null: none); `left_out` are those asked for who
    may not be contacted."""
    asked = filters.asked()
    read = await reading(connection, site, now)
    await _check_channel(connection, read, filters.channel)
    statement = queries.page_of_opportunities(read, asked, is_next=filters.cursor is not None)
    parameters = {**read.parameters, **asked, **_after(filters.cursor)}
    rows = (await connection.execute(statement, {**parameters, "limit": filters.limit + 1})).mappings().all()
    refused = await connection.scalar(queries.refused_opportunities(read, asked), parameters)
    page = rows[: filters.limit]
    beside = await _beside(connection, site, page, now)
    return {
        "opportunities": [_described(row, read, beside) for row in page],
        "left_out": {"may_not_be_contacted": refused},
        "activities_are_reported": read.are_reported,
        "next": _cursor(page[-1]) if len(rows) > filters.limit else None,
        **(await freshness(connection, site, now)).as_dict(),
    }


async def _check_channel(connection: AsyncConnection, read: Reading, channel: str | None) -> None:
    if channel is None or channel == NO_CHANNEL:
        return
    known = list(await connection.scalars(channels(read.question("opportunity")), {"site_id": read.site.site_id}))
    if channel not in known:
        raise Unprocessable(f"Unknown channel {channel[:60]!r}; allowed: {', '.join([*known, NO_CHANNEL])}.")


# ---------------------------------------------------------------- what stands beside the rows


@dataclass
class Beside:
    """What is known of the people of a page, by person, and who the contacts of its deals are."""

    contacts: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, dict[str, str | None]] = field(default_factory=lambda: defaultdict(dict))
    urls: dict[str, str] = field(default_factory=dict)
    touches: dict[str, list[RowMapping]] = field(default_factory=lambda: defaultdict(list))
    sections: dict[str, list[RowMapping]] = field(default_factory=lambda: defaultdict(list))
    scores: dict[str, int] = field(default_factory=dict)

    def people_of(self, row: RowMapping) -> list[str]:
        """Whom a row is about, whoever may be contacted first."""
        return [row["person_id"]] if row["person_id"] else self.contacts[row["space"], row["deal_id"]]


async def _beside(connection: AsyncConnection, site: Site, page: Sequence[RowMapping], now: datetime) -> Beside:
    """What stands beside the rows of a page: a fixed number of statements, whatever its length."""
    beside, here = Beside(), {"site_id": site.site_id}
    deals = [(row["space"], row["deal_id"]) for row in page if row["is_deal"]]
    if deals:
        named = {"keys": deals, "spaces": sorted({space for space, _ in deals}), "deal_ids": sorted({deal_id for _, deal_id in deals})}
        for row in await connection.execute(queries.contacts_of_deals(), here | named):
            beside.contacts[row.space, row.deal_id].append(row.person_id)
    people = sorted({person for row in page for person in beside.people_of(row)})
    if not people:
        return beside
    about = {**here, "people": people}
    for row in await connection.execute(queries.names_of_people(), about):
        _note_name(beside.names[row.person_id], row)
    beside.urls = {row.person_id: row.url for row in await connection.execute(queries.properties_of_page(), about)}
    for each in (await connection.execute(queries.last_touches_of_people(), about)).mappings():
        beside.touches[each["person_id"]].append(each)
    for each in (await connection.execute(queries.sections_of_people(), about)).mappings():
        beside.sections[each["person_id"]].append(each)
    beside.scores = await scores_of(connection, site, people, now)
    return beside


def _note_name(known: dict[str, str | None], row: Any) -> None:
    """Keeps the newest name, company, e-mail and phone of a person."""
    for name, value in (("name", row.name), ("company", row.company), (row.kind, row.value)):
        if value and name != "contact":
            known.setdefault(name, value)


# ---------------------------------------------------------------- a row


def _described(row: RowMapping, read: Reading, beside: Beside) -> dict[str, Any]:
    people = beside.people_of(row)
    contact = people[0] if people else None
    named = beside.names[contact] if contact else {}
    stage = row["stage"] if row["is_deal"] else row["lead_stage"] or "lead"
    has_amount = row["amount_minor"] is not None and row["currency"]
    return {
        "deal_id": row["deal_id"] or None,
        "space": row["space"] or None,
        "person_id": ids.public(contact) if contact else None,
        "people": [ids.public(person) for person in people],
        "name": row["deal_name"] or named.get("name") or named.get("email") or row["deal_id"] or None,
        "company": row["company_name"] or named.get("company"),
        "contact": {"name": named.get("name"), "email": named.get("email"), "phone": named.get("phone")} if contact else None,
        "outcome": row["outcome"],
        "is_late": bool(row["is_late"]),
        "is_stale": row["outcome"] == "open" and bool(row["is_stale"]),
        "stage": stage,
        "pipeline": row["pipeline"],
        "closed_as": row["closed_as"] or None,
        "reason": row["reason"],
        "owner": row["owner"],
        "channel": row["channel"],
        "amount": as_decimal_text(row["amount_minor"], row["currency"]) if has_amount else None,
        "currency": row["currency"] if has_amount else None,
        "expected_value": _expected_value(row, read.site.settings.currency),
        **{name: row[name] and as_rfc3339(from_micros(row[name])) for name in ("started_at", "due_at", "contacted_at", "closed_at")},
        "waited_hours": None if row["waited_for"] is None else round(row["waited_for"] / _HOUR, 2),
        "last_activity_at": row["last_activity_at"] and as_rfc3339(from_micros(row["last_activity_at"])),
        "last_touches": _last_touches(people, beside),
        "interests": _interests(people, beside),
        "score": _score(people, beside, read.site),
        "next_step": _next_step(row, stage, read.site),
        "url": row["url"] or (beside.urls.get(contact) if contact else None),
    }


def _score(people: Iterable[str], beside: Beside, site: Site) -> int | float | None:
    """The highest score of the people; null where the site has no rules for it."""
    scoring = site.settings.scoring
    if not (scoring.rules or scoring.fits):
        return None
    return points(max((beside.scores.get(person, 0) for person in people), default=0))


def _expected_value(row: RowMapping, currency: str) -> dict[str, Any] | None:
    """What a row is worth on average, and what that is made of; null where there is nothing to judge by."""
    if row["expected_minor"] is None:
        return None
    return {
        "amount": as_decimal_text(row["expected_minor"], currency),
        "currency": currency,
        "win_rate": round(row["rate_won"] / row["rate_closed"], 4),
        "win_rate_of": row["rate_of"],
        "judged_by": row["rate_closed"],
        "value": as_decimal_text(row["value_minor"], currency),
        "value_of": row["value_of"],
    }


def _last_touches(people: Iterable[str], beside: Beside) -> list[dict[str, Any]]:
    touches = sorted((touch for person in people for touch in beside.touches[person]), key=lambda touch: touch["occurred_at"], reverse=True)
    shown = touches[: queries.TOUCHES_SHOWN]
    return [{"channel": touch["channel"] or "Unassigned", "occurred_at": as_rfc3339(touch["occurred_at"])} for touch in shown]


def _interests(people: Iterable[str], beside: Beside) -> list[dict[str, Any]]:
    """The sections that the people gave most time to, then most views."""
    engaged: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for person in people:
        for row in beside.sections[person]:
            engaged[row["section"]][0] += row["engaged_ms"]
            engaged[row["section"]][1] += row["views"]
    most = sorted(engaged.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))[:SECTIONS_SHOWN]
    return [{"section": name, "engaged_seconds": milliseconds // 1_000, "views": views} for name, (milliseconds, views) in most]


def _next_step(row: RowMapping, stage: str | None, site: Site) -> str | None:
    """What the site says is to be done at this stage, for whoever still is to be won."""
    if row["closed_as"]:
        return None
    steps = site.settings.next_steps
    return steps.get(fold(stage or ""), steps.get("opportunity" if row["is_deal"] else "lead"))


# ---------------------------------------------------------------- pages and CSV


def _cursor(row: RowMapping) -> str:
    return ids.public(str(row["rank"]), str(row["newness"]), row["person_id"], row["space"], row["deal_id"])


def _after(cursor: str | None) -> dict[str, Any]:
    """Parameters of the page after a cursor. Unprocessable if it is none of ours."""
    if cursor is None:
        return {}
    parts = parts_of(cursor)
    if len(parts) != 5 or not is_text(*parts) or not all(_MICROS.match(part) and abs(int(part)) < 2**63 for part in parts[:2]):
        raise Unprocessable("Unknown cursor: take `next` of the page before.")
    names: tuple[Literal["after_person", "after_space", "after_deal"], ...] = ("after_person", "after_space", "after_deal")
    return {"after_rank": int(parts[0]), "after_newness": int(parts[1]), **dict(zip(names, parts[2:], strict=True))}


def as_table(answer: dict[str, Any]) -> str:
    """A page as CSV."""
    return as_csv(COLUMNS, ([_cell(row, column) for column in COLUMNS] for row in answer["opportunities"]))


def _cell(row: dict[str, Any], column: str) -> object:
    if column.startswith("contact_"):
        return (row["contact"] or {}).get(column.removeprefix("contact_"))
    if column == "expected_value":
        return row[column] and Decimal(row[column]["amount"])
    return Decimal(row[column]) if column == "amount" and row[column] else row[column]
