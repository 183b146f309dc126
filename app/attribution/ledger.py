"""What counts: the entries of the ledger, their sides, and why no touch earned some of them.

The ledger has an entry at a conversion and one for each later change of its net amount. An entry has one or two *sides*:
the net after it (to be added) and, where there was one, the net before it (to be taken back).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, and_, bindparam, case, cast, exists, func, literal, or_, select, union_all

from app import tables
from app.attribution.joins import KEY, same_conversion, touch_of, with_labels
from app.attribution.question import MILLION, Question
from app.attribution.reach import is_in_reach
from app.db import micros


def counted(question: Question) -> list[ColumnElement[bool]]:
    """Which ledger entries are asked for. Index: `ix_ledger_entries__counted`, or the primary key for one conversion."""
    entry = question.rows(tables.ledger_entries).c
    conditions = [entry.site_id == bindparam("site_id"), entry.kind == bindparam("kind")]
    if question.starts_at is not None:
        conditions.append(entry.counted_at >= bindparam("starts_at", type_=BigInteger))
    if question.ends_at is not None:
        conditions.append(entry.counted_at < bindparam("ends_at", type_=BigInteger))
    if question.conversion is not None:
        conditions += [entry.holder_id == bindparam("holder_id"), entry.fact_id == bindparam("fact_id")]
    return conditions


def sides(question: Question) -> CTE:
    """A row a side of a ledger entry: what is to be split over the touches of its conversion.

    `millionths` of a conversion; `magnitude` of money in minor units, and the `direction` (1 or −1) in which it counts;
    `currency` and `is_convertible`, whether it is the site's own. A side is named by a bare number, which sorts faster
    than a key of three texts.
    Reads `ledger_entries` as `counted` says, and `conversions` by primary key.
    """
    entries, conversions = question.rows(tables.ledger_entries), question.rows(tables.conversions)
    entry, conversion = entries.c, conversions.c
    signs = union_all(select(literal(1).label("sign")), select(literal(-1))).cte("signs")
    minor = case((signs.c.sign == 1, entry.after_minor), else_=entry.before_minor)
    is_convertible = or_(conversion.currency.is_(None), conversion.currency == bindparam("currency"))
    return (
        select(
            func.row_number().over().label("side"),
            *(entry[name] for name in KEY),
            micros(conversion.occurred_at).label("ended_at"),
            conversion.has_people,
            conversion.currency,
            is_convertible.label("is_convertible"),
            case((signs.c.sign == 1, entry.counts * literal(MILLION, BigInteger)), else_=0).label("millionths"),
            func.abs(minor).label("magnitude"),
            (signs.c.sign * case((minor < 0, -1), else_=1)).label("direction"),
        )
        .select_from(entries)
        .join(conversions, same_conversion(conversion, entry))
        .join(signs, or_(signs.c.sign == 1, entry.before_minor != 0))
        .where(*counted(question))
        .cte("sides")
    )


def ledger_by_reason(question: Question) -> Select[Any]:
    """A row a reason and currency: `millionths` and `minor` of all that is counted. Reason null: touches earned it.

    Money in another currency than the site's stands in the rows where `is_convertible` is false, in its own minor units.
    Reads what `sides` reads, `journeys` and `journey_touches` by primary key, `visitor_spans` by `ix_visitor_spans__first_touch`.
    """
    over = sides(question)
    reason = _reason(question, over)
    keyed = [reason.label("reason"), over.c.is_convertible, over.c.currency]
    journeys = question.rows(tables.journeys)
    joined = over.outerjoin(journeys, same_conversion(journeys.c, over.c))
    outcome = select(*keyed, over.c.millionths, (over.c.direction * over.c.magnitude).label("minor")).select_from(joined).cte("outcomes")
    sums = [cast(func.sum(outcome.c[name]), BigInteger).label(name) for name in ("millionths", "minor")]
    keys = [outcome.c.reason, outcome.c.is_convertible, outcome.c.currency]
    return select(*keys, *sums).group_by(*keys)


def _reason(question: Question, over: CTE) -> ColumnElement[str | None]:
    """Why no touch earned a side, the first reason that holds; null where touches did."""
    first_visit = (
        select(func.min(micros(tables.visitor_spans.c.first_touched_at)))
        .where(tables.visitor_spans.c.site_id == bindparam("site_id"))
        .scalar_subquery()
    )
    first_touched_at = question.rows(tables.journeys).c.first_touched_at
    has_none = first_touched_at.is_(None)
    is_early = or_(first_visit.is_(None), over.c.ended_at < first_visit)
    any_channel = Question(**{**vars(question), "exclude_direct": False})
    # A first touch within the look-back is in reach: the common case, told without looking at any touch.
    is_recent = micros(first_touched_at) >= over.c.ended_at - bindparam("lookback", type_=BigInteger)
    return case(
        *([] if question.exclude_direct else [(is_recent, None)]),
        (is_reached(question, over), None),
        (~over.c.has_people, "no_contact"),
        (and_(has_none, is_early), "before_tracking_began"),
        (has_none, "no_touch"),
        (~is_reached(any_channel, over), "outside_lookback"),
        else_="only_direct",
    )


def is_reached(question: Question, over: CTE) -> ColumnElement[bool]:
    touches = question.rows(tables.journey_touches)
    labelled = with_labels(question, touches, needed=question.exclude_direct)
    return exists().select_from(labelled).where(touch_of(touches, over.c), is_in_reach(question, over.c.ended_at)).correlate(over)
