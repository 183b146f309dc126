"""Deals and leads that need contact, with what became of them and what reports say of them: what the list and its report share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, FromClause, and_, bindparam, case, exists, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.joins import KEY, dimension, event_of, label_of
from app.attribution.properties import known_customers, value_of
from app.attribution.question import DIMENSIONS, Question
from app.collect.properties import RESERVED
from app.db import micros
from app.journeys.conversions import LEAD_KINDS
from app.sales import outcomes
from app.sites.properties import CUSTOMER, NOT_SET, Condition, Property
from app.sites.site import Site
from app.tables import of_site, to_micros

OWN = ("reason",)
"""What rows can be grouped by that no conversion has: why they were lost, or disqualified."""
_DAY = 86_400_000_000
_KEY = ("person_id", "space", "deal_id")

_row = tables.opportunities.c
_deal = tables.deals.c
_lead = tables.conversions.alias("its_lead")


@dataclass(frozen=True)
class Reading:
    """What rows are read with: the site, the moment, and whether anybody reports what sales do."""

    site: Site
    now: int
    """Microseconds."""
    are_reported: bool

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of what every statement here binds."""
        days = self.site.settings.lookback_days
        return {
            "site_id": self.site.site_id,
            "now": self.now,
            "stale_before": self.now - self.site.settings.stale_after_days * _DAY,
            "kind": "opportunity",
            "lookback_of_deals": days.of("opportunity") * _DAY,
            "lookback_of_leads": days.of("lead") * _DAY,
            "currency": self.site.settings.currency,
        }

    def question(self, kind: str) -> Question:
        """What the site's properties are asked with; neither currency nor look-back matters to them."""
        return Question(self.site.site_id, kind, self.site.settings.currency, 1, 1)


async def reading(connection: AsyncConnection, site: Site, now: datetime) -> Reading:
    """How the site's rows are read at a moment."""
    are_reported = await connection.scalar(outcomes.are_activities_reported(), {"site_id": site.site_id})
    return Reading(site, to_micros(now), bool(are_reported))


# ---------------------------------------------------------------- the rows


def opportunity_rows(
    read: Reading, *conditions: ColumnElement[bool], only: Collection[str] = (), among: CTE | None = None
) -> CTE:
    """A row for each deal and lead that needs contact, for which the conditions (on `opportunities`) hold.

    Beside the columns of `opportunities` and of its deal: `outcome`, `is_late`, `is_contacted`, `is_closed`, `is_stale`, `is_deal`,
    `owner`, `may_contact`, and the key of the conversion whose journey led to it (`kind`, `holder_id`, `fact_id`; null: none did);
    or `only` some of these beside its key. `among`: rows with keys of those that are wanted.
    Reads `opportunities`, and by their keys `deals`, `deal_people`, `properties` and `conversions` (`ix_conversions__person`).
    """
    columns = _columns(read)
    rows: FromClause = tables.opportunities
    if among is not None:
        rows = among.join(tables.opportunities, and_(of_site(tables.opportunities), _is_same(among.c, _row)))
    joined = rows.outerjoin(tables.deals, _is_its_deal())
    if not only or "kind" in only:
        is_lead = and_(of_site(_lead), _lead.c.person_id == _row.person_id, _row.person_id != "", _lead.c.kind == _first_kind())
        joined = joined.outerjoin(_lead, is_lead)
    wanted = [column.label(each) for each, column in columns.items() if not only or each in (*_KEY, *only)]
    found = select(*wanted).select_from(joined).where(of_site(tables.opportunities), *conditions)
    return found.cte("opportunity_rows" if among is None else "shown")


def _columns(read: Reading) -> dict[str, ColumnElement[Any]]:
    is_deal = _row.deal_id != ""
    times = ("started_at", "due_at", "contacted_at", "last_activity_at", "closed_at")
    of_deal = ("stage", "pipeline", "company_name", "amount_minor", "currency", "url")
    return {
        **{name: _row[name] for name in (*_KEY, "contact_id", "waited", "closed_as", "reason")},
        **{name: micros(_row[name]) for name in times},
        **{name: _deal[name] for name in of_deal},
        "deal_name": _deal.name,
        "outcome": outcomes.outcome(_row, are_reported=read.are_reported),
        "is_late": outcomes.is_late(_row),
        "is_contacted": outcomes.is_contacted(_row),
        "is_closed": outcomes.is_closed(_row),
        "is_stale": outcomes.is_stale(_row),
        "is_deal": is_deal,
        "owner": func.coalesce(func.nullif(_deal.owner, ""), func.nullif(said_of_contact("owner"), ""), NOT_SET),
        "may_contact": _may_be_contacted(),
        "kind": case((is_deal, "opportunity"), else_=_lead.c.kind),
        "holder_id": case((is_deal, _row.space), else_=_lead.c.holder_id),
        "fact_id": case((is_deal, _row.deal_id), else_=_lead.c.fact_id),
    }


def _is_its_deal() -> ColumnElement[bool]:
    return and_(of_site(tables.deals), _deal.space == _row.space, _deal.deal_id == _row.deal_id)


def _first_kind() -> ColumnElement[Any]:
    """The kind of the conversion that stands for a lead: the earliest stage, which is the first by name."""
    theirs = tables.conversions.alias("conversions_of_lead").c
    is_theirs = and_(theirs.site_id == bindparam("site_id"), theirs.person_id == _row.person_id, theirs.kind.in_(LEAD_KINDS))
    return select(func.min(theirs.kind)).where(is_theirs).correlate(tables.opportunities).scalar_subquery()


def said_of_contact(name: str) -> ColumnElement[Any]:
    """What sales keeps of the first contact of a row (`app.collect.properties.SALES_FIELDS`). Index: the key of `properties`."""
    said = tables.properties.alias(f"said_{name}").c
    is_said = and_(said.site_id == bindparam("site_id"), said.holder_id == _row.contact_id, said.property == RESERVED + name)
    return select(said.value).where(is_said).correlate(tables.opportunities).scalar_subquery()


def _may_be_contacted() -> ColumnElement[bool]:
    """Whether some contact of a row may be contacted, or none is known."""
    person = tables.deal_people.c
    is_contact = and_(
        of_site(tables.deal_people), person.space == _row.space, person.deal_id == _row.deal_id, person.is_contact.is_(True)
    )  # fmt: skip
    others = exists().where(is_contact, ~_is_refused(person.person_id)).correlate(tables.opportunities)
    return or_(_row.contact_id == "", ~_is_refused(_row.contact_id), others)


def _is_refused(person_id: ColumnElement[Any]) -> ColumnElement[bool]:
    said = tables.properties.alias("said_may_contact").c
    is_said = and_(said.site_id == bindparam("site_id"), said.holder_id == person_id, said.property == RESERVED + "may_contact")
    return exists().where(is_said, said.value == "false")


# ---------------------------------------------------------------- where they came from, and what else is known of them


def with_first_touches(rows: CTE, names: Collection[str]) -> tuple[FromClause, dict[str, ColumnElement[Any]]]:
    """(the rows joined with the first touch in reach of their journeys, the dimensions `names` of it); `(none)` where there is none.

    Reads `journey_touches`, `origin_labels` and, for landing pages, `events` by primary key.
    """
    first = _first_touches(rows)
    label = tables.origin_labels
    joined: FromClause = rows.outerjoin(first, _is_same(first.c, rows.c)).outerjoin(label, label_of(label, first.c.origin_id))
    if "landing_page" in names:
        joined = joined.outerjoin(tables.events, event_of(first.c))
    return joined, {name: case((first.c.origin_id.is_(None), "(none)"), else_=dimension(name)) for name in names}


def _is_same(left: Any, right: Any) -> ColumnElement[bool]:
    return and_(*(left[name] == right[name] for name in _KEY))


def _first_touches(rows: CTE) -> CTE:
    """A row for each row with a touch in reach: the first, no older than the look-back of opportunities (leads: of leads)."""
    touch = tables.journey_touches.c
    lookback = case(
        (rows.c.is_deal, bindparam("lookback_of_deals", type_=BigInteger)), else_=bindparam("lookback_of_leads", type_=BigInteger)
    )
    is_of_journey = and_(of_site(tables.journey_touches), *(touch[name] == rows.c[name] for name in ("kind", "holder_id", "fact_id")))
    ranked = (
        select(
            *(rows.c[name] for name in _KEY), touch.touch_visitor_id, touch.touch_event_id, touch.origin_id,
            func.row_number().over(partition_by=[rows.c[name] for name in _KEY], order_by=touch.position).label("place"),
        )
        .join_from(rows, tables.journey_touches, is_of_journey)
        .where(micros(touch.occurred_at) >= rows.c.started_at - lookback)
        .cte(f"touches_in_reach_of_{rows.name}")
    )  # fmt: skip
    return select(*ranked.columns).where(ranked.c.place == 1).cte(f"first_touches_of_{rows.name}")


@dataclass(frozen=True)
class Told:
    """What is known of rows beside the rows themselves."""

    read: Reading
    rows: CTE
    known: CTE | None
    """Of whom another deal was won before; None: nobody asks."""

    def value(self, asked: Property) -> ColumnElement[str]:
        """The text of a property of a row: of the deal, its people and company, or of the lead, who has bought nothing before."""
        if asked.is_built_in and asked.name == "owner":
            return self.rows.c.owner
        of_deal = value_of(self.read.question("opportunity"), asked, self.rows, self.known)
        of_lead = literal("new") if asked == CUSTOMER else value_of(self.read.question("lead"), asked, self.rows, None)
        return case((self.rows.c.is_deal, of_deal), else_=of_lead)

    def holds(self, condition: Condition) -> ColumnElement[bool]:
        """Whether a filter's condition holds of a row."""
        value = self.value(condition.property)
        return value.not_in(condition.values) if condition.is_not else value.in_(condition.values)

    def column(self, name: str, properties: Mapping[str, Property]) -> ColumnElement[str]:
        """What rows are grouped by, other than by their first touch."""
        if name in properties:
            return self.value(properties[name])
        return func.coalesce(func.nullif(self.rows.c.reason, ""), literal(NOT_SET))


def told_of(
    read: Reading, rows: CTE, names: Collection[str], properties: Mapping[str, Property], conditions: Sequence[Condition]
) -> tuple[FromClause, dict[str, ColumnElement[Any]], list[ColumnElement[bool]]]:
    """(the rows joined with what is asked of them, what they are grouped by, by name, what must hold of them).

    Reads `conversions`, `conversion_people` and `deals` whole where it is asked who was a customer before.
    """
    dimensions = [name for name in names if name in DIMENSIONS]
    joined, found = with_first_touches(rows, dimensions) if dimensions else (rows, {})
    asked = [properties[name] for name in names if name not in DIMENSIONS and name not in OWN]
    known = known_customers(replace(read.question("opportunity"), grouped=tuple(asked), conditions=tuple(conditions)))
    if known is not None:
        joined = joined.outerjoin(known, and_(*(known.c[name] == rows.c[name] for name in KEY)))
    told = Told(read, rows, known)
    columns = {name: found[name] if name in found else told.column(name, properties) for name in names}
    return joined, columns, [told.holds(each) for each in conditions]
