"""How deals turned out: every change of outcome, as the CRM said it outright or by a stage that means won or lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import CTE, ColumnElement, Insert, Select, Table, and_, bindparam, case, func, insert, literal, null, or_, select, union_all

from app import tables
from app.db import micros
from app.swap import is_dirty
from app.tables import of_site

_BY_STAGE, _OUTRIGHT = 0, 1
"""Where one fact says both, what it says outright comes last, and so holds."""


def of_dirty_deals(table: Any) -> ColumnElement[bool]:
    """Rows of the deals being folded. Index: a primary key that begins with (`site_id`, `space`, `deal_id`)."""
    return and_(of_site(table), is_dirty(tables.deals_queue, table.c.space, table.c.deal_id))


def same_deal(left: Any, right: Any) -> ColumnElement[bool]:
    """Whether two sources (by their columns) speak of one deal."""
    return and_(left.space == right.space, left.deal_id == right.deal_id)


OfDeals = Callable[[Table], ColumnElement[bool]]
"""Which rows of a table are of the deals at hand."""


def _said(of_deals: OfDeals) -> Select[Any]:
    """A row for each fact that says the outcome outright."""
    change = tables.deal_changes.c
    at = micros(change.occurred_at).label("occurred_at")
    return select(change.space, change.deal_id, at, change.fact_id, literal(_OUTRIGHT).label("way"), change.change.label("change")).where(
        of_deals(tables.deal_changes), change.change.in_(("won", "lost", "reopened"))
    )


def _stages_entered(of_deals: OfDeals) -> Select[Any]:
    """A row for each stage that a fact sent; `change` is null for a stage that means neither won nor lost."""
    field, stage = tables.deal_fields.c, tables.deal_stages.c
    at = micros(field.occurred_at).label("occurred_at")
    means = and_(of_site(tables.deal_stages), stage.space == field.space, stage.stage == field.value)
    outcome = case((stage.outcome.in_(("won", "lost")), stage.outcome))
    return (
        select(field.space, field.deal_id, at, field.fact_id, literal(_BY_STAGE).label("way"), outcome.label("change"))
        .join_from(tables.deal_fields, tables.deal_stages, means, isouter=True)
        .where(of_deals(tables.deal_fields), field.field == "stage")
    )


def _in_order(source: Any) -> dict[str, Any]:
    """A window over what was said of one deal, in order."""
    return {"partition_by": (source.space, source.deal_id), "order_by": (source.occurred_at, source.fact_id, source.way)}


def _outcomes(of_deals: OfDeals) -> CTE:
    """A row for each `won`, `lost` or `reopened` of the deals, repetitions included.

    A stage that means nothing reopens a deal only if its last outcome came from a stage too: a CRM that says
    outright that a deal is won may go on to move it through stages of its own ('Onboarding').
    """
    said = union_all(_said(of_deals), _stages_entered(of_deals)).cte("outcomes_said")
    number = func.count(said.c.change).over(**_in_order(said.c), rows=(None, 0))
    row = select(*said.columns, number.label("outcome_number")).cte("outcomes_numbered").c
    came_from_stage = func.max(case((and_(row.change.is_not(None), row.way == _BY_STAGE), 1), else_=0)).over(
        partition_by=(row.space, row.deal_id, row.outcome_number)
    )
    change = case((row.change.is_not(None), row.change), (came_from_stage == 1, literal("reopened")), else_=null())
    judged = select(row.space, row.deal_id, row.occurred_at, row.fact_id, row.way, change.label("change")).cte("outcomes_judged")
    return select(*judged.columns).where(judged.c.change.is_not(None)).cte("outcomes")


def turns(of_deals: OfDeals = of_dirty_deals) -> CTE:
    """A row for each turn of a deal's outcome: a change to something else than held before (`change_before`).

    A turn reopens the deal if it is `reopened`, or a win that overrules a loss: adjustments before it are of an
    earlier close. `last_place`, `reopening_place` say which of the deal's turns are the last of all and of those.
    Every deal begins open, so a CRM that says of each deal how it stands may say of an open one that it was reopened.
    """
    outcome = _outcomes(of_deals).c
    before = func.lag(outcome.change, 1, literal("reopened")).over(**_in_order(outcome)).label("change_before")
    row = select(*outcome, before).cte("outcomes_compared").c
    reopens = or_(row.change == "reopened", and_(row.change == "won", row.change_before == "lost"))
    turned = (
        select(*row, reopens.label("reopens"), func.row_number().over(**_in_order(row)).label("place"))
        .where(row.change.is_distinct_from(row.change_before))
        .cte("outcomes_turned")
    ).c
    deal: Any = {"partition_by": (turned.space, turned.deal_id)}
    return select(
        *turned,
        func.max(turned.place).over(**deal).label("last_place"),
        func.max(case((turned.reopens, turned.place))).over(**deal).label("reopening_place"),
    ).cte("turns")


def outcomes_of_deals() -> Insert:
    """Rows of `deal_outcomes`. Reads `deal_changes`, `deal_fields`, `deal_stages` by their keys."""
    turn = turns().c

    def last(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(case((turn.place == turn.last_place, column)))

    def reopening(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(case((turn.place == turn.reopening_place, column)))

    rows = select(
        bindparam("site_id", type_=tables.Key), turn.space, turn.deal_id,
        last(turn.change), last(turn.occurred_at), last(turn.fact_id), reopening(turn.occurred_at), reopening(turn.fact_id),
    ).group_by(turn.space, turn.deal_id)  # fmt: skip
    return insert(tables.deal_outcomes).from_select([c.name for c in tables.deal_outcomes.columns], rows)


def is_in_force() -> ColumnElement[bool]:
    """Whether a row of `deal_changes` is an adjustment since its deal was last reopened, by its row of `deal_outcomes`, if any."""
    change, outcome = tables.deal_changes.c, tables.deal_outcomes.c
    at = micros(change.occurred_at)
    is_later = or_(at > outcome.reopened_at, and_(at == outcome.reopened_at, change.fact_id > outcome.reopening_fact_id))
    return and_(of_site(tables.deal_changes), change.change == "adjusted", or_(outcome.reopened_at.is_(None), is_later))
