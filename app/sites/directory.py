"""Sites by ID, as they were a moment ago."""

from __future__ import annotations

from app.db import Database
from app.errors import NotFound
from app.sites.cache import Recent
from app.sites.site import Site, load_site


class Directory:
    """The sites of one database, each at most two seconds old.

    While a site's settings stay the same version, the same `Site` object is answered: what is derived from it can be
    kept by identity.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parsed: dict[str, Site] = {}
        self._recent: Recent[Site | None] = Recent(self._load)

    async def site(self, site_id: str) -> Site:
        """The site of that ID. NotFound if there is none."""
        site = await self._recent.get(site_id)
        if site is None:
            raise NotFound(f"There is no site {site_id!r}.")
        return site

    def forget(self, site_id: str) -> None:
        """Read the site anew next time: its settings have changed."""
        self._recent.forget(site_id)

    async def _load(self, site_id: str) -> Site | None:
        try:
            async with self._database.read() as connection:
                site = await load_site(connection, site_id)
        except NotFound:
            self._parsed.pop(site_id, None)
            return None
        known = self._parsed.get(site_id)
        if known is not None and known == site:
            return known
        self._parsed[site_id] = site
        return site
