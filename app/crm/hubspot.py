"""The provider `hubspot`: signed subscriptions and workflow actions, and what they ask to be fetched.

A subscription's notice says that a record changed, and hardly how: it becomes a record to fetch. What it says itself (a
deal's new stage, a deletion) is said at once. See `docs/crm/hubspot.md`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from app import ids
from app.collect.fields import RecordId
from app.crm import hubspot_api
from app.crm.hubspot_records import KINDS, Account, Around, deleted, said_of, says_stages, stage_said
from app.crm.hubspot_values import Entry, Record, micros
from app.crm.messages import Said, snapshot, stamp
from app.crm.providers import Delivery, NotUnderstood, Provider, Read, Wanted
from app.sites.connections import Connection

# ---------------------------------------------------------------- signatures

_LONGEST_AGE = 5 * 60 * 1_000_000
_TIMESTAMP = re.compile(r"[0-9]{1,15}\Z")
_DECODED = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""What HubSpot decodes in the address that it signs, and nothing else."""


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    """Whether one of the live secrets signed this: by the newest of HubSpot's three ways that the headers show."""
    headers = delivery.headers
    if "x-hubspot-signature-v3" in headers:
        given, version = headers["x-hubspot-signature-v3"], "v3"
    else:
        given, version = headers.get("x-hubspot-signature", ""), headers.get("x-hubspot-signature-version", "v1").lower()
    expected = _VERSIONS.get(version)
    if expected is None or (version == "v3" and not _is_fresh(headers.get("x-hubspot-request-timestamp", ""), delivery.received_at)):
        return False
    signatures = (each for secret in connection.secrets for each in expected(secret.encode(), delivery))
    return any(hmac.compare_digest(each, given.encode()) for each in signatures)


def _is_fresh(timestamp: str, received_at: int) -> bool:
    return bool(_TIMESTAMP.match(timestamp)) and abs(received_at - int(timestamp) * 1_000) <= _LONGEST_AGE


def _v1(secret: bytes, delivery: Delivery) -> Iterator[bytes]:
    yield hashlib.sha256(secret + delivery.body).hexdigest().encode()


def _v2(secret: bytes, delivery: Delivery) -> Iterator[bytes]:
    for address in _addresses(delivery):
        yield hashlib.sha256(secret + delivery.method.encode() + address + delivery.body).hexdigest().encode()


def _v3(secret: bytes, delivery: Delivery) -> Iterator[bytes]:
    timestamp = delivery.headers["x-hubspot-request-timestamp"].encode()
    for address in _addresses(delivery):
        signed = delivery.method.encode() + address + delivery.body + timestamp
        yield base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())


_VERSIONS = {"v1": _v1, "v2": _v2, "v3": _v3}


def _addresses(delivery: Delivery) -> list[bytes]:
    """The address as it was called, and as the documentation has it signed: some of its signs decoded."""
    decoded = _DECODED.sub(lambda found: unquote(found[0]), delivery.url)
    return [each.encode() for each in dict.fromkeys((delivery.url, decoded))]


# ---------------------------------------------------------------- subscriptions

_KINDS = {
    "contact": "contacts", "0-1": "contacts", "deal": "deals", "0-3": "deals", "0-18": "communications", "0-27": "tasks", "0-46": "notes",
    "0-47": "meetings", "0-48": "calls", "0-49": "emails",
}  # fmt: skip
"""Kind of record by the object's name in a subscription's type, or by `objectTypeId`."""
_CHANGES = {"creation", "propertychange", "restore", "associationchange", "merge"}


class Notice(BaseModel):
    """One event of a subscription. The type stands under two names; both formats have the rest in common."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str = Field(validation_alias=AliasChoices("subscriptionType", "eventType"), max_length=200)
    portal_id: RecordId | None = Field(None, alias="portalId")
    subscription_id: RecordId | None = Field(None, alias="subscriptionId")
    event_id: RecordId | None = Field(None, alias="eventId")
    object_id: RecordId | None = Field(None, alias="objectId")
    object_type_id: str | None = Field(None, alias="objectTypeId")
    property_name: str = Field("", alias="propertyName")
    property_value: Any = Field(None, alias="propertyValue")
    told_at: int | str | None = Field(None, alias="occurredAt")
    association_type: str = Field("", alias="associationType")
    from_id: RecordId | None = Field(None, alias="fromObjectId")
    from_type_id: str | None = Field(None, alias="fromObjectTypeId")
    to_id: RecordId | None = Field(None, alias="toObjectId")
    to_type_id: str | None = Field(None, alias="toObjectTypeId")
    primary_id: RecordId | None = Field(None, alias="primaryObjectId")
    new_id: RecordId | None = Field(None, alias="newObjectId")
    merged_ids: list[RecordId] = Field([], alias="mergedObjectIds")

    @property
    def kind(self) -> str | None:
        """Kind of the record, one of ours; None: of no interest."""
        name = self.type.partition(".")[0].lower()
        return _KINDS.get((self.object_type_id or "") if name == "object" else name)

    @property
    def verb(self) -> str:
        """What happened, in lower case."""
        return self.type.partition(".")[2].lower()

    @property
    def at(self) -> int | None:
        """When, in microseconds."""
        return micros(self.told_at)

    @property
    def key(self) -> str:
        """What names the event, however often it is sent: HubSpot's own ID is not always one of a kind."""
        parts = (self.portal_id, self.subscription_id, self.type, self.object_id or self.from_id or self.primary_id, self.property_name)
        return ids.digest(*(part or "" for part in (*parts, str(self.told_at), self.event_id)))


def _read(delivery: Delivery, connection: Connection) -> Read:
    """What a call says: an array of events, or the one record of a workflow's action."""
    try:
        told = from_json(delivery.body)
    except ValueError as error:
        raise NotUnderstood("This is no JSON.", is_readable=False) from error
    if isinstance(told, list):
        return _notices(told, connection)
    if not isinstance(told, dict):
        raise NotUnderstood("This is neither an array of events nor a record.")
    return _notices([told], connection) if {"subscriptionType", "eventType"} & told.keys() else _record(told, connection, delivery)


def _notices(told: list[Any], connection: Connection) -> Read:
    said: list[Said] = []
    wanted: dict[str, Wanted] = {}
    ignored: Counter[str] = Counter()
    for each in told:
        try:
            notice = Notice.model_validate(each)
        except ValidationError:
            # The log refuses what has no type of ours, alone, and keeps it to be looked at.
            said.append(Said(ids.digest(repr(each)), "hubspot.event", each if isinstance(each, dict) else {"event": each}))
            continue
        reason = _ignored_because(notice, connection)
        if reason is not None:
            ignored[reason] += 1
            continue
        said += _said_at_once(notice)
        wanted |= {each.id: each for each in _wanted(notice)}
    return Read(tuple(said), tuple(wanted.values()), ignored)


def _ignored_because(notice: Notice, connection: Connection) -> str | None:
    account_id = connection.fields.settings.account_id
    if account_id is not None and notice.portal_id != account_id:
        return "other_account"
    if notice.verb == "associationchange":
        return None if any(_ends(notice)) else "not_read"
    if notice.kind is None:
        return "not_read"
    if notice.kind == "contacts" and notice.verb in {"deletion", "privacydeletion"}:
        return "contact_deleted"
    return None if notice.verb in _CHANGES | {"deletion", "privacydeletion"} else "not_read"


def _said_at_once(notice: Notice) -> list[Said]:
    """What an event says by itself."""
    kind, at = notice.kind, notice.at
    if kind is None or at is None:
        return []
    if notice.verb in {"deletion", "privacydeletion"} and notice.object_id:
        return deleted(kind, notice.object_id, at)
    if notice.verb == "merge":
        return [said for each in _merged_away(notice) for said in deleted(kind, each, at)]
    if kind == "deals" and notice.object_id:
        stage = _plain(notice.property_value) if (notice.verb, notice.property_name) == ("propertychange", "dealstage") else None
        if stage:
            return [stage_said(notice.object_id, stage, at)]
        if notice.verb == "restore":
            return [snapshot("deal.updated", notice.object_id, {"id": notice.object_id}, at)]
    return []


def _survivor(notice: Notice) -> str | None:
    return notice.new_id or notice.primary_id or notice.object_id


def _merged_away(notice: Notice) -> list[str]:
    everyone = dict.fromkeys(each for each in (notice.primary_id, notice.object_id, *notice.merged_ids) if each)
    return [each for each in everyone if each != _survivor(notice)]


def _wanted(notice: Notice) -> Iterator[Wanted]:
    """The records to fetch because of an event: both ends of an association."""
    if notice.verb == "associationchange":
        for kind, record_id in _ends(notice):
            yield Wanted(f"{notice.key}:{kind}", kind, record_id, notice.at)
        return
    changed_id = _survivor(notice) if notice.verb == "merge" else notice.object_id
    if notice.verb in _CHANGES and notice.kind is not None and changed_id:
        yield Wanted(notice.key, notice.kind, changed_id, notice.at)


def _ends(notice: Notice) -> Iterator[tuple[str, str]]:
    """(kind, ID) of each end of an association that is a record of ours."""
    first, _, second = notice.association_type.lower().partition("_to_")
    for type_id, name, record_id in ((notice.from_type_id, first, notice.from_id), (notice.to_type_id, second, notice.to_id)):
        kind = _KINDS.get(type_id or name)
        if kind and record_id:
            yield kind, record_id


# ---------------------------------------------------------------- workflow actions


def _record(told: dict[str, Any], connection: Connection, delivery: Delivery) -> Read:
    """A workflow's action: the record is fetched where there is a token, else what the action says is taken as it is."""
    portal_id, account_id = str(told.get("portalId") or ""), connection.fields.settings.account_id
    if account_id is not None and portal_id not in {"", account_id}:
        return Read(ignored={"other_account": 1})
    named = told.get("properties")
    properties: dict[str, Any] = named if isinstance(named, dict) else told
    plain = {name: _plain(value) for name, value in properties.items()}
    kind, record_id = _record_named(told, plain)
    changed_at = _last_change(kind, properties)
    if connection.fields.api_token:
        # The same state sent again asks for nothing more.
        state = str(changed_at) if changed_at is not None else delivery.body.decode(errors="replace")
        stages = [stage_said(record_id, entry.value, entry.at) for entry in _entries(properties.get("dealstage")) if entry.value]
        return Read(tuple(stages), (Wanted(ids.digest("workflow", portal_id, kind, record_id, state), kind, record_id, changed_at),))
    known_since = delivery.received_at if changed_at is None else changed_at
    record = Record(
        record_id,
        plain | dict.fromkeys(("lastmodifieddate", "hs_lastmodifieddate"), stamp(known_since)),
        {name: list(_entries(value)) for name, value in properties.items() if isinstance(value, dict)},
        contacts=_associated_ids(told, "associatedVids"),
        companies=_associated_ids(told, "associatedCompanyIds"),
    )
    meanings = None if says_stages(connection) else _meaning_told(record)
    around = Around(Account(portal_id or account_id or ""), connection.fields.settings.fields, meanings=meanings)
    return Read(tuple(_without_untold(said) for said in said_of(kind, record, around)))


def _without_untold(said: Said) -> Said:
    """What is not in an action's body was not told: only an answer of the API, which has all, can say that it is empty."""
    return replace(said, data={name: value for name, value in said.data.items() if value is not None and value != []})


def _last_change(kind: str, properties: Mapping[str, Any]) -> int | None:
    """When the record changed last, by its own property or by the newest of all; None if nothing says so."""
    told = micros(_plain(properties.get("lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate")))
    times = [at for each in properties.values() if isinstance(each, dict) and (at := micros(each.get("timestamp"))) is not None]
    return told if told is not None else max(times, default=None)


def _record_named(told: Mapping[str, Any], plain: Mapping[str, str | None]) -> tuple[str, str]:
    """(kind, ID) of a workflow's record. NotUnderstood if it tells neither."""
    kind = _KINDS.get(str(told.get("objectTypeId"))) or _kind_by_its_words({*told, *plain})
    named = (_plain(told.get(name)) for name in ("dealId", "vid", "objectId", "hs_object_id", "id"))
    record_id = next((each for each in (*named, plain.get("hs_object_id")) if each), None)
    if kind is None or record_id is None:
        raise NotUnderstood("This names no contact, deal or activity: send the record's ID (hs_object_id) and its properties.")
    return kind, record_id


def _kind_by_its_words(words: set[str]) -> str | None:
    if words & {"dealId", "dealname", "dealstage"}:
        return "deals"
    return "contacts" if words & {"vid", "email", "lifecyclestage", "firstname"} else None


def _plain(value: Any) -> str | None:
    """A property, whether it comes as a value or with its history."""
    found = value.get("value") if isinstance(value, dict) else value
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) else None


def _entries(told: Any) -> Iterator[Entry]:
    if not isinstance(told, dict):
        return
    versions = told.get("versions")
    for each in versions if isinstance(versions, list) and versions else [told]:
        at = micros(each.get("timestamp")) if isinstance(each, dict) else None
        if at is not None:
            yield Entry(str(each.get("value") or ""), at)


def _associated_ids(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = told.get("associations")
    found = listed.get(name) if isinstance(listed, dict) else None
    return tuple(str(each) for each in found if isinstance(each, int | str)) if isinstance(found, list) else ()


def _meaning_told(deal: Record) -> dict[str, str]:
    """What the deal itself says of its stage."""
    is_closed, is_won = deal.get("hs_is_closed") == "true", deal.get("hs_is_closed_won") == "true"
    return {deal.get("dealstage") or "": "won" if is_won else "lost" if is_closed else ""}


PROVIDER = Provider(
    name="hubspot",
    title="HubSpot",
    is_authentic=_is_authentic,
    read=_read,
    secret_is="the client secret of the app that sends the webhooks",  # noqa: S106 - words about it
    base_url="https://api.hubapi.com",
    fetches=KINDS,
    most_fetched=100,
    fetch=hubspot_api.fetch,
    polls=hubspot_api.POLLS,
    poll=hubspot_api.poll,
    pipelines=hubspot_api.pipelines,
    account=hubspot_api.account,
    won_in=hubspot_api.won_in,
)
