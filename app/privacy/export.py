"""Everything that is kept of one person, by table: what the law calls access."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids, tables
from app.privacy import mentions
from app.privacy.kept import KEPT
from app.privacy.scope import Scope
from app.reports.figures import as_rfc3339
from app.reports.people import resolve
from app.sites.site import Site


async def export(connection: AsyncConnection, site: Site, member_id: str) -> dict[str, Any]:
    """The rows of each table that are of the person whom an ID now belongs to; `docs/data-dictionary.md` explains the columns.

    NotFound if there is none.
    """
    person_id = await resolve(connection, site, member_id)
    scope = Scope(site.site_id, person_id)
    kept: dict[str, list[dict[str, Any]]] = {}
    for part in KEPT:
        rows = [_row(row) for row in (await connection.execute(part.rows(scope))).mappings()]
        before = kept.get(part.table.name, [])
        # A table stands twice in the list where some of its rows go and some are only emptied.
        kept[part.table.name] = [*before, *(row for row in rows if not before or row not in before)]
    found = await mentions.known(connection, scope)
    quarantined = (await connection.execute(mentions.quarantined_mentions(scope, found))).mappings().all()
    kept[tables.quarantine.name] = [_row(row) for row in quarantined]
    return {"person_id": ids.public(person_id), "site": site.site_id, "tables": {name: rows for name, rows in kept.items() if rows}}


def _row(row: RowMapping) -> dict[str, Any]:
    """A row without its site, its times as everywhere."""
    return {name: as_rfc3339(value) if hasattr(value, "isoformat") else value for name, value in row.items() if name != "site_id"}
