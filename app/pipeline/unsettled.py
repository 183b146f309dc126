"""What a check leaves out: the keys that wait in a stage's queue, and those that will when an earlier queue is empty.

(A stage reads facts, and rows of stages before it, that are newer than what has reached its queue.)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Delete, Select, Subquery, and_, delete, exists, literal, select, true, union

from app import tables
from app.identity.concerned_deals import deals_of_companies_said_of
from app.journeys.conversions import DEAL_KINDS, same_conversion
from app.queue import dirty_columns
from app.swap import Stage
from app.tables import of_site

Keys = Select[Any] | CompoundSelect[Any]
"""Rows of dirty keys: the columns of a queue by name, without `site_id`."""

_conversions_queue = tables.conversions_queue.c


def leave_out(stage: Stage) -> list[Delete]:
    """Take what is not settled out of the keys that are computed."""
    return [_delete(stage, keys) for keys in (_queued(stage), *_UNSETTLED.get(stage.name, lambda: ())())]


def _delete(stage: Stage, unsettled: Keys) -> Delete:
    keys = unsettled.subquery("unsettled")
    is_unsettled = exists().where(*(keys.c[name] == stage.dirty.c[name] for name in dirty_columns(stage.queue)))
    return delete(stage.dirty).where(of_site(stage.dirty), is_unsettled)


def _queued(stage: Stage) -> Keys:
    return select(*(stage.queue.c[name] for name in dirty_columns(stage.queue))).where(of_site(stage.queue))


def _keys_of_queued_people() -> tuple[Keys, ...]:
    """A row for each key of a person of whom some key is queued. Index: `ix_key_people__person`."""
    queued, members = tables.key_people.alias("queued"), tables.key_people.alias("members")
    is_queued = and_(of_site(tables.identity_queue), tables.identity_queue.c.key_id == queued.c.key_id)
    is_member = and_(of_site(members), members.c.person_id == queued.c.person_id)
    return (select(members.c.key_id).join_from(queued, tables.identity_queue, is_queued).join(members, is_member).where(of_site(queued)),)


def _people_described() -> tuple[Keys, ...]:
    """A row for each person of a set of keys of which one is queued: what is said of it may change hands.

    Index: `ix_link_keys__key`, the keys of `link_keys` and `key_people`.
    """
    mine, beside, person = tables.link_keys.alias("queued_links"), tables.link_keys.alias("keys_beside"), tables.key_people
    is_queued = and_(of_site(tables.identity_queue), tables.identity_queue.c.key_id == mine.c.key_id)
    return (
        select(person.c.person_id.label("holder_id"))
        .join_from(mine, tables.identity_queue, is_queued)
        .join(beside, and_(of_site(beside), beside.c.link_id == mine.c.link_id))
        .join(person, and_(of_site(person), person.c.key_id == beside.c.key_id))
        .where(of_site(mine)),
    )


def _visitors_seen() -> tuple[Keys, ...]:
    """A row for each visitor of whom a new event or sighting is queued: sessions and identifications show it already."""
    return (select(tables.touches_queue.c.visitor_id).where(of_site(tables.touches_queue)),)


def _deals_of_companies() -> tuple[Keys, ...]:
    """A row for each deal of a company that a queued key was ever said to be of."""
    queued = select(tables.identity_queue.c.key_id).where(of_site(tables.identity_queue)).distinct().subquery("queued")
    deals = deals_of_companies_said_of(queued).subquery("deals_of_companies")
    return (select(deals.c.space, deals.c.deal_id),)


def _people() -> Subquery:
    """A row for each person of whom something is queued for the conversions or before them."""
    key, span = tables.key_people, tables.visitor_spans
    is_key = and_(of_site(tables.identity_queue), tables.identity_queue.c.key_id == key.c.key_id)
    is_visitor = and_(of_site(tables.spans_queue), tables.spans_queue.c.visitor_id == span.c.visitor_id)
    return union(
        select(_conversions_queue.person_id).where(of_site(tables.conversions_queue), _conversions_queue.person_id != ""),
        select(key.c.person_id).join_from(key, tables.identity_queue, is_key).where(of_site(key)),
        select(span.c.person_id).join_from(span, tables.spans_queue, is_visitor).where(of_site(span)),
    ).subquery("people")


def _deals() -> Subquery:
    """A row for each deal of which, or of whose people, something is queued."""
    people, person = _people(), tables.deal_people
    of_people = select(person.c.space, person.c.deal_id).join_from(person, people, person.c.person_id == people.c.person_id)
    queued = select(_conversions_queue.space, _conversions_queue.deal_id)
    return union(
        queued.where(of_site(tables.conversions_queue), _conversions_queue.person_id == ""), of_people.where(of_site(person))
    ).subquery("deals")


def _people_and_deals() -> tuple[Keys, ...]:
    """A row for each person or deal whose conversions wait: those of a person's deals are computed with its own."""
    people, deals, person = _people(), _deals(), tables.deal_people
    is_of_deal = and_(person.c.space == deals.c.space, person.c.deal_id == deals.c.deal_id)
    nothing = literal("")
    of_deals = select(person.c.person_id, nothing.label("space"), nothing.label("deal_id")).join_from(person, deals, is_of_deal)
    return (
        select(people.c.person_id, nothing.label("space"), nothing.label("deal_id")).where(true()),
        select(nothing.label("person_id"), deals.c.space, deals.c.deal_id).where(true()),
        of_deals.where(of_site(person)),
    )


def _marked_people() -> Select[Any]:
    """A row for each person of a set of keys of which one is queued: the marks on it are the smallest one's.

    Index: `ix_link_keys__key`, the keys of `link_keys` and `key_people`.
    """
    (described,) = _people_described()
    people = described.subquery("marked")
    return select(people.c.holder_id.label("person_id"), literal("").label("space"), literal("").label("deal_id"))


def _moved_people_and_deals() -> tuple[Keys, ...]:
    """A row for each person or deal whose stages wait: those of whom something is queued, and of the deals that are to be
    folded, whose facts show already, with their people."""
    queue, person, nothing = tables.deals_queue.c, tables.deal_people, literal("")
    is_of_deal = and_(person.c.space == queue.space, person.c.deal_id == queue.deal_id)
    return (
        *_people_and_deals(),
        _marked_people(),
        select(nothing.label("person_id"), queue.space, queue.deal_id).where(of_site(tables.deals_queue)),
        select(person.c.person_id, nothing.label("space"), nothing.label("deal_id"))
        .join_from(person, tables.deals_queue, is_of_deal)
        .where(of_site(person), of_site(tables.deals_queue)),
    )


def _conversions() -> tuple[Keys, ...]:
    """A row for each conversion of which, or of whose people, something is queued. Index: `ix_conversion_people__person`."""
    people, deals, person, conversion = _people(), _deals(), tables.conversion_people, tables.conversions
    is_deal = and_(conversion.c.kind.in_(DEAL_KINDS), conversion.c.holder_id == deals.c.space, conversion.c.fact_id == deals.c.deal_id)
    columns = [conversion.c[name] for name in dirty_columns(tables.journeys_queue)]
    of_people = select(*columns).join_from(conversion, person, and_(of_site(person), same_conversion(person.c, conversion.c)))
    return (
        of_people.join(people, people.c.person_id == person.c.person_id).where(of_site(conversion)),
        select(*columns).join_from(conversion, deals, is_deal).where(of_site(conversion)),
    )


def _people_without_rows() -> tuple[Keys, ...]:
    """A row for each person or deal of whom, of whose deals or of whose contacts something is queued: their rows, and the rows of the
    contacts and deals of these, are computed together.

    Index: `ix_opportunities_queue__site`, `ix_key_people__person`, `ix_link_keys__key`, `ix_deal_people__person`.
    """
    queue, person = tables.opportunities_queue.c, tables.deal_people
    [described] = _people_described()
    marked = described.subquery("marked")
    people = union(
        select(queue.person_id).where(of_site(tables.opportunities_queue), queue.person_id != ""),
        select(marked.c.holder_id).where(true()),
    ).cte("queued_people")
    deals = select(queue.space, queue.deal_id).where(of_site(tables.opportunities_queue), queue.person_id == "").cte("queued_deals")
    for reach in ("beside", "beyond"):
        of_people = select(person.c.space, person.c.deal_id).join_from(person, people, person.c.person_id == people.c.person_id)
        is_of_deal = and_(person.c.space == deals.c.space, person.c.deal_id == deals.c.deal_id)
        of_deals = select(person.c.person_id).join_from(person, deals, is_of_deal)
        people, deals = (
            union(select(*people.columns), of_deals.where(of_site(person))).cte(f"people_{reach}"),
            union(select(*deals.columns), of_people.where(of_site(person))).cte(f"deals_{reach}"),
        )
    nothing = literal("")
    return (
        select(people.c.person_id, nothing.label("space"), nothing.label("deal_id")).where(true()),
        select(nothing.label("person_id"), deals.c.space, deals.c.deal_id).where(true()),
    )


_UNSETTLED = {
    "identity": _keys_of_queued_people,
    "spans": _visitors_seen,
    "properties": _people_described,
    "deals": _deals_of_companies,
    "conversions": _people_and_deals,
    "stages": _moved_people_and_deals,
    "journeys": _conversions,
    "opportunities": _people_without_rows,
}
"""By name of the stage: which keys besides those in its queue."""
