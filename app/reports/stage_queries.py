"""The stages that people and deals went through, as they are read: one by one, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from app import tables
from app.attribution.joins import dimension
from app.attribution.properties import value_of_person
from app.db import micros
from app.identity.internal import internal_people
from app.reports.funnel_queries import first_touches, with_labels
from app.sales.stage_queries import IMPLIED
from app.sites.properties import Condition, Property
from app.tables import of_site

NO_TOUCH = "(no touch)"
"""What stands for the dimensions of whoever was never seen on the site."""
_change = tables.stage_changes


def is_shown() -> ColumnElement[bool]:
    """Whether a row is of a stage that the site uses: what only a later stage tells of is not, unless somebody entered it.

    Index: the key of `conversions`.
    """
    conversion = tables.conversions
    used = [exists().where(of_site(conversion), conversion.c.kind == stage) for stage in IMPLIED]
    hidden = or_(*(and_(_change.c.stage == stage, ~is_used) for stage, is_used in zip(IMPLIED, used, strict=True)))
    return or_(_change.c.is_implied.is_(False), ~hidden)


def stages_of_person() -> Select[Any]:
    """A row for each stage that the person `:person_id` entered, in order, with the deal that moved it. Index: the keys of
    `stage_changes` and `deals`."""
    deal = tables.deals
    is_its = and_(of_site(deal), deal.c.space == _change.c.moving_space, deal.c.deal_id == _change.c.moving_deal_id)
    return (
        select(_change, deal.c.name.label("deal_name"), deal.c.lost_reason, deal.c.owner, deal.c.account_manager)
        .select_from(_change.outerjoin(deal, is_its))
        .where(of_site(_change), _change.c.person_id == bindparam("person_id"), _change.c.space == "", _change.c.deal_id == "", is_shown())
        .order_by(_change.c.position)
    )


def stages_of_deal() -> Select[Any]:
    """A row for each stage that the deal `:space`, `:deal_id` entered, in order. Index: the key of `stage_changes`."""
    is_its = and_(_change.c.space == bindparam("space"), _change.c.deal_id == bindparam("deal_id"))
    return select(_change).where(of_site(_change), _change.c.person_id == "", is_its).order_by(_change.c.position)


def deal_of_key() -> Select[Any]:
    """At most one row: the deal `:space`, `:deal_id`. Index: the primary key."""
    deal = tables.deals
    return select(deal).where(of_site(deal), deal.c.space == bindparam("space"), deal.c.deal_id == bindparam("deal_id"))


def first_visit_of_person() -> Select[Any]:
    """At most one row: the first touch of the person `:person_id`. Index: `ix_visitor_spans__person`."""
    span = tables.visitor_spans
    return (
        select(span.c.first_touched_at, span.c.visitor_id, span.c.first_touch_event_id)
        .where(of_site(span), span.c.person_id == bindparam("person_id"), span.c.first_touched_at.is_not(None))
        .order_by(span.c.first_touched_at, span.c.visitor_id)
        .limit(1)
    )


# ---------------------------------------------------------------- counted


def _entered() -> CTE:
    """A row for each stage but `visitor` that a person entered, and how long after the one before it (null: the first, or implied)."""
    row = _change.c
    before = func.lag(micros(row.entered_at)).over(partition_by=(row.person_id, row.is_implied), order_by=row.position)
    duration = case((row.is_implied.is_(False), micros(row.entered_at) - before))
    return (
        select(
            row.person_id, row.stage, micros(row.entered_at).label("entered_at"), row.is_implied, row.detail, row.moving_space,
            row.moving_deal_id, duration.label("duration"),
        )
        .where(of_site(_change), row.person_id != "", row.person_id.not_in(internal_people()), is_shown())
        .cte("stages_in_order")
    )  # fmt: skip


def entries(
    by: Sequence[str], *, has_start: bool, has_end: bool, grouped: Sequence[Property] = (), conditions: Sequence[Condition] = ()
) -> CTE:
    """A row for each stage that a person entered in the interval (`:starts_at`, `:ends_at`), with the dimensions of its first touch.

    Unidentified visitors are among them: `visitor` is told by the first touch. With conditions, people without a touch are left
    out. Index: `ix_visitor_spans__person`, the keys of `touches`, `origin_labels`, `events`.
    """
    first, entered = first_touches(False, False, conditions), _entered()
    properties = {each.name: value_of_person(_now, each, first) for each in grouped}
    names = [(properties[name] if name in properties else dimension(name)).label(name) for name in by]
    seen = select(first.c.person_id, first.c.touched_at, *names).select_from(with_labels(first, by)).cte("people_seen")
    nothing = literal(None, tables.Key)
    visits = select(
        *(seen.c[name] for name in by), literal("visitor").label("stage"), literal(False).label("is_implied"), nothing.label("detail"),
        nothing.label("moving_space"), nothing.label("moving_deal_id"), seen.c.touched_at.label("entered_at"),
        literal(None, BigInteger).label("duration"),
    )  # fmt: skip
    joined = entered.outerjoin(seen, seen.c.person_id == entered.c.person_id)
    row = entered.c
    moves = (
        select(
            *(func.coalesce(seen.c[name], NO_TOUCH).label(name) for name in by), row.stage, row.is_implied, row.detail,
            row.moving_space, row.moving_deal_id, row.entered_at, row.duration,
        )
        .select_from(joined)
        .where(row.stage != "visitor", *([seen.c.person_id.is_not(None)] if conditions else []))
    )  # fmt: skip
    both = union_all(visits, moves).cte("entries_of_all_times")
    wanted = [both.c.entered_at >= bindparam("starts_at", type_=BigInteger)] if has_start else []
    wanted += [both.c.entered_at < bindparam("ends_at", type_=BigInteger)] if has_end else []
    return select(*both.columns).where(*wanted).cte("entries")


def _now(table: Table) -> FromClause:
    return table


def entries_by_stage(entered: CTE, by: Sequence[str]) -> Select[Any]:
    """A row a tuple of the dimensions and stage: how often it was `entered`, and how often only `implied`."""
    keys = [*(entered.c[name] for name in by), entered.c.stage]
    implied = func.count(case((entered.c.is_implied.is_(True), 1)))
    return select(*keys, (func.count() - implied).label("entered"), implied.label("implied")).group_by(*keys)


def durations(entered: CTE) -> CTE:
    """A row for each entry of which it is known how long after the stage before it came."""
    return select(*entered.columns).where(entered.c.duration.is_not(None)).cte("durations")


def entries_by_reason(entered: CTE, by: Sequence[str], stages: Sequence[str]) -> Select[Any]:
    """A row a tuple of the dimensions, stage and `reason` (empty: none was given): how often that stage was `entered` for it.

    Why a deal was lost, the deal says. Index: the key of `deals`.
    """
    deal = tables.deals
    is_its = and_(of_site(deal), deal.c.space == entered.c.moving_space, deal.c.deal_id == entered.c.moving_deal_id)
    told = (
        select(*(entered.c[name] for name in by), entered.c.stage, func.coalesce(entered.c.detail, deal.c.lost_reason, "").label("reason"))
        .select_from(entered.outerjoin(deal, is_its))
        .where(entered.c.stage.in_(stages))
        .cte("told")
    )
    keys = [*(told.c[name] for name in by), told.c.stage, told.c.reason]
    return select(*keys, func.count().label("entered")).group_by(*keys)
