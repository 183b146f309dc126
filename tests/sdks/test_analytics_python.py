"""`segment-analytics-python`, with only its host and key changed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app import tables
from app.collect.keys import pseudo_visitor, subject_keys
from tests.rows import assert_rows
from tests.sdks.conftest import ERROR, FOLDER, run
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

LIBRARY = '"$segment":{"context":{"library":{"name":"analytics-python","version":"2.4.0"}}}'


def rest(**more):
    """What is kept beside, as JSON text."""
    first = "".join(f'"{name}":"{value}",' for name, value in more.items())
    return LIBRARY.replace('{"context"', f'{{{first}"context"', 1)


@pytest.mark.parametrize(("key", "gzip", "lose", "instead"), [(WRITE_KEY, "plain", 0, b""), (SECRET_KEY, "gzip", 1, b""), (SECRET_KEY, "gzip", 1, ERROR)])
async def test_what_a_server_says(relay, database, site, key, gzip, lose, instead):
    relay.lose, relay.instead = lose, instead
    await run(sys.executable, str(FOLDER / "analytics_python.py"), key, relay.url, gzip)

    assert relay.answers == 1 + lose
    ada = pseudo_visitor(subject_keys(site, user_id="u7"))
    is_trusted, page = key == SECRET_KEY, "https://www.brand.example/prices?utm_source=ads&gclid=x1"
    columns = ["visitor_id", "type", "url", "title", "click_id", "start_rank", "has_email", "is_trusted", "properties"]
    booked = ["ann", "Demo Booked", None, None, None, 1, False, True, '{"seats":1,' + rest() + "}"]
    await assert_rows(database, tables.events, columns, [
        [ada, "identify", None, None, None, 0, True, is_trusted, '{"plan":"pro","address":{"city":"Paris"},' + rest() + "}"],
        [ada, "Demo Booked", None, None, None, 2, False, is_trusted, '{"seats":3,"rate":0.5,' + rest() + "}"],
        [ada, "pageview", page, "Prices", "x1", 2, False, is_trusted, "{" + rest(category="Docs", name="Prices") + "}"],
        [ada, "pageview", None, "Home", None, 2, False, is_trusted, '{"tab":2,' + rest(category="App", name="Home", type="screen") + "}"],
        [ada, "group", None, None, None, 0, False, is_trusted, '{"name":"Acme","industry":"Software",' + rest(groupId="acme") + "}"],
        ["old-7", "identify", None, None, None, 0, False, is_trusted, "{" + rest(type="alias") + "}"],
        *([booked] if is_trusted else []),
    ])  # fmt: skip
    # History needs a secret key.
    await assert_rows(database, tables.quarantine, ["door", "reason"], [] if is_trusted else [["segment", "older than 7 days, which needs a secret key"]])
    origins = select(tables.origins).where(tables.origins.c.source != "")
    await assert_rows(database, origins, ["source", "medium", "campaign", "click_id_kind"], [["news", "email", "Spring", ""], ["ads", "", "", "gclid"]])
    await assert_rows(database, tables.contacts, ["kind", "value"], [
        ["email", "ada@example.com"], ["phone", "+16502530000"], ["user_id", "u7"], ["user_id", "old-7"],
    ])  # fmt: skip
    company = f"company:{'generic' if is_trusted else ':segment'}/id:acme"
    await assert_rows(database, tables.person_fields, ["field", "value"], [["plan", "pro"], ["", company]])
    await assert_rows(database, tables.record_fields, ["record_id", "field", "value"], [[company, "industry", "Software"], [company, "name", "Acme"]])
    if is_trusted:
        happened = select(tables.events.c.occurred_at).where(tables.events.c.visitor_id == "ann")
        await assert_rows(database, happened, ["occurred_at"], [[datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)]])
