"""What Salesforce's contacts, leads and campaign members say: who they are, what their status means, which touches it tells of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.crm.messages import Said
from app.crm.salesforce_values import (
    ABSENT,
    BANT,
    CLICK_IDS,
    DAY,
    STATUSES,
    UTM,
    WHY_NOT,
    Org,
    Record,
    account_of,
    at,
    first_said,
    flag,
    full_id,
    is_deleted,
    message_of,
    micros_at,
    modified_at,
    own_field,
    owner_of,
    properties_of,
    said_of,
    text_at,
    time_of,
    url_of,
)

_MARKS = {
    "sql": "contact.qualified", "mql": "contact.marketing_qualified", "mql_rejected": "contact.marketing_rejected",
    "disqualified": "contact.disqualified", "recycled": "contact.recycled",
}  # fmt: skip
_WEB_SOURCES = ("web", "website", "web form", "web-to-lead")


def contact_said(org: Org, record: Record) -> list[Said]:
    """What a Contact says."""
    return _person_said(org, record, said_of({"id": full_id(at(record, "Id"))}), {"company": account_of(record)})


def lead_said(org: Org, record: Record) -> list[Said]:
    """What a Lead says. One that was converted is the contact that it became: both IDs are one human's."""
    lead_id, contact_id = full_id(at(record, "Id")), full_id(at(record, "ConvertedContactId"))
    names = said_of({"lead_id": lead_id, "id": contact_id if isinstance(contact_id, str) else ABSENT})
    employer = said_of({"name": at(record, "Company"), "domain": at(record, "Website")})
    said = _person_said(org, record, names, {"company": employer or ABSENT})
    deal_id = full_id(at(record, "ConvertedOpportunityId"))
    if isinstance(deal_id, str) and isinstance(contact_id, str) and not org.has_token and not is_deleted(record):
        contact = names | said_of({"email": at(record, "Email")})
        said.append(message_of("deal.updated", deal_id, {"id": deal_id, "contacts": [contact]}, modified_at(record)))
    return said


def lead_history_said(org: Org, row: Record) -> list[Said]:
    """A row of LeadHistory: a status that means something, or the conversion, at its own time."""
    lead_id, field = full_id(at(row, "LeadId")), at(row, "Field")
    mark = "sql" if field == "leadConverted" else _mark_of(org, at(row, "NewValue")) if field == "Status" else None
    if mark is None or is_deleted(row):
        return []
    reason = at(row, "NewValue") if mark not in {"sql", "mql"} else ABSENT
    return [message_of(_MARKS[mark], lead_id, said_of({"lead_id": lead_id, "reason": reason}), micros_at(row, "CreatedDate"))]


def _person_said(org: Org, record: Record, names: dict[str, Any], employer: dict[str, Any]) -> list[Said]:
    """What a human's record says: who they are, since when we know of them, and what its status means."""
    record_id, changed_at = full_id(at(record, "Id")), modified_at(record)
    if is_deleted(record):
        return []
    data = said_of({**names, **_person_data(org, record), **employer, "url": url_of(org, record_id)})
    said = [message_of("contact.updated", record_id, data, changed_at)]
    created_at = micros_at(record, "CreatedDate")
    if created_at is not None:
        first = "contact.lead" if "lead_id" in names and _is_web_lead(org, record) else "contact.created"
        said.append(message_of(first, record_id, names, created_at))
    is_converted = flag(at(record, "IsConverted")) or {"lead_id", "id"} <= set(names)
    mark = "sql" if is_converted else _mark_of(org, own_field(org, record, "status", "Status"))
    if mark is not None:
        said.append(message_of(_MARKS[mark], record_id, names | _evidence(org, record, mark), changed_at))
    return said


def _person_data(org: Org, record: Record) -> dict[str, Any]:
    return {
        "email": at(record, "Email"),
        "phone": first_said(record, "Phone", "MobilePhone"),
        "user_id": own_field(org, record, "user_id"),
        "name": _name(record),
        "lead_source": at(record, "LeadSource"),
        "may_contact": _may_contact(record),
        "owner": owner_of(org, record),
        "account_manager": own_field(org, record, "account_manager"),
        "visitor_id": own_field(org, record, "visitor_id"),
        "properties": properties_of(org, record),
        "reported_touches": _reported_touches(org, record) or ABSENT,
    }


def _name(record: Record) -> Any:
    parts = [text_at(record, part) for part in ("FirstName", "LastName")]
    return text_at(record, "Name") or " ".join(part for part in parts if part) or ABSENT


def _may_contact(record: Record) -> Any:
    """False only if every way that the record tells of is closed: who unsubscribed from mails may still be called."""
    flags = [flag(at(record, name)) for name in ("HasOptedOutOfEmail", "DoNotCall")]
    told = [each for each in flags if each is not None]
    return not all(told) if told else ABSENT


def _is_web_lead(org: Org, record: Record) -> bool:
    named = _names(org, "web_sources", _WEB_SOURCES)
    return (text_at(record, "LeadSource") or "").strip().lower() in named


def _names(org: Org, word: str, usual: Iterable[str]) -> set[str]:
    """The values that a site names for a word, separated by semicolons, in lower case."""
    named = org.settings.fields.get(word)
    return {each.strip().lower() for each in (named.split(";") if named else usual)}


def _mark_of(org: Org, status: Any) -> str | None:
    if not isinstance(status, str):
        return None
    means = (mark for mark, usual in STATUSES.items() if status.strip().lower() in _names(org, f"{mark}_status", usual))
    return next(means, None)


def _evidence(org: Org, record: Record, mark: str) -> dict[str, Any]:
    """Who marked the lead, why, and what of BANT is known."""
    said: dict[str, Any] = {"by": text_at(record, "LastModifiedBy.Name", "Owner.Name") or ABSENT}
    if mark == "sql":
        found = {word: flag(own_field(org, record, word)) for word in BANT}
        known = {word: value for word, value in found.items() if value is not None}
        said["bant"] = known or ABSENT
    elif mark != "mql":
        reason = own_field(org, record, "disqualified_reason", *WHY_NOT)
        said["reason"] = reason if isinstance(reason, str) else own_field(org, record, "status", "Status")
    return said_of(said)


_OFFLINE_SOURCES = (
    ("webinar", "Webinars"), ("trade show", "Events"), ("seminar", "Events"), ("event", "Events"), ("conference", "Events"),
    ("partner", "Partners"), ("cold call", "Outbound Sales"), ("purchased list", "Outbound Sales"), ("direct mail", "Direct Mail"),
)  # fmt: skip
_ATTENDANCE = ("Events", "Webinars")
"""Channels where whoever registered or was invited need not have come."""
_CAME = ("attended", "visited", "participated", "checked in", "checked-in", "showed up", "met at", "walk")
_CAME_NOT = ("not ", "no show", "no-show", "didn't", "did not", "n't")


def _reported_touches(org: Org, record: Record) -> list[dict[str, Any]]:
    """The touch that a person's own fields tell of: UTM fields and click IDs; of a lead, else, an offline source."""
    told_at = own_field(org, record, "touched_at")
    occurred_at = time_of(told_at if isinstance(told_at, str) else at(record, "CreatedDate"))
    if not isinstance(occurred_at, str):
        return []
    parts = {part: own_field(org, record, word, f"{word}__c") for word, part in UTM.items()}
    parts["click_id"] = next((v for v in (own_field(org, record, word, f"{word}__c") for word in CLICK_IDS) if isinstance(v, str)), None)
    named = {part: value for part, value in parts.items() if isinstance(value, str)}
    url = own_field(org, record, "url")
    if named:
        return [{"occurred_at": occurred_at, **named} | ({"url": url} if isinstance(url, str) else {})]
    source = text_at(record, "LeadSource") or ""
    channel = _channel(source)
    return [{"occurred_at": occurred_at, "source": source, "channel": channel}] if channel and at(record, "Status") is not ABSENT else []


def _channel(text: str) -> str | None:
    return next((channel for word, channel in _OFFLINE_SOURCES if word in text.lower()), None)


def member_said(org: Org, record: Record) -> list[Said]:
    """What a CampaignMember says: a touch, if they came to the event or responded. Who registered has not come yet."""
    names = {word: full_id(at(record, name)) for word, name in (("id", "ContactId"), ("lead_id", "LeadId"))}
    named = {word: value for word, value in names.items() if isinstance(value, str)}
    touch = _member_touch(org, record)
    if touch is None or not named or is_deleted(record):
        return []
    return [message_of("contact.updated", full_id(at(record, "Id")), {**named, "reported_touches": [touch]}, modified_at(record))]


def _member_touch(org: Org, record: Record) -> dict[str, Any] | None:
    campaign = own_field(org, record, "campaign", "Campaign.Name", "CampaignId")
    kind = text_at(record, "Campaign.Type") or ""
    status = (text_at(record, "Status") or "").lower()
    channel = _channel(f"{kind} {campaign}" if isinstance(campaign, str) else kind)
    came = any(word in status for word in _CAME) and not any(word in status for word in _CAME_NOT)
    has_taken_part = came if channel in _ATTENDANCE else came or flag(at(record, "HasResponded")) is True
    occurred_at = first_said(record, "FirstRespondedDate", "CreatedDate")
    if not has_taken_part or not isinstance(occurred_at, str) or not isinstance(campaign, str):
        return None
    day = DAY.fullmatch(occurred_at)
    at_time = f"{occurred_at}T00:00:00.000Z" if day else time_of(occurred_at)
    told = {"occurred_at": at_time, "source": "salesforce", "medium": kind, "campaign": campaign, "channel": channel}
    return {name: value for name, value in told.items() if value}
