"""The way of one person as sales sees it: told through the front door, in one order."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import event

from app.db import Database
from app.pipeline import run_until_idle
from app.reports import person_path
from tests.crm.test_endpoints import ADMIN, Crm
from tests.reports.story import form, get, tell, visit

pytestmark = pytest.mark.anyio


def seen(visitor: str, time: str, path: str, **more: Any) -> dict[str, Any]:
    """Something on the tenth of March."""
    return {
        "id": f"{visitor}-{time}", "type": "pageview", "visitor_id": visitor, "occurred_at": f"2026-03-10T{time}:00Z",
        "url": f"https://shop.example{path}", **more,
    }  # fmt: skip


def read(visitor: str, time: str, path: str, seconds: int) -> dict[str, Any]:
    return seen(visitor, time, path, type="engagement", engaged_ms=seconds * 1_000)


async def tell_the_story(client: httpx.AsyncClient, database: Database) -> str:
    """Ada reads, asks, is called, buys, and gets money back. Answers her ID."""
    made = await client.post("/v1/connections", json={"id": "crm", "provider": "generic"}, headers=ADMIN)
    crm = Crm(client, made.json()["secret"])
    await tell(
        client,
        database,
        visit("ada", 9, "https://shop.example/?utm_source=letter&utm_medium=email"),
        seen("ada", "10:00", "/blog/one", title="One"),
        read("ada", "10:01", "/blog/one", 50),
        seen("ada", "10:02", "/pricing"),
        # The first page, in another tab, goes on being read.
        read("ada", "10:03", "/blog/one", 10),
        read("ada", "10:04", "/pricing", 30),
        seen("ada", "10:05", "/blog/one"),
        read("ada", "10:06", "/blog/one", 10),
        {**form("ada", 11, "ada@example.com"), "form": "demo"},
        {"id": "tour", "type": "tour_started", "visitor_id": "ada", "occurred_at": "2026-03-11T14:00:00Z", "url": "https://shop.example/tour"},
        seen("bob", "11:00", "/elsewhere"),
    )
    contact = {"email": "ada@example.com", "owner": "Kim", "account_manager": "Lou", "url": "https://crm.example/contacts/1", "may_contact": True}
    deal = {"id": "7", "name": "Initech", "amount": "1200", "currency": "EUR", "contacts": ["ada@example.com"], "url": "https://crm.example/deals/7"}
    for time, type_, data in (
        ("12T09", "contact.created", contact),
        ("12T10", "activity.logged", {"id": "a1", "kind": "call", "direction": "outbound", "contact": "ada@example.com", "title": "First call", "by": "Kim"}),
        ("13T10", "deal.created", deal),
        ("14T10", "activity.logged", {"id": "a2", "kind": "meeting", "deal": "7"}),
        ("15T10", "activity.logged", {"id": "a3", "kind": "call", "contact": "bob@example.com"}),
        ("16T10", "deal.won", {"id": "7"}),
        ("17T10", "deal.adjusted", {"id": "7", "amount": "-200", "currency": "EUR"}),
        ("18T10", "deal.won", {"id": "8", "amount": "50", "currency": "USD", "contacts": ["ada@example.com"]}),
    ):
        answer = await crm.send(type_, data, timestamp=f"2026-03-{time}:00:00Z")
        assert answer.json()["rejected"] == [], answer.text
    await run_until_idle(database)
    return str((await get(client, "/v1/people", email="ada@example.com"))["people"][0]["id"])


async def test_the_whole_way_in_one_order(client: httpx.AsyncClient, database: Database) -> None:
    person = await tell_the_story(client, database)
    answer = await get(client, f"/v1/people/{person}/journey")
    steps = [step for step in answer["path"] if step["what"] not in ("stage", "touch")]
    assert [(step["occurred_at"][5:16], step["what"]) for step in steps] == [
        ("03-09T12:00", "page"), ("03-10T10:00", "page"), ("03-10T10:02", "page"), ("03-10T10:05", "page"), ("03-11T13:00", "form"),
        ("03-11T14:00", "event"), ("03-12T10:00", "activity"), ("03-13T10:00", "deal_opened"), ("03-14T10:00", "activity"),
        ("03-16T10:00", "deal_won"), ("03-17T10:00", "amount_changed"), ("03-18T10:00", "deal_opened"), ("03-18T10:00", "deal_won"),
    ]  # fmt: skip
    assert [(step["page"], step["engaged_seconds"]) for step in steps if step["what"] == "page"] == [
        ("shop.example/", None), ("shop.example/blog/one", 60), ("shop.example/pricing", 30), ("shop.example/blog/one", 10),
    ]  # fmt: skip
    by_what = {step["what"]: step for step in steps}
    assert (by_what["form"]["form"], by_what["event"]["type"]) == ("demo", "tour_started")
    [call, meeting] = [step for step in steps if step["what"] == "activity"]
    assert (call["kind"], call["by"], call["title"], call["deal_id"]) == ("call", "Kim", "First call", None)
    assert (meeting["kind"], meeting["deal_id"]) == ("meeting", "7")
    assert (by_what["amount_changed"]["before"], by_what["amount_changed"]["after"]) == ("1200.00", "1000.00")
    touches = [step for step in answer["path"] if step["what"] == "touch"]
    assert touches[0]["channel"] == "Email"
    times = [step["occurred_at"] for step in answer["path"]]
    assert times == sorted(times)
    assert not answer["path_is_cut"]


async def test_interest_value_and_whose_it_is(client: httpx.AsyncClient, database: Database) -> None:
    answer = await get(client, f"/v1/people/{await tell_the_story(client, database)}/journey")
    interest = [(row["section"], row["engaged_seconds"], row["share"], row["views"], row["last_read_at"]) for row in answer["interest"]]
    assert interest == [
        ("shop.example/blog", 70, 0.7, 2, "2026-03-10T10:06:00Z"),
        ("shop.example/pricing", 30, 0.3, 1, "2026-03-10T10:04:00Z"),
        ("shop.example/", 0, 0.0, 1, "2026-03-09T12:00:00Z"),
    ]
    assert answer["value_so_far"] == [{"currency": "EUR", "amount": "1000.00", "deals": 1}, {"currency": "USD", "amount": "50.00", "deals": 1}]
    assert answer["sales"] == {
        "owner": "Kim", "account_manager": "Lou", "may_contact": True, "lead_source": None, "url": "https://crm.example/contacts/1",
        "deals": [{"deal_id": "7", "url": "https://crm.example/deals/7"}],
    }  # fmt: skip


async def test_the_score_is_that_of_the_score_itself(client: httpx.AsyncClient, database: Database) -> None:
    person = await tell_the_story(client, database)
    assert (await get(client, f"/v1/people/{person}/journey"))["score"] is None
    rules = {"half_life_days": 0, "rules": [{"name": "asked", "form": "demo", "points": 30}]}
    assert (await client.patch("/v1/sites/default", headers=ADMIN, json={"scoring": rules})).status_code == 200
    await run_until_idle(database)
    assert (await get(client, f"/v1/people/{person}/journey"))["score"] == (await get(client, f"/v1/people/{person}/score"))["score"] == 30


async def test_it_is_bounded_in_rows_and_statements(client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await tell_the_story(client, database)
    engine = client._transport.app.state.database.engine.sync_engine  # type: ignore[attr-defined]
    statements: list[str] = []

    def note(*args: Any) -> None:
        # What is asked of sites and of API keys depends on how long ago that was.
        if "person_id" in args[2]:
            statements.append(args[2])

    event.listen(engine, "before_cursor_execute", note)
    whole = (await get(client, f"/v1/people/{person}/journey"))["path"]
    first = len(statements)
    monkeypatch.setattr(person_path, "MOST_STEPS", 3)
    answer = await get(client, f"/v1/people/{person}/journey")
    assert (answer["path"], answer["path_is_cut"]) == (whole[-3:], True)
    await tell(client, database, *(seen("ada", f"15:{minute}", f"/{minute}/x") for minute in range(10, 40)))
    statements.clear()
    await get(client, f"/v1/people/{person}/journey")
    assert len(statements) == first > 5


async def test_a_stranger_has_a_way_too(client: httpx.AsyncClient, database: Database) -> None:
    await tell(client, database, visit("somebody", 1))
    answer = await get(client, "/v1/people/somebody/journey")
    assert (answer["value_so_far"], answer["sales"]["owner"], answer["sales"]["deals"]) == ([], None, [])
    assert [step["what"] for step in answer["path"] if step["what"] != "stage"] == ["touch", "page"]
