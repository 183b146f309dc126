"""Who is calling, and what may they do: keys, their scopes and their sites.

A key is looked up by its SHA-256, so neither the work nor its time depends on how much of a guess is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import Database
from app.errors import Conflict, Forbidden, Unauthorized, Unprocessable
from app.settings import Settings
from app.sites.administration import SCOPES, NewKey, add_key, create_key, create_site, key_hash
from app.sites.cache import Recent
from app.sites.site import Site

_LONGEST_KEY = 512

InDocs = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(HTTPBearer(auto_error=False, scheme_name="SecretKey", description="A secret key, within its scopes.")),
]
"""Says in OpenAPI that a secret key is needed, so that `/docs` asks for it; who calls is decided below."""


@dataclass(frozen=True)
class Caller:
    """The holder of a valid key."""

    key_id: str
    is_secret: bool
    scopes: frozenset[str]
    site_ids: tuple[str, ...]
    """Every site that the key may name, by ID."""
    home_ids: tuple[str, ...] = ()
    """Those of them that the key was made for, not added to it later: what a request without `site=` may mean."""

    def site_id(self, named: str | None) -> str:
        """The site that a request is about: the one that it names, else the only one that the key was made for.

        Forbidden for a site that is not the key's; Unprocessable where it must be named and is not.
        """
        if named is not None:
            if named not in self.site_ids:
                raise Forbidden(f"This key has no access to a site {named[:64]!r}. Its sites: {', '.join(self.site_ids)}.")
            return named
        homes = self.home_ids or self.site_ids
        if len(homes) != 1:
            raise Unprocessable(f"This key serves several sites: add site= with one of {', '.join(self.site_ids)}.")
        return homes[0]

    def must_have(self, scope: str) -> None:
        """Forbidden if the key lacks the scope, or is a write key."""
        if not self.is_secret:
            raise Forbidden(f"This is a write key: it may only send web events. A secret key with the scope {scope} is needed.")
        if scope not in self.scopes:
            has = ", ".join(sorted(self.scopes)) or "none"
            raise Forbidden(f"The scope {scope} is needed; this key has: {has}.")


def rows_of_key() -> Select[Any]:
    """A row a site that the key hashing to `:key_hash` is valid for, by site ID. Index: `ix_keys__key_hash`."""
    key = tables.keys.c
    return (
        select(key.site_id, key.key_id, key.kind, key.scopes, key.created_at)
        .where(key.key_hash == bindparam("key_hash"), key.revoked_at.is_(None))
        .order_by(key.site_id)
    )


class KeyRing:
    """The callers that keys stand for, each answer at most two seconds old: so long another process may go on taking
    a key that was revoked in this one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent = Recent(self._load)

    async def caller(self, key: str | None) -> Caller:
        """Whose key it is. Unauthorized if there is none, or it is unknown or revoked."""
        if not key:
            raise Unauthorized("A key is needed: send it as `Authorization: Bearer …`.")
        caller = await self._recent.get(key_hash(key)) if len(key) <= _LONGEST_KEY else None
        if caller is None:
            raise Unauthorized("This key is unknown or was revoked.")
        return caller

    def forget(self) -> None:
        """Ask anew from now on: keys have changed."""
        self._recent.forget()

    async def _load(self, hashed: str) -> Caller | None:
        async with self._database.read() as connection:
            rows = (await connection.execute(rows_of_key(), {"key_hash": hashed})).all()
        if not rows:
            return None
        made_at = min(row.created_at for row in rows)
        return Caller(
            key_id=rows[0].key_id,
            is_secret=all(row.kind == "secret" for row in rows),
            scopes=frozenset.intersection(*(frozenset(row.scopes.split()) for row in rows)),
            site_ids=tuple(row.site_id for row in rows),
            home_ids=tuple(row.site_id for row in rows if row.created_at == made_at),
        )


# ---------------------------------------------------------------- at the door


def bearer(request: Request) -> str | None:
    """The key of `Authorization: Bearer …`; None where there is no such header."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


async def administrator(request: Request, _key: InDocs) -> Caller:
    """FastAPI dependency: the caller, whose key has the scope `admin`."""
    return await _caller_with("admin", request)


async def reading_site(
    request: Request, _key: InDocs, site: str | None = Query(None, description="The site, where the key serves several.")
) -> Site:
    """FastAPI dependency: the site that is read, by a secret key with the scope `read`."""
    return await _site(await _caller_with("read", request), request, site)


async def administered(
    request: Request, _key: InDocs, site: str | None = Query(None, description="The site, where the key serves several.")
) -> Site:
    """FastAPI dependency: the site that is administered, by a secret key with the scope `admin`."""
    return await _site(await _caller_with("admin", request), request, site)


async def looked_at(request: Request, site: str | None = Query(None, description="The site, where the key serves several.")) -> Site:
    """FastAPI dependency: the site whose configuration is shown, to a secret key with the scope `read` or `admin`."""
    keyring: KeyRing = request.app.state.keyring
    caller = await keyring.caller(bearer(request))
    caller.must_have("admin" if "admin" in caller.scopes else "read")
    return await _site(caller, request, site)


async def _caller_with(scope: str, request: Request) -> Caller:
    keyring: KeyRing = request.app.state.keyring
    caller = await keyring.caller(bearer(request))
    caller.must_have(scope)
    return caller


async def _site(caller: Caller, request: Request, named: str | None) -> Site:
    site: Site = await request.app.state.directory.site(caller.site_id(named))
    return site


# ---------------------------------------------------------------- the first start

FIRST_SITE = "default"


async def ensure_first_site(database: Database, settings: Settings, now: datetime) -> list[NewKey]:
    """Make the site `default` where there is no site at all, and give it the keys of the environment.

    Safe to call at every start, by several processes at once. A key that the environment names later is added; one that
    it names no longer stays valid until it is revoked; one that was revoked stays so. Answers the keys that were made
    up because the environment named none, to be shown once.
    """
    async with database.write() as connection:
        is_first = await _make_first_site(connection, now)
        has_default = await connection.scalar(select(tables.sites.c.site_id).where(tables.sites.c.site_id == FIRST_SITE))
        if not has_default:
            return []
        given = _given_keys(settings, now)
        for key in given:
            await add_key(connection, key)
        return await _make_up_keys(connection, {key.kind for key in given}, now) if is_first else []


async def _make_first_site(connection: AsyncConnection, now: datetime) -> bool:
    """Whether this call made it: another process may be doing the same."""
    if await connection.scalar(select(tables.sites.c.site_id).limit(1)) is not None:
        return False
    try:
        await create_site(connection, FIRST_SITE, {}, now)
    except Conflict:
        return False
    return True


def _given_keys(settings: Settings, now: datetime) -> list[NewKey]:
    """The keys of the environment. Their IDs come from their hashes, so that adding one twice adds nothing."""
    given: list[tuple[Literal["write", "secret"], str]] = []
    if settings.write_key:
        given.append(("write", settings.write_key))
    if settings.secret_key:
        given.append(("secret", settings.secret_key.get_secret_value()))
    if len({value for _, value in given}) < len(given):
        raise ValueError("CLOSEDLOOP_WRITE_KEY and CLOSEDLOOP_SECRET_KEY are the same: the write key stands in web pages, for all to read.")
    label = "from the environment"
    return [
        NewKey(f"key_{key_hash(value)[:16]}", kind, (FIRST_SITE,), SCOPES if kind == "secret" else (), label, value, now)
        for kind, value in given
    ]


async def _make_up_keys(connection: AsyncConnection, given: set[str], now: datetime) -> list[NewKey]:
    kinds: tuple[Literal["write", "secret"], ...] = ("write", "secret")
    missing = [kind for kind in kinds if kind not in given]
    return [await create_key(connection, [FIRST_SITE], kind, now, scopes=SCOPES, label="first key") for kind in missing]
