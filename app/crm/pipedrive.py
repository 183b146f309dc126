"""The provider `pipedrive`: webhooks of both versions, authenticated by a password, and its API.

A webhook of version 2 names persons, owners and organizations by their IDs: where there is a token, what it tells
completely (an outcome, a stage, a deletion) is said at once, and the record is fetched for the rest. See
`docs/crm/pipedrive.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from app import ids
from app.crm.api import Failed, Missing
from app.crm.messages import Said, stamp
from app.crm.pipedrive_records import Around, Record, deleted, micros, plain, said_of, stated, turns_said
from app.crm.providers import Client, Delivery, NotUnderstood, Page, Pipeline, Provider, Read, Stage, StatedDeal, Wanted
from app.crm.senders import has_secret_as_password
from app.sites.connections import Connection
from app.sites.days import first_instant
from app.tables import to_micros

# ---------------------------------------------------------------- webhooks

_ENTITIES = {"deal": "deals", "person": "contacts", "lead": "leads", "activity": "activities"}
_ACTIONS = {"create": "changed", "change": "changed", "added": "changed", "updated": "changed", "merged": "merged", "delete": "deleted",
            "deleted": "deleted"}  # fmt: skip
_COUNTED = {"contacts": "contact_deleted", "leads": "lead_deleted"}


@dataclass(frozen=True)
class _Notice:
    """What one webhook tells."""

    key: str
    """Names it, however often it is sent."""
    entity: str
    action: str
    """`changed`, `merged`, `deleted`, or empty."""
    account_id: str
    host: str
    at: int | None
    """Microseconds."""
    record: Record
    """As it is now; empty if it was deleted."""
    before: Record
    record_id: str


def _read(delivery: Delivery, connection: Connection) -> Read:
    """What a webhook says, and what has to be fetched."""
    notice = _notice(delivery.body)
    account_id, kind = connection.fields.settings.account_id, _ENTITIES.get(notice.entity)
    if account_id is not None and notice.account_id != account_id:
        return Read(ignored={"other_account": 1})
    if kind is None or not notice.action or not notice.record_id:
        return Read(ignored={"not_read": 1})
    if notice.action == "deleted":
        gone = deleted(kind, notice.record_id, notice.at or 0)
        return Read(said=tuple(gone), ignored={} if gone else {_COUNTED[kind]: 1}, sent_at=notice.at)
    said = _gone_by_merging(kind, notice)
    if connection.fields.api_token:
        said += turns_said(notice.record) if kind == "deals" else []
        return Read(tuple(said), tuple(_wanted(kind, notice)), sent_at=notice.at)
    said += said_of(kind, notice.record, Around(host=notice.host, fields=connection.fields.settings.fields))
    return Read(tuple(said), ignored={} if said else {"not_read": 1}, sent_at=notice.at)


def _notice(body: bytes) -> _Notice:
    try:
        told = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise NotUnderstood("This is no JSON.", is_readable=False) from error
    meta = told.get("meta") if isinstance(told, dict) else None
    if not isinstance(meta, dict):
        raise NotUnderstood("This is no webhook of Pipedrive: it has no meta.")
    is_newer = "entity" in meta
    record, before = (_record(told.get(name)) for name in (("data", "previous") if is_newer else ("current", "previous")))
    entity = str(meta.get("entity" if is_newer else "object") or str(told.get("event") or "").partition(".")[2])
    action = str(meta.get("action") or str(told.get("event") or "").partition(".")[0])
    record_id = (plain(meta.get("entity_id")) if is_newer else None) or record.id or before.id or plain(meta.get("id")) or ""
    at = micros(meta.get("timestamp"))
    return _Notice(
        key=_key(meta, entity, record_id, is_newer=is_newer),
        entity=entity,
        action=_ACTIONS.get(action, ""),
        account_id=plain(meta.get("company_id")) or "",
        host=_host(meta.get("host")),
        at=at,
        record=record,
        before=before,
        record_id=record_id,
    )


def _key(meta: Mapping[str, Any], entity: str, record_id: str, *, is_newer: bool) -> str:
    """Version 1 numbers records and moments, version 2 events; neither counts an attempt."""
    names = ("id", "timestamp") if is_newer else ("webhook_id", "id", "timestamp_micro")
    return ids.digest("v2" if is_newer else "v1", entity, record_id, *(plain(meta.get(name)) or "" for name in names))


def _record(told: Any) -> Record:
    return Record(told if isinstance(told, dict) else {})


_HOST = re.compile(r"[a-z0-9-]{1,100}\.pipedrive\.com\Z", re.IGNORECASE)


def _host(told: object) -> str:
    return str(told) if _HOST.match(str(told)) else ""


def _gone_by_merging(kind: str, notice: _Notice) -> list[Said]:
    """Version 1 tells of a merger once: what stays, and what it was merged from."""
    gone_id = notice.before.id
    if notice.action != "merged" or not gone_id or gone_id == notice.record_id:
        return []
    return deleted(kind, gone_id, notice.at or 0)


def _wanted(kind: str, notice: _Notice) -> Iterable[Wanted]:
    """The record, and whom a deal names: of that person it tells the ID alone."""
    yield Wanted(notice.key, kind, notice.record_id, notice.at)
    person_id = notice.record.get("person_id") if kind == "deals" else None
    if person_id is not None:
        yield Wanted(f"{notice.key}:contacts", "contacts", person_id, notice.at)


# ---------------------------------------------------------------- the API: records

_PAGE = 100
_PATHS = {"deals": "/api/v2/deals", "contacts": "/api/v2/persons", "activities": "/api/v2/activities"}
_EVERY_STATUS = {"status": "open,won,lost,deleted"}
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_UUID = re.compile(r"[0-9a-fA-F-]{1,64}\Z")


async def _fetch(client: Client, connection: Connection, kind: str, record_ids: Sequence[str]) -> Sequence[Said]:
    """What those records say now.

    Pipedrive leaves out of an answer what is gone and what this user may not see, alike: so what is left out says
    nothing. That a deal was deleted, webhooks and polling tell outright.
    """
    distinct = list(dict.fromkeys(record_ids))
    if kind == "leads":
        found = [lead for each in distinct if (lead := await _lead(client, each)) is not None]
    else:
        found = await _by_id(client, connection, kind, distinct)
    return await _said_of_all(client, connection, kind, found)


async def _by_id(client: Client, connection: Connection, kind: str, record_ids: Sequence[str]) -> list[Record]:
    """Records by ID; of deals, those in the archive too."""
    asked = [each for each in record_ids if _NUMBER.match(each)]
    if not asked:
        return []
    params = _params(connection, kind) | {"ids": ",".join(asked), "limit": _PAGE}
    found = _records(await _list(client, kind, _PATHS[kind], params))
    missing = [each for each in asked if each not in {record.id for record in found}] if kind == "deals" else []
    if missing:
        params = {"ids": ",".join(missing), "limit": _PAGE}
        found += _records(await client.get("/api/v2/deals/archived", params))
    return found


async def _lead(client: Client, lead_id: str) -> Record | None:
    if not _UUID.match(lead_id):
        return None
    try:
        answer = await client.get(f"/v1/leads/{lead_id}")
    except Missing:
        # It became a deal, or is gone.
        return None
    return Record(_data(answer) or {})


def _params(connection: Connection, kind: str) -> dict[str, Any]:
    """What is asked for besides the fields that every answer has."""
    if kind == "deals":
        return {**_EVERY_STATUS, "include_fields": "participants_count"}
    if kind == "contacts":
        named = {connection.fields.settings.fields.get(word) for word in ("mail_sent", "mail_received")}
        mails = sorted(each for each in named if each in {"last_outgoing_mail_time", "last_incoming_mail_time"})
        return {"include_fields": ",".join(["marketing_status", *mails])}
    return {}


async def _list(client: Client, kind: str, path: str, params: Mapping[str, Any]) -> Any:
    """A list. A company without Pipedrive's mail campaigns has no `marketing_status`, and may not ask for it."""
    try:
        return await client.get(path, params)
    except Failed as error:
        fields = [each for each in str(params.get("include_fields", "")).split(",") if each != "marketing_status"]
        if error.is_outage or kind != "contacts":
            raise
        rest = {name: value for name, value in params.items() if name != "include_fields"}
        return await client.get(path, rest | ({"include_fields": ",".join(fields)} if fields else {}))


async def _said_of_all(client: Client, connection: Connection, kind: str, records: Sequence[Record]) -> list[Said]:
    if not records:
        return []
    around = await _around(client, connection, kind, records)
    return [said for record in records for said in said_of(kind, record, around)]


# ---------------------------------------------------------------- the API: what records refer to


async def _around(client: Client, connection: Connection, kind: str, records: Sequence[Record]) -> Around:
    participants = await _participants(client, records) if kind == "deals" else {}
    persons = {person.id: person for people in participants.values() for person in people}
    if kind != "contacts":
        named = [each.get("person_id") for each in records] + [
            plain(other.get("person_id")) for each in records for other in each.told.get("participants") or () if isinstance(other, dict)
        ]
        persons |= await _related(client, "/api/v2/persons", [each for each in named if each not in persons])
    companies = [each.get("org_id") for each in records] if kind in {"deals", "contacts"} else []
    me = await _me(client)
    return Around(
        host=_host(f"{me.get('company_domain')}.pipedrive.com"),
        zone=_zone(me.get("timezone_name")),
        fields=connection.fields.settings.fields,
        owners=await _owners(client),
        persons=persons,
        organizations=await _related(client, "/api/v2/organizations", companies),
        participants={deal_id: [person.id for person in people] for deal_id, people in participants.items()},
    )


async def _related(client: Client, path: str, record_ids: Iterable[str | None]) -> dict[str, Record]:
    """Records of those IDs, by ID."""
    distinct = sorted({each for each in record_ids if each and _NUMBER.match(each)}, key=int)
    found: dict[str, Record] = {}
    for start in range(0, len(distinct), _PAGE):
        answer = await client.get(path, {"ids": ",".join(distinct[start : start + _PAGE]), "limit": _PAGE})
        found |= {record.id: record for record in _records(answer)}
    return found


async def _participants(client: Client, deals: Sequence[Record]) -> dict[str, list[Record]]:
    """The persons of each deal that has more than its primary one: a call for each of those, and of those alone."""
    found: dict[str, list[Record]] = {}
    for deal in deals:
        count = plain(deal.told.get("participants_count")) or "0"
        if count.isdigit() and int(count) > 1:
            found[deal.id] = _records(await client.get("/api/v2/persons", {"deal_id": deal.id, "limit": 500}))
    return found


async def _me(client: Client) -> Mapping[str, Any]:
    return _data(await client.get("/v1/users/me")) or {}


async def _owners(client: Client) -> dict[str, str]:
    """Names of all users, those who left included."""
    users = _data(await client.get("/v1/users")) or []
    return {str(each["id"]): str(each.get("name") or each.get("email") or each["id"]) for each in users}


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")


def _data(answer: Any) -> Any:
    """What an answer holds. Failed if it says itself that it is none."""
    told = answer or {}
    if told.get("success") is False:
        raise Failed(f"Pipedrive answered: {str(told.get('error') or 'no success')[:200]}")
    return told.get("data")


def _records(answer: Any) -> list[Record]:
    return [Record(each) for each in _data(answer) or ()]


# ---------------------------------------------------------------- the API: what changed


async def _poll(client: Client, connection: Connection, kind: str, since: int, cursor: str | None) -> Page:
    """A page of what changed at or after `since`: of deals and leads, first the live ones, then those in the archive."""
    part, _, at = (cursor or "live:").partition(":")
    if kind == "leads":
        page = await _changed_leads(client, connection, since, part, int(at or 0))
    else:
        page = await _changed(client, connection, kind, since, part, at)
    if page.cursor is not None:
        return replace(page, cursor=f"{part}:{page.cursor}")
    return replace(page, cursor="archived:") if part == "live" and kind in {"deals", "leads"} else page


async def _changed(client: Client, connection: Connection, kind: str, since: int, part: str, at: str) -> Page:
    """In the order of changes: what changes while the pages are read comes again at the end, and pushes nothing out."""
    is_archive = part == "archived"
    path = "/api/v2/deals/archived" if is_archive else _PATHS[kind]
    asked = {"updated_since": _second(since), "sort_by": "update_time", "sort_direction": "asc", "limit": _PAGE}
    params = ({} if is_archive else _params(connection, kind)) | asked | ({"cursor": at} if at else {})
    answer = await _list(client, kind, path, params)
    said = await _said_of_all(client, connection, kind, _records(answer))
    return Page(tuple(said), (answer.get("additional_data") or {}).get("next_cursor") or None)


async def _changed_leads(client: Client, connection: Connection, since: int, part: str, start: int) -> Page:
    """Leads have no filter by time: they are read from the last change backwards, until one is older than `since`.

    What changes meanwhile moves to the front, so that the next page repeats some and leaves out none.
    """
    path = "/v1/leads/archived" if part == "archived" else "/v1/leads"
    answer = await client.get(path, {"sort": "update_time DESC", "start": start, "limit": _PAGE})
    listed = _records(answer)
    fresh = [each for each in listed if each.changed_at >= since]
    more = answer.get("additional_data") or {}
    more = more.get("pagination") or more
    is_last = len(fresh) < len(listed) or not listed or not more.get("more_items_in_collection")
    return Page(tuple(await _said_of_all(client, connection, "leads", fresh)), None if is_last else str(start + len(listed)))


def _second(at: int) -> str:
    """As Pipedrive takes times: whole seconds."""
    return str(stamp(at - at % 1_000_000))


async def _pipelines(client: Client, _connection: Connection) -> list[Pipeline]:
    """The pipelines. No stage means won or lost: Pipedrive says that by a deal's status."""
    stages = [each for each in await _all(client, "/api/v2/stages") if not each.is_deleted]
    return [
        Pipeline(each.id, each.line("name") or each.id, tuple(
            Stage(stage.id, stage.line("name") or stage.id) for stage in sorted(stages, key=_place) if stage.get("pipeline_id") == each.id
        ))
        for each in sorted(await _all(client, "/api/v2/pipelines"), key=_place) if not each.is_deleted
    ]  # fmt: skip


def _place(record: Record) -> int:
    return int(record.told.get("order_nr") or 0)


async def _won_in(client: Client, _connection: Connection, month: str) -> list[StatedDeal]:
    """The deals won in a month, by the day of the win where the token's user is; those in the archive too.

    Pipedrive has no filter for that day. A win is a change of its deal, so none is older than its last change.
    """
    zone = _zone((await _me(client)).get("timezone_name"))
    starts_at = to_micros(first_instant(date.fromisoformat(f"{month}-01"), zone))
    asked = {"status": "won", "updated_since": _second(starts_at), "sort_by": "update_time", "sort_direction": "asc"}
    deals = [deal for path in (_PATHS["deals"], "/api/v2/deals/archived") for deal in await _all(client, path, asked)]
    won = [stated(each, Around(zone=zone)) for each in deals if each.get("status") == "won" and not each.is_deleted]
    return [each for each in won if (each.closed_on or "").startswith(month)]


async def _all(client: Client, path: str, asked: Mapping[str, Any] | None = None) -> list[Record]:
    """Every page of a list."""
    found: list[Record] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get(path, {**(asked or {}), "limit": 500} | ({"cursor": cursor} if cursor else {}))
        found += _records(answer)
        cursor = (answer.get("additional_data") or {}).get("next_cursor") or None
    return found


async def _account(client: Client, _connection: Connection) -> str:
    """Whose account the token opens."""
    me = await _me(client)
    return f"{me.get('company_name') or 'a company'} ({me.get('company_domain')}.pipedrive.com), as {me.get('name') or me.get('email')}"


_TOKEN = re.compile(r"[0-9a-f]{40}\Z", re.IGNORECASE)


def _authorisation(token: str) -> dict[str, str]:
    """A user's own token is 40 hexadecimal digits; what OAuth gives is not."""
    return {"x-api-token": token} if _TOKEN.match(token) else {"Authorization": f"Bearer {token}"}


PROVIDER = Provider(
    name="pipedrive",
    title="Pipedrive",
    is_authentic=has_secret_as_password,
    read=_read,
    secret_is="the HTTP Auth password that you type into Pipedrive's webhook (any user name)",  # noqa: S106
    base_url="https://api.pipedrive.com",
    authorisation=_authorisation,
    fetches=("deals", "contacts", "leads", "activities"),
    fetch=_fetch,
    polls=("contacts", "leads", "deals", "activities"),
    poll=_poll,
    pipelines=_pipelines,
    account=_account,
    won_in=_won_in,
)
