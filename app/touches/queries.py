"""Touches and goals of visitors, from their events alone.

Everything here is partitioned by visitor and looks at no other visitor, so that it runs sharded as it stands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
)

from app import tables
from app.db import micros
from app.ids import digest
from app.tables import of_site

EMPTY_ORIGIN = digest("", "", "", "", "", "", "", "")
"""The origin of a direct visit."""

_LONGEST_FORM = 100
"""Characters of a form's name, or its path, that name its goal: a goal stands in keys beside four IDs of 128 characters,
and PostgreSQL's index takes 2,704 bytes."""

_events = tables.events.c


def _order(source: Any) -> tuple[ColumnElement[Any], ...]:
    """The order of a visitor's events."""
    return (source.occurred_at, source.sequence, source.type_rank, source.event_id)


class LeftOut(NamedTuple):
    """Which events a site's settings leave out of touches and goals; a statement has only the conditions that it needs."""

    pages: bool = False
    """Those of its excluded pages."""
    crm_touches: bool = False
    """Touches that a CRM reports."""


def counts_page() -> ColumnElement[bool]:
    """Whether an event's page is none of the site's excluded ones."""
    page = tables.excluded_pages.c
    excluded = exists().where(
        page.site_id == _events.site_id,
        or_(page.host == "", page.host == _events.host),
        or_(
            page.path == "",
            and_(page.path_is_prefix.is_(False), page.path == _events.path),
            and_(page.path_is_prefix.is_(True), page.path == func.substr(_events.path, 1, func.length(page.path))),
        ),
    )
    return ~excluded


def _counted(visitors: Select[Any], left_out: LeftOut) -> tuple[ColumnElement[bool], ...]:
    """Conditions of the events that count, of the visitors selected. Index: `ix_events__order`."""
    conditions = (of_site(tables.events), _events.visitor_id.in_(visitors))
    pages = (counts_page(),) if left_out.pages else ()
    return (*conditions, *pages, _events.reported_by != "crm") if left_out.crm_touches else (*conditions, *pages)


def ordered_events(visitors: Select[Any], left_out: LeftOut) -> CTE:
    """A row an event: its place in the visitor's order, and what came before it. Carries only keys: wide rows made
    the window several times slower. Index: `ix_events__order`.

    `web_before_at` is the last web event before it, `rank_before` the highest `start_rank` before it (null: none),
    `rank_of_visitor` the highest of all.
    """
    frame: Any = {"partition_by": _events.visitor_id, "order_by": _order(_events)}
    before: Any = {**frame, "rows": (None, -1)}
    web_at = case((_events.is_web.is_(True), micros(_events.occurred_at)))
    return (
        select(
            _events.visitor_id,
            _events.event_id,
            micros(_events.occurred_at).label("occurred_at"),
            _events.sequence,
            _events.type_rank,
            _events.start_rank,
            _events.campaign_key,
            _events.origin_id,
            _events.has_internal_referrer,
            (_events.type == "touch").label("is_offline"),
            (_events.reported_by != "").label("is_reported"),
            func.max(web_at).over(**before).label("web_before_at"),
            func.max(_events.start_rank).over(**before).label("rank_before"),
            func.max(_events.start_rank).over(**frame, rows=(None, None)).label("rank_of_visitor"),
        )
        .where(*_counted(visitors, left_out))
        .cte("ordered_events")
    )


def starts_session(ordered: CTE) -> ColumnElement[bool]:
    """Whether an event starts a session: the first that may, and each that may after a gap (`:session_gap`
    microseconds without a web event); where nothing of a visitor may, the first event of a kind that could."""
    row = ordered.c
    gap_is_over = or_(row.web_before_at.is_(None), row.occurred_at - row.web_before_at > bindparam("session_gap"))
    is_first = func.coalesce(row.rank_before, 0) < 2
    return or_(
        and_(row.start_rank == 2, or_(is_first, gap_is_over)),
        and_(row.start_rank == 1, func.coalesce(row.rank_before, 0) == 0, row.rank_of_visitor == 1),
    )


def session_starts(visitors: Select[Any], left_out: LeftOut) -> Select[Any]:
    """A row a session: `visitor_id`, `started_at`. The same expression as in `touches_of_visitors`."""
    ordered = ordered_events(visitors, left_out)
    return select(ordered.c.visitor_id, ordered.c.occurred_at.label("started_at")).where(starts_session(ordered))


def _arrivals(ordered: CTE) -> CTE:
    """A row for each event that starts a session, carries a campaign of its own, or is an offline touch."""
    marked = select(*ordered.columns, starts_session(ordered).label("starts_session")).cte("marked_events")
    row = marked.c
    has_campaign = and_(row.start_rank == 2, row.campaign_key.is_not(None))
    return select(*marked.columns).where(or_(row.starts_session, row.is_offline, has_campaign)).cte("arrivals")


def _placed_arrivals(arrivals: CTE) -> CTE:
    """A row an arrival, with the start and the number of its session, and whether its origin means nothing by itself.

    Index: the primary key of `origin_labels`.
    """
    row = arrivals.c
    so_far: Any = {"partition_by": row.visitor_id, "order_by": _order(row), "rows": (None, 0)}
    sessions = select(
        *arrivals.columns,
        func.max(case((row.starts_session, row.occurred_at))).over(**so_far).label("session_started_at"),
        func.sum(case((row.starts_session, 1), else_=0)).over(**so_far).label("session_number"),
    ).cte("arrivals_in_sessions")
    label, session = tables.origin_labels.c, sessions.c
    is_idle_return = or_(
        func.coalesce(label.is_ignored, false()),
        and_(session.has_internal_referrer.is_(True), session.origin_id == EMPTY_ORIGIN),
    )
    labelled = and_(of_site(tables.origin_labels), label.origin_id == session.origin_id)
    return (
        select(*sessions.columns, is_idle_return.label("means_nothing"))
        .join_from(sessions, tables.origin_labels, labelled, isouter=True)
        .cte("placed_arrivals")
    )


def _possible_touches(placed: CTE) -> CTE:
    """A row for each arrival that is a touch unless it repeats the campaign of the one before it.

    A session that an ignored referrer began has no touch, except as the visitor's first, which is Direct.
    """
    row = placed.c
    begins_with_nothing = and_(row.starts_session, row.means_nothing, ~row.is_offline)
    keeps = or_(~begins_with_nothing, row.session_number == 1)
    origin_id = case((begins_with_nothing, literal(EMPTY_ORIGIN)), else_=row.origin_id)
    campaign_before = func.lag(row.campaign_key).over(partition_by=row.visitor_id, order_by=_order(row))
    return (
        select(
            row.visitor_id,
            row.event_id,
            row.occurred_at,
            row.sequence,
            row.type_rank,
            row.session_started_at,
            row.starts_session,
            row.is_offline,
            row.is_reported,
            row.campaign_key,
            origin_id.label("origin_id"),
            campaign_before.label("campaign_before"),
        )
        .where(keeps)
        .cte("possible_touches")
    )


def _numbered_touches(possible: CTE) -> CTE:
    """A row a touch, numbered from the visitor's first, with how many there are.

    A row that is no touch has the campaign of the touch before it, so the row before always shows that touch's.
    """
    row = possible.c
    is_touch = or_(row.starts_session, row.is_offline, row.campaign_key.is_distinct_from(row.campaign_before))
    by_visitor: Any = {"partition_by": row.visitor_id}
    return (
        select(
            row.visitor_id,
            row.event_id,
            row.occurred_at,
            row.sequence,
            row.type_rank,
            row.session_started_at,
            row.origin_id,
            row.is_reported,
            func.row_number().over(**by_visitor, order_by=_order(row)).label("number"),
            func.count().over(**by_visitor).label("of_visitor"),
        )
        .where(is_touch)
        .cte("numbered_touches")
    )


def touches_of_visitors(visitors: Select[Any], left_out: LeftOut) -> Select[Any]:
    """A row a touch of the visitors selected: `:touch_cap` at most, the first and the newest of each.

    Reads `events`, `origin_labels`, `excluded_pages`. Index: `ix_events__order`. Parameters: `site_id`,
    `session_gap` (microseconds), `touch_cap`.
    """
    numbered = _numbered_touches(_possible_touches(_placed_arrivals(_arrivals(ordered_events(visitors, left_out)))))
    row = numbered.c
    beyond_cap = row.of_visitor - bindparam("touch_cap")
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"),
        row.visitor_id,
        row.event_id,
        row.occurred_at,
        row.sequence,
        row.type_rank,
        row.session_started_at,
        row.origin_id,
        row.is_reported,
        case((and_(row.number == 1, beyond_cap > 0), beyond_cap), else_=0).label("touches_left_out"),
        false().label("is_gone"),
    ).where(or_(row.number == 1, row.number > beyond_cap + 1))


def _submitted_forms(visitors: Select[Any], left_out: LeftOut) -> CTE:
    """A row for each form submitted: its name (or its page's path), and whether it makes a lead."""
    label = tables.form_labels.c
    name = func.substr(case((label.name == "", _events.path), else_=label.name), 1, _LONGEST_FORM)
    makes_lead = and_(label.is_lead_form.is_(True), or_(label.needs_email.is_(False), _events.has_email.is_(True)))
    return (
        select(
            _events.visitor_id, _events.event_id, _events.occurred_at, _events.sequence, name.label("name"), makes_lead.label("makes_lead")
        )
        .where(
            *_counted(visitors, left_out),
            _events.type == "form_submit",
            label.site_id == _events.site_id,
            label.form_id == _events.form_id,
        )
        .cte("submitted_forms")
    )


def _form_goals(visitors: Select[Any], left_out: LeftOut) -> list[Select[Any]]:
    """A row for each form submitted (`form:<name>`), and one more (`lead`) where it makes a lead."""
    forms = _submitted_forms(visitors, left_out)
    return [
        _goal(forms.c, literal("goal"), literal("form:") + forms.c.name, literal("person")),
        _goal(forms.c, literal("goal"), literal("lead"), literal("person")).where(forms.c.makes_lead),
    ]


def _rule_goals(visitors: Select[Any], left_out: LeftOut) -> Select[Any]:
    """A row for each rule of the site's own that an event meets: it reaches a goal, scores, or is hot."""
    rule, form = tables.goal_rules.c, tables.forms.c
    on_page = or_(
        rule.path == "",
        and_(rule.path_is_prefix.is_(False), rule.path == _events.path),
        and_(rule.path_is_prefix.is_(True), rule.path == func.substr(_events.path, 1, func.length(rule.path))),
    )
    submitted = select(form.name).where(form.site_id == _events.site_id, form.form_id == _events.form_id).scalar_subquery()
    return _goal(_events, rule.purpose, rule.goal, rule.once_per).where(
        *_counted(visitors, left_out),
        rule.site_id == _events.site_id,
        or_(rule.event_type == "", rule.event_type == _events.type),
        or_(rule.form == "", and_(_events.type == "form_submit", rule.form == submitted)),
        on_page,
    )


def _goal(event: Any, purpose: ColumnElement[Any], goal: ColumnElement[Any], once_per: ColumnElement[Any]) -> Select[Any]:
    return select(
        bindparam("site_id", type_=tables.Key).label("site_id"),
        event.visitor_id,
        event.event_id,
        purpose.label("purpose"),
        goal.label("goal"),
        event.occurred_at,
        event.sequence,
        once_per.label("once_per"),
        false().label("is_gone"),
    )


def goal_events_of_visitors(visitors: Select[Any], *, left_out: LeftOut, has_rules: bool) -> Select[Any]:
    """A row for each goal or rule that an event of the visitors selected meets. Index: `ix_events__order`, the key of `forms`."""
    branches = _form_goals(visitors, left_out)
    if has_rules:
        branches.append(_rule_goals(visitors, left_out))
    goals = union_all(*branches).subquery("goals")
    return select(*goals.columns).where(true())


def staged(target: str, rows: Select[Any]) -> Insert:
    """Stages computed rows of a derived table."""
    return insert(tables.staged[target]).from_select([c.name for c in tables.staged[target].columns], rows)
