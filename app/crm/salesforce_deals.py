"""What Salesforce's opportunities say: their fields, their contact roles, and the history of their stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.crm.messages import Said
from app.crm.salesforce_values import (
    ABSENT,
    CONTACT_EMAIL,
    LOST_REASON,
    Org,
    Record,
    account_of,
    amount_of,
    at,
    day_of,
    flag,
    full_id,
    if_said,
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

ONE_PIPELINE = "default"
"""The pipeline of opportunities without a record type."""
_NO_RECORD_TYPE = "012000000000000AAA"
STANDARD_STAGES = {
    "Prospecting": "open", "Qualification": "open", "Needs Analysis": "open", "Value Proposition": "open", "Id. Decision Makers": "open",
    "Perception Analysis": "open", "Proposal/Price Quote": "open", "Negotiation/Review": "open", "Closed Won": "won", "Closed Lost": "lost",
}  # fmt: skip
"""The stages of a new organization, and what they mean: for messages that carry neither `IsWon` nor `IsClosed`."""


def opportunity_said(org: Org, record: Record) -> list[Said]:
    """What an Opportunity says: its fields, and the stage since it holds, if the record says since when."""
    record_id = full_id(at(record, "Id"))
    if is_deleted(record):
        return [message_of("deal.deleted", record_id, {"id": record_id}, micros_at(record, "SystemModstamp", "LastModifiedDate"))]
    data, changed_at = deal_data(org, record), _deal_changed_at(record)
    outcome = _deal_type(org, record, None)
    if at(record, "LastStageChangeDate") is ABSENT:
        return [message_of(outcome, record_id, data, changed_at)]
    # Null: it has been in this stage ever since it was made.
    entered_at = micros_at(record, "LastStageChangeDate", "CreatedDate")
    rest = {name: value for name, value in data.items() if name != "stage"}
    stage = {name: value for name, value in data.items() if name in {"id", "stage"}}
    return [message_of("deal.updated", record_id, rest, changed_at), message_of(outcome, record_id, stage, entered_at or changed_at)]


def deal_data(org: Org, record: Record) -> dict[str, Any]:
    """The fields of the deal that an Opportunity is."""
    record_id = full_id(at(record, "Id"))
    return said_of(
        {
            "id": record_id,
            "name": at(record, "Name"),
            "amount": amount_of(at(record, "Amount")),
            "currency": _currency(org, record),
            "opened_at": time_of(at(record, "CreatedDate")),
            "closed_on": day_of(at(record, "CloseDate")),
            "pipeline": _pipeline(org, record),
            "stage": at(record, "StageName"),
            "type": if_said(at(record, "Type"), _deal_kind),
            "company": account_of(record),
            "owner": owner_of(org, record),
            "account_manager": own_field(org, record, "account_manager"),
            "lost_reason": own_field(org, record, "lost_reason", *LOST_REASON),
            "recurring": _recurring(org, record),
            "contacts": _deal_contacts(org, record),
            "visitor_id": own_field(org, record, "visitor_id"),
            "url": url_of(org, record_id),
            "properties": properties_of(org, record),
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
    return org.settings.fields.get("currency", ABSENT) if said is ABSENT else said


def _pipeline(org: Org, record: Record) -> Any:
    """The record type. Salesforce has one set of stages; its record types are what others call pipelines."""
    said = at(record, "RecordTypeId")
    if said is ABSENT:
        said = at(record, "RecordType.Name")
    if said is ABSENT:
        return ONE_PIPELINE if set(org.settings.pipelines) == {ONE_PIPELINE} else ABSENT
    return ONE_PIPELINE if said is None or full_id(said) == _NO_RECORD_TYPE else full_id(said)


def _deal_kind(value: Any) -> Any:
    words = str(value).lower()
    if "renew" in words:
        return "renewal"
    if any(word in words for word in ("existing", "expansion", "upgrade", "upsell", "cross", "add-on")):
        return "expansion"
    return "new" if "new" in words else None


def _recurring(org: Org, record: Record) -> Any:
    for word, period in (("mrr", "month"), ("arr", "year")):
        value = own_field(org, record, word)
        if value is not ABSENT:
            return None if value is None else {"amount": amount_of(value), "period": period}
    return ABSENT


def _roles(record: Record) -> list[Record]:
    """The contact roles that came with an opportunity, as a subquery answers them or as a Flow lists them."""
    roles = record.get("OpportunityContactRoles")
    listed = roles.get("records") if isinstance(roles, Mapping) else roles
    return [role for role in listed if isinstance(role, Mapping)] if isinstance(listed, list) else []


def _deal_contacts(org: Org, record: Record) -> Any:
    """The contacts of a deal, the primary one first. None listed says nothing: a message need not know them."""
    roles = [role for role in _roles(record) if not is_deleted(role)]
    roles.sort(key=lambda role: (flag(at(role, "IsPrimary")) is not True, str(at(role, "Id"))))
    contacts = [role_contact(role) for role in roles]
    known = {str(contact.get("email")).lower() for contact in contacts}
    named = {
        word: own_field(org, record, f"contact_{word}", *usual) for word, usual in (("email", CONTACT_EMAIL), ("phone", ()), ("name", ()))
    }
    only = {word: value for word, value in named.items() if value is not ABSENT and value is not None}
    if not contacts and isinstance(at(record, "ContactId"), str):
        contacts = [{"id": full_id(at(record, "ContactId")), **only}]
    elif (only.get("email") or only.get("phone")) and str(only.get("email")).lower() not in known:
        contacts.append(only)
    return contacts or ABSENT


def role_contact(role: Record) -> dict[str, Any]:
    """The contact of an OpportunityContactRole."""
    said = {
        "id": full_id(at(role, "ContactId")),
        "email": at(role, "Contact.Email"),
        "phone": at(role, "Contact.Phone"),
        "name": at(role, "Contact.Name"),
    }
    return said_of(said)


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
    contact = role_contact(record) | said_of({"email": own_field(org, record, "contact_email", "Contact.Email", *CONTACT_EMAIL)})
    if org.has_token or is_deleted(record):
        return []
    return [message_of("deal.updated", deal_id, {"id": deal_id, "contacts": [contact]}, modified_at(record))]


def stage_history_said(org: Org, row: Record, meanings: Mapping[str, str] | None = None) -> list[Said]:
    """A row of OpportunityHistory: the stage, the amount and the close date that held since its own time.

    `meanings`: `won`, `lost` or `open` by stage, as the organization has it; None: those of the standard stages.
    """
    deal_id = full_id(at(row, "OpportunityId"))
    if is_deleted(row) or at(row, "StageName") is ABSENT:
        return []
    told = {
        "id": deal_id,
        "stage": at(row, "StageName"),
        "amount": amount_of(at(row, "Amount")),
        "closed_on": day_of(at(row, "CloseDate")),
    }
    return [message_of(_deal_type(org, row, meanings), deal_id, said_of(told), micros_at(row, "CreatedDate"))]


def deal_field_history_said(org: Org, row: Record) -> list[Said]:
    """A row of OpportunityFieldHistory, of the stage."""
    if at(row, "Field") != "StageName":
        return []
    return stage_history_said(org, {**row, "StageName": at(row, "NewValue")})
