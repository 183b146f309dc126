"""How deals turned out: every change of outcome, as the CRM said it outright or by a stage that means won or lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, literal, null, or_, select, union_all

from app import tables
from app.swap import is_dirty, of_site

_BY_STAGE, _OUTRIGHT = 0, 1
"""Where one fact says both, what it says outright comes last, and so holds."""


def of_dirty_deals(table: Any) -> ColumnElement[bool]:
    """Rows of the deals being folded. Index: a primary key that begins with (`site_id`, `space`, `deal_id`)."""
    return and_(of_site(table), is_dirty(tables.deals_queue, table.c.space, table.c.deal_id))


def in_order(source: Any) -> tuple[ColumnElement[Any], ...]:
    """The order of facts: two of one instant go by their IDs, so that arrival does not matter."""
    return (source.occurred_at, source.fact_id)


def of_deal(source: Any) -> dict[str, Any]:
    """A window over one deal's rows in the order of facts."""
    return {"partition_by": (source.space, source.deal_id), "order_by": in_order(source)}


def same_deal(left: Any, right: Any) -> ColumnElement[bool]:
    """Whether two sources (by their columns) speak of one deal."""
    return and_(left.space == right.space, left.deal_id == right.deal_id)


def _said() -> Select[Any]:
    """A row for each fact that says the outcome outright."""
    change = tables.deal_changes.c
    return select(
        change.space, change.deal_id, change.occurred_at, change.fact_id, literal(_OUTRIGHT).label("way"), change.change.label("change")
    ).where(of_dirty_deals(tables.deal_changes), change.change.in_(("won", "lost", "reopened")))


def _stages_entered() -> Select[Any]:
    """A row for each stage that a fact sent; `change` is null for a stage that means neither won nor lost."""
    field, stage = tables.deal_fields.c, tables.deal_stages.c
    return (
        select(
            field.space, field.deal_id, field.occurred_at, field.fact_id, literal(_BY_STAGE).label("way"), stage.outcome.label("change")
        )
        .join_from(
            tables.deal_fields,
            tables.deal_stages,
            and_(of_site(tables.deal_stages), stage.space == field.space, stage.stage == field.value),
            isouter=True,
        )
        .where(of_dirty_deals(tables.deal_fields), field.field == "stage")
    )


def _outcomes() -> CTE:
    """A row for each `won`, `lost` or `reopened` of a dirty deal, repetitions included.

    A stage that means nothing reopens a deal only if its last outcome came from a stage too: a CRM that says
    outright that a deal is won may go on to move it through stages of its own ('Onboarding').
    """
    said = union_all(_said(), _stages_entered()).cte("outcomes_said")
    window: Any = {"partition_by": (said.c.space, said.c.deal_id), "order_by": (*in_order(said.c), said.c.way)}
    number = func.count(said.c.change).over(**window, rows=(None, 0))
    numbered = select(*said.columns, number.label("outcome_number")).cte("outcomes_numbered")
    row = numbered.c
    came_from_stage = func.max(case((and_(row.change.is_not(None), row.way == _BY_STAGE), 1), else_=0)).over(
        partition_by=(row.space, row.deal_id, row.outcome_number)
    )
    judged = select(
        row.space, row.deal_id, row.occurred_at, row.fact_id, row.way,
        case((row.change.is_not(None), row.change), (came_from_stage == 1, literal("reopened")), else_=null()).label("change"),
    ).cte("outcomes_judged")  # fmt: skip
    return select(*judged.columns).where(judged.c.change.is_not(None)).cte("outcomes")


def outcome_turns() -> CTE:
    """A row for each turn of a dirty deal's outcome: a change to something else than held before.

    `from_last` is 1 for the turn that holds now. `reopens`: adjustments before this turn are of an earlier close: a
    `reopened`, or a win that overrules a loss. Reads `deal_changes`, `deal_fields`, `deal_stages`.
    """
    outcome = _outcomes().c
    window: Any = {"partition_by": (outcome.space, outcome.deal_id), "order_by": (*in_order(outcome), outcome.way)}
    compared = select(
        outcome.space, outcome.deal_id, outcome.occurred_at, outcome.fact_id, outcome.way, outcome.change,
        func.lag(outcome.change).over(**window).label("change_before"),
    ).cte("outcomes_compared")  # fmt: skip
    row = compared.c
    latest_first = (row.occurred_at.desc(), row.fact_id.desc(), row.way.desc())
    reopens = or_(row.change == "reopened", and_(row.change == "won", row.change_before == "lost"))
    return (
        select(
            row.space, row.deal_id, row.occurred_at, row.fact_id, row.change,
            case((reopens, 1), else_=0).label("reopens"),
            func.row_number().over(partition_by=(row.space, row.deal_id), order_by=latest_first).label("from_last"),
        )
        .where(row.change.is_distinct_from(row.change_before))
        .cte("outcome_turns")
    )  # fmt: skip


def adjustments_in_force(turns: CTE) -> CTE:
    """A row for each adjustment of a dirty deal since it was last reopened. Index: the key of `deal_changes`."""
    turn, change = turns.c, tables.deal_changes.c
    newest = func.row_number().over(partition_by=(turn.space, turn.deal_id), order_by=turn.from_last)
    reopenings = (
        select(turn.space, turn.deal_id, turn.occurred_at, turn.fact_id, newest.label("newest")).where(turn.reopens == 1).cte("reopenings")
    )
    last = reopenings.c
    is_later = or_(change.occurred_at > last.occurred_at, and_(change.occurred_at == last.occurred_at, change.fact_id > last.fact_id))
    return (
        select(change.space, change.deal_id, change.occurred_at, change.fact_id, change.amount_minor)
        .join_from(tables.deal_changes, reopenings, and_(same_deal(last, change), last.newest == 1), isouter=True)
        .where(of_dirty_deals(tables.deal_changes), change.change == "adjusted", or_(last.space.is_(None), is_later))
        .cte("adjustments")
    )
