"""The provider Salesforce: Outbound Messages (SOAP), JSON of a Flow, and its API by SOQL.

What a record says is in `app.crm.salesforce_records`. Salesforce signs nothing: a sender is known by `?secret=`, and
where the connection names its organization, by that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic_core import from_json

from app import ids
from app.crm.api import Missing
from app.crm.messages import Said, snapshot
from app.crm.providers import Client, Delivery, NotUnderstood, Page, Pipeline, Provider, Read, Stage, StatedDeal, Wanted
from app.crm.salesforce_deals import ONE_PIPELINE, stage_history_said
from app.crm.salesforce_records import SAID, named_by, wanted_of
from app.crm.salesforce_values import (
    ACTIVITY_WORDS,
    DEAL_WORDS,
    MEMBER_WORDS,
    PERSON_WORDS,
    USUAL_OF_DEALS,
    USUAL_OF_PEOPLE,
    Org,
    Record,
    flag,
    full_id,
    is_record_id,
    micros_at,
    modified_at,
    text_at,
    time_text,
    words_of_ones_own,
)
from app.crm.senders import has_secret_in_address
from app.sites.connections import Connection

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_ACK = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)
_DATA = "/services/data/v62.0"
_PAGE = 200


# ---------------------------------------------------------------- who may send


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    """Whether the address holds a live secret, and the message is of the connection's organization, if one is named."""
    return has_secret_in_address(delivery, connection) and _is_of_organization(delivery, connection.fields.settings.account_id)


def _is_of_organization(delivery: Delivery, account_id: str | None) -> bool:
    if account_id is None:
        return True
    try:
        sent = _delivered(delivery)
    except NotUnderstood:
        # Who knows the secret sent it: it goes to the quarantine, with the reason.
        return True
    # A Flow need not say whose it is, an Outbound Message does.
    is_flow = not _is_xml(delivery.body)
    return sent.organization == full_id(account_id) or (is_flow and sent.organization is None)


# ---------------------------------------------------------------- what is sent


@dataclass(frozen=True)
class _Notice:
    """One record that was sent."""

    key: str
    """Names the notice: `Notification/Id`, or what a Flow says."""
    object_name: str
    record: Record


@dataclass(frozen=True)
class _Delivered:
    """What a delivery holds, in either format."""

    organization: str | None
    instance: str
    notices: tuple[_Notice, ...]


def _is_xml(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _delivered(delivery: Delivery) -> _Delivered:
    return _of_soap(delivery.body) if _is_xml(delivery.body) else _of_json(delivery)


def _of_soap(body: bytes) -> _Delivered:
    """An Outbound Message. No DTD is read: entities that grow or reach out of the document are refused with it."""
    try:
        envelope = fromstring(body, forbid_dtd=True)
    except DefusedXmlException as error:
        raise NotUnderstood(f"the XML declares what no Outbound Message does: {type(error).__name__}") from error
    except (ParseError, ValueError, LookupError) as error:
        raise NotUnderstood(f"not well-formed XML: {str(error)[:100]}") from error
    sent = envelope.find(f"{_SOAP}Body/{_OUTBOUND}notifications")
    listed = [] if sent is None else sent.findall(f"{_OUTBOUND}Notification")
    if sent is None or not listed:
        raise NotUnderstood("XML, but no Outbound Message with a Notification in it")
    instance = _instance(sent.findtext(f"{_OUTBOUND}EnterpriseUrl") or sent.findtext(f"{_OUTBOUND}PartnerUrl") or "")
    notices = tuple(_notice(each) for each in listed)
    return _Delivered(full_id((sent.findtext(f"{_OUTBOUND}OrganizationId") or "").strip()), instance, notices)


def _instance(api_url: str) -> str:
    """Where people see the organization's records, by the address of its API; empty if that is no address."""
    try:
        address = urlsplit(api_url)
    except ValueError:
        return ""
    return f"https://{address.netloc}" if address.scheme == "https" else ""


def _notice(notification: Element) -> _Notice:
    found = notification.find(f"{_OUTBOUND}sObject")
    record = Element("none") if found is None else found
    fields = {each.tag.rpartition("}")[2]: None if each.get(f"{_XSI}nil") == "true" else each.text or "" for each in record}
    key = (notification.findtext(f"{_OUTBOUND}Id") or "").strip()
    return _Notice(key or ids.digest(json.dumps(fields)), record.get(f"{_XSI}type", "").rpartition(":")[2], fields)


def _of_json(delivery: Delivery) -> _Delivered:
    """What a Flow sends: `{"object": …, "id": …, "record": {…}}`, `records` in place of `record`, or records alone."""
    try:
        sent = from_json(delivery.body, allow_inf_nan=False)
    except ValueError as error:
        raise NotUnderstood(f"neither XML nor JSON: {str(error)[:100]}", is_readable=False) from error
    envelope = sent if isinstance(sent, dict) else {}
    records = envelope.get("records", [envelope.get("record", envelope)]) if envelope else sent
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) and record for record in records):
        raise NotUnderstood('JSON, but no record: send {"object": "Opportunity", "record": {"Id": …, …}}')
    notices = tuple(_flow_notice(envelope, record, place, delivery) for place, record in enumerate(records))
    organization = envelope.get("organization_id")
    instance = text_at(envelope, "instance_url") or ""
    return _Delivered(full_id(organization) or None, instance.rstrip("/") if instance.startswith("https://") else "", notices)


def _flow_notice(envelope: Mapping[str, Any], record: dict[str, Any], place: int, delivery: Delivery) -> _Notice:
    """A record of a Flow. An `id` that is a record's own names no message; what nothing names, its bytes and the moment do."""
    came = ids.digest(str(delivery.received_at), delivery.body.hex())
    object_name = text_at(envelope, "object") or text_at(record, "attributes.type") or ""
    named = text_at(envelope, "id") if record is not envelope else None
    if named is not None and is_record_id(named):
        return _Notice(f"{came}/{place}", object_name, {"Id": named, **record})
    return _Notice(f"{named or came}/{place}", object_name, record)


def _read(delivery: Delivery, connection: Connection) -> Read:
    """What each record says; with a token, also what has to be fetched because the message left it out.

    An Outbound Message that cannot be read at all raises NotUnderstood too, and is acknowledged all the same: it lies
    in the quarantine as it came, and Salesforce would send the very same queue again for 24 hours, to no other end.
    What cannot be stored (503) or comes with a wrong secret (401) is not acknowledged, and so is sent again.
    """
    sent = _delivered(delivery)
    org = _org(connection, sent.instance)
    said: list[Said] = []
    wanted: dict[str, Wanted] = {}
    ignored: Counter[str] = Counter()
    for notice in sent.notices:
        tell = SAID.get(notice.object_name)
        if tell is None:
            ignored["unknown_object"] += 1
            continue
        told = tell(org, notice.record)
        said += (named_by(each, notice.key) for each in told)
        asked = wanted_of(notice.object_name, notice.record, told) if org.has_token else []
        for kind, record_id in asked:
            key = ids.digest(notice.key, kind, record_id, str(modified_at(notice.record)))
            wanted[key] = Wanted(key, kind, record_id, modified_at(notice.record))
        if not told and not asked:
            ignored["says_nothing"] += 1
    return Read(said=tuple(said), wanted=tuple(wanted.values()), ignored=ignored)


def _answer(delivery: Delivery) -> str | None:
    """Salesforce repeats an Outbound Message until it gets just this; a Flow wants JSON."""
    return _ACK if _is_xml(delivery.body) else None


def _org(connection: Connection, instance: str = "") -> Org:
    fields = connection.fields
    return Org(fields.settings, (fields.api_base_url or instance).rstrip("/"), fields.api_token is not None)


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True)
class _Source:
    """An object to query."""

    fields: tuple[str, ...]
    """Its own fields, of which those are asked for that this user may see."""
    related: tuple[str, ...] = ()
    """Fields of other objects, and lists."""
    words: tuple[str, ...] = ()
    """What a site may name fields of this object for."""
    usual: tuple[str, ...] = ()
    """Fields of one's own that are read without being named."""
    changed: str = "SystemModstamp"
    """The field by which it is read in order."""
    only: str = ""
    """A further condition."""


_ROLES = (
    "(SELECT Id, ContactId, IsPrimary, IsDeleted, LastModifiedDate, Contact.Email, Contact.Phone, Contact.Name "
    "FROM OpportunityContactRoles)"
)
_ALWAYS = ("Id", "IsDeleted", "CreatedDate", "LastModifiedDate", "SystemModstamp")
_PERSON = (
    *_ALWAYS, "FirstName", "LastName", "Name", "Email", "Phone", "MobilePhone", "OwnerId", "LeadSource", "HasOptedOutOfEmail", "DoNotCall",
)  # fmt: skip
_ACTIVITY = (*_ALWAYS, "WhoId", "WhatId", "Subject", "OwnerId", "ActivityDate", "Type")
_SOURCES = {
    "Opportunity": _Source(
        (
            *_ALWAYS, "Name", "Amount", "CurrencyIsoCode", "StageName", "IsWon", "IsClosed", "CloseDate", "LastStageChangeDate", "Type",
            "OwnerId", "AccountId", "RecordTypeId",
        ),
        ("Owner.Name", "Account.Name", "Account.Website", "Account.LastModifiedDate", _ROLES),
        DEAL_WORDS,
        USUAL_OF_DEALS,
    ),
    "OpportunityContactRole": _Source((*_ALWAYS, "OpportunityId")),
    "Contact": _Source((*_PERSON, "AccountId"), ("Owner.Name", "Account.Name", "Account.Website"), PERSON_WORDS, USUAL_OF_PEOPLE),
    "Lead": _Source(
        (*_PERSON, "Company", "Website", "Status", "IsConverted", "ConvertedContactId", "ConvertedOpportunityId"),
        ("Owner.Name", "LastModifiedBy.Name"),
        PERSON_WORDS,
        USUAL_OF_PEOPLE,
    ),
    "CampaignMember": _Source(
        (*_ALWAYS, "CampaignId", "LeadId", "ContactId", "Status", "HasResponded", "FirstRespondedDate"),
        ("Campaign.Name", "Campaign.Type"),
        MEMBER_WORDS,
    ),
    "OpportunityHistory": _Source(
        ("Id", "IsDeleted", "OpportunityId", "StageName", "Amount", "CloseDate", "CreatedDate"), changed="CreatedDate"
    ),
    "LeadHistory": _Source(
        ("Id", "IsDeleted", "LeadId", "Field", "NewValue", "CreatedDate"),
        changed="CreatedDate",
        only="Field IN ('Status', 'leadConverted')",
    ),
    "Task": _Source(
        (*_ACTIVITY, "TaskSubtype", "Status", "IsClosed", "CompletedDateTime", "CallType"), ("Owner.Name",), ACTIVITY_WORDS
    ),
    "Event": _Source((*_ACTIVITY, "EventSubtype", "StartDateTime", "ActivityDateTime"), ("Owner.Name",), ACTIVITY_WORDS),
}  # fmt: skip
_POLLED = {
    "contacts": ("Contact", "CampaignMember"),
    "leads": ("Lead",),
    "deals": ("Opportunity", "OpportunityContactRole"),
    "stages": ("OpportunityHistory", "LeadHistory"),
    "activities": ("Task", "Event"),
}
"""By kind: the objects that are read, one after the other."""
_FETCHED = {
    "contacts": {"003": ("Contact", "Id")},
    "leads": {"00Q": ("Lead", "Id")},
    "members": {"00v": ("CampaignMember", "Id")},
    "deals": {"006": ("Opportunity", "Id")},
    "accounts": {"001": ("Opportunity", "AccountId")},
    "activities": {"00T": ("Task", "Id"), "00U": ("Event", "Id")},
}
"""By kind, and by how the IDs begin: the object to ask for, and the field that holds the IDs."""
_DELETED = {"Opportunity": "deal.deleted", "Task": "activity.deleted", "Event": "activity.deleted"}


def quoted(text: str) -> str:
    """A text as SOQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


async def _fetch(client: Client, connection: Connection, kind: str, record_ids: Sequence[str]) -> Sequence[Said]:
    """What those records say now. One that is there no more, not even in the bin, was deleted."""
    org = _org(connection)
    wanted = dict.fromkeys(str(full_id(record_id)) for record_id in record_ids)
    said: list[Said] = []
    for prefix, (name, field) in _FETCHED[kind].items():
        of_object = [record_id for record_id in wanted if record_id.startswith(prefix)]
        if not of_object:
            continue
        records = await _records(client, org, name, f"{field} IN ({', '.join(quoted(each) for each in of_object)})")
        said += (each for record in records for each in SAID[name](org, record))
        found = {full_id(record.get("Id")) for record in records}
        if name in _DELETED and field == "Id":
            gone = (record_id for record_id in of_object if record_id not in found)
            said += (Said(snapshot(_DELETED[name], record_id, {}, 0).id, _DELETED[name], {"id": record_id}) for record_id in gone)
    return said


async def _poll(client: Client, connection: Connection, kind: str, since: int, cursor: str | None) -> Page:
    """A page of what changed. The cursor names the object, and the time and ID of the last record read.

    It is not Salesforce's own, which is forgotten after two days: a poll goes on after any pause.
    """
    org, objects = _org(connection), _POLLED[kind]
    name, _, place = (cursor or objects[0]).partition(" ")
    source = _SOURCES[name]
    stamp, _, last_id = place.partition(" ")
    condition = f"{source.changed} >= {time_text(since)}"
    if stamp:
        condition = f"({source.changed} > {stamp} OR ({source.changed} = {stamp} AND Id > {quoted(last_id)}))"
    records = await _records(client, org, name, condition, f" ORDER BY {source.changed}, Id LIMIT {_PAGE}")
    said = tuple(await _said_by(client, connection, org, name, records))
    if len(records) >= _PAGE:
        last = records[-1]
        return Page(said, f"{name} {time_text(micros_at(last, source.changed) or since)} {last['Id']}")
    following = objects[objects.index(name) + 1 :]
    return Page(said, following[0] if following else None)


async def _said_by(client: Client, connection: Connection, org: Org, name: str, records: Sequence[Record]) -> Iterable[Said]:
    if name == "OpportunityContactRole":
        # A role changes without its opportunity, and says only one of the deal's contacts.
        deals = list(dict.fromkeys(str(full_id(role.get("OpportunityId"))) for role in records))
        return await _fetch(client, connection, "deals", deals) if deals else ()
    if name == "OpportunityHistory":
        meanings = {} if org.maps_stages or not records else await _stage_meanings(client)
        return [each for row in records for each in stage_history_said(org, row, meanings)]
    return [each for record in records for each in SAID[name](org, record)]


async def _records(client: Client, org: Org, name: str, condition: str, ending: str = "") -> list[dict[str, Any]]:
    """The records of an object, those in the bin included. None where this user cannot see the object at all."""
    source = _SOURCES[name]
    try:
        described = await client.get(f"{_DATA}/sobjects/{name}/describe")
    except Missing:
        return []
    visible = {field["name"] for field in described["fields"]}
    named = org.settings.fields
    own = [named[word] for word in (*source.words, *words_of_ones_own(org)) if word in named]
    fields = [field for field in dict.fromkeys((*source.fields, *source.usual, *own)) if field in visible]
    conditions = " AND ".join(each for each in (condition, source.only) if each)
    soql = f"SELECT {', '.join((*fields, *source.related))} FROM {name} WHERE {conditions}{ending}"  # noqa: S608 - every text in it is quoted
    records = await _rows(client, soql, "queryAll")
    for record in records:
        await _complete(client, record)
        if name == "Opportunity":
            # An organization without record types has no such field.
            record.setdefault("RecordTypeId", None)
    return records


async def _rows(client: Client, soql: str, resource: str = "query") -> list[dict[str, Any]]:
    """All records of a query, however many pages Salesforce makes of them."""
    return await _pages(client, await client.get(f"{_DATA}/{resource}", {"q": soql}))


async def _pages(client: Client, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    records = list(answer["records"])
    while not answer["done"]:
        answer = await client.get(answer["nextRecordsUrl"])
        records += answer["records"]
    return records


async def _complete(client: Client, record: dict[str, Any]) -> None:
    """Have the list of an opportunity's roles whole: a long one comes in pages of its own."""
    roles = record.get("OpportunityContactRoles")
    if isinstance(roles, dict) and not roles.get("done", True):
        record["OpportunityContactRoles"] = {"done": True, "records": await _pages(client, roles)}


async def _stages(client: Client) -> list[dict[str, Any]]:
    return await _rows(client, "SELECT ApiName, MasterLabel, IsWon, IsClosed, IsActive FROM OpportunityStage ORDER BY SortOrder")


async def _stage_meanings(client: Client) -> dict[str, str]:
    """`won`, `lost` or `open` by name of the stage."""
    return {stage["ApiName"]: _meaning(stage) or "open" for stage in await _stages(client)}


def _meaning(stage: Record) -> str:
    return "won" if flag(stage["IsWon"]) else "lost" if flag(stage["IsClosed"]) else ""


async def _pipelines(client: Client, _connection: Connection) -> Sequence[Pipeline]:
    """One for each record type of opportunities, and one for those without; every one with all active stages."""
    stages = tuple(Stage(each["ApiName"], each["MasterLabel"], _meaning(each)) for each in await _stages(client) if flag(each["IsActive"]))
    types = await _rows(client, "SELECT Id, Name FROM RecordType WHERE SobjectType = 'Opportunity' AND IsActive = TRUE ORDER BY Name")
    named = [Pipeline(str(full_id(each["Id"])), each["Name"], stages) for each in types]
    return [*named, Pipeline(ONE_PIPELINE, "Without a record type" if named else "Opportunities", stages)]


async def _won_in(client: Client, connection: Connection, month: str) -> Sequence[StatedDeal]:
    """The opportunities won in a month, by their close date."""
    first = date.fromisoformat(f"{month}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    condition = f"IsWon = true AND CloseDate >= {first} AND CloseDate < {following}"
    records = await _records(client, _org(connection), "Opportunity", condition)
    return [
        StatedDeal(each["Id"], each.get("Name"), each.get("Amount"), each.get("CurrencyIsoCode"), each.get("CloseDate"))
        for each in records
        if not each.get("IsDeleted")
    ]


async def _account(client: Client, _connection: Connection) -> str:
    [organization] = await _rows(client, "SELECT Id, Name, IsSandbox FROM Organization LIMIT 1")
    sandbox = ", a sandbox" if flag(organization["IsSandbox"]) else ""
    return f"{organization['Name']} ({full_id(organization['Id'])}{sandbox})"


def _token_request(token: str) -> tuple[str, dict[str, str]] | None:
    """`CLIENT_ID:CLIENT_SECRET` is exchanged by the client credentials flow, with `:REFRESH_TOKEN` by that; else it is the
    access token itself, which no colon is in. Access tokens end within hours.
    """
    client_id, _, rest = token.partition(":")
    client_secret, _, refresh_token = rest.partition(":")
    if not client_secret:
        return None
    grant = {"grant_type": "refresh_token", "refresh_token": refresh_token} if refresh_token else {"grant_type": "client_credentials"}
    return "/services/oauth2/token", {**grant, "client_id": client_id, "client_secret": client_secret}


PROVIDER = Provider(
    name="salesforce",
    title="Salesforce",
    is_authentic=_is_authentic,
    read=_read,
    answer=_answer,
    answer_type="text/xml; charset=utf-8",
    kept_headers=("content-type",),
    token_request=_token_request,
    fetches=tuple(_FETCHED),
    most_fetched=_PAGE,
    fetch=_fetch,
    polls=tuple(_POLLED),
    poll=_poll,
    pipelines=_pipelines,
    account=_account,
    won_in=_won_in,
)
