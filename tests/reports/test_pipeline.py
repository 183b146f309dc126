"""Opportunities when they opened, as they are, and what is still open."""

from __future__ import annotations

import httpx
import pytest

from app import tables
from app.db import Database
from app.pipeline import run_until_idle
from app.sites.site import Site
from tests.deal_facts import deal_rows, said
from tests.facts import enqueue, put_all
from tests.reports.story import READER, form, get, tell, visit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("told")]

PATH = "/v1/reports/pipeline"


@pytest.fixture
async def told(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    """Ada's deal grew and is open; Bob's was known without an amount, got one, shrank and was lost; one names nobody."""
    assert site.site_id == "default"
    letter = "https://shop.example/?utm_source=letter&utm_medium=email"
    await tell(client, database, visit("ada", 1, letter), form("ada", 1, "ada@example.com"))
    async with database.read() as connection:
        ada = await connection.scalar(tables.key_people.select().with_only_columns(tables.key_people.c.key_id))
    await put_all(
        database,
        [
            *deal_rows(
                "of-ada",
                said("1", 10, amount="1000000", contacts=[ada]),
                said("2", 20, amount="1500100"),
            ),
            *deal_rows(
                "of-bob",
                said("3", 10, name="No amount yet"),
                said("4", 20, amount="70000"),
                said("5", 30, "lost", amount="30000"),
            ),
            *deal_rows("odd", said("6", 10, name="Never an amount")),
        ],
    )
    await enqueue(database, tables.deals_queue, ("generic", "of-ada"), ("generic", "of-bob"), ("generic", "odd"))
    await run_until_idle(database)


async def test_three_amounts_add_up_each_by_itself(client: httpx.AsyncClient) -> None:
    answer = await get(client, PATH, model="last_touch", **{"from": "2026-03-01", "to": "2026-04-01"})
    assert answer["rows"] == [
        {"channel": "Email", "conversions": 1, "pipeline": "150.01", "pipeline_at_creation": "100.00", "pipeline_now": "150.01"}
    ]
    amounts = ("conversions", "pipeline", "pipeline_at_creation", "pipeline_now")
    totals = answer["totals"]
    assert [totals[name] for name in amounts] == [3, "153.01", "107.00", "150.01"]
    assert [totals["credited"][name] for name in amounts] == [1, "150.01", "100.00", "150.01"]
    assert [totals["uncredited"][name] for name in amounts] == [2, "3.00", "7.00", "0.00"]
    report = await get(client, "/v1/reports/attribution", conversion="opportunity", model="last_touch")
    assert report["totals"]["pipeline"] == totals["pipeline"]


async def test_csv_and_refusals(client: httpx.AsyncClient) -> None:
    table = await client.get(PATH, headers=READER, params={"format": "csv", "by": "source"})
    assert table.text.splitlines() == [
        "source,conversions,pipeline,currency,pipeline_at_creation,pipeline_now",
        "letter,1,150.01,USD,100.00,150.01",
        "(uncredited: no_contact),2,3.00,USD,7.00,0.00",
    ]
    for refused, named in (
        ({"model": "markov"}, "linear"),
        ({"model": "markov", "by": "medium"}, "linear"),
        ({"conversion": "lead"}, "opportunity"),
        ({"as_of": "2026-03-10"}, "as_of"),
        ({"influenced": "true"}, "influenced"),
    ):
        answer = await client.get(PATH, headers=READER, params=refused)
        assert answer.status_code == 422, refused
        assert named in answer.json()["detail"]
