"""What HubSpot's records say: contacts, deals and engagements, by the internal names of their properties, as messages.

Each property is a text or null, a time in ISO 8601 or in milliseconds. A record says its state as of its last change;
stages say, entry by entry of their history, when they began. So whoever asks, and whenever, hears the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

from app.crm.hubspot_touches import TOUCH_PROPERTIES, reported_touches
from app.crm.hubspot_values import LONGEST_LINE, Entry, Properties, Record, in_order, micros
from app.crm.messages import Said, snapshot, stamp
from app.crm.providers import Pipeline
from app.sites.connections import Connection
from app.tables import from_micros

ACTIVITIES = ("calls", "emails", "meetings", "communications", "tasks", "notes")
"""HubSpot's engagements: of the last three kinds an activity is `other`."""
KINDS = ("contacts", "deals", *ACTIVITIES)
MOST_LISTED = 1_000
"""Contacts of one deal."""
MOST_AT_ONCE = 10
"""More contacts on one engagement were written to in bulk; so many stand as activities of their own."""

_LIFECYCLE, _LEAD_STATUS, _DEAL_STAGE, _AMOUNT = "lifecyclestage", "hs_lead_status", "dealstage", "amount"
_VISITOR_ID = "closedloop_visitor_id"
"""A contact's property that holds the browser's ID, unless settings name another."""

_NAMED = ("email", "firstname", "lastname", "phone", "mobilephone")
CONTACT_NAMES = _NAMED
"""What is read of a contact that another record names."""
COMPANY_NAMES = ("name", "domain")
_ENGAGEMENT = ("hs_timestamp", "hs_createdate", "hs_lastmodifieddate", "hubspot_owner_id", "hs_object_source", "hs_engagement_source")
_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "contacts": (
        *_NAMED, _LIFECYCLE, _LEAD_STATUS, _VISITOR_ID, "createdate", "lastmodifieddate", "hubspot_owner_id", "hs_email_optout", "company",
        "associatedcompanyid", "hs_additional_emails", "hs_merged_object_ids", "hs_lifecyclestage_lead_date",
        "hs_lifecyclestage_marketingqualifiedlead_date", "hs_lifecyclestage_salesqualifiedlead_date", *TOUCH_PROPERTIES,
    ),
    "deals": (
        "dealname", _AMOUNT, "deal_currency_code", _DEAL_STAGE, "pipeline", "closedate", "createdate", "hs_lastmodifieddate", "dealtype",
        "hubspot_owner_id", "closed_lost_reason", "hs_mrr",
    ),
    "calls": (*_ENGAGEMENT, "hs_call_title", "hs_call_direction", "hs_call_status"),
    "emails": (*_ENGAGEMENT, "hs_email_subject", "hs_email_direction", "hs_email_status", "hs_sequence_id"),
    "meetings": (*_ENGAGEMENT, "hs_meeting_title", "hs_meeting_outcome", "hs_meeting_start_time"),
    "communications": (*_ENGAGEMENT, "hs_communication_channel_type"),
    "tasks": (*_ENGAGEMENT, "hs_task_subject", "hs_task_status", "hs_task_completion_date"),
    "notes": _ENGAGEMENT,
}  # fmt: skip

_BANT = ("budget", "authority", "need", "timeline")
_OURS = {
    *_BANT, "visitor_id", "lead_source", "may_contact", "account_manager", "disqualified_reason", "utm_source", "utm_medium",
    "utm_campaign", "utm_term", "utm_content", "click_id",
}  # fmt: skip
"""Words of `settings.fields` that mean something of a contact; any other names a property of the site's own."""
_OF_DEAL, _OF_COMPANY = "deal.", "company."


@dataclass(frozen=True)
class Account:
    """What HubSpot says of the account itself."""

    portal_id: str = ""
    ui_domain: str = "app.hubspot.com"
    zone: tzinfo = UTC
    """In which days are meant."""
    currency: str | None = None
    """Of every deal that names none."""


@dataclass(frozen=True)
class Around:
    """What the records of one call refer to."""

    account: Account = Account()
    fields: Mapping[str, str] = field(default_factory=dict)
    """`settings.fields`."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Name by owner ID, and by `user:` and user ID."""
    meanings: Mapping[str, str] | None = None
    """`won`, `lost` or nothing, by stage; None: settings say what stages mean."""
    contacts: Mapping[str, Properties] = field(default_factory=dict)
    companies: Mapping[str, Properties] = field(default_factory=dict)


def properties_of(kind: str, fields: Mapping[str, str]) -> list[str]:
    """The properties to read of a kind of record (one of `KINDS`, or `companies`)."""
    prefix = {"deals": _OF_DEAL, "companies": _OF_COMPANY}.get(kind, "")
    own = [name for word, name in fields.items() if _belongs(word, prefix)] if kind in {"contacts", "deals", "companies"} else []
    return list(dict.fromkeys([*(COMPANY_NAMES if kind == "companies" else _PROPERTIES[kind]), *own]))


def histories_of(kind: str, fields: Mapping[str, str]) -> list[str]:
    """The properties of which earlier values are read too: whose time counts, whenever they are read."""
    if kind == "contacts":
        named_too = [fields[word] for word in (*_BANT, "disqualified_reason") if word in fields]
        return list(dict.fromkeys([_LIFECYCLE, _LEAD_STATUS, fields.get("visitor_id", _VISITOR_ID), *named_too]))
    named = fields.get(f"{_OF_DEAL}visitor_id")
    return [_DEAL_STAGE, _AMOUNT, *([named] if named else [])] if kind == "deals" else []


def _belongs(word: str, prefix: str) -> bool:
    return word.startswith(prefix) if prefix else not word.startswith((_OF_DEAL, _OF_COMPANY))


def said_of(kind: str, record: Record, around: Around) -> list[Said]:
    """What a record of a kind says now."""
    of_kind = {"contacts": _contact_said, "deals": _deal_said}.get(kind)
    return of_kind(record, around) if of_kind else _activity_said(kind, record, around)


def deleted(kind: str, record_id: str, at: int) -> list[Said]:
    """That a record is gone since `at`. Of a contact nothing follows: what it did happened."""
    if kind == "contacts":
        return []
    if kind == "deals":
        return [snapshot("deal.deleted", record_id, {"id": record_id}, at)]
    return [snapshot("activity.deleted", each, {"id": each}, at) for each in _parts(record_id, MOST_AT_ONCE)]


# ---------------------------------------------------------------- deals


def stage_said(deal_id: str, stage: str, at: int) -> Said:
    """That a deal entered a stage."""
    return snapshot("deal.updated", deal_id, {"id": deal_id, "stage": stage}, at)


def _deal_said(deal: Record, around: Around) -> list[Said]:
    now = _said("deal.updated", deal, _deal_data(deal, around), "hs_lastmodifieddate")
    visitors = _values_said("deal.updated", deal, "visitor_id", around.fields.get(f"{_OF_DEAL}visitor_id"))
    return [*_stages_said(deal, around), *_values_said("deal.updated", deal, "amount", _AMOUNT), *visitors, now]


def _stages_said(deal: Record, around: Around) -> Iterator[Said]:
    """A message for each stage that the deal entered, with its outcome where settings leave that to HubSpot."""
    before = ""
    for entry in _entries(deal, _DEAL_STAGE):
        if entry.value not in {"", before}:
            type_ = _turn(around.meanings, before, entry.value)
            yield snapshot(type_, deal.id, {"id": deal.id, "stage": entry.value}, entry.at)
            before = entry.value


def _turn(meanings: Mapping[str, str] | None, before: str, stage: str) -> str:
    if meanings is None:
        return "deal.updated"
    return f"deal.{meanings.get(stage) or ('reopened' if meanings.get(before) else 'updated')}"


def _deal_data(deal: Record, around: Around) -> dict[str, Any]:
    account, fields = around.account, _of(around.fields, _OF_DEAL)
    closed_at = micros(deal.get("closedate"))
    mrr = deal.get("hs_mrr")
    data = {
        "id": deal.id,
        "name": deal.line("dealname"),
        "amount": deal.get(_AMOUNT),
        "currency": deal.get("deal_currency_code") or account.currency,
        "stage": deal.get(_DEAL_STAGE),
        "pipeline": deal.get("pipeline"),
        "opened_at": stamp(micros(deal.get("createdate"))),
        "closed_on": None if closed_at is None else from_micros(closed_at).astimezone(account.zone).date().isoformat(),
        "type": _deal_type(deal.get("dealtype")),
        "owner": _owner(deal.get("hubspot_owner_id"), around),
        "lost_reason": deal.line("closed_lost_reason"),
        "recurring": {"amount": mrr, "period": "month"} if mrr and _number(mrr) > 0 else None,
        "company": _company(deal.companies, around),
        "contacts": [named_contact(each, around) for each in deal.contacts[:MOST_LISTED]],
        "url": _url(account, "deal", deal.id),
    }
    data |= {"account_manager": _owner(deal.get(fields["account_manager"]), around)} if "account_manager" in fields else {}
    return data | _own_properties(deal, {word: name for word, name in fields.items() if word not in {"account_manager", "visitor_id"}})


def _deal_type(dealtype: str | None) -> str | None:
    """HubSpot knows new and existing business; renewals are a type of one's own, told by its name."""
    name = (dealtype or "").lower()
    if "renew" in name:
        return "renewal"
    return {"newbusiness": "new", "existingbusiness": "expansion"}.get(name)


def says_stages(connection: Connection) -> bool:
    """Whether settings say what stages mean: else HubSpot does."""
    meanings = connection.fields.settings.meanings()
    return bool(meanings["won"] or meanings["lost"])


def stage_meanings(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """What HubSpot itself says that each stage means."""
    return {stage.id: stage.meaning for each in pipelines for stage in each.stages}


# ---------------------------------------------------------------- contacts


def named_contact(contact_id: str, around: Around) -> dict[str, Any]:
    """A contact as another record names it."""
    return _names(contact_id, around.contacts.get(contact_id, {}))


def _names(contact_id: str, properties: Properties) -> dict[str, Any]:
    record = Record(contact_id, properties)
    name = " ".join(part for part in (record.get("firstname"), record.get("lastname")) if part)
    found = {"email": record.get("email"), "phone": record.get("phone") or record.get("mobilephone"), "name": name or None}
    return {"id": contact_id} | {word: text for word, text in found.items() if text is not None}


def _contact_said(contact: Record, around: Around) -> list[Said]:
    return [
        _said("contact.updated", contact, _contact_data(contact, around), "lastmodifieddate"),
        *_other_names(contact),
        *_values_said("contact.updated", contact, "visitor_id", around.fields.get("visitor_id", _VISITOR_ID)),
        *_lifecycle_said(contact, around),
        *_lead_status_said(contact, around),
    ]


def _contact_data(contact: Record, around: Around) -> dict[str, Any]:
    fields = around.fields
    data = _names(contact.id, contact.properties) | {
        "owner": _owner(contact.get("hubspot_owner_id"), around),
        "lead_source": contact.get(fields.get("lead_source", "hs_analytics_source")),
        "company": _company((contact.get("associatedcompanyid"),), around) or _company_by_name(contact.get("company")),
        "url": _url(around.account, "contact", contact.id),
    }
    may_contact = _may_contact(contact, fields)
    data |= {} if may_contact is None else {"may_contact": may_contact}
    data |= {"account_manager": _owner(contact.get(fields["account_manager"]), around)} if "account_manager" in fields else {}
    touches = reported_touches(contact, fields)
    data |= {"reported_touches": touches} if touches else {}
    own = {word: name for word, name in fields.items() if word not in _OURS and _belongs(word, "")}
    return data | _own_properties(contact, own)


def _other_names(contact: Record) -> Iterator[Said]:
    """Its further addresses, and the contacts that were merged into it: all the same human."""
    names, at = _names(contact.id, contact.properties), _changed_at(contact, "createdate")
    for email in _listed(contact.get("hs_additional_emails")):
        yield snapshot("contact.updated", contact.id, {"id": contact.id, "email": email}, at)
    keys: dict[str, Any] = {word: names[word] for word in ("email", "phone") if word in names}
    for merged_id in _listed(contact.get("hs_merged_object_ids")) if keys else ():
        yield snapshot("contact.updated", merged_id, {"id": merged_id, **keys}, at)


_MQL, _SQL = "marketingqualifiedlead", "salesqualifiedlead"
_MARKS = {"lead": "contact.lead", _MQL: "contact.marketing_qualified", _SQL: "contact.qualified"}
_BEFORE_MQL = {"subscriber", "lead", "other"}


def _lifecycle_said(contact: Record, around: Around) -> Iterator[Said]:
    """A message for each lifecycle stage that the contact entered and that is ours too.

    HubSpot keeps, beside a history of limited length, when each stage was last entered. Sales that send a contact back
    from 'marketing qualified' have rejected it.
    """
    entries = _entries(contact, _LIFECYCLE)
    known = {entry.value for entry in entries}
    dates = [Entry(stage, at) for stage in _MARKS if (at := micros(contact.get(f"hs_lifecyclestage_{stage}_date"))) is not None]
    before = ""
    for entry in in_order([*entries, *(date for date in dates if date.value not in known)]):
        if before == _MQL and entry.value in _BEFORE_MQL:
            yield _mark("contact.marketing_rejected", contact, entry, around)
        elif entry.value == _SQL:
            yield from _qualified(contact, entry, around)
        elif entry.value in _MARKS:
            yield _mark(_MARKS[entry.value], contact, entry, around)
        # To move a contact back, HubSpot has its stage cleared first.
        before = entry.value or before


def _qualified(contact: Record, entry: Entry, around: Around) -> Iterator[Said]:
    """That sales qualified a contact, with the evidence of that moment; and again whenever there is more or other evidence."""
    evidence = {word: _entries(contact, around.fields.get(word)) for word in _BANT}
    later = {each.at for entries in evidence.values() for each in entries if each.at > entry.at}
    before: dict[str, bool] | None = None
    for at in sorted({entry.at, *later}):
        found = {word: _is_yes(value) for word, entries in evidence.items() if (value := _value_at(entries, at))}
        if found != before:
            yield _mark("contact.qualified", contact, replace(entry, at=at), around, **({"bant": found} if found else {}))
        before = found


_STATUSES = {"UNQUALIFIED": "contact.disqualified", "BAD_TIMING": "contact.recycled"}


def _lead_status_said(contact: Record, around: Around) -> Iterator[Said]:
    """A message for each time that sales put a contact aside, with the reason that was noted before it went on."""
    entries, reasons = _entries(contact, _LEAD_STATUS), _entries(contact, around.fields.get("disqualified_reason"))
    for place, entry in enumerate(entries):
        if entry.value in _STATUSES:
            until = entries[place + 1].at - 1 if place + 1 < len(entries) else None
            noted = _value_at(reasons, until)[:LONGEST_LINE]
            yield _mark(_STATUSES[entry.value], contact, entry, around, reason=noted or _in_words(entry.value))


def _value_at(entries: Sequence[Entry], at: int | None) -> str:
    """What a property was at a moment, or is now; empty: nothing."""
    return next((each.value.strip() for each in reversed(entries) if at is None or each.at <= at), "")


def _mark(type_: str, contact: Record, entry: Entry, around: Around, **said: Any) -> Said:
    by = around.owners.get(f"user:{entry.by}") or _in_words(entry.by)
    return snapshot(type_, contact.id, {"id": contact.id, **({"by": by} if by else {}), **said}, entry.at)


def _may_contact(contact: Record, fields: Mapping[str, str]) -> bool | None:
    if contact.get("hs_email_optout") == "true":
        return False
    told = contact.get(fields.get("may_contact", "hs_email_optout"))
    if told is None:
        return None
    return _is_yes(told) if "may_contact" in fields else True


# ---------------------------------------------------------------- activities

_ACTIVITY_KINDS = {"calls": "call", "emails": "email", "meetings": "meeting"}
_TITLES = {"calls": "hs_call_title", "emails": "hs_email_subject", "meetings": "hs_meeting_title", "tasks": "hs_task_subject"}
_TIMES = {"meetings": "hs_meeting_start_time", "tasks": "hs_task_completion_date"}
_DIRECTIONS = {
    "INBOUND": "inbound", "OUTBOUND": "outbound", "EMAIL": "outbound", "INCOMING_EMAIL": "inbound", "FORWARDED_EMAIL": "inbound",
}  # fmt: skip
_STATES = {"calls": "hs_call_status", "emails": "hs_email_status", "meetings": "hs_meeting_outcome", "tasks": "hs_task_status"}
_NOT_DONE = {
    "calls": {"CANCELED", "FAILED", "MISSED", "QUEUED", "RINGING", "CONNECTING", "CALLING_CRM_USER"},
    "emails": {"BOUNCED", "FAILED", "SCHEDULED", "SENDING"},
    "meetings": {"SCHEDULED", "RESCHEDULED", "CANCELED", "NO_SHOW"},
    "tasks": {"NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED"},
}
_MACHINES = ("SEQUENCE", "WORKFLOW", "AUTOMATION", "MARKETING", "CAMPAIGN", "BATCH", "BULK")
"""In the source of what no human wrote to one other."""


def _activity_said(kind: str, record: Record, around: Around) -> list[Said]:
    """An engagement with several contacts or deals is an activity with each: one activity names one of either."""
    people, deals = record.contacts[:MOST_AT_ONCE], record.deals[:MOST_AT_ONCE]
    parts = max(len(people), len(deals))
    if not parts:
        # With a company alone, or with nobody any more.
        return deleted(kind, record.id, _changed_at(record, "hs_lastmodifieddate"))[:1]
    data = _activity_data(kind, record, around)
    said = []
    for place, part in enumerate(_parts(record.id, parts)):
        named: dict[str, Any] = {"contact": named_contact(people[place], around)} if place < len(people) else {}
        named |= {"deal": deals[place]} if place < len(deals) else {}
        said.append(_said("activity.logged", record, {**data, "id": part, **named}, "hs_lastmodifieddate"))
    return said


def _activity_data(kind: str, record: Record, around: Around) -> dict[str, Any]:
    direction = _DIRECTIONS.get(record.get(f"hs_{kind.removesuffix('s')}_direction") or "")
    took_place_at = micros(record.get(_TIMES.get(kind))) or micros(record.get("hs_timestamp"))
    found = {
        "direction": direction or ("outbound" if kind == "communications" else None),
        "took_place_at": stamp(took_place_at),
        "title": record.line(_TITLES.get(kind)),
        "by": _owner(record.get("hubspot_owner_id"), around),
    }
    is_done = record.get(_STATES.get(kind)) not in _NOT_DONE.get(kind, set())
    told = {"kind": _ACTIVITY_KINDS.get(kind, "other"), "automated": _is_automated(kind, record), "done": is_done}
    return told | {word: value for word, value in found.items() if value is not None}


def _is_automated(kind: str, record: Record) -> bool:
    sources = f"{record.get('hs_object_source')} {record.get('hs_engagement_source')}".upper()
    by_machine = any(machine in sources for machine in _MACHINES)
    return record.get("hs_sequence_id") is not None or by_machine or (kind == "emails" and len(record.contacts) > MOST_AT_ONCE)


def _parts(record_id: str, count: int) -> list[str]:
    """IDs of the activities that one engagement is."""
    return [record_id, *(f"{record_id}:{place}" for place in range(1, count))]


# ---------------------------------------------------------------- what they share


def _said(type_: str, record: Record, data: dict[str, Any], changed: str) -> Said:
    return snapshot(type_, record.id, data, _changed_at(record, changed))


def _values_said(type_: str, record: Record, word: str, name: str | None) -> Iterator[Said]:
    """A message for each value that a property had, since it had it."""
    before = ""
    for entry in _entries(record, name):
        value = entry.value.strip()
        if value not in {"", before}:
            yield snapshot(type_, record.id, {"id": record.id, word: value}, entry.at)
            before = value


def _entries(record: Record, name: str | None) -> list[Entry]:
    """What a property was, the oldest first; where no history came along, what it is."""
    value = record.get(name)
    now = [Entry(value, _changed_at(record, "lastmodifieddate"))] if value else []
    return in_order(record.history.get(name) or now) if name else []


def _changed_at(record: Record, name: str) -> int:
    """When the record changed last, as it says; what says no time is as old as can be, and yields to what does."""
    names = (name, "lastmodifieddate", "hs_lastmodifieddate", "createdate", "hs_createdate")
    return next((at for at in (micros(record.get(each)) for each in names) if at is not None), 0)


def _company(company_ids: Sequence[str | None], around: Around) -> dict[str, Any] | None:
    """The first company, the primary one, by its ID."""
    company_id = next((each for each in company_ids if each), None)
    if company_id is None:
        return None
    company = Record(company_id, around.companies.get(company_id, {}))
    found = {"name": company.line("name"), "domain": company.line("domain")}
    known = {word: text for word, text in found.items() if text is not None}
    return {"id": company_id, **known, **_own_properties(company, _of(around.fields, _OF_COMPANY))}


def _company_by_name(name: str | None) -> dict[str, Any] | None:
    return {"id": None, "name": name} if name else None


def _own_properties(record: Record, fields: Mapping[str, str]) -> dict[str, Any]:
    return {"properties": {word: record.get(name) for word, name in fields.items()}} if fields else {}


def _of(fields: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The fields of one kind of record, their words without its name."""
    return {word.removeprefix(prefix): name for word, name in fields.items() if word.startswith(prefix)}


def _owner(owner_id: str | None, around: Around) -> str | None:
    return None if owner_id is None else around.owners.get(owner_id, owner_id)


def _url(account: Account, kind: str, record_id: str) -> str | None:
    return f"https://{account.ui_domain}/contacts/{account.portal_id}/{kind}/{record_id}" if account.portal_id else None


def _is_yes(text: str) -> bool:
    """Whether a property says yes: a tick, or anything but a plain no."""
    return text.lower() not in {"false", "no", "0", "none", "n/a", "unknown"}


def _in_words(constant: str) -> str | None:
    return constant.replace("_", " ").lower() or None


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(";") if each.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
