"""The tracking doctor: on a site where everything has gone wrong once, and on one where nothing has."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import tables
from app.db import Database
from app.demo.delivery import deliver, plan
from app.demo.world import cast
from app.pipeline import run_until_idle
from app.reports.doctor.findings import SEVERITIES
from app.reports.doctor.report import CHECKS, DoctorFilters, as_table, doctor
from app.sites.site import load_site
from app.touches.queries import EMPTY_ORIGIN
from tests.crm.messages import ADMIN
from tests.demo.test_world import KEYS
from tests.facts import put
from tests.reports.doctor.cast import NOW, daily, page, play, seen, views, won
from tests.reports.story import READER, get, tell

pytestmark = pytest.mark.anyio

PATH = "/v1/reports/doctor"
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what the other tests' statements show on both."""

FOUND: dict[str, tuple[str, int | None, str | None]] = {
    "untagged_mail_clicks": ("advice", 1, "1048576.00"),
    "host_silent": ("error", 1, "524288.00"),
    "page_silent": ("warning", 1, "262144.00"),
    "closed_before_creation": ("warning", 1, "131072.00"),
    "closed_in_future": ("error", 1, "65536.00"),
    "lookback_too_short": ("advice", 1, "32768.00"),
    "conversions_without_touch": ("warning", 2, "24576.00"),
    "people_never_seen": ("advice", 1, "16384.00"),
    "won_without_contacts": ("error", 1, "8192.00"),
    "channel_unassigned": ("warning", 1, "4096.00"),
    "tags_without_source": ("warning", 1, "2048.00"),
    "names_differ_in_spelling": ("warning", 2, "1536.00"),
    "names_differ_in_case": ("advice", 2, "384.00"),
    "untagged_paid_clicks": ("warning", 1, "64.00"),
    "page_host_not_listed": ("warning", 1, "32.00"),
    "campaign_on_internal_links": ("error", 1, "16.00"),
    "gateway_as_source": ("warning", 2, "12.00"),
    "lookalike_host_as_source": ("warning", 1, "2.00"),
    "own_host_as_source": ("error", 1, "1.00"),
    "amounts_unconverted": ("error", 1, "0.00"),
    "deals_without_amount": ("warning", 1, "0.00"),
    "computation_failed": ("error", None, None),
    "crm_calls_failing": ("error", None, None),
    "crm_silent": ("error", None, None),
    "webhooks_refused": ("error", None, None),
    "forms_send_no_email": ("warning", None, None),
    "goals_never_reached": ("warning", None, None),
    "leads_not_in_crm": ("warning", None, None),
    "quarantine_growing": ("warning", None, None),
    "shared_keys": ("warning", None, None),
    "much_dropped": ("advice", None, None),
}
"""What is found on the cast, in the order of the answer, and the conversions and money that each affects."""

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "own_host_as_source": [{"host": "acme-shop.example", "touches": 1}],
    "lookalike_host_as_source": [{"host": "acme.pages.example", "touches": 1}],
    "gateway_as_source": [
        {
            "host": "returns.example",
            "touches": 3,
            "because": "all 3 visits from it came in the middle of a session, or back to a page such as /checkout or /thanks",
        },
        {"host": "pay.bank.example", "touches": 1, "because": "its name has 'pay'"},
    ],
    "campaign_on_internal_links": [
        {"host": "acme.example", "path": "/prices", "source": "home", "medium": "banner", "campaign": "hero", "touches": 1}
    ],
    "page_host_not_listed": [{"host": "google.com", "page_views": 1}, {"host": "staging.elsewhere.example", "page_views": 1}],
    "untagged_paid_clicks": [{"click_id": "gclid", "source": "google", "touches": 1}],
    "names_differ_in_case": [{"field": "campaign", "spellings": ["Spring", "spring"], "touches": 2}],
    "names_differ_in_spelling": [{"field": "campaign", "spellings": ["autumn-sale", "autumn_sale"], "touches": 3}],
    "tags_without_source": [{"medium": "", "campaign": "lonely", "touches": 1}],
    "channel_unassigned": [{"source": "foo", "medium": "bar", "touches": 1}],
    "untagged_mail_clicks": [{"host": "mail.yahoo.com", "touches": 1}],
    "goals_never_reached": [{"goal": "moved"}],
    "host_silent": [{"host": "old.acme.example", "views_in_28_days": 28, "expected": 7.0, "last_at": "2026-03-24T11:00:00Z"}],
    "page_silent": [
        {"host": "acme.example", "path": "/old<b>", "views_in_28_days": 28, "expected": 7.0, "last_at": "2026-03-24T11:00:00Z"}
    ],
    "conversions_without_touch": [
        {"reason": "no_contact", "conversions": 1, "revenue": "8192.00"},
        {"reason": "no_touch", "conversions": 1, "revenue": "16384.00"},
    ],
    "closed_in_future": [{"deal_id": "future", "name": None, "closed_on": "2026-05-01", "owner": None, "url": None}],
    "amounts_unconverted": [{"currency": "EUR", "revenue": "100.00"}],
    "forms_send_no_email": [{"name": "=demo", "submissions": 6, "without_email": 5}],
    "leads_not_in_crm": [{"form": "contact", "leads": 35, "in_crm": 20}, {"form": "=demo", "leads": 1, "in_crm": 0}],
    "webhooks_refused": [{"connection": "crm", "refused": 3, "last_on": "2026-03-20"}],
    "quarantine_growing": [{"door": "events", "reason": "<b>no</b> type", "recent": 12, "before": 1}],
    "much_dropped": [{"reason": "bot", "requests": 700}, {"reason": "gpc", "requests": 300}],
    "shared_keys": [{"key": "=test@test.example", "visitors": 40, "days": 1}],
    "crm_silent": [{"connection": "crm", "facts_in_28_days": 28, "last_at": "2026-03-11T11:00:00Z"}],
    "crm_calls_failing": [{"connection": "crm", "error": "The token is not valid."}],
    "computation_failed": [{"stage": "deals", "count": 1}],
}


async def examined(database: Database, now: datetime = NOW, **asked: Any) -> dict[str, Any]:
    """The report at a moment."""
    async with database.read() as connection:
        return await doctor(connection, await load_site(connection, "default"), DoctorFilters.model_validate(asked), now)


def by_code(answer: dict[str, Any]) -> dict[str, Any]:
    return {each["code"]: each for each in answer["findings"]}


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {each["code"]: each["state"] for each in answer["checked"]}


def test_every_check_is_documented() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (error|warning|advice)", (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(), re.MULTILINE)
    assert [code for code, _ in rows if code not in SEVERITIES] == [check.code for check in CHECKS]
    assert {code: severity for code, (severity, *_) in FOUND.items()}.items() - {("people_never_seen", "advice")} <= set(rows)


async def test_everything_that_went_wrong_is_found_once(client: httpx.AsyncClient, database: Database) -> None:
    await play(client, database)
    answer = await examined(database)
    assert _affected(answer) == FOUND
    found = by_code(answer)
    assert list(found) == list(FOUND)
    assert {code: found[code]["examples"] for code in EXAMPLES} == EXAMPLES
    assert states(answer) == {check.code: "found" if check.code in FOUND else "ok" for check in CHECKS} | {"much_direct": "not_enough_data"}
    assert (answer["from"], answer["to"], answer["conversion"]) == ("2026-01-02", "2026-04-02", "customer")

    # The ledger of the attribution report is the same.
    attribution = await get(client, "/v1/reports/attribution", **{"from": answer["from"], "to": answer["to"]})
    assert answer["totals"] == {name: attribution["totals"][name] for name in ("conversions", "revenue")}
    reasons = attribution["totals"]["uncredited"]["reasons"]
    assert {each["reason"]: each["revenue"] for each in EXAMPLES["conversions_without_touch"]} == {
        name: reasons[name]["revenue"] for name in ("no_contact", "no_touch")
    }
    # Every finding can be opened down to its conversions.
    [hero] = found["campaign_on_internal_links"]["such_as"]
    explained = await get(client, f"/v1/conversions/{hero}/explain")
    assert explained["conversion"]["deal"]["deal_id"] == "hero"

    # The filters of every report on conversions.
    tagged = by_code(await examined(database, exclude_direct=True))
    assert {tagged[code]["affected"]["revenue"] for code in ("campaign_on_internal_links", "own_host_as_source")} == {"16.00", "1.00"}
    assert "host_silent" not in {code for code, each in tagged.items() if each["affected"] and each["affected"]["conversions"]}
    before_lead = by_code(await examined(database, touches_until="lead", lookback_days=30, filter=["owner:(not set)"]))
    assert before_lead["untagged_paid_clicks"]["affected"]["revenue"] == "64.00"

    # Of another kind of conversion: leads have no deals, and the checks of deals say so.
    leads = await examined(database, conversion="lead")
    assert by_code(leads)["own_host_as_source"]["affected"] == {"conversions": 1}
    assert {states(leads)[code] for code in ("won_without_contacts", "closed_in_future", "amounts_unconverted")} == {"not_enough_data"}
    # Of other days: nothing counts, and nobody came.
    earlier = await examined(database, **{"from": "2025-06-01", "to": "2025-07-01"})
    by_now = {"host_silent", "page_silent", "closed_in_future"}
    assert {code for code in by_code(earlier) if FOUND[code][1] is not None} == by_now
    assert states(earlier)["conversions_without_touch"] == "not_enough_data"
    _assert_csv(as_table(answer))


def _affected(answer: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    return {
        each["code"]: (each["severity"], each["affected"] and each["affected"]["conversions"], each["affected"] and each["affected"]["revenue"])
        for each in answer["findings"]
    }


def _assert_csv(text: str) -> None:
    """Formulas of others are text, and every check has its row."""
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(text))}
    assert set(rows) == {check.code for check in CHECKS}
    assert rows["shared_keys"]["examples"] == "'=test@test.example, visitors 40, days 1"
    assert rows["forms_send_no_email"]["examples"].startswith("'=demo")
    assert (rows["own_host_as_source"]["conversions"], rows["own_host_as_source"]["revenue"]) == ("1", "1.00")
    assert rows["hosts_missing"]["state"] == "ok"


@one_database
async def test_what_it_says_to_change_ends_the_finding(client: httpx.AsyncClient, database: Database) -> None:
    await play(client, database)
    requests = {each["code"]: each["change"]["request"] for each in (await examined(database))["findings"] if each["change"]["request"]}
    assert sorted(requests) == [
        "gateway_as_source", "lookalike_host_as_source", "lookback_too_short", "names_differ_in_spelling", "own_host_as_source",
        "page_host_not_listed",
    ]  # fmt: skip
    assert {(each["method"], each["path"]) for each in requests.values()} == {("PATCH", "/v1/sites/default")}
    hosts = [host for each in requests.values() for host in each["body"].get("hosts", ())]
    changes = {name: value for each in requests.values() for name, value in each["body"].items()} | {"hosts": hosts}
    assert (await client.patch("/v1/sites/default", json=changes, headers=ADMIN)).is_success
    await run_until_idle(database)
    assert not set(requests) & set(by_code(await examined(database)))


async def test_nothing_is_found_where_nothing_is_wrong(client: httpx.AsyncClient, database: Database) -> None:
    first_day = datetime(2026, 5, 1, tzinfo=UTC)
    unwell = {"jana", "kai", "lea", "oli"}
    stories = [story for story in cast(first_day) if story.name not in unwell]
    assert (await client.patch("/v1/sites/default", json={"hosts": ["www.acme.example"]}, headers=ADMIN)).is_success
    assert (await client.post("/v1/connections", json={"id": "crm", "secret": KEYS.webhook}, headers=ADMIN)).is_success
    await deliver(client, plan(stories, datetime.now(UTC)), KEYS, lambda: None)
    await put(database, tables.events, *views("acme.example", "/alive", *(at + timedelta(days=60) for at in daily(34, 35, 1, 3))))
    await run_until_idle(database)
    answer = await examined(database, first_day + timedelta(days=30))
    assert answer["findings"] == []
    assert {code: state for code, state in states(answer).items() if state != "ok"} == {
        "crm_silent": "not_enough_data", "goals_never_reached": "not_enough_data", "much_direct": "not_enough_data",
        "much_dropped": "not_enough_data",
    }  # fmt: skip


async def test_silence_of_the_whole_site_and_hosts_that_are_not_named(client: httpx.AsyncClient, database: Database) -> None:
    """`now` moves, the rows stay."""
    new = await examined(database)
    assert list(by_code(new)) == ["no_page_events"]
    assert by_code(new)["no_page_events"]["seen"] == "No page has ever sent an event."
    assert {states(new)[code] for code in ("host_silent", "hosts_missing", "leads_not_in_crm", "lookalike_host_as_source")} == {"not_enough_data"}

    await put(database, tables.events, *views("acme.example", "/", *daily(34, 35, 1, 2, 3, 4, 5)))
    alive = await examined(database)
    assert list(by_code(alive)) == ["hosts_missing"]
    assert by_code(alive)["hosts_missing"]["change"]["command"] == "closedloop sites change default --set 'hosts=[\"acme.example\"]'"
    # A day later: five views on the same day of each of four weeks, and none now. A day later again, likewise.
    silent = by_code(await examined(database, NOW + timedelta(days=1)))["no_page_events"]
    assert (silent["severity"], "at least 5 page views" in silent["seen"], "2026-04-01T11:00:00Z" in silent["seen"]) == ("error", True, True)
    assert states(await examined(database, NOW + timedelta(days=6, hours=22)))["host_silent"] == "ok"
    assert "host_silent" in by_code(await examined(database, NOW + timedelta(days=7)))
    # Days are those of the site's zone.
    assert (await client.patch("/v1/sites/default", json={"timezone": "America/New_York"}, headers=ADMIN)).is_success
    night = await examined(database, NOW.replace(hour=3))
    assert (night["from"], night["to"]) == ("2026-01-01", "2026-04-01")
    # Four views a day may be missing by chance.
    await put(database, tables.events, *views("quiet.example", "/", *(at + timedelta(days=100) for at in daily(34, 34, 1, 2, 3, 4))))
    assert states(await examined(database, NOW + timedelta(days=100)))["no_page_events"] == "not_enough_data"


async def test_much_is_direct_and_a_crm_is_not_heard(client: httpx.AsyncClient, database: Database) -> None:
    touch = {
        "site_id": "default", "visitor_id": "v-all", "sequence": 0, "type_rank": 1, "is_reported": False, "touches_left_out": 0,
        "occurred_at": NOW - timedelta(days=1), "session_started_at": NOW - timedelta(days=1),
    }  # fmt: skip
    await tell(client, database, *seen("buyer", page()), *won("buyer", 8), *seen("other", page("?utm_source=news&utm_medium=email&utm_campaign=a")))
    await put(database, tables.touches, *({**touch, "event_id": f"t{n}", "origin_id": EMPTY_ORIGIN} for n in range(97)))
    assert states(await examined(database))["much_direct"] == "not_enough_data"
    await put(database, tables.touches, {**touch, "event_id": "t97", "origin_id": EMPTY_ORIGIN})
    direct = by_code(await examined(database))["much_direct"]
    assert (direct["seen"], direct["affected"]) == (
        "99 of 100 touches (99.0 %) are Direct: where they came from is not known.", {"conversions": 1, "revenue": "8.00"},
    )  # fmt: skip
    assert (await client.post("/v1/connections", json={"id": "crm"}, headers=ADMIN)).status_code == 201
    now = datetime.now(UTC)
    assert states(await examined(database, now))["crm_never_heard"] == "ok"
    mute = by_code(await examined(database, now + timedelta(days=2)))["crm_never_heard"]
    assert (mute["seen"], mute["examples"][0]["connection"]) == ("1 connection has told nothing since it was made: crm.", "crm")
    # A calendar that told of bookings was heard, and is no CRM that would know whose leads they are.
    calendar = {"connection_id": "calendar", "space": "calendar", "type": "event.happened", "deal_id": "", "body": "{}"}
    assert (await client.post("/v1/connections", json={"id": "calendar", "provider": "calendly"}, headers=ADMIN)).status_code == 201
    await put(database, tables.crm_facts, {"site_id": "default", "fact_id": "f1", "occurred_at": now, "received_at": now, **calendar})
    later = await examined(database, now + timedelta(days=2))
    assert (by_code(later)["crm_never_heard"]["seen"], states(later)["leads_not_in_crm"]) == (mute["seen"], "not_enough_data")


HARMLESS = {
    "a search engine, and a gateway that is listed": [page(referrer="https://www.google.com/"), page("thanks", "https://checkout.stripe.com/")],
    "a blog that sent people twice": [page(referrer="https://blog.example/"), page("prices"), page("", "https://blog.example/")],
    "a mail whose link the site redirects": [page("?utm_source=news&utm_medium=email&utm_campaign=may", "https://acme.example/r")],
    "dates that differ by a hyphen": [page("?utm_source=news&utm_medium=email&utm_campaign=1-12"), page("?utm_source=news&utm_medium=email&utm_campaign=11-2")],
    "a click ID that proves no payment": [page("?fbclid=abc")],
    "a site that writes about what gateways do": [page(referrer="https://pay-per-click.example/")],
    "a host that only looks alike in part": [page(referrer="https://acmeworld.example/")],
}


@one_database
async def test_what_is_harmless_is_not_found(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.patch("/v1/sites/default", json={"hosts": ["acme.example"]}, headers=ADMIN)).is_success
    facts = [fact for number, pages in enumerate(HARMLESS.values()) for who in (f"a{number}", f"b{number}", f"c{number}") for fact in [*seen(who, *pages), *won(who, 1)]]
    await tell(client, database, *facts)
    assert by_code(await examined(database)) == {}


@one_database
async def test_a_host_with_much_of_the_traffic_is_not_proposed_to_be_left_out(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.patch("/v1/sites/default", json={"hosts": ["acme.example"]}, headers=ADMIN)).is_success
    await put(database, tables.events, *views("acme.example", "/", *daily(60, 60, 1)), *views("elsewhere.example", "/", *daily(10, 10, 1)))
    found = by_code(await examined(database))["page_host_not_listed"]
    assert (found["examples"], found["change"]["request"]) == ([{"host": "elsewhere.example", "page_views": 10}], None)
    await put(database, tables.events, *views("staging.example", "/", *daily(7, 7, 1)))
    found = by_code(await examined(database))["page_host_not_listed"]
    assert (len(found["examples"]), found["change"]["request"]["body"]) == (2, {"excluded_hosts": ["staging.example"]})


HOSTILE = "a'; rm -rf $(x)-pay.example"


@one_database
async def test_texts_of_others_stay_texts(client: httpx.AsyncClient, database: Database) -> None:
    """What is no host name is shown, and never proposed as a setting."""
    await tell(client, database, *seen("odd", page(referrer=f"https://{HOSTILE}/")), *won("odd", 1))
    await tell(client, database, *seen("even", page(referrer="https://acme.pay.example/")), *won("even", 2, name="<script>alert(1)</script>"))
    findings = by_code(await examined(database))
    assert "lookalike_host_as_source" not in findings
    found = findings["gateway_as_source"]
    assert [each["host"] for each in found["examples"]] == [HOSTILE, "acme.pay.example"]
    assert (found["affected"]["revenue"], found["change"]["request"]["body"]) == ("3.00", {"ignored_hosts": ["acme.pay.example"]})
    assert found["change"]["command"] == "closedloop sites change default --set 'ignored_hosts=[\"acme.pay.example\"]'"


@one_database
async def test_over_http(client: httpx.AsyncClient, database: Database) -> None:
    await tell(client, database, *seen("click", page("?gclid=abc")), *won("click", 64))
    asked = {"from": "2026-03-01", "to": "2026-04-01"}
    answer = await get(client, PATH, **asked)
    assert by_code(answer)["untagged_paid_clicks"]["affected"] == {"conversions": 1, "revenue": "64.00"}
    text = await client.get(PATH, params={**asked, "format": "csv"}, headers=READER)
    assert text.headers["content-type"].startswith("text/csv")
    assert text.text.splitlines()[0] == "code,state,severity,seen,conversions,revenue,currency,examples,advice,command"
    for wrong in ({"from": "2026-03-01", "to": "2026-03-01"}, {"conversion": "nothing"}, {"from": "soon"}, {"as_of": "2026-03-01"}, {"surprise": "1"}):
        assert (await client.get(PATH, params=wrong, headers=READER)).status_code == 422, wrong
    assert (await client.get(PATH)).status_code == 401
    only_from = await get(client, PATH, **{"from": "2026-03-01"})
    today = datetime.now(UTC).date()
    assert (only_from["from"], only_from["to"]) == ("2026-03-01", (today + timedelta(days=1)).isoformat())
