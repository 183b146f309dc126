"""Sites, their settings and their keys: made, changed and removed. What the router and the commands both call.

Every function works within the caller's transaction; `now` is when it happens.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids, tables
from app.db import insert_new
from app.errors import Conflict, NotFound, Unprocessable
from app.sites import rules
from app.sites.settings import SiteSettings
from app.sites.site import Site, load_site

SCOPES = ("ingest", "read", "admin")
"""What a secret key may do: send facts, read reports, administer its sites."""
DIRECT = ids.digest("", "", "", "", "", "", "", "")
"""The origin of which nothing is known."""

_SITE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


# ---------------------------------------------------------------- sites


async def create_site(connection: AsyncConnection, site_id: str, settings: Mapping[str, Any] | SiteSettings, now: datetime) -> Site:
    """Make a site with version 1 of its settings. Conflict if it exists; Unprocessable if a value is not allowed."""
    if not _SITE_ID.match(site_id):
        raise Unprocessable("A site's id has 1 to 64 letters, digits, - or _, and begins with a letter or digit.")
    wanted = settings if isinstance(settings, SiteSettings) else checked_settings(SiteSettings(), settings)
    site = Site(site_id, secrets.token_bytes(32), 1, await rules.with_customer_space(connection, site_id, wanted))
    made = await connection.execute(
        insert_new(connection.dialect.name == "sqlite", tables.sites),
        {"site_id": site_id, "hash_key": site.hash_key, "settings_version": 1, "created_at": now},
    )
    if made.rowcount != 1:
        raise Conflict(f"There is a site {site_id!r} already.")
    await _write_version(connection, site, now)
    await rules.write_days(connection, site)
    await rules.write_hours(connection, site)
    await rules.write_rules(connection, site)
    await _write_direct_origin(connection, site_id, now)
    return site


async def change_settings(connection: AsyncConnection, site_id: str, changes: Mapping[str, Any], now: datetime) -> Site:
    """Put a new version of the settings in force: the old ones with `changes` as a JSON merge patch.

    What follows from it follows in the same transaction: the rules as rows, the local days, what must be labelled or
    computed anew. Nothing is written where nothing changes. NotFound; Unprocessable if a value is not allowed.
    """
    await lock_site(connection, site_id)
    before = await load_site(connection, site_id)
    wanted = await rules.with_customer_space(connection, site_id, checked_settings(before.settings, changes))
    if wanted == before.settings:
        return before
    after = replace(before, settings_version=before.settings_version + 1, settings=wanted)
    await _write_version(connection, after, now)
    await connection.execute(
        update(tables.sites).where(_of_site(tables.sites)).values(settings_version=after.settings_version),
        {"of_site": site_id},
    )
    await rules.follow(connection, before, after, now)
    return after


async def delete_site(connection: AsyncConnection, site_id: str) -> None:
    """Remove a site that holds no facts, with all its configuration. NotFound; Conflict if it holds any."""
    await lock_site(connection, site_id)
    await load_site(connection, site_id)
    for facts in (tables.events, tables.crm_facts):
        if await connection.scalar(select(exists(select(facts.c.site_id).where(_of_site(facts)))), {"of_site": site_id}):
            raise Conflict(f"The site {site_id!r} holds facts, and what a report was made of is never thrown away with one call.")
    for table in tables.metadata.sorted_tables:
        await connection.execute(delete(table).where(_of_site(table)), {"of_site": site_id})


def checked_settings(before: SiteSettings, changes: Mapping[str, Any]) -> SiteSettings:
    """`before` with a JSON merge patch applied. Unprocessable, naming the field and what it allows, if it may not be."""
    try:
        return before.changed(dict(changes))
    except ValidationError as error:
        raise unprocessable(error) from None


def unprocessable(error: ValidationError) -> Unprocessable:
    """What a caller is told of values that are not allowed: where, and why. Not the input, which may be a secret."""
    found = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"].removeprefix("Value error, ")} for each in error.errors()]
    in_words = "; ".join(f"{each['where']}: {each['what']}" if each["where"] else each["what"] for each in found)
    return Unprocessable(in_words, errors=found)


async def lock_site(connection: AsyncConnection, site_id: str) -> None:
    """One change of a site at a time, so that versions are 1, 2, 3, … (SQLite's transaction has the lock already)."""
    await connection.execute(select(tables.sites.c.site_id).where(_of_site(tables.sites)).with_for_update(), {"of_site": site_id})


async def _write_version(connection: AsyncConnection, site: Site, now: datetime) -> None:
    row = {"site_id": site.site_id, "version": site.settings_version, "settings": site.settings.as_json(), "created_at": now}
    await connection.execute(insert(tables.site_versions), row)


async def _write_direct_origin(connection: AsyncConnection, site_id: str, now: datetime) -> None:
    await connection.execute(insert(tables.origins), {"site_id": site_id, "origin_id": DIRECT})
    await connection.execute(insert(tables.labels_queue), {"site_id": site_id, "origin_id": DIRECT, "form_id": "", "received_at": now})


# ---------------------------------------------------------------- keys


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. `value` is shown now and, if it is secret, never again."""

    key_id: str
    kind: Literal["write", "secret"]
    site_ids: tuple[str, ...]
    scopes: tuple[str, ...]
    label: str
    value: str
    created_at: datetime


def key_hash(value: str) -> str:
    """What is stored of a key, and what it is looked up by: its SHA-256 in hex."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


async def create_key(
    connection: AsyncConnection,
    site_ids: Sequence[str],
    kind: Literal["write", "secret"],
    now: datetime,
    *,
    scopes: Iterable[str] = ("ingest", "read"),
    label: str = "",
) -> NewKey:
    """Make a key. NotFound if a site does not exist; Unprocessable for an unknown scope, or a write key of several sites.

    A write key has no scopes: it may only send web events.
    """
    sites = tuple(sorted(set(site_ids)))
    if not sites or (kind == "write" and len(sites) > 1):
        raise Unprocessable("A write key belongs to exactly one site, a secret key to one or more.")
    for site_id in sites:
        await load_site(connection, site_id)
    allowed = checked_scopes(scopes) if kind == "secret" else ()
    key = NewKey(f"key_{secrets.token_hex(8)}", kind, sites, allowed, label, _random_value(kind), now)
    await connection.execute(insert(tables.keys), key_rows(key))
    return key


async def add_key(connection: AsyncConnection, key: NewKey) -> None:
    """Store a key whose value is given. One that is stored already is left as it is, revoked or not."""
    await connection.execute(insert_new(connection.dialect.name == "sqlite", tables.keys), key_rows(key))


async def change_key(
    connection: AsyncConnection,
    key_id: str,
    now: datetime,
    *,
    label: str | None = None,
    scopes: Iterable[str] | None = None,
    site_ids: Sequence[str] | None = None,
) -> None:
    """Change what is given of a key that is not revoked. A secret key's sites are added or taken away; see `Caller.home_ids`."""
    row, before = await _live_key(connection, key_id)
    if row["kind"] == "write" and (scopes is not None or site_ids is not None):
        raise Unprocessable("Of a write key only the label can be changed.")
    values = {} if label is None else {"label": label}
    if scopes is not None:
        values["scopes"] = " ".join(checked_scopes(scopes))
    if values:
        await connection.execute(update(tables.keys).where(_is_live_key()).values(values), {"of_key": key_id})
    if site_ids is not None:
        await _change_sites(connection, {**row, **values}, before, set(site_ids), now)


async def add_site_to_key(connection: AsyncConnection, key_id: str, site_id: str, now: datetime) -> None:
    """Let a live secret key serve one more site, where it is named. NotFound if there is no such key."""
    row, before = await _live_key(connection, key_id)
    await _change_sites(connection, row, before, before | {site_id}, now)


async def revoke_key(connection: AsyncConnection, key_id: str, now: datetime, *, site_ids: Sequence[str] | None = None) -> None:
    """Revoke a key, for some of its sites or for all. NotFound if there is no live key of that ID there."""
    statement = update(tables.keys).where(_is_live_key()).values(revoked_at=now)
    if site_ids is not None:
        statement = statement.where(tables.keys.c.site_id.in_(site_ids))
    if (await connection.execute(statement, {"of_key": key_id})).rowcount == 0:
        raise NotFound(f"There is no live key {key_id[:64]!r}.")


def keys_of_sites(site_ids: Sequence[str]) -> Select[Any]:
    """A row a key and site, of these sites, by key and site: all but the hash. Index: the key of `keys`."""
    key = tables.keys
    columns = [column for column in key.c if column.name != "key_hash"]
    return select(*columns).where(key.c.site_id.in_(site_ids)).order_by(key.c.created_at, key.c.key_id, key.c.site_id)


def live_rows_of_key() -> Select[Any]:
    """A row a site for which the key `:of_key` is valid."""
    return select(tables.keys).where(_is_live_key()).order_by(tables.keys.c.site_id)


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, each once, in the order of `SCOPES`. Unprocessable, naming the allowed ones, if one is unknown."""
    wanted = set(scopes)
    if not wanted or not wanted.issubset(SCOPES):
        raise Unprocessable(f"A secret key has one or more of the scopes {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in wanted)


def key_rows(key: NewKey) -> list[dict[str, Any]]:
    """The rows of `keys` that stand for a new key: one a site."""
    shared = {
        "key_id": key.key_id,
        "kind": key.kind,
        "key_hash": key_hash(key.value),
        "scopes": " ".join(key.scopes),
        "label": key.label,
        "public_value": key.value if key.kind == "write" else None,
        "created_at": key.created_at,
    }
    return [{"site_id": site_id, **shared} for site_id in key.site_ids]


async def _live_key(connection: AsyncConnection, key_id: str) -> tuple[Mapping[Any, Any], set[str]]:
    """(one of its rows, its sites) of a key that is not revoked. NotFound if there is none."""
    rows = (await connection.execute(live_rows_of_key(), {"of_key": key_id})).mappings().all()
    if not rows:
        raise NotFound(f"There is no live key {key_id[:64]!r}.")
    return rows[0], {row["site_id"] for row in rows}


async def _change_sites(connection: AsyncConnection, row: Mapping[Any, Any], before: set[str], after: set[str], now: datetime) -> None:
    """Give a key the sites `after` in place of `before`; what it gets now is dated now."""
    if not after:
        raise Unprocessable("A key belongs to one or more sites; to end it, delete it.")
    added, changed = sorted(after - before), sorted(after ^ before)
    for site_id in added:
        await load_site(connection, site_id)
    # A site that the key was revoked for may come back: its old row goes first.
    await connection.execute(delete(tables.keys).where(tables.keys.c.key_id == row["key_id"], tables.keys.c.site_id.in_(changed)))
    if added:
        await connection.execute(insert(tables.keys), [{**row, "site_id": site_id, "created_at": now} for site_id in added])


def _random_value(kind: Literal["write", "secret"]) -> str:
    """256 random bits for a secret key; a write key is public and must only not be another's."""
    return f"cl_sk_{secrets.token_urlsafe(32)}" if kind == "secret" else f"cl_wk_{secrets.token_urlsafe(18)}"


def _is_live_key() -> ColumnElement[bool]:
    return (tables.keys.c.key_id == bindparam("of_key")) & tables.keys.c.revoked_at.is_(None)


def _of_site(table: Table) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.c.site_id == bindparam("of_site")
    return condition
