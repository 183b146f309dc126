"""Touches that a rule leaves out: each rule as a few small stories, a visitor each."""

from __future__ import annotations

from typing import Any

import pytest

from app import tables
from app.db import Database
from app.sites.customer_area import parts_of
from app.sites.rules import customer_page_rows
from app.sites.settings import SiteSettings
from app.sites.site import Site
from app.tables import END_OF_TIME, from_micros
from app.touches.stage import STAGE
from tests.facts import an_event, at, enqueue, put
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio

SPAM = "spam"
OF_SPAM = {"site_id": "default", "channel": "x", "rule": "x", "source": "x", "medium": "x", "campaign": "x", "term": "x", "content": "x"}


def e(event_id: str, minutes: float, path: str = "/", **others: Any) -> dict[str, Any]:
    return an_event("", event_id, minutes, **{"path": path, **others})


def app(event_id: str, minutes: float, path: str = "/", **others: Any) -> dict[str, Any]:
    return e(event_id, minutes, path, host="app.shop.example", **others)


# name, events, touches that stand, touches left out
LOGGING_IN: list[tuple[str, list[dict[str, Any]], list[str], list[str]]] = [
    ("a customer who types the log-in address", [e("a", 0, "/login"), e("b", 1, "/account/orders")], [], ["a"]),
    ("by way of a search engine", [e("a", 0, "/Login/", origin_id="search")], [], ["a"]),
    ("in another language", [e("a", 0, "/de-at/mein-konto"), e("b", 60, "/fr/connexion"), e("c", 120, "/users/sign_in")], [], ["a", "b", "c"]),
    ("on the application's host", [app("a", 0, "/projects/7")], [], ["a"]),
    ("whose page was looked at", [app("a", 0), app("g", 1, type="engagement")], [], ["a"]),
    ("who asks there for what makes a goal", [app("a", 0), app("f", 1, type="form_submit", form_id="support")], [], ["a"]),
    ("who becomes a lead there stays", [app("a", 0), app("f", 1, type="form_submit", form_id="demo")], ["a"], []),
    ("a lead in another session", [app("a", 0), app("b", 60), app("f", 61, type="form_submit", form_id="demo")], ["b"], ["a"]),
    ("who goes there to sign up stays", [app("a", 0, "/sign-up"), app("b", 1, "/de/registrieren/2", origin_id="search")], ["a"], []),
    ("who looks at prices in the same session stays", [e("a", 0, "/login"), e("b", 5, "/pricing")], ["a"], []),
    ("who looks at prices in another session", [e("a", 0, "/login"), e("b", 60, "/pricing")], ["b"], ["a"]),
    ("who is away for too long", [e("a", 0, "/login"), e("b", 31, "/account"), e("c", 90, "/")], ["c"], ["a", "b"]),
    ("a prospect keeps what came before", [e("a", 0, campaign="ad"), e("b", 90, "/login"), e("c", 91, "/account")], ["a"], ["b"]),
    ("a prospect who signs up there keeps it", [e("a", 0, campaign="ad"), e("b", 2, "/login"), app("c", 3)], ["a"], []),
    ("an ad that leads there is one", [e("a", 0, "/login", campaign="ad")], ["a"], []),
    ("a list of paths is no place to log in", [e("a", 0, "/blog/how-to-login"), e("b", 60, "/loginov"), e("c", 120, "/blog/account"), e("d", 180, "/de")], ["a", "b", "c", "d"], []),
    ("a host whose name only begins like one", [e("a", 0, host="appstore.example"), e("b", 60, host="shop.app.example")], ["a", "b"], []),
    ("a fair that a list tells of", [e("t", 0, "/login", type="touch", origin_id="fair")], ["t"], []),
]  # fmt: skip


async def _run(database: Database, site: Site, stories: list[tuple[str, list[dict[str, Any]], list[str], list[str]]], reason: str) -> None:
    """Every story at once, so that no visitor minds another."""
    for name, events, _, _ in stories:
        await put(database, tables.events, *({**event, "visitor_id": name} for event in events))
    await enqueue(database, tables.touches_queue, *((name,) for name, *_ in stories))
    await run_stage(database, site, STAGE)
    stand = [[name, event_id] for name, _, touches, _ in stories for event_id in touches]
    left_out = [[name, event_id, reason] for name, _, _, touches in stories for event_id in touches]
    await assert_rows(database, tables.touches, ["visitor_id", "event_id"], stand)
    await assert_rows(database, tables.left_out_touches, ["visitor_id", "event_id", "reason"], left_out)


async def test_customers_who_log_in(database: Database, site: Site) -> None:
    for name in ("support", "demo"):
        label = {"site_id": "default", "form_id": name, "name": name, "is_lead_form": name == "demo", "needs_email": False}
        await put(database, tables.form_labels, label)
    for _, events, _, _ in LOGGING_IN:
        for event in events:
            event.setdefault("form_id", None)
    await _run(database, site, LOGGING_IN, "customer_area")
    await assert_rows(database, tables.goal_events, ["visitor_id", "goal"], [
        ["who asks there for what makes a goal", "form:support"],
        ["who becomes a lead there stays", "form:demo"], ["who becomes a lead there stays", "lead"],
        ["a lead in another session", "form:demo"], ["a lead in another session", "lead"],
    ])  # fmt: skip


async def test_a_site_says_itself_where_customers_log_in(database: Database, site: Site) -> None:
    own = Site(site.site_id, site.hash_key, 1, site.settings.changed({"customer_area": ["/Kunden*", "/portal", "my.shop.example"]}))
    async with database.write() as connection:
        await connection.execute(tables.customer_pages.delete())
        await connection.execute(tables.customer_pages.insert(), customer_page_rows(own))
    stories = [
        ("a", [e("a", 0, "/kunden/7"), e("b", 1, "/Kundenbereich"), e("c", 2, "/portal/")], [], ["a"]),
        ("b", [e("a", 0, "/", host="my.shop.example")], [], ["a"]),
        ("c", [e("a", 0, "/portal/news")], ["a"], []),
        ("d", [e("a", 0, "/login")], ["a"], []),
    ]
    await _run(database, own, stories, "customer_area")


async def test_an_excluded_page_does_not_show_that_somebody_looked_around(database: Database, site: Site) -> None:
    await put(database, tables.excluded_pages, {"site_id": "default", "host": "", "path": "/status", "path_is_prefix": False})
    excluding = Site(site.site_id, site.hash_key, 1, site.settings.changed({"excluded_paths": ["/status"]}))
    await _run(database, excluding, [("a", [e("a", 0, "/login"), e("b", 1, "/status")], [], ["a"])], "customer_area")


async def test_spam(database: Database, site: Site) -> None:
    await put(database, tables.origin_labels, {**OF_SPAM, "origin_id": SPAM, "referrer": "x", "is_ignored": False, "is_spam": True})
    goal = {"site_id": "default", "purpose": "goal", "event_type": "", "path": "", "path_is_prefix": True, "once_per": "event", "goal": "seen"}
    await put(database, tables.goal_rules, goal)
    seeing = Site(site.site_id, site.hash_key, 1, site.settings.changed({"goals": [{"name": "seen", "path": "/*"}]}))
    stories = [
        ("nothing but spam", [e("a", 0, origin_id=SPAM), e("b", 1)], [], ["a"]),
        ("spam between two visits", [e("a", 0), e("b", 60, origin_id=SPAM), e("c", 61), e("d", 120, campaign="ad")], ["a", "d"], ["b"]),
        ("a campaign after spam", [e("a", 0, origin_id=SPAM), e("b", 1, campaign="ad")], ["b"], ["a"]),
        ("a link from spam inside a session", [e("a", 0, campaign="ad"), e("b", 1, origin_id=SPAM)], ["a"], []),
    ]
    await _run(database, seeing, stories, "spam_referrer")
    reached = {"spam between two visits": "ad", "a campaign after spam": "b", "a link from spam inside a session": "ab"}
    await assert_rows(database, tables.goal_events, ["visitor_id", "event_id"], [[name, each] for name, events in reached.items() for each in events])
    ends = [["nothing but spam", from_micros(END_OF_TIME)], ["spam between two visits", at(120)], ["a campaign after spam", at(1)]]
    await assert_rows(database, tables.left_out_touches, ["visitor_id", "ends_at"], ends)


async def test_programs(database: Database, site: Site) -> None:
    await put(database, tables.goal_rules, {"site_id": "default", "purpose": "goal", "event_type": "", "path": "", "path_is_prefix": True, "once_per": "event", "goal": "seen"})
    three = Site(site.site_id, site.hash_key, 1, site.settings.changed({"most_pages_an_hour": 3, "goals": [{"name": "seen", "path": "/*"}]}))
    stories = [
        ("four pages in an hour", [e("f", -1, type="form_submit"), *(e(f"e{n}", n) for n in range(4)), e("later", 600, campaign="ad")], [], ["e0", "later"]),
        ("three, and three in the next", [e(f"e{n}", 30 + n * 10) for n in range(6)], ["e0"], []),
        ("four of which one is no page", [*(e(f"e{n}", n) for n in range(3)), e("g", 3, type="engagement")], ["e0"], []),
        ("four with a secret key", [e(f"e{n}", n, is_trusted=True) for n in range(4)], ["e0"], []),
    ]  # fmt: skip
    await _run(database, three, stories, "too_fast")
    assert "four pages in an hour" not in {row[0] for row in await _rows(database)}
    anybody = Site(site.site_id, site.hash_key, 1, three.settings.changed({"most_pages_an_hour": 0}))
    await enqueue(database, tables.touches_queue, *((name,) for name, *_ in stories))
    await run_stage(database, anybody, STAGE)
    await assert_rows(database, tables.left_out_touches, ["visitor_id"], [])
    assert "four pages in an hour" in {row[0] for row in await _rows(database)}


async def _rows(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(tables.goal_events.select().with_only_columns(tables.goal_events.c.visitor_id)))


def test_a_host_that_the_site_lists_is_not_taken_for_its_application() -> None:
    assert ("label", "app") in parts_of(SiteSettings(hosts=["shop.example"]))
    assert ("label", "app") not in parts_of(SiteSettings(hosts=["app.shop.example"]))
    assert parts_of(SiteSettings(customer_area=[])) == []


def test_what_a_site_names_is_all_there_is() -> None:
    settings = SiteSettings(customer_area=["/Kunden*", "/Ä/", "/*", "www.my_app.example", "/ä"])
    assert parts_of(settings) == [("prefix", "/kunden"), ("path", "/Ä/"), ("prefix", "/"), ("host", "my_app.example"), ("path", "/ä/")]
