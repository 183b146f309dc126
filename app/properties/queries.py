"""Properties as they stand now: of a person, what any set of its keys was described with; of a deal or a company, what facts said."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, case, exists, false, func, literal, or_, select, union

from app import tables
from app.tables import of_site

_dirty = tables.dirty["properties_queue"]
_person = tables.person_fields.c
_record = tables.record_fields.c


def _described_links() -> CTE:
    """A row for each set of keys with properties of which a dirty person has some key.

    Index: `ix_key_people__person`, `ix_link_keys__key`, the key of `person_fields`.
    """
    mine, carried = tables.key_people.alias("keys_of_person"), tables.link_keys.alias("links_of_key")
    is_described = exists().where(of_site(tables.person_fields), _person.link_id == carried.c.link_id)
    return (
        select(carried.c.link_id)
        .join_from(_dirty, mine, and_(of_site(mine), mine.c.person_id == _dirty.c.holder_id))
        .join(carried, and_(of_site(carried), carried.c.key_id == mine.c.key_id))
        .where(of_site(_dirty), is_described)
        .distinct()
        .cte("described_links")
    )


def _owned_links() -> CTE:
    """A row for each such set of keys, with the person it describes: the smallest of its keys' people, as for contacts.

    Index: the keys of `link_keys` and `key_people`.
    """
    described, key, person = _described_links(), tables.link_keys, tables.key_people
    owner = func.min(person.c.person_id)
    return (
        select(described.c.link_id, owner.label("person_id"))
        .join_from(described, key, and_(of_site(key), key.c.link_id == described.c.link_id))
        .join(person, and_(of_site(person), person.c.key_id == key.c.key_id))
        .group_by(described.c.link_id)
        .cte("owned_links")
    )


def _is_undone() -> ColumnElement[bool]:
    """Whether somebody has undone the sighting that a person's property came with. Index: the key of `unlinks`."""
    undone = tables.unlinks
    return exists().where(of_site(undone), undone.c.visitor_id == _person.visitor_id, undone.c.link_id == _person.link_id)


def properties_of_people() -> Select[Any]:
    """A row for each property of a dirty person: what a trusted sender said last, else what a page did."""
    owned = _owned_links()
    in_time = (_person.occurred_at.desc(), _person.fact_id.desc(), _person.visitor_id.desc(), _person.link_id)
    newest_first = (_person.is_trusted.desc(), *in_time)
    said = (
        select(
            owned.c.person_id.label("holder_id"), _person.field, _person.value, _person.occurred_at, _person.fact_id,
            func.row_number().over(partition_by=(owned.c.person_id, _person.field), order_by=newest_first).label("newest"),
        )
        .join_from(owned, tables.person_fields, and_(of_site(tables.person_fields), _person.link_id == owned.c.link_id))
        .join(_dirty, and_(of_site(_dirty), _dirty.c.holder_id == owned.c.person_id))
        .where(~_is_undone())
        .cte("said_of_people")
    )  # fmt: skip
    return _last_values(said)


def properties_of_records() -> Select[Any]:
    """A row for each property of a dirty deal or company: what was said last. Index: the key of `record_fields`."""
    newest_first = (_record.occurred_at.desc(), _record.fact_id.desc())
    said = (
        select(
            _record.record_id.label("holder_id"), _record.field, _record.value, _record.occurred_at, _record.fact_id,
            func.row_number().over(partition_by=(_record.record_id, _record.field), order_by=newest_first).label("newest"),
        )
        .join_from(_dirty, tables.record_fields, and_(of_site(tables.record_fields), _record.record_id == _dirty.c.holder_id))
        .where(of_site(_dirty))
        .cte("said_of_records")
    )  # fmt: skip
    return _last_values(said)


def _last_values(said: CTE) -> Select[Any]:
    """The values that were said last, but for those that cleared what stood there; each since it was first said without a
    break: a CRM that tells of a contact again and again changes nothing."""
    of_property: Any = {"partition_by": (said.c.holder_id, said.c.field)}
    last = func.max(case((said.c.newest == 1, said.c.value))).over(**of_property).label("last_value")
    row = select(*said.columns, last).cte(f"{said.name}_last").c
    breaks = func.sum(case((row.value.is_distinct_from(row.last_value), 1), else_=0))
    so_far: Any = {"partition_by": (row.holder_id, row.field), "order_by": row.newest, "rows": (None, 0)}
    unbroken = select(*row, breaks.over(**so_far).label("breaks")).cte(f"{said.name}_unbroken").c
    oldest = func.row_number().over(partition_by=(unbroken.holder_id, unbroken.field), order_by=unbroken.newest.desc())
    held = select(*unbroken, oldest.label("oldest")).where(unbroken.breaks == 0, unbroken.value.is_not(None)).subquery("held").c
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"), held.holder_id, held.field.label("property"),
        held.value, held.occurred_at, held.fact_id, false().label("is_gone"),
    ).where(held.oldest == 1)  # fmt: skip


# ---------------------------------------------------------------- what follows from it


def people_whose_fit_changed() -> Select[Any]:
    """A row for each person of whom, or of whose company, a property changed that a score asks for, as a dirty key of the
    conversions.

    Index: the key of `score_rules`, which are few; `ix_properties__value`.
    """
    changed, rule, employed = tables.staged["properties"], tables.score_rules, tables.properties

    def asked(of: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(of_site(rule), rule.c.of == of, *more)

    is_asked_of = {of: asked(of, rule.c.property == changed.c.property) for of in ("person", "company")}
    moved = and_(changed.c.property == "", asked("company"))
    is_record = or_(*(changed.c.holder_id.startswith(kind, autoescape=True) for kind in ("deal:", "company:")))
    works_there = and_(of_site(employed), employed.c.property == "", employed.c.value == changed.c.holder_id)
    people = union(
        select(changed.c.holder_id.label("person_id")).where(of_site(changed), ~is_record, or_(is_asked_of["person"], moved)),
        select(employed.c.holder_id).join_from(changed, employed, works_there).where(of_site(changed), is_asked_of["company"]),
    ).subquery("people")
    nothing = literal("", tables.Key)
    site_id = bindparam("site_id", type_=tables.Key).label("site_id")
    return select(site_id, people.c.person_id, nothing.label("space"), nothing.label("deal_id"))
