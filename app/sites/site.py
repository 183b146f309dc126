"""A site as the rest of the service sees it: its ID, its settings in force, its hashing key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.errors import NotFound
from app.sites.settings import SiteSettings
from app.sites.weights import OwnModel, models_of_site, read_model


@dataclass(frozen=True)
class Site:
    """One tenant, with the settings in force when it was loaded."""

    site_id: str
    hash_key: bytes
    settings_version: int
    settings: SiteSettings
    models: tuple[OwnModel, ...] = ()
    """The models that it names itself, by name, with the weights that they have now."""
    as_of: int | None = None
    """The moment at which the site is looked at, in microseconds; None: now."""
    erasures: int = 0
    """How often something of it had been erased when it was loaded."""


def sites_in_force() -> Select[Any]:
    """A row a site: its ID, hash key, version, settings in force, erasures. Reads `sites`, `site_versions` by primary key."""
    site, version = tables.sites.c, tables.site_versions.c
    return select(site.site_id, site.hash_key, site.settings_version, version.settings, site.erasures).join_from(
        tables.sites,
        tables.site_versions,
        (version.site_id == site.site_id) & (version.version == site.settings_version),
    )


async def load_sites(connection: AsyncConnection) -> list[Site]:
    """Every site, by ID."""
    rows = await connection.execute(sites_in_force().order_by(tables.sites.c.site_id))
    return [await _site(connection, *row) for row in rows]


def settings_then() -> Select[Any]:
    """At most one row: the version and settings in force at `:as_of`, microseconds. Index: the key of `site_versions`."""
    version = tables.site_versions.c
    before = select(version.version, version.settings).where(
        version.site_id == bindparam("site_id"), version.created_at <= bindparam("as_of", type_=tables.Moment)
    )
    return before.order_by(version.version.desc()).limit(1)


async def load_site_then(connection: AsyncConnection, site: Site, as_of: int) -> Site:
    """The site with the settings that were in force, and the models that it had, at a moment, in microseconds."""
    row = (await connection.execute(settings_then(), {"site_id": site.site_id, "as_of": as_of})).one_or_none()
    then = replace(site, models=await _models(connection, site.site_id, as_of), as_of=as_of)
    if row is None:
        return then
    return replace(then, settings_version=row.version, settings=SiteSettings.model_validate_json(row.settings))


async def load_site(connection: AsyncConnection, site_id: str) -> Site:
    """One site. NotFound if there is none of that ID."""
    row = (await connection.execute(sites_in_force().where(tables.sites.c.site_id == site_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no site {site_id!r}.")
    return await _site(connection, *row)


async def _site(connection: AsyncConnection, site_id: str, hash_key: bytes, version: int, settings: str, erasures: int) -> Site:
    models = await _models(connection, site_id)
    return Site(site_id, hash_key, version, SiteSettings.model_validate_json(settings), models, erasures=erasures)


async def _models(connection: AsyncConnection, site_id: str, as_of: int | None = None) -> tuple[OwnModel, ...]:
    rows = await connection.execute(models_of_site(then=as_of is not None), {"of_site": site_id, "as_of": as_of})
    return tuple(read_model(row) for row in rows)
