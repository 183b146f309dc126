"""The account view: which companies a deal is of, and who shares its journey without being one of its contacts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app import tables
from app.db import Database
from app.deals import companies
from app.deals.free_mail import domains_of_no_company, shipped
from app.deals.stage import STAGE
from app.identity.stage import STAGE as IDENTITY
from app.sites.settings import SiteSettings
from app.sites.site import Site
from tests.cases import Rows, assert_cases, run_cases
from tests.deal_facts import a_span, deal_rows, key_people, said
from tests.facts import a_sighting, at, enqueue, put_all
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

DEAL = [("generic", "d")]


def mail(**domain_of: str) -> Rows:
    """Keys of e-mails, each with its domain."""
    return [(tables.key_domains, {"site_id": "default", "key_id": key, "domain": domain}) for key, domain in domain_of.items()]


def said_of(key_id: str, company_id: str | None, minutes: float, fact_id: str = "f", space: str = "generic") -> Rows:
    """The CRM said that a contact is of a company."""
    row = {"site_id": "default", "key_id": key_id, "space": space, "fact_id": fact_id, "company_id": company_id, "occurred_at": at(minutes)}
    return [(tables.contact_companies, row)]


@pytest.fixture
def pooling(site: Site) -> Site:
    """The site, with the account view turned on."""
    settings = SiteSettings(account_journeys=True, hosts=["shop.example.com"], free_mail_domains=["mail.example.net"])
    return replace(site, settings=settings)


# Ada and Bob write from Acme, Cem from Blue, Dee and Eve from a provider of free mail, Fay from the site itself.
KNOWN: Rows = [
    *key_people(e_ada="e_ada", e_bob="e_bob", e_cem="e_cem", e_dee="e_dee", e_eve="e_eve", e_fay="e_fay", c_bob="c_bob"),
    *mail(e_ada="acme.example", e_bob="acme.example", e_cem="blue.example", e_dee="gmail.com", e_eve="mail.example.net", e_fay="example.com"),
]
ADA, BOB, CEM = ["e_ada", True], ["e_bob", False], ["e_cem", False]

PEOPLE: dict[str, tuple[Rows, list[list[Any]]]] = {
    "of the deal's domain": (deal_rows("d", said("a", 1, company_domain="acme.example", contacts=["e_ada"])), [ADA, BOB]),
    "also where the deal names nobody": (deal_rows("d", said("a", 1, company_domain="blue.example")), [CEM]),
    "of a contact's domain, where the deal has none": (deal_rows("d", said("a", 1, contacts=["e_ada"])), [ADA, BOB]),
    "not of a contact's, where the deal has one": (
        deal_rows("d", said("a", 1, company_domain="blue.example", contacts=["e_ada"])), [ADA, CEM],
    ),
    "of the domain of another e-mail of the contact": (
        [*deal_rows("d", said("a", 1, contacts=["c_kim"])), *key_people(c_kim="c_kim", e_kim="c_kim"), *mail(e_kim="acme.example")],
        [["c_kim", True], ["e_ada", False], BOB],
    ),
    "of the domain of the visitor's person": (
        deal_rows("d", said("a", 1, visitor_id="v")) + a_span("v", "e_ada"), [ADA, BOB],
    ),
    "nobody for a contact without an e-mail": (deal_rows("d", said("a", 1, contacts=["c_bob"])), [["c_bob", True]]),
    "free mail is no company": (deal_rows("d", said("a", 1, contacts=["e_dee"])) + key_people(e_zoe="e_zoe") + mail(e_zoe="gmail.com"), [["e_dee", True]]),
    "not even where the CRM says so": (deal_rows("d", said("a", 1, company_domain="gmail.com")), []),
    "nor what the site calls free": (deal_rows("d", said("a", 1, company_domain="mail.example.net")), []),
    "nor the site's own": (deal_rows("d", said("a", 1, company_domain="example.com")), []),
    "of the CRM's company": (deal_rows("d", said("a", 1, company_id="7", contacts=["e_dee"])) + said_of("c_bob", "7", 1), [["e_dee", True], ["c_bob", False]]),
    "of the CRM's company and of the domain": (
        deal_rows("d", said("a", 1, company_id="7", company_domain="blue.example")) + said_of("c_bob", "7", 1), [["c_bob", False], CEM],
    ),
    "not of the same ID in another CRM": (deal_rows("d", said("a", 1, company_id="7")) + said_of("c_bob", "7", 1, space="other"), []),
    "not who has left it": (deal_rows("d", said("a", 1, company_id="7")) + said_of("c_bob", "7", 1) + said_of("c_bob", "8", 2, "g"), []),
    "not who is of none now": (deal_rows("d", said("a", 1, company_id="7")) + said_of("c_bob", "7", 1) + said_of("c_bob", None, 1, "g"), []),
    "who has come back": (
        deal_rows("d", said("a", 1, company_id="7")) + said_of("c_bob", "7", 3, "g") + said_of("c_bob", "8", 2), [["c_bob", False]],
    ),
    "a company's name is no company": (deal_rows("d", said("a", 1, company_name="acme.example")), []),
    "a deal whose company is gone": (
        deal_rows("d", said("a", 1, company_domain="acme.example", company_id="7"), said("b", 2, company_domain=None, company_id=None)), [],
    ),
}  # fmt: skip


async def test_people_of_companies(database: Database, pooling: Site) -> None:
    await run_cases(database, pooling, STAGE, {case: (KNOWN + rows, DEAL) for case, (rows, _) in PEOPLE.items()})
    expected = {case: people for case, (_, people) in PEOPLE.items()}
    await assert_cases(database, tables.deal_people, ["person_id", "is_contact"], expected)


async def test_only_where_the_site_wants_it(database: Database, site: Site) -> None:
    await run_cases(database, site, STAGE, {case: (KNOWN + rows, DEAL) for case, (rows, _) in PEOPLE.items()})
    expected = {case: [person for person in people if person[1]] for case, (_, people) in PEOPLE.items()}
    await assert_cases(database, tables.deal_people, ["person_id", "is_contact"], expected)
    await assert_cases(database, tables.deal_companies, ["company"], {})


async def test_turned_off_again(database: Database, pooling: Site, site: Site) -> None:
    await put_all(database, KNOWN + deal_rows("d", said("a", 1, contacts=["e_ada"])))
    for each, people in ((pooling, [ADA, BOB]), (site, [ADA])):
        await enqueue(database, tables.deals_queue, *DEAL)
        await run_stage(database, each, STAGE)
        await assert_rows(database, tables.deal_people, ["person_id", "is_contact"], people)


async def test_a_crowd_is_flagged_and_not_pooled(database: Database, pooling: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companies, "MOST_KNOWN", 2)
    crowd = {f"e_{n}": "acme.example" for n in range(1)}
    cases = {
        "two": deal_rows("d", said("a", 1, company_domain="acme.example")),
        "three": [*deal_rows("d", said("a", 1, company_domain="acme.example")), *mail(**crowd), *key_people(**{key: key for key in crowd})],
        "three, of whom one is not known yet": [*deal_rows("d", said("a", 1, company_domain="acme.example")), *mail(**crowd)],
        "three by ID": [
            *deal_rows("d", said("a", 1, company_id="7", contacts=["e_ada"])),
            *[row for key in ("e_cem", "e_dee", "e_eve") for row in said_of(key, "7", 1)],
        ],
    }
    await run_cases(database, pooling, STAGE, {case: (KNOWN + rows, DEAL) for case, rows in cases.items()})
    flags = {
        "two": [["", "acme.example", False]],
        "three": [["", "acme.example", True]],
        "three, of whom one is not known yet": [["", "acme.example", False]],
        "three by ID": [["generic", "7", True], ["", "acme.example", False]],
    }
    await assert_cases(database, tables.deal_companies, ["company_space", "company", "is_crowded"], flags)
    pooled = [["e_ada", False], ["e_bob", False]]
    people = {"two": pooled, "three": [], "three, of whom one is not known yet": pooled, "three by ID": [["e_ada", True], ["e_bob", False]]}
    await assert_cases(database, tables.deal_people, ["person_id", "is_contact"], people)


# ---------------------------------------------------------------- what makes a deal dirty


CONCERNED: dict[str, tuple[Rows, str, list[str]]] = {
    "somebody new of the domain": ([*a_sighting("e_new", "", "n", 1), *mail(e_new="acme.example")], "e_new", ["by domain"]),
    "another e-mail of a contact": (
        [*a_sighting("c_kim e_kim", "", "n", 1), *key_people(c_kim="c_kim"), *mail(e_kim="blue.example")], "e_kim", ["of kim"],
    ),
    "somebody who is now of the company": (
        [*a_sighting("c_new", "", "n", 1), *key_people(c_new="c_new"), *said_of("c_new", "7", 1)], "c_new", ["by id"],
    ),
    "somebody who has left it": (
        [*a_sighting("c_new", "", "n", 1), *key_people(c_new="c_new"), *said_of("c_new", "7", 1), *said_of("c_new", "9", 2, "g")],
        "c_new",
        ["by id"],
    ),
    "nobody new": ([*a_sighting("e_old", "", "n", 1), *key_people(e_old="e_old"), *mail(e_old="acme.example")], "e_old", []),
    "somebody of no deal's company": ([*a_sighting("e_new", "", "n", 1), *mail(e_new="else.example")], "e_new", []),
}  # fmt: skip


def stands(deal_id: str, company_space: str, company: str) -> Rows:
    row = {"site_id": "default", "space": "generic", "deal_id": deal_id, "company_space": company_space, "company": company, "is_crowded": False}
    return [(tables.deal_companies, row)]


async def test_which_deals_a_key_concerns(database: Database, pooling: Site) -> None:
    person = {"site_id": "default", "space": "generic", "deal_id": "of kim", "person_id": "c_kim", "is_contact": True}
    standing = [*stands("by domain", "", "acme.example"), *stands("by id", "generic", "7"), *stands("other", "crm", "7"), (tables.deal_people, person)]
    await run_cases(database, pooling, IDENTITY, {case: (standing + rows, [(key,)]) for case, (rows, key, _) in CONCERNED.items()})
    await assert_cases(database, tables.deals_queue, ["deal_id"], {case: [[deal] for deal in deals] for case, (*_, deals) in CONCERNED.items()})


# ---------------------------------------------------------------- free mail


@pytest.mark.parametrize("domain", ["gmail.com", "qq.com", "mail.ru", "naver.com", "yahoo.co.jp", "rediffmail.com", "uol.com.br", "web.de", "orange.fr"])
def test_the_list_is_of_the_whole_world(domain: str) -> None:
    assert domain in shipped()


def test_the_list_can_be_read() -> None:
    assert len(shipped()) >= 200
    assert not [domain for domain in shipped() if domain != domain.strip().lower() or "." not in domain or " " in domain]


def test_a_site_adds_its_own() -> None:
    excluded = domains_of_no_company(SiteSettings(hosts=["www.shop.example.co.uk"], free_mail_domains=["Bücher.example"]))
    assert {"gmail.com", "example.co.uk", "shop.example.co.uk", "bücher.example"} <= set(excluded)
