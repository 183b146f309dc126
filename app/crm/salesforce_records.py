"""What Salesforce's records say: a record is a mapping of its fields, whether it came by SOAP, by a Flow or from a query.

A field that is absent says nothing; null clears. What is no date or no number is passed on as it is, so that the log
refuses that message alone, in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.collect.fields import micros_of
from app.crm.messages import Said, snapshot
from app.sites.connections import ConnectionSettings

Record = Mapping[str, Any]

ONE_PIPELINE = "default"
"""The pipeline of opportunities without a record type."""
LEAD, CONTACT, OPPORTUNITY = "00Q", "003", "006"
"""How the IDs of these objects begin."""

_ABSENT: Any = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T.+?)(?:([+-][0-9]{2}):?([0-9]{2})|Z)\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=T|\Z)")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?\Z")
_NO_RECORD_TYPE = "012000000000000AAA"
_YES, _NO = {"true", "1", "yes"}, {"false", "0", "no"}

STANDARD_STAGES = {
    "Prospecting": "open", "Qualification": "open", "Needs Analysis": "open", "Value Proposition": "open", "Id. Decision Makers": "open",
    "Perception Analysis": "open", "Proposal/Price Quote": "open", "Negotiation/Review": "open", "Closed Won": "won", "Closed Lost": "lost",
}  # fmt: skip
"""The stages of a new organization, and what they mean: for messages that carry neither `IsWon` nor `IsClosed`."""

_STATUSES = {
    "sql": ("Qualified", "Sales Qualified", "SQL", "Closed - Converted"),
    "mql": ("Marketing Qualified", "MQL"),
    "mql_rejected": ("Rejected", "Sales Rejected"),
    "disqualified": ("Unqualified", "Disqualified", "Closed - Not Converted"),
    "recycled": ("Recycled", "Recycle"),
}
"""Statuses of a lead, by what they mean; a site names its own in `settings.fields` as `sql_status`, …, separated by semicolons."""
_MARKS = {
    "sql": "contact.qualified", "mql": "contact.marketing_qualified", "mql_rejected": "contact.marketing_rejected",
    "disqualified": "contact.disqualified", "recycled": "contact.recycled",
}  # fmt: skip
_WEB_SOURCES = ("web", "website", "web form", "web-to-lead")
_CONTACT_EMAIL = ("Contact_Email__c", "ContactEmail__c", "Primary_Contact_Email__c", "Email__c")
_LOST_REASON = ("Loss_Reason__c", "Lost_Reason__c", "Closed_Lost_Reason__c")
_WHY_NOT = ("Disqualified_Reason__c", "Unqualified_Reason__c", "Disqualification_Reason__c")
_BANT = ("budget", "authority", "need", "timeline")
_UTM = {f"utm_{part}": part for part in ("source", "medium", "campaign", "term", "content")}
_CLICK_IDS = ("click_id", "gclid", "gbraid", "wbraid", "fbclid", "msclkid", "li_fat_id", "ttclid")
USUAL_OF_DEALS = (*_CONTACT_EMAIL, *_LOST_REASON)
USUAL_OF_PEOPLE = (*_WHY_NOT, *(f"{word}__c" for word in (*_UTM, *_CLICK_IDS)))
"""Fields of one's own that are read where the site names no other."""
DEAL_WORDS = (
    "contact_email", "contact_phone", "contact_name", "lost_reason", "owner", "account_manager", "mrr", "arr", "visitor_id", "currency",
)  # fmt: skip
PERSON_WORDS = (
    "owner", "account_manager", "visitor_id", "user_id", "status", "disqualified_reason", *_BANT, *_UTM, *_CLICK_IDS, "url", "touched_at",
)  # fmt: skip
MEMBER_WORDS = ("campaign",)
ACTIVITY_WORDS = ("automated",)
_WORDS = {*DEAL_WORDS, *PERSON_WORDS, *MEMBER_WORDS, *ACTIVITY_WORDS, *(f"{mark}_status" for mark in _STATUSES), "web_sources"}


@dataclass(frozen=True)
class Org:
    """What of a connection decides how its records are read."""

    settings: ConnectionSettings
    instance: str
    """Address of the organization, without a slash at its end; empty: not known."""
    has_token: bool
    """Whether what a message lacks can be fetched."""

    @property
    def maps_stages(self) -> bool:
        """Whether the site says which stages mean won and lost; else Salesforce's own word counts."""
        meanings = self.settings.meanings()
        return bool(meanings["won"] or meanings["lost"])


# ---------------------------------------------------------------- values


def full_id(value: Any) -> Any:
    """An ID in its form of 18 characters, the only one: 15 get their checksum; what lost its capitals has them back from it."""
    if not isinstance(value, str) or not (value.isascii() and value.isalnum()) or len(value) not in {15, 18}:
        return value
    if len(value) == 15:
        return value + _checksum(value)
    suffix = value[15:].upper()
    if value != value.lower() or not set(suffix) <= set(_SUFFIX):
        return value
    cases = [_SUFFIX.index(letter) >> place & 1 for letter in suffix for place in range(5)]
    restored = "".join(letter.upper() if is_upper else letter.lower() for letter, is_upper in zip(value[:15], cases, strict=True))
    return restored + suffix if _checksum(restored) == suffix else value


def is_record_id(text: str) -> bool:
    """Whether a text has the form of a record's ID."""
    known = full_id(text)
    return known != text or (len(text) == 18 and full_id(text[:15]) == text)


def _checksum(fifteen: str) -> str:
    """Three characters that say which letters are capitals, five letters each, the first in the lowest bit."""
    chunks = (fifteen[start : start + 5] for start in (0, 5, 10))
    return "".join(_SUFFIX[sum(1 << place for place, letter in enumerate(chunk) if letter.isupper())] for chunk in chunks)


def at(record: Any, path: str) -> Any:
    """The value at `Account.Name`; `_ABSENT` if the record does not say; an empty text is null, as Salesforce keeps it."""
    for name in path.split("."):
        if not isinstance(record, Mapping) or name not in record:
            return _ABSENT
        record = record[name]
    return None if isinstance(record, str) and not record.strip() else record


def text_at(record: Any, *paths: str) -> str | None:
    """The first text that is there."""
    found = (at(record, path) for path in paths)
    return next((value for value in found if isinstance(value, str)), None)


def flag(value: Any) -> bool | None:
    """A checkbox, of JSON or of XML; None: it is none."""
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _YES else False if word in _NO else None
    return value if isinstance(value, bool) else None


def micros_at(record: Any, *paths: str) -> int | None:
    """The first of these times that can be read, in microseconds."""
    for path in paths:
        try:
            return micros_of(_with_colon(at(record, path)))
        except ValueError:
            continue
    return None


def time_text(micros: int) -> str:
    """Microseconds as RFC 3339 and SOQL write them, to the millisecond."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_colon(value: Any) -> Any:
    """REST writes the zone as +0000, which RFC 3339 does not know."""
    found = _TIME.match(value) if isinstance(value, str) else None
    return value if found is None or found[2] is None else f"{found[1]}{found[2]}:{found[3]}"


def _time(value: Any) -> Any:
    try:
        return time_text(micros_of(_with_colon(value)))
    except ValueError:
        return value


def _day(value: Any) -> Any:
    found = _DAY.match(value) if isinstance(value, str) else None
    return found[0] if found else value


def _amount(value: Any) -> Any:
    text = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    return format(Decimal(text).normalize(), "f") if isinstance(text, str) and _NUMBER.match(text) else value


def _said_of(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not _ABSENT}


def _if_said(value: Any, read: Callable[[Any], Any]) -> Any:
    return value if value is _ABSENT or value is None else read(value)


def _own(org: Org, record: Record, word: str, *usual: str) -> Any:
    """The field that the site names for this word, else the first usual one that the record carries."""
    named = org.settings.fields.get(word)
    values = (at(record, name) for name in ((named,) if named else usual))
    return next((value for value in values if value is not _ABSENT), _ABSENT)


def words_of_ones_own(org: Org) -> list[str]:
    """What a site names fields for, besides the words that are known: properties."""
    return [word for word in org.settings.fields if word not in _WORDS]


def _properties(org: Org, record: Record) -> Any:
    """Fields that the site names with words of its own."""
    fields = {word: at(record, org.settings.fields[word]) for word in words_of_ones_own(org)}
    return _said_of(fields) or _ABSENT


def _owner(org: Org, record: Record) -> Any:
    """The owner's name. Their ID stands for it only where nobody can ask."""
    named = _own(org, record, "owner", "Owner.Name")
    return at(record, "OwnerId") if named is _ABSENT and not org.has_token else named


def _url(org: Org, record_id: Any) -> Any:
    return f"{org.instance}/{record_id}" if org.instance and isinstance(record_id, str) else _ABSENT


def modified_at(record: Record) -> int | None:
    """When the record was changed last, in microseconds; None: it does not say."""
    return micros_at(record, "LastModifiedDate", "SystemModstamp")


def _told(type: str, record_id: Any, data: dict[str, Any], occurred_at: int | None) -> Said:
    """A message named by what it says; one that says no time is named by whoever brought it, for now it has no name."""
    said = _said_of(data)
    if occurred_at is None:
        return Said("", type, said, None)
    return snapshot(type, record_id if isinstance(record_id, str) else "", said, occurred_at)


def _is_deleted(record: Record) -> bool:
    return flag(at(record, "IsDeleted")) is True


# ---------------------------------------------------------------- opportunities


def opportunity_said(org: Org, record: Record) -> list[Said]:
    """What an Opportunity says: its fields, and the stage since it holds, if the record says since when."""
    record_id = full_id(at(record, "Id"))
    if _is_deleted(record):
        return [_told("deal.deleted", record_id, {"id": record_id}, micros_at(record, "SystemModstamp", "LastModifiedDate"))]
    data, changed_at = deal_data(org, record), _deal_changed_at(record)
    outcome = _deal_type(org, record, None)
    if at(record, "LastStageChangeDate") is _ABSENT:
        return [_told(outcome, record_id, data, changed_at)]
    # Null: it has been in this stage ever since it was made.
    entered_at = micros_at(record, "LastStageChangeDate", "CreatedDate")
    rest = {name: value for name, value in data.items() if name != "stage"}
    stage = {name: value for name, value in data.items() if name in {"id", "stage"}}
    return [_told("deal.updated", record_id, rest, changed_at), _told(outcome, record_id, stage, entered_at or changed_at)]


def deal_data(org: Org, record: Record) -> dict[str, Any]:
    """The fields of the deal that an Opportunity is."""
    record_id = full_id(at(record, "Id"))
    return _said_of(
        {
            "id": record_id,
            "name": at(record, "Name"),
            "amount": _amount(at(record, "Amount")),
            "currency": _currency(org, record),
            "opened_at": _time(at(record, "CreatedDate")),
            "closed_on": _day(at(record, "CloseDate")),
            "pipeline": _pipeline(org, record),
            "stage": at(record, "StageName"),
            "type": _if_said(at(record, "Type"), _deal_kind),
            "company": _account(record),
            "owner": _owner(org, record),
            "account_manager": _own(org, record, "account_manager"),
            "lost_reason": _own(org, record, "lost_reason", *_LOST_REASON),
            "recurring": _recurring(org, record),
            "contacts": _deal_contacts(org, record),
            "visitor_id": _own(org, record, "visitor_id"),
            "url": _url(org, record_id),
            "properties": _properties(org, record),
        }
    )


def _deal_changed_at(record: Record) -> int | None:
    """When any of what a deal says changed last: a role or an account changes without the opportunity."""
    own = modified_at(record)
    others = [micros_at(record, "Account.LastModifiedDate"), *(modified_at(role) for role in _roles(record))]
    return None if own is None else max([own, *(each for each in others if each is not None)])


def _currency(org: Org, record: Record) -> Any:
    """What the record says, else the code that the site names: an organization with one currency sends none."""
    said = at(record, "CurrencyIsoCode")
    return org.settings.fields.get("currency", _ABSENT) if said is _ABSENT else said


def _pipeline(org: Org, record: Record) -> Any:
    """The record type. Salesforce has one set of stages; its record types are what others call pipelines."""
    said = at(record, "RecordTypeId")
    if said is _ABSENT:
        said = at(record, "RecordType.Name")
    if said is _ABSENT:
        return ONE_PIPELINE if set(org.settings.pipelines) == {ONE_PIPELINE} else _ABSENT
    return ONE_PIPELINE if said is None or full_id(said) == _NO_RECORD_TYPE else full_id(said)


def _deal_kind(value: Any) -> Any:
    words = str(value).lower()
    if "renew" in words:
        return "renewal"
    if any(word in words for word in ("existing", "expansion", "upgrade", "upsell", "cross", "add-on")):
        return "expansion"
    return "new" if "new" in words else None


def _account(record: Record) -> Any:
    said = {"id": full_id(at(record, "AccountId")), "name": at(record, "Account.Name"), "domain": at(record, "Account.Website")}
    if said["id"] is None:
        return None
    return _said_of(said) or _ABSENT


def _recurring(org: Org, record: Record) -> Any:
    for word, period in (("mrr", "month"), ("arr", "year")):
        value = _own(org, record, word)
        if value is not _ABSENT:
            return None if value is None else {"amount": _amount(value), "period": period}
    return _ABSENT


def _roles(record: Record) -> list[Record]:
    """The contact roles that came with an opportunity, as a subquery answers them or as a Flow lists them."""
    roles = record.get("OpportunityContactRoles")
    listed = roles.get("records") if isinstance(roles, Mapping) else roles
    return [role for role in listed if isinstance(role, Mapping)] if isinstance(listed, list) else []


def _deal_contacts(org: Org, record: Record) -> Any:
    """The contacts of a deal, the primary one first. None listed says nothing: a message need not know them."""
    roles = [role for role in _roles(record) if not _is_deleted(role)]
    roles.sort(key=lambda role: (flag(at(role, "IsPrimary")) is not True, str(at(role, "Id"))))
    contacts = [role_contact(role) for role in roles]
    known = {str(contact.get("email")).lower() for contact in contacts}
    named = {word: _own(org, record, f"contact_{word}", *usual) for word, usual in (("email", _CONTACT_EMAIL), ("phone", ()), ("name", ()))}
    only = {word: value for word, value in named.items() if value is not _ABSENT and value is not None}
    if not contacts and isinstance(at(record, "ContactId"), str):
        contacts = [{"id": full_id(at(record, "ContactId")), **only}]
    elif (only.get("email") or only.get("phone")) and str(only.get("email")).lower() not in known:
        contacts.append(only)
    return contacts or _ABSENT


def role_contact(role: Record) -> dict[str, Any]:
    """The contact of an OpportunityContactRole."""
    said = {
        "id": full_id(at(role, "ContactId")),
        "email": at(role, "Contact.Email"),
        "phone": at(role, "Contact.Phone"),
        "name": at(role, "Contact.Name"),
    }
    return _said_of(said)


def _deal_type(org: Org, record: Record, meanings: Mapping[str, str] | None) -> str:
    """`deal.won`, `deal.lost`, `deal.reopened` (it is open) or `deal.updated` (its stage alone says, or nothing)."""
    types = {"won": "deal.won", "lost": "deal.lost", "open": "deal.reopened"}
    return "deal.updated" if org.maps_stages else types.get(_outcome(record, meanings) or "", "deal.updated")


def _outcome(record: Record, meanings: Mapping[str, str] | None) -> str | None:
    is_won, is_closed = flag(at(record, "IsWon")), flag(at(record, "IsClosed"))
    if is_won:
        return "won"
    if is_closed is False:
        return "open"
    if is_closed and is_won is False:
        return "lost"
    return (STANDARD_STAGES if meanings is None else meanings).get(text_at(record, "StageName") or "")


def role_said(org: Org, record: Record) -> list[Said]:
    """What an OpportunityContactRole says by itself: this is the deal's contact. Who can fetch the list says all of them."""
    deal_id = full_id(at(record, "OpportunityId"))
    contact = role_contact(record) | _said_of({"email": _own(org, record, "contact_email", "Contact.Email", *_CONTACT_EMAIL)})
    if org.has_token or _is_deleted(record):
        return []
    return [_told("deal.updated", deal_id, {"id": deal_id, "contacts": [contact]}, modified_at(record))]


# ---------------------------------------------------------------- histories


def stage_history_said(org: Org, row: Record, meanings: Mapping[str, str] | None = None) -> list[Said]:
    """A row of OpportunityHistory: the stage, the amount and the close date that held since its own time.

    `meanings`: `won`, `lost` or `open` by stage, as the organization has it; None: those of the standard stages.
    """
    deal_id = full_id(at(row, "OpportunityId"))
    if _is_deleted(row) or at(row, "StageName") is _ABSENT:
        return []
    told = {"id": deal_id, "stage": at(row, "StageName"), "amount": _amount(at(row, "Amount")), "closed_on": _day(at(row, "CloseDate"))}
    return [_told(_deal_type(org, row, meanings), deal_id, _said_of(told), micros_at(row, "CreatedDate"))]


def deal_field_history_said(org: Org, row: Record) -> list[Said]:
    """A row of OpportunityFieldHistory, of the stage."""
    if at(row, "Field") != "StageName":
        return []
    return stage_history_said(org, {**row, "StageName": at(row, "NewValue")})


def lead_history_said(org: Org, row: Record) -> list[Said]:
    """A row of LeadHistory: a status that means something, or the conversion, at its own time."""
    lead_id, field = full_id(at(row, "LeadId")), at(row, "Field")
    mark = "sql" if field == "leadConverted" else _mark_of(org, at(row, "NewValue")) if field == "Status" else None
    if mark is None or _is_deleted(row):
        return []
    reason = at(row, "NewValue") if mark not in {"sql", "mql"} else _ABSENT
    return [_told(_MARKS[mark], lead_id, _said_of({"lead_id": lead_id, "reason": reason}), micros_at(row, "CreatedDate"))]


# ---------------------------------------------------------------- contacts and leads


def contact_said(org: Org, record: Record) -> list[Said]:
    """What a Contact says."""
    return _person_said(org, record, _said_of({"id": full_id(at(record, "Id"))}), {"company": _account(record)})


def lead_said(org: Org, record: Record) -> list[Said]:
    """What a Lead says. One that was converted is the contact that it became: both IDs are one human's."""
    lead_id, contact_id = full_id(at(record, "Id")), full_id(at(record, "ConvertedContactId"))
    names = _said_of({"lead_id": lead_id, "id": contact_id if isinstance(contact_id, str) else _ABSENT})
    employer = _said_of({"name": at(record, "Company"), "domain": at(record, "Website")})
    said = _person_said(org, record, names, {"company": employer or _ABSENT})
    deal_id = full_id(at(record, "ConvertedOpportunityId"))
    if isinstance(deal_id, str) and isinstance(contact_id, str) and not org.has_token and not _is_deleted(record):
        contact = names | _said_of({"email": at(record, "Email")})
        said.append(_told("deal.updated", deal_id, {"id": deal_id, "contacts": [contact]}, modified_at(record)))
    return said


def _person_said(org: Org, record: Record, names: dict[str, Any], employer: dict[str, Any]) -> list[Said]:
    """What a human's record says: who they are, since when we know of them, and what its status means."""
    record_id, changed_at = full_id(at(record, "Id")), modified_at(record)
    if _is_deleted(record):
        return []
    data = _said_of({**names, **_person_data(org, record), **employer, "url": _url(org, record_id)})
    said = [_told("contact.updated", record_id, data, changed_at)]
    created_at = micros_at(record, "CreatedDate")
    if created_at is not None:
        first = "contact.lead" if "lead_id" in names and _is_web_lead(org, record) else "contact.created"
        said.append(_told(first, record_id, names, created_at))
    is_converted = flag(at(record, "IsConverted")) or {"lead_id", "id"} <= set(names)
    mark = "sql" if is_converted else _mark_of(org, _own(org, record, "status", "Status"))
    if mark is not None:
        said.append(_told(_MARKS[mark], record_id, names | _evidence(org, record, mark), changed_at))
    return said


def _person_data(org: Org, record: Record) -> dict[str, Any]:
    return {
        "email": at(record, "Email"),
        "phone": _first_said(record, "Phone", "MobilePhone"),
        "user_id": _own(org, record, "user_id"),
        "name": _name(record),
        "lead_source": at(record, "LeadSource"),
        "may_contact": _may_contact(record),
        "owner": _owner(org, record),
        "account_manager": _own(org, record, "account_manager"),
        "visitor_id": _own(org, record, "visitor_id"),
        "properties": _properties(org, record),
        "reported_touches": _reported_touches(org, record) or _ABSENT,
    }


def _first_said(record: Record, *names: str) -> Any:
    """The first that holds something; null if the record only says that there is none."""
    values = [at(record, name) for name in names]
    said = [value for value in values if value is not _ABSENT]
    return next((value for value in said if value is not None), None if said else _ABSENT)


def _name(record: Record) -> Any:
    parts = [text_at(record, part) for part in ("FirstName", "LastName")]
    return text_at(record, "Name") or " ".join(part for part in parts if part) or _ABSENT


def _may_contact(record: Record) -> Any:
    """False only if every way that the record tells of is closed: who unsubscribed from mails may still be called."""
    flags = [flag(at(record, name)) for name in ("HasOptedOutOfEmail", "DoNotCall")]
    told = [each for each in flags if each is not None]
    return not all(told) if told else _ABSENT


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
    means = (mark for mark, usual in _STATUSES.items() if status.strip().lower() in _names(org, f"{mark}_status", usual))
    return next(means, None)


def _evidence(org: Org, record: Record, mark: str) -> dict[str, Any]:
    """Who marked the lead, why, and what of BANT is known."""
    said: dict[str, Any] = {"by": text_at(record, "LastModifiedBy.Name", "Owner.Name") or _ABSENT}
    if mark == "sql":
        found = {word: flag(_own(org, record, word)) for word in _BANT}
        known = {word: value for word, value in found.items() if value is not None}
        said["bant"] = known or _ABSENT
    elif mark != "mql":
        reason = _own(org, record, "disqualified_reason", *_WHY_NOT)
        said["reason"] = reason if isinstance(reason, str) else _own(org, record, "status", "Status")
    return _said_of(said)


# ---------------------------------------------------------------- touches that the CRM reports


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
    told_at = _own(org, record, "touched_at")
    occurred_at = _time(told_at if isinstance(told_at, str) else at(record, "CreatedDate"))
    if not isinstance(occurred_at, str):
        return []
    parts = {part: _own(org, record, word, f"{word}__c") for word, part in _UTM.items()}
    parts["click_id"] = next((v for v in (_own(org, record, word, f"{word}__c") for word in _CLICK_IDS) if isinstance(v, str)), None)
    named = {part: value for part, value in parts.items() if isinstance(value, str)}
    url = _own(org, record, "url")
    if named:
        return [{"occurred_at": occurred_at, **named} | ({"url": url} if isinstance(url, str) else {})]
    source = text_at(record, "LeadSource") or ""
    channel = _channel(source)
    return [{"occurred_at": occurred_at, "source": source, "channel": channel}] if channel and at(record, "Status") is not _ABSENT else []


def _channel(text: str) -> str | None:
    return next((channel for word, channel in _OFFLINE_SOURCES if word in text.lower()), None)


def member_said(org: Org, record: Record) -> list[Said]:
    """What a CampaignMember says: a touch, if they came to the event or responded. Who registered has not come yet."""
    names = {word: full_id(at(record, name)) for word, name in (("id", "ContactId"), ("lead_id", "LeadId"))}
    named = {word: value for word, value in names.items() if isinstance(value, str)}
    touch = _member_touch(org, record)
    if touch is None or not named or _is_deleted(record):
        return []
    return [_told("contact.updated", full_id(at(record, "Id")), {**named, "reported_touches": [touch]}, modified_at(record))]


def _member_touch(org: Org, record: Record) -> dict[str, Any] | None:
    campaign = _own(org, record, "campaign", "Campaign.Name", "CampaignId")
    kind = text_at(record, "Campaign.Type") or ""
    status = (text_at(record, "Status") or "").lower()
    channel = _channel(f"{kind} {campaign}" if isinstance(campaign, str) else kind)
    came = any(word in status for word in _CAME) and not any(word in status for word in _CAME_NOT)
    has_taken_part = came if channel in _ATTENDANCE else came or flag(at(record, "HasResponded")) is True
    occurred_at = _first_said(record, "FirstRespondedDate", "CreatedDate")
    if not has_taken_part or not isinstance(occurred_at, str) or not isinstance(campaign, str):
        return None
    day = _DAY.fullmatch(occurred_at)
    at_time = f"{occurred_at}T00:00:00.000Z" if day else _time(occurred_at)
    told = {"occurred_at": at_time, "source": "salesforce", "medium": kind, "campaign": campaign, "channel": channel}
    return {name: value for name, value in told.items() if value}


# ---------------------------------------------------------------- activities


def task_said(org: Org, record: Record) -> list[Said]:
    """What a Task says, if it is about a lead, a contact or an opportunity."""
    subject = text_at(record, "Subject") or ""
    completed_at = micros_at(record, "CompletedDateTime")
    # What does not say that it is done is not: a task that is planned must not hide that nobody has called yet.
    is_done = flag(at(record, "IsClosed")) or (text_at(record, "Status") or "").lower() == "completed" or completed_at is not None
    is_bulk = text_at(record, "TaskSubtype") == "ListEmail" or subject.lower().startswith(("list email", "mass email"))
    direction = (text_at(record, "CallType") or "").lower()
    told = {
        "kind": _task_kind(record, subject),
        "direction": direction if direction in {"inbound", "outbound"} else _ABSENT,
        "automated": is_bulk or flag(_own(org, record, "automated")) is True,
        "done": is_done,
        "took_place_at": _when_done(record, completed_at),
    }
    return _activity_said(org, record, told)


def event_said(org: Org, record: Record) -> list[Said]:
    """What an Event says. One in the future is told with its time, since nobody tells when it is over."""
    named = f"{text_at(record, 'Type') or ''} {text_at(record, 'EventSubtype') or ''}".lower()
    start = _first_said(record, "StartDateTime", "ActivityDateTime", "ActivityDate")
    told = {
        "kind": "call" if "call" in named else "email" if "mail" in named else "meeting",
        "automated": flag(_own(org, record, "automated")) is True,
        "done": True,
        "took_place_at": _time(start) if isinstance(start, str) else _ABSENT,
    }
    return _activity_said(org, record, told)


def _task_kind(record: Record, subject: str) -> str:
    words = (text_at(record, "TaskSubtype") or "", text_at(record, "Type") or "", subject.partition(":")[0])
    for word in (each.lower() for each in words):
        for sign, kind in (("mail", "email"), ("call", "call"), ("meeting", "meeting"), ("demo", "meeting")):
            if sign in word:
                return kind
    return "other"


def _when_done(record: Record, completed_at: int | None) -> Any:
    """When a task took place: when it was closed, else its day, unless it was logged on that day and so says the hour."""
    if completed_at is not None:
        return time_text(completed_at)
    created, day = _time(at(record, "CreatedDate")), _day(at(record, "ActivityDate"))
    if isinstance(day, str) and not str(created).startswith(day):
        return day
    return _ABSENT if created is None else created


def _activity_said(org: Org, record: Record, told: dict[str, Any]) -> list[Said]:
    record_id = full_id(at(record, "Id"))
    if _is_deleted(record):
        return [_told("activity.deleted", record_id, {"id": record_id}, micros_at(record, "SystemModstamp", "LastModifiedDate"))]
    who, what = full_id(at(record, "WhoId")), full_id(at(record, "WhatId"))
    about = {
        "contact": {"lead_id": who} if _is_of(who, LEAD) else {"id": who} if _is_of(who, CONTACT) else _ABSENT,
        "deal": what if _is_of(what, OPPORTUNITY) else _ABSENT,
    }
    if about["contact"] is _ABSENT and about["deal"] is _ABSENT:
        return []
    data = _said_of({"id": record_id, **told, "title": at(record, "Subject"), "by": _owner(org, record), **about})
    return [_told("activity.logged", record_id, data, modified_at(record))]


def _is_of(record_id: Any, prefix: str) -> bool:
    return isinstance(record_id, str) and record_id.startswith(prefix)


# ---------------------------------------------------------------- by object


SAID: dict[str, Callable[[Org, Record], list[Said]]] = {
    "Opportunity": opportunity_said,
    "OpportunityContactRole": role_said,
    "OpportunityHistory": stage_history_said,
    "OpportunityFieldHistory": deal_field_history_said,
    "Contact": contact_said,
    "Lead": lead_said,
    "LeadHistory": lead_history_said,
    "CampaignMember": member_said,
    "Task": task_said,
    "Event": event_said,
    "Account": lambda org, record: [],
}
"""By name of the object: what its records say."""


def wanted_of(object_name: str, record: Record, said: Sequence[Said]) -> list[tuple[str, str]]:
    """(kind, record ID) of what has to be fetched to know what a message left out."""
    record_id, data = full_id(at(record, "Id")), said[0].data if said else {}
    wanted: list[tuple[str, Any]] = []
    if object_name in _KINDS and not _is_deleted(record):
        kind, must_be_sent, must_be_said = _KINDS[object_name]
        is_whole = all(name in record for name in must_be_sent) and (not said or all(name in data for name in must_be_said))
        wanted += [] if is_whole else [(kind, record_id)]
    if object_name == "OpportunityContactRole":
        wanted.append(("deals", full_id(at(record, "OpportunityId"))))
    if object_name == "Lead":
        wanted.append(("deals", full_id(at(record, "ConvertedOpportunityId"))))
    return [(kind, each) for kind, each in wanted if isinstance(each, str) and 15 <= len(each) <= 18]


_KINDS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Opportunity": ("deals", (), ("contacts", "owner")),
    "Contact": ("contacts", (), ("email", "owner")),
    "Lead": ("leads", (), ("email", "owner")),
    "Task": ("activities", ("WhoId", "WhatId"), ("by",)),
    "Event": ("activities", ("WhoId", "WhatId"), ("by",)),
    "CampaignMember": ("members", ("Campaign",), ()),
    "Account": ("accounts", ("an Account by itself never says which deals are its",), ()),
}
"""The kind to fetch; the fields that a message must carry, and what it must say, so that nothing needs to be fetched."""


def named_by(said: Said, key: str) -> Said:
    """A message without a time of its own, named by the notification that brought it: sent again, it is the same."""
    return said if said.id else replace(said, id=snapshot(said.type, key, said.data, 0).id)
