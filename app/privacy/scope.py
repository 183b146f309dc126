"""Which rows are a person's: conditions on the columns of tables, and the sets of IDs that they ask for.

Everything follows from two tables, `key_people` (the person's keys) and `visitor_spans` (when which visitor was the
person), so these are erased last. The values stand in the statements, not as named parameters: an UPDATE would take a
parameter named as one of its columns for a value to set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, FromClause, Select, and_, exists, literal, or_, select, tuple_, union

from app import tables
from app.journeys.conversions import CRM, LEAD_KINDS

_CONVERSION = ("kind", "holder_id", "fact_id")
_links = tables.link_keys


@dataclass(frozen=True)
class Scope:
    """One person of one site, as it is known now."""

    site_id: str
    person_id: str

    def here(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of the site."""
        condition: ColumnElement[bool] = table.c.site_id == self.site_id
        return condition

    # ------------------------------------------------------------ sets of IDs

    def keys(self) -> Select[Any]:
        """A row a key of the person. Index: `ix_key_people__person`."""
        key = tables.key_people
        return select(key.c.key_id).where(self.here(key), key.c.person_id == self.person_id)

    def links(self) -> Select[Any]:
        """A row a set of keys with one of the person's in it. Index: `ix_link_keys__key`."""
        return select(_links.c.link_id).where(self.here(_links), _links.c.key_id.in_(self.keys()))

    def own_links(self) -> Select[Any]:
        """A row a set of keys that are all the person's: in some, others' stand too, where too many joined or a join was undone."""
        other = _links.alias("keys_beside")
        is_shared = exists().where(self.here(other), other.c.link_id == _links.c.link_id, other.c.key_id.not_in(self.keys()))
        return self.links().where(~is_shared)

    def visitors(self) -> Select[Any]:
        """A row a visitor that was ever the person. Index: `ix_visitor_spans__person`."""
        span = tables.visitor_spans
        return select(span.c.visitor_id).where(self.here(span), span.c.person_id == self.person_id)

    def shared_visitors(self) -> Select[Any]:
        """A row a visitor that was at other times somebody else."""
        mine, other = tables.visitor_spans, tables.visitor_spans.alias("spans_of_others")
        is_shared = exists().where(self.here(other), other.c.visitor_id == mine.c.visitor_id, other.c.person_id != self.person_id)
        return self.visitors().where(is_shared).distinct()

    def own_visitors(self) -> Select[Any]:
        """A row a visitor that was never anybody else."""
        return self.visitors().where(tables.visitor_spans.c.visitor_id.not_in(self.shared_visitors()))

    def names(self) -> CompoundSelect[Any]:
        """A row for each ID that the person goes by, or may have gone by: its own, its keys, and its visitors' before it was known."""
        visitor = tables.visitor_spans.c.visitor_id
        unidentified = self.own_visitors().with_only_columns((literal("v_") + visitor).label("name"))
        return union(select(literal(self.person_id, tables.Key).label("name")), self.keys(), unidentified)

    def deals(self) -> CompoundSelect[Any]:
        """A row (`space`, `deal_id`) for each deal that names the person, or ever did."""
        person, contact = tables.deal_people, tables.deal_contacts
        return union(
            select(person.c.space, person.c.deal_id).where(
                self.here(person), person.c.person_id.in_(self.names()), person.c.is_contact.is_(True)
            ),
            select(contact.c.space, contact.c.deal_id).where(self.here(contact), contact.c.link_id.in_(self.links())),
        )

    def conversions(self) -> CompoundSelect[Any]:
        """A row (`kind`, `holder_id`, `fact_id`) for each conversion that is the person's alone, or once was: no deal's."""
        goal, mark = tables.goal_events, tables.contact_marks
        now, before = tables.conversions, tables.history["conversions"]
        return union(
            select(goal.c.goal, goal.c.visitor_id, goal.c.event_id).where(goal.c.purpose == "goal", self.is_within_spans(goal)),
            select(literal("mql"), goal.c.visitor_id, goal.c.event_id).where(goal.c.purpose == "score", self.is_within_spans(goal)),
            select(mark.c.mark, literal(CRM), mark.c.fact_id).where(
                self.here(mark), mark.c.mark.in_(LEAD_KINDS), mark.c.link_id.in_(self.own_links())
            ),
            *(
                select(*(table.c[name] for name in _CONVERSION)).where(self.here(table), table.c.person_id.in_(self.names()))
                for table in (now, before)
            ),
        )

    def facts(self) -> CompoundSelect[Any]:
        """A row for each fact of a CRM that told of the person."""
        carried = (tables.sightings, tables.deal_contacts, tables.activities, tables.contact_marks)
        field = tables.deal_fields
        return union(
            *(select(table.c.fact_id).where(self.here(table), table.c.link_id.in_(self.links())) for table in carried),
            select(field.c.fact_id).where(self.names_visitor(field)),
        )

    # ------------------------------------------------------------ conditions on rows

    def is_person(self, table: FromClause) -> ColumnElement[bool]:
        """Rows with the person's `person_id`."""
        return and_(self.here(table), table.c.person_id == self.person_id)

    def has_name(self, table: FromClause) -> ColumnElement[bool]:
        """Rows whose `person_id` (or `holder_id`, of properties) is or was the person's."""
        named = table.c.person_id if "person_id" in table.c else table.c.holder_id
        return and_(self.here(table), named.in_(self.names()))

    def has_key(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of a key of the person."""
        return and_(self.here(table), table.c.key_id.in_(self.keys()))

    def has_own_link(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of a set of keys that are all the person's."""
        return and_(self.here(table), table.c.link_id.in_(self.own_links()))

    def has_own_visitor(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of a visitor that was never anybody else."""
        return and_(self.here(table), table.c.visitor_id.in_(self.own_visitors()))

    def is_within_spans(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of a visitor from a time at which it was the person. Index: the visitor's."""
        return self._is_within_spans(table, table.c.visitor_id)

    def is_touch_within_spans(self, table: FromClause) -> ColumnElement[bool]:
        """The same of the touches of journeys."""
        return or_(self._is_within_spans(table, table.c.touch_visitor_id), self.is_conversion(table))

    def is_seen(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of the person's keys, or of whatever keys on a visitor while it was the person."""
        return or_(self.has_own_link(table), self.is_within_spans(table))

    def is_undone(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of `unlinks` that name the person's keys, or a visitor of its own."""
        return or_(self.has_own_link(table), self.has_own_visitor(table))

    def is_conversion(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of a conversion that is the person's alone. Index: the key of the table."""
        return and_(self.here(table), tuple_(*(table.c[name] for name in _CONVERSION)).in_(self.conversions()))

    def is_own_conversion(self, table: FromClause) -> ColumnElement[bool]:
        """The same of a table that names people too."""
        return or_(self.is_conversion(table), self.has_name(table))

    def is_fact(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of `crm_facts` that told of the person."""
        return and_(self.here(table), table.c.fact_id.in_(self.facts()))

    def names_visitor(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of `deal_fields` by which a deal named a visitor as the person, or that of a deal of which the person is a contact."""
        is_own = self._is_within_spans(table, table.c.value)
        is_of_contact = tuple_(table.c.space, table.c.deal_id).in_(self.deals())
        return and_(self.here(table), table.c.field == "visitor_id", table.c.value.is_not(None), or_(is_own, is_of_contact))

    def is_contact(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of `opportunities` that show the person as the contact of a deal."""
        return and_(self.here(table), table.c.contact_id.in_(self.names()))

    def is_sales_activity_alone(self, table: FromClause) -> ColumnElement[bool]:
        """Rows of `sales_activities` with the person that no deal is told to be about."""
        return and_(self.has_name(table), table.c.deal_id == "")

    def is_activity_alone(self, table: FromClause) -> ColumnElement[bool]:
        """Activities with the person that no deal is told to be about."""
        return and_(self.has_own_link(table), table.c.deal_id.is_(None))

    def _is_within_spans(self, table: FromClause, visitor_id: ColumnElement[Any]) -> ColumnElement[bool]:
        span = tables.visitor_spans.alias("spans_of_person")
        is_person = and_(self.here(span), span.c.visitor_id == visitor_id, span.c.person_id == self.person_id)
        at = table.c.occurred_at
        # The set first: it leads to the visitors' rows, where the condition on time alone would read them all.
        return and_(
            self.here(table), visitor_id.in_(self.visitors()), exists().where(is_person, span.c.starts_at <= at, span.c.ends_at > at)
        )
