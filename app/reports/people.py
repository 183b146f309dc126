"""Who is who: finding a person, and all that is known of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.collect.keys import subject_keys
from app.errors import NotFound, Unprocessable
from app.money import as_decimal_text
from app.reports import people_queries as queries
from app.reports.conversions import parts_of
from app.reports.evidence import tie, unlinkable
from app.reports.figures import as_rfc3339
from app.reports.parameters import QueryText, is_text
from app.reports.person_path import path_of
from app.reports.tracked import reported
from app.sites.site import Site

_NOBODY = "There is no person, key or visitor of that ID. Find people with `GET /v1/people?email=`."
_MOST_ROWS = 1_000
_KIND_OF_KEY = {"c": "contact", "e": "email", "p": "phone", "u": "user_id"}


class PeopleFilters(BaseModel):
    """`GET /v1/people`: at least one of them."""

    model_config = ConfigDict(extra="forbid")

    site: str | None = Field(None, description="The site, where the key serves several.")
    email: QueryText | None = Field(None, max_length=320, description="E-mail address.")
    phone: QueryText | None = Field(
        None, max_length=50, description="Phone number, with its country code or as the site's country writes it."
    )
    user_id: QueryText | None = Field(None, max_length=1_000, description="The site's own user ID.")


async def people(connection: AsyncConnection, site: Site, filters: PeopleFilters) -> dict[str, Any]:
    """The people whom an e-mail, phone or user ID belongs to. Unprocessable if none of them is given, or is not one."""
    keys = subject_keys(site, email=filters.email, phone=filters.phone, user_id=filters.user_id)
    if not keys:
        raise Unprocessable("Give email=, phone= or user_id=, and a valid one.")
    found = await connection.scalars(queries.people_of_keys(), {"site_id": site.site_id, "key_ids": keys})
    return {"people": [await _person(connection, site, person_id) for person_id in found]}


async def journey(connection: AsyncConnection, site: Site, member_id: str, now: datetime) -> dict[str, Any]:
    """All that is known of the person whom an ID (its own, a key's or a visitor's) now belongs to. NotFound if there is none.

    Touches and events are the newest 1,000, in order of time; so are the steps of `path`, which holds them and all else that happened.
    """
    person_id = await resolve(connection, site, member_id)
    here: dict[str, Any] = {"site_id": site.site_id, "person_id": person_id, "limit": _MOST_ROWS}

    async def rows(statement: Select[Any]) -> list[RowMapping]:
        return list((await connection.execute(statement, here)).mappings())

    touches, deals = await rows(queries.touches_of_person()), await rows(queries.deals_of_person())
    return {
        "person": await _person(connection, site, person_id),
        **await path_of(connection, site, person_id, touches, deals, now),
        "touches": [_touch(row) for row in reversed(touches)],
        "events": [_event(row) for row in reversed(await rows(queries.events_of_person()))],
        "deals": [_deal(row) for row in deals],
        "conversions": [_conversion(row) for row in await rows(queries.conversions_of_person())],
        "identity": {
            "visitors": [tie(row) for row in await rows(queries.spans_of_person())],
            "evidence": await _evidence(connection, site, await rows(queries.sightings_of_person())),
        },
    }


async def resolve(connection: AsyncConnection, site: Site, member_id: str) -> str:
    """The person whom any member's ID belongs to now: a key, `v_` and a visitor, or a bare visitor. NotFound if there is none."""
    parts = parts_of(member_id)
    member = parts[0] if len(parts) == 1 else member_id
    if not is_text(member):
        raise NotFound(_NOBODY)
    here = {"site_id": site.site_id}
    person = await connection.scalar(queries.person_of_key(), {**here, "key_id": member})
    for visitor in (member, member.removeprefix("v_")):
        person = person or await connection.scalar(queries.person_of_visitor(), {**here, "visitor_id": visitor})
    if person is None:
        raise NotFound(_NOBODY)
    return str(person)


async def _person(connection: AsyncConnection, site: Site, person_id: str) -> dict[str, Any]:
    here = {"site_id": site.site_id, "person_id": person_id}
    keys = (await connection.execute(queries.keys_of_person(), here)).mappings().all()
    return {
        "id": ids.public(person_id),
        "is_identified": bool(keys),
        "is_internal": bool(await connection.scalar(queries.is_person_internal(), here)),
        "name": next((row["name"] for row in keys if row["name"]), None),
        "company": next((row["company"] for row in keys if row["company"]), None),
        "keys": [_key(row) for row in keys],
    }


def _key(row: RowMapping) -> dict[str, Any]:
    kind = row["kind"] or _KIND_OF_KEY.get(row["key_id"][:1], "key")
    more = {name: row[name] for name in ("lead_source", "may_contact") if row[name] is not None}
    return {"id": row["key_id"], "kind": kind, "value": row["value"], "is_crowded": bool(row["is_crowded"]), **more}


def _touch(row: RowMapping) -> dict[str, Any]:
    names = (
        "channel",
        "source",
        "medium",
        "campaign",
        "term",
        "content",
        "referrer",
        "landing_page",
        "rule",
        "type",
        "visitor_id",
        "event_id",
    )
    return {
        "touch_id": ids.public(row["visitor_id"], row["event_id"]),
        "occurred_at": as_rfc3339(row["occurred_at"]),
        **{name: row[name] for name in names},
        "session_started_at": as_rfc3339(row["session_started_at"]),
        **reported(row),
    }


def _event(row: RowMapping) -> dict[str, Any]:
    names = ("type", "visitor_id", "event_id", "url", "title", "referrer", "form", "engaged_ms", "left_out")
    return {"occurred_at": as_rfc3339(row["occurred_at"]), **{name: row[name] for name in names}}


def _deal(row: RowMapping) -> dict[str, Any]:
    names = ("space", "deal_id", "name", "outcome", "stage", "pipeline", "type", "company_name", "owner", "lost_reason", "closed_on", "url")
    has_amount = row["amount_minor"] is not None and row["currency"]
    times = ("opened_at", "won_at", "lost_at", "churned_at")
    return {
        **{name: row[name] for name in names},
        **{name: row[name] and as_rfc3339(row[name]) for name in times},
        "amount": as_decimal_text(row["amount_minor"], row["currency"]) if has_amount else None,
        "currency": row["currency"],
        "is_contact": row["is_contact"],
    }


def _conversion(row: RowMapping) -> dict[str, Any]:
    key = (row["kind"], row["holder_id"], row["fact_id"])
    return {"id": ids.public(*key), "kind": row["kind"], "occurred_at": as_rfc3339(row["occurred_at"]), "is_contact": row["is_contact"]}


async def _evidence(connection: AsyncConnection, site: Site, sightings: Iterable[RowMapping]) -> list[dict[str, Any]]:
    """Each fact on which keys of the person were seen, as `unlink` takes it, and the keys that it ties."""
    seen = list(sightings)
    keys: dict[str, list[str]] = defaultdict(list)
    if seen:
        links = {"site_id": site.site_id, "link_ids": sorted({row["link_id"] for row in seen})}
        for row in await connection.execute(queries.keys_of_links(), links):
            keys[row.link_id].append(row.key_id)
    return [
        {
            "occurred_at": as_rfc3339(row["occurred_at"]),
            "keys": keys[row["link_id"]],
            "visitor_id": row["visitor_id"] or None,
            "is_trusted": bool(row["is_trusted"]),
            "is_undone": bool(row["is_undone"]),
            "fact": unlinkable(row),
        }
        for row in reversed(seen)
    ]
