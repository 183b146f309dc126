"""Undoing a wrong join, and that it stays undone."""

from __future__ import annotations

import httpx
import pytest

from app import tables
from app.db import Database
from app.errors import NotFound
from app.identity.unlink import unlink
from app.sites.site import Site
from tests.facts import a_sighting, at, put, put_all
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio


async def test_a_fact_is_undone_with_all_its_keys(database: Database, site: Site) -> None:
    await put_all(
        database, [*a_sighting("e_ada u_7", "v1", "f1", 0), *a_sighting("e_bob", "v2", "f1", 0), *a_sighting("e_eve", "v1", "f2", 0)]
    )
    async with database.write() as connection:
        visitors = await unlink(connection, database.is_sqlite, site.site_id, fact_id="f1", visitor_id="v1", now=at(9))
    assert visitors == ["v1"]
    await assert_rows(database, tables.unlinks, ["visitor_id", "fact_id"], [["v1", "f1"]])
    await assert_rows(database, tables.identity_queue, ["key_id"], [["e_ada"], ["u_7"]])
    await assert_rows(database, tables.spans_queue, ["visitor_id"], [["v1"]])


CRM_FACT = {
    "site_id": "default", "fact_id": "f1", "connection_id": "crm", "space": "generic", "type": "contact.created", "deal_id": "",
    "occurred_at": at(0), "received_at": at(0), "body": "{}",
}  # fmt: skip


async def test_a_crm_fact_is_undone_wherever_it_was_seen(database: Database, site: Site) -> None:
    await put(database, tables.crm_facts, CRM_FACT)
    await put_all(database, [*a_sighting("e_ada", "", "f1", 0), *a_sighting("e_bob", "v2", "f1", 0)])
    for _ in range(2):
        async with database.write() as connection:
            visitors = await unlink(connection, database.is_sqlite, site.site_id, fact_id="f1", visitor_id=None, now=at(9))
        assert visitors == ["v2"]
    await assert_rows(database, tables.unlinks, ["visitor_id"], [[""], ["v2"]])


async def test_an_event_is_not_named_without_its_visitor(database: Database, site: Site) -> None:
    await put_all(database, [*a_sighting("e_ada", "v1", "1", 0), *a_sighting("e_bob", "v2", "1", 0)])
    async with database.write() as connection:
        with pytest.raises(NotFound):
            await unlink(connection, database.is_sqlite, site.site_id, fact_id="1", visitor_id=None, now=at(9))


async def test_a_fact_that_named_nobody_is_refused(database: Database, site: Site) -> None:
    async with database.write() as connection:
        with pytest.raises(NotFound, match="named a person"):
            await unlink(connection, database.is_sqlite, site.site_id, fact_id="nothing", visitor_id=None, now=at(9))


@pytest.mark.parametrize(
    "named", [r'"fact_id": "\u0000"', r'"visitor_id": "v\u0000", "event_id": "e"', r'"fact_id": "\ud800"', '"fact_id": ""']
)
async def test_what_no_fact_can_be_called_is_refused(client: httpx.AsyncClient, named: str) -> None:
    """Neither database can look for NUL or half a surrogate pair alike, so it is not asked to."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}", "Content-Type": "application/json"}
    answer = await client.post("/v1/people/unlink", content=f"{{{named}}}", headers=headers)
    assert answer.status_code == 422
