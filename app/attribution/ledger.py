"""What counts: the entries of the ledger, their sides, and why no touch earned some of them.

The ledger has an entry at a conversion and one for each later change of its net amount. An entry has one or two *sides*:
the net after it (to be added) and, where there was one, the net before it (to be taken back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from app import tables
from app.attribution.joins import KEY, same_conversion, touch_of, with_labels
from app.attribution.properties import holds, known_customers, value_of, with_known
from app.attribution.question import MILLION, Question
from app.attribution.reach import is_in_reach
from app.attribution.worth import worth
from app.db import micros
from app.history import first_touch_then, rows_then

CREDIT = ("millionths", "minor")
"""What is credited."""
LEDGER = (*CREDIT, "early_millionths")
"""What a row of the ledger counts."""


def counted(question: Question, known: CTE | None) -> list[ColumnElement[bool]]:
    """Which ledger entries are asked for; `known` as in `holds`. Index: `ix_ledger_entries__counted`, or the primary key for one
    conversion."""
    entries = question.rows(tables.ledger_entries)
    entry = entries.c
    conditions = [entry.site_id == bindparam("site_id"), entry.kind == bindparam("kind")]
    if question.starts_at is not None:
        conditions.append(entry.counted_at >= bindparam("starts_at", type_=BigInteger))
    if question.ends_at is not None:
        conditions.append(entry.counted_at < bindparam("ends_at", type_=BigInteger))
    if question.conversion is not None:
        conditions += [entry.holder_id == bindparam("holder_id"), entry.fact_id == bindparam("fact_id")]
    if question.stood is not None:
        conditions += [_stood(entries, "as_of"), _stood(entries, "until") if question.stood == "both" else ~_stood(entries, "until")]
    return [*conditions, *(holds(question, condition, entries, known) for condition in question.conditions)]


def _stood(entries: FromClause, moment: str) -> ColumnElement[bool]:
    """Whether the ledger held an entry's conversion at a moment. Index: the primary key of the ledger and of its history."""
    first = rows_then(tables.ledger_entries, moment).alias(f"first_entries_{moment}")
    return exists().where(same_conversion(first.c, entries.c), first.c.entry == 0)


def sides(question: Question, *also: ColumnElement[bool]) -> CTE:
    """A row a side of a ledger entry: what is to be split over the touches of its conversion.

    Which `entry`, and by its `sign` which side (1: after it, −1: before it); `millionths` of a conversion; `magnitude` of money
    in minor units, and the `direction` (1 or −1) in which it counts;
    `currency` and `is_convertible`, whether it is the site's own; the times of the conversion and its milestones. A side
    is named by a bare number, which sorts faster than a key of three texts. And a column for each property that is grouped by.
    `also`: further conditions on its ledger entry.
    Reads `ledger_entries` as `counted` says, and `conversions` by primary key.
    """
    entries, conversions = question.rows(tables.ledger_entries), question.rows(tables.conversions)
    entry, conversion, known = entries.c, conversions.c, known_customers(question)
    signs = union_all(select(literal(1).label("sign")), select(literal(-1))).cte("signs")
    minor = case((signs.c.sign == 1, worth(question, entries, conversion.currency)), else_=entry.before_minor)
    is_convertible = or_(conversion.currency.is_(None), conversion.currency == bindparam("currency"))
    return (
        select(
            func.row_number().over().label("side"),
            *(entry[name] for name in (*KEY, "entry")),
            signs.c.sign,
            entry.counted_on,
            *(conversion[name] for name in ("occurred_at", "lead_at", "opportunity_at")),
            conversion.has_people,
            conversion.currency,
            is_convertible.label("is_convertible"),
            case((signs.c.sign == 1, entry.counts * literal(MILLION, BigInteger)), else_=0).label("millionths"),
            func.abs(minor).label("magnitude"),
            (signs.c.sign * case((minor < 0, -1), else_=1)).label("direction"),
            *(value_of(question, each, entries, known).label(each.column) for each in question.grouped),
        )
        .select_from(with_known(entries, known))
        .join(conversions, same_conversion(conversion, entry))
        .join(signs, or_(signs.c.sign == 1, entry.before_minor != 0))
        .where(*counted(question, known), *also)
        .cte("sides")
    )


def ledger_by_reason(question: Question) -> Select[Any]:
    """A row a reason and currency: `millionths` and `minor` of all that is counted. Reason null: touches earned it.

    Money in another currency than the site's stands in the rows where `is_convertible` is false, in its own minor units.
    `early_millionths` is the part whose first touch, of whatever channel, lies before the look-back.
    Reads what `sides` reads, `journeys` and `journey_touches` by primary key, `visitor_spans` by `ix_visitor_spans__first_touch`.
    """
    outcome = outcomes(question, sides(question))
    keys = [outcome.c.reason, outcome.c.is_convertible, outcome.c.currency]
    return select(*keys, *sums_of(outcome, LEDGER)).group_by(*keys)


def outcomes(question: Question, over: CTE) -> CTE:
    """A row a side: its day, `reason`, `is_convertible`, `currency`, and what it counts, signed."""
    keyed = [over.c.counted_on, _reason(question, over).label("reason"), over.c.is_convertible, over.c.currency]
    journeys = question.rows(tables.journeys)
    joined = over.outerjoin(journeys, same_conversion(journeys.c, over.c))
    minor = (over.c.direction * over.c.magnitude).label("minor")
    early = case((_began_before_lookback(question, over), over.c.millionths), else_=0).label("early_millionths")
    return select(*keyed, over.c.millionths, minor, early).select_from(joined).cte("outcomes")


def sums_of(rows: FromClause, quantities: Sequence[str] = CREDIT) -> list[ColumnElement[int]]:
    """The sums of quantities, as integers of 64 bits."""
    return [cast(func.sum(rows.c[name]), BigInteger).label(name) for name in quantities]


def _reason(question: Question, over: CTE) -> ColumnElement[str | None]:
    """Why no touch earned a side, the first reason that holds; null where touches did."""
    first_visit = _first_visit(question)
    first_touched_at = question.rows(tables.journeys).c.first_touched_at
    has_none = first_touched_at.is_(None)
    is_early = or_(first_visit.is_(None), micros(over.c.occurred_at) < first_visit)
    any_channel = replace(question, exclude_direct=False)
    any_time = replace(any_channel, touches_until="close")
    # A first touch within the look-back is in reach: the common case, told without looking at any touch.
    is_recent = ~_began_before_lookback(question, over)
    if question.touches_until != "close":
        is_recent = and_(is_recent, first_touched_at <= over.c[f"{question.touches_until}_at"])
    return case(
        *([] if question.exclude_direct else [(is_recent, None)]),
        (is_reached(question, over), None),
        (~over.c.has_people, "no_contact"),
        (and_(has_none, is_early), "before_tracking_began"),
        (has_none, "no_touch"),
        (~is_reached(any_time, over), "outside_lookback"),
        *([] if question.touches_until == "close" else _late(any_channel, over)),
        else_="only_direct",
    )


def _late(any_channel: Question, over: CTE) -> list[tuple[ColumnElement[bool], str]]:
    """Why no touch came by the milestone up to which touches take part."""
    milestone = over.c[f"{any_channel.touches_until}_at"]
    return [(milestone.is_(None), "no_milestone"), (~is_reached(any_channel, over), "after_milestone")]


def _began_before_lookback(question: Question, over: CTE) -> ColumnElement[bool]:
    """Whether the first touch of a journey, of whatever channel, lies before the look-back; null where there is none."""
    first_touched_at = question.rows(tables.journeys).c.first_touched_at
    return micros(first_touched_at) < micros(over.c.occurred_at) - bindparam("lookback", type_=BigInteger)


def _first_visit(question: Question) -> ColumnElement[int]:
    """The site's first touch, in microseconds; null where there is none."""
    if question.as_of is not None:
        return first_touch_then().scalar_subquery()
    span = tables.visitor_spans.c
    return select(func.min(micros(span.first_touched_at))).where(span.site_id == bindparam("site_id")).scalar_subquery()


def is_reached(question: Question, over: CTE) -> ColumnElement[bool]:
    touches = question.rows(tables.journey_touches)
    labelled = with_labels(question, touches, needed=question.exclude_direct)
    return exists().select_from(labelled).where(touch_of(touches, over.c), is_in_reach(question, over.c)).correlate(over)
