"""What is said about a deal, as rows of the log."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from app import tables
from app.collect.deal_facts import Contact, Deal, contact_satellites, deal_facts
from app.collect.keys import link_id, subject_keys
from app.sites.settings import SiteSettings
from app.sites.site import Site

SITE = Site("default", b"k" * 32, 1, SiteSettings(currency="JPY"))


def deal(**fields):
    return Deal.model_validate_json(json.dumps({"id": "D1", **fields}))


def fact(change="seen", **fields):
    return deal_facts(SITE, deal(**fields), change, fact_id="f", fact_type=f"deal.{change}", occurred_at=5, received_at=6)


def values(made):
    return {row["field"]: row["value"] for table, row in made.satellites if table is tables.deal_fields}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"amount": "1200.50", "currency": "eur"}, {"amount": "12005000", "currency": "EUR"}),
        ({"amount": 1200.5, "currency": "EUR"}, {"amount": "12005000", "currency": "EUR"}),
        ({"amount": "1.500", "currency": "EUR"}, {"amount": "15000", "currency": "EUR"}),
        ({"amount": 1200}, {"amount": "12000000"}),
        ({"amount": "1.234", "currency": "KWD"}, {"amount": "12340", "currency": "KWD"}),
        ({"amount": "3", "currency": "HRK"}, {"amount": "30000", "currency": "HRK"}),
        ({"amount": None, "owner": None}, {"amount": None, "owner": None}),
        ({"opened_at": "1970-01-01T00:00:01Z"}, {"opened_at": "1000000"}),
        ({"opened_at": "1970-01-02", "closed_on": "2026-03-01"}, {"opened_at": "86400000000", "closed_on": "2026-03-01"}),
        ({"company": {"id": 5, "name": "Acme"}}, {"company_id": "5", "company_name": "Acme"}),
        ({"company": "Acme"}, {"company_name": "Acme"}),
        ({"company": {"domain": "https://www.Acme.example/about"}}, {"company_domain": "acme.example"}),
        ({"company": {"domain": "no domain"}}, {"company_domain": "no domain"}),
        ({"company": {"domain": ""}}, {"company_domain": None}),
        ({"company": None}, {"company_id": None, "company_name": None, "company_domain": None}),
        ({"recurring": {"amount": "10", "period": "month"}}, {"recurring": "100000", "recurring_period": "month"}),
        ({"recurring": None}, {"recurring": None, "recurring_period": None}),
        ({"contacts": []}, {"contacts": "0"}),
        ({"contacts": None}, {"contacts": None}),
        ({"contacts": ["a@example.com", "A@example.com", "nobody", {"id": 1}]}, {"contacts": "2"}),
        ({"visitor_id": "ann", "stage": "Won", "type": "renewal"}, {"visitor_id": "ann", "stage": "Won", "type": "renewal"}),
        ({"unknown": 1, "outcome": "won"}, {}),
    ],
)
def test_a_row_for_each_field_that_was_sent(fields, expected):
    assert values(fact(**fields)) == expected


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("1e3", "EUR"), ("1,5", "EUR"), ("١", "EUR"), (10**30, "EUR"), (float("nan"), "EUR"), ("", "EUR")],
)
def test_an_amount_that_is_no_amount_is_refused(amount, currency):
    with pytest.raises(ValueError, match="amount"):
        fact(amount=amount, currency=currency)


@pytest.mark.parametrize(
    ("amount", "currency", "sent"), [("33.333333", "EUR", "333300"), ("-0.005", "EUR", "-100"), (10.5, "JPY", "110000"), ("1.2345", "KWD", "12350"), ("33.333333", None, "333333")]
)
def test_an_amount_finer_than_its_currency_is_rounded_and_not_lost(amount, currency, sent):
    assert values(fact(amount=amount, currency=currency))["amount"] == sent


@pytest.mark.parametrize("fields", [{"amount": True}, {"amount": []}, {"currency": "XXX"}, {"type": "old"}, {"id": True}, {"id": 2**70}, {"id": ""}])
def test_what_is_not_of_the_schema_is_refused(fields):
    with pytest.raises(ValidationError):
        deal(**fields)


def test_an_adjustment_is_a_change_and_no_field():
    made = fact("adjusted", amount="-250", currency="JPY")
    assert values(made) == {"currency": "JPY"}
    [change] = [row for table, row in made.satellites if table is tables.deal_changes]
    assert (change["change"], change["amount"], change["occurred_at"]) == ("adjusted", -2_500_000, 5)


def test_contacts_of_one_deal_are_subjects_of_their_own():
    contacts = [{"id": 1, "email": "a@example.com", "visitor_id": "ann"}, "b@example.com"]
    made = fact("won", contacts=contacts, owner="seller@example.com")

    first = subject_keys(SITE, email="a@example.com", contact=("generic", "1"))
    second = subject_keys(SITE, email="b@example.com")
    sightings = [(row["link_id"], row["visitor_id"]) for table, row in made.satellites if table is tables.sightings]
    assert sightings == [(link_id(first), "ann"), (link_id(second), "")]
    keys = {row["key_id"] for table, row in made.satellites if table is tables.identity_queue}
    assert keys == {*first, *second}
    assert [row["visitor_id"] for table, row in made.satellites if table is tables.touches_queue] == ["ann"]
    assert ("default", "generic", "D1") in [tuple(row.values())[:3] for table, row in made.satellites if table is tables.deals_queue]


def test_the_body_names_nobody():
    contact = {"id": 1, "email": "a@example.com", "phone": "+4930901820", "name": "Ann", "company": "Acme"}
    body = json.loads(fact(contacts=[contact, "b@example.com"], name="Big one").row["body"])
    assert body == {"id": "D1", "contacts": [{"id": "1", "company": {"name": "Acme"}}, {}], "name": "Big one"}


def test_a_contact_without_a_key_is_nobody():
    assert contact_satellites(SITE, Contact(email="nobody"), space="crm", fact_id="f", occurred_at=5, received_at=6) == (None, [])


def test_what_a_crm_knows_of_a_contact_is_for_display():
    contact = Contact.model_validate({"id": "1", "email": "a@example.com", "company": "Acme", "lead_source": "Fair", "may_contact": False})
    _, rows = contact_satellites(SITE, contact, space="crm", fact_id="f", occurred_at=5, received_at=6)
    shown = [(row["kind"], row["value"], row["company"], row["email_domain"]) for table, row in rows if table is tables.contacts]
    assert shown == [("email", "a@example.com", "Acme", "example.com"), ("contact", "1", "Acme", "example.com")]


@pytest.mark.parametrize(
    ("company", "said"),
    [
        ("Acme", []),
        ({"name": "Acme", "domain": "acme.example"}, []),
        ({"id": 7}, ["7"]),
        ({"id": None}, [None]),
        (None, [None]),
    ],
)
def test_a_contact_is_of_the_company_that_its_crm_names_by_an_id(company, said):
    contact = Contact.model_validate_json(json.dumps({"id": "1", "email": "a@example.com", "company": company}))
    _, rows = contact_satellites(SITE, contact, space="crm", fact_id="f", occurred_at=5, received_at=6)
    [key_id] = subject_keys(SITE, contact=("crm", "1"))
    found = [(row["key_id"], row["space"], row["company_id"]) for table, row in rows if table is tables.contact_companies]
    assert found == [(key_id, "crm", company_id) for company_id in said]


def test_a_contact_that_says_nothing_of_its_company_leaves_it_as_it_was():
    _, rows = contact_satellites(SITE, Contact(email="a@example.com"), space="crm", fact_id="f", occurred_at=5, received_at=6)
    assert not [row for table, row in rows if table is tables.contact_companies]
