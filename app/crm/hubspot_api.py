"""HubSpot's API, a hundred records a call: what changed records say now, and what changed since.

A search finds what changed, and nothing more of it: what a record says is read in one way only, so that a webhook's
fetch and a poll hear the same. Never a call a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from app.crm.api import Failed
from app.crm.hubspot_records import (
    ACTIVITIES,
    CONTACT_NAMES,
    Account,
    Around,
    deleted,
    histories_of,
    properties_of,
    said_of,
    says_stages,
    stage_meanings,
)
from app.crm.hubspot_values import Entry, Properties, Record, micros
from app.crm.messages import Said, snapshot, stamp
from app.crm.providers import Client, Page, Pipeline, Stage, StatedDeal
from app.sites.connections import Connection
from app.tables import from_micros, to_micros

POLLS = ("contacts", "deals", "activities", "events")
_MOST_READ = 100
_MOST_READ_WITH_HISTORY = 50
"""HubSpot refuses more at once where earlier values are asked for."""
_MOST_OWNERS = 500
_ATTENDED_AFTER = 30 * 24 * 3_600 * 1_000_000
"""How long after a marketing event somebody may still be marked as having been there."""


# ---------------------------------------------------------------- one record after another


async def fetch(client: Client, connection: Connection, kind: str, record_ids: Sequence[str]) -> list[Said]:
    """What those records say now; of what is gone, that it was deleted, as of when HubSpot says so."""
    fields = connection.fields.settings.fields
    found = await _read(client, kind, record_ids, properties_of(kind, fields), histories_of(kind, fields))
    said = await _said_of_all(client, connection, kind, found)
    missing = [each for each in dict.fromkeys(record_ids) if each not in {record.id for record in found}]
    return said + await _gone(client, kind, missing)


async def _gone(client: Client, kind: str, record_ids: Sequence[str]) -> list[Said]:
    if not record_ids or kind == "contacts":
        return []
    said: list[Said] = []
    archived = await _answers(client, f"/crm/v3/objects/{kind}/batch/read?archived=true", record_ids, {"properties": ["hs_object_id"]})
    known = {str(each["id"]): micros(each.get("archivedAt")) for each in archived}
    for record_id in record_ids:
        at = known.get(record_id)
        said += deleted(kind, record_id, at) if at is not None else [_found_gone(kind, each) for each in deleted(kind, record_id, 0)]
    return said


def _found_gone(kind: str, said: Said) -> Said:
    """Of a record that was merged into another, or is beyond recall: said once, and so since it was found out."""
    return replace(said, id=f"gone:{kind}:{said.data['id']}", occurred_at=None)


async def _said_of_all(client: Client, connection: Connection, kind: str, records: Sequence[Record]) -> list[Said]:
    """What the records say, with what they refer to."""
    if not records:
        return []
    linked = await _with_links(client, kind, records)
    around = await _around(client, connection, kind, linked)
    return [said for record in linked for said in said_of(kind, record, around)]


async def _with_links(client: Client, kind: str, records: Sequence[Record]) -> list[Record]:
    if kind == "contacts":
        return list(records)
    ids = [record.id for record in records]
    contacts = await _associated(client, kind, "contacts", ids)
    companies = await _associated(client, kind, "companies", ids) if kind == "deals" else {}
    deals = await _associated(client, kind, "deals", ids) if kind != "deals" else {}
    return [
        replace(each, contacts=contacts.get(each.id, ()), companies=companies.get(each.id, ()), deals=deals.get(each.id, ()))
        for each in records
    ]


async def _around(client: Client, connection: Connection, kind: str, records: Sequence[Record]) -> Around:
    settings = connection.fields.settings
    contact_ids = [each for record in records for each in record.contacts]
    company_ids = [each for record in records for each in (*record.companies, record.get("associatedcompanyid")) if each]
    contacts = await _read(client, "contacts", contact_ids, CONTACT_NAMES)
    companies = await _read(client, "companies", company_ids, properties_of("companies", settings.fields))
    return Around(
        account=await _account(client) if kind in {"contacts", "deals"} else Account(),
        fields=settings.fields,
        owners=await _owners(client),
        meanings=stage_meanings(await pipelines(client, connection)) if kind == "deals" and not says_stages(connection) else None,
        contacts=_by_id(contacts),
        companies=_by_id(companies),
    )


def _by_id(records: Iterable[Record]) -> dict[str, Properties]:
    return {record.id: record.properties for record in records}


# ---------------------------------------------------------------- what changed since


async def poll(client: Client, connection: Connection, kind: str, since: int, cursor: str | None) -> Page:
    """A page of what changed at or after `since`, and of what was deleted.

    In the order of IDs, not of changes: a record that changes while the pages are read would push others over the edge
    of a page, and a search by place ends at ten thousand.
    """
    if kind == "events":
        return await _attendances(client, since, cursor)
    kinds = ACTIVITIES if kind == "activities" else (kind,)
    place = _Place.read(cursor) if cursor else _Place(kinds[0])
    page = await (_changed(client, connection, since, place) if place.is_search else _archived(client, since, place))
    if page.cursor is not None:
        return page
    following = place.after(kinds)
    return replace(page, cursor=None if following is None else following.text())


@dataclass(frozen=True)
class _Place:
    """How far a poll has come: within a search (the last ID), or within the list of what was deleted."""

    kind: str
    is_search: bool = True
    at: str = ""

    @classmethod
    def read(cls, cursor: str) -> _Place:
        kind, how, at = cursor.split(":", 2)
        return cls(kind, how == "changed", at)

    def text(self) -> str:
        return f"{self.kind}:{'changed' if self.is_search else 'deleted'}:{self.at}"

    def after(self, kinds: Sequence[str]) -> _Place | None:
        """Where it goes on after the last page of this. Of the rest what was deleted is not asked for: the list has no
        filter, and holds three months of e-mails."""
        if self.is_search and self.kind == "deals":
            return _Place(self.kind, is_search=False)
        place = kinds.index(self.kind) + 1
        return _Place(kinds[place]) if place < len(kinds) else None


async def _changed(client: Client, connection: Connection, since: int, place: _Place) -> Page:
    changed_at = "lastmodifieddate" if place.kind == "contacts" else "hs_lastmodifieddate"
    filters = [{"propertyName": changed_at, "operator": "GTE", "value": str(since // 1_000)}]
    filters += [{"propertyName": "hs_object_id", "operator": "GT", "value": place.at}] if place.at else []
    asked = {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": ["hs_object_id"],
        "limit": _MOST_READ,
    }
    ids = [str(each["id"]) for each in _results(await client.post(f"/crm/v3/objects/{place.kind}/search", asked))]
    said = await fetch(client, connection, place.kind, ids) if ids else []
    return Page(tuple(said), replace(place, at=ids[-1]).text() if len(ids) == _MOST_READ else None)


async def _archived(client: Client, since: int, place: _Place) -> Page:
    """A page of what HubSpot's recycle bin (90 days) holds, as far as it was deleted since."""
    asked = {"archived": "true", "limit": _MOST_READ, "properties": "hs_object_id"} | ({"after": place.at} if place.at else {})
    answer = await client.get(f"/crm/v3/objects/{place.kind}", asked)
    gone = {str(each["id"]): micros(each.get("archivedAt")) or 0 for each in _results(answer)}
    since_then = {record_id: at for record_id, at in gone.items() if at >= since}
    said = [said for record_id, at in since_then.items() for said in deleted(place.kind, record_id, at)]
    following = _next(answer)
    return Page(tuple(said), None if following is None else replace(place, at=following).text())


async def _attendances(client: Client, since: int, cursor: str | None) -> Page:
    """A page of those who were at a marketing event (to register is not to attend), as touches that HubSpot reports.

    The cursor is [page of events, place in it, page of participants]. Only events that began at most 30 days before
    `since` are asked for.
    """
    page, number, participants = json.loads(cursor) if cursor else ("", 0, "")
    listed = await client.get("/marketing/v3/marketing-events/", {"limit": _MOST_READ} | ({"after": page} if page else {}))
    events = [each for each in _results(listed) if (micros(each.get("startDateTime")) or 0) >= since - _ATTENDED_AFTER]
    answer = await _participants(client, events[number], participants) if number < len(events) else {}
    said = [_attended(events[number], each) for each in _results(answer) if _was_there(each)]
    further, following = _next(answer), _next(listed)
    if further is not None:
        return Page(tuple(said), json.dumps([page, number, further]))
    if number + 1 < len(events):
        return Page(tuple(said), json.dumps([page, number + 1, ""]))
    return Page(tuple(said), None if following is None else json.dumps([following, 0, ""]))


async def _participants(client: Client, event: Mapping[str, Any], after: str) -> Any:
    path = f"/marketing/v3/marketing-events/participations/{_path_part(event.get('objectId'))}/breakdown"
    return await client.get(path, {"state": "ATTENDED", "limit": _MOST_READ} | ({"after": after} if after else {}))


def _was_there(participation: Mapping[str, Any]) -> bool:
    contact = (participation.get("associations") or {}).get("contact") or {}
    return bool(contact.get("contactId")) and (participation.get("properties") or {}).get("attendanceState") == "ATTENDED"


def _attended(event: Mapping[str, Any], participation: Mapping[str, Any]) -> Said:
    contact = participation["associations"]["contact"]
    at = micros(event.get("startDateTime")) or micros(participation["properties"].get("occurredAt")) or 0
    is_webinar = "webinar" in str(event.get("eventType") or "").lower()
    channel, medium = ("Webinars", "webinar") if is_webinar else ("Events", "event")
    touch = {"occurred_at": stamp(at), "channel": channel, "medium": medium, "campaign": str(event.get("eventName") or "")[:1_000]}
    named = {"id": str(contact["contactId"])} | ({"email": contact["email"]} if contact.get("email") else {})
    return snapshot("contact.updated", named["id"], {**named, "reported_touches": [touch]}, at)


# ---------------------------------------------------------------- what they refer to


async def pipelines(client: Client, _connection: Connection) -> list[Pipeline]:
    """The pipelines of deals; a stage means won or lost where HubSpot closes a deal in it."""
    listed = _results(await client.get("/crm/v3/pipelines/deals"))
    return [
        Pipeline(str(each["id"]), str(each.get("label") or each["id"]), tuple(_stage(stage) for stage in each.get("stages") or ()))
        for each in listed
    ]


def _stage(stage: Mapping[str, Any]) -> Stage:
    told = stage.get("metadata") or {}
    is_closed = str(told.get("isClosed")).lower() == "true"
    meaning = {"1": "won", "0": "lost"}.get(str(told.get("probability")).partition(".")[0], "") if is_closed else ""
    return Stage(str(stage["id"]), str(stage.get("label") or stage["id"]), meaning)


async def won_in(client: Client, _connection: Connection, month: str) -> list[StatedDeal]:
    """The deals won in a month, by their close date in the account's time zone."""
    told = await _account(client)
    starts_at = datetime.fromisoformat(f"{month}-01").replace(tzinfo=told.zone)
    ends_at = starts_at.replace(year=starts_at.year + starts_at.month // 12, month=starts_at.month % 12 + 1)
    bounds = [
        {"propertyName": "closedate", "operator": operator, "value": str(to_micros(moment) // 1_000)}
        for operator, moment in (("GTE", starts_at), ("LT", ends_at))
    ]
    found: list[StatedDeal] = []
    while True:
        after = [{"propertyName": "hs_object_id", "operator": "GT", "value": found[-1].id}] if found else []
        won = {"propertyName": "hs_is_closed_won", "operator": "EQ", "value": "true"}
        asked = {
            "filterGroups": [{"filters": [won, *bounds, *after]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["dealname", "amount", "deal_currency_code", "closedate"],
            "limit": _MOST_READ,
        }
        page = _results(await client.post("/crm/v3/objects/deals/search", asked))
        found += [_stated(each, told) for each in page]
        if len(page) < _MOST_READ:
            return found


def _stated(deal: Mapping[str, Any], told: Account) -> StatedDeal:
    properties = deal["properties"]
    closed_at = micros(properties.get("closedate"))
    closed_on = None if closed_at is None else from_micros(closed_at).astimezone(told.zone).date().isoformat()
    currency = properties.get("deal_currency_code") or told.currency
    return StatedDeal(str(deal["id"]), properties.get("dealname"), properties.get("amount") or None, currency, closed_on)


async def account(client: Client, _connection: Connection) -> str:
    """Whose account the token opens."""
    told = await _account(client)
    return f"HubSpot account {told.portal_id} ({told.ui_domain})"


async def _account(client: Client) -> Account:
    told = await client.get("/account-info/v3/details")
    ui_domain = str(told.get("uiDomain") or Account.ui_domain)
    return Account(str(told.get("portalId") or ""), ui_domain, _zone(told.get("timeZone")), told.get("companyCurrency"))


def _zone(name: object) -> tzinfo:
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError):
        return UTC


async def _owners(client: Client) -> dict[str, str]:
    """Names of owners, those who left included."""
    found: dict[str, str] = {}
    for archived in ("true", "false"):
        after: str | None = ""
        while after is not None:
            asked = {"limit": _MOST_OWNERS, "archived": archived} | ({"after": after} if after else {})
            answer = await client.get("/crm/v3/owners", asked)
            for owner in _results(answer):
                name = " ".join(part for part in (owner.get("firstName"), owner.get("lastName")) if part) or owner.get("email")
                user_id = owner.get("userId") or owner.get("userIdIncludingInactive")
                found |= {str(owner["id"]): name, f"user:{user_id}": name} if name else {}
            after = _next(answer)
    return found


async def _read(
    client: Client, kind: str, record_ids: Iterable[str], properties: Sequence[str], histories: Sequence[str] = ()
) -> list[Record]:
    """The records of those IDs that there are."""
    asked = {"properties": list(properties), "propertiesWithHistory": list(histories)}
    most = _MOST_READ_WITH_HISTORY if histories else _MOST_READ
    answers = await _answers(client, f"/crm/v3/objects/{kind}/batch/read", record_ids, asked, most)
    return [
        Record(str(each["id"]), each.get("properties") or {}, _history(each.get("propertiesWithHistory") or {}, histories))
        for each in answers
    ]


async def _answers(
    client: Client, path: str, record_ids: Iterable[str], asked: Mapping[str, Any], most: int = _MOST_READ
) -> list[Mapping[str, Any]]:
    distinct = sorted(set(record_ids))
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(distinct), most):
        inputs = [{"id": each} for each in distinct[start : start + most]]
        found += _results(await client.post(path, {**asked, "inputs": inputs}))
    return found


def _history(told: Mapping[str, Sequence[Mapping[str, Any]]], histories: Sequence[str]) -> dict[str, list[Entry]]:
    return {
        name: [
            Entry(str(each.get("value") or ""), at, str(each.get("updatedByUserId") or each.get("sourceType") or ""))
            for each in told.get(name) or ()
            if (at := micros(each.get("timestamp"))) is not None
        ]
        for name in histories
    }


async def _associated(client: Client, kind: str, other: str, record_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """IDs of what records are associated with, by record: the primary one first, then by ID."""
    found: dict[str, dict[str, bool]] = {}
    wanted: list[dict[str, str]] = [{"id": each} for each in sorted(set(record_ids))]
    while wanted:
        answers = _results(await client.post(f"/crm/v4/associations/{kind}/{other}/batch/read", {"inputs": wanted[:_MOST_READ]}))
        wanted = wanted[_MOST_READ:]
        for each in answers:
            record_id = str(each["from"]["id"])
            found.setdefault(record_id, {}).update({str(to["toObjectId"]): _is_primary(to) for to in each.get("to") or ()})
            after = _next(each)
            wanted += [] if after is None else [{"id": record_id, "after": after}]
    return {
        record_id: tuple(sorted(others, key=lambda other_id: (not others[other_id], len(other_id), other_id)))
        for record_id, others in found.items()
    }


def _is_primary(association: Mapping[str, Any]) -> bool:
    return any("primary" in str(each.get("label") or "").lower() for each in association.get("associationTypes") or ())


def _results(answer: Any) -> list[Mapping[str, Any]]:
    """The records of an answer. That one is not found is no error; any other trouble with one fails the whole call."""
    told = answer or {}
    for error in told.get("errors") or ():
        if error.get("category") != "OBJECT_NOT_FOUND":
            raise Failed(f"HubSpot answered in part only: {str(error.get('message') or error.get('category'))[:200]}")
    return list(told.get("results") or ())


def _next(answer: Any) -> str | None:
    """Where the next page of an answer begins; None: it was the last."""
    after = (((answer or {}).get("paging") or {}).get("next") or {}).get("after")
    return None if after in {None, ""} else str(after)


def _path_part(value: object) -> str:
    """An ID as it may stand in a path."""
    return "".join(letter for letter in str(value) if letter.isascii() and (letter.isalnum() or letter in "-_"))
