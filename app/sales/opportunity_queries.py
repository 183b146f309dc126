"""Who needs contact, when the first came, and how it ended: a row a deal that counts, or a lead that has none.

What is stored are times; `app.sales.outcomes` makes an outcome of them at the moment of reading. What is not plain:

- A lead gets a deal: the deal's row stands in place of the lead's, and its clock starts when the deal was opened. A deal that does not
  count (`deals.ignored_because`) gives the lead back.
- A lead without a form: whom sales or marketing marked as lead, MQL or SQL is one, from the first such mark on. Who is known by no
  e-mail, phone or ID cannot be contacted, and is none.
- A deal with several contacts: a contact with any of them is one.
- Contact before the deal was created counts from `contact_before_days` before it on, if the activity names no deal; one that names a
  deal counts for that deal only, whenever it took place.
- Contact before a lead: what came before a form does not answer it; what came before a mark of the CRM counts as before a deal.
- An activity that was deleted, or did not take place, is no contact: what it counted for is computed anew.
- Reopened: as if it had never been closed. The clock is that of the first opening, and contacts before the close still count.
- Disqualified: the last mark of each of the deal's contacts (of the lead) is `disqualified`, and came after it was opened. A won deal
  stays won, and a later mark undoes it.
- A lead that was rejected or recycled is lost, by the last of its marks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
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
    union,
    union_all,
)

from app import tables
from app.db import greatest, micros
from app.journeys.conversions import CRM, LEAD_KINDS
from app.sales.hours import moment_of_work, time_at_work
from app.tables import of_site

_BY_WEBSITE = ("lead", "mql")
_GIVEN_UP = ("mql_rejected", "recycled")

_concerned = tables.concerned_opportunities
_deals = tables.deals.c
_people = tables.deal_people.c
_activities = tables.sales_activities.c


def _site() -> ColumnElement[Any]:
    return bindparam("site_id", type_=tables.Key)


def _nothing(name: str) -> ColumnElement[Any]:
    return literal("", tables.Key).label(name)


def _before() -> ColumnElement[int]:
    """How long before a deal's creation a contact with its people counts, in microseconds."""
    return bindparam("contact_before", type_=BigInteger)


# ---------------------------------------------------------------- what is dirty, and whom that concerns


def concerned_people_and_deals() -> Insert:
    """Rows of `concerned_opportunities`: the dirty keys, the deals of dirty people, and the contacts of dirty deals.

    Index: `ix_deal_people__person`, the key of `deal_people`.
    """
    dirty, person = tables.dirty["opportunities_queue"], tables.deal_people
    is_contact = and_(of_site(person), _people.is_contact.is_(True))
    is_of_deal = and_(_people.space == dirty.c.space, _people.deal_id == dirty.c.deal_id)
    keys = union(
        select(dirty.c.site_id, dirty.c.person_id, dirty.c.space, dirty.c.deal_id).where(of_site(dirty)),
        select(_people.site_id, _nothing("person_id"), _people.space, _people.deal_id)
        .join_from(dirty, person, and_(is_contact, _people.person_id == dirty.c.person_id))
        .where(of_site(dirty), dirty.c.person_id != ""),
        select(_people.site_id, _people.person_id, _nothing("space"), _nothing("deal_id"))
        .join_from(dirty, person, and_(is_contact, is_of_deal))
        .where(of_site(dirty), dirty.c.person_id == ""),
    )
    return insert(_concerned).from_select(["site_id", "person_id", "space", "deal_id"], keys)


def in_scope() -> ColumnElement[bool]:
    """Whether a row of `opportunities` is of a concerned person or deal."""
    row = tables.opportunities.c
    is_it = and_(_concerned.c.person_id == row.person_id, _concerned.c.space == row.space, _concerned.c.deal_id == row.deal_id)
    return exists().where(of_site(_concerned), is_it)


# ---------------------------------------------------------------- what deals and leads share


def _last_marks(people: CTE, name: str) -> CTE:
    """A row for each of the people on whom sales or marketing left a mark: the last one, and when the first came that makes a lead.

    A contact's person is the smallest of its keys'. Nested lookups, not joins: for a join with distinct rows SQLite reads all
    links of the site in the order of their IDs. Index: `ix_key_people__person`, `ix_link_keys__key`, `ix_contact_marks__link`,
    then the keys of the first two.
    """
    mark, mine, carried = tables.contact_marks, tables.key_people.alias("keys_of_person"), tables.link_keys.alias("links_of_key")
    keys = select(mine.c.key_id).where(of_site(mine), mine.c.person_id.in_(select(people.c.person_id)))
    is_marked = exists().where(of_site(mark), mark.c.link_id == carried.c.link_id)
    links = select(carried.c.link_id).where(of_site(carried), carried.c.key_id.in_(keys), is_marked)
    key, person = tables.link_keys, tables.key_people
    owned = (
        select(key.c.link_id, func.min(person.c.person_id).label("person_id"))
        .join_from(key, person, and_(of_site(person), person.c.key_id == key.c.key_id))
        .where(of_site(key), key.c.link_id.in_(links))
        .group_by(key.c.link_id)
        .cte(f"contacts_of_{name}")
    )
    at = micros(mark.c.occurred_at)
    by_person: Any = {"partition_by": owned.c.person_id}
    ranked = (
        select(
            owned.c.person_id, mark.c.mark, mark.c.reason, at.label("occurred_at"), mark.c.fact_id,
            func.row_number().over(**by_person, order_by=(at.desc(), mark.c.fact_id.desc())).label("newest"),
            func.min(case((mark.c.mark.in_(LEAD_KINDS), at))).over(**by_person).label("lead_at"),
        )
        .join_from(owned, mark, and_(of_site(mark), mark.c.link_id == owned.c.link_id))
        .cte(f"marks_of_{name}")
    )  # fmt: skip
    return select(*ranked.columns).where(ranked.c.newest == 1).cte(f"last_marks_of_{name}")


def _is_contact() -> ColumnElement[bool]:
    """Whether an activity counts as contact, by its kind and direction: `:contact_counts`."""
    direction = func.coalesce(func.nullif(_activities.direction, ""), "unknown")
    kind = or_(
        _activities.kind.in_(bindparam("contact_counts", expanding=True)),
        _activities.kind.concat(":").concat(direction).in_(bindparam("contact_counts", expanding=True)),
    )
    return and_(_activities.is_automated.is_(False), kind)


def _activity_columns() -> tuple[ColumnElement[Any], ...]:
    at = micros(_activities.occurred_at)
    return (case((_is_contact(), at)).label("contacted_at"), case((_activities.is_automated.is_(False), at)).label("last_activity_at"))


def _summed(rows: Any) -> tuple[ColumnElement[Any], ...]:
    return (func.min(rows.contacted_at).label("contacted_at"), func.max(rows.last_activity_at).label("last_activity_at"))


def _rows(found: CTE) -> Select[Any]:
    """Rows of `opportunities`, from all of its columns but those that the hours at work tell."""
    at_start, at_contact = time_at_work(found.c.started_at), time_at_work(found.c.contacted_at)
    waited = case((found.c.contacted_at.is_not(None), greatest(at_contact - at_start, literal(0))))
    promised = at_start + bindparam("promise", type_=BigInteger)
    timed = select(*found.columns, promised.label("promised"), waited.label("waited")).cte("timed")
    columns = {"site_id": _site(), "due_at": moment_of_work(timed.c.promised), "is_gone": false()}
    names = [c.name for c in tables.staged["opportunities"].columns]
    return select(*((columns[name] if name in columns else timed.c[name]).label(name) for name in names))


# ---------------------------------------------------------------- deals


def opportunities_of_deals() -> Select[Any]:
    """A row for each concerned deal that counts.

    Parameters: `site_id`, `contact_counts`, `contact_before`, `promise` (microseconds). Index: the keys of `deals`, `deal_people`
    and `open_hours`, `ix_sales_activities__deal`, `ix_sales_activities__person`, and those of the marks.
    """
    deals = _deals_that_count()
    contacts = _contacts_of(deals)
    closed, told = _contacts_by_deal(contacts), _activities_of_deals(deals, contacts)
    deal = deals.c
    is_disqualified = and_(deal.outcome != "won", closed.c.people == closed.c.disqualified)
    found = (
        select(
            _nothing("person_id"), deal.space, deal.deal_id, func.coalesce(closed.c.contact_id, "").label("contact_id"),
            deal.started_at, told.c.contacted_at, told.c.last_activity_at,
            case((is_disqualified, closed.c.disqualified_at), else_=deal.closed_at).label("closed_at"),
            case((is_disqualified, "disqualified"), (deal.outcome == "open", ""), else_=deal.outcome).label("closed_as"),
            case((is_disqualified, closed.c.reason), (deal.outcome == "lost", deal.lost_reason)).label("reason"),
        )
        .outerjoin_from(deals, closed, _same_deal(closed.c, deal))
        .outerjoin(told, _same_deal(told.c, deal))
        .cte("found_deals")
    )  # fmt: skip
    return _rows(found)


def _same_deal(left: Any, right: Any) -> ColumnElement[bool]:
    return and_(left.space == right.space, left.deal_id == right.deal_id)


def _deals_that_count() -> CTE:
    closed_at = case((_deals.outcome == "won", micros(_deals.won_at)), (_deals.outcome == "lost", micros(_deals.lost_at)))
    return (
        select(
            _deals.space, _deals.deal_id, _deals.outcome, _deals.lost_reason, micros(_deals.opened_at).label("started_at"),
            closed_at.label("closed_at"),
        )
        .join_from(_concerned, tables.deals, and_(of_site(tables.deals), _same_deal(_deals, _concerned.c)))
        .where(of_site(_concerned), _concerned.c.person_id == "", _deals.ignored_because.is_(None))
        .cte("deals_that_count")
    )  # fmt: skip


def _contacts_of(deals: CTE) -> CTE:
    """A row a contact of the deals."""
    is_contact = and_(of_site(tables.deal_people), _same_deal(_people, deals.c), _people.is_contact.is_(True))
    return (
        select(deals.c.space, deals.c.deal_id, deals.c.started_at, _people.person_id)
        .join_from(deals, tables.deal_people, is_contact)
        .cte("contacts_of_deals")
    )


def _contacts_by_deal(contacts: CTE) -> CTE:
    """A row a deal with contacts: how many, how many of them were disqualified after it was opened, when the last of them was, and
    why."""
    mark = _last_marks(contacts, "contacts")
    is_disqualified = and_(
        mark.c.person_id == contacts.c.person_id, mark.c.mark == "disqualified", mark.c.occurred_at >= contacts.c.started_at
    )
    newest_first = (func.coalesce(mark.c.occurred_at, 0).desc(), func.coalesce(mark.c.fact_id, "").desc())
    by_deal: Any = {"partition_by": (contacts.c.space, contacts.c.deal_id), "order_by": newest_first}
    judged = (
        select(
            contacts.c.space, contacts.c.deal_id, contacts.c.person_id, mark.c.occurred_at, mark.c.reason,
            func.row_number().over(**by_deal).label("newest"),
        )
        .outerjoin_from(contacts, mark, is_disqualified)
        .cte("contacts_judged")
    )  # fmt: skip
    row = judged.c
    return (
        select(
            row.space, row.deal_id, func.min(row.person_id).label("contact_id"), func.count().label("people"),
            func.count(row.occurred_at).label("disqualified"), func.max(row.occurred_at).label("disqualified_at"),
            func.max(case((row.newest == 1, row.reason))).label("reason"),
        )
        .group_by(row.space, row.deal_id)
        .cte("contacts_by_deal")
    )  # fmt: skip


def _activities_of_deals(deals: CTE, contacts: CTE) -> CTE:
    """A row a deal with activities: those that name it, and those with its contacts that name no deal."""
    names_it = and_(of_site(tables.sales_activities), _same_deal(_activities, deals.c))
    is_with_contact = and_(
        of_site(tables.sales_activities), _activities.person_id == contacts.c.person_id, _activities.deal_id == "",
        micros(_activities.occurred_at) >= contacts.c.started_at - _before(),
    )  # fmt: skip
    told = union_all(
        select(deals.c.space, deals.c.deal_id, *_activity_columns()).join_from(deals, tables.sales_activities, names_it),
        select(contacts.c.space, contacts.c.deal_id, *_activity_columns()).join_from(contacts, tables.sales_activities, is_with_contact),
    ).subquery("told")
    return select(told.c.space, told.c.deal_id, *_summed(told.c)).group_by(told.c.space, told.c.deal_id).cte("activities_of_deals")


# ---------------------------------------------------------------- leads


def opportunities_of_leads() -> Select[Any]:
    """A row for each concerned person who is a lead and a contact of no deal that counts.

    Parameters as above. Index: `ix_conversions__person`, `ix_deal_people__person`, `ix_sales_activities__person`, the keys of
    `deals` and `open_hours`, and those of the marks.
    """
    people = _people_without_deal()
    mark = _last_marks(people, "people")
    leads = _leads(people, mark)
    told = _activities_of_leads(leads)
    lead = leads.c
    is_after = mark.c.occurred_at >= lead.started_at
    closed_as = case(
        (and_(is_after, mark.c.mark == "disqualified"), "disqualified"), (and_(is_after, mark.c.mark.in_(_GIVEN_UP)), "lost"), else_=""
    )
    is_closed = closed_as != ""
    found = (
        select(
            lead.person_id, _nothing("space"), _nothing("deal_id"), lead.person_id.label("contact_id"), lead.started_at,
            told.c.contacted_at, told.c.last_activity_at, case((is_closed, mark.c.occurred_at)).label("closed_at"),
            closed_as.label("closed_as"), case((is_closed, mark.c.reason)).label("reason"),
        )
        .outerjoin_from(leads, mark, mark.c.person_id == lead.person_id)
        .outerjoin(told, told.c.person_id == lead.person_id)
        .cte("found_leads")
    )  # fmt: skip
    return _rows(found)


def _people_without_deal() -> CTE:
    """A row for each concerned person who is identified, and a contact of no deal that counts."""
    counts = and_(of_site(tables.deals), _same_deal(_deals, _people), _deals.ignored_because.is_(None))
    is_contact = and_(of_site(tables.deal_people), _people.person_id == _concerned.c.person_id, _people.is_contact.is_(True))
    has_deal = exists().select_from(tables.deal_people.join(tables.deals, counts)).where(is_contact).correlate(_concerned)
    is_person = and_(_concerned.c.person_id != "", func.substr(_concerned.c.person_id, 1, 2) != "v_")
    return select(_concerned.c.person_id).where(of_site(_concerned), is_person, ~has_deal).cte("people_without_deal")


def _leads(people: CTE, mark: CTE) -> CTE:
    """A row for each of the people who is a lead: since when, and from when on activities count."""
    conversion = tables.conversions
    at = micros(conversion.c.occurred_at)
    is_theirs = and_(of_site(conversion), conversion.c.person_id == people.c.person_id, conversion.c.kind.in_(LEAD_KINDS))
    is_by_website = and_(conversion.c.kind.in_(_BY_WEBSITE), conversion.c.holder_id != CRM)
    began = union_all(
        select(people.c.person_id, at.label("at"), case((is_by_website, at)).label("asked_at")).join_from(people, conversion, is_theirs),
        select(mark.c.person_id, mark.c.lead_at.label("at"), literal(None, BigInteger).label("asked_at"))
        .join_from(people, mark, mark.c.person_id == people.c.person_id)
        .where(mark.c.lead_at.is_not(None)),
    ).subquery("began")
    started_at = func.min(began.c.at)
    counted_from = case((func.min(began.c.asked_at) == started_at, started_at), else_=started_at - _before())
    times = (started_at.label("started_at"), counted_from.label("counted_from"))
    return select(began.c.person_id, *times).group_by(began.c.person_id).cte("leads")


def _activities_of_leads(leads: CTE) -> CTE:
    """A row a lead with activities, whatever deal they name."""
    is_with_lead = and_(
        of_site(tables.sales_activities), _activities.person_id == leads.c.person_id,
        micros(_activities.occurred_at) >= leads.c.counted_from,
    )  # fmt: skip
    told = select(leads.c.person_id, *_activity_columns()).join_from(leads, tables.sales_activities, is_with_lead).cte("told_of_leads")
    return select(told.c.person_id, *_summed(told.c)).group_by(told.c.person_id).cte("activities_of_leads")
