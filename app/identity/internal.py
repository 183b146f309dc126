"""Internal people: staff and testers, whom a site names by their e-mails (`excluded_keys`)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, literal, or_, select, union

from app import tables
from app.tables import of_site

_keys = tables.key_people
_excluded = tables.excluded_keys


def _is_excluded(key_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the site excludes a key, by itself or by its domain. Index: the keys of `excluded_keys` and `key_domains`."""
    domain = tables.key_domains
    of_domain = exists().where(
        of_site(domain), domain.c.key_id == key_id, of_site(_excluded), _excluded.c.key_id == "", _excluded.c.domain == domain.c.domain
    )
    return or_(exists().where(of_site(_excluded), _excluded.c.key_id == key_id), of_domain)


def is_internal(person_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether one of a person's keys is excluded. Index: `ix_key_people__person`."""
    key = _keys.alias("keys_of_internal")
    return exists().where(of_site(key), key.c.person_id == person_id, _is_excluded(key.c.key_id))


def without_internal(rows: Select[Any]) -> Select[Any]:
    """Those of the rows whose `person_id` is no internal person's."""
    return rows.where(~is_internal(rows.selected_columns.person_id))


def people_of_excluded_keys() -> Select[Any]:
    """A row for each person, old or new, of an excluded key whose person changed, as a dirty key of the conversions: whoever gains
    or loses such a key becomes, or is no longer, internal."""
    now = tables.staged["key_people"]
    is_changed = and_(of_site(now), _is_excluded(now.c.key_id))
    before = select(now.c.site_id, _keys.c.person_id).join_from(now, _keys, and_(of_site(_keys), _keys.c.key_id == now.c.key_id))
    people = union(
        before.where(is_changed), select(now.c.site_id, now.c.person_id).where(is_changed, now.c.is_gone.is_(False))
    ).subquery("people")
    return select(people.c.site_id, people.c.person_id, literal("").label("space"), literal("").label("deal_id"))


def internal_people() -> Select[Any]:
    """A row an internal person. Index: the keys of `excluded_keys` and `key_people`, `ix_key_domains__domain`."""
    domain = tables.key_domains
    of_domain = and_(of_site(domain), domain.c.domain == _excluded.c.domain)
    keys = union(
        select(_excluded.c.key_id).where(of_site(_excluded), _excluded.c.key_id != ""),
        select(domain.c.key_id).join_from(_excluded, domain, of_domain).where(of_site(_excluded), _excluded.c.key_id == ""),
    ).subquery("excluded")
    return select(_keys.c.person_id).join_from(keys, _keys, and_(of_site(_keys), _keys.c.key_id == keys.c.key_id)).distinct()
