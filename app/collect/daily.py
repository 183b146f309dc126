"""The visitor that a browser is for one day where no cookie names it: a keyed hash of its address and its user agent.

The key is random, of one site and one of its local days (so that a day here is a day of its reports), and is deleted
when the day is over. Then nobody can tell any more whose the name was, nor that tomorrow's is the same browser's. The
address itself is kept nowhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Delete, Select, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.collect.drops import Visit
from app.db import Database, insert_new
from app.sites.site import Site, load_sites
from app.tables import from_micros, visitor_salts

_LETTER = "d"
_NETWORK_BITS = 64
"""Of an IPv6 address: the rest of it a device changes as it likes, several times a day."""


def salt_of_day() -> Select[Any]:
    """At most one row: the salt of `:site_id` for `:day`. Index: the key."""
    row = visitor_salts.c
    return select(row.salt).where(row.site_id == bindparam("site_id"), row.day == bindparam("day"))


def days_with_salts() -> Select[Any]:
    """A row a salt that there is, of any site: its site and day, and nothing else of it. Reads the whole (small) table."""
    return select(visitor_salts.c.site_id, visitor_salts.c.day)


def delete_salts_before() -> Delete:
    """Deletes the salts of `:of_site` for days before `:today`. Index: the key."""
    row = visitor_salts.c
    return delete(visitor_salts).where(row.site_id == bindparam("of_site"), row.day < bindparam("today"))


class DailyVisitors:
    """Names browsers for a day. All processes on one database give the same names."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._salts: dict[str, tuple[str, bytes]] = {}

    async def name(self, site: Site, address: str, user_agent: str, now: int) -> str:
        """The visitor that a browser of that address and user agent is today. `now` is in microseconds."""
        day = local_day(site, from_micros(now))
        known_day, salt = self._salts.get(site.site_id, ("", b""))
        if known_day != day:
            salt = await self._salt(site, day)
            self._salts[site.site_id] = day, salt
        return ids.key_id(salt, _LETTER, _network(address), user_agent)

    async def purge(self, now: datetime) -> None:
        """Delete the salts of days that are over, here and in the database."""
        async with self._database.read() as connection:
            found = (await connection.execute(days_with_salts())).all()
            today = {site.site_id: local_day(site, now) for site in await load_sites(connection)} if found else {}
        self._salts = {site_id: kept for site_id, kept in self._salts.items() if kept[0] >= today.get(site_id, "")}
        over = {row.site_id for row in found if row.day < today.get(row.site_id, "")}
        if over:
            async with self._database.write() as connection:
                for site_id in sorted(over):
                    await self._delete_before(connection, site_id, today[site_id])

    async def _salt(self, site: Site, day: str) -> bytes:
        """The day's salt: the first that a process writes is every process's."""
        where = {"site_id": site.site_id, "day": day}
        async with self._database.read() as connection:
            salt = await connection.scalar(salt_of_day(), where)
        if salt is None:
            async with self._database.write() as connection:
                await self._delete_before(connection, site.site_id, day)
                await connection.execute(insert_new(self._database.is_sqlite, visitor_salts), {**where, "salt": secrets.token_bytes(32)})
                salt = await connection.scalar(salt_of_day(), where)
        assert salt is not None
        return bytes(salt)

    async def _delete_before(self, connection: AsyncConnection, site_id: str, day: str) -> None:
        if self._database.is_sqlite:
            # Overwritten in the file, not only let go of.
            await connection.exec_driver_sql("PRAGMA secure_delete=ON")
        await connection.execute(delete_salts_before(), {"of_site": site_id, "today": day})
        if self._database.is_sqlite:
            await connection.exec_driver_sql("PRAGMA secure_delete=OFF")


async def visitor_of_day(visitors: DailyVisitors, site: Site, visit: Visit, named: Sequence[str | None], now: int) -> str | None:
    """What names a browser today, where its site has no cookies, or one of its events names no visitor; else None.

    `named` are the visitors that its events name themselves; `now` is in microseconds.
    """
    if visit.is_trusted:
        return None
    if site.settings.consent != "cookieless" and None not in named and not any(map(str.isspace, filter(None, named))):
        return None
    return await visitors.name(site, visit.client_address, visit.headers.get("user-agent", ""), now)


def is_daily(visitor_id: str) -> bool:
    """Whether it is such a name, which never becomes a cookie's."""
    return visitor_id.startswith(f"{_LETTER}_")


def local_day(site: Site, moment: datetime) -> str:
    """The day at that moment in the site's time zone."""
    return moment.astimezone(ZoneInfo(site.settings.timezone)).date().isoformat()


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(IPv6Address(int(parsed) >> _NETWORK_BITS << _NETWORK_BITS))
