"""Credit, computed when read: which part of each conversion, and of its money, each touch has earned.

The ledger says what counts: an entry at the conversion and one for each later change of its net amount. An entry has
one or two *sides*: the net after it (to be added) and, where there was one, the net before it (to be taken back). Each
side is split over the journey's touches by the largest remainder, in integers, so whatever the rows are grouped by,
they add up to the ledger exactly.

Every statement is for one site and takes the parameters of `Question.parameters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from app.attribution.rules import MODELS, Touch
from app.db import micros

MILLION = 1_000_000
DIRECT = "Direct"
"""The channel that `last_non_direct` and `exclude_direct` pass over."""

DIMENSIONS = ("channel", "source", "medium", "campaign", "term", "content", "landing_page", "referrer")
"""What credit can be grouped by."""

REASONS = ("no_contact", "before_tracking_began", "no_touch", "outside_lookback", "only_direct")
"""Why no touch earned a conversion, in the order in which they are tried."""

_KEY = ("kind", "holder_id", "fact_id")


@dataclass(frozen=True)
class Question:
    """What credit is asked for. Times are microseconds; the interval is half-open and open-ended where None."""

    site_id: str
    kind: str
    currency: str
    """The site's: amounts in another currency are not credited until they can be converted."""
    lookback_seconds: int
    half_life_seconds: int
    exclude_direct: bool = False
    has_money: bool = True
    """Whether to split money at all: leads and goals have none."""
    starts_at: int | None = None
    ends_at: int | None = None
    conversion: tuple[str, str] | None = None
    """(holder_id, fact_id), to ask about one conversion only."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the statements' bound parameters."""
        holder_id, fact_id = self.conversion or (None, None)
        every = {
            "site_id": self.site_id,
            "kind": self.kind,
            "currency": self.currency,
            "lookback": self.lookback_seconds * MILLION,
            "half_life": self.half_life_seconds * MILLION,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "holder_id": holder_id,
            "fact_id": fact_id,
        }
        return {name: value for name, value in every.items() if value is not None}


# ---------------------------------------------------------------- what is credited


def counted(question: Question) -> list[ColumnElement[bool]]:
    """Which ledger entries are asked for. Index: `ix_ledger_entries__counted`, or the primary key for one conversion."""
    entry = tables.ledger_entries.c
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
    entry, conversion = tables.ledger_entries.c, tables.conversions.c
    signs = union_all(select(literal(1).label("sign")), select(literal(-1))).cte("signs")
    minor = case((signs.c.sign == 1, entry.after_minor), else_=entry.before_minor)
    is_convertible = or_(conversion.currency.is_(None), conversion.currency == bindparam("currency"))
    return (
        select(
            func.row_number().over().label("side"),
            *(entry[name] for name in _KEY),
            micros(conversion.occurred_at).label("ended_at"),
            conversion.has_people,
            conversion.currency,
            is_convertible.label("is_convertible"),
            case((signs.c.sign == 1, entry.counts * literal(MILLION, BigInteger)), else_=0).label("millionths"),
            func.abs(minor).label("magnitude"),
            (signs.c.sign * case((minor < 0, -1), else_=1)).label("direction"),
        )
        .select_from(tables.ledger_entries)
        .join(tables.conversions, _same(conversion, entry))
        .join(signs, or_(signs.c.sign == 1, entry.before_minor != 0))
        .where(*counted(question))
        .cte("sides")
    )


def is_in_reach(question: Question, ended_at: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a journey's touch is no older than the look-back (inclusive) and, if so asked, not Direct.

    Where Direct is left out, `origin_labels` must be joined.
    """
    within = micros(tables.journey_touches.c.occurred_at) >= ended_at - bindparam("lookback", type_=BigInteger)
    return and_(within, ~_is_direct()) if question.exclude_direct else within


def reached(question: Question, over: CTE, carried: Sequence[str], *, labels: bool) -> CTE:
    """A row a touch in reach of a side, with what the models look at. Reads `journey_touches` by primary key."""
    touch, journey = tables.journey_touches.c, over.c.side
    position = touch.position
    last = func.max(position).over(partition_by=journey)
    last_non_direct = func.max(case((~_is_direct(), position))).over(partition_by=journey) if labels else last
    statement = (
        select(
            over.c.side,
            over.c.millionths,
            case((over.c.is_convertible, over.c.magnitude), else_=0).label("magnitude"),
            over.c.direction,
            position,
            *(touch[name] for name in carried),
            (position == func.min(position).over(partition_by=journey)).label("is_first"),
            (position == last).label("is_last"),
            (position == func.coalesce(last_non_direct, last)).label("is_last_non_direct"),
            func.count().over(partition_by=journey).label("length"),
            (func.max(micros(touch.occurred_at)).over(partition_by=journey) - micros(touch.occurred_at)).label("age"),
        )
        .select_from(_with_labels(over.join(tables.journey_touches, _touch_of(over.c)), needed=labels))
        .where(is_in_reach(question, over.c.ended_at))
    )
    return statement.cte("reached")


def credit_rows(question: Question, model: str, carried: Sequence[str] = ("origin_id",)) -> CTE:
    """A row a touch and side: the credit that the touch gets of it.

    Columns: `side`; `millionths` of a conversion; `minor` units of money in the site's currency, signed (0 where the
    question has no money); and the columns of `journey_touches` that are `carried` (each costs time in every window).
    Touches without weight have no row. Reads what `sides` and `reached` read.
    """
    labels = question.exclude_direct or model == "last_non_direct"
    over = sides(question)
    touches = reached(question, over, carried, labels=labels)
    quantities = ("millionths", "magnitude") if question.has_money else ("millionths",)
    kept = ("side", "direction", "position", *carried)
    ranked = _ranked(_shared(_totalled(_weighted(touches, model)), kept, quantities), kept, quantities)
    split = {name: ranked.c[f"{name}_share"] + _left_over_unit(ranked, name) for name in quantities}
    minor = ranked.c.direction * split["magnitude"] if question.has_money else literal(0, BigInteger)
    columns = [ranked.c.side, *(ranked.c[name] for name in carried)]
    return select(*columns, split["millionths"].label("millionths"), minor.label("minor")).cte("credit")


# The split, one step a CTE. With A the whole, w a weight and W the sum of them, a share is (A div W)·w + ((A mod W)·w) div W
# and the claim to a left-over unit ((A mod W)·w) mod W: all of it fits into 64 bits, and both databases agree.


def _weighted(touches: CTE, model: str) -> CTE:
    c = touches.c
    touch = Touch(c.is_first, c.is_last, c.is_last_non_direct, c.length, c.age, bindparam("half_life", type_=BigInteger))
    seen = ("is_first", "is_last", "is_last_non_direct", "length", "age")
    kept = [column for column in c if column.name not in seen]
    return select(*kept, MODELS[model](touch).label("weight")).cte("weighted")


def _totalled(weighted: CTE) -> CTE:
    total = cast(func.sum(weighted.c.weight).over(partition_by=weighted.c.side), BigInteger)
    return select(*weighted.c, total.label("total")).where(weighted.c.weight > 0).cte("totalled")


def _shared(totalled: CTE, kept: Sequence[str], quantities: Sequence[str]) -> CTE:
    weight, total = totalled.c.weight, totalled.c.total
    columns: list[ColumnElement[Any]] = [totalled.c[name] for name in kept]
    for name in quantities:
        whole = totalled.c[name]
        rest = (whole % total) * weight
        columns += [whole, ((whole // total) * weight + rest // total).label(f"{name}_share"), (rest % total).label(f"{name}_claim")]
    return select(*columns).cte("shared")


def _ranked(shared: CTE, kept: Sequence[str], quantities: Sequence[str]) -> CTE:
    columns: list[ColumnElement[Any]] = [shared.c[name] for name in kept]
    for name in quantities:
        share, claim = shared.c[f"{name}_share"], shared.c[f"{name}_claim"]
        left = shared.c[name] - cast(func.sum(share).over(partition_by=shared.c.side), BigInteger)
        rank = func.row_number().over(partition_by=shared.c.side, order_by=(claim.desc(), shared.c.position))
        columns += [share, left.label(f"{name}_left"), rank.label(f"{name}_rank")]
    return select(*columns).cte("ranked")


def _left_over_unit(ranked: CTE, name: str) -> ColumnElement[int]:
    return case((ranked.c[f"{name}_rank"] <= ranked.c[f"{name}_left"], 1), else_=0)


# ---------------------------------------------------------------- the answers


def credit_by(question: Question, model: str, by: Sequence[str]) -> Select[Any]:
    """A row a distinct tuple of the dimensions `by`: its `millionths` and `minor`, the greatest first.

    Credit is summed by origin (and touch, for landing pages) before it meets labels and events, which are few.
    Reads what `credit_rows` reads, `origin_labels`, and for landing pages `events`, by primary key.
    """
    carried = ("origin_id", "touch_visitor_id", "touch_event_id") if "landing_page" in by else ("origin_id",)
    credit = credit_rows(question, model, carried)
    sums = [cast(func.sum(credit.c[name]), BigInteger).label(name) for name in ("millionths", "minor")]
    keys = [credit.c[name] for name in carried]
    origins = select(*keys, *sums).group_by(*keys).cte("credit_of_origins")
    joined = origins.outerjoin(tables.origin_labels, _label_of(origins.c.origin_id))
    if "landing_page" in by:
        joined = joined.outerjoin(tables.events, _event_of(origins.c))
    names = [dimension(name).label(name) for name in by]
    labelled = select(*names, origins.c.millionths, origins.c.minor).select_from(joined).cte("labelled_credit")
    keys = [labelled.c[name] for name in by]
    millionths, minor = (cast(func.sum(labelled.c[name]), BigInteger) for name in ("millionths", "minor"))
    return (
        select(*keys, millionths.label("millionths"), minor.label("minor"))
        .group_by(*keys)
        .having(or_(millionths != 0, minor != 0))
        .order_by(millionths.desc(), minor.desc(), *(_bytewise(key) for key in keys))
    )


def credit_of_touches(question: Question, model: str) -> Select[Any]:
    """A row a touch of one conversion: its ID, `millionths` and `minor`, over all entries of the ledger."""
    keys = ("touch_visitor_id", "touch_event_id")
    credit = credit_rows(question, model, keys)
    sums = [cast(func.sum(credit.c[name]), BigInteger).label(name) for name in ("millionths", "minor")]
    return select(*(credit.c[name] for name in keys), *sums).group_by(*(credit.c[name] for name in keys))


def ledger_by_reason(question: Question) -> Select[Any]:
    """A row a reason and currency: `millionths` and `minor` of all that is counted. Reason null: touches earned it.

    Money in another currency than the site's stands in the rows where `is_convertible` is false, in its own minor units.
    Reads what `sides` reads, `journeys` and `journey_touches` by primary key, `visitor_spans` by `ix_visitor_spans__first_touch`.
    """
    over = sides(question)
    reason = _reason(question, over)
    keyed = [reason.label("reason"), over.c.is_convertible, over.c.currency]
    journeys = over.outerjoin(tables.journeys, _same(tables.journeys.c, over.c))
    outcome = select(*keyed, over.c.millionths, (over.c.direction * over.c.magnitude).label("minor")).select_from(journeys).cte("outcomes")
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
    has_none = tables.journeys.c.first_touched_at.is_(None)
    is_early = or_(first_visit.is_(None), over.c.ended_at < first_visit)
    any_channel = Question(**{**vars(question), "exclude_direct": False})
    # A first touch within the look-back is in reach: the common case, told without looking at any touch.
    is_recent = micros(tables.journeys.c.first_touched_at) >= over.c.ended_at - bindparam("lookback", type_=BigInteger)
    return case(
        *([] if question.exclude_direct else [(is_recent, None)]),
        (_is_reached(question, over), None),
        (~over.c.has_people, "no_contact"),
        (and_(has_none, is_early), "before_tracking_began"),
        (has_none, "no_touch"),
        (~_is_reached(any_channel, over), "outside_lookback"),
        else_="only_direct",
    )


def _is_reached(question: Question, over: CTE) -> ColumnElement[bool]:
    touches = _with_labels(tables.journey_touches, needed=question.exclude_direct)
    return exists().select_from(touches).where(_touch_of(over.c), is_in_reach(question, over.c.ended_at)).correlate(over)


# ---------------------------------------------------------------- joins and labels


def dimension(name: str) -> ColumnElement[str]:
    """The text of a dimension, from `origin_labels`, or from `events` for a landing page. An origin without label yet is shown so."""
    if name == "landing_page":
        page = func.coalesce(tables.events.c.host, "") + func.coalesce(tables.events.c.path, "")
        return case((page == "", "(none)"), else_=page)
    missing = "Unassigned" if name == "channel" else "(not set)"
    return func.coalesce(tables.origin_labels.c[name], missing)


def _bytewise(text: ColumnElement[str]) -> ColumnElement[str]:
    """For ordering: the same on both databases."""
    return cast(text, tables.Key)


def _same(left: Any, right: Any) -> ColumnElement[bool]:
    """Two rows of one conversion, the left one a table's."""
    return and_(left.site_id == bindparam("site_id"), *(left[name] == right[name] for name in _KEY))


def _touch_of(key: Any) -> ColumnElement[bool]:
    return _same(tables.journey_touches.c, key)


def _label_of(origin_id: ColumnElement[str]) -> ColumnElement[bool]:
    return and_(tables.origin_labels.c.site_id == bindparam("site_id"), tables.origin_labels.c.origin_id == origin_id)


def _event_of(touch: Any) -> ColumnElement[bool]:
    event = tables.events.c
    return and_(event.site_id == bindparam("site_id"), event.visitor_id == touch.touch_visitor_id, event.event_id == touch.touch_event_id)


def _with_labels(touches: FromClause, *, needed: bool) -> FromClause:
    if not needed:
        return touches
    return touches.outerjoin(tables.origin_labels, _label_of(tables.journey_touches.c.origin_id))


def _is_direct() -> ColumnElement[bool]:
    return func.coalesce(tables.origin_labels.c.channel, "") == DIRECT
