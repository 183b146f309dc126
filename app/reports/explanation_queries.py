"""What stands behind one conversion, beside its touches: its ledger, its companies, and what ties visitors to its people."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select

from app import tables
from app.attribution.joins import KEY
from app.attribution.question import Question


def _site(columns: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = columns.site_id == bindparam("site_id")
    return condition


def _named(columns: Any) -> ColumnElement[bool]:
    return and_(_site(columns), *(columns[name] == bindparam(name) for name in KEY))


def journey_of_conversion(question: Question) -> Select[Any]:
    """At most one row: the first touch, however long ago, and how many touches the cap left out. Index: the primary key."""
    journey = question.rows(tables.journeys).c
    return select(journey.first_touched_at, journey.touches_left_out).where(_named(journey))


def touches_left_out_by_rule(question: Question) -> Select[Any]:
    """A row for each touch of the conversion's people before it that a rule of the site leaves out now, in order: the newest 1,000.

    Index: `ix_visitor_spans__person`, the keys of `left_out_touches` and `events`.
    """
    people, conversions = question.rows(tables.conversion_people), question.rows(tables.conversions)
    person, conversion, span, event = people.c, conversions.c, tables.visitor_spans.c, tables.events.c
    touch = tables.left_out_touches.c
    is_within = and_(touch.visitor_id == span.visitor_id, touch.occurred_at >= span.starts_at, touch.occurred_at < span.ends_at)
    newest = (
        select(
            touch.visitor_id, touch.event_id, touch.occurred_at, touch.reason, person.person_id,
            (event.host + event.path).label("landing_page"), event.referrer,
        )
        .select_from(people)
        .join(conversions, and_(_site(conversion), *(conversion[name] == person[name] for name in KEY)))
        .join(tables.visitor_spans, and_(_site(span), span.person_id == person.person_id))
        .join(tables.left_out_touches, and_(_site(touch), is_within, touch.occurred_at <= conversion.occurred_at))
        .join(tables.events, and_(_site(event), event.visitor_id == touch.visitor_id, event.event_id == touch.event_id))
        .where(_named(person))
        .order_by(touch.occurred_at.desc(), touch.visitor_id.desc(), touch.event_id.desc())
        .limit(1_000)
        .subquery("newest")
    )  # fmt: skip
    return select(newest).order_by(newest.c.occurred_at, newest.c.visitor_id, newest.c.event_id)


def ledger_of_conversion(question: Question) -> Select[Any]:
    """A row an entry of the conversion's ledger, in order. Index: the primary key."""
    entry = question.rows(tables.ledger_entries).c
    columns = (entry.entry, entry.occurred_at, entry.counted_at, entry.counts, entry.before_minor, entry.after_minor)
    return select(*columns).where(_named(entry)).order_by(entry.entry)


def companies_of_conversion(question: Question) -> Select[Any]:
    """A row for each company whose people may share the journey of a deal's conversion. Index: the key of `deal_companies`."""
    company = question.rows(tables.deal_companies).c
    is_of_deal = and_(_site(company), company.space == bindparam("holder_id"), company.deal_id == bindparam("fact_id"))
    return (
        select(company.company_space, company.company, company.is_crowded)
        .where(is_of_deal)
        .order_by(company.company_space, company.company)
    )


def evidence_of_conversion(question: Question) -> Select[Any]:
    """A row a span, begun by the conversion, of a visitor of its people: what ties the visitor to the person.

    Of the people who only share the journey (`is_contact` false), visitors with a touch in it. `is_event` tells an event of the
    visitor from a CRM fact; `fact_type` and `fact_at` are either's, null where nothing identified the visitor.
    Index: `ix_visitor_spans__person`, the primary keys of `events`, `crm_facts` and `journey_touches`.
    """
    people, conversions = question.rows(tables.conversion_people), question.rows(tables.conversions)
    person, conversion, span, event, fact = people.c, conversions.c, tables.visitor_spans.c, tables.events.c, tables.crm_facts.c
    touch = question.rows(tables.journey_touches).c
    has_touch = exists().where(_named(touch), touch.touch_visitor_id == span.visitor_id)
    is_event = and_(_site(event), event.visitor_id == span.visitor_id, event.event_id == span.fact_id)
    return (
        select(
            span.visitor_id, span.person_id, span.starts_at, span.ends_at, span.fact_id, span.link_id, person.is_contact,
            event.event_id.is_not(None).label("is_event"),
            func.coalesce(event.type, fact.type).label("fact_type"),
            func.coalesce(event.occurred_at, fact.occurred_at, type_=tables.Moment).label("fact_at"),
        )
        .select_from(people)
        .join(conversions, and_(_site(conversion), *(conversion[name] == person[name] for name in KEY)))
        .join(tables.visitor_spans, and_(_site(span), span.person_id == person.person_id))
        .outerjoin(tables.events, is_event)
        .outerjoin(tables.crm_facts, and_(_site(fact), fact.fact_id == span.fact_id, event.event_id.is_(None)))
        .where(_named(person), span.starts_at <= conversion.occurred_at, or_(person.is_contact.is_(True), has_touch))
        .order_by(person.is_contact.desc(), span.person_id, span.starts_at, span.visitor_id)
    )  # fmt: skip
