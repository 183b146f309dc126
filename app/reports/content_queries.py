"""What people read, and what came of it: events within the spans in which their visitors were those people.

Events and spans are heavy. Readers are counted by one pass over the site's events; what was influenced goes the other way,
from the conversions to their people's events, and so costs what conversions are few enough to cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Label, Select, Text, and_, bindparam, case, cast, func, literal, or_, select

from app import tables
from app.attribution.joins import KEY
from app.attribution.journeys import grouped, own_minor, summed
from app.attribution.ledger import sides
from app.attribution.properties import value_of_person, whoever_is_asked
from app.attribution.question import Question
from app.db import micros, position_of
from app.identity.internal import internal_people
from app.reports.greatest import rows_of_greatest
from app.touches.queries import counts_page

ENDINGS = ("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "csv", "zip", "epub", "mp3", "mp4")
"""A path that ends so is an asset; so is whatever an event of type `download` names."""
_VIEWS = ("visit", "pageview", "download")

_event, _form = tables.events.c, tables.forms.c


def _page() -> ColumnElement[str]:
    return _event.host + _event.path


def section() -> ColumnElement[str]:
    """Host and first segment of the path: `shop.example/blog`."""
    rest = func.substr(_event.path, 2)
    end = position_of(rest, literal("/"))
    return _event.host + func.substr(_event.path, 1, 1) + case((end > 0, func.substr(rest, 1, end - 1)), else_=rest)


def _is_asset() -> ColumnElement[bool]:
    return or_(_event.type == "download", *(func.lower(_event.path).like(f"%.{ending}") for ending in ENDINGS))


def is_page() -> ColumnElement[bool]:
    return and_(_event.type.in_(("visit", "pageview", "engagement")), _event.path != "")


_ITEMS: dict[str, tuple[Callable[[], ColumnElement[str]], Callable[[], ColumnElement[bool]]]] = {
    "page": (_page, is_page),
    "section": (section, is_page),
    "form": (lambda: _form.name, lambda: _event.type == "form_submit"),
    "asset": (_page, _is_asset),
}
"""By grouping: what an event is an event of, and which events count."""


def _is_read(by: str, *, has_start: bool, has_end: bool) -> list[ColumnElement[bool]]:
    """Which events count: of the grouping, on pages that are not excluded, in the interval `:read_from`, `:read_to`."""
    conditions = [_event.site_id == bindparam("site_id"), _ITEMS[by][1](), counts_page()]
    if has_start:
        conditions.append(micros(_event.occurred_at) >= bindparam("read_from", type_=BigInteger))
    if has_end:
        conditions.append(micros(_event.occurred_at) < bindparam("read_to", type_=BigInteger))
    return conditions


def _with_forms(events: Any, by: str) -> Any:
    is_form = and_(_form.site_id == bindparam("site_id"), _form.form_id == _event.form_id)
    return events.join(tables.forms, is_form) if by == "form" else events


def _within_span() -> ColumnElement[bool]:
    span = tables.visitor_spans.c
    is_visitor = and_(span.site_id == bindparam("site_id"), span.visitor_id == _event.visitor_id)
    return and_(is_visitor, span.starts_at <= _event.occurred_at, span.ends_at > _event.occurred_at)


def readers(question: Question, by: str, *, has_start: bool, has_end: bool, is_chosen: bool) -> Select[Any]:
    """A row an item and group, for the `:limit` items with most readers, the most first, or for those of `:items` if they are chosen.

    `readers` are people, no internal ones, who viewed (or submitted) it, `views` how often, `engaged_ms` how long it was in the
    foreground: of those people of whom the question's conditions on people and companies hold, grouped by what is known of them.
    Reads all of the site's `events`, and `visitor_spans`, `forms`, `properties` by primary key.
    """
    item = _ITEMS[by][0]().label("item")
    is_view = _event.type.in_(_VIEWS) if by != "form" else literal(True)
    read = (
        select(
            item,
            tables.visitor_spans.c.person_id,
            cast(func.sum(case((is_view, 1), else_=0)), BigInteger).label("views"),
            cast(func.sum(func.coalesce(_event.engaged_ms, 0)), BigInteger).label("engaged_ms"),
        )
        .select_from(_with_forms(tables.events.join(tables.visitor_spans, _within_span()), by))
        .where(*_is_read(by, has_start=has_start, has_end=has_end), tables.visitor_spans.c.person_id.not_in(internal_people()))
        .group_by(item, tables.visitor_spans.c.person_id)
        .cte("read_by_people")
    )
    values = [value_of_person(question.rows, each, read).label(each.column) for each in question.grouped]
    asked = select(*read.c, *values).where(*whoever_is_asked(question, read)).cte("read_by_asked")
    people = func.sum(case((asked.c.views > 0, 1), else_=0))
    sums = [cast(func.sum(asked.c[name]), BigInteger).label(name) for name in ("views", "engaged_ms")]
    return _of_items(question, asked, [cast(people, BigInteger).label("readers"), *sums], ("readers", "views"), is_chosen=is_chosen)


def _of_items(question: Question, rows: CTE, sums: Sequence[Label[int]], measures: Sequence[str], *, is_chosen: bool) -> Select[Any]:
    """The sums of rows by item and group: of the items that have most by the `measures`, or of the chosen ones."""
    keys = [rows.c.item, *grouped(question, rows)]
    statement = select(*keys, *sums).group_by(*keys)
    if is_chosen:
        return statement.where(rows.c.item.in_(bindparam("items", type_=Text, expanding=True)))
    return rows_of_greatest(statement.cte("sums_of_items"), "item", measures, [each.column for each in question.grouped])


def influenced(question: Question, by: str, *, before_opening: bool, has_start: bool, has_end: bool, is_chosen: bool) -> Select[Any]:
    """A row an item and group, for the `:limit` items with most conversions, the most first, or for those of `:items` if they are
    chosen. `millionths` and `minor` of the conversions one of whose people read it before, within the look-back; of the deal's opening,
    if so asked.

    Reads what `sides` reads, `conversion_people` by primary key, `visitor_spans` by `ix_visitor_spans__person`, `events` by
    `ix_events__order`.
    """
    over, person, span = sides(question), question.rows(tables.conversion_people), tables.visitor_spans
    of_conversion = and_(person.c.site_id == bindparam("site_id"), *(person.c[name] == over.c[name] for name in KEY))
    of_person = and_(span.c.site_id == bindparam("site_id"), span.c.person_id == person.c.person_id)
    before = micros(over.c.opportunity_at if before_opening else over.c.occurred_at)
    read_at = micros(_event.occurred_at)
    # The bounds stand beside the visitor, so that the index of a visitor's events is entered at the right place.
    in_time = and_(read_at <= before, read_at >= before - bindparam("lookback", type_=BigInteger))
    of_span = and_(_event.site_id == bindparam("site_id"), _event.visitor_id == span.c.visitor_id, _within_span(), in_time)
    item = _ITEMS[by][0]().label("item")
    read = (
        select(over.c.side, item)
        .select_from(_with_forms(over.join(person, of_conversion).join(span, of_person).join(tables.events, of_span), by))
        .where(*_is_read(by, has_start=has_start, has_end=has_end))
        .distinct()
        .cte("read_before")
    )
    counts = [over.c.millionths, own_minor(over.c).label("minor")]
    rows = select(read.c.item, *grouped(question, over), *counts).join_from(over, read, read.c.side == over.c.side).cte("influenced")
    return _of_items(question, rows, summed(rows.c), ("millionths", "minor"), is_chosen=is_chosen)
