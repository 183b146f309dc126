"""Keys seen together -> people. Components are found in staging: the closure of the dirty keys first, then the
smallest key of each component, by iterated minimum over keys and joins in turn.

A *link* is a distinct set of keys that some subject carried together; it joins its keys while at least one sighting
of it holds (see `holds`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    Integer,
    Select,
    Subquery,
    Table,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
    update,
)

from app import tables
from app.db import micros
from app.tables import of_site

MOST_VISITORS_A_DAY = 20
"""A key seen on more visitors than this on one UTC day joins nothing through a write key on that day."""
MOST_KEYS_OF_A_KIND = 10
"""A component with more keys of one kind than this falls back into its single keys."""

_DAY = 86_400_000_000

_dirty = tables.dirty["identity_queue"]
_keys = tables.staged_keys
_links = tables.staged_links
_sightings = tables.sightings.c
_link_keys = tables.link_keys


def _site() -> ColumnElement[Any]:
    return bindparam("site_id", type_=tables.Key)


def _round() -> ColumnElement[int]:
    """The round of the closure at hand."""
    return bindparam("round", type_=Integer)


def day_of(moment: ColumnElement[Any]) -> ColumnElement[int]:
    """Number of the UTC day of a time, counted from 1970."""
    return micros(moment) // literal(_DAY)


# ---------------------------------------------------------------- which sightings hold


def crowded_days_of_dirty_keys() -> Select[Any]:
    """A row for each dirty key and UTC day on which it was seen on too many visitors. Index: `ix_link_keys__key`."""
    day = day_of(_sightings.occurred_at).label("day_number")
    visitors = func.count(_sightings.visitor_id.distinct())
    return (
        select(_site().label("site_id"), _dirty.c.key_id, day, visitors.label("visitors"), false().label("is_gone"))
        .join_from(_dirty, _link_keys, and_(of_site(_link_keys), _link_keys.c.key_id == _dirty.c.key_id))
        .join(tables.sightings, and_(of_site(tables.sightings), _sightings.link_id == _link_keys.c.link_id))
        .where(of_site(_dirty), _sightings.visitor_id != "")
        .group_by(_dirty.c.key_id, day)
        .having(visitors > MOST_VISITORS_A_DAY)
    )


def _crowded_now() -> Any:
    """A row for each crowded (key, day): as just computed for the dirty keys, as stored for all others."""
    computed = tables.staged["crowded_days"]
    stored = tables.crowded_days
    is_dirty = exists().where(of_site(_dirty), _dirty.c.key_id == stored.c.key_id)
    return union_all(
        select(computed.c.key_id, computed.c.day_number).where(of_site(computed)),
        select(stored.c.key_id, stored.c.day_number).where(of_site(stored), ~is_dirty),
    ).subquery("crowded")


def holds(crowded: Any) -> ColumnElement[bool]:
    """Whether a sighting counts: nobody has undone it, and it came from a trusted sender or on a day on which none
    of its keys was crowded. `crowded` has `key_id` and `day_number`."""
    undone = exists().where(
        of_site(tables.unlinks),
        tables.unlinks.c.visitor_id == _sightings.visitor_id,
        tables.unlinks.c.link_id == _sightings.link_id,
    )
    key = _link_keys.alias("crowding_keys").c
    is_crowded = exists().where(
        key.site_id == _sightings.site_id,
        key.link_id == _sightings.link_id,
        crowded.c.key_id == key.key_id,
        crowded.c.day_number == day_of(_sightings.occurred_at),
    )
    return and_(~undone, or_(_sightings.is_trusted.is_(True), ~is_crowded))


def _link_holds(link_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether some sighting of a link holds. Index: the primary key of `sightings`."""
    return exists().where(of_site(tables.sightings), _sightings.link_id == link_id, holds(_crowded_now()))


# ---------------------------------------------------------------- the closure


def _turned_days() -> Subquery:
    """A row for each dirty key and day that became crowded, or is so no longer. Index: the key of `crowded_days`."""
    computed, stored = tables.staged["crowded_days"], tables.crowded_days
    is_same = and_(computed.c.key_id == stored.c.key_id, computed.c.day_number == stored.c.day_number)
    began = select(computed.c.key_id, computed.c.day_number).where(of_site(computed), ~exists().where(of_site(stored), is_same))
    ended = (
        select(stored.c.key_id, stored.c.day_number)
        .join_from(_dirty, stored, and_(of_site(stored), stored.c.key_id == _dirty.c.key_id))
        .where(of_site(_dirty), ~exists().where(of_site(computed), is_same))
    )
    return union_all(began, ended).subquery("turned_days")


def _keys_seen_on_turned_days() -> Select[Any]:
    """A row for each key seen together with a dirty one on a day that turned: it may be of no person that the dirty key
    was of, where both were of a component with too many keys. Index: `ix_link_keys__key`, the key of `sightings`."""
    turned = _turned_days()
    mine, beside = _link_keys.alias("turned_links"), _link_keys.alias("keys_beside")
    return (
        select(beside.c.key_id)
        .join_from(turned, mine, and_(of_site(mine), mine.c.key_id == turned.c.key_id))
        .join(tables.sightings, and_(of_site(tables.sightings), _sightings.link_id == mine.c.link_id))
        .join(beside, and_(of_site(beside), beside.c.link_id == mine.c.link_id))
        .where(day_of(_sightings.occurred_at) == turned.c.day_number)
    )


def seeds() -> Insert:
    """The dirty keys, all members of the people that they belonged to, and the keys seen with them on days that turned.

    Index: `ix_key_people__person`.
    """
    old = tables.key_people.alias("old_people")
    members = tables.key_people.alias("members")
    of_old_people = (
        select(members.c.key_id)
        .join_from(_dirty, old, and_(old.c.site_id == _dirty.c.site_id, old.c.key_id == _dirty.c.key_id))
        .join(members, and_(members.c.site_id == old.c.site_id, members.c.person_id == old.c.person_id))
        .where(of_site(_dirty))
    )
    keys = union(select(_dirty.c.key_id).where(of_site(_dirty)), of_old_people, _keys_seen_on_turned_days()).subquery("seeds")
    return _new_keys(select(keys.c.key_id).where(true()), literal(0))


def links_reached() -> Insert:
    """The links that hold, of the keys reached in `:round`, if not reached before. Index: `ix_link_keys__key`."""
    found = (
        select(_site().label("site_id"), _link_keys.c.link_id, _link_keys.c.link_id.label("label"), _round().label("reached_in"))
        .join_from(_keys, _link_keys, and_(of_site(_link_keys), _link_keys.c.key_id == _keys.c.key_id))
        .where(of_site(_keys), _keys.c.reached_in == _round())
        .where(~exists().where(of_site(_links), _links.c.link_id == _link_keys.c.link_id))
        .where(_link_holds(_link_keys.c.link_id))
        .distinct()
    )
    return insert(_links).from_select(["site_id", "link_id", "label", "reached_in"], found)


def keys_reached() -> Insert:
    """The keys of the links reached in `:round`, if not reached before; they count as reached in the next round."""
    found = (
        select(_link_keys.c.key_id)
        .join_from(_links, _link_keys, and_(of_site(_link_keys), _link_keys.c.link_id == _links.c.link_id))
        .where(of_site(_links), _links.c.reached_in == _round())
        .where(~exists().where(of_site(_keys), _keys.c.key_id == _link_keys.c.key_id))
        .distinct()
    )
    return _new_keys(found, _round() + 1)


def _new_keys(found: Select[Any], reached_in: ColumnElement[Any]) -> Insert:
    key = found.subquery("found")
    rows = select(_site(), key.c.key_id, key.c.key_id, reached_in)
    return insert(_keys).from_select(["site_id", "key_id", "label", "reached_in"], rows)


# ---------------------------------------------------------------- the smallest key of each component


def lower_link_labels(site_id: str) -> Update:
    """Each link takes the smallest label of its keys.

    The site is a value here: an UPDATE takes a parameter named as one of its columns for a value to set.
    """
    key = _keys.alias("keys_of_link")
    smallest = (
        select(func.min(key.c.label))
        .join_from(_link_keys, key, and_(key.c.site_id == site_id, key.c.key_id == _link_keys.c.key_id))
        .where(_link_keys.c.site_id == site_id, _link_keys.c.link_id == _links.c.link_id)
        .scalar_subquery()
    )
    return update(_links).where(_links.c.site_id == site_id).values(label=smallest)


def lower_key_labels(site_id: str) -> Update:
    """Each key takes the smallest label of its links, where that is smaller than its own; no row: labels are done."""
    link = _links.alias("links_of_key")
    smaller = (
        select(func.min(link.c.label))
        .join_from(_link_keys, link, and_(link.c.site_id == site_id, link.c.link_id == _link_keys.c.link_id))
        .where(_link_keys.c.site_id == site_id, _link_keys.c.key_id == _keys.c.key_id)
        .scalar_subquery()
    )
    return update(_keys).where(_keys.c.site_id == site_id, smaller < _keys.c.label).values(label=smaller)


def _crowded_components() -> CTE:
    """A row a component with too many keys of one kind."""
    kind = func.substr(_keys.c.key_id, 1, 1)
    return (
        select(_keys.c.label)
        .where(of_site(_keys))
        .group_by(_keys.c.label, kind)
        .having(func.count() > MOST_KEYS_OF_A_KIND)
        .distinct()
        .cte("crowded_components")
    )


def people_of_keys() -> Select[Any]:
    """A row for each key of the closure: its person."""
    crowded = _crowded_components()
    person = case((crowded.c.label.is_(None), _keys.c.label), else_=_keys.c.key_id)
    return (
        select(
            _keys.c.site_id,
            _keys.c.key_id,
            person.label("person_id"),
            crowded.c.label.is_not(None).label("is_crowded"),
            false().label("is_gone"),
        )
        .join_from(_keys, crowded, crowded.c.label == _keys.c.label, isouter=True)
        .where(of_site(_keys))
    )


# ---------------------------------------------------------------- what follows from it


def changed_keys() -> Select[Any]:
    """A row a key whose person changed."""
    changed = tables.staged["key_people"]
    return select(changed.c.key_id).where(of_site(changed))


def visitors_of_changed_keys() -> Select[Any]:
    """A row a visitor on whom a key was seen whose person changed. Index: `ix_link_keys__key`."""
    changed = changed_keys().subquery("changed")
    return (
        select(_sightings.site_id, _sightings.visitor_id)
        .join_from(changed, _link_keys, and_(of_site(_link_keys), _link_keys.c.key_id == changed.c.key_id))
        .join(tables.sightings, and_(of_site(tables.sightings), _sightings.link_id == _link_keys.c.link_id))
        .where(_sightings.visitor_id != "")
    )


def visitors_of_changed_days() -> Select[Any]:
    """A row a visitor on whom a key was seen on a day that became, or is no longer, crowded."""
    changed = tables.staged["crowded_days"]
    return (
        select(_sightings.site_id, _sightings.visitor_id)
        .join_from(changed, _link_keys, and_(of_site(_link_keys), _link_keys.c.key_id == changed.c.key_id))
        .join(tables.sightings, and_(of_site(tables.sightings), _sightings.link_id == _link_keys.c.link_id))
        .where(of_site(changed), _sightings.visitor_id != "", day_of(_sightings.occurred_at) == changed.c.day_number)
    )


def _keys_carried_on(table: Table) -> Select[Any]:
    """Rows of a table of facts with a `link_id`, for each key whose person changed."""
    changed = changed_keys().subquery("changed")
    return (
        select(table.c.site_id)
        .join_from(changed, _link_keys, and_(of_site(_link_keys), _link_keys.c.key_id == changed.c.key_id))
        .join(table, and_(of_site(table), table.c.link_id == _link_keys.c.link_id))
    )


def deals_of_changed_keys() -> Select[Any]:
    """A row a deal with a contact whose person changed. Index: `ix_deal_contacts__link`."""
    deal = tables.deal_contacts
    return _keys_carried_on(deal).with_only_columns(deal.c.site_id, deal.c.space, deal.c.deal_id)


def activities_of_changed_keys() -> Select[Any]:
    """A row for each activity with a contact whose person changed. Index: `ix_activities__link`."""
    activity = tables.activities
    return _keys_carried_on(activity).with_only_columns(activity.c.site_id, activity.c.space, activity.c.activity_id)


def people_of_concerned_keys() -> Select[Any]:
    """A row for each person, old or new, of a key that is dirty or changed, as a dirty key of the stages.

    Index: the key of `key_people`.
    """
    concerned = union(select(_dirty.c.key_id).where(of_site(_dirty)), changed_keys()).subquery("concerned")
    now, before = tables.staged["key_people"], tables.key_people
    people = union(
        select(before.c.person_id).join_from(concerned, before, and_(of_site(before), before.c.key_id == concerned.c.key_id)),
        select(now.c.person_id)
        .join_from(concerned, now, and_(of_site(now), now.c.key_id == concerned.c.key_id))
        .where(now.c.is_gone.is_(False)),
    ).subquery("people")
    return select(_site().label("site_id"), people.c.person_id, literal("").label("space"), literal("").label("deal_id"))


def people_of_marked_keys() -> Select[Any]:
    """A row for each person, old or new, of a contact on which sales or marketing left a mark and of whose keys one is
    dirty or changed, as a dirty key of the conversions and the opportunities.

    Index: `ix_link_keys__key`, `ix_contact_marks__link`.
    """
    people = _people_of_links_in(tables.contact_marks)
    return select(_site().label("site_id"), people.c.person_id, literal("").label("space"), literal("").label("deal_id"))


def people_of_described_keys() -> Select[Any]:
    """A row for each person, old or new, of a set of keys that came with properties and of which one is dirty or changed.

    Index: `ix_link_keys__key`, the key of `person_fields`.
    """
    people = _people_of_links_in(tables.person_fields)
    return select(_site().label("site_id"), people.c.person_id.label("holder_id"))


def _people_of_links_in(facts: Table) -> Subquery:
    """A row for each person, old or new, of a link of which there are `facts` and of whose keys one is dirty or changed.
    A link's keys may be of several people, and what is said of it is the first one's: so of all its keys."""
    concerned = union(select(_dirty.c.key_id).where(of_site(_dirty)), changed_keys()).subquery("concerned")
    mine, carried = _link_keys.alias("links_of_concerned"), _link_keys.alias("keys_beside_concerned")
    keys = (
        select(carried.c.key_id)
        .join_from(concerned, mine, and_(of_site(mine), mine.c.key_id == concerned.c.key_id))
        .join(carried, and_(of_site(carried), carried.c.link_id == mine.c.link_id))
        .where(exists().where(of_site(facts), facts.c.link_id == mine.c.link_id))
        .distinct()
        .subquery("keys")
    )
    now, before = tables.staged["key_people"], tables.key_people
    return union(
        select(before.c.person_id).join_from(keys, before, and_(of_site(before), before.c.key_id == keys.c.key_id)),
        select(now.c.person_id)
        .join_from(keys, now, and_(of_site(now), now.c.key_id == keys.c.key_id))
        .where(now.c.is_gone.is_(False)),
    ).subquery("people")
