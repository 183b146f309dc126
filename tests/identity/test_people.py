"""Keys seen together -> people, compared with a graph library."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app import tables
from app.db import Database
from app.identity.stage import STAGE
from app.sites.site import Site
from tests.facts import a_sighting, at, enqueue, put, put_all
from tests.rows import assert_rows
from tests.stages import run_stage

pytestmark = pytest.mark.anyio


async def people(database: Database) -> dict[str, str]:
    async with database.read() as connection:
        rows = await connection.execute(select(tables.key_people.c.key_id, tables.key_people.c.person_id))
        return {row.key_id: row.person_id for row in rows}


async def see(database: Database, site: Site, *sightings: tuple[str, str, str], minutes: float = 0, trusted: bool = False) -> None:
    """Sightings of (keys, visitor, fact), and the stage run over them."""
    for keys, visitor_id, fact_id in sightings:
        await put_all(database, a_sighting(keys, visitor_id, fact_id, minutes, is_trusted=trusted))
        await enqueue(database, tables.identity_queue, *((key,) for key in keys.split()))
    await run_stage(database, site, STAGE)


async def test_keys_of_one_subject_are_one_person(database: Database, site: Site) -> None:
    await see(database, site, ("e_ada u_7", "v1", "f1"), ("e_bob", "v1", "f2"), ("p_1 u_7", "v2", "f3"))
    assert await people(database) == {"e_ada": "e_ada", "u_7": "e_ada", "p_1": "e_ada", "e_bob": "e_bob"}


async def test_a_visitor_never_joins_keys(database: Database, site: Site) -> None:
    await see(database, site, ("e_ada", "laptop", "f1"), ("e_bob", "laptop", "f2"))
    assert await people(database) == {"e_ada": "e_ada", "e_bob": "e_bob"}


async def test_an_undone_join_comes_apart_and_stays_apart(database: Database, site: Site) -> None:
    await see(database, site, ("e_ada e_bob", "v1", "f1"))
    assert await people(database) == {"e_ada": "e_ada", "e_bob": "e_ada"}
    link_id = a_sighting("e_ada e_bob", "v1", "f1", 0)[0][1]["link_id"]
    await put(database, tables.unlinks, {"site_id": "default", "visitor_id": "v1", "link_id": link_id, "fact_id": "f1", "created_at": 0})
    await enqueue(database, tables.identity_queue, ("e_bob",))
    await run_stage(database, site, STAGE)
    assert await people(database) == {"e_ada": "e_ada", "e_bob": "e_bob"}
    await see(database, site, ("e_ada e_bob", "v1", "sent again"))
    assert await people(database) == {"e_ada": "e_ada", "e_bob": "e_bob"}
    await see(database, site, ("e_ada e_bob", "v2", "on another visitor"))
    assert await people(database) == {"e_ada": "e_ada", "e_bob": "e_ada"}


async def test_a_key_seen_on_too_many_visitors_joins_nothing_that_day(database: Database, site: Site) -> None:
    await see(database, site, ("e_test u_ada", "v0", "f0"), *((f"e_test u_{n}", f"v{n}", f"f{n}") for n in range(1, 20)))
    assert set((await people(database)).values()) != {"e_test"}, "20 user IDs on one e-mail are too many of a kind"
    await see(database, site, ("e_test", "v20", "f20"))
    assert await people(database) == {"e_test": "e_test", "u_ada": "u_ada", **{f"u_{n}": f"u_{n}" for n in range(1, 20)}}
    await assert_rows(database, tables.crowded_days, ["key_id", "visitors"], [["e_test", 21]])
    await see(database, site, ("e_test p_1", "", "from the CRM"), trusted=True)
    assert (await people(database))["p_1"] == "e_test"
    await see(database, site, ("e_test u_ada", "v0", "the day after"), minutes=24 * 60)
    assert (await people(database))["u_ada"] == "e_test"


async def test_a_component_with_too_many_keys_of_a_kind_falls_apart(database: Database, site: Site) -> None:
    await see(database, site, *((f"e_{n:02} u_shared", f"v{n}", f"f{n}") for n in range(10)))
    assert set((await people(database)).values()) == {"e_00"}
    await see(database, site, ("e_10 u_shared", "v10", "f10"))
    found = await people(database)
    assert all(key_id == person_id for key_id, person_id in found.items())
    assert len(found) == 12


async def test_what_a_crowded_key_alone_held_together_is_looked_at_again(database: Database, site: Site) -> None:
    """Each key of a component that is too large is a person of its own, so no person leads from the one to the others."""
    await see(database, site, ("p_01 u_1", "v1", "f"), *((f"e_test p_{n:02}", f"v{n}", f"f{n}") for n in range(1, 21)))
    assert (await people(database))["u_1"] == "u_1"
    await see(database, site, ("e_test", "v21", "f21"))
    alone = [[key_id, key_id, False] for key_id in ("e_test", "p_01", *(f"p_{n:02}" for n in range(2, 21)))]
    await assert_rows(database, tables.key_people, ["key_id", "person_id", "is_crowded"], [*alone, ["u_1", "p_01", False]])


async def test_a_mark_on_a_contact_concerns_all_the_people_of_its_keys(database: Database, site: Site) -> None:
    """Its keys came apart (an undone join, too many keys): the mark is the first one's, whoever of them changes."""
    rows = a_sighting("c_1 e_ada", "", "qualified", 0)
    link_id = rows[0][1]["link_id"]
    await put_all(database, rows)
    await put(database, tables.unlinks, {"site_id": "default", "visitor_id": "", "link_id": link_id, "fact_id": "f", "created_at": 0})
    mark = {"site_id": "default", "fact_id": "qualified", "mark": "sql", "link_id": link_id, "occurred_at": at(0)}
    await put(database, tables.contact_marks, mark)
    await see(database, site, ("c_1", "", "f1"), ("e_ada", "", "f2"))
    async with database.write() as connection:
        await connection.execute(delete(tables.conversions_queue))
    await see(database, site, ("c_0 e_ada", "", "f3"))
    await assert_rows(database, tables.conversions_queue, ["person_id"], [["c_0"], ["c_1"], ["e_ada"]])


async def test_changed_keys_enqueue_their_visitors_and_deals(database: Database, site: Site) -> None:
    await see(database, site, ("e_ada", "v1", "f1"), ("e_bob", "v2", "f2"))
    contact = a_sighting("e_ada", "", "f", 0)[0][1]["link_id"]
    await put(
        database, tables.deal_contacts, {"site_id": "default", "space": "generic", "deal_id": "d1", "fact_id": "f", "link_id": contact}
    )
    async with database.write() as connection:
        await connection.execute(delete(tables.spans_queue))
    await see(database, site, ("c_1 e_ada", "", "crm"), trusted=True)
    await assert_rows(database, tables.spans_queue, ["visitor_id"], [["v1"]])
    await assert_rows(database, tables.deals_queue, ["space", "deal_id"], [["generic", "d1"]])


_key = st.sampled_from([f"{kind}_{n}" for kind in "ceu" for n in range(6)])
_subject = st.lists(_key, min_size=1, max_size=3, unique=True)


@given(subjects=st.lists(_subject, max_size=14), cuts=st.lists(st.integers(1, 5), max_size=4))
async def test_components_equal_a_graph_librarys(database: Database, site: Site, subjects: list[list[str]], cuts: list[int]) -> None:
    async with database.write() as connection:
        for table in (tables.sightings, tables.link_keys, tables.key_people, tables.crowded_days, tables.identity_queue):
            await connection.execute(delete(table))
    graph = nx.Graph()
    arriving = list(enumerate(subjects))
    for size in [*cuts, len(arriving)]:
        batch, arriving = arriving[:size], arriving[size:]
        await see(database, site, *((" ".join(keys), "", f"f{number}") for number, keys in batch))
        for _, keys in batch:
            nx.add_path(graph, keys)
    expected = {key: min(component) for component in nx.connected_components(graph) for key in component}
    assert await people(database) == expected
