"""What is said about a deal or a contact, by a `deal_closed` event or a CRM, as facts of the log."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, field_validator

from app import money, tables
from app.collect.fields import Address, Day, Line, MicrosOrDay, Name, Object, RecordId
from app.collect.keys import Row, clear_texts, contact_row, link_id, sighting_satellites, subject_keys
from app.collect.properties import (
    COMPANY,
    RESERVED,
    SALES_FIELDS,
    as_text,
    company_records,
    deal_record,
    person_satellites,
    property_texts,
    record_satellites,
)
from app.log import Fact
from app.sites.addresses import normal_domain
from app.sites.site import Site

Change = Literal["seen", "won", "lost", "reopened", "adjusted", "churned", "deleted"]
Amount = StrictInt | StrictFloat | StrictStr
"""Whole units: `1200.5` or `"1200.50"`."""


class Company(BaseModel):
    """The company of a deal or a contact."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: RecordId | None = None
    name: Line | None = None
    domain: Line | None = None
    properties: Object | None = Field(None, description='Single values of your own: `{"industry": "Software"}`; null clears one.')

    @field_validator("domain")
    @classmethod
    def _as_its_emails_write_it(cls, value: str | None) -> str | None:
        return (normal_domain(value) or value) if value else None


class Recurring(BaseModel):
    """The amount of each period of a subscription."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    amount: Amount
    period: Literal["month", "year"]


def _company(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


NamedCompany = Annotated[Company, BeforeValidator(_company)]
"""A company, or its name alone."""


class Contact(BaseModel):
    """One human whom a CRM knows. Its own keys belong together; those of another entry never join them."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: RecordId | None = None
    email: Line | None = None
    phone: Line | None = None
    user_id: RecordId | None = None
    name: Line | None = None
    company: NamedCompany | None = None
    lead_id: RecordId | None = Field(None, description="The lead that became this contact, where the CRM keeps leads apart.")
    lead_source: Line | None = None
    may_contact: bool | None = None
    owner: Line | None = Field(None, description="Who of sales owns the lead or contact.")
    account_manager: Line | None = None
    url: Address | None = Field(None, description="Where the CRM shows it.")
    visitor_id: Name | None = Field(None, description="The browser that this contact is known to have used.")
    properties: Object | None = Field(None, description='Single values of your own: `{"country": "DE"}`; null clears one.')


def _contact(value: object) -> object:
    return {"email": value} if isinstance(value, str) else value


class Deal(BaseModel):
    """A CRM opportunity as one message tells it: an absent field says nothing, null clears."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: RecordId
    name: Line | None = None
    amount: Amount | None = None
    currency: Line | None = Field(None, description="ISO 4217; without it, what the deal said last, else the site's.")
    outcome: Literal["won", "lost"] | None = None
    opened_at: MicrosOrDay | None = None
    closed_on: Day | None = None
    pipeline: Line | None = None
    stage: Line | None = None
    type: Literal["new", "expansion", "renewal"] | None = None
    company: NamedCompany | None = None
    owner: Line | None = None
    account_manager: Line | None = None
    lost_reason: Line | None = None
    recurring: Recurring | None = None
    contacts: list[Annotated[Contact, BeforeValidator(_contact)]] | None = Field(None, max_length=1_000)
    visitor_id: Name | None = None
    url: Address | None = None
    properties: Object | None = Field(None, description='Single values of your own: `{"product": "Pro"}`; null clears one.')

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str | None) -> str | None:
        return None if value is None else money.currency_code(value)


def deal_facts(
    site: Site,
    deal: Deal,
    change: Change,
    *,
    fact_id: str,
    fact_type: str,
    occurred_at: int,
    received_at: int,
    connection_id: str = "",
    space: str = "generic",
    is_trusted: bool = True,
) -> Fact:
    """The fact that this happened to the deal, with a row for each field sent and for each contact listed.

    Times in microseconds. For `adjusted`, the deal's `amount` is the signed change. `is_trusted`: it came neither from a page nor
    from anybody else who has the public key. ValueError if an amount is no number.
    """
    here = {"site_id": site.site_id, "space": space, "deal_id": deal.id}
    said = {**here, "fact_id": fact_id, "occurred_at": occurred_at}
    amount = _parsed(deal, deal.amount) if change == "adjusted" else None
    links, contact_rows = _listed_contacts(site, deal, space, fact_id, occurred_at, received_at, is_trusted)
    values = _field_values(deal, change, len(links))
    satellites: list[Row] = [(tables.deal_fields, {**said, "field": field, "value": value}) for field, value in values.items()]
    satellites.append((tables.deal_changes, {**said, "change": change, "amount": amount}))
    satellites += [(tables.deal_contacts, {**here, "fact_id": fact_id, "link_id": link}) for link in links]
    satellites += contact_rows
    satellites += record_satellites(site, [deal_record(space, deal.id)], fact_id, occurred_at, received_at, property_texts(deal.properties))
    satellites += company_satellites(site, deal.company, space, fact_id, occurred_at, received_at)
    satellites.append((tables.deals_queue, {**here, "received_at": received_at}))
    row = {**said, "connection_id": connection_id, "type": fact_type, "received_at": received_at, "body": _body(deal)}
    return Fact(tables.crm_facts, row, tuple(satellites))


def contact_satellites(
    site: Site, contact: Contact, *, space: str, fact_id: str, occurred_at: int, received_at: int, is_trusted: bool = True
) -> tuple[str | None, list[Row]]:
    """(link ID, rows): one contact seen with its keys. (None, []) if it has no key that can be read."""
    named = (space, contact.id) if contact.id else None
    keys = subject_keys(site, email=contact.email, phone=contact.phone, user_id=contact.user_id, contact=named)
    if contact.lead_id:
        # A lead that was converted is this contact: its own ID is a key of the same human.
        keys = sorted([*keys, *subject_keys(site, contact=(space, lead_key(contact.lead_id)))])
    if not keys:
        return None, []
    rows = sighting_satellites(site, keys, contact.visitor_id or "", fact_id, occurred_at, 0, is_trusted, received_at)
    company_name = contact.company.name if contact.company else None
    details = {"name": contact.name, "company": company_name, "lead_source": contact.lead_source, "may_contact": contact.may_contact}
    rows += clear_texts(site, occurred_at, email=contact.email, phone=contact.phone, user_id=contact.user_id, **details)
    if contact.id:
        [key_id] = subject_keys(site, contact=(space, contact.id))
        rows.append((tables.contacts, contact_row(site, key_id, "contact", contact.id, occurred_at, email=contact.email, **details)))
    link = link_id(keys)
    texts = property_texts(contact.properties) | employer(contact.company, space) | _sales_fields(contact)
    rows += person_satellites(site, link, contact.visitor_id or "", fact_id, occurred_at, is_trusted=is_trusted, texts=texts)
    rows += company_satellites(site, contact.company, space, fact_id, occurred_at, received_at)
    rows += membership_rows(site, contact, keys[0], space, fact_id, occurred_at)
    return link, rows


def lead_key(lead_id: str) -> str:
    """A lead's ID among those of contacts, where a CRM counts both by themselves."""
    return f"lead:{lead_id}"


def _sales_fields(contact: Contact) -> dict[str, str | None]:
    """What sales keeps of a contact, under names that no property from outside can have."""
    sent = {name: getattr(contact, name) for name in SALES_FIELDS if name in contact.model_fields_set}
    return {RESERVED + name: as_text(value) for name, value in sent.items()}


def employer(company: Company | None, space: str) -> dict[str, str | None]:
    """The field that ties a human to a company. A name alone ties nobody: two companies may have the same."""
    if company is None or not (company.id or company.domain):
        return {}
    records = company_records(space, company.id, company.domain, None)
    return {COMPANY: records[0]} if records else {}


def company_satellites(
    site: Site, company: Company | None, space: str, fact_id: str, occurred_at: int, received_at: int
) -> list[Row]:
    if company is None or not company.properties:
        return []
    records = company_records(space, company.id, company.domain, company.name)
    return record_satellites(site, records, fact_id, occurred_at, received_at, property_texts(company.properties))


def membership_rows(site: Site, contact: Contact, key_id: str, space: str, fact_id: str, occurred_at: int) -> list[Row]:
    """The row of `contact_companies` of a contact that sent its company's ID, or that it has none."""
    company = contact.company
    says_nothing = "company" not in contact.model_fields_set or (company is not None and "id" not in company.model_fields_set)
    if says_nothing:
        return []
    row = {"site_id": site.site_id, "space": space, "key_id": key_id, "fact_id": fact_id, "occurred_at": occurred_at}
    return [(tables.contact_companies, {**row, "company_id": company.id if company else None})]


def _listed_contacts(
    site: Site, deal: Deal, space: str, fact_id: str, occurred_at: int, received_at: int, is_trusted: bool
) -> tuple[list[str], list[Row]]:
    links: dict[str, None] = {}
    rows: list[Row] = []
    for contact in deal.contacts or ():
        link, seen = contact_satellites(
            site, contact, space=space, fact_id=fact_id, occurred_at=occurred_at, received_at=received_at, is_trusted=is_trusted
        )
        if link is not None:
            links[link] = None
            rows += seen
    return list(links), rows


def _field_values(deal: Deal, change: Change, contact_count: int) -> dict[str, str | None]:
    """Value by name of `deal_fields.field`, for the fields that were sent."""
    plain = (
        "name", "currency", "opened_at", "closed_on", "pipeline", "stage", "type", "owner", "lost_reason", "account_manager", "visitor_id",
        "url",
    )  # fmt: skip
    values: dict[str, str | None] = {field: _as_text(getattr(deal, field)) for field in plain if field in deal.model_fields_set}
    if "amount" in deal.model_fields_set and change != "adjusted":
        values["amount"] = _as_text(_parsed(deal, deal.amount))
    if "recurring" in deal.model_fields_set:
        values["recurring"] = _as_text(_parsed(deal, deal.recurring.amount)) if deal.recurring else None
        values["recurring_period"] = deal.recurring.period if deal.recurring else None
    if "company" in deal.model_fields_set:
        values |= _company_values(deal.company)
    if "contacts" in deal.model_fields_set:
        values["contacts"] = None if deal.contacts is None else str(contact_count)
    return values


def _company_values(company: Company | None) -> dict[str, str | None]:
    parts = ("id", "name", "domain")
    return {f"company_{part}": getattr(company, part, None) for part in parts if company is None or part in company.model_fields_set}


def _as_text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _parsed(deal: Deal, amount: Amount | None) -> int | None:
    """Ten-thousandths of the unit: which currency's decimals count, the fold knows."""
    return None if amount is None else money.parse_amount(amount, deal.currency)


def _body(deal: Deal) -> str:
    """The deal as it came, without what names humans: that stands hashed in the keys, in clear only in `contacts`."""
    private = {"email", "phone", "name", "user_id"}
    body = deal.model_dump(exclude_unset=True, exclude={"contacts": {"__all__": private}})
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
