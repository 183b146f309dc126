"""What an earlier import of the same sheet has left in the log, and that is not in the sheet any more.

The log is append-only but for this and for erasure: a sheet is what its owner says that it is, and a corrected one takes
the place of the one before. Whatever was computed of what goes is computed anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, Select, Table, bindparam, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.imports.deals import IMPORTED
from app.imports.touches import event_prefix

_AT_ONCE = 500
_OF_DEAL: tuple[Table, ...] = (tables.deal_fields, tables.deal_changes, tables.deal_contacts)
"""Where the rows of a sheet's deal stand, beside its fact and the sightings of its contacts."""


def deals_imported() -> Select[Any]:
    """A row a fact of a deal of the space that a sheet told: `deal_id`, `fact_id`, `type`. Index: `ix_crm_facts__deal`."""
    fact = tables.crm_facts.c
    return select(fact.deal_id, fact.fact_id, fact.type).where(
        _here(tables.crm_facts), fact.space == bindparam("of_space"), fact.connection_id == IMPORTED
    )


def touches_imported() -> Select[Any]:
    """A row a touch of the list: `visitor_id`, `fact_id`. Index: `ix_sightings__fact`."""
    seen = tables.sightings.c
    is_of_list = (seen.fact_id >= bindparam("first", type_=tables.Key)) & (seen.fact_id < bindparam("beyond", type_=tables.Key))
    return select(seen.visitor_id, seen.fact_id).where(_here(tables.sightings), is_of_list)


async def touches_of_list(connection: AsyncConnection, site_id: str, list_name: str) -> set[str]:
    """IDs of the touches that the list holds so far."""
    rows = await connection.execute(touches_imported(), _list(site_id, list_name))
    return {row.fact_id for row in rows}


async def forget_deal_facts(connection: AsyncConnection, site_id: str, fact_ids: Collection[str], now: int) -> None:
    """Take facts of deals out of the log, and have computed anew what rested on them."""
    for some in _some(fact_ids):
        named = {"of_site": site_id, "facts": some, "now": now}
        await connection.execute(_dirty_deals(), named)
        await connection.execute(_dirty_keys(), named)
        for table in _OF_DEAL:
            await connection.execute(_of_deals(table), named)
        for table in (tables.sightings, tables.crm_facts):
            await connection.execute(_of_facts(table), named)


async def forget_touches(connection: AsyncConnection, site_id: str, event_ids: Collection[str], now: int) -> None:
    """Take touches of lists out of the log, and have computed anew what rested on them."""
    for some in _some(event_ids):
        named = {"of_site": site_id, "facts": some, "now": now}
        await connection.execute(_dirty_keys(), named)
        await connection.execute(_dirty_visitors(), named)
        await connection.execute(_events(), named)
        await connection.execute(_of_facts(tables.sightings), named)


# ---------------------------------------------------------------- statements


def _here(table: Table) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.c.site_id == bindparam("of_site")
    return condition


def _is_named(table: Table) -> ColumnElement[bool]:
    return _here(table) & table.c.fact_id.in_(bindparam("facts", expanding=True))


def _of_facts(table: Table) -> Delete:
    return delete(table).where(_is_named(table))


def _of_deals(table: Table) -> Delete:
    """Rows of a table of deals, found by the deals that the facts are about. Index: the table's key."""
    fact = tables.crm_facts
    deals = select(fact.c.space, fact.c.deal_id).where(_is_named(fact))
    return delete(table).where(_is_named(table), tuple_(table.c.space, table.c.deal_id).in_(deals))


def _now() -> ColumnElement[Any]:
    return bindparam("now", type_=tables.Moment()).label("received_at")


def _dirty_deals() -> Insert:
    fact = tables.crm_facts
    rows = select(fact.c.site_id, fact.c.space, fact.c.deal_id, _now()).where(_is_named(fact))
    return insert(tables.deals_queue).from_select(["site_id", "space", "deal_id", "received_at"], rows)


def _dirty_keys() -> Insert:
    seen, key = tables.sightings, tables.link_keys
    carried = (key.c.site_id == seen.c.site_id) & (key.c.link_id == seen.c.link_id)
    rows = select(key.c.site_id, key.c.key_id, _now()).join_from(seen, key, carried).where(_is_named(seen)).distinct()
    return insert(tables.identity_queue).from_select(["site_id", "key_id", "received_at"], rows)


def _dirty_visitors() -> Insert:
    seen = tables.sightings
    rows = select(seen.c.site_id, seen.c.visitor_id, _now()).where(_is_named(seen)).distinct()
    return insert(tables.touches_queue).from_select(["site_id", "visitor_id", "received_at"], rows)


def _events() -> Delete:
    """The events themselves, found by the visitors on whom they were seen: the table is heavy. Index: its key."""
    event, seen = tables.events, tables.sightings
    visitors = select(seen.c.visitor_id).where(_is_named(seen))
    return delete(event).where(_here(event), event.c.visitor_id.in_(visitors), event.c.event_id.in_(bindparam("facts", expanding=True)))


def _list(site_id: str, list_name: str) -> dict[str, str]:
    prefix = event_prefix(list_name)
    return {"of_site": site_id, "first": prefix, "beyond": prefix[:-1] + chr(ord(prefix[-1]) + 1)}


def _some(names: Collection[str]) -> Sequence[list[str]]:
    ordered = sorted(names)
    return [ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE)]
