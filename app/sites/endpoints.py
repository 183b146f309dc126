"""`/v1/sites`, `/v1/keys`, `/v1/connections`: administration over HTTP, for keys with the scope `admin`.

A secret is in an answer only where it was just made or set; nothing shows it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Forbidden, NotFound, Unprocessable
from app.sites import administration, connections
from app.sites.administration import NewKey
from app.sites.authorisation import Caller, administered, administrator
from app.sites.connections import Connection, NewConnection
from app.sites.settings import SiteSettings
from app.sites.site import Site, load_site, load_sites

router = APIRouter(prefix="/v1", tags=["administration"])

Admin = Annotated[Caller, Depends(administrator)]
OfSite = Annotated[Site, Depends(administered)]
Patch = Annotated[dict[str, Any], Body(description="JSON merge patch (RFC 7396): null takes a field back to its default.")]
Label = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="What its owner calls it.")]


def _now() -> datetime:
    return datetime.now(UTC)


# ---------------------------------------------------------------- sites


class NewSite(SiteSettings):
    """A site to make: its ID and its settings, each of which has a default."""

    id: str = Field(description="1 to 64 letters, digits, - or _.")


def _site_shown(site: Site) -> dict[str, Any]:
    return {"id": site.site_id, **site.settings.model_dump(mode="json"), "settings_version": site.settings_version}


def _own(caller: Caller, site_id: str) -> str:
    """The ID, if the caller may name that site: others are not even told whether it exists."""
    if site_id not in caller.site_ids:
        raise NotFound(f"There is no site {site_id[:64]!r} among the sites of this key.")
    return site_id


@router.get("/sites")
async def list_sites(request: Request, caller: Admin) -> dict[str, Any]:
    """The sites that the key serves."""
    async with request.app.state.database.read() as connection:
        sites = await load_sites(connection)
    return {"sites": [_site_shown(site) for site in sites if site.site_id in caller.site_ids]}


@router.get("/sites/{site_id}")
async def show_site(request: Request, site_id: str, caller: Admin) -> dict[str, Any]:
    """One site with its settings in force."""
    async with request.app.state.database.read() as connection:
        return _site_shown(await load_site(connection, _own(caller, site_id)))


@router.post("/sites", status_code=201)
async def create_site(request: Request, new: NewSite, caller: Admin) -> dict[str, Any]:
    """Make a site. The key that makes it serves it from now on, where `site=` names it."""
    now = _now()
    wanted = SiteSettings(**{name: getattr(new, name) for name in SiteSettings.model_fields})
    async with request.app.state.database.write() as connection:
        site = await administration.create_site(connection, new.id, wanted, now)
        await administration.add_site_to_key(connection, caller.key_id, site.site_id, now)
    _forget(request, site.site_id)
    return _site_shown(site)


@router.patch("/sites/{site_id}")
async def change_site(request: Request, site_id: str, changes: Patch, caller: Admin) -> dict[str, Any]:
    """Change settings: a new version comes into force, and what depends on it is computed anew by itself."""
    async with request.app.state.database.write() as connection:
        site = await administration.change_settings(connection, _own(caller, site_id), changes, _now())
    _forget(request, site_id)
    return _site_shown(site)


@router.delete("/sites/{site_id}", status_code=204)
async def delete_site(request: Request, site_id: str, caller: Admin) -> Response:
    """Remove a site that holds no events and no CRM facts, with its keys and connections."""
    async with request.app.state.database.write() as connection:
        await administration.delete_site(connection, _own(caller, site_id))
    _forget(request, site_id)
    return Response(status_code=204)


def _forget(request: Request, site_id: str) -> None:
    """What this process remembers of a site and of keys; other processes do so for two seconds more."""
    request.app.state.directory.forget(site_id)
    request.app.state.keyring.forget()


# ---------------------------------------------------------------- keys


class KeyToMake(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["write", "secret"] = Field("secret", description="`write` is public, for web pages; `secret` for servers.")
    site: str | None = Field(None, description="Its site; absent: the one that the calling key was made for.")
    sites: list[str] | None = Field(None, max_length=1_000, description="Its sites, for a secret key of several.")
    scopes: list[str] = Field(["ingest", "read"], max_length=10, description="Of a secret key: `ingest`, `read`, `admin`.")
    label: Label = ""


class KeyChanges(BaseModel):
    """What can change of a key; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    label: Label | None = None
    scopes: list[str] | None = Field(None, max_length=10)
    sites: list[str] | None = Field(None, max_length=1_000)


def _key_made(key: NewKey) -> dict[str, Any]:
    """A new key, its value included."""
    return {
        "id": key.key_id,
        "kind": key.kind,
        "sites": list(key.site_ids),
        "scopes": list(key.scopes),
        "label": key.label,
        "created_at": key.created_at,
        "revoked_at": None,
        "key": key.value,
    }


def _key_shown(rows: Sequence[Any]) -> dict[str, Any]:
    """A key from its rows, one a site. A write key is public, so it is shown."""
    first, live = rows[0], [row for row in rows if row.revoked_at is None]
    shown = {
        "id": first.key_id,
        "kind": first.kind,
        "sites": [row.site_id for row in live or rows],
        "scopes": first.scopes.split(),
        "label": first.label,
        "created_at": first.created_at,
        "revoked_at": None if live else max(row.revoked_at for row in rows),
    }
    return shown if first.public_value is None else {**shown, "key": first.public_value}


async def _keys(connection: AsyncConnection, caller: Caller) -> list[dict[str, Any]]:
    rows = (await connection.execute(administration.keys_of_sites(caller.site_ids))).all()
    in_order = sorted(rows, key=lambda row: row.key_id)
    return [_key_shown(list(of_key)) for _, of_key in groupby(in_order, key=lambda row: row.key_id)]


async def _key(connection: AsyncConnection, caller: Caller, key_id: str) -> dict[str, Any]:
    for shown in await _keys(connection, caller):
        if shown["id"] == key_id:
            return shown
    raise NotFound(f"There is no key {key_id[:64]!r} on the sites of this key.")


@router.get("/keys")
async def list_keys(request: Request, caller: Admin) -> dict[str, Any]:
    """The keys of the sites that the calling key serves, revoked ones included."""
    async with request.app.state.database.read() as connection:
        return {"keys": await _keys(connection, caller)}


@router.get("/keys/{key_id}")
async def show_key(request: Request, key_id: str, caller: Admin) -> dict[str, Any]:
    """One key; not its value, if it is secret."""
    async with request.app.state.database.read() as connection:
        return await _key(connection, caller, key_id)


@router.post("/keys", status_code=201)
async def create_key(request: Request, new: KeyToMake, caller: Admin) -> dict[str, Any]:
    """Make a key. A secret key is in this answer and never again in any other."""
    if new.site is not None and new.sites is not None:
        raise Unprocessable("Give site, or sites for several, not both.")
    named = [_own(caller, site_id) for site_id in (new.sites if new.sites is not None else [caller.site_id(new.site)])]
    async with request.app.state.database.write() as connection:
        key = await administration.create_key(connection, named, new.kind, _now(), scopes=new.scopes, label=new.label)
    request.app.state.keyring.forget()
    return _key_made(key)


@router.patch("/keys/{key_id}")
async def change_key(request: Request, key_id: str, changes: KeyChanges, caller: Admin) -> dict[str, Any]:
    """Change a key's label, scopes or sites. A site that it gets now must be named by `site=`."""
    for site_id in changes.sites or ():
        _own(caller, site_id)
    label, scopes, sites = changes.label, changes.scopes, changes.sites
    async with request.app.state.database.write() as connection:
        await _must_be_wholly_own(connection, caller, key_id)
        await administration.change_key(connection, key_id, _now(), label=label, scopes=scopes, site_ids=sites)
        shown = await _key(connection, caller, key_id)
    request.app.state.keyring.forget()
    return shown


@router.delete("/keys/{key_id}", status_code=204)
async def revoke_key(request: Request, key_id: str, caller: Admin) -> Response:
    """Revoke a key, on the sites that the calling key serves. This process refuses it at once, others within two seconds."""
    async with request.app.state.database.write() as connection:
        await _key(connection, caller, key_id)
        await administration.revoke_key(connection, key_id, _now(), site_ids=caller.site_ids)
    request.app.state.keyring.forget()
    return Response(status_code=204)


async def _must_be_wholly_own(connection: AsyncConnection, caller: Caller, key_id: str) -> None:
    """Forbidden for a key that also serves sites of others: what it may do there is not the caller's to say."""
    await _key(connection, caller, key_id)
    rows = await connection.execute(administration.live_rows_of_key(), {"of_key": key_id})
    if not {row.site_id for row in rows}.issubset(caller.site_ids):
        raise Forbidden("This key also serves sites that the calling key does not: it can be revoked here, not changed.")


# ---------------------------------------------------------------- connections


def _connection_shown(made: Connection, secret: str | None = None) -> dict[str, Any]:
    """A connection; with `secret` where that was just made or set."""
    shown = {
        "id": made.connection_id,
        "site": made.site_id,
        "provider": made.fields.provider,
        "webhook_path": f"/v1/webhooks/{made.connection_id}",
        "settings": made.fields.settings.model_dump(mode="json"),
        "reports_activities": made.fields.reports_activities,
        "api_base_url": made.fields.api_base_url,
        "has_api_token": made.fields.api_token is not None,
        "has_previous_secret": len(made.secrets) > 1,
        "created_at": made.created_at,
    }
    return shown if secret is None else {**shown, "secret": secret}


@router.get("/connections")
async def list_connections(request: Request, site: OfSite) -> dict[str, Any]:
    """The connections of the site."""
    async with request.app.state.database.read() as connection:
        found = await connections.load_connections(connection, site.site_id)
    return {"connections": [_connection_shown(each) for each in found]}


@router.get("/connections/{connection_id}")
async def show_connection(request: Request, connection_id: str, site: OfSite) -> dict[str, Any]:
    """One connection; none of its secrets."""
    async with request.app.state.database.read() as connection:
        return _connection_shown(await connections.load_connection(connection, site.site_id, connection_id))


@router.post("/connections", status_code=201)
async def create_connection(request: Request, new: NewConnection, site: OfSite) -> dict[str, Any]:
    """Make a connection. Its signing secret is in this answer; put it into the CRM now."""
    async with request.app.state.database.write() as connection:
        made = await connections.create_connection(connection, site, new, _now())
    return _connection_shown(made, made.secrets[0])


@router.patch("/connections/{connection_id}")
async def change_connection(request: Request, connection_id: str, changes: Patch, site: OfSite) -> dict[str, Any]:
    """Change a connection. A new `secret` (null: one is made) keeps the one before it valid until `"previous_secret": null`."""
    async with request.app.state.database.write() as connection:
        made = await connections.change_connection(connection, site, connection_id, changes, _now())
    return _connection_shown(made, made.secrets[0] if "secret" in changes else None)


@router.delete("/connections/{connection_id}", status_code=204)
async def delete_connection(request: Request, connection_id: str, site: OfSite) -> Response:
    """End a connection. What arrived through it stays."""
    async with request.app.state.database.write() as connection:
        await connections.delete_connection(connection, site, connection_id)
    return Response(status_code=204)
