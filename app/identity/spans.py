"""Which person a visitor was, from when to when.

A visitor's history up to its first identification belongs to that person. When another person identifies on it, theirs
begins at the start of the session in which they do, but after the previous owner's last identifying event.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, bindparam, case, exists, false, func, literal, or_, select, union, union_all

from app import tables
from app.db import greatest, micros
from app.identity.queries import holds
from app.tables import of_site
from app.touches.queries import LeftOut, session_starts

_dirty = tables.dirty["spans_queue"]
_sightings = tables.sightings.c


def dirty_visitors() -> Select[Any]:
    """A row a visitor whose spans are being computed."""
    return select(_dirty.c.visitor_id).where(of_site(_dirty))


def _identifications() -> CTE:
    """A row for each sighting that holds on a dirty visitor: its person, and the one before it.

    Index: `ix_sightings__visitor`, the primary keys of `link_keys` and `key_people`.
    """
    person = func.min(tables.key_people.c.person_id).label("person_id")
    sighting = (_sightings.visitor_id, _sightings.occurred_at, _sightings.sequence, _sightings.fact_id, _sightings.link_id)
    identified = (
        select(*sighting, person)
        .join_from(tables.sightings, tables.link_keys, and_(of_site(tables.link_keys), tables.link_keys.c.link_id == _sightings.link_id))
        .join(tables.key_people, and_(of_site(tables.key_people), tables.key_people.c.key_id == tables.link_keys.c.key_id))
        .where(
            of_site(tables.sightings), _sightings.visitor_id.in_(dirty_visitors()), _sightings.visitor_id != "", holds(tables.crowded_days)
        )
        .group_by(*sighting)
        .cte("identified")
    )
    row = identified.c
    by_visitor: Any = {"partition_by": row.visitor_id, "order_by": (row.occurred_at, row.sequence, row.fact_id, row.link_id)}
    return select(
        row.visitor_id,
        micros(row.occurred_at).label("occurred_at"),
        row.fact_id,
        row.link_id,
        row.person_id,
        func.lag(row.person_id).over(**by_visitor).label("person_before"),
        func.lag(micros(row.occurred_at)).over(**by_visitor).label("identified_before"),
        func.row_number().over(**by_visitor).label("number"),
    ).cte("identifications")


def _changes_of_owner(identifications: CTE) -> CTE:
    """A row for each sighting by which a visitor came to be another person (its first included)."""
    row = identifications.c
    return (
        select(*identifications.columns).where(or_(row.person_before.is_(None), row.person_before != row.person_id)).cte("changes_of_owner")
    )


def _session_of(change: Any, left_out: LeftOut) -> ColumnElement[Any]:
    """Start of the visitor's last session begun at or before a change of owner; null if there is none.

    Only visitors with a second owner are looked at: sessions are not computed for the others.
    """
    sessions = session_starts(_visitors_with_several_owners(), left_out).cte("sessions")
    return (
        select(func.max(sessions.c.started_at))
        .where(sessions.c.visitor_id == change.visitor_id, sessions.c.started_at <= change.occurred_at)
        .scalar_subquery()
    )


def _visitors_with_several_owners() -> Select[Any]:
    """A row a dirty visitor on whom more than one set of keys was seen."""
    return (
        select(_sightings.visitor_id)
        .where(of_site(tables.sightings), _sightings.visitor_id.in_(dirty_visitors()))
        .group_by(_sightings.visitor_id)
        .having(func.min(_sightings.link_id) != func.max(_sightings.link_id))
    )


def _begun(changes: CTE, left_out: LeftOut) -> CTE:
    """A row a span that an identification began. Of two that would begin at one instant, the later in order holds."""
    row = changes.c
    from_session = greatest(func.coalesce(_session_of(row, left_out), row.occurred_at), row.identified_before + 1)
    started = select(
        row.visitor_id,
        row.person_id,
        row.fact_id,
        row.link_id,
        row.number,
        case((row.person_before.is_(None), literal(tables.BEGINNING)), else_=from_session).label("starts_at"),
    ).cte("started")
    last_first: Any = {"partition_by": (started.c.visitor_id, started.c.starts_at), "order_by": started.c.number.desc()}
    ranked = select(*started.columns, func.row_number().over(**last_first).label("rank_at_instant")).cte("ranked")
    return select(*ranked.columns).where(ranked.c.rank_at_instant == 1).cte("begun")


def _unidentified(identifications: CTE) -> Select[Any]:
    """A row a dirty visitor with touches or goals on whom nobody was identified: it is a person of its own."""
    has_touches = exists().where(of_site(tables.touches), tables.touches.c.visitor_id == _dirty.c.visitor_id)
    has_goals = exists().where(of_site(tables.goal_events), tables.goal_events.c.visitor_id == _dirty.c.visitor_id)
    is_identified = exists().where(identifications.c.visitor_id == _dirty.c.visitor_id)
    return select(
        _dirty.c.visitor_id,
        literal(tables.BEGINNING).label("starts_at"),
        literal(tables.END_OF_TIME).label("ends_at"),
        (literal("v_") + _dirty.c.visitor_id).label("person_id"),
        literal(None, tables.Key).label("fact_id"),
        literal(None, tables.Key).label("link_id"),
    ).where(of_site(_dirty), or_(has_touches, has_goals), ~is_identified)


def _first_touch(span: Any) -> ColumnElement[Any]:
    """The event of the first touch within a span. Index: `ix_touches__order`."""
    touch = tables.touches.c
    return (
        select(touch.event_id)
        .where(of_site(tables.touches), touch.visitor_id == span.visitor_id)
        .where(micros(touch.occurred_at) >= span.starts_at, micros(touch.occurred_at) < span.ends_at)
        .order_by(touch.occurred_at, touch.sequence, touch.type_rank, touch.event_id)
        .limit(1)
        .scalar_subquery()
    )


def spans_of_visitors(left_out: LeftOut) -> Select[Any]:
    """A row a span of a dirty visitor. Reads sightings, people of keys, touches, goals and (for sessions) events.

    Parameters: `site_id`, `session_gap`. Index: `ix_sightings__visitor`, `ix_touches__order`, `ix_events__order`.
    """
    identifications = _identifications()
    begun = _begun(_changes_of_owner(identifications), left_out)
    ends_at = func.lead(begun.c.starts_at, 1, tables.END_OF_TIME).over(partition_by=begun.c.visitor_id, order_by=begun.c.starts_at)
    identified = select(
        begun.c.visitor_id, begun.c.starts_at, ends_at.label("ends_at"), begun.c.person_id, begun.c.fact_id, begun.c.link_id
    )
    spans = union_all(identified, _unidentified(identifications)).cte("spans")
    reached = select(*spans.columns, _first_touch(spans.c).label("first_touch_event_id")).cte("spans_with_first_touch")
    touch = tables.touches
    is_first = and_(of_site(touch), touch.c.visitor_id == reached.c.visitor_id, touch.c.event_id == reached.c.first_touch_event_id)
    row = reached.c
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"),
        row.visitor_id,
        row.starts_at,
        row.ends_at,
        row.person_id,
        row.fact_id,
        row.link_id,
        touch.c.occurred_at.label("first_touched_at"),
        row.first_touch_event_id,
        false().label("is_gone"),
    ).join_from(reached, touch, is_first, isouter=True)


# ---------------------------------------------------------------- what follows from it


def people_of_dirty_visitors() -> Select[Any]:
    """A row for each person, old or new, of the dirty visitors who has, or may have, conversions.

    A person with a key always may; an unidentified visitor only with goals, or conversions that may have to go.
    Touches may have changed where spans did not, so people of unchanged spans are among them.
    """
    old, new = tables.visitor_spans, tables.staged["visitor_spans"]
    candidates = union(
        select(old.c.visitor_id, old.c.person_id).where(of_site(old), old.c.visitor_id.in_(dirty_visitors())),
        select(new.c.visitor_id, new.c.person_id).where(of_site(new), new.c.is_gone.is_(False)),
    ).subquery("candidates")
    has_goals = exists().where(of_site(tables.goal_events), tables.goal_events.c.visitor_id == candidates.c.visitor_id)
    has_conversions = exists().where(of_site(tables.conversion_people), tables.conversion_people.c.person_id == candidates.c.person_id)
    is_strong = func.substr(candidates.c.person_id, 1, 2) != "v_"
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"),
        candidates.c.person_id,
        literal("").label("space"),
        literal("").label("deal_id"),
    ).where(or_(is_strong, has_goals, has_conversions))


def deals_of_changed_visitors() -> Select[Any]:
    """A row a deal that names a visitor whose spans changed. Index: `ix_deal_fields__visitor`."""
    changed, field = tables.staged["visitor_spans"], tables.deal_fields
    return (
        select(field.c.site_id, field.c.space, field.c.deal_id)
        .join_from(changed, field, and_(of_site(field), field.c.field == "visitor_id", field.c.value == changed.c.visitor_id))
        .where(of_site(changed))
    )
