"""Sites, settings and keys as rows, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, update

from app import tables
from app.db import Database
from app.errors import Conflict, NotFound, Unprocessable
from app.sites.administration import (
    DIRECT,
    change_key,
    change_settings,
    create_key,
    create_site,
    delete_site,
    key_hash,
    revoke_key,
)
from app.sites.site import Site, load_site
from tests.rows import assert_rows

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
async def shop(database: Database) -> Site:
    async with database.write() as connection:
        return await create_site(connection, "shop", {"timezone": "Europe/Berlin", "currency": "eur"}, NOW)


async def test_a_new_site_has_days_a_version_and_the_direct_origin(database: Database, shop: Site) -> None:
    async with database.read() as connection:
        assert await load_site(connection, "shop") == shop
        days = (await connection.execute(select(tables.local_days.c.day, tables.local_days.c.starts_at))).all()
    assert len(shop.hash_key) == 32
    assert (shop.settings_version, shop.settings.currency) == (1, "EUR")
    assert (len(days), min(days)[0], max(days)[0]) == (32_872, "1990-01-01", "2079-12-31")
    assert ("2026-03-30", datetime(2026, 3, 29, 22, tzinfo=UTC)) in days
    await assert_rows(database, tables.site_versions, ["site_id", "version", "created_at"], [["shop", 1, NOW]])
    await assert_rows(database, tables.origins, ["site_id", "origin_id", "source", "click_id_kind"], [["shop", DIRECT, "", ""]])
    await assert_rows(database, tables.labels_queue, ["site_id", "origin_id", "form_id"], [["shop", DIRECT, ""]])


async def test_a_site_is_made_once(database: Database, shop: Site) -> None:
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await create_site(connection, "shop", {}, NOW)


@pytest.mark.parametrize("site_id", ["", "a b", "-x", "ü", "x" * 65, "a/b"])
async def test_a_site_id_is_url_safe(database: Database, site_id: str) -> None:
    with pytest.raises(Unprocessable):
        async with database.write() as connection:
            await create_site(connection, site_id, {}, NOW)


async def _change(database: Database, changes: dict[str, object]) -> Site:
    async with database.write() as connection:
        return await change_settings(connection, "shop", changes, LATER)


async def test_a_change_makes_a_version_and_no_change_makes_none(database: Database, shop: Site) -> None:
    changed = await _change(database, {"country": "DE"})
    assert (changed.settings_version, changed.settings.country) == (2, "DE")
    assert (await _change(database, {"country": "DE"})).settings_version == 2
    await assert_rows(database, tables.site_versions, ["version", "created_at"], [[1, NOW], [2, LATER]])
    await assert_rows(database, tables.sites, ["site_id", "settings_version"], [["shop", 2]])
    await assert_rows(database, tables.rebuilds, ["stage"], [])
    await assert_rows(database, tables.labels_queue, ["origin_id", "form_id"], [[DIRECT, ""]])


@pytest.mark.parametrize(
    "changes",
    [{"timezone": "America/New_York"}, {"currency": "USD"}, {"session_gap_minutes": 60}, {"touch_cap": 10},
     {"goals": [{"name": "demo", "path": "/demo*"}]}, {"excluded_hosts": ["jobs.shop.example"]}, {"customer_space": "generic"}],
)  # fmt: skip
async def test_what_touches_and_conversions_depend_on_starts_a_rebuild(database: Database, shop: Site, changes: dict[str, object]) -> None:
    await _change(database, changes)
    await assert_rows(database, tables.rebuilds, ["site_id", "stage", "after_key", "started_at"], [["shop", "touches", "[]", LATER]])


@pytest.mark.parametrize(
    "changes",
    [{"hosts": ["shop.example"]}, {"ignored_hosts": ["pay.example"]}, {"channel_rules": [{"channel": "Radio", "source": "fm"}]},
     {"source_aliases": {"FB": "facebook"}}, {"campaign_aliases": {"x": "y"}}, {"lead_forms": ["demo"]}],
)  # fmt: skip
async def test_what_labels_depend_on_labels_every_origin_and_form_anew(database: Database, shop: Site, changes: dict[str, object]) -> None:
    async with database.write() as connection:
        await connection.execute(delete(tables.labels_queue))
        await connection.execute(insert(tables.forms), {"site_id": "shop", "form_id": "f1", "name": "demo", "path": "/"})
        await connection.execute(insert(tables.forms), {"site_id": "other", "form_id": "f2", "name": "demo", "path": "/"})
    await _change(database, changes)
    columns = ["site_id", "origin_id", "form_id", "received_at"]
    await assert_rows(database, tables.labels_queue, columns, [["shop", DIRECT, "", LATER], ["shop", "", "f1", LATER]])
    await assert_rows(database, tables.rebuilds, ["stage"], [])


async def test_goals_and_exclusions_are_rows(database: Database, shop: Site) -> None:
    goals = [{"name": "demo", "event": "form_submit", "path": "/demo*"}, {"name": "price", "path": "/pricing", "once_per": "event"}]
    await _change(database, {"goals": goals, "excluded_hosts": ["www.Jobs.example"], "excluded_paths": ["/login", "/staff/*"]})
    goal_columns = ["site_id", "goal", "event_type", "path", "path_is_prefix", "once_per"]
    goal_rows = [["shop", "demo", "form_submit", "/demo", True, "person"], ["shop", "price", "", "/pricing", False, "event"]]
    await assert_rows(database, tables.goal_rules, goal_columns, goal_rows)
    page_rows = [["shop", "jobs.example", "", False], ["shop", "", "/login", False], ["shop", "", "/staff/", True]]
    await assert_rows(database, tables.excluded_pages, ["site_id", "host", "path", "path_is_prefix"], page_rows)
    await _change(database, {"goals": None, "excluded_paths": []})
    await assert_rows(database, tables.goal_rules, ["goal"], [])
    await assert_rows(database, tables.excluded_pages, ["host"], [["jobs.example"]])


async def test_another_zone_has_other_days(database: Database, shop: Site) -> None:
    await _change(database, {"timezone": "Asia/Kolkata"})
    day = tables.local_days.c
    statement = select(day.site_id, day.starts_at).where(day.day == "2026-03-30")
    await assert_rows(database, statement, ["site_id", "starts_at"], [["shop", datetime(2026, 3, 29, 18, 30, tzinfo=UTC)]])


@pytest.mark.parametrize(
    ("under_way", "after_key", "then"),
    [("labels", '["x"]', ("labels", '["x"]')), ("touches", '["x"]', ("touches", "[]")), ("journeys", '["x"]', ("touches", "[]"))],
)
async def test_a_rebuild_under_way_goes_on_or_begins_again(
    database: Database, shop: Site, under_way: str, after_key: str, then: tuple[str, str]
) -> None:
    await _change(database, {"touch_cap": 10})
    async with database.write() as connection:
        await connection.execute(update(tables.rebuilds).values(stage=under_way, after_key=after_key))
    await _change(database, {"touch_cap": 20})
    await assert_rows(database, tables.rebuilds, ["stage", "after_key"], [then])


async def test_a_site_without_facts_can_be_deleted(database: Database, shop: Site) -> None:
    async with database.write() as connection:
        await create_site(connection, "other", {}, NOW)
        await delete_site(connection, "shop")
    await assert_rows(database, tables.sites, ["site_id"], [["other"]])
    await assert_rows(database, tables.origins, ["site_id"], [["other"]])
    with pytest.raises(NotFound):
        async with database.write() as connection:
            await delete_site(connection, "shop")


async def test_a_site_with_facts_stays(database: Database, shop: Site) -> None:
    fact = {"site_id": "shop", "fact_id": "f", "connection_id": "", "space": "generic", "type": "deal.won", "deal_id": "1", "body": "{}"}
    async with database.write() as connection:
        await connection.execute(insert(tables.crm_facts), {**fact, "occurred_at": NOW, "received_at": NOW})
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await delete_site(connection, "shop")


# ---------------------------------------------------------------- keys


async def test_of_a_secret_key_only_the_hash_is_kept(database: Database, shop: Site) -> None:
    async with database.write() as connection:
        secret = await create_key(connection, ["shop"], "secret", NOW, label="crm")
        public = await create_key(connection, ["shop"], "write", NOW)
    assert secret.value.startswith("cl_sk_")
    assert len(secret.value) == len("cl_sk_") + 43
    assert public.value.startswith("cl_wk_")
    rows = [
        ["shop", secret.key_id, "secret", key_hash(secret.value), "ingest read", "crm", None, None],
        ["shop", public.key_id, "write", key_hash(public.value), "", "", public.value, None],
    ]
    columns = ["site_id", "key_id", "kind", "key_hash", "scopes", "label", "public_value", "revoked_at"]
    await assert_rows(database, tables.keys, columns, rows)


@pytest.mark.parametrize(
    ("site_ids", "kind", "scopes", "error"),
    [([], "secret", ["read"], Unprocessable), (["shop"], "secret", ["write"], Unprocessable), (["shop"], "secret", [], Unprocessable),
     (["shop", "other"], "write", ["read"], Unprocessable), (["shop", "none"], "secret", ["read"], NotFound)],
)  # fmt: skip
async def test_keys_that_cannot_be(database: Database, shop: Site, site_ids: list[str], kind: str, scopes: list[str], error: type) -> None:
    with pytest.raises(error):
        async with database.write() as connection:
            await create_key(connection, site_ids, kind, NOW, scopes=scopes)  # type: ignore[arg-type]
    await assert_rows(database, tables.keys, ["key_id"], [])


async def test_a_key_is_changed_and_revoked(database: Database, shop: Site) -> None:
    async with database.write() as connection:
        await create_site(connection, "other", {}, NOW)
        key = await create_key(connection, ["shop"], "secret", NOW)
        await change_key(connection, key.key_id, LATER, label="new", scopes=["admin", "read"], site_ids=["shop", "other"])
    columns = ["site_id", "label", "scopes", "created_at", "revoked_at"]
    await assert_rows(database, tables.keys, columns, [["shop", "new", "read admin", NOW, None], ["other", "new", "read admin", LATER, None]])
    async with database.write() as connection:
        await revoke_key(connection, key.key_id, LATER, site_ids=["shop"])
    await assert_rows(database, tables.keys, ["site_id", "revoked_at"], [["shop", LATER], ["other", None]])
    async with database.write() as connection:
        await revoke_key(connection, key.key_id, LATER)
    with pytest.raises(NotFound):
        async with database.write() as connection:
            await revoke_key(connection, key.key_id, LATER)
