"""How Salesforce writes values, and the fields that a site may name: what every kind of its records shares.

A record is a mapping of its fields, whether it came by SOAP, by a Flow or from a query. A field that is absent says nothing;
null clears. What is no date or no number is passed on as it is, so that the log refuses that message alone, in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.collect.fields import micros_of
from app.crm.messages import Said, snapshot
from app.sites.connections import ConnectionSettings

Record = Mapping[str, Any]

LEAD, CONTACT, OPPORTUNITY = "00Q", "003", "006"
"""How the IDs of these objects begin."""
ABSENT: Any = object()
"""What a record does not say; null is said."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T.+?)(?:([+-][0-9]{2}):?([0-9]{2})|Z)\Z")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=T|\Z)")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?\Z")
_YES, _NO = {"true", "1", "yes"}, {"false", "0", "no"}

STATUSES = {
    "sql": ("Qualified", "Sales Qualified", "SQL", "Closed - Converted"),
    "mql": ("Marketing Qualified", "MQL"),
    "mql_rejected": ("Rejected", "Sales Rejected"),
    "disqualified": ("Unqualified", "Disqualified", "Closed - Not Converted"),
    "recycled": ("Recycled", "Recycle"),
}
"""Statuses of a lead, by what they mean; a site names its own in `settings.fields` as `sql_status`, …, separated by semicolons."""

CONTACT_EMAIL = ("Contact_Email__c", "ContactEmail__c", "Primary_Contact_Email__c", "Email__c")
LOST_REASON = ("Loss_Reason__c", "Lost_Reason__c", "Closed_Lost_Reason__c")
WHY_NOT = ("Disqualified_Reason__c", "Unqualified_Reason__c", "Disqualification_Reason__c")
BANT = ("budget", "authority", "need", "timeline")
UTM = {f"utm_{part}": part for part in ("source", "medium", "campaign", "term", "content")}
CLICK_IDS = ("click_id", "gclid", "gbraid", "wbraid", "fbclid", "msclkid", "li_fat_id", "ttclid")
USUAL_OF_DEALS = (*CONTACT_EMAIL, *LOST_REASON)
USUAL_OF_PEOPLE = (*WHY_NOT, *(f"{word}__c" for word in (*UTM, *CLICK_IDS)))
"""Fields of one's own that are read where the site names no other."""
DEAL_WORDS = (
    "contact_email", "contact_phone", "contact_name", "lost_reason", "owner", "account_manager", "mrr", "arr", "visitor_id", "currency",
)  # fmt: skip
PERSON_WORDS = (
    "owner", "account_manager", "visitor_id", "user_id", "status", "disqualified_reason", *BANT, *UTM, *CLICK_IDS, "url", "touched_at",
)  # fmt: skip
MEMBER_WORDS = ("campaign",)
ACTIVITY_WORDS = ("automated",)
_WORDS = {*DEAL_WORDS, *PERSON_WORDS, *MEMBER_WORDS, *ACTIVITY_WORDS, *(f"{mark}_status" for mark in STATUSES), "web_sources"}


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
    """The value at `Account.Name`; `ABSENT` if the record does not say; an empty text is null, as Salesforce keeps it."""
    for name in path.split("."):
        if not isinstance(record, Mapping) or name not in record:
            return ABSENT
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


def time_of(value: Any) -> Any:
    try:
        return time_text(micros_of(_with_colon(value)))
    except ValueError:
        return value


def day_of(value: Any) -> Any:
    found = DAY.match(value) if isinstance(value, str) else None
    return found[0] if found else value


def amount_of(value: Any) -> Any:
    text = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    return format(Decimal(text).normalize(), "f") if isinstance(text, str) and _NUMBER.match(text) else value


def said_of(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not ABSENT}


def if_said(value: Any, read: Callable[[Any], Any]) -> Any:
    return value if value is ABSENT or value is None else read(value)


def own_field(org: Org, record: Record, word: str, *usual: str) -> Any:
    """The field that the site names for this word, else the first usual one that the record carries."""
    named = org.settings.fields.get(word)
    values = (at(record, name) for name in ((named,) if named else usual))
    return next((value for value in values if value is not ABSENT), ABSENT)


def words_of_ones_own(org: Org) -> list[str]:
    """What a site names fields for, besides the words that are known: properties."""
    return [word for word in org.settings.fields if word not in _WORDS]


def properties_of(org: Org, record: Record) -> Any:
    """Fields that the site names with words of its own."""
    fields = {word: at(record, org.settings.fields[word]) for word in words_of_ones_own(org)}
    return said_of(fields) or ABSENT


def owner_of(org: Org, record: Record) -> Any:
    """The owner's name. Their ID stands for it only where nobody can ask."""
    named = own_field(org, record, "owner", "Owner.Name")
    return at(record, "OwnerId") if named is ABSENT and not org.has_token else named


def url_of(org: Org, record_id: Any) -> Any:
    return f"{org.instance}/{record_id}" if org.instance and isinstance(record_id, str) else ABSENT


def modified_at(record: Record) -> int | None:
    """When the record was changed last, in microseconds; None: it does not say."""
    return micros_at(record, "LastModifiedDate", "SystemModstamp")


def message_of(type: str, record_id: Any, data: dict[str, Any], occurred_at: int | None) -> Said:
    """A message named by what it says; one that says no time is named by whoever brought it, for now it has no name."""
    said = said_of(data)
    if occurred_at is None:
        return Said("", type, said, None)
    return snapshot(type, record_id if isinstance(record_id, str) else "", said, occurred_at)


def is_deleted(record: Record) -> bool:
    return flag(at(record, "IsDeleted")) is True


def account_of(record: Record) -> Any:
    said = {"id": full_id(at(record, "AccountId")), "name": at(record, "Account.Name"), "domain": at(record, "Account.Website")}
    if said["id"] is None:
        return None
    return said_of(said) or ABSENT


def first_said(record: Record, *names: str) -> Any:
    """The first that holds something; null if the record only says that there is none."""
    values = [at(record, name) for name in names]
    said = [value for value in values if value is not ABSENT]
    return next((value for value in said if value is not None), None if said else ABSENT)
