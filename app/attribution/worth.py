"""What an opportunity is worth: in the ledger its deal's amount as it is, beside it the amount at creation and what is still open."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, and_, bindparam, cast, func, select

from app import tables
from app.attribution.question import Question
from app.deals.currencies import minor_units, ten_thousandths_per_minor_unit


def worth(question: Question, entries: FromClause, currency: ColumnElement[str]) -> ColumnElement[int]:
    """The net amount after an entry of the ledger, or what the question takes in its place (for kind `opportunity` only).

    Reads `deals` or `deal_fields` by primary key.
    """
    if question.worth == "creation":
        return _at_creation(entries, currency)
    if question.worth == "open":
        return _still_open(question, entries)
    after: ColumnElement[int] = entries.c.after_minor
    return after


def _of_deal(table: Any, entries: FromClause) -> ColumnElement[bool]:
    same = and_(table.space == entries.c.holder_id, table.deal_id == entries.c.fact_id)
    return and_(table.site_id == bindparam("site_id"), same)


def _still_open(question: Question, entries: FromClause) -> ColumnElement[int]:
    """The deal's amount if it is neither won nor lost, else nothing."""
    deals = question.rows(tables.deals)
    amount = select(deals.c.amount_minor).where(_of_deal(deals.c, entries), deals.c.outcome == "open").correlate(entries)
    return func.coalesce(amount.scalar_subquery(), 0)


def _at_creation(entries: FromClause, currency: ColumnElement[str]) -> ColumnElement[int]:
    """The last amount known when the deal opened, else the first one known after; where no message said any, as it is now."""
    opened_at, said_at = entries.c.occurred_at, tables.deal_fields.c.occurred_at
    fact_id = tables.deal_fields.c.fact_id
    last_by_then = _amount_sent(entries, said_at <= opened_at).order_by(said_at.desc(), fact_id.desc())
    first_after = _amount_sent(entries, said_at > opened_at).order_by(said_at, fact_id)
    sent = func.coalesce(last_by_then.scalar_subquery(), first_after.scalar_subquery())
    return func.coalesce(minor_units(sent, ten_thousandths_per_minor_unit(currency)), entries.c.after_minor)


def _amount_sent(entries: FromClause, when: ColumnElement[bool]) -> Select[Any]:
    """At most one row: an amount that a message sent of the deal, in ten-thousandths of the unit. SQLite does not let a subquery be
    ordered by columns from outside, so before and after are asked for apart."""
    field = tables.deal_fields.c
    is_amount = and_(_of_deal(field, entries), field.field == "amount", field.value.is_not(None))
    return select(cast(field.value, BigInteger)).where(is_amount, when).limit(1).correlate(entries)
