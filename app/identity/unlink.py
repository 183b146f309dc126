"""Undoing a wrong join: the fact that joined is named, and its sightings count no more.

Neither does any other sighting, earlier or later, of the same keys on the same visitor: a form sent again must not
bring the join back. The log keeps everything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import insert_new
from app.errors import NotFound
from app.queue import rows_to_enqueue
from app.tables import of_site

_sightings = tables.sightings.c


def sightings_of_fact(visitor_id: str | None) -> Select[Any]:
    """A row for each (visitor, set of keys) that a fact `:fact_id` showed: an event of the visitor, or a CRM fact.

    (Without its visitor an event is not named: others may have events of the same ID.) Index: `ix_sightings__fact`.
    """
    crm_fact = exists().where(of_site(tables.crm_facts), tables.crm_facts.c.fact_id == _sightings.fact_id)
    on_visitor = crm_fact if visitor_id is None else _sightings.visitor_id == bindparam("visitor_id")
    return (
        select(_sightings.visitor_id, _sightings.link_id)
        .where(of_site(tables.sightings), _sightings.fact_id == bindparam("fact_id"), on_visitor)
        .distinct()
    )


def keys_of_links(link_ids: list[str]) -> Select[Any]:
    """A row a key of some links. Index: the primary key of `link_keys`."""
    return select(tables.link_keys.c.key_id).where(of_site(tables.link_keys), tables.link_keys.c.link_id.in_(link_ids)).distinct()


async def unlink(
    connection: AsyncConnection, is_sqlite: bool, site_id: str, *, fact_id: str, visitor_id: str | None, now: datetime
) -> list[str]:
    """Undo the joins that a fact (an event of a visitor, or a CRM fact) made. Answers the visitors concerned.

    Undoing it again changes nothing. NotFound if the fact showed no key.
    """
    here = {"site_id": site_id, "fact_id": fact_id, "visitor_id": visitor_id}
    seen = (await connection.execute(sightings_of_fact(visitor_id), here)).all()
    if not seen:
        raise NotFound("No fact of that ID named a person. Take the IDs from a journey's or an explanation's `identity`.")
    rows = [
        {"site_id": site_id, "visitor_id": row.visitor_id, "link_id": row.link_id, "fact_id": fact_id, "created_at": now} for row in seen
    ]
    await connection.execute(insert_new(is_sqlite, tables.unlinks), rows)
    keys = await connection.scalars(keys_of_links(sorted({row.link_id for row in seen})), here)
    await connection.execute(insert(tables.identity_queue), rows_to_enqueue(tables.identity_queue, site_id, [(key,) for key in keys], now))
    visitors = sorted({row.visitor_id for row in seen} - {""})
    if visitors:
        queued = rows_to_enqueue(tables.spans_queue, site_id, [(visitor,) for visitor in visitors], now)
        await connection.execute(insert(tables.spans_queue), queued)
    return visitors
