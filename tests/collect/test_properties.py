"""Properties of people, deals and companies, on their way into the log."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from app import tables
from app.collect.deal_facts import Contact, Deal, contact_satellites, deal_facts
from app.collect.keys import link_id, subject_keys
from app.collect.properties import LONGEST_NAME, LONGEST_VALUE, MOST, property_texts
from app.collect.schemas import Limits, read_body
from app.collect.steps import Sender, fact_of
from app.sites.settings import SiteSettings
from app.sites.site import Site
from tests.collect.bodies import as_body

SITE = Site("default", b"k" * 32, 1, SiteSettings())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Germany", "Germany"), (" a b ", "a b"), ("", None), ("  ", None), (None, None), (True, "true"), (False, "false"),
        (3, "3"), (3.0, "3"), (-2.5, "-2.5"), (0, "0"), (1e20, "1e+20"), ("x" * LONGEST_VALUE, "x" * LONGEST_VALUE),
    ],
)  # fmt: skip
def test_a_value_is_a_text(value, text):
    assert property_texts({"size": value}) == {"size": text}


@pytest.mark.parametrize("sent", [None, {}, {"a": [1]}, {"a": {"b": 1}}, {" ": 1}, {"n" * (LONGEST_NAME + 1): 1}, {"a": "x" * (LONGEST_VALUE + 1)}])
def test_what_is_no_property_is_left_out(sent):
    assert property_texts(sent) == {}


def test_there_are_not_more_than_the_most():
    assert list(property_texts({f"p{n}": n for n in range(MOST + 5)})) == [f"p{n}" for n in range(MOST)]


def _fields(satellites, table, *columns):
    return sorted(tuple(row[name] for name in columns) for each, row in satellites if each is table)


def _event(is_trusted=False, **event):
    [(_, read)] = read_body(as_body({"visitor_id": "ann", "id": "e1", **event}), Limits()).events
    return fact_of(read, Sender(SITE, is_trusted, 1_000))


@pytest.mark.parametrize("kind", ["form_submit", "identify"])
def test_a_form_describes_the_human_that_it_names(kind):
    made = _event(type=kind, email="ann@example.com", properties={"country": "DE", "tags": ["a"], "size": None})
    link = link_id(subject_keys(SITE, email="ann@example.com"))
    said = _fields(made.satellites, tables.person_fields, "link_id", "visitor_id", "fact_id", "field", "value", "is_trusted", "occurred_at")
    assert said == [(link, "ann", "e1", "country", "DE", False, 1_000), (link, "ann", "e1", "size", None, False, 1_000)]
    assert json.loads(made.row["properties"])["tags"] == ["a"]


@pytest.mark.parametrize("event", [{"type": "identify"}, {"type": "bought", "email": "ann@example.com"}, {"type": "pageview", "user_id": 7}])
def test_other_events_describe_nobody(event):
    made = _event(**event, properties={"country": "DE"})
    assert _fields(made.satellites, tables.person_fields, "field") == []


def _deal(**fields):
    deal = Deal.model_validate({"id": "7", **fields})
    return deal_facts(SITE, deal, "seen", fact_id="f", fact_type="deal.updated", occurred_at=5, received_at=6, space="crm")


def test_a_deal_and_its_company_are_described_by_name():
    company = {"id": 9, "domain": "acme.example", "name": "Acme", "properties": {"industry": "Software"}}
    made = _deal(properties={"product": "Pro"}, company=company)
    deal, by_id, by_domain = "deal:crm/7", "company:crm/id:9", "company:crm/domain:acme.example"
    said = _fields(made.satellites, tables.record_fields, "record_id", "field", "value", "fact_id", "occurred_at")
    assert said == sorted([
        (deal, "product", "Pro", "f", 5), (by_id, "industry", "Software", "f", 5), (by_domain, "industry", "Software", "f", 5),
    ])  # fmt: skip
    assert _fields(made.satellites, tables.properties_queue, "holder_id", "received_at") == sorted([(deal, 6), (by_id, 6), (by_domain, 6)])


def test_a_company_without_id_or_domain_goes_by_its_name():
    made = _deal(company={"name": "Acme", "properties": {"industry": "Software"}})
    assert _fields(made.satellites, tables.record_fields, "record_id") == [("company:crm/name:Acme",)]


def test_a_deal_without_properties_has_no_row_of_them():
    made = _deal(company="Acme", contacts=["ann@example.com"])
    assert {table.name for table, _ in made.satellites}.isdisjoint({"record_fields", "person_fields", "properties_queue"})


def test_a_contact_is_described_and_tied_to_its_company():
    company = {"id": 9, "properties": {"industry": "Software"}}
    contact = Contact.model_validate({"id": "1", "visitor_id": "ann", "company": company, "properties": {"country": "DE"}})
    _, rows = contact_satellites(SITE, contact, space="crm", fact_id="f", occurred_at=5, received_at=6)
    said = _fields(rows, tables.person_fields, "visitor_id", "field", "value", "is_trusted")
    assert said == [("ann", "", "company:crm/id:9", True), ("ann", "country", "DE", True)]
    assert _fields(rows, tables.record_fields, "record_id", "field") == [("company:crm/id:9", "industry")]


@pytest.mark.parametrize("company", ["Acme", {"name": "Acme"}, {"id": None}, {"domain": "d" * 201}, None])
def test_a_name_ties_nobody_to_a_company(company):
    _, rows = contact_satellites(
        SITE, Contact.model_validate({"id": "1", "company": company}), space="crm", fact_id="f", occurred_at=5, received_at=6
    )
    assert _fields(rows, tables.person_fields, "field") == []


@pytest.mark.parametrize("value", ["\x00", 2**70, float("nan"), "\ud800"])
def test_what_cannot_be_stored_is_refused(value):
    for model in (Deal, Contact):
        with pytest.raises(ValidationError):
            model.model_validate({"id": "7", "properties": {"nested": [value]}})
