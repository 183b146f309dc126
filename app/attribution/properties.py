"""What is known of a conversion's people, company and deal, as it stands now: expressions to filter and group by.

A conversion has exactly one value of each property, `(not set)` where there is none: of several people the newest; so a
filter and its opposite part all conversions between them, and what is grouped by a property still adds up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, and_, bindparam, case, exists, func, literal, or_, select, tuple_

from app import tables
from app.attribution.question import Question
from app.journeys.conversions import DEAL_KINDS
from app.sites.properties import CUSTOMER, NOT_SET, Condition, Property

Rows = Callable[[Table], FromClause]
"""Of a table, the rows to read: `Question.rows`."""
EMPLOYER = ""
"""The property of a person that names the record of the company that it works for."""
_KEY = ("kind", "holder_id", "fact_id")


def holds(question: Question, condition: Condition, conversions: FromClause) -> ColumnElement[bool]:
    """Whether a condition holds of a row of `conversions`, any table with the key of a conversion."""
    return _is_among(value_of(question, condition.property, conversions), condition)


def holds_of_person(rows: Rows, condition: Condition, people: FromClause) -> ColumnElement[bool]:
    """Whether a condition on a person or its company holds of a row of `people`, any table with a `person_id`."""
    return _is_among(value_of_person(rows, condition.property, people), condition)


def _is_among(value: ColumnElement[str], condition: Condition) -> ColumnElement[bool]:
    return value.not_in(condition.values) if condition.is_not else value.in_(condition.values)


def value_of(question: Question, asked: Property, conversions: FromClause) -> ColumnElement[str]:
    """The text of a property of a row of `conversions`, never null. Index: the keys of `properties`, `deals`, `conversion_people`."""
    if asked == CUSTOMER:
        return case((_is_of_known_customer(question.rows, conversions), "existing"), else_="new")
    if asked.of == "person":
        return _text(_of_people(question.rows, asked.source, conversions), conversions)
    if asked.of == "company":
        of_company = _of_company_of_deal if question.kind in DEAL_KINDS else _of_company_of_people
        return _text(of_company(question.rows, asked.source, conversions), conversions)
    if question.kind not in DEAL_KINDS:
        return literal(NOT_SET, tables.Key)
    return _text((_column_of_deal if asked.is_built_in else _of_deal)(question.rows, asked.source, conversions), conversions)


def value_of_person(rows: Rows, asked: Property, people: FromClause) -> ColumnElement[str]:
    """The text of a property of a person, or of the company that it works for, never null. Index: the key of `properties`."""
    said, employer = _properties(rows, "said"), _properties(rows, "employers")
    works_for = _is_said(employer, employer.c.holder_id == people.c.person_id, EMPLOYER)
    if asked.of == "company":
        of_employer = _is_said(said, said.c.holder_id == employer.c.value, asked.source)
        value = select(said.c.value).join_from(employer, said, of_employer).where(works_for)
    else:
        value = select(said.c.value).where(_is_said(said, said.c.holder_id == people.c.person_id, asked.source))
    return _text(value, people)


def _text(value: Select[Any], outer: FromClause) -> ColumnElement[str]:
    """A value, of a row of `outer`, as it is shown."""
    return func.coalesce(func.nullif(value.correlate(outer).scalar_subquery(), ""), NOT_SET)


def _properties(rows: Rows, name: str) -> FromClause:
    # By a name of its own: whatever the statement around it reads too must not be taken for this.
    return rows(tables.properties).alias(name)


def _site(table: FromClause) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.c.site_id == bindparam("site_id")
    return condition


def _is_said(said: FromClause, of_holder: ColumnElement[bool], source: str) -> ColumnElement[bool]:
    return and_(_site(said), of_holder, said.c.property == literal(source, tables.Key))


def _same(table: FromClause, conversions: FromClause) -> ColumnElement[bool]:
    return and_(_site(table), *(table.c[name] == conversions.c[name] for name in _KEY))


# ---------------------------------------------------------------- of deals


def _deal_of(rows: Rows, conversions: FromClause) -> tuple[FromClause, ColumnElement[bool]]:
    deal = rows(tables.deals).alias("its_deal")
    return deal, and_(_site(deal), deal.c.space == conversions.c.holder_id, deal.c.deal_id == conversions.c.fact_id)


def _column_of_deal(rows: Rows, column: str, conversions: FromClause) -> Select[Any]:
    deal, is_its = _deal_of(rows, conversions)
    return select(deal.c[column]).where(is_its)


def _of_deal(rows: Rows, source: str, conversions: FromClause) -> Select[Any]:
    said = _properties(rows, "said_of_deal")
    record = literal("deal:", tables.Key).concat(conversions.c.holder_id).concat("/").concat(conversions.c.fact_id)
    return select(said.c.value).where(_is_said(said, said.c.holder_id == record, source))


def _of_company_of_deal(rows: Rows, source: str, conversions: FromClause) -> Select[Any]:
    """What was said last of the deal's company, by its ID or its domain, or else by its name (as `company_records` names it)."""
    deal, is_its = _deal_of(rows, conversions)
    said = _properties(rows, "said_of_company")
    has_key = or_(func.coalesce(deal.c.company_id, "") != "", func.coalesce(deal.c.company_domain, "") != "")

    def record(kind: str, text: ColumnElement[Any]) -> ColumnElement[Any]:
        return literal("company:", tables.Key).concat(deal.c.space).concat(f"/{kind}:").concat(text)

    name = case((~has_key, deal.c.company_name))
    records = (record("id", deal.c.company_id), record("domain", deal.c.company_domain), record("name", name))
    return (
        select(said.c.value)
        .join_from(deal, said, _is_said(said, said.c.holder_id.in_(records), source))
        .where(is_its)
        .order_by(said.c.occurred_at.desc(), said.c.fact_id.desc(), said.c.holder_id)
        .limit(1)
    )


# ---------------------------------------------------------------- of people


def _of_people(rows: Rows, source: str, conversions: FromClause) -> Select[Any]:
    """What was said last of any of the people."""
    person, said = rows(tables.conversion_people).alias("described_people"), _properties(rows, "said_of_people")
    return (
        select(said.c.value)
        .join_from(person, said, _is_said(said, said.c.holder_id == person.c.person_id, source))
        .where(_same(person, conversions))
        .order_by(said.c.occurred_at.desc(), said.c.fact_id.desc(), said.c.holder_id)
        .limit(1)
    )


def _of_company_of_people(rows: Rows, source: str, conversions: FromClause) -> Select[Any]:
    """What was said last of any company that the people work for."""
    person, employer = rows(tables.conversion_people).alias("employed_people"), _properties(rows, "employers")
    said = _properties(rows, "said_of_employers")
    return (
        select(said.c.value)
        .join_from(person, employer, _is_said(employer, employer.c.holder_id == person.c.person_id, EMPLOYER))
        .join(said, _is_said(said, said.c.holder_id == employer.c.value, source))
        .where(_same(person, conversions))
        .order_by(said.c.occurred_at.desc(), said.c.fact_id.desc(), said.c.holder_id)
        .limit(1)
    )


def _is_of_known_customer(rows: Rows, conversions: FromClause) -> ColumnElement[bool]:
    """Whether a person of the conversion, or the company of its deal, had won another deal before it.

    Index: `ix_conversion_people__person`, `ix_deals__company`.
    """
    conversion, won = rows(tables.conversions).alias("its_conversion"), rows(tables.conversions).alias("earlier_wins")
    person, other = rows(tables.conversion_people).alias("its_people"), rows(tables.conversion_people).alias("earlier_people")
    deal, theirs = rows(tables.deals).alias("deal_of_it"), rows(tables.deals).alias("deals_of_company")
    is_its = _same(conversion, conversions)
    is_earlier = and_(
        _site(won),
        won.c.kind == "customer",
        won.c.occurred_at < conversion.c.occurred_at,
        tuple_(won.c.holder_id, won.c.fact_id) != tuple_(conversion.c.holder_id, conversion.c.fact_id),
    )
    by_person = (
        exists()
        .select_from(conversion.join(person, _same(person, conversion)))
        .where(is_its, _site(other), other.c.person_id == person.c.person_id, other.c.kind == "customer", _same(won, other), is_earlier)
    )
    is_deal = and_(_site(deal), deal.c.space == conversion.c.holder_id, deal.c.deal_id == conversion.c.fact_id)
    of_company = and_(_site(theirs), theirs.c.space == deal.c.space, theirs.c.company_id == deal.c.company_id)
    has_won = and_(won.c.holder_id == theirs.c.space, won.c.fact_id == theirs.c.deal_id, is_earlier)
    by_company = (
        exists()
        .select_from(conversion.join(deal, is_deal))
        .where(is_its, conversion.c.kind.in_(DEAL_KINDS), of_company, has_won)
    )
    return or_(by_person.correlate(conversions), by_company.correlate(conversions))
