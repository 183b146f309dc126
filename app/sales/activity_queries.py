"""Activities of sales as they stand now, and with whom they were."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, case, false, func, literal, select, union

from app import tables
from app.swap import is_dirty
from app.tables import of_site

_told = tables.activities.c


def _told_last() -> CTE:
    """A row for each dirty activity: what was told of it last. Index: the key of `activities`."""
    newest_first = (_told.told_at.desc(), _told.fact_id.desc())
    ranked = (
        select(*_told, func.row_number().over(partition_by=(_told.space, _told.activity_id), order_by=newest_first).label("newest"))
        .where(of_site(tables.activities), is_dirty(tables.activities_queue, _told.space, _told.activity_id))
        .cte("activities_ranked")
    )
    return select(*ranked.columns).where(ranked.c.newest == 1, ranked.c.is_gone.is_(False)).cte("activities_told")


def _person_of(link_id: ColumnElement[Any], *outer: Any) -> ColumnElement[Any]:
    """The person that a set of keys names: the smallest of its keys'. Index: the keys of `link_keys` and `key_people`."""
    key, person = tables.link_keys, tables.key_people
    found = (
        select(func.min(person.c.person_id))
        .join_from(key, person, and_(of_site(person), person.c.key_id == key.c.key_id))
        .where(of_site(key), key.c.link_id == link_id)
    )
    return found.correlate(*outer).scalar_subquery()


def activities_now() -> Select[Any]:
    """A row for each dirty activity that took place, with the person it was with."""
    told = _told_last()
    row = told.c
    person_id = case((row.link_id.is_not(None), func.coalesce(_person_of(row.link_id, told), "")), else_="")
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), row.space, row.activity_id, row.kind, row.direction, row.is_automated,
        row.title, row.told_by, person_id.label("person_id"), func.coalesce(row.deal_id, "").label("deal_id"), row.occurred_at,
        row.fact_id, false().label("is_gone"),
    )  # fmt: skip


def people_and_deals_of_changed_activities() -> Select[Any]:
    """A row for each person and each deal of an activity that changed, as it stood and as it stands: keys of
    `opportunities_queue`.

    Index: the key of `sales_activities`.
    """
    now, before = tables.staged["sales_activities"], tables.sales_activities
    stood = and_(of_site(before), before.c.space == now.c.space, before.c.activity_id == now.c.activity_id)
    both = union(
        *(
            select(source.c.person_id, source.c.space, source.c.deal_id).select_from(joined).where(of_site(now))
            for source, joined in ((now, now), (before, now.join(before, stood)))
        )
    ).subquery("concerned")
    row, nothing = both.c, literal("", tables.Key)
    keys = union(
        select(row.person_id, nothing.label("space"), nothing.label("deal_id")).where(func.coalesce(row.person_id, "") != ""),
        select(nothing.label("person_id"), row.space, row.deal_id).where(func.coalesce(row.deal_id, "") != ""),
    ).subquery("keys")
    return select(bindparam("site_id", type_=tables.Key).label("site_id"), *keys.columns)
