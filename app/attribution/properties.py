"""What is known of a conversion's people, company and deal, as it stands now: expressions to filter and group by.

A conversion has exactly one value of each property, `(not set)` where there is none: of several people the newest; so a
filter and its opposite part all conversions between them, and what is grouped by a property still adds up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
)

from app import tables
from app.attribution.joins import KEY, same_conversion
from app.attribution.question import Question
from app.journeys.conversions import DEAL_KINDS
from app.sites.properties import CUSTOMER, NOT_SET, OF_PEOPLE, Condition, Property
from app.tables import of_site

Rows = Callable[[Table], FromClause]
"""Of a table, the rows to read: `Question.rows`."""
EMPLOYER = ""
"""The property of a person that names the record of the company that it works for."""


def holds(question: Question, condition: Condition, conversions: FromClause, known: CTE | None) -> ColumnElement[bool]:
    """Whether a condition holds of a row of `conversions`, any table with the key of a conversion; `known` as in `value_of`."""
    if condition.property == CUSTOMER:
        return _is_customer(known, condition)
    return _is_among(value_of(question, condition.property, conversions, known), condition)


def holds_of_person(rows: Rows, condition: Condition, people: FromClause) -> ColumnElement[bool]:
    """Whether a condition on a person or its company holds of a row of `people`, any table with a `person_id`."""
    return _is_among(value_of_person(rows, condition.property, people), condition)


def whoever_is_asked(question: Question, people: FromClause) -> list[ColumnElement[bool]]:
    """Which people a question about conversions looks at who have none: its conditions on people and companies. What it says of deals
    tells nothing of them."""
    of_people = [each for each in question.conditions if each.property.of in OF_PEOPLE]
    return [holds_of_person(question.rows, each, people) for each in of_people]


def _is_among(value: ColumnElement[str], condition: Condition) -> ColumnElement[bool]:
    return value.not_in(condition.values) if condition.is_not else value.in_(condition.values)


def value_of(question: Question, asked: Property, conversions: FromClause, known: CTE | None) -> ColumnElement[str]:
    """The text of a property of a row of `conversions`, never null. Index: the keys of `properties`, `deals`, `conversion_people`.

    `known` is what `known_customers` gave for the question; the statement reads `conversions` as `with_known` gives them.
    """
    if asked == CUSTOMER:
        return case((_is_known(known), "existing"), else_="new")
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


def _people_of(rows: Rows, conversions: FromClause, name: str) -> tuple[FromClause, ColumnElement[bool]]:
    """Whose conversion it is, or whom its deal names: of those who only share its journey nothing is asked."""
    person = rows(tables.conversion_people).alias(name)
    return person, and_(same_conversion(person.c, conversions.c), person.c.is_contact.is_(True))


def _is_said(said: FromClause, of_holder: ColumnElement[bool], source: str) -> ColumnElement[bool]:
    return and_(of_site(said), of_holder, said.c.property == literal(source, tables.Key))


# ---------------------------------------------------------------- of deals


def _deal_of(rows: Rows, conversions: FromClause) -> tuple[FromClause, ColumnElement[bool]]:
    deal = rows(tables.deals).alias("its_deal")
    return deal, and_(of_site(deal), deal.c.space == conversions.c.holder_id, deal.c.deal_id == conversions.c.fact_id)


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
    person, is_its = _people_of(rows, conversions, "described_people")
    said = _properties(rows, "said_of_people")
    return (
        select(said.c.value)
        .join_from(person, said, _is_said(said, said.c.holder_id == person.c.person_id, source))
        .where(is_its)
        .order_by(said.c.occurred_at.desc(), said.c.fact_id.desc(), said.c.holder_id)
        .limit(1)
    )


def _of_company_of_people(rows: Rows, source: str, conversions: FromClause) -> Select[Any]:
    """What was said last of any company that the people work for."""
    person, is_its = _people_of(rows, conversions, "employed_people")
    employer, said = _properties(rows, "employers"), _properties(rows, "said_of_employers")
    return (
        select(said.c.value)
        .join_from(person, employer, _is_said(employer, employer.c.holder_id == person.c.person_id, EMPLOYER))
        .join(said, _is_said(said, said.c.holder_id == employer.c.value, source))
        .where(is_its)
        .order_by(said.c.occurred_at.desc(), said.c.fact_id.desc(), said.c.holder_id)
        .limit(1)
    )


# ---------------------------------------------------------------- who was a customer before


def known_customers(question: Question) -> CTE | None:
    """A row a conversion of the kind asked about of which a person, or the company of its deal, had won another deal before it.

    None where the question does not ask for it. All at once: one by one, each of a year's conversions takes half a dozen look-ups.
    Reads `conversions`, `conversion_people` and `deals` whole.
    """
    if CUSTOMER not in (*question.grouped, *(each.property for each in question.conditions)):
        return None
    rows, conversion = question.rows, question.rows(tables.conversions).alias("its_conversion")
    of_kind = select(*(conversion.c[name] for name in KEY)).where(of_site(conversion), conversion.c.kind == bindparam("kind"))
    person, is_its = _people_of(rows, conversion, "its_people")
    won = _first_wins_of_people(rows)
    is_theirs = and_(won.c.person_id == person.c.person_id, _is_before(won, conversion))
    ways = [of_kind.join_from(conversion, person, is_its).join(won, is_theirs)]
    if question.kind in DEAL_KINDS:
        won = _first_wins_of_companies(rows)
        is_its = and_(won.c.space == conversion.c.holder_id, won.c.deal_id == conversion.c.fact_id)
        ways.append(of_kind.join_from(conversion, won, and_(is_its, _is_before(won, conversion))))
    return union(*ways).cte("known_customers")


def _first_wins_of_people(rows: Rows) -> CTE:
    """A row a person who has won a deal: when it first did."""
    person, won = rows(tables.conversion_people).alias("winners"), rows(tables.conversions).alias("wins_of_people")
    is_win = and_(same_conversion(won.c, person.c), won.c.kind == "customer")
    is_theirs = and_(of_site(person), person.c.kind == "customer", person.c.is_contact.is_(True))
    wins = select(person.c.person_id, func.min(won.c.occurred_at).label("won_at")).join_from(person, won, is_win)
    return wins.where(is_theirs).group_by(person.c.person_id).cte("first_wins_of_people")


def _first_wins_of_companies(rows: Rows) -> CTE:
    """A row a deal of a company, by its ID: when the company first won one; null if it never did."""
    deal, won = rows(tables.deals).alias("deals_of_companies"), rows(tables.conversions).alias("wins_of_companies")
    is_win = and_(of_site(won), won.c.kind == "customer", won.c.holder_id == deal.c.space, won.c.fact_id == deal.c.deal_id)
    first = func.min(won.c.occurred_at).over(partition_by=(deal.c.space, deal.c.company_id)).label("won_at")
    deals = select(deal.c.space, deal.c.deal_id, first).select_from(deal.outerjoin(won, is_win))
    return deals.where(of_site(deal), deal.c.company_id.is_not(None)).cte("first_wins_of_companies")


def _is_before(won: FromClause, conversion: FromClause) -> ColumnElement[bool]:
    """A conversion's own win is never before it."""
    return won.c.won_at < conversion.c.occurred_at


def with_known(conversions: FromClause, known: CTE | None) -> FromClause:
    """Rows with the key of a conversion, beside each its row of `known_customers`, if it has one."""
    return conversions if known is None else conversions.outerjoin(known, and_(*(known.c[name] == conversions.c[name] for name in KEY)))


def _is_known(known: CTE | None) -> ColumnElement[bool]:
    assert known is not None, "the question asks who was a customer, so known_customers has an answer"
    return known.c.fact_id.is_not(None)


def _is_customer(known: CTE | None, condition: Condition) -> ColumnElement[bool]:
    """Whether a condition on who was a customer holds: said of the join itself, so that planners know how many rows are left."""
    each = {"existing": _is_known(known), "new": ~_is_known(known)}
    return or_(false(), *(is_so for value, is_so in each.items() if (value in condition.values) != condition.is_not))


def is_of_known_customer(question: Question, conversions: FromClause) -> ColumnElement[bool]:
    """Whether a row of `conversions` is among `known_customers`: for a few rows.

    Index: `ix_conversion_people__person`, `ix_deals__company`, the keys of `conversions` and `conversion_people`.
    """
    conversion = question.rows(tables.conversions).alias("its_conversion")
    has_bought = _has_person_bought(question.rows, conversion)
    if question.kind in DEAL_KINDS:
        has_bought = or_(has_bought, _has_company_bought(question.rows, conversion))
    return exists().where(same_conversion(conversion.c, conversions.c), has_bought).correlate(conversions)


def _has_person_bought(rows: Rows, conversion: FromClause) -> ColumnElement[bool]:
    person, is_of_it = _people_of(rows, conversion, "its_people")
    other = rows(tables.conversion_people).alias("earlier_people")
    is_theirs = and_(of_site(other), other.c.person_id == person.c.person_id, other.c.kind == "customer", other.c.is_contact.is_(True))
    is_win = _is_earlier_win(rows, conversion, other.c.holder_id, other.c.fact_id, other)
    return exists().select_from(person.join(other, is_theirs)).where(is_of_it, is_win).correlate(conversion)


def _has_company_bought(rows: Rows, conversion: FromClause) -> ColumnElement[bool]:
    deal, is_its = _deal_of(rows, conversion)
    theirs = rows(tables.deals).alias("deals_of_company")
    is_of_company = and_(of_site(theirs), theirs.c.space == deal.c.space, theirs.c.company_id == deal.c.company_id)
    is_win = _is_earlier_win(rows, conversion, theirs.c.space, theirs.c.deal_id, theirs)
    return exists().select_from(deal.join(theirs, is_of_company)).where(is_its, is_win).correlate(conversion)


def _is_earlier_win(
    rows: Rows, conversion: FromClause, holder_id: ColumnElement[Any], fact_id: ColumnElement[Any], deals: FromClause
) -> ColumnElement[bool]:
    """Whether a deal, of a row of `deals`, is another and was won before the conversion. A nested lookup, not a join: a planner without
    statistics would begin with all wins of the site."""
    won = rows(tables.conversions).alias("earlier_wins")
    is_other = tuple_(won.c.holder_id, won.c.fact_id) != tuple_(conversion.c.holder_id, conversion.c.fact_id)
    is_it = and_(of_site(won), won.c.kind == "customer", won.c.holder_id == holder_id, won.c.fact_id == fact_id)
    return exists().where(is_it, is_other, won.c.occurred_at < conversion.c.occurred_at).correlate(conversion, deals)
