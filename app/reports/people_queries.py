"""One person: whatever names it, what it did, and why we believe that it is one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, func, select

from app import tables
from app.attribution.joins import dimension
from app.identity.internal import is_internal
from app.reports.conversion_queries import LABELS
from app.touches.queries import counts_page


def _site(table: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.site_id == bindparam("site_id")
    return condition


def person_of_key() -> Select[Any]:
    """At most one row: the person whom a key `:key_id` belongs to. Index: the primary key."""
    key = tables.key_people.c
    return select(key.person_id).where(_site(key), key.key_id == bindparam("key_id"))


def people_of_keys() -> Select[Any]:
    """A row a person whom one of the keys `:key_ids` belongs to. Index: the primary key."""
    key = tables.key_people.c
    return select(key.person_id).where(_site(key), key.key_id.in_(bindparam("key_ids", expanding=True))).distinct().order_by(key.person_id)


def person_of_visitor() -> Select[Any]:
    """At most one row: whom a visitor `:visitor_id` is now: its latest span's person. Index: the primary key."""
    span = tables.visitor_spans.c
    return select(span.person_id).where(_site(span), span.visitor_id == bindparam("visitor_id")).order_by(span.starts_at.desc()).limit(1)


def keys_of_person() -> Select[Any]:
    """A row a key of the person `:person_id`, with its clear text where it is known. Index: `ix_key_people__person`."""
    key, contact = tables.key_people.c, tables.contacts.c
    return (
        select(
            key.key_id, key.is_crowded, contact.kind, contact.value, contact.name, contact.company, contact.lead_source, contact.may_contact
        )
        .select_from(tables.key_people.outerjoin(tables.contacts, and_(_site(contact), contact.key_id == key.key_id)))
        .where(_site(key), key.person_id == bindparam("person_id"))
        .order_by(key.key_id)
    )


def is_person_internal() -> Select[Any]:
    """One row: whether the person `:person_id` is staff or a tester. Index: `ix_key_people__person`."""
    return select(is_internal(bindparam("person_id", type_=tables.Key)))


def spans_of_person() -> Select[Any]:
    """A row a span of a visitor that was the person, and whether an event began it. Index: `ix_visitor_spans__person`."""
    span, event = tables.visitor_spans.c, tables.events.c
    is_event = exists().where(_site(event), event.visitor_id == span.visitor_id, event.event_id == span.fact_id)
    return (
        select(span.visitor_id, span.person_id, span.starts_at, span.ends_at, span.fact_id, is_event.label("is_event"))
        .where(_site(span), span.person_id == bindparam("person_id"))
        .order_by(span.starts_at, span.visitor_id)
    )


def sightings_of_person() -> Select[Any]:
    """A row a sighting of a key of the person, and whether somebody has undone it: at most `:limit`, the newest.

    `keys` is how many keys the subject carried: two or more tie keys together. Index: `ix_key_people__person`, `ix_link_keys__key`.
    """
    key, link, sighting, event = tables.key_people.c, tables.link_keys.c, tables.sightings.c, tables.events.c
    undone = tables.unlinks.c
    links = (
        select(link.link_id)
        .join_from(tables.key_people, tables.link_keys, and_(_site(link), link.key_id == key.key_id))
        .where(_site(key), key.person_id == bindparam("person_id"))
    )
    is_event = exists().where(_site(event), event.visitor_id == sighting.visitor_id, event.event_id == sighting.fact_id)
    is_undone = exists().where(_site(undone), undone.visitor_id == sighting.visitor_id, undone.link_id == sighting.link_id)
    return (
        select(
            sighting.link_id,
            sighting.visitor_id,
            sighting.fact_id,
            sighting.occurred_at,
            sighting.is_trusted,
            is_event.label("is_event"),
            is_undone.label("is_undone"),
        )
        .where(_site(sighting), sighting.link_id.in_(links))
        .order_by(sighting.occurred_at.desc(), sighting.fact_id, sighting.visitor_id, sighting.link_id)
        .limit(bindparam("limit"))
    )


def keys_of_links() -> Select[Any]:
    """A row a key of the links `:link_ids`. Index: the primary key."""
    link = tables.link_keys.c
    return (
        select(link.link_id, link.key_id).where(_site(link), link.link_id.in_(bindparam("link_ids", expanding=True))).order_by(link.key_id)
    )


def _within_spans(moment: Any, visitor_id: Any) -> ColumnElement[bool]:
    span = tables.visitor_spans.c
    return and_(visitor_id == span.visitor_id, moment >= span.starts_at, moment < span.ends_at)


def touches_of_person() -> Select[Any]:
    """A row a touch within the person's spans, in order, with its label and page: at most `:limit`, the newest.

    Index: `ix_visitor_spans__person`, `ix_touches__order`.
    """
    span, touch, label, event = tables.visitor_spans.c, tables.touches.c, tables.origin_labels.c, tables.events.c
    return (
        select(
            touch.visitor_id,
            touch.event_id,
            touch.occurred_at,
            touch.sequence,
            touch.type_rank,
            touch.session_started_at,
            *(dimension(name).label(name) for name in (*LABELS, "landing_page")),
            label.rule,
            event.type,
            event.reported_by,
        )
        .join_from(tables.visitor_spans, tables.touches, and_(_site(touch), _within_spans(touch.occurred_at, touch.visitor_id)))
        .outerjoin(tables.origin_labels, and_(_site(label), label.origin_id == touch.origin_id))
        .outerjoin(tables.events, and_(_site(event), event.visitor_id == touch.visitor_id, event.event_id == touch.event_id))
        .where(_site(span), span.person_id == bindparam("person_id"))
        .order_by(touch.occurred_at.desc(), touch.sequence.desc(), touch.type_rank.desc(), touch.event_id.desc(), touch.visitor_id.desc())
        .limit(bindparam("limit"))
    )


def events_of_person() -> Select[Any]:
    """A row an event within the person's spans, the newest first: at most `:limit`; `left_out` is the rule for which it counts not.

    Index: `ix_visitor_spans__person`, `ix_events__order`, the key of `left_out_touches`.
    """
    span, event, form, left_out = tables.visitor_spans.c, tables.events.c, tables.forms.c, tables.left_out_touches.c
    belongs = and_(left_out.occurred_at <= event.occurred_at, left_out.ends_at > event.occurred_at)
    rule = (
        select(func.min(left_out.reason))
        .where(_site(left_out), left_out.visitor_id == event.visitor_id, belongs)
        .correlate(tables.events)
        .scalar_subquery()
    )
    return (
        select(
            event.visitor_id,
            event.event_id,
            event.type,
            event.occurred_at,
            event.url,
            event.title,
            event.referrer,
            event.engaged_ms,
            form.name.label("form"),
            case((~counts_page(), "excluded_page"), else_=rule).label("left_out"),
        )
        .join_from(tables.visitor_spans, tables.events, and_(_site(event), _within_spans(event.occurred_at, event.visitor_id)))
        .outerjoin(tables.forms, and_(_site(form), form.form_id == event.form_id))
        .where(_site(span), span.person_id == bindparam("person_id"))
        .order_by(event.occurred_at.desc(), event.sequence.desc(), event.type_rank.desc(), event.event_id.desc(), event.visitor_id.desc())
        .limit(bindparam("limit"))
    )


def deals_of_person() -> Select[Any]:
    """A row a deal of the person, in order of opening. Index: `ix_deal_people__person`."""
    person, deal = tables.deal_people.c, tables.deals.c
    is_same = and_(_site(deal), deal.space == person.space, deal.deal_id == person.deal_id)
    return (
        select(tables.deals, person.is_contact)
        .join_from(tables.deal_people, tables.deals, is_same)
        .where(_site(person), person.person_id == bindparam("person_id"))
        .order_by(deal.opened_at, deal.space, deal.deal_id)
    )


def conversions_of_person() -> Select[Any]:
    """A row a conversion that the person has part in, in order of time. Index: `ix_conversion_people__person`."""
    person, conversion = tables.conversion_people.c, tables.conversions.c
    names = ("kind", "holder_id", "fact_id")
    return (
        select(*(conversion[name] for name in names), conversion.occurred_at, person.is_contact)
        .join_from(
            tables.conversion_people, tables.conversions, and_(_site(conversion), *(conversion[name] == person[name] for name in names))
        )
        .where(_site(person), person.person_id == bindparam("person_id"))
        .order_by(conversion.occurred_at, *(conversion[name] for name in names))
    )
