"""Who is calling, and the first start, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select

from app import tables
from app.db import Database
from app.errors import Forbidden, NotFound, Unauthorized, Unprocessable
from app.settings import Settings
from app.sites.administration import change_key, change_settings, create_key, create_site, key_hash, revoke_key
from app.sites.authorisation import Caller, KeyRing, ensure_first_site
from app.sites.directory import Directory
from app.sites.site import Site
from tests.rows import assert_rows
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


async def test_a_key_stands_for_its_sites_and_scopes(database: Database, site: Site) -> None:
    async with database.write() as connection:
        await create_site(connection, "shop", {}, NOW)
        secret = await create_key(connection, ["shop", "default"], "secret", NOW, scopes=["read"])
        public = await create_key(connection, ["shop"], "write", NOW)
    keyring = KeyRing(database)
    both = ("default", "shop")
    assert await keyring.caller(secret.value) == Caller(secret.key_id, True, frozenset({"read"}), both, both)
    assert await keyring.caller(public.value) == Caller(public.key_id, False, frozenset(), ("shop",), ("shop",))


@pytest.mark.parametrize("key", [None, "", "cl_sk_nobody", "x" * 10_000, "\ud800", "\x00"])
async def test_no_key_and_an_unknown_one(database: Database, site: Site, key: str | None) -> None:
    with pytest.raises(Unauthorized):
        await KeyRing(database).caller(key)


async def test_a_revoked_key_is_unknown(database: Database, site: Site) -> None:
    async with database.write() as connection:
        key = await create_key(connection, ["default"], "secret", NOW)
    keyring = KeyRing(database)
    await keyring.caller(key.value)
    async with database.write() as connection:
        await revoke_key(connection, key.key_id, NOW)
    await keyring.caller(key.value)  # still remembered, for two seconds at most
    keyring.forget()
    with pytest.raises(Unauthorized):
        await keyring.caller(key.value)


def test_which_site_a_request_means() -> None:
    one = Caller("k", True, frozenset({"read"}), ("a",), ("a",))
    several = Caller("k", True, frozenset({"read"}), ("a", "b"), ("a", "b"))
    grown = Caller("k", True, frozenset({"read"}), ("a", "b"), ("b",))
    assert [one.site_id(None), several.site_id("b"), grown.site_id(None), grown.site_id("a")] == ["a", "b", "b", "a"]
    with pytest.raises(Unprocessable, match="a, b"):
        several.site_id(None)
    with pytest.raises(Forbidden):
        several.site_id("c")


def test_scopes_and_write_keys() -> None:
    with pytest.raises(Forbidden, match="write key"):
        Caller("k", False, frozenset(), ("a",)).must_have("read")
    with pytest.raises(Forbidden, match="ingest"):
        Caller("k", True, frozenset({"ingest"}), ("a",)).must_have("read")
    Caller("k", True, frozenset({"read"}), ("a",)).must_have("read")


async def test_sites_added_to_a_key_later_must_be_named(database: Database, site: Site) -> None:
    async with database.write() as connection:
        await create_site(connection, "shop", {}, NOW)
        key = await create_key(connection, ["shop"], "secret", NOW)
        await change_key(connection, key.key_id, LATER, site_ids=["default", "shop"])
    caller = await KeyRing(database).caller(key.value)
    assert (caller.site_ids, caller.home_ids) == (("default", "shop"), ("shop",))


async def test_the_directory_answers_the_same_site_until_it_changes(database: Database, site: Site) -> None:
    directory = Directory(database)
    first = await directory.site("default")
    assert first == site
    directory.forget("default")
    assert await directory.site("default") is first
    async with database.write() as connection:
        await change_settings(connection, "default", {"currency": "EUR"}, NOW)
    directory.forget("default")
    assert (await directory.site("default")).settings.currency == "EUR"
    with pytest.raises(NotFound):
        await directory.site("nowhere")


# ---------------------------------------------------------------- the first start


def _settings(database: Database, write_key: str | None = None, secret_key: str | None = None) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(_env_file=None, database_url=url, write_key=write_key, secret_key=secret_key)


async def test_a_first_start_makes_the_site_and_shows_its_keys(database: Database) -> None:
    made = await ensure_first_site(database, _settings(database), NOW)
    assert [(key.kind, key.scopes) for key in made] == [("write", ()), ("secret", ("ingest", "read", "admin"))]
    caller = await KeyRing(database).caller(made[1].value)
    assert caller.scopes == {"ingest", "read", "admin"}
    assert await ensure_first_site(database, _settings(database), LATER) == []
    await assert_rows(database, tables.sites, ["site_id", "created_at"], [["default", NOW]])


async def test_the_environment_names_the_keys(database: Database) -> None:
    settings = _settings(database, WRITE_KEY, SECRET_KEY)
    assert await ensure_first_site(database, settings, NOW) == []
    assert await ensure_first_site(database, settings, LATER) == []
    rows = [["write", key_hash(WRITE_KEY), "", WRITE_KEY], ["secret", key_hash(SECRET_KEY), "ingest read admin", None]]
    await assert_rows(database, tables.keys, ["kind", "key_hash", "scopes", "public_value"], rows)


async def test_only_the_key_that_is_missing_is_made_up(database: Database) -> None:
    made = await ensure_first_site(database, _settings(database, WRITE_KEY), NOW)
    assert [key.kind for key in made] == ["secret"]


async def test_a_key_named_later_is_added_and_a_revoked_one_stays_revoked(database: Database) -> None:
    await ensure_first_site(database, _settings(database, WRITE_KEY, SECRET_KEY), NOW)
    old = await KeyRing(database).caller(SECRET_KEY)
    another = "another secret key of 24+"
    await ensure_first_site(database, _settings(database, WRITE_KEY, another), LATER)
    assert (await KeyRing(database).caller(another)).scopes == old.scopes
    async with database.write() as connection:
        await revoke_key(connection, old.key_id, LATER)
    await ensure_first_site(database, _settings(database, WRITE_KEY, SECRET_KEY), LATER)
    with pytest.raises(Unauthorized):
        await KeyRing(database).caller(SECRET_KEY)


async def test_two_processes_start_at_once(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        made = await asyncio.gather(*(ensure_first_site(each, _settings(database), NOW) for each in (database, other)))
    finally:
        await other.dispose()
    assert sorted(len(keys) for keys in made) == [0, 2]
    await assert_rows(database, tables.sites, ["site_id"], [["default"]])
    await assert_rows(database, select(tables.keys.c.kind), ["kind"], [["write"], ["secret"]])


async def test_a_deleted_default_site_does_not_come_back_beside_others(database: Database) -> None:
    await ensure_first_site(database, _settings(database), NOW)
    async with database.write() as connection:
        await create_site(connection, "shop", {}, NOW)
        await connection.execute(delete(tables.sites).where(tables.sites.c.site_id == "default"))
    assert await ensure_first_site(database, _settings(database, WRITE_KEY, SECRET_KEY), LATER) == []
    await assert_rows(database, tables.sites, ["site_id"], [["shop"]])


async def test_one_key_cannot_be_both(database: Database) -> None:
    with pytest.raises(ValueError, match="are the same"):
        await ensure_first_site(database, _settings(database, SECRET_KEY, SECRET_KEY), NOW)
