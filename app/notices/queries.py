"""What there is to tell an endpoint, and what waits to be sent.

A statement of what there is to tell takes `:site_id`, `:endpoint_id`, `:now`, and `:since`, before which nothing is told. It leaves out
what is in `notices` already, under the person's ID of now or of then: a merge, a rebuild or a fact that comes late tells nothing twice.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Delete,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from app import tables
from app.collect.properties import RESERVED
from app.db import micros
from app.notices.receivers import is_receiver, of_this_site
from app.sales import outcomes
from app.tables import of_site

BEGINNINGS = ("visitor", "prospect")
"""The stages in which people begin: nothing has changed yet."""
ERASED = "{}"

_notice, _deal = tables.notices.c, tables.deals.c


def _moment(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=tables.Moment)


# ---------------------------------------------------------------- what there is to tell


def changed_stages() -> Select[Any]:
    """A row for each stage that a person or a deal has entered since `:since`, at most `:limit`, the earliest first.

    What only a later stage implies is not told. Index: `ix_stage_changes__entered`, and by their keys `deals` and `properties`.
    """
    entered = _entered()
    change = entered.c
    facts = tables.notices.alias("told_of_fact").c
    same_fact = and_(
        facts.fact_id == change.fact_id, facts.occurred_at == change.occurred_at, facts.person_id != "", change.person_id != "",
        func.substr(facts.mark, 1, func.length(change.stage) + 1) == change.stage + literal("#"),
    )  # fmt: skip
    is_of_fact = exists().where(_is_of_endpoint(facts), same_fact, facts.kind == "stage_changed", change.fact_id != "")
    is_counted = or_(change.deal_id == "", and_(_deal.deal_id.is_not(None), _deal.ignored_because.is_(None)))
    return (
        select(literal("stage_changed").label("kind"), *change, *_of_deal_or_person(change))
        .outerjoin_from(entered, tables.deals, _is_its_deal(change))
        .where(is_counted, *_is_new("stage_changed", change, change.mark), ~is_of_fact)
        .order_by(change.occurred_at, change.position)
        .limit(bindparam("limit"))
    )


def _entered() -> CTE:
    """A row for each stage entered since `:since` that was not only implied; `mark` is the stage and which time it is."""
    change, earlier = tables.stage_changes.c, tables.stage_changes.alias("entered_before").c
    is_of_same = and_(*(earlier[name] == change[name] for name in ("site_id", "person_id", "space", "deal_id", "stage")))
    time = select(func.count()).where(is_of_same, earlier.position <= change.position).scalar_subquery()
    names = ("person_id", "space", "deal_id", "position", "stage", "moved_by", "fact_id", "detail")
    return (
        select(
            *(change[name] for name in names), change.entered_at.label("occurred_at"),
            (change.stage + literal("#") + cast(time, Text)).label("mark"),
        )
        .where(
            of_site(tables.stage_changes), *_is_recent(change.entered_at), change.is_implied.is_(False), change.stage.not_in(BEGINNINGS)
        )
        .cte("entered")
    )  # fmt: skip


def contacts_due() -> Select[Any]:
    """A row for each deal or lead that nobody has contacted and that is due by `:until` (or has been since `:since`), at most `:limit`.

    Who may not be contacted is left out. Reads the site's `opportunities`, and by their keys `deals` and `properties`.
    """
    row = tables.opportunities.c
    is_waiting = and_(~outcomes.is_contacted(row), ~outcomes.is_closed(row), micros(row.started_at) <= bindparam("now", type_=BigInteger))
    is_due = and_(row.due_at >= _moment("since"), row.due_at <= _moment("until"))
    nothing = literal("")
    return (
        select(
            literal("contact_due").label("kind"), row.person_id, row.space, row.deal_id, nothing.label("mark"), nothing.label("fact_id"),
            row.due_at.label("occurred_at"), row.started_at, *_of_deal_or_person(row),
        )
        .outerjoin_from(tables.opportunities, tables.deals, _is_its_deal(row))
        .where(
            of_site(tables.opportunities), is_due, is_waiting, func.coalesce(_said_of(row.contact_id, "may_contact"), "") != "false",
            *_is_new("contact_due", row, nothing),
        )
        .order_by(row.due_at, row.person_id, row.space, row.deal_id)
        .limit(bindparam("limit"))
    )  # fmt: skip


def hot_visits() -> Select[Any]:
    """A row for each person, page and local day on which a contact of an open deal was on a page that the site calls hot: the first
    such visit, with the deal that was opened last. At most `:limit`.

    Index: `ix_goal_events__hot`, then by their keys `visitor_spans`, `deal_people`, `deals`, `events` and `local_days`.
    """
    visit, span, person, event = tables.goal_events.c, tables.visitor_spans.c, tables.deal_people.c, tables.events.c
    within = and_(
        of_site(tables.visitor_spans), span.visitor_id == visit.visitor_id, span.starts_at <= visit.occurred_at,
        span.ends_at > visit.occurred_at,
    )  # fmt: skip
    is_contact = and_(of_site(tables.deal_people), person.person_id == span.person_id, person.is_contact.is_(True))
    is_open = and_(_is_its_deal(person), _deal.outcome == "open", _deal.ignored_because.is_(None), _deal.opened_at <= visit.occurred_at)
    is_event = and_(of_site(tables.events), event.visitor_id == visit.visitor_id, event.event_id == visit.event_id)
    day = tables.local_days.c
    local_day = select(func.max(day.day)).where(of_site(tables.local_days), day.starts_at <= visit.occurred_at).scalar_subquery()
    seen = (
        select(
            span.person_id, visit.goal, visit.occurred_at, visit.visitor_id, visit.event_id, (event.host + event.path).label("page"),
            local_day.label("day"), _deal.space.label("of_space"), _deal.deal_id.label("of_deal"), _deal.opened_at,
        )
        .join_from(tables.goal_events, tables.visitor_spans, within)
        .join(tables.deal_people, is_contact)
        .join(tables.deals, is_open)
        .join(tables.events, is_event)
        .where(of_site(tables.goal_events), visit.purpose == literal_column("'hot'"), *_is_recent(visit.occurred_at))
        .cte("seen")
    )  # fmt: skip
    first = (seen.c.occurred_at, seen.c.visitor_id, seen.c.event_id, seen.c.opened_at.desc(), seen.c.of_space, seen.c.of_deal)
    place = func.row_number().over(partition_by=(seen.c.person_id, seen.c.goal, seen.c.day), order_by=first).label("place")
    nothing = literal("", tables.Key)
    ranked = select(*seen.c, place, nothing.label("space"), nothing.label("deal_id")).cte("ranked")
    row = ranked.c
    mark = row.goal + literal(" ") + row.day
    is_its_deal = and_(of_site(tables.deals), _deal.space == row.of_space, _deal.deal_id == row.of_deal)
    return (
        select(
            literal("hot_visit").label("kind"), row.person_id, row.space, row.deal_id, mark.label("mark"), nothing.label("fact_id"),
            row.occurred_at, row.page, row.of_space, row.of_deal, *_of_deal_or_person(row),
        )
        .join_from(ranked, tables.deals, is_its_deal)
        .where(row.place == 1, *_is_new("hot_visit", row, mark))
        .order_by(row.occurred_at, row.person_id, row.goal)
        .limit(bindparam("limit"))
    )  # fmt: skip


def _is_its_deal(row: Any) -> ColumnElement[bool]:
    return and_(of_site(tables.deals), _deal.space == row.space, _deal.deal_id == row.deal_id)


def _is_recent(occurred_at: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
    return occurred_at >= _moment("since"), micros(occurred_at) <= bindparam("now", type_=BigInteger)


def _is_of_endpoint(notice: Any) -> ColumnElement[bool]:
    return and_(notice.site_id == bindparam("site_id"), notice.endpoint_id == bindparam("endpoint_id"))


def _is_new(kind: str, row: Any, mark: ColumnElement[Any]) -> tuple[ColumnElement[bool], ...]:
    """Whether the endpoint was not told of a row, by the ID of its person of now or by another of its keys. Index: `ix_notices__about`."""
    told, told_once, key = tables.notices.alias("told").c, tables.notices.alias("told_once"), tables.key_people.c
    is_told = and_(_is_of_endpoint(told), told.deal_id == row.deal_id, told.space == row.space, told.person_id == row.person_id)
    by_key = and_(told_once.c.deal_id == "", told_once.c.space == "", told_once.c.person_id == key.key_id)
    # One within the other: SQLite would else look through all notices for each row, and not from the person's few keys.
    was_told = (
        exists()
        .where(_is_of_endpoint(told_once.c), by_key, told_once.c.kind == kind, told_once.c.mark == mark)
        .correlate_except(told_once)
    )  # fmt: skip
    of_person = and_(of_site(tables.key_people), key.person_id == row.person_id, row.person_id != "")
    return (
        ~exists().where(is_told, told.kind == kind, told.mark == mark),
        ~exists().where(of_person, was_told).correlate_except(tables.key_people),
    )


def _of_deal_or_person(row: Any) -> tuple[ColumnElement[Any], ...]:
    """What sales keeps of a row's deal, else of its person."""
    deal = ("amount_minor", "currency")
    return (
        func.coalesce(func.nullif(_deal.owner, ""), _said_of(row.person_id, "owner")).label("owner"),
        func.coalesce(_deal.url, _said_of(row.person_id, "url")).label("url"),
        *(_deal[name] for name in deal),
    )


def _said_of(person_id: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """What sales keeps of a person (`app.collect.properties.SALES_FIELDS`). Index: the key of `properties`."""
    said = tables.properties.alias(f"said_{name}").c
    is_said = and_(said.site_id == bindparam("site_id"), said.holder_id == person_id, said.property == RESERVED + name)
    return select(said.value).where(is_said).scalar_subquery()


# ---------------------------------------------------------------- sending


def receivers_to_call() -> Select[Any]:
    """A row for each endpoint of any site that is neither disabled nor paused, and for which something is due at `:now`.

    Index: `ix_notices__due`.
    """
    endpoint = tables.notice_endpoints.c
    is_its = and_(_notice.site_id == endpoint.site_id, _notice.endpoint_id == endpoint.endpoint_id)
    is_due = exists().where(is_its, _notice.next_try_at <= _moment("now"))
    is_paused = and_(endpoint.paused_until.is_not(None), endpoint.paused_until > _moment("now"))
    return (
        select(tables.notice_endpoints)
        .where(endpoint.disabled_at.is_(None), ~func.coalesce(is_paused, False), is_due)
        .order_by(endpoint.site_id, endpoint.endpoint_id)
    )


def lease_notices() -> Update:
    """Leases until `:leased_until` the `:limit` notices that have been due the longest. Answers them.

    Of two that lease at once, the second finds the rows of the first leased: it asks again whether a row is due when it gets
    its lock. Index: `ix_notices__due`.
    """
    due = and_(is_receiver(tables.notices), _notice.next_try_at <= _moment("now"))
    first = (
        select(_notice.notice_id).where(due).order_by(_notice.next_try_at, _notice.occurred_at, _notice.notice_id).limit(bindparam("limit"))
    )
    leased = update(tables.notices).where(due, _notice.notice_id.in_(first)).values(next_try_at=_moment("leased_until"))
    return leased.returning(
        _notice.notice_id, _notice.kind, _notice.person_id, _notice.space, _notice.deal_id, _notice.body, _notice.occurred_at, _notice.tries
    )


def _is_leased() -> ColumnElement[bool]:
    """The notice `:of_notice`, while the lease until `:leased_until` holds. Index: the primary key."""
    return and_(is_receiver(tables.notices), _notice.notice_id == bindparam("of_notice"), _notice.next_try_at == _moment("leased_until"))


def release_notices() -> Update:
    """Gives a notice back untried."""
    return update(tables.notices).where(_is_leased()).values(next_try_at=_moment("now"))


def settle_notice() -> Update:
    """Notes what came of a try. `:error` null: it was taken. `:again_at` the end of time: never again."""
    is_over = _moment("again_at") == tables.END_OF_TIME
    values = {
        "next_try_at": _moment("again_at"),
        "tries": _notice.tries + 1,
        "last_error": bindparam("error", type_=Text),
        "delivered_at": case((bindparam("error", type_=Text).is_(None), _moment("now"))),
        "given_up_at": case((and_(is_over, bindparam("error", type_=Text).is_not(None)), _moment("now"))),
    }
    return update(tables.notices).where(_is_leased()).values(**values)


def old_notices() -> Delete:
    """Forgets what was taken, or given up, by `:before`, of every site."""
    is_old = or_(_notice.delivered_at <= _moment("before"), _notice.given_up_at <= _moment("before"))
    return delete(tables.notices).where(is_old)


# ---------------------------------------------------------------- what is shown


def notices_by_receiver() -> Select[Any]:
    """A row an endpoint of the site `:of_site` that has notices: how many wait, were taken and given up, since when the oldest waits,
    and what went wrong last. Index: the primary key of `notices`."""
    is_waiting = and_(_notice.delivered_at.is_(None), _notice.given_up_at.is_(None))
    errors_last = func.row_number().over(
        partition_by=_notice.endpoint_id, order_by=(case((_notice.last_error.is_(None), 1), else_=0), _notice.next_try_at.desc())
    )
    shown = (
        select(tables.notices, is_waiting.label("is_waiting"), errors_last.label("place")).where(of_this_site(tables.notices)).cte("shown")
    )
    row = shown.c
    return select(
        row.endpoint_id,
        func.sum(case((row.is_waiting, 1), else_=0)).label("waiting"),
        func.sum(case((row.delivered_at.is_not(None), 1), else_=0)).label("delivered"),
        func.sum(case((row.given_up_at.is_not(None), 1), else_=0)).label("given_up"),
        func.min(case((row.is_waiting, row.occurred_at))).label("oldest_at"),
        func.max(case((row.place == 1, row.last_error))).label("last_error"),
    ).group_by(row.endpoint_id)


def names_of_people() -> Select[Any]:
    """A row for each key in clear of the people whom the keys `:people` belong to now, the newest first, with that key as `asked`.

    Index: the key of `key_people` and `ix_key_people__person`, the key of `contacts`.
    """
    own, key, contact = tables.key_people.alias("own_key"), tables.key_people.c, tables.contacts.c
    is_same = and_(own.c.site_id == key.site_id, own.c.person_id == key.person_id)
    return (
        select(own.c.key_id.label("asked"), contact.kind, contact.value, contact.name, contact.company)
        .join_from(own, tables.key_people, is_same)
        .join(tables.contacts, and_(of_site(tables.contacts), contact.key_id == key.key_id))
        .where(of_site(own), own.c.key_id.in_(bindparam("people", expanding=True)))
        .order_by(own.c.key_id, contact.occurred_at.desc(), key.key_id)
    )


def names_of_deals() -> Select[Any]:
    """A row a deal of `:deals`, a list of (space, deal ID): what it is called. Index: the primary key."""
    is_asked = tuple_(_deal.space, _deal.deal_id).in_(bindparam("deals", expanding=True))
    return select(_deal.space, _deal.deal_id, _deal.name, _deal.company_name).where(of_site(tables.deals), is_asked)
