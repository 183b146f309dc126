"""What each message of a Segment SDK becomes, without a database."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import tables
from app.collect.keys import link_id, pseudo_visitor, subject_keys
from app.collect.origins import NOWHERE, Origin, origin_id
from app.collect.segment_mapping import deal_fact, event_fact
from app.collect.segment_messages import Message, message_of
from app.collect.steps import Sender
from app.sites.settings import SiteSettings
from app.sites.site import Site

NOW = 1_770_000_000_000_000
SITE = Site("default", b"k" * 32, 1, SiteSettings())
WRITE, SECRET = Sender(SITE, False, NOW), Sender(SITE, True, NOW)
ADA = subject_keys(SITE, user_id="u7")


def site_with(*deals) -> Site:
    return replace(SITE, settings=SiteSettings(segment_deals=deals))


def message(**fields) -> Message:
    return message_of({"type": "track", "event": "Signed Up", "anonymousId": "ann", "messageId": "m1", **fields}, 32_768)


def row(sender=WRITE, **fields):
    return event_fact(message(**fields), sender).row


def satellites(fact, table, *columns):
    return sorted(tuple(each[name] for name in columns) for of, each in fact.satellites if of is table)


# ---------------------------------------------------------------- what it is


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ({"type": "page"}, "pageview"), ({"type": "screen"}, "pageview"), ({"type": "identify"}, "identify"),
        ({"type": "group", "groupId": 4}, "group"), ({"type": "alias", "previousId": "old", "userId": "u7"}, "identify"),
        ({"event": "Signed Up"}, "Signed Up"), ({"event": " Signed Up "}, "Signed Up"), ({"event": "x" * 70}, "x" * 64),
        ({"event": "form_submit"}, "form_submit"), ({"event": "visit"}, "track:visit"), ({"event": "deal_closed"}, "track:deal_closed"),
    ],
)  # fmt: skip
def test_the_type_of_its_event(sent, kind):
    assert row(**sent)["type"] == kind


def test_a_name_that_was_cut_is_kept():
    assert json.loads(row(event="x" * 70)["properties"]) == {"$segment": {"event": "x" * 70}}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"event": None}, "track needs event"), ({"event": " "}, "track needs event"), ({"event": 5}, "event: Input should be a valid string"),
        ({"anonymousId": None}, "userId or anonymousId is needed"), ({"anonymousId": "", "userId": " "}, "userId or anonymousId is needed"),
        ({"type": "alias", "userId": "u7"}, "alias needs previousId and userId"), ({"type": "alias", "previousId": "old"}, "alias needs"),
        ({"type": "group"}, "group needs groupId"), ({"type": "visit"}, "type is none of identify, track, page, screen, group, alias"),
        ({"properties": []}, "properties: Input should be a valid dictionary"), ({"properties": {"a": "\0"}}, "a text holds NUL"),
        ({"properties": {"a": float("nan")}}, "a number that is not finite"), ({"timestamp": "yesterday"}, "timestamp: not an RFC 3339 time"),
        ({"timestamp": 5}, "timestamp: not an ISO 8601 time"), ({"timestamp": "1999-01-01T00:00:00Z"}, "older than 7 days, which needs a secret key"),
        ({"anonymousId": "~u_1"}, "visitor_id may not begin with ~"), ({"anonymousId": "x" * 129}, "visitor_id: String should have at most 128"),
        ({"properties": {"a": "x" * 32_768}}, "larger than 32768 bytes"), ({"context": {"page": {"url": "http://["}}}, "url is not an address"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_says_why(sent, reason):
    with pytest.raises(ValueError, match=reason):
        event_fact(message(**sent), WRITE)


@pytest.mark.parametrize("sent", [None, 5, "x", []])
def test_what_is_no_message(sent):
    with pytest.raises(ValueError, match="not an object"):
        message_of(sent, 32_768)


@pytest.mark.parametrize(("sent", "named"), [("m1", "m1"), (7, "7")])
def test_the_message_names_the_event(sent, named):
    assert row(messageId=sent)["event_id"] == named


def test_a_long_message_id_names_it_too():
    assert row(messageId="m" * 150)["event_id"] == row(messageId="m" * 150)["event_id"] != row(messageId="m" * 151)["event_id"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.sampled_from(["a@b.example", "$direct", "https://a.example/?utm_source=x", "//["]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["url", "search", "email", "phone", "order_id", "total", "name", "a"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = ["messageId", "userId", "previousId", "groupId", "event", "name", "timestamp", "sentAt", "properties", "traits", "integrations", "x"]
CONTEXTS = st.dictionaries(st.sampled_from(["page", "campaign", "traits", "groupId", "ip", "userAgent", "x"]), VALUES, max_size=4)


@given(
    st.sampled_from(["identify", "track", "page", "screen", "group", "alias"]), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5), CONTEXTS | VALUES,
    st.booleans(), st.sampled_from(["won", "open", "refunded"]),
)  # fmt: skip
def test_whatever_is_sent_is_taken_or_refused_with_a_reason(kind, fields, context, is_trusted, outcome):
    sender = Sender(site_with({"event": "Paid", "outcome": outcome, "write_key": True}), is_trusted, NOW)
    try:
        said = message_of({"anonymousId": "ann", "event": "Paid", **fields, "type": kind, "context": context}, 32_768)
        fact = event_fact(said, sender)
        json.loads(fact.row["properties"] or "{}")
        deal_fact(said, sender)
    except ValueError as refused:
        reason = str(refused)
    else:
        reason = "taken"
    assert reason


# ---------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("sent", "micros"),
    [
        ({"timestamp": "2026-02-01T12:00:00.123Z"}, 1_769_947_200_123_000), ({"originalTimestamp": "2026-02-01T12:00:00+00:00"}, 1_769_947_200_000_000),
        ({"timestamp": "2026-02-01T12:00:00"}, 1_769_947_200_000_000), ({"timestamp": "2026-02-01T13:00:00+0100"}, 1_769_947_200_000_000),
        ({"timestamp": "2026-02-01T12:00:00Z", "originalTimestamp": "2026-01-31T00:00:00Z"}, 1_769_947_200_000_000),
        ({"timestamp": "2026-02-01"}, 1_769_904_000_000_000), ({"timestamp": None}, NOW), ({}, NOW), ({"timestamp": "2036-01-01T00:00:00Z"}, NOW),
        # Its clock is an hour slow: NOW is 2026-02-02T02:40:00Z.
        ({"timestamp": "2026-02-02T01:00:00Z", "sentAt": "2026-02-02T01:40:00Z"}, NOW - 40 * 60 * 1_000_000),
    ],
)  # fmt: skip
def test_when_it_happened(sent, micros):
    assert row(**sent)["occurred_at"] == micros


# ---------------------------------------------------------------- who


def test_a_browser_is_its_visitor_and_a_server_speaks_of_a_human_under_either_key():
    assert row()["visitor_id"] == "ann"
    assert row(anonymousId=None, userId="u7")["visitor_id"] == pseudo_visitor(ADA)
    assert row(SECRET, anonymousId="", userId=7)["visitor_id"] == pseudo_visitor(subject_keys(SITE, user_id="7"))
    assert (row()["is_trusted"], row(SECRET)["is_trusted"]) == (False, True)


def test_what_a_server_tells_is_no_visit():
    told = {"anonymousId": None, "userId": "u7"}
    assert row(**told)["start_rank"] == 0
    assert row(**told, context={"campaign": {"source": "news"}})["start_rank"] == 2
    assert row(**told, context={"page": {"url": "https://brand.example/"}})["start_rank"] == 1
    assert row(**told, type="page")["start_rank"] == 2
    assert row()["start_rank"] == 1


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ({"userId": "u7"}, {"user_id": "u7"}),
        ({"type": "identify", "traits": {"email": "Ada@example.com", "phone": "+16502530000"}}, {"email": "ada@example.com", "phone": "+16502530000"}),
        ({"type": "identify", "userId": "u7", "context": {"traits": {"email": "ada@example.com"}}}, {"user_id": "u7", "email": "ada@example.com"}),
        ({"userId": "ada@example.com"}, {"user_id": "ada@example.com", "email": "ada@example.com"}),
        ({"userId": "u7", "context": {"traits": {"email": "ada@example.com"}}}, {"user_id": "u7", "email": "ada@example.com"}),
        # Whom one invites is somebody else; a company's mailbox is nobody.
        ({"userId": "u7", "properties": {"email": "ben@example.com"}}, {"user_id": "u7"}),
        ({"type": "group", "groupId": "acme", "userId": "u7", "traits": {"email": "office@acme.example"}}, {"user_id": "u7"}),
        ({"event": "form_submit", "properties": {"email": "ada@example.com", "form": "Demo"}}, {"email": "ada@example.com"}),
    ],
)  # fmt: skip
def test_which_keys_it_carries(sent, keys):
    fact = event_fact(message(**sent), WRITE)
    assert [key for key, in satellites(fact, tables.link_keys, "key_id")] == subject_keys(SITE, **keys)


def test_an_identify_describes_the_human_and_leaves_its_keys_out():
    traits = {"email": "ada@example.com", "phone": "+16502530000", "plan": "pro", "address": {"city": "Paris"}}
    fact = event_fact(message(type="identify", userId="u7", traits=traits), WRITE)
    assert json.loads(fact.row["properties"]) == {"plan": "pro", "address": {"city": "Paris"}}
    assert satellites(fact, tables.person_fields, "field", "value", "is_trusted") == [("plan", "pro", False)]


@pytest.mark.parametrize(
    ("sent", "visitor", "user_ids"),
    [
        # A browser's own ID was no user ID before; an ID that a server names may have been either.
        ({"previousId": "ann"}, "ann", ["u7"]), ({"previousId": "old"}, "ann", ["old", "u7"]), ({"previousId": "old", "anonymousId": None}, "old", ["old", "u7"]),
    ],
)  # fmt: skip
def test_an_alias_says_that_two_ids_are_of_one_human(sent, visitor, user_ids):
    fact = event_fact(message(type="alias", userId="u7", **sent), WRITE)
    assert (fact.row["visitor_id"], fact.row["start_rank"]) == (visitor, 0)
    keys = sorted(key for user_id in user_ids for key in subject_keys(SITE, user_id=user_id))
    assert satellites(fact, tables.sightings, "link_id", "visitor_id") == [(link_id(keys), visitor)]
    assert satellites(fact, tables.contacts, "kind", "value") == [("user_id", user_id) for user_id in user_ids]


@pytest.mark.parametrize(("sender", "record"), [(SECRET, "company:generic/id:acme"), (WRITE, "company::segment/id:acme")])
def test_a_group_describes_a_company_which_a_page_cannot_do_for_those_of_deals(sender, record):
    traits = {"name": "Acme", "industry": "Software", "email": "office@acme.example"}
    fact = event_fact(message(type="group", groupId="acme", userId="u7", traits=traits), sender)
    assert satellites(fact, tables.record_fields, "record_id", "field", "value", "fact_id") == [
        (record, "industry", "Software", "m1"), (record, "name", "Acme", "m1"),
    ]  # fmt: skip
    assert satellites(fact, tables.person_fields, "link_id", "field", "value", "is_trusted") == [(link_id(ADA), "", record, sender.is_trusted)]
    space = record.partition("/")[0].partition(":")[2]
    assert satellites(fact, tables.contact_companies, "key_id", "space", "company_id") == [(ADA[0], space, "acme")]
    assert json.loads(fact.row["properties"]) == {"name": "Acme", "industry": "Software", "$segment": {"groupId": "acme"}}


def test_a_group_of_an_unknown_visitor_describes_the_company_alone():
    fact = event_fact(message(type="group", groupId="acme", traits={"industry": "Software"}), WRITE)
    assert satellites(fact, tables.record_fields, "field") == [("industry",)]
    assert satellites(fact, tables.person_fields, "field") == satellites(fact, tables.contact_companies, "key_id") == []


# ---------------------------------------------------------------- where


PAGE = {"url": "https://www.brand.example/a", "referrer": "https://news.example/", "title": "A", "path": "/a", "search": ""}


def origin_of(**sent):
    event = row(**sent)
    return event["url"], event["referrer"], event["title"], event["origin_id"], event["click_id"]


@pytest.mark.parametrize(
    ("sent", "url", "referrer", "title", "origin"),
    [
        ({"context": {"page": PAGE}}, "https://www.brand.example/a", "https://news.example/", "A", Origin(referring_host="news.example")),
        ({"type": "page", "properties": PAGE}, "https://www.brand.example/a", "https://news.example/", "A", Origin(referring_host="news.example")),
        ({"type": "page", "name": "Prices", "context": {"page": {"path": "/p"}}}, "/p", None, "Prices", NOWHERE),
        ({"type": "screen", "name": "Home"}, None, None, "Home", NOWHERE),
        ({"context": {"page": {**PAGE, "referrer": "$direct"}}}, "https://www.brand.example/a", None, "A", NOWHERE),
        # A canonical address may come without the query, or with another one.
        ({"context": {"page": {**PAGE, "referrer": "", "search": "?utm_source=x"}}}, "https://www.brand.example/a?utm_source=x", None, "A", Origin(source="x")),
        ({"context": {"page": {"url": "https://b.example/?p=1#top", "search": "?utm_source=x"}}}, "https://b.example/?p=1&utm_source=x#top", None, None, Origin(source="x")),
        ({"context": {"page": {"url": "https://b.example/?utm_source=x", "search": "?utm_source=x"}}}, "https://b.example/?utm_source=x", None, None, Origin(source="x")),
        ({"context": {"campaign": {"source": "news", "medium": "email", "name": "Spring", "term": "t", "content": "c"}}}, None, None, None,
         Origin(source="news", medium="email", campaign="Spring", term="t", content="c")),
        ({"context": {"page": {"url": "https://b.example/?utm_source=x"}, "campaign": {"name": "Spring"}}}, "https://b.example/?utm_source=x", None, None, Origin(source="x")),
        ({"context": {"page": "x", "campaign": [], "traits": 5}}, None, None, None, NOWHERE),
    ],
)  # fmt: skip
def test_where_it_came_from(sent, url, referrer, title, origin):
    assert origin_of(**sent) == (url, referrer, title, origin_id(origin), None)


def test_a_click_id_of_the_address_is_kept():
    page = {"url": "https://b.example/?gclid=x1"}
    assert origin_of(context={"page": page})[3:] == (origin_id(Origin(click_id_kind="gclid")), "x1")


# ---------------------------------------------------------------- what is kept


def test_what_has_no_place_of_its_own_is_kept_but_for_address_and_user_agent():
    context = {
        "ip": "198.51.100.7", "userAgent": "Mozilla/5.0", "locale": "de-DE", "library": {"name": "analytics.js"},
        "page": {**PAGE, "tab_url": "https://www.brand.example/a", "initial_referrer": "https://x.example/?email=a@example.com&b=1"}, "campaign": {"name": "Spring", "id": "c1"}, "traits": {"email": "a@example.com", "plan": "pro"},
    }  # fmt: skip
    sent = {"context": context, "integrations": {"All": True}, "channel": "web", "userId": "u7", "properties": {"seats": 3}}
    assert json.loads(row(**sent)["properties"]) == {
        "seats": 3,
        "$segment": {
            "integrations": {"All": True}, "channel": "web",
            "context": {
                "locale": "de-DE", "library": {"name": "analytics.js"},
                "page": {"initial_referrer": "https://x.example/?b=1"}, "campaign": {"id": "c1"}, "traits": {"plan": "pro"},
            },
        },
    }  # fmt: skip


def test_of_a_page_its_own_properties_are_kept_and_its_address_once():
    sent = {"type": "page", "name": "Prices", "category": "Docs", "properties": {**PAGE, "variant": "b"}}
    assert json.loads(row(**sent)["properties"]) == {"variant": "b", "$segment": {"name": "Prices", "category": "Docs"}}
    assert row(type="page", properties=PAGE)["properties"] is None


# ---------------------------------------------------------------- deals


ORDER = {"event": "Order Completed", "userId": "u7", "properties": {"order_id": 50, "revenue": 25.5, "total": "30", "currency": "EUR", "coupon": "x", "products": [{"id": 1}]}}
WON = {"event": "order completed"}


def fields_of(fact):
    return dict(satellites(fact, tables.deal_fields, "field", "value"))


def test_an_order_is_a_deal_that_was_won_by_who_ordered():
    fact = deal_fact(message(**ORDER, context={"groupId": "acme"}), Sender(site_with(WON), True, NOW))
    assert (fact.row["type"], fact.row["space"], fact.row["deal_id"], fact.row["occurred_at"]) == ("deal.won", "generic", "50", NOW)
    assert fields_of(fact) == {"amount": "255000", "currency": "EUR", "company_id": "acme", "contacts": "1", "visitor_id": "ann"}
    assert satellites(fact, tables.deal_contacts, "link_id") == [(link_id(ADA),)]
    assert satellites(fact, tables.record_fields, "record_id", "field", "value") == [("deal:generic/50", "coupon", "x")]


@pytest.mark.parametrize(
    ("outcome", "sent", "change", "fields"),
    [
        ("refunded", {"order_id": "50", "total": 10}, ("adjusted", -100_000), {}),
        ("refunded", {"order_id": "50", "total": "10.5"}, ("adjusted", -105_000), {}),
        ("refunded", {"order_id": "50", "total": -10, "currency": "EUR"}, ("adjusted", -100_000), {"currency": "EUR"}),
        ("refunded", {"order_id": "50"}, ("seen", None), {"amount": "0"}),
        ("lost", {"order_id": "50"}, ("lost", None), {}),
        ("open", {"order_id": "50", "value": 9}, ("seen", None), {"amount": "90000", "contacts": "1", "visitor_id": "ann"}),
    ],
)  # fmt: skip
def test_what_else_becomes_of_a_deal(outcome, sent, change, fields):
    site = site_with({"event": "X", "outcome": outcome})
    fact = deal_fact(message(event="X", userId="u7", properties=sent), Sender(site, True, NOW))
    assert satellites(fact, tables.deal_changes, "change", "amount") == [change]
    assert fields_of(fact) == fields


def test_the_properties_can_have_other_names():
    meant = {"event": "X", "id": ["cart", "basket"], "amount": ["sum"], "currency": ["money"]}
    fact = deal_fact(message(event="X", properties={"basket": "b1", "sum": 3, "money": "usd", "revenue": 9}), Sender(site_with(meant), True, NOW))
    assert (fact.row["deal_id"], fields_of(fact)["amount"], fields_of(fact)["currency"]) == ("b1", "30000", "USD")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({}, "'order completed' names no deal: none of its properties order_id is sent"), ({"order_id": ""}, "names no deal"),
        ({"order_id": 1, "currency": "XXY"}, "currency"), ({"order_id": 1, "total": "many"}, "many|amount|number"), ({"order_id": 1, "total": True}, "amount"),
    ],
)  # fmt: skip
def test_a_deal_that_cannot_be_read_says_why(sent, reason):
    with pytest.raises(ValueError, match=reason):
        deal_fact(message(event="Order Completed", properties=sent), Sender(site_with(WON), True, NOW))


def test_a_write_key_makes_deals_only_where_the_site_says_so():
    with pytest.raises(ValueError, match="a deal needs a secret key, and this is a write key"):
        deal_fact(message(**ORDER), Sender(site_with(WON), False, NOW))
    allowed = deal_fact(message(**ORDER), Sender(site_with({**WON, "write_key": True}), False, NOW))
    assert allowed.row["deal_id"] == "50"


@pytest.mark.parametrize("sent", [{"event": "Order Updated"}, {"type": "page"}])
def test_other_messages_tell_of_no_deal(sent):
    assert deal_fact(message(**sent), Sender(site_with(WON), True, NOW)) is None


def test_sent_again_it_is_the_same_fact():
    sender = Sender(site_with(WON), True, NOW)
    first, again, other = (deal_fact(message(**{**ORDER, "messageId": name}), sender) for name in ("m1", "m1", "m2"))
    assert first.row["fact_id"] == again.row["fact_id"] != other.row["fact_id"]
