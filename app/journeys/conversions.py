"""Conversions, whose they are, and what they count.

Two sorts: a person's (`lead`, `mql`, `sql`, `form:<name>`, the site's goals), held by the visitor and event (or `crm` and the
CRM fact) that made it; and a deal's (`opportunity`, `customer`), held by the deal's space and ID.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Insert,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from app import tables
from app.db import least, micros
from app.journeys.scores import first_reached
from app.tables import of_site

DEAL_KINDS = ("opportunity", "customer")
"""The kinds of conversions that a deal makes; every other kind is a person's."""
LEAD_KINDS = ("lead", "mql", "sql")
"""The kinds of conversions that make a person a lead, which are also marks of contacts: a later stage implies the earlier ones."""
CRM = "crm"
"""Holder of the conversions that a CRM's mark on a contact makes."""

_MARKED = 2**62
"""The sequence of a mark: of one moment, what the person did comes first."""
_KEY = ("kind", "holder_id", "fact_id")
_dirty = tables.dirty["conversions_queue"].c
_conversions = tables.conversions.c
_computed = tables.staged["conversions"]
_deals = tables.concerned_deals
_concerned = tables.concerned_conversions
_spans = tables.visitor_spans.c
_goals = tables.goal_events.c


def _site() -> ColumnElement[Any]:
    return bindparam("site_id", type_=tables.Key)


def _dirty_people() -> tuple[ColumnElement[bool], ...]:
    return (of_site(tables.dirty["conversions_queue"]), _dirty.person_id != "")


def _key(source: Any) -> tuple[ColumnElement[Any], ...]:
    return tuple(source[name] for name in _KEY)


def same_conversion(left: Any, right: Any) -> ColumnElement[bool]:
    """Whether two sources (by their columns) speak of one conversion."""
    return and_(*(mine == theirs for mine, theirs in zip(_key(left), _key(right), strict=True)))


# ---------------------------------------------------------------- what is dirty, and which rows that concerns


def concerned_deals() -> Insert:
    """Rows of `concerned_deals`: the dirty deals and those of dirty people, whose leads they know.

    Index: `ix_deal_people__person`.
    """
    dirty, person = tables.dirty["conversions_queue"], tables.deal_people
    deals = union(
        select(_dirty.site_id, _dirty.space, _dirty.deal_id).where(of_site(dirty), _dirty.person_id == ""),
        select(person.c.site_id, person.c.space, person.c.deal_id)
        .join_from(dirty, person, and_(of_site(person), person.c.person_id == _dirty.person_id))
        .where(*_dirty_people()),
    )
    return insert(_deals).from_select(["site_id", "space", "deal_id"], deals)


def _conversions_before() -> CompoundSelect[Any]:
    """A row for each conversion that stands for a dirty person or a concerned deal."""
    of_deal = and_(
        of_site(tables.conversions),
        _conversions.kind.in_(DEAL_KINDS),
        _conversions.holder_id == _deals.c.space,
        _conversions.fact_id == _deals.c.deal_id,
    )
    of_person = and_(of_site(tables.conversions), _conversions.person_id == _dirty.person_id)
    key = (_conversions.site_id, *_key(_conversions))
    return union_all(
        select(*key).join_from(tables.dirty["conversions_queue"], tables.conversions, of_person).where(*_dirty_people()),
        select(*key).join_from(_deals, tables.conversions, of_deal).where(of_site(_deals)),
    )


def concerned_conversions() -> Insert:
    """Rows of `concerned_conversions`: those that stand for the dirty keys, and those just computed for them.

    The computed ones too: a conversion may move from a person who is not dirty here to one who is.
    Index: `ix_conversions__person`, the key of `conversions`.
    """
    before = _conversions_before().subquery("before")
    computed = select(_computed.c.site_id, *_key(_computed.c)).where(of_site(_computed))
    return insert(_concerned).from_select(["site_id", "kind", "holder_id", "fact_id"], union(select(*before.columns), computed))


def conversions_concerned() -> Select[Any]:
    """A row for each conversion that stood, or was computed, for the dirty keys."""
    return select(_concerned.c.site_id, *_key(_concerned.c)).where(of_site(_concerned))


def people_of_changed_leads() -> Select[Any]:
    """A row for each person, old or new, of a changed conversion that makes a lead, as a dirty key of the opportunities.

    Index: the key of `conversions`.
    """
    stood = and_(of_site(tables.conversions), same_conversion(_conversions, _computed.c))
    is_lead = and_(of_site(_computed), _computed.c.kind.in_(LEAD_KINDS))
    people = union(
        select(_conversions.person_id).join_from(_computed, tables.conversions, stood).where(is_lead),
        select(_computed.c.person_id).where(is_lead, _computed.c.is_gone.is_(False)),
    ).subquery("people")
    return select(_site().label("site_id"), people.c.person_id, literal("").label("space"), literal("").label("deal_id"))


def people_computed() -> Select[Any]:
    """A row for each dirty person, changed or not: what it did may move it to a stage without making a conversion."""
    return select(_dirty.site_id, _dirty.person_id, _dirty.space, _dirty.deal_id).where(*_dirty_people())


def in_scope(table: Table) -> ColumnElement[bool]:
    """Whether a row belongs to a conversion that stood, or was computed, for the dirty keys."""
    return tuple_(*_key(table.c)).in_(select(*_key(_concerned.c)).where(of_site(_concerned)))


# ---------------------------------------------------------------- conversions of people


def _is_within_span() -> ColumnElement[bool]:
    """Whether a goal was reached by a visitor within its span. Index: the key of `goal_events`."""
    return and_(
        of_site(tables.goal_events),
        _goals.purpose == "goal",
        _goals.visitor_id == _spans.visitor_id,
        _goals.occurred_at >= _spans.starts_at,
        _goals.occurred_at < _spans.ends_at,
    )


def dirty_people() -> CTE:
    """A row for each dirty person."""
    return select(_dirty.person_id).where(*_dirty_people()).cte("people")


def _goals_reached(people: CTE) -> Select[Any]:
    """A row for each goal that a dirty person reached: what its visitors reached while they were it.

    Index: `ix_visitor_spans__person`, the key of `goal_events`.
    """
    return (
        select(
            _spans.person_id, _goals.goal.label("kind"), _goals.visitor_id.label("holder_id"), _goals.event_id.label("fact_id"),
            _goals.occurred_at, _goals.sequence, _goals.once_per,
        )
        .join_from(people, tables.visitor_spans, and_(of_site(tables.visitor_spans), _spans.person_id == people.c.person_id))
        .join(tables.goal_events, _is_within_span())
    )  # fmt: skip


def marks_of_people(people: FromClause) -> CTE:
    """A row for each mark on a contact of `people` (`person_id`), with the contact's person: the smallest of its keys'.

    Index: `ix_key_people__person`, `ix_link_keys__key`, `ix_contact_marks__link`, then the keys of the last two.
    """
    mark, mine, carried = tables.contact_marks, tables.key_people.alias("keys_of_person"), tables.link_keys.alias("links_of_key")
    marked = (
        select(mark.c.fact_id, mark.c.link_id, mark.c.mark, mark.c.occurred_at, mark.c.marked_by, mark.c.reason, mark.c.bant)
        .join_from(people, mine, and_(mine.c.site_id == _site(), mine.c.person_id == people.c.person_id))
        .join(carried, and_(carried.c.site_id == _site(), carried.c.key_id == mine.c.key_id))
        .join(mark, and_(of_site(mark), mark.c.link_id == carried.c.link_id))
        .distinct()
        .cte("marks_seen")
    )
    key, person = tables.link_keys, tables.key_people
    owner = select(func.min(person.c.person_id)).join_from(key, person, and_(of_site(person), person.c.key_id == key.c.key_id))
    is_its = and_(of_site(key), key.c.link_id == marked.c.link_id)
    owned = select(*marked.columns, owner.where(is_its).correlate(marked).scalar_subquery().label("person_id")).cte("marks_owned")
    is_theirs = exists().where(people.c.person_id == owned.c.person_id)
    return select(*owned.columns).where(is_theirs).cte("marks_of_people")


def counts_as_qualified(mark: Any) -> ColumnElement[bool]:
    """Whether a mark is no qualification, or one whose evidence names `:bant_minimum` of budget, authority, need, timeline."""
    bant = func.coalesce(mark.bant, "")
    named = (func.length(bant) - func.length(func.replace(bant, "true", ""))) // len("true")
    return or_(mark.mark != "sql", named >= bindparam("bant_minimum", type_=BigInteger))


def _marked(people: CTE) -> Select[Any]:
    """A row for each mark of a dirty person that makes it a lead, an mql or an sql."""
    mark = marks_of_people(people).c
    return select(
        mark.person_id, mark.mark, literal(CRM, tables.Key), mark.fact_id, mark.occurred_at, literal(_MARKED, BigInteger),
        literal("person"),
    ).where(mark.mark.in_(LEAD_KINDS), counts_as_qualified(mark))  # fmt: skip


def _scored(people: CTE) -> Select[Any]:
    """A row for each dirty person whose score reached `:threshold`: the event by which it first did."""
    reached = first_reached(people, bindparam("threshold", type_=BigInteger)).subquery("score_reached").c
    return select(
        reached.person_id, literal("mql"), reached.visitor_id, reached.event_id, reached.occurred_at, reached.sequence, literal("person"),
    )  # fmt: skip


def conversions_of_people(*, has_threshold: bool) -> Select[Any]:
    """A row for each moment of a dirty person that counts: of each kind the earliest, or all where a goal counts each event.

    A goal that it reached, a mark of a CRM, and (`has_threshold`) the moment at which its score reached the site's.
    Of one moment, what the person did comes before what a CRM said of it. Parameters: `site_id`, `bant_minimum`, `threshold`.
    """
    people = dirty_people()
    sources = [_goals_reached(people), _marked(people), *([_scored(people)] if has_threshold else [])]
    moment = union_all(*sources).cte("moments_of_people").c
    in_order: Any = (moment.occurred_at, moment.sequence, moment.fact_id, moment.holder_id)
    reached = (
        select(
            *moment,
            func.row_number().over(partition_by=(moment.person_id, moment.kind), order_by=in_order).label("number"),
            func.min(case((moment.kind == "lead", moment.occurred_at))).over(partition_by=moment.person_id).label("lead_at"),
        )
        .cte("moments_in_order")
        .c
    )
    lead_at = case((reached.lead_at <= reached.occurred_at, reached.lead_at))
    return select(
        _site().label("site_id"), reached.kind, reached.holder_id, reached.fact_id,
        reached.person_id, reached.occurred_at, null().label("currency"), true().label("has_people"), lead_at.label("lead_at"),
        null().label("opportunity_at"), false().label("is_gone"),
    ).where(or_(reached.number == 1, reached.once_per == "event"))  # fmt: skip


def _lead_of(person_id: ColumnElement[Any], moment: ColumnElement[Any], *outer: FromClause) -> ColumnElement[Any]:
    """The earliest lead of a person at or before a moment, by a form or a mark; both are columns of `outer`. Nested lookups,
    not joins: a planner without statistics would begin with all leads of the site.

    Index: `ix_visitor_spans__person`, the key of `goal_events`; `ix_key_people__person`, `ix_link_keys__key`, `ix_contact_marks__link`.
    """
    of_span = select(func.min(_goals.occurred_at)).where(_is_within_span(), _goals.goal == "lead", _goals.occurred_at <= moment)
    lead_at = of_span.correlate(tables.visitor_spans, *outer).scalar_subquery()
    of_form = select(func.min(lead_at)).where(of_site(tables.visitor_spans), _spans.person_id == person_id)
    never = literal(tables.END_OF_TIME, BigInteger)
    ways = (of_form.correlate(*outer).scalar_subquery(), _marked_lead_of(person_id, moment, *outer))
    return func.nullif(least(*(func.coalesce(micros(way), never) for way in ways)), never)


def _marked_lead_of(person_id: ColumnElement[Any], moment: ColumnElement[Any], *outer: FromClause) -> ColumnElement[Any]:
    """The earliest mark `lead` at or before a moment on a contact whose keys' smallest person it is."""
    mine, carried, mark = tables.key_people.alias("its_keys"), tables.link_keys.alias("its_links"), tables.contact_marks
    other, owner = tables.link_keys.alias("keys_beside"), tables.key_people.alias("people_beside")
    is_beside = and_(of_site(other), other.c.link_id == carried.c.link_id, of_site(owner), owner.c.key_id == other.c.key_id)
    is_anothers = exists().where(is_beside, owner.c.person_id < mine.c.person_id)
    is_lead = and_(of_site(mark), mark.c.mark == "lead", mark.c.occurred_at <= moment)
    marked = (
        select(func.min(mark.c.occurred_at))
        .join_from(mine, carried, and_(of_site(carried), carried.c.key_id == mine.c.key_id))
        .join(mark, mark.c.link_id == carried.c.link_id)
        .where(of_site(mine), mine.c.person_id == person_id, is_lead, ~is_anothers)
    )
    return marked.correlate(*outer).scalar_subquery()


# ---------------------------------------------------------------- conversions of deals


def conversions_from_deals() -> Select[Any]:
    """A row for each concerned deal that counts (`opportunity`), and one more for each that is won (`customer`).

    `:customer_space` is the only space whose deals make customers; empty: every one's. Index: the keys of `deals` and
    `deal_people`.
    """
    deal = tables.deals
    customer_space = bindparam("customer_space", type_=tables.Key)
    makes_customer = and_(deal.c.outcome == "won", or_(customer_space == "", deal.c.space == customer_space))

    def of_kind(kind: str, occurred_at: ColumnElement[Any]) -> Select[Any]:
        return (
            select(
                deal.c.site_id, literal(kind).label("kind"), deal.c.space.label("holder_id"), deal.c.deal_id.label("fact_id"),
                literal("").label("person_id"), occurred_at.label("occurred_at"), deal.c.currency, _has_people().label("has_people"),
                _lead_of_deal(occurred_at).label("lead_at"),
                deal.c.opened_at.label("opportunity_at"), false().label("is_gone"),
            )
            .join_from(_deals, deal, and_(of_site(deal), deal.c.space == _deals.c.space, deal.c.deal_id == _deals.c.deal_id))
            .where(of_site(_deals), deal.c.ignored_because.is_(None))
        )  # fmt: skip

    both = union_all(of_kind("opportunity", deal.c.opened_at), of_kind("customer", deal.c.won_at).where(makes_customer))
    return select(both.subquery("of_deals"))


def _is_of_deal() -> ColumnElement[bool]:
    person, deal = tables.deal_people.c, tables.deals.c
    return and_(of_site(tables.deal_people), person.space == deal.space, person.deal_id == deal.deal_id)


def _has_people() -> ColumnElement[bool]:
    """Whether a deal names anybody, or shares its journey with anybody of its company. Index: the key of `deal_people`."""
    return or_(tables.deals.c.has_contacts, exists().where(_is_of_deal()).correlate(tables.deals))


def _lead_of_deal(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The earliest lead, at or before a moment, of a deal's contacts; where none of them was one, of its company's people.

    Index: the key of `deal_people`.
    """
    person, deal = tables.deal_people.c, tables.deals

    def earliest(is_contact: bool) -> ColumnElement[Any]:
        lead_at = func.min(_lead_of(person.person_id, moment, tables.deal_people, deal))
        return select(lead_at).where(_is_of_deal(), person.is_contact.is_(is_contact)).correlate(deal).scalar_subquery()

    return func.coalesce(earliest(True), earliest(False))


# ---------------------------------------------------------------- what belongs to the computed conversions


def people_of_conversions() -> Select[Any]:
    """A row for each person of a computed conversion: whose it is, or the people of its deal. Index: `deal_people`'s key."""
    person = tables.deal_people
    is_of_deal = and_(of_site(person), person.c.space == _computed.c.holder_id, person.c.deal_id == _computed.c.fact_id)
    people = union_all(
        select(*_key(_computed.c), _computed.c.person_id, true().label("is_contact")).where(
            of_site(_computed), _computed.c.person_id != ""
        ),
        select(*_key(_computed.c), person.c.person_id, person.c.is_contact)
        .join_from(_computed, person, is_of_deal)
        .where(of_site(_computed), _computed.c.kind.in_(DEAL_KINDS), _computed.c.person_id == ""),
    ).subquery("people")
    return select(_site().label("site_id"), *people.columns, false().label("is_gone"))


def entries_of_conversions() -> Select[Any]:
    """A row for each entry in the ledger of a computed conversion. Index: the keys of `deals`, `deal_amounts`, `local_days`,
    `ix_local_days__starts_at`.

    A person's conversion counts once and is worth no money; an opportunity is worth its deal's amount now; a
    customer's first entry is the win, counted on the CRM's close date, and each adjustment after it is an entry of
    its own, counted when it happened.
    """
    deal, amount, day = tables.deals, tables.deal_amounts, tables.local_days
    counted_at = func.coalesce(day.c.starts_at, amount.c.occurred_at)
    is_first = amount.c.entry == 0
    entries = union_all(
        _entry(_computed.c.occurred_at, literal(0)).where(_computed.c.person_id != ""),
        _entry(_computed.c.occurred_at, func.coalesce(deal.c.amount_minor, 0))
        .join_from(_computed, deal, _is_deal_of(deal))
        .where(_computed.c.kind == "opportunity", _computed.c.person_id == ""),
        _entry(
            amount.c.occurred_at, amount.c.after_minor, entry=amount.c.entry, before=amount.c.before_minor,
            counted_at=case((is_first, counted_at), else_=amount.c.occurred_at), counts=case((is_first, 1), else_=0),
        )
        .join_from(_computed, deal, _is_deal_of(deal))
        .join(amount, _is_deal_of(amount))
        .outerjoin(day, and_(of_site(day), day.c.day == deal.c.closed_on))
        .where(_computed.c.kind == "customer", _computed.c.person_id == ""),
    ).subquery("entries")  # fmt: skip
    counted = [entries.c.counted_at, _local_day(entries.c.counted_at).label("counted_on")]
    others = [column for column in entries.c if column.name not in (*_KEY, "entry", "counted_at")]
    return select(_site().label("site_id"), *_key(entries.c), entries.c.entry, *counted, *others, false().label("is_gone"))


def _local_day(moment: ColumnElement[Any]) -> ColumnElement[str]:
    """The local day that a moment lies in; empty before the first that is known. Index: `ix_local_days__starts_at`."""
    day = tables.local_days.alias("days").c
    begun = select(day.day).where(day.site_id == _site(), day.starts_at <= moment)
    return func.coalesce(begun.order_by(day.starts_at.desc(), day.day.desc()).limit(1).scalar_subquery(), "")


def _is_deal_of(table: Table) -> ColumnElement[bool]:
    return and_(of_site(table), table.c.space == _computed.c.holder_id, table.c.deal_id == _computed.c.fact_id)


def _entry(
    occurred_at: ColumnElement[Any],
    after: ColumnElement[Any],
    *,
    entry: ColumnElement[Any] | None = None,
    before: ColumnElement[Any] | None = None,
    counted_at: ColumnElement[Any] | None = None,
    counts: ColumnElement[Any] | None = None,
) -> Select[Any]:
    """One entry of a computed conversion; unless said otherwise its only one, which counts when it happens."""
    return select(
        *_key(_computed.c),
        (literal(0) if entry is None else entry).label("entry"),
        (occurred_at if counted_at is None else counted_at).label("counted_at"),
        occurred_at.label("occurred_at"),
        (literal(1) if counts is None else counts).label("counts"),
        (literal(0) if before is None else before).label("before_minor"),
        after.label("after_minor"),
    ).where(of_site(_computed))
