"""Keys: what is the same human's is the same key, and nothing shows in clear."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import tables
from app.collect.keys import (
    clear_texts,
    link_id,
    normal_phone,
    pseudo_visitor,
    sighting_satellites,
    subject_keys,
)
from app.sites.addresses import normal_domain, normal_email
from app.sites.settings import SiteSettings
from app.sites.site import Site

SITE = Site("default", b"k" * 32, 1, SiteSettings(country="DE"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Lee+news@Example.COM\n", "ann.lee+news@example.com"),
        ("jörg@bücher.example.com", "jörg@bücher.example.com"),
        ("jörg@xn--bcher-kva.example.com", "jörg@bücher.example.com"),
        ("ann", None),
        ("ann@", None),
        ("ann@example", None),
        ("a b@example.com", None),
        ("x" * 500 + "@example.com", None),
        ("", None),
    ],
)
def test_emails(text, address):
    assert normal_email(text) == address


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("acme.example", "acme.example"),
        (" WWW.Acme.example ", "acme.example"),
        ("https://www.acme.example/about?x=1", "acme.example"),
        ("xn--bcher-kva.example.com", "bücher.example.com"),
        ("Acme Ltd.", None),
        ("acme", None),
        ("", None),
    ],
)
def test_a_companys_domain_is_written_as_in_its_emails(text, domain):
    assert normal_domain(text) == domain


def test_the_log_keeps_the_domain_of_an_email_beside_its_key():
    rows = clear_texts(SITE, 5, email="Ann@Bücher.example.com", phone="030 901820", user_id="7")
    [key_id] = subject_keys(SITE, email="ann@bücher.example.com")
    domains = [row for table, row in rows if table is tables.key_domains]
    assert domains == [{"site_id": "default", "key_id": key_id, "domain": "bücher.example.com"}]


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+49 30 901820", None, "+4930901820"),
        ("030 / 90 18 20", "DE", "+4930901820"),
        ("030 901820", None, None),
        ("tel:+1-202-555-0123", None, "+12025550123"),
        ("+1 202 555 0123 ext. 9", None, "+12025550123"),
        ("1", "DE", None),
        ("none", "DE", None),
        ("+٤٩٣٠٩٠١٨٢٠", None, None),
    ],
)
def test_phones(text, country, number):
    assert normal_phone(text, country) == number


def test_other_spellings_are_the_same_keys_and_other_sites_have_others():
    keys = subject_keys(SITE, email="ann@example.com", phone="+4930901820", user_id="7", contact=("crm", "9"))

    assert [key_id[:2] for key_id in keys] == ["c_", "e_", "p_", "u_"]
    assert subject_keys(SITE, email=" ANN@example.com", phone="030 901820", user_id=" 7 ", contact=("crm", "9")) == keys
    assert not set(subject_keys(replace(SITE, hash_key=b"o" * 32), email="ann@example.com")) & set(keys)
    assert subject_keys(SITE, contact=("other", "9")) != subject_keys(SITE, contact=("crm", "9"))


def test_what_cannot_be_read_gives_no_key():
    assert subject_keys(SITE, email="nobody", phone="1", user_id="  ") == []


@pytest.mark.parametrize(
    ("keys", "visitor"), [(["e_1", "p_1", "u_1"], "~u_1"), (["e_1", "p_1"], "~e_1"), (["p_1"], "~p_1"), (["c_1"], None), ([], None)]
)
def test_the_pseudo_visitor_is_of_the_strongest_key(keys, visitor):
    assert pseudo_visitor(keys) == visitor


def test_a_link_is_a_set():
    assert link_id(["a", "b"]) == link_id(["b", "a"]) != link_id(["a"])


def test_a_sighting_names_its_keys_and_makes_them_dirty():
    rows = sighting_satellites(SITE, ["e_1", "u_1"], "", "fact", 5, 0, True, 6)
    assert [table.name for table, _ in rows] == ["sightings", "link_keys", "identity_queue", "link_keys", "identity_queue"]
    on_visitor = sighting_satellites(SITE, ["e_1"], "ann", "fact", 5, 0, True, 6)
    assert on_visitor[-1] == (tables.touches_queue, {"site_id": "default", "visitor_id": "ann", "received_at": 6})
