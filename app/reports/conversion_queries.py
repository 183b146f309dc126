"""Conversions one by one, and what stands behind one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, and_, bindparam, case, cast, exists, false, func, select, tuple_

from app import tables
from app.attribution.joins import DIRECT, KEY, dimension, same_conversion
from app.attribution.ledger import counted
from app.attribution.properties import is_of_known_customer, known_customers, with_known
from app.attribution.question import Question
from app.attribution.reach import is_in_reach
from app.collect.origins import Origin
from app.reports.tracked import is_reported_by_crm, is_tracked

LABELS = ("channel", "source", "medium", "campaign", "term", "content", "referrer")
"""Dimensions that an origin's label gives."""
_DEAL_KINDS = ("opportunity", "customer")


def _site(table: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.site_id == bindparam("site_id")
    return condition


def conversions_of_interval(question: Question, labels: dict[str, str], *, is_next: bool) -> Select[Any]:
    """A row a conversion with an entry in the interval, the latest first, by (counted_at, holder, fact): at most `:limit`.

    A conversion stands where its first entry within the interval does. `minor` is what its money changed by within the
    interval, `counts` whether it was counted there. With `is_next`, the rows after `:after_at`, `:after_holder`, `:after_fact`.
    With `labels`, only conversions with a touch in reach whose label has these values. Index: `ix_ledger_entries__counted`.
    """
    entries = question.rows(tables.ledger_entries)
    entry, earlier = entries.c, entries.alias("earlier_entries").c
    is_first = ~exists().where(same_conversion(earlier, entry), earlier.entry < entry.entry, *_within(question, earlier))
    # Nothing ties an entry's number to its time, so 'first' goes by number: each conversion has exactly one such entry.
    known = known_customers(question)
    conditions = [*counted(question, known), is_first]
    if is_next:
        after = tuple_(bindparam("after_at", type_=BigInteger), bindparam("after_holder"), bindparam("after_fact"))
        conditions.append(tuple_(entry.counted_at, entry.holder_id, entry.fact_id) < after)
    if labels:
        conditions.append(_has_touch(question, labels))
    return (
        _described(question, known)
        .where(*conditions)
        .order_by(entry.counted_at.desc(), entry.holder_id.desc(), entry.fact_id.desc())
        .limit(bindparam("limit"))
    )


def conversion_of_key(question: Question) -> Select[Any]:
    """At most one row: the conversion that the question names. Index: the primary keys."""
    known = known_customers(question)
    return _described(question, known).where(*counted(question, known), question.rows(tables.ledger_entries).c.entry == 0)


def _within(question: Question, entry: Any) -> list[ColumnElement[bool]]:
    bounds = []
    if question.starts_at is not None:
        bounds.append(entry.counted_at >= bindparam("starts_at", type_=BigInteger))
    if question.ends_at is not None:
        bounds.append(entry.counted_at < bindparam("ends_at", type_=BigInteger))
    return bounds


def _described(question: Question, known: CTE | None) -> Select[Any]:
    entries, conversions, deals = (question.rows(table) for table in (tables.ledger_entries, tables.conversions, tables.deals))
    entry, conversion, deal = entries.c, conversions.c, deals.c
    other = entries.alias("other_entries").c
    is_deal = and_(conversion.kind.in_(_DEAL_KINDS), conversion.person_id == "")
    of_deal = and_(_site(deal), deal.space == entry.holder_id, deal.deal_id == entry.fact_id, is_deal)
    sums = (
        select(
            cast(func.coalesce(func.sum(other.after_minor - other.before_minor), 0), BigInteger),
        )
        .where(same_conversion(other, entry), *_within(question, other))
        .scalar_subquery()
    )
    counts = select(func.max(other.counts)).where(same_conversion(other, entry), *_within(question, other)).scalar_subquery()
    person = question.rows(tables.conversion_people).c
    of_company = select(func.count()).where(same_conversion(person, entry), person.is_contact.is_(False)).scalar_subquery()
    net = select(func.sum(other.after_minor - other.before_minor)).where(same_conversion(other, entry)).scalar_subquery()
    return (
        select(
            *(entry[name] for name in KEY),
            entry.counted_at,
            conversion.occurred_at,
            conversion.currency,
            conversion.has_people,
            conversion.person_id,
            conversion.lead_at,
            conversion.opportunity_at,
            deal.space,
            deal.deal_id,
            deal.name,
            deal.outcome,
            deal.company_name,
            deal.type,
            deal.url,
            sums.label("minor"),
            counts.label("counts"),
            cast(net, BigInteger).label("net_minor"),
            of_company.label("company_people"),
            case((is_deal, is_of_known_customer(question, entries)), else_=false()).label("is_repeat"),
            is_tracked(question, conversion).label("is_tracked"),
            is_reported_by_crm(question, conversion).label("is_reported_by_crm"),
        )
        .join_from(with_known(entries, known), conversions, same_conversion(conversion, entry))
        .outerjoin(deals, of_deal)
    )


def _has_touch(question: Question, labels: dict[str, str]) -> ColumnElement[bool]:
    touches, label = question.rows(tables.journey_touches), question.rows(tables.origin_labels)
    touch, conversion = touches.c, question.rows(tables.conversions).c
    named = (dimension(name, label) == bindparam(f"label_{name}") for name in labels)
    return (
        exists()
        .select_from(touches.outerjoin(label, and_(_site(label.c), label.c.origin_id == touch.origin_id)))
        .where(same_conversion(touch, conversion), is_in_reach(question, conversion), *named)
    )


def people_of_conversions(question: Question) -> Select[Any]:
    """A row for each person whose conversion one of `:keys`, a list of (kind, holder, fact), is, or whom its deal names.

    Index: the primary key.
    """
    person = question.rows(tables.conversion_people).c
    columns = [person[name] for name in KEY]
    return (
        select(*columns, person.person_id)
        .where(_site(person), tuple_(*columns).in_(bindparam("keys", expanding=True)), person.is_contact.is_(True))
        .order_by(person.person_id)
    )


def _named(columns: Any) -> list[ColumnElement[bool]]:
    return [columns[name] == bindparam(name) for name in KEY]


def touches_of_conversion(question: Question) -> Select[Any]:
    """A row a touch of the conversion's whole journey, in order: its labels, its origin as sent, its page, whose span it lies in,
    whether it is in the look-back (`is_recent`), there and not too late for `touches_until` (`is_in_time`), and whether it is Direct.

    Index: the primary keys of all that it reads.
    """
    touches, conversions, labels = (question.rows(table) for table in (tables.journey_touches, tables.conversions, tables.origin_labels))
    touch, conversion, label, event, span = touches.c, conversions.c, labels.c, tables.events.c, tables.visitor_spans.c
    origin = tables.origins.c
    any_channel = replace(question, exclude_direct=False)
    joined = (
        touches.join(conversions, same_conversion(conversion, touch))
        .outerjoin(labels, and_(_site(label), label.origin_id == touch.origin_id))
        .outerjoin(tables.origins, and_(_site(origin), origin.origin_id == touch.origin_id))
        .outerjoin(tables.events, and_(_site(event), event.visitor_id == touch.touch_visitor_id, event.event_id == touch.touch_event_id))
        .outerjoin(
            tables.visitor_spans,
            and_(
                _site(span),
                span.visitor_id == touch.touch_visitor_id,
                span.starts_at <= touch.occurred_at,
                span.ends_at > touch.occurred_at,
            ),
        )
    )
    return (
        select(
            touch.touch_visitor_id.label("visitor_id"),
            touch.touch_event_id.label("event_id"),
            touch.occurred_at,
            *(dimension(name, labels).label(name) for name in LABELS),
            dimension("landing_page").label("landing_page"),
            label.rule,
            *(origin[name].label(f"origin_{name}") for name in Origin._fields),
            event.type,
            event.reported_by,
            span.person_id,
            is_in_reach(replace(any_channel, touches_until="close"), conversion).label("is_recent"),
            is_in_reach(any_channel, conversion).label("is_in_time"),
            (func.coalesce(label.channel, "") == DIRECT).label("is_direct"),
        )
        .select_from(joined)
        .where(_site(touch), *_named(touch))
        .order_by(touch.position)
    )


def channels(question: Question) -> Select[Any]:
    """A row a channel that some origin of the site has."""
    label = question.rows(tables.origin_labels).c
    return select(label.channel).where(_site(label)).distinct().order_by(label.channel)
