"""The steps of one person `:person_id`: pages and forms, what sales did, the stages of it and of its deals, and what it reads most."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, case, cast, func, literal, or_, select, tuple_, union_all

from app import tables
from app.collect.properties import RESERVED
from app.reports.content_queries import is_page, section
from app.reports.stage_queries import is_shown
from app.tables import of_site
from app.touches.queries import counts_page

VIEWS = ("visit", "pageview")
_NO_STEPS = ("engagement", "identify", "touch")
"""Types of events that are no step of their own: time spent on a page, a key, and what is a touch already."""
SECTIONS_SHOWN = 20

_span, _event = tables.visitor_spans.c, tables.events.c


def _is_persons(table: Any) -> ColumnElement[bool]:
    return and_(of_site(table), table.c.person_id == bindparam("person_id"))


def _within_span() -> ColumnElement[bool]:
    return and_(
        of_site(tables.events),
        _event.visitor_id == _span.visitor_id,
        _event.occurred_at >= _span.starts_at,
        _event.occurred_at < _span.ends_at,
    )


def steps_on_pages() -> Select[Any]:
    """A row for each page viewed, form submitted and event of the site's own within the person's spans, at most `:limit`, the newest
    first.

    `engaged_ms` is how long a page was in the foreground: what its visitor sent of it until it viewed the same page again.
    Index: `ix_visitor_spans__person`, `ix_events__order`, the key of `forms`.
    """
    in_order = (_event.occurred_at, _event.sequence, _event.type_rank, _event.event_id)
    of_page = (_event.visitor_id, _event.host, _event.path)
    is_view = case((_event.type.in_(VIEWS), 1), else_=0)
    seen = (
        select(
            *(_event[name] for name in ("visitor_id", "event_id", "type", "host", "path", "title", "form_id", "occurred_at", "sequence")),
            _event.type_rank, _event.engaged_ms,
            func.sum(is_view).over(partition_by=of_page, order_by=in_order, rows=(None, 0)).label("view"),
        )
        .join_from(tables.visitor_spans, tables.events, _within_span())
        .where(_is_persons(tables.visitor_spans))
        .cte("seen")
    )  # fmt: skip
    row, form = seen.c, tables.forms.c
    engaged = cast(func.sum(row.engaged_ms).over(partition_by=(row.visitor_id, row.host, row.path, row.view)), BigInteger)
    steps = select(*row, engaged.label("engaged_on_view")).cte("steps")
    step = steps.c
    newest_first = (step.occurred_at, step.sequence, step.type_rank, step.event_id, step.visitor_id)
    return (
        select(
            step.visitor_id, step.event_id, step.type, step.host, step.path, step.title, step.occurred_at, step.engaged_on_view,
            form.name.label("form"),
        )
        .outerjoin_from(steps, tables.forms, and_(of_site(tables.forms), form.form_id == step.form_id))
        .where(step.type.not_in(_NO_STEPS), or_(step.type.not_in(VIEWS), step.path != ""))
        .order_by(*(column.desc() for column in newest_first))
        .limit(bindparam("limit"))
    )  # fmt: skip


def _own_deals() -> Select[Any]:
    """A row a deal of which the person is a contact. Index: `ix_deal_people__person`."""
    person = tables.deal_people.c
    return select(person.space, person.deal_id).where(_is_persons(tables.deal_people), person.is_contact.is_(True))


def activities_of_person() -> Select[Any]:
    """A row a call, meeting or e-mail of sales with the person, or about a deal of it and with nobody named, at most `:limit`, the newest
    first. Index: `ix_sales_activities__person`, `ix_sales_activities__deal`."""
    activity = tables.sales_activities.c
    with_nobody = and_(of_site(tables.sales_activities), activity.person_id == "")
    of_deal = tuple_(activity.space, activity.deal_id).in_(_own_deals())
    rows = union_all(
        select(tables.sales_activities).where(_is_persons(tables.sales_activities)),
        select(tables.sales_activities).where(with_nobody, activity.deal_id != "", of_deal),
    ).subquery("activities_with_person")
    newest_first = (rows.c.occurred_at.desc(), rows.c.space.desc(), rows.c.activity_id.desc())
    return select(rows).order_by(*newest_first).limit(bindparam("limit"))


def stages_of_person() -> Select[Any]:
    """A row for each stage that the person, or a deal of it, has entered, at most `:limit`, the newest first. Index: the primary key."""
    change = tables.stage_changes.c
    of_deal = and_(of_site(tables.stage_changes), change.person_id == "", tuple_(change.space, change.deal_id).in_(_own_deals()))
    names = ("person_id", "space", "deal_id", "position", "stage", "entered_at", "is_implied", "moved_by", "detail")
    rows = union_all(
        select(*(change[name] for name in names)).where(_is_persons(tables.stage_changes), is_shown()),
        select(*(change[name] for name in names)).where(of_deal),
    ).subquery("stages_entered")
    row = rows.c
    newest_first = (row.entered_at.desc(), row.position.desc(), row.space.desc(), row.deal_id.desc())
    return select(*row).order_by(*newest_first).limit(bindparam("limit"))


def changed_amounts() -> Select[Any]:
    """A row for each change of the net amount of a won deal of the person after the win, at most `:limit`, the newest first.

    Index: the key of `deal_amounts`.
    """
    amount, deal = tables.deal_amounts.c, tables.deals.c
    is_same = and_(of_site(tables.deals), deal.space == amount.space, deal.deal_id == amount.deal_id)
    return (
        select(amount.space, amount.deal_id, amount.occurred_at, amount.before_minor, amount.after_minor, deal.currency)
        .join_from(tables.deal_amounts, tables.deals, is_same)
        .where(of_site(tables.deal_amounts), amount.entry > 0, tuple_(amount.space, amount.deal_id).in_(_own_deals()))
        .order_by(amount.occurred_at.desc(), amount.space, amount.deal_id, amount.entry.desc())
        .limit(bindparam("limit"))
    )


def sections_of_person() -> Select[Any]:
    """A row a section of the site that the person read: how long it was in the foreground, how many pages, when last, and
    `of_all_ms`, the time on all sections. The one with most time first, at most 20.

    Index: `ix_visitor_spans__person`, `ix_events__order`.
    """
    name, engaged = section().label("section"), func.coalesce(func.sum(_event.engaged_ms), 0)
    read = (
        select(
            name, cast(engaged, BigInteger).label("engaged_ms"), func.max(_event.occurred_at).label("last_read_at"),
            cast(func.sum(case((_event.type.in_(VIEWS), 1), else_=0)), BigInteger).label("views"),
        )
        .join_from(tables.visitor_spans, tables.events, _within_span())
        .where(_is_persons(tables.visitor_spans), is_page(), counts_page())
        .group_by(name)
        .cte("sections_read")
    )  # fmt: skip
    row = read.c
    of_all = cast(func.sum(row.engaged_ms).over(), BigInteger).label("of_all_ms")
    return select(*row, of_all).order_by(row.engaged_ms.desc(), row.views.desc(), row.section).limit(literal(SECTIONS_SHOWN))


def sales_of_person() -> Select[Any]:
    """A row for each thing that sales keeps of the person (`app.collect.properties.SALES_FIELDS`). Index: the key of `properties`."""
    said = tables.properties.c
    is_kept = func.substr(said.property, 1, len(RESERVED)) == RESERVED
    return select(said.property, said.value).where(of_site(tables.properties), said.holder_id == bindparam("person_id"), is_kept)
