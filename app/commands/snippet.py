"""closedloop snippet: the tags to paste into a site's pages."""

from __future__ import annotations

from app.collect.snippet import Wishes, tags
from app.commands.running import opened, run, site_of
from app.commands.terminal import note, say
from app.db import Database
from app.settings import settings
from app.sites.administration import keys_of_sites
from app.sites.site import Site

_SOMEWHERE = "https://loop.example.com"


def print_tags(site_id: str, url: str | None, wishes: Wishes) -> None:
    """`closedloop snippet`."""
    base = (url or settings().public_url or _SOMEWHERE).rstrip("/")
    if base == _SOMEWHERE:
        note(f"Put the address of your collector in the place of {base}: by --url, or CLOSEDLOOP_PUBLIC_URL.")

    async def read() -> tuple[Site, str | None]:
        async with opened() as database:
            return await site_of(database, site_id), await _write_key(database, site_id)

    site, key = run(read())
    if key is None:
        note(f"The site {site_id} has no write key: closedloop keys create --site {site_id} --kind write")
    say(tags(base, key or "WRITE_KEY", site.settings, settings(), wishes))


async def _write_key(database: Database, site_id: str) -> str | None:
    """The newest of its write keys that is valid."""
    async with database.read() as connection:
        rows = await connection.execute(keys_of_sites([site_id]))
        live = [row.public_value for row in rows if row.kind == "write" and row.revoked_at is None and row.public_value]
    return live[-1] if live else None
