"""The stages that people and deals have gone through, as everything after the log: a function of facts and settings.

A person's stages come from what it did (visits, conversions), from marks on its contacts, and from its deals, which turn:
opened, won, lost, reopened. While some deal of it is open, another that opens or is lost moves nobody; a customer stays one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
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
from app.db import micros
from app.deals.outcomes import same_deal, turns
from app.journeys.conversions import CRM, LEAD_KINDS, marks_of_people
from app.tables import of_site

STAGES = ("prospect", "visitor", "lead", "mql", "sql", "opportunity", "customer", "repeat_customer")
"""The stages of a person, the earliest first; `lost`, `mql_rejected`, `disqualified` and `recycled` lead out of them."""
IMPLIED = ("lead", "mql", "sql", "opportunity")
"""The stages that a later one implies. That somebody visited, or was known to the CRM first, is seen or not."""

_LEADING_OUT = ("lost", "mql_rejected", "disqualified", "recycled")
_RANK = {stage: rank for rank, stage in enumerate((*STAGES, *_LEADING_OUT))}
"""The order of what happens at one moment."""
_RETURNS = 20
_BY_MARK = {"lead": "crm", "mql": "marketing", "sql": "sales"}
_BY_EVENT = {"lead": "form", "mql": "score"}
_NAMES = ("person_id", "stage", "at", "rank", "moved_by", "visitor_id", "fact_id", "moving_space", "moving_deal_id", "detail", "opens")
_deals = tables.concerned_deals
_dirty = tables.dirty["stages_queue"].c
_NOTHING = literal("", tables.Key)


def _site() -> ColumnElement[Any]:
    return bindparam("site_id", type_=tables.Key)


def dirty_people() -> CTE:
    """A row for each dirty person."""
    return select(_dirty.person_id).where(of_site(tables.dirty["stages_queue"]), _dirty.person_id != "").cte("people")


def concerned_deals() -> Insert:
    """Rows of `concerned_deals`: the dirty deals, and those of which a dirty person is a contact. Index: `ix_deal_people__person`."""
    dirty, person = tables.dirty["stages_queue"], tables.deal_people
    is_theirs = and_(of_site(person), person.c.person_id == _dirty.person_id, person.c.is_contact.is_(True))
    deals = union(
        select(_dirty.site_id, _dirty.space, _dirty.deal_id).where(of_site(dirty), _dirty.person_id == ""),
        select(person.c.site_id, person.c.space, person.c.deal_id)
        .join_from(dirty, person, is_theirs)
        .where(of_site(dirty), _dirty.person_id != ""),
    )
    return insert(_deals).from_select(["site_id", "space", "deal_id"], deals)


def _of_concerned_deals(table: Table) -> ColumnElement[bool]:
    concerned = select(_deals.c.space, _deals.c.deal_id).where(of_site(_deals))
    return and_(of_site(table), tuple_(table.c.space, table.c.deal_id).in_(concerned))


def _turns() -> CTE:
    return turns(_of_concerned_deals)


# ---------------------------------------------------------------- deals


def stages_of_deals() -> Select[Any]:
    """A row for each stage that a dirty deal entered in its CRM, and each time that it was won, lost or reopened. Deals that
    do not count have none.

    Index: the keys of `deal_fields`, `deal_changes`, `deal_stages` and `deals`.
    """
    dirty, deal = tables.dirty["stages_queue"], tables.deals
    moved = union_all(_crm_stages(), _outcomes()).subquery("moved").c
    in_order = (moved.at, moved.fact_id, moved.rank, moved.stage)
    is_dirty = and_(of_site(dirty), _dirty.person_id == "", same_deal(_dirty, moved))
    counts = and_(of_site(deal), same_deal(deal.c, moved), deal.c.ignored_because.is_(None))
    position = func.row_number().over(partition_by=(moved.space, moved.deal_id), order_by=in_order)
    return (
        select(
            _site().label("site_id"), literal("").label("person_id"), moved.space, moved.deal_id, position.label("position"),
            moved.stage, moved.at.label("entered_at"), false().label("is_implied"), moved.moved_by,
            literal("").label("visitor_id"), moved.fact_id, literal("").label("moving_space"), literal("").label("moving_deal_id"),
            null().label("detail"), false().label("is_gone"),
        )
        .where(exists().where(is_dirty), exists().where(counts))
    )  # fmt: skip


def _crm_stages() -> Select[Any]:
    """A row for each stage of its CRM that a concerned deal entered."""
    field = tables.deal_fields.c
    in_time: Any = {"partition_by": (field.space, field.deal_id), "order_by": (field.occurred_at, field.fact_id)}
    said = (
        select(
            field.space, field.deal_id, field.value, micros(field.occurred_at).label("at"), field.fact_id,
            func.lag(field.value).over(**in_time).label("value_before"),
        )
        .where(_of_concerned_deals(tables.deal_fields), field.field == "stage")
        .cte("crm_stages_said")
    )  # fmt: skip
    row = said.c
    moved_by, rank = literal("crm_stage").label("moved_by"), literal(0).label("rank")
    return select(row.space, row.deal_id, row.value.label("stage"), row.at, moved_by, row.fact_id, rank).where(
        row.value.is_not(None), row.value.is_distinct_from(row.value_before))


def _outcomes() -> Select[Any]:
    """A row for each turn of a concerned deal; what was never closed is not reopened."""
    turn = _turns().c
    return select(
        turn.space, turn.deal_id, turn.change, turn.occurred_at, literal("deal"), turn.fact_id, literal(1)
    ).where(or_(turn.change != "reopened", turn.change_before.is_not(None)))  # fmt: skip


# ---------------------------------------------------------------- what moves people


def _moment(
    person_id: Any,
    stage: str | ColumnElement[Any],
    at: ColumnElement[Any],
    rank: ColumnElement[Any] | None = None,
    *,
    moved_by: Any = _NOTHING,
    visitor_id: Any = _NOTHING,
    fact_id: Any = _NOTHING,
    deal: Any = None,
    detail: Any = None,
    opens: Any = None,
) -> Select[Any]:
    """A row of what may move a person. `opens`: 1 opens a deal, -1 closes one. The rank of a stage named outright is its own."""
    if isinstance(stage, str):
        rank, stage = literal(_RANK[stage]), literal(stage, tables.Key)
    space, deal_id = (_NOTHING, _NOTHING) if deal is None else (deal.space, deal.deal_id)
    values = (
        person_id, stage, micros(at), rank, moved_by, visitor_id, fact_id, space, deal_id,
        literal(None, tables.Key) if detail is None else detail, literal(0) if opens is None else opens,
    )  # fmt: skip
    return select(*(value.label(name) for name, value in zip(_NAMES, values, strict=True)))


def _ranked(stage: ColumnElement[Any], *names: str) -> ColumnElement[Any]:
    return case({name: _RANK[name] for name in names}, value=stage)


def _visits(people: CTE) -> Select[Any]:
    """A row a person: its first touch. Index: `ix_visitor_spans__person`."""
    span = tables.visitor_spans
    in_order = (span.c.first_touched_at, span.c.visitor_id, span.c.first_touch_event_id)
    first = (
        select(span, func.row_number().over(partition_by=span.c.person_id, order_by=in_order).label("number"))
        .join_from(people, span, and_(of_site(span), span.c.person_id == people.c.person_id))
        .where(span.c.first_touched_at.is_not(None))
        .cte("first_visits")
    )
    row = first.c
    seen = {"moved_by": literal("visit"), "visitor_id": row.visitor_id, "fact_id": row.first_touch_event_id}
    return _moment(row.person_id, "visitor", row.first_touched_at, **seen).where(row.number == 1)


def _prospects(people: CTE) -> Select[Any]:
    """A row a person: when a CRM first told of it. Index: `ix_key_people__person`, `ix_link_keys__key`, the keys of `sightings`
    and `crm_facts`."""
    key, link, sighting, fact = tables.key_people, tables.link_keys, tables.sightings, tables.crm_facts
    told = (
        select(
            key.c.person_id, sighting.c.occurred_at, sighting.c.fact_id,
            func.row_number().over(partition_by=key.c.person_id, order_by=(sighting.c.occurred_at, sighting.c.fact_id)).label("number"),
        )
        .join_from(people, key, and_(of_site(key), key.c.person_id == people.c.person_id))
        .join(link, and_(of_site(link), link.c.key_id == key.c.key_id))
        .join(sighting, and_(of_site(sighting), sighting.c.link_id == link.c.link_id))
        .join(fact, and_(of_site(fact), fact.c.fact_id == sighting.c.fact_id))
        .cte("told_first")
    )  # fmt: skip
    row = told.c
    by = {"moved_by": literal("crm"), "fact_id": row.fact_id}
    return _moment(row.person_id, "prospect", row.occurred_at, **by).where(row.number == 1)


def _conversions(people: CTE) -> Select[Any]:
    """A row for each `lead`, `mql` and `sql` of a person, with the form or the BANT behind it. Index: `ix_conversions__person`,
    the keys of `contact_marks`, `events`, `forms`."""
    conversion, mark, event, form = tables.conversions, tables.contact_marks, tables.events, tables.forms
    is_mark = and_(of_site(mark), conversion.c.holder_id == CRM, mark.c.fact_id == conversion.c.fact_id)
    is_event = and_(of_site(event), event.c.visitor_id == conversion.c.holder_id, event.c.event_id == conversion.c.fact_id)
    is_marked, kind = mark.c.fact_id.is_not(None), conversion.c.kind
    row: dict[str, Any] = {
        "moved_by": case((is_marked, case(_BY_MARK, value=kind)), else_=case(_BY_EVENT, value=kind)),
        "visitor_id": case((is_marked, ""), else_=conversion.c.holder_id),
        "fact_id": conversion.c.fact_id,
        "detail": case((is_marked, mark.c.bant), (kind == "lead", form.c.name)),
    }
    moments = _moment(conversion.c.person_id, kind, conversion.c.occurred_at, _ranked(kind, *LEAD_KINDS), **row)
    return (
        moments.join_from(people, conversion, and_(of_site(conversion), conversion.c.person_id == people.c.person_id))
        .outerjoin(mark, is_mark)
        .outerjoin(event, is_event)
        .outerjoin(form, and_(of_site(form), form.c.form_id == event.c.form_id))
        .where(kind.in_(LEAD_KINDS))
    )


def _marks(marks: CTE) -> list[Select[Any]]:
    """A row for each mark that leads out, or makes a lead again."""
    row = marks.c
    said: dict[str, Any] = {"moved_by": literal("sales"), "fact_id": row.fact_id, "detail": row.reason}
    out = _moment(row.person_id, row.mark, row.occurred_at, _ranked(row.mark, *_LEADING_OUT), **said).where(row.mark.in_(_LEADING_OUT))
    said = {"moved_by": case(_BY_MARK, value=row.mark), "fact_id": row.fact_id}
    again = _moment(row.person_id, literal("recycled"), row.occurred_at, literal(_RETURNS), **said)
    return [out, again.where(row.mark.in_(("lead", "mql")))]


def _lead_forms(people: CTE) -> Select[Any]:
    """A row for each form by which a person became a lead, or became one again. Index: `ix_visitor_spans__person`, the key of
    `goal_events`."""
    span, goal = tables.visitor_spans, tables.goal_events
    is_within_span = and_(
        of_site(goal),
        goal.c.visitor_id == span.c.visitor_id,
        goal.c.purpose == "goal",
        goal.c.goal == "lead",
        goal.c.occurred_at >= span.c.starts_at,
        goal.c.occurred_at < span.c.ends_at,
    )
    sent = {"moved_by": literal("form"), "visitor_id": goal.c.visitor_id, "fact_id": goal.c.event_id}
    return (
        _moment(span.c.person_id, literal("recycled"), goal.c.occurred_at, literal(_RETURNS), **sent)
        .join_from(people, span, and_(of_site(span), span.c.person_id == people.c.person_id))
        .join(goal, is_within_span)
    )


def _deals_of_people(people: CTE) -> CTE:
    """A row for each person and deal that counts and of which it is a contact. Index: `ix_deal_people__person`, the key of `deals`."""
    person, deal = tables.deal_people, tables.deals
    is_theirs = and_(of_site(person), person.c.person_id == people.c.person_id, person.c.is_contact.is_(True))
    counts = and_(of_site(deal), same_deal(deal.c, person.c), deal.c.ignored_because.is_(None))
    return (
        select(person.c.person_id, deal.c.space, deal.c.deal_id, micros(deal.c.opened_at).label("opened_at"), deal.c.outcome)
        .join_from(people, person, is_theirs)
        .join(deal, counts)
        .cte("deals_of_people")
    )


def _openings(deals: CTE) -> Select[Any]:
    """A row for each deal that opened on a person, with the fact that first told of it. Index: the key of `deal_changes`."""
    deal, change = deals.c, tables.deal_changes
    told = select(change.c.fact_id).where(of_site(change), same_deal(change.c, deal)).order_by(change.c.occurred_at, change.c.fact_id)
    fact_id = func.coalesce(told.limit(1).correlate(deals).scalar_subquery(), "")
    by: dict[str, Any] = {"moved_by": literal("deal"), "deal": deal, "opens": literal(1), "fact_id": fact_id}
    return _moment(deal.person_id, "opportunity", deal.opened_at, **by)


def _turned(deals: CTE) -> Select[Any]:
    """A row for each turn of a deal of a person. A win that was undone since closed the deal, and made nobody a customer."""
    deal, turn = deals.c, _turns().c
    customer_space = bindparam("customer_space", type_=tables.Key)
    makes_customer = and_(
        turn.change == "won",
        turn.place == turn.last_place,
        deal.outcome == "won",
        or_(customer_space == "", deal.space == customer_space),
    )
    stage = case(
        (makes_customer, "customer"), (turn.change == "lost", "lost"), (turn.change == "reopened", "opportunity"), else_=""
    )  # fmt: skip
    is_open_before = or_(turn.change_before.is_(None), turn.change_before == "reopened")
    opens = case((turn.change == "reopened", 1), (is_open_before, -1), else_=0)
    by: dict[str, Any] = {"moved_by": literal("deal"), "deal": deal, "opens": opens, "fact_id": turn.fact_id}
    moments = _moment(deal.person_id, stage, turn.occurred_at, func.coalesce(_ranked(stage, "opportunity", "customer", "lost"), 0), **by)
    return moments.select_from(deals).where(same_deal(deal, turn), or_(turn.change != "reopened", turn.change_before.is_not(None)))


# ---------------------------------------------------------------- the stages of people


def _in_order(row: Any) -> tuple[ColumnElement[Any], ...]:
    return (row.at, row.rank, row.fact_id, row.visitor_id, row.moving_space, row.moving_deal_id, row.moved_by)


def _moments(people: CTE) -> CTE:
    """A row for all that may move the dirty people, with what had happened before: `open_before`, `wins_before`, `losses_before`."""
    deals, marks = _deals_of_people(people), marks_of_people(people)
    sources = [
        _visits(people), _prospects(people), _conversions(people), *_marks(marks), _lead_forms(people), _openings(deals), _turned(deals),
    ]  # fmt: skip
    row = union_all(*sources).cte("moments").c
    before: Any = {"partition_by": row.person_id, "order_by": _in_order(row), "rows": (None, -1)}

    def before_it(value: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(value).over(**before), 0)

    return select(
        *row,
        before_it(row.opens).label("open_before"),
        before_it(case((row.stage == "customer", 1), else_=0)).label("wins_before"),
        before_it(case((row.stage == "lost", 1), else_=0)).label("losses_before"),
    ).cte("moments_in_order")


def _firsts(moments: FromClause) -> CTE:
    """A row a person: when it entered each of the stages that follow one another, and whether anything but a visit is known."""
    row = moments.c

    def first(*stages: str) -> ColumnElement[Any]:
        return func.min(case((row.stage.in_(stages), row.at)))

    ladder = (*IMPLIED, "customer")
    later = {stage: first(*ladder[place + 1 :]) for place, stage in enumerate(IMPLIED)}
    return (
        select(
            row.person_id,
            *(first(stage).label(stage) for stage in IMPLIED),
            *(at.label(f"after_{stage}") for stage, at in later.items()),
            first("visitor", *ladder).label("acted_at"),
            func.max(case((row.stage == "visitor", 0), else_=1)).label("is_known"),
        )
        .where(row.rank != _RETURNS)
        .group_by(row.person_id)
        .cte("firsts")
    )


def _moves(moments: CTE, firsts: CTE) -> Select[Any]:
    """A row for each moment that moves the person to its stage."""
    row, first = moments.c, firsts.c
    is_free = and_(row.wins_before == 0, row.open_before + row.opens <= 0)
    in_time = [and_(row.stage == stage, func.coalesce(first[f"after_{stage}"], row.at) >= row.at) for stage in LEAD_KINDS]
    is_person = or_(first.is_known == 1, ~row.person_id.startswith("v_", autoescape=True))
    moves = or_(
        and_(row.stage == "prospect", row.at < func.coalesce(first.acted_at, tables.END_OF_TIME)),
        and_(row.stage == "visitor", is_person),
        *in_time,
        and_(row.stage == "opportunity", row.wins_before == 0, row.open_before <= 0),
        and_(row.stage == "customer", row.wins_before <= 1),
        and_(row.stage == "lost", is_free),
        and_(row.rank == _RETURNS, is_free, row.losses_before > 0),
        and_(row.rank != _RETURNS, row.stage.in_(("mql_rejected", "disqualified", "recycled"))),
    )
    is_repeat = and_(row.stage == "customer", row.wins_before == 1)
    stage = case((is_repeat, "repeat_customer"), else_=row.stage).label("stage")
    columns = [stage if name == "stage" else row[name] for name in _NAMES if name != "opens"]
    return select(*columns, false().label("is_implied")).join_from(moments, firsts, first.person_id == row.person_id).where(moves)


def _implied(firsts: CTE) -> list[Select[Any]]:
    """A row for each stage that only a later one tells of, at the moment of that one."""
    first = firsts.c
    found = []
    for stage in IMPLIED:
        own, later = first[stage], first[f"after_{stage}"]
        moment = _moment(first.person_id, stage, later)
        columns = [column for column in moment.selected_columns if column.name != "opens"]
        found.append(select(*columns, true().label("is_implied")).where(later.is_not(None), or_(own.is_(None), own > later)))
    return found


def stages_of_people() -> Select[Any]:
    """A row for each stage that a dirty person entered, in order of time. What is said again at once is one.

    Unidentified visitors of whom nothing but visits is known have none: they are visitors. Parameters: `site_id`, `customer_space`.
    """
    moments = _moments(dirty_people())
    firsts = _firsts(moments)
    moved = union_all(_moves(moments, firsts), *_implied(firsts)).cte("moved").c
    by_person: Any = {"partition_by": moved.person_id, "order_by": _in_order(moved)}
    row = select(*moved, func.lag(moved.stage).over(**by_person).label("stage_before")).cte("moved_in_order").c
    position = func.row_number().over(partition_by=row.person_id, order_by=_in_order(row))
    return select(
        _site().label("site_id"), row.person_id, literal("").label("space"), literal("").label("deal_id"), position.label("position"),
        row.stage, row.at.label("entered_at"), row.is_implied, row.moved_by, row.visitor_id, row.fact_id, row.moving_space,
        row.moving_deal_id, row.detail, false().label("is_gone"),
    ).where(row.stage.is_distinct_from(row.stage_before))  # fmt: skip
