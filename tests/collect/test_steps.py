"""From an event to a fact: times, IDs, ranks, and what only a secret key may say."""

from __future__ import annotations

import pytest

from app import ids, tables
from app.collect.origins import Origin, origin_id
from app.collect.schemas import Limits, read_body
from app.collect.steps import NotAllowed, Sender, fact_of
from app.sites.settings import SiteSettings
from app.sites.site import Site
from app.tables import to_micros
from tests.collect.bodies import as_body, moment

SITE = Site("default", b"k" * 32, 1, SiteSettings())
NOW = to_micros(moment("2026-03-10T12:00:00Z"))
SECOND = 1_000_000


def fact(event, *, is_trusted=False, sent_at=None, may_be_old=False):
    [(_, read)] = read_body(as_body({"type": "visit", "visitor_id": "ann", **event}), Limits()).events
    return fact_of(read, Sender(SITE, is_trusted, NOW, sent_at, may_be_old))


def rows(fact_, table):
    return [row for each, row in fact_.satellites if each is table]


@pytest.mark.parametrize(
    ("occurred_at", "sent_after", "expected_after"),
    [
        (None, None, 0),
        ("2026-03-10T11:00:00Z", None, -3_600),
        ("2026-03-10T11:00:00Z", -60, -3_600),
        ("2026-03-10T11:00:00Z", -61, -3_600 + 61),
        ("2026-03-10T13:00:00Z", 7_200, -3_600),
        ("2026-03-10T13:00:00Z", None, 0),
        ("2026-03-10T12:00:30Z", 30, 0),
    ],
)
def test_the_senders_clock_is_put_right_and_nothing_is_in_the_future(occurred_at, sent_after, expected_after):
    sent_at = None if sent_after is None else NOW + sent_after * SECOND
    made = fact({"occurred_at": occurred_at} if occurred_at else {}, sent_at=sent_at)
    assert made.row["occurred_at"] == NOW + expected_after * SECOND
    assert made.row["received_at"] == NOW


def test_history_needs_a_secret_key():
    assert fact({"occurred_at": "2026-03-03T12:00:00Z"})
    with pytest.raises(NotAllowed, match="7 days"):
        fact({"occurred_at": "2026-03-03T11:59:59Z"})
    assert fact({"occurred_at": "1999-01-01T00:00:00Z"}, is_trusted=True)
    assert fact({"occurred_at": "1999-01-01T00:00:00Z"}, may_be_old=True)


@pytest.mark.parametrize("event", [{"type": "deal_closed", "deal": {"id": 1}}, {"type": "touch"}, {"channel": "Webinars"}])
def test_some_things_need_a_secret_key(event):
    with pytest.raises(NotAllowed, match="secret key"):
        fact(event)
    assert fact(event, is_trusted=True)


def test_ids():
    assert fact({"id": "mine"}).row["event_id"] == "mine"
    assert fact({}).row["event_id"] != fact({}).row["event_id"]
    dated = {"occurred_at": "2026-03-10T11:00:00Z", "url": "https://example.com/"}
    assert fact(dated).row["event_id"] == fact(dated, sent_at=NOW - 90 * SECOND).row["event_id"]
    assert fact(dated).row["event_id"] == fact({**dated, "sent_at": "2026-03-10T11:58:00Z"}).row["event_id"]
    assert fact(dated).row["event_id"] != fact({**dated, "url": "https://example.com/other"}).row["event_id"]


@pytest.mark.parametrize(
    ("event", "start_rank", "is_web", "type_rank"),
    [
        ({"type": "visit"}, 2, True, 0),
        ({"type": "pageview"}, 2, True, 1),
        ({"type": "form_submit"}, 1, True, 1),
        ({"type": "engagement"}, 0, True, 1),
        ({"type": "identify"}, 0, False, 1),
        ({"type": "identify", "url": "https://example.com/", "source": "x"}, 0, True, 1),
        ({"type": "touch"}, 2, False, 1),
        ({"type": "touch", "url": "https://example.com/"}, 2, False, 1),
        ({"type": "trial_started"}, 1, False, 1),
        ({"type": "trial_started", "url": "https://example.com/"}, 1, True, 1),
        ({"type": "trial_started", "source": "partner"}, 2, False, 1),
        ({"type": "trial_started", "channel": "Webinars"}, 2, False, 1),
        ({"type": "trial_started", "url": "https://example.com/?utm_source=x"}, 1, True, 1),
    ],
)
def test_ranks(event, start_rank, is_web, type_rank):
    row = fact(event, is_trusted=True).row
    assert (row["start_rank"], row["is_web"], row["type_rank"]) == (start_rank, is_web, type_rank)


def test_a_stated_source_stands_alone():
    url = "https://example.com/?utm_source=google&utm_medium=cpc&gclid=1"
    made = fact({"medium": " Email ", "url": url, "referrer": "https://bing.com/"})

    assert made.row["origin_id"] == origin_id(Origin(medium="Email"))
    assert made.row["click_id"] is None
    assert made.row["url"] == url
    assert fact({"source": "  ", "url": url}).row["origin_id"] == fact({"url": url}).row["origin_id"]


def test_a_stated_campaign_holds_no_address_of_a_person():
    made = fact({"source": "news@brand.example", "campaign": "ada@example.com", "term": "+49 151 23456789", "content": "a"})
    assert made.row["origin_id"] == origin_id(Origin(source="news@brand.example", content="a"))


def test_an_event_without_a_visitor_stands_under_its_key():
    made = fact({"visitor_id": None, "email": "ann@example.com", "type": "form_submit"}, is_trusted=True)
    [sighting] = rows(made, tables.sightings)
    assert made.row["visitor_id"] == sighting["visitor_id"]
    assert made.row["visitor_id"].startswith("~e_")
    assert made.row["has_email"] is True


@pytest.mark.parametrize(
    ("event", "is_trusted"),
    [
        ({"visitor_id": None, "email": "ann@example.com"}, False),
        ({"visitor_id": None, "email": "nobody"}, True),
        ({"visitor_id": "  "}, False),
        ({"visitor_id": "~e_1"}, True),
        ({"url": "https://[half"}, True),
        ({"type": "deal_closed"}, True),
        ({"type": "deal_closed", "deal": {"id": 1, "amount": "much", "currency": "USD"}}, True),
    ],
)
def test_what_cannot_be_placed_is_refused(event, is_trusted):
    with pytest.raises(ValueError, match=r".+"):
        fact(event, is_trusted=is_trusted)


def test_an_email_that_cannot_be_read_is_left_out_and_the_event_kept():
    made = fact({"email": "nobody", "user_id": 7})
    assert made.row["has_email"] is False
    assert [row["kind"] for row in rows(made, tables.contacts)] == ["user_id"]


def test_a_form_is_its_name_on_its_path():
    made = fact({"type": "form_submit", "form": " Demo ", "url": "https://example.com/demo?x=1"})
    assert rows(made, tables.forms) == [{"site_id": "default", "form_id": ids.digest("Demo", "/demo"), "name": "Demo", "path": "/demo"}]
    assert "form_id" not in fact({"type": "pageview", "form": "Demo"}).row


def test_a_closed_deal_is_a_crm_fact_and_takes_its_human_from_the_event():
    made = fact({"type": "deal_closed", "id": "d1", "email": "ann@example.com", "deal": {"id": 7}}, is_trusted=True)

    assert made.table is tables.crm_facts
    assert (made.row["fact_id"], made.row["space"], made.row["type"]) == (ids.digest("events", "d1"), "generic", "deal.won")
    [sighting] = rows(made, tables.sightings)
    assert sighting["visitor_id"] == "ann"
    assert len(rows(made, tables.deal_contacts)) == 1
    assert "ann@example.com" not in made.row["body"]


def test_who_is_named_in_the_deal_is_left_alone():
    deal = {"id": 7, "outcome": "lost", "contacts": ["bob@example.com"], "visitor_id": "bob"}
    made = fact({"type": "deal_closed", "email": "ann@example.com", "deal": deal}, is_trusted=True)
    assert [row["value"] for row in rows(made, tables.contacts)] == ["bob@example.com"]
    assert ("visitor_id", "bob") in [(row["field"], row["value"]) for row in rows(made, tables.deal_fields)]
    assert [row["change"] for row in rows(made, tables.deal_changes)] == ["lost"]
