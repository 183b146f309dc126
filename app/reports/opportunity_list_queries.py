"""The list of whom to contact: a page of deals and leads by expected value, and what stands beside each of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Select, Subquery, and_, bindparam, case, cast, exists, func, literal, select, tuple_

from app import tables
from app.db import greatest, least
from app.journeys.conversions import LEAD_KINDS
from app.reports.content_queries import is_page, section
from app.reports.opportunity_rows import Reading, opportunity_rows, with_first_touches
from app.sales.hours import time_at_work
from app.tables import of_site

LEAST_CLOSED = 5
"""With fewer closed deals that were ever in a stage, its win rate says nothing."""
TOUCHES_SHOWN = 3
PEOPLE_SHOWN = 100
"""Contacts of one deal: those of a whole page must be few enough for one statement's parameters."""

_deal = tables.deals.c
_KEY = ("person_id", "space", "deal_id")


def _currency() -> ColumnElement[str]:
    return bindparam("currency", type_=tables.Key)


# ---------------------------------------------------------------- what is expected of a row


def _closed_deals() -> CTE:
    """A row a closed deal that counts. Reads the site's `deals`."""
    is_won = case((_deal.outcome == "won", 1), else_=0)
    return (
        select(
            _deal.space, _deal.deal_id, func.coalesce(_deal.pipeline, "").label("pipeline"), is_won.label("won"), _deal.amount_minor,
            _deal.currency,
        )
        .where(of_site(tables.deals), _deal.ignored_because.is_(None), _deal.outcome.in_(("won", "lost")))
        .cte("closed_deals")
    )  # fmt: skip


def _rates_of_stages(closed: CTE) -> CTE:
    """A row a stage of a pipeline with enough closed deals that were ever in it: how many, and how many of them were won.

    Index: the key of `deal_fields`.
    """
    field = tables.deal_fields.c
    was_in = and_(of_site(tables.deal_fields), field.space == closed.c.space, field.deal_id == closed.c.deal_id, field.field == "stage")
    been = (
        select(closed.c.space, closed.c.deal_id, closed.c.pipeline, closed.c.won, field.value.label("stage"))
        .join_from(closed, tables.deal_fields, was_in)
        .where(field.value.is_not(None))
        .distinct()
        .cte("stages_passed")
    )
    row = been.c
    return (
        select(row.space, row.pipeline, row.stage, func.count().label("closed"), cast(func.sum(row.won), BigInteger).label("won"))
        .group_by(row.space, row.pipeline, row.stage)
        .having(func.count() >= LEAST_CLOSED)
        .cte("rates_of_stages")
    )


def _rates(closed: CTE) -> CTE:
    """One row: closed deals, how many were won, what a won one was worth on average (in the site's currency); and what
    `leads_by_outcome` has."""
    is_ours = and_(closed.c.won == 1, closed.c.currency == _currency(), closed.c.amount_minor > 0)
    worth = case((is_ours, closed.c.amount_minor))
    deals = select(
        func.count().label("closed"),
        func.coalesce(cast(func.sum(closed.c.won), BigInteger), 0).label("won"),
        (cast(func.sum(worth), BigInteger) // func.nullif(func.count(worth), 0, type_=BigInteger)).label("average"),
    ).subquery("deals_by_outcome")
    leads = leads_by_outcome()
    return select(*deals.columns, *leads.columns).select_from(deals.join(leads, literal(True))).cte("rates")


def leads_by_outcome() -> Subquery:
    """One row: `leads` are the people who were one, `customers` those of them who bought. Index: `ix_conversion_people__person`, the key
    of `conversions`."""
    lead, person = tables.conversions.alias("leads_ever"), tables.conversion_people.c
    bought = exists().where(
        of_site(tables.conversion_people), person.person_id == lead.c.person_id, person.kind == "customer", person.is_contact.is_(True)
    )
    customers = func.coalesce(cast(func.sum(case((bought, 1), else_=0)), BigInteger), 0)
    is_lead = and_(of_site(lead), lead.c.kind == "lead", lead.c.person_id != "")
    return select(func.count().label("leads"), customers.label("customers")).where(is_lead).subquery("leads_by_outcome")


def _expected(rows: CTE) -> CTE:
    """The rows, with what is expected of each: `rate_won` of `rate_closed` (by `rate_of`), `value_minor` (by `value_of`), and the
    product of both, `expected_minor`; null where nothing was ever closed. They are ranked by `rank`, then `newness`: the smallest first."""
    closed = _closed_deals()
    stage, rates = _rates_of_stages(closed), _rates(closed)
    row = rows.c
    is_stage = and_(stage.c.space == row.space, stage.c.pipeline == func.coalesce(row.pipeline, ""), stage.c.stage == row.stage)
    by_stage = stage.c.closed.is_not(None)
    has_amount = and_(row.amount_minor > 0, row.currency == _currency())
    value = case((has_amount, row.amount_minor), else_=rates.c.average)
    rate_closed = case((by_stage, stage.c.closed), (row.is_deal, rates.c.closed), else_=rates.c.leads)
    rate_won = case((by_stage, stage.c.won), (row.is_deal, rates.c.won), else_=rates.c.customers)
    valued = (
        select(
            *row, value.label("value_minor"),
            rate_won.label("rate_won"), func.nullif(rate_closed, 0, type_=BigInteger).label("rate_closed"),
            case((by_stage, "stage"), (row.is_deal, "deals"), else_="leads").label("rate_of"),
            case((has_amount, "deal"), else_="average_won_deal").label("value_of"),
        )
        .select_from(rows.outerjoin(stage, is_stage).join(rates, literal(True)))
        .cte("valued")
    )  # fmt: skip
    it = valued.c
    # As (whole + rest) x won ÷ closed, which 64 bits hold.
    rest = it.value_minor - it.value_minor // it.rate_closed * it.rate_closed
    expected = it.value_minor // it.rate_closed * it.rate_won + rest * it.rate_won // it.rate_closed
    rank = func.coalesce(expected, it.value_minor, 0)
    return select(*it, expected.label("expected_minor"), (-rank).label("rank"), (-it.started_at).label("newness")).cte("ranked")


# ---------------------------------------------------------------- a page of them


def _is_wanted(rows: Any, asked: Collection[str]) -> list[ColumnElement[bool]]:
    """What the caller asked for: `outcomes`, `owner`; `stale` or `fresh`, `closed` or `unclosed` ones."""
    found: list[ColumnElement[bool]] = []
    if "outcomes" in asked:
        found.append(rows.outcome.in_(bindparam("outcomes", expanding=True)))
    if "owner" in asked:
        found.append(rows.owner == bindparam("owner"))
    is_stale = and_(rows.outcome == "open", rows.is_stale)
    if "stale" in asked:
        found.append(is_stale)
    if "fresh" in asked:
        found.append(~is_stale)
    if "closed" in asked:
        found.append(rows.is_closed)
    if "unclosed" in asked:
        found.append(~rows.is_closed)
    return found


def _chosen(read: Reading, asked: Collection[str]) -> CTE:
    """The rows asked for, those who may not be contacted among them."""
    only = {"outcome", "is_stale", "is_closed", "is_deal", "may_contact", "started_at", "stage", "pipeline", "amount_minor", "currency"}
    only |= {"owner"} & set(asked)
    only |= {"kind", "holder_id", "fact_id"} if "channel" in asked else set()
    rows = opportunity_rows(read, only=only)
    if "channel" not in asked:
        return select(*rows.columns).where(literal(True), *_is_wanted(rows.c, asked)).cte("chosen")
    joined, columns = with_first_touches(rows, ("channel",))
    is_channel = columns["channel"] == bindparam("channel")
    return select(*rows.columns).select_from(joined).where(is_channel, *_is_wanted(rows.c, asked)).cte("chosen")


def page_of_opportunities(read: Reading, asked: Collection[str], *, is_next: bool) -> Select[Any]:
    """At most `:limit` rows, the most expected first, then the one that began last: as `opportunity_rows`, with what is expected of
    each, its `channel`, and the time at work that it has `waited` for the first contact, until now where none came.

    With `is_next`, those after the cursor `:after_rank`, `:after_newness`, `:after_person`, `:after_space`, `:after_deal`.
    Reads the site's `opportunities`, `deals` and leads, and all else by key.
    """
    ranked = _expected(_chosen(read, asked))
    order = (ranked.c.rank, ranked.c.newness, ranked.c.person_id, ranked.c.space, ranked.c.deal_id)
    page = select(*ranked.columns).where(ranked.c.may_contact.is_(True))
    if is_next:
        numbers = (bindparam(name, type_=BigInteger) for name in ("after_rank", "after_newness"))
        texts = (bindparam(name, type_=tables.Key) for name in ("after_person", "after_space", "after_deal"))
        page = page.where(tuple_(*order) > tuple_(*numbers, *texts))
    ranks = page.order_by(*order).limit(bindparam("limit")).cte("page")
    shown = opportunity_rows(read, among=ranks)
    joined, columns = with_first_touches(shown, ("channel",))
    now: ColumnElement[int] = bindparam("now", type_=BigInteger)
    until = least(func.coalesce(shown.c.closed_at, now), now)
    so_far = greatest(time_at_work(until) - time_at_work(shown.c.started_at), literal(0))
    waited = case((shown.c.is_contacted, shown.c.waited), else_=so_far)
    names = ("rate_won", "rate_closed", "rate_of", "value_minor", "value_of", "expected_minor", "rank", "newness")
    expected = (ranks.c[name] for name in names)
    return (
        select(
            *shown.columns, *expected, columns["channel"].label("channel"), waited.label("waited_for"),
            _stage_of_lead(shown).label("lead_stage"),
        )
        .select_from(joined.join(ranks, and_(*(ranks.c[name] == shown.c[name] for name in _KEY))))
        .order_by(*(ranks.c[column.name] for column in order))
    )  # fmt: skip


def _stage_of_lead(rows: CTE) -> ColumnElement[Any]:
    """The furthest stage of a lead: the last by name."""
    theirs = tables.conversions.alias("stages_of_lead").c
    is_theirs = and_(theirs.site_id == bindparam("site_id"), theirs.person_id == rows.c.person_id, theirs.kind.in_(LEAD_KINDS))
    return select(func.max(theirs.kind)).where(is_theirs, rows.c.person_id != "").correlate(rows).scalar_subquery()


def refused_opportunities(read: Reading, asked: Collection[str]) -> Select[Any]:
    """One row: how many of those asked for are left out because they may not be contacted."""
    chosen = _chosen(read, asked)
    return select(func.count()).select_from(chosen).where(chosen.c.may_contact.is_(False))


# ---------------------------------------------------------------- what stands beside the rows of a page


def contacts_of_deals() -> Select[Any]:
    """A row for each contact of the deals `:keys`, a list of (space, deal ID), and whether they may be contacted, those who may first:
    at most `PEOPLE_SHOWN` a deal. `:spaces` and `:deal_ids` are those of the keys: SQLite finds no pair of values by an index.

    Index: the keys of `deal_people` and `properties`.
    """
    person, said = tables.deal_people.c, tables.properties.c
    is_said = and_(of_site(tables.properties), said.holder_id == person.person_id, said.property == ":may_contact", said.value == "false")
    is_refused = said.value.is_not(None)
    place = func.row_number().over(partition_by=(person.space, person.deal_id), order_by=(is_refused, person.person_id))
    ranked = (
        select(person.space, person.deal_id, person.person_id, is_refused.label("is_refused"), place.label("place"))
        .outerjoin_from(tables.deal_people, tables.properties, is_said)
        .where(of_site(tables.deal_people), person.is_contact.is_(True))
        .where(person.space.in_(bindparam("spaces", expanding=True)), person.deal_id.in_(bindparam("deal_ids", expanding=True)))
        .where(tuple_(person.space, person.deal_id).in_(bindparam("keys", expanding=True)))
        .cte("contacts_ranked")
    )
    row = ranked.c
    return select(row.space, row.deal_id, row.person_id, row.is_refused).where(row.place <= PEOPLE_SHOWN).order_by(row.place)


def names_of_people() -> Select[Any]:
    """A row a key of the people `:people` that is known in clear: how they are shown. Index: `ix_key_people__person`, the key of
    `contacts`."""
    key, contact = tables.key_people.c, tables.contacts.c
    return (
        select(key.person_id, contact.kind, contact.value, contact.name, contact.company)
        .join_from(tables.key_people, tables.contacts, and_(of_site(tables.contacts), contact.key_id == key.key_id))
        .where(of_site(tables.key_people), _is_of_page(key.person_id))
        .order_by(key.person_id, contact.occurred_at.desc(), key.key_id)
    )


def properties_of_page() -> Select[Any]:
    """A row a person of `:people` whose record the CRM gave an address. Index: the key of `properties`."""
    said = tables.properties.c
    return select(said.holder_id.label("person_id"), said.value.label("url")).where(
        of_site(tables.properties), _is_of_page(said.holder_id), said.property == ":url"
    )


def _is_of_page(person_id: ColumnElement[Any]) -> ColumnElement[bool]:
    return person_id.in_(bindparam("people", expanding=True))


def _within(moment: ColumnElement[Any], visitor_id: ColumnElement[Any]) -> ColumnElement[bool]:
    span = tables.visitor_spans.c
    return and_(visitor_id == span.visitor_id, moment >= span.starts_at, moment < span.ends_at)


def last_touches_of_people() -> Select[Any]:
    """A row for each of the last touches of the people `:people`, the newest first. Index: `ix_visitor_spans__person`,
    `ix_touches__order`."""
    span, touch, label = tables.visitor_spans.c, tables.touches.c, tables.origin_labels.c
    newest_first = (touch.occurred_at.desc(), touch.sequence.desc(), touch.event_id.desc(), touch.visitor_id.desc())
    ranked = (
        select(
            span.person_id, touch.occurred_at, touch.visitor_id, touch.event_id, touch.origin_id,
            func.row_number().over(partition_by=span.person_id, order_by=newest_first).label("place"),
        )
        .join_from(tables.visitor_spans, tables.touches, and_(of_site(tables.touches), _within(touch.occurred_at, touch.visitor_id)))
        .where(of_site(tables.visitor_spans), _is_of_page(span.person_id))
        .cte("touches_ranked")
    )  # fmt: skip
    row = ranked.c
    return (
        select(row.person_id, row.occurred_at, label.channel)
        .outerjoin_from(ranked, tables.origin_labels, and_(of_site(tables.origin_labels), label.origin_id == row.origin_id))
        .where(row.place <= TOUCHES_SHOWN)
        .order_by(row.occurred_at.desc(), row.event_id, row.visitor_id)
    )


def sections_of_people() -> Select[Any]:
    """A row for each section of the site that the people `:people` read: how long it was in the foreground, and how many pages.

    Index: `ix_visitor_spans__person`, `ix_events__order`.
    """
    span, event = tables.visitor_spans.c, tables.events.c
    name = section().label("section")
    return (
        select(
            span.person_id, name, cast(func.coalesce(func.sum(event.engaged_ms), 0), BigInteger).label("engaged_ms"),
            cast(func.sum(case((event.type != "engagement", 1), else_=0)), BigInteger).label("views"),
        )
        .join_from(tables.visitor_spans, tables.events, and_(of_site(tables.events), _within(event.occurred_at, event.visitor_id)))
        .where(of_site(tables.visitor_spans), _is_of_page(span.person_id), is_page())
        .group_by(span.person_id, name)
    )  # fmt: skip
