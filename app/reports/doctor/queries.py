"""What the doctor reads beside the ledger: where visits came from, which pages send events, what came in and what was refused.

Every statement takes `site_id`; those of an interval `starts_at` and `ends_at`, half-open, in microseconds. `events` and `touches`
have no index by time (ingestion would pay for it with each event), so what is asked of all of them is asked once, in one pass.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    null,
    or_,
    select,
    tuple_,
    union_all,
)

from app import tables
from app.attribution.joins import bytewise, label_of
from app.db import micros
from app.reports.doctor.affected import DAY, is_internal_campaign
from app.tables import of_site

_event = tables.events.c
_touch = tables.touches.c
_origin = tables.origins.c
_label = tables.origin_labels.c

RECENT_DAYS, BEFORE_DAYS = 7, 28
"""What is compared: the newest days, all days of the week among them, and the four weeks before them."""
SAME_DAYS = 4
"""As many times the same 24 hours a week earlier."""
AFTER_A_DETOUR = (
    "%checkout%", "%check-out%", "%thank%", "%danke%", "%merci%", "%gracias%", "%/success%", "%confirm%", "%payment%", "%/order%",
    "%/cart%", "%/basket%", "%/login%", "%/log-in%", "%/signin%", "%/sign-in%", "%/callback%", "%/oauth%", "%/sso%", "%/welcome%",
)  # fmt: skip
"""Paths, in lower case, to which people come back from a payment or a sign-in."""


def _in_interval(moment: ColumnElement[Any]) -> ColumnElement[bool]:
    starts_at, ends_at = (bindparam(name, type_=BigInteger) for name in ("starts_at", "ends_at"))
    return and_(moment >= starts_at, moment < ends_at)


def _days_before_now(days: int) -> ColumnElement[int]:
    return bindparam("now", type_=BigInteger) - days * DAY


def _counted_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


# ---------------------------------------------------------------- where visits came from


def arrivals_by_origin() -> Select[Any]:
    """A row for what touches of the interval came with, but for term and content: the origin's parts as sent (`source`, …), what the
    labels say of them (`channel`, `labelled_source`, …), and the number of `touches`. At most `:most_origins`, those with most touches.

    Reads the site's `touches` once, and `origins`, `origin_labels` by primary key.
    """
    sent = [_origin[name] for name in ("referring_host", "source", "medium", "campaign", "click_id_kind")]
    labelled = [_label[name].label(f"labelled_{name}") for name in ("source", "medium", "campaign")]
    joined = tables.touches.join(tables.origins, label_of(tables.origins, _touch.origin_id))
    joined = joined.outerjoin(tables.origin_labels, label_of(tables.origin_labels, _touch.origin_id))
    keys = [*sent, _label.channel, *labelled]
    return (
        select(*keys, func.count().label("touches"))
        .select_from(joined)
        .where(of_site(tables.touches), _in_interval(_touch.occurred_at))
        .group_by(*(_origin[name] for name in ("referring_host", "source", "medium", "campaign", "click_id_kind")))
        .group_by(_label.channel, *(_label[name] for name in ("source", "medium", "campaign")))
        .order_by(func.count().desc(), *(bytewise(column) for column in sent))
        .limit(bindparam("most_origins"))
    )


def returns_from_hosts() -> Select[Any]:
    """A row a referring host, one of `:hosts`, of untagged page views of the interval: how many (`arrivals`), and how many of these
    were the visitor's very first event (`newcomers`), came in the middle of a session (`mid_session`, within `:session_gap`
    microseconds of the event before), or that or on a page as of `AFTER_A_DETOUR` (`detours`).

    Reads the site's `events` once, and those of the visitors found by `ix_events__order`.
    """
    earlier = tables.events.alias("earlier_events").c
    of_visitor = and_(earlier.site_id == _event.site_id, earlier.visitor_id == _event.visitor_id, earlier.occurred_at < _event.occurred_at)
    gap = bindparam("session_gap", type_=BigInteger)
    is_newcomer = ~exists().where(of_visitor)
    is_in_session = exists().where(of_visitor, micros(earlier.occurred_at) >= micros(_event.occurred_at) - gap)
    path = func.lower(_event.path)
    came = (
        select(
            _origin.referring_host,
            is_newcomer.label("is_newcomer"),
            is_in_session.label("is_in_session"),
            or_(*(path.like(pattern) for pattern in AFTER_A_DETOUR)).label("is_after_detour"),
        )
        .join_from(tables.events, tables.origins, label_of(tables.origins, _event.origin_id))
        .where(of_site(tables.events), _in_interval(_event.occurred_at), _event.start_rank == 2, is_untagged())
        .where(_origin.referring_host.in_(bindparam("hosts", expanding=True)))
        .cte("came_from_hosts")
    )
    return select(
        came.c.referring_host,
        func.count().label("arrivals"),
        _counted_if(came.c.is_newcomer).label("newcomers"),
        _counted_if(came.c.is_in_session).label("mid_session"),
        _counted_if(or_(came.c.is_in_session, came.c.is_after_detour)).label("detours"),
    ).group_by(came.c.referring_host)


def is_untagged() -> ColumnElement[bool]:
    """Whether an origin says no more than its referrer does."""
    return and_(*(_origin[name] == "" for name in ("explicit_channel", "source", "medium", "campaign", "term", "content", "click_id_kind")))


def internal_campaigns() -> Select[Any]:
    """A row a page and campaign of tagged links within the site that began a touch inside a session (`is_internal_campaign`), those
    with most `touches` first: at most `:limit`; `all_touches` is their number in all rows.

    Reads the site's `touches` once, and `events`, `origins` by primary key.
    """
    page = (_event.host, _event.path)
    tags = (_origin.source, _origin.medium, _origin.campaign)
    event = and_(of_site(tables.events), _event.visitor_id == _touch.visitor_id, _event.event_id == _touch.event_id)
    joined = tables.touches.join(tables.events, event).join(tables.origins, label_of(tables.origins, _touch.origin_id))
    number = func.count()
    return (
        select(*page, *tags, number.label("touches"), cast(func.sum(number).over(), BigInteger).label("all_touches"))
        .select_from(joined)
        .where(of_site(tables.touches), _in_interval(_touch.occurred_at), is_internal_campaign())
        .group_by(*page, *tags)
        .order_by(number.desc(), *(bytewise(column) for column in (*page, *tags)))
        .limit(bindparam("limit"))
    )


# ---------------------------------------------------------------- which pages send events


def views_of_hosts_and_pages() -> Select[Any]:
    """A row a host whose pages ever sent page views (`path` is null), and a row a page with at least `:least` of them in the weeks before
    the newest days, on at least `:least_days` days: of the latter, those with most, at most `:limit`.

    Page views: `ever`, of the interval (`pages`), of the newest days (`recent`), of the weeks before them (`before`, on how many days:
    `days`), of the last 24 hours (`last_day`), of the same 24 hours one to four weeks earlier (`same_day_1`, …); and the `last_at`.

    Reads the site's `events` once: they are first counted by page and day, and a day is 24 hours back from now.
    """
    daily = _daily_views()
    host, path = daily.c.host, daily.c.path
    before, days = _views(daily, _is_before(daily)), _days(daily)
    hosts = select(host, null().label("path"), *_measures(daily)).group_by(host)
    regular = (
        select(host, path, *_measures(daily))
        .group_by(host, path)
        .having(and_(before >= bindparam("least"), days >= bindparam("least_days")))
        .order_by(before.desc(), bytewise(host), bytewise(path))
        .limit(bindparam("limit"))
        .subquery("regular_pages")
    )
    rows = union_all(hosts, select(regular)).subquery("hosts_and_pages")
    return select(rows).order_by(rows.c.ever.desc(), bytewise(rows.c.host), bytewise(rows.c.path))


def _daily_views() -> CTE:
    """A row a page and day, counted back from now (0: the last 24 hours; the last number: all that is older)."""
    at, now = micros(_event.occurred_at), bindparam("now", type_=BigInteger)
    oldest = RECENT_DAYS + BEFORE_DAYS
    days_ago = case((at >= _days_before_now(oldest), (now - at) // DAY), else_=oldest)
    viewed = (
        select(_event.host, _event.path, at.label("at"), days_ago.label("days_ago"), case((_in_interval(at), 1), else_=0).label("is_asked"))
        .where(of_site(tables.events), _event.is_web.is_(True), _event.start_rank == 2, _event.host != "")
        .subquery("views")
    )
    keys = (viewed.c.host, viewed.c.path, viewed.c.days_ago)
    counts = (func.count().label("views"), func.sum(viewed.c.is_asked).label("pages"), func.max(viewed.c.at).label("last_at"))
    return select(*keys, *counts).group_by(*keys).cte("daily_views")


def _measures(daily: CTE) -> list[ColumnElement[Any]]:
    same_days = [_views(daily, daily.c.days_ago == 7 * weeks).label(f"same_day_{weeks}") for weeks in range(1, SAME_DAYS + 1)]
    return [
        cast(func.sum(daily.c.views), BigInteger).label("ever"),
        cast(func.sum(daily.c.pages), BigInteger).label("pages"),
        _views(daily, daily.c.days_ago < RECENT_DAYS).label("recent"),
        _views(daily, _is_before(daily)).label("before"),
        _days(daily).label("days"),
        func.max(daily.c.last_at).label("last_at"),
        _views(daily, daily.c.days_ago == 0).label("last_day"),
        *same_days,
    ]


def _is_before(daily: CTE) -> ColumnElement[bool]:
    return and_(daily.c.days_ago >= RECENT_DAYS, daily.c.days_ago < RECENT_DAYS + BEFORE_DAYS)


def _views(daily: CTE, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return cast(func.sum(case((condition, daily.c.views), else_=0)), BigInteger)


def _days(daily: CTE) -> ColumnElement[int]:
    return func.count(case((_is_before(daily), daily.c.days_ago)).distinct())


# ---------------------------------------------------------------- forms and the CRM


def forms_without_email() -> Select[Any]:
    """A row a form that makes leads: its `submissions` in the interval, and those `without_email` by browsers of which nobody is known
    (a form of somebody else's may tell us who it was by a webhook).

    Reads the site's `events` once, `form_labels`, which is small, and `visitor_spans` by primary key.
    """
    form = tables.form_labels.c
    is_of = and_(of_site(tables.form_labels), form.form_id == _event.form_id)
    span = tables.visitor_spans.c
    is_anybody = exists().where(of_site(tables.visitor_spans), span.visitor_id == _event.visitor_id, span.fact_id.is_not(None))
    without = _counted_if(and_(_event.has_email.is_(False), ~is_anybody))
    return (
        select(form.name, func.count().label("submissions"), without.label("without_email"))
        .join_from(tables.events, tables.form_labels, is_of)
        .where(of_site(tables.events), _event.type == "form_submit", _in_interval(_event.occurred_at))
        .where(form.is_lead_form.is_(True))
        .group_by(form.name)
        .order_by(without.desc(), bytewise(form.name))
    )


def leads_and_the_crm() -> Select[Any]:
    """A row a form by whose name leads came in the interval, up to a day ago (what is no form: by the type of the event): the `leads`,
    and how many of them the CRM knows (`in_crm`): a contact or a deal of it has one of the person's keys.

    Index: `ix_ledger_entries__counted`, the keys of `conversions`, `events`, `forms` and `crm_facts`, `ix_deal_people__person`,
    `ix_key_people__person`, `ix_link_keys__key`; sightings of a set of keys by the key of `sightings`.
    """
    entry, lead = tables.ledger_entries.c, tables.conversions.c
    key, link, sighting, fact = tables.key_people.c, tables.link_keys.c, tables.sightings.c, tables.crm_facts.c
    deal, form = tables.deal_people.c, tables.forms.c
    of_deal = exists().where(deal.site_id == lead.site_id, deal.person_id == lead.person_id, deal.is_contact.is_(True))
    told = tables.key_people.join(tables.link_keys, and_(link.site_id == key.site_id, link.key_id == key.key_id))
    told = told.join(tables.sightings, and_(sighting.site_id == link.site_id, sighting.link_id == link.link_id))
    told = told.join(tables.crm_facts, and_(fact.site_id == sighting.site_id, fact.fact_id == sighting.fact_id))
    by_crm = exists().select_from(told).where(key.site_id == lead.site_id, key.person_id == lead.person_id)
    is_lead = and_(
        lead.site_id == entry.site_id, lead.kind == entry.kind, lead.holder_id == entry.holder_id, lead.fact_id == entry.fact_id
    )
    known = (
        select(func.coalesce(form.name, _event.type, "").label("form"), or_(of_deal, by_crm).label("is_known"))
        .join_from(tables.ledger_entries, tables.conversions, is_lead)
        .outerjoin(tables.events, and_(of_site(tables.events), _event.visitor_id == lead.holder_id, _event.event_id == lead.fact_id))
        .outerjoin(tables.forms, and_(of_site(tables.forms), form.form_id == _event.form_id))
        .where(of_site(tables.ledger_entries), entry.kind == "lead", entry.entry == 0, entry.holder_id != "crm")
        .where(_in_interval(entry.counted_at), micros(entry.counted_at) < _days_before_now(1))
        .cte("leads_of_forms")
    )
    leads, in_crm = func.count(), _counted_if(known.c.is_known)
    rows = select(known.c.form, leads.label("leads"), in_crm.label("in_crm")).group_by(known.c.form)
    return rows.order_by((leads - in_crm).desc(), bytewise(known.c.form))


def facts_by_connection() -> Select[Any]:
    """A row a connection whose CRM has told anything: how much in the newest days (`recent`) and in the weeks before (`before`, on how
    many days: `days`), the `last_at`; by when it came in; and how much was of a CRM's `records`, not of visitors.

    Reads the site's `crm_facts` once.
    """
    fact = tables.crm_facts.c
    at = micros(fact.received_at)
    is_before = and_(at < _days_before_now(RECENT_DAYS), at >= _days_before_now(RECENT_DAYS + BEFORE_DAYS))
    return (
        select(
            fact.connection_id,
            _counted_if(at >= _days_before_now(RECENT_DAYS)).label("recent"),
            _counted_if(is_before).label("before"),
            func.count(case((is_before, at // DAY)).distinct()).label("days"),
            func.max(at).label("last_at"),
            _counted_if(fact.type != "event.happened").label("records"),
        )
        .where(of_site(tables.crm_facts), fact.connection_id != "")
        .group_by(fact.connection_id)
        .order_by(bytewise(fact.connection_id))
    )


# ---------------------------------------------------------------- what was refused, and what stands out


def drops_of_interval() -> Select[Any]:
    """A row a reason for which something was dropped at the door on UTC days from `:first_day` to `:last_day`: the `count` and the last
    day (`last_on`). Index: the key of `drops`."""
    drop = tables.drops.c
    return (
        select(drop.reason, cast(func.sum(drop.count), BigInteger).label("count"), func.max(drop.day).label("last_on"))
        .where(of_site(tables.drops), drop.day >= bindparam("first_day"), drop.day <= bindparam("last_day"))
        .group_by(drop.reason)
        .order_by(func.sum(drop.count).desc(), bytewise(drop.reason))
    )


def quarantined() -> Select[Any]:
    """A row a door and reason of what is in the quarantine: how much came in within the last 7 days (`recent`) and within the 7 before
    (`before`). Index: `ix_quarantine__received_at`."""
    row = tables.quarantine.c
    at = micros(row.received_at)
    recent = _counted_if(at >= _days_before_now(RECENT_DAYS))
    return (
        select(row.door, row.reason, recent.label("recent"), _counted_if(at < _days_before_now(RECENT_DAYS)).label("before"))
        .where(of_site(tables.quarantine), row.received_at >= _days_before_now(2 * RECENT_DAYS))
        .group_by(row.door, row.reason)
        .order_by(recent.desc(), bytewise(row.door), bytewise(row.reason))
    )


def crowded_keys() -> Select[Any]:
    """A row a key that was seen on too many visitors on a UTC day of the interval: on how many at most, on how many `days`, and the text
    that it stands for, if it is known. Index: the keys of `crowded_days` and `contacts`."""
    crowded, contact = tables.crowded_days, tables.contacts
    is_of = and_(of_site(contact), contact.c.key_id == crowded.c.key_id)
    first, last = (bindparam(name, type_=BigInteger) // DAY for name in ("starts_at", "ends_at"))
    most = func.max(crowded.c.visitors)
    return (
        select(crowded.c.key_id, most.label("visitors"), func.count().label("days"), func.max(contact.c.value).label("value"))
        .select_from(crowded.outerjoin(contact, is_of))
        .where(of_site(crowded), crowded.c.day_number >= first, crowded.c.day_number <= last)
        .group_by(crowded.c.key_id)
        .order_by(most.desc(), bytewise(crowded.c.key_id))
    )


def details_of_deals() -> Select[Any]:
    """A row a deal of `:keys`, pairs of space and ID: what the CRM calls it. Index: the key of `deals`."""
    deal = tables.deals.c
    columns = (deal.space, deal.deal_id, deal.name, deal.closed_on, deal.owner, deal.url)
    return select(*columns).where(of_site(tables.deals), tuple_(deal.space, deal.deal_id).in_(bindparam("keys", expanding=True)))


def kinds_counted() -> Select[Any]:
    """A row a kind of conversion of which something counts in the interval. Index: `ix_ledger_entries__counted`."""
    entry = tables.ledger_entries.c
    return select(entry.kind).where(of_site(tables.ledger_entries), _in_interval(entry.counted_at), entry.counts == 1).distinct()
