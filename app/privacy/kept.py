"""Where something of a person is kept, table by table: the one list by which a person is exported and erased.

Every table stands here once: in `KEPT`, with which of its rows are a person's; in `app.privacy.mentions`, if only its
text may mention one; or in `EXEMPT`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Delete, FromClause, Select, Table, Update, delete, select, update

from app import tables
from app.privacy.scope import Scope

EMPTY_BODY = "{}"
"""What is left of a CRM's fact. The row stays: the same message, sent again, is a duplicate and brings nothing back."""


@dataclass(frozen=True)
class Kept:
    """A table of which some rows are a person's."""

    table: Table
    is_persons: Callable[[Scope, FromClause], ColumnElement[bool]]
    instead: dict[str, Any] = field(default_factory=dict)
    """What is written over these columns; empty: the rows are deleted."""

    def rows(self, scope: Scope) -> Select[Any]:
        """The person's rows, in order of their key."""
        return select(self.table).where(self.is_persons(scope, self.table)).order_by(*self.table.primary_key.columns)

    def erasure(self, scope: Scope) -> Delete | Update:
        """Takes them away, or what they say of the person."""
        is_persons = self.is_persons(scope, self.table)
        return update(self.table).where(is_persons).values(self.instead) if self.instead else delete(self.table).where(is_persons)


_KEPT = (
    # What is derived goes first: the sets of IDs are found through the log.
    Kept(tables.journey_touches, Scope.is_touch_within_spans),
    Kept(tables.journeys, Scope.is_conversion),
    Kept(tables.ledger_entries, Scope.is_conversion),
    Kept(tables.journeys_queue, Scope.is_conversion),
    Kept(tables.conversion_people, Scope.is_own_conversion),
    Kept(tables.conversions, Scope.is_own_conversion),
    Kept(tables.conversions_queue, Scope.has_name),
    Kept(tables.stage_changes, Scope.has_name),
    Kept(tables.stages_queue, Scope.has_name),
    Kept(tables.opportunities, Scope.has_name),
    Kept(tables.opportunities, Scope.is_contact, {"contact_id": ""}),
    Kept(tables.opportunities_queue, Scope.has_name),
    Kept(tables.notices, Scope.has_name),
    Kept(tables.sales_activities, Scope.is_sales_activity_alone),
    Kept(tables.sales_activities, Scope.has_name, {"person_id": "", "title": None}),
    Kept(tables.properties, Scope.has_name),
    Kept(tables.properties_queue, Scope.has_name),
    # The log. A deal stays, with its amount: it is the company's, not the person's.
    Kept(tables.crm_facts, Scope.is_fact, {"body": EMPTY_BODY}),
    Kept(tables.deal_fields, Scope.names_visitor, {"value": None}),
    Kept(tables.activities, Scope.is_activity_alone),
    Kept(tables.activities, Scope.has_own_link, {"link_id": None, "title": None}),
    Kept(tables.contact_marks, Scope.has_own_link),
    Kept(tables.deal_people, Scope.has_name),
    Kept(tables.deal_contacts, Scope.has_own_link),
    Kept(tables.person_fields, Scope.is_seen),
    Kept(tables.contact_companies, Scope.has_key),
    Kept(tables.key_domains, Scope.has_key),
    Kept(tables.contacts, Scope.has_key),
    Kept(tables.unlinks, Scope.is_undone),
    Kept(tables.goal_events, Scope.is_within_spans),
    Kept(tables.touches, Scope.is_within_spans),
    Kept(tables.left_out_touches, Scope.is_within_spans),
    Kept(tables.events, Scope.is_within_spans),
    Kept(tables.sightings, Scope.is_seen),
    Kept(tables.touches_queue, Scope.has_own_visitor),
    Kept(tables.spans_queue, Scope.has_own_visitor),
    Kept(tables.identity_queue, Scope.has_key),
    Kept(tables.crowded_days, Scope.has_key),
    # What tells whose all this is goes last.
    Kept(tables.link_keys, Scope.has_key),
    Kept(tables.visitor_spans, Scope.is_person),
    Kept(tables.key_people, Scope.is_person),
)


def _with_history() -> Iterator[Kept]:
    for kept in _KEPT:
        yield kept
        if kept.table.name in tables.history:
            yield Kept(tables.history[kept.table.name], kept.is_persons, kept.instead)


KEPT: tuple[Kept, ...] = tuple(_with_history())
"""In the order in which a person is erased, each table's history after it."""

EXEMPT: dict[str, str] = {
    "sites": "configuration",
    "site_versions": "configuration",
    "models": "configuration",
    "keys": "configuration",
    "connections": "configuration",
    "local_days": "a calendar",
    "notice_endpoints": "configuration",
    "open_hours": "a calendar",
    "goal_rules": "configuration",
    "score_rules": "configuration",
    "excluded_pages": "configuration",
    "customer_pages": "configuration",
    "excluded_deals": "configuration",
    "excluded_keys": "configuration: who does not count",
    "erasures": "says that somebody was erased, and not who",
    "deal_stages": "configuration",
    "deal_pipelines": "configuration",
    "origins": "campaigns and referring hosts, shared by everyone who came through them",
    "forms": "names and paths of forms",
    "deal_changes": "what became of a deal: the company's books",
    "crm_statements": "what a CRM said of deals: the company's books",
    "crm_fetches": "records of a CRM that wait to be fetched, and go once they were",
    "crm_polls": "how far a CRM was read",
    "crm_pauses": "why a CRM is not called for a while",
    "drops": "counts",
    "visitor_salts": "random bytes, for a day",
    "labels_queue": "origins and forms",
    "deals_queue": "deals",
    "activities_queue": "activities of a CRM, and goes with the next batch",
    "sums_queue": "days",
    "months_queue": "months",
    "rebuilds": "a cursor, moved on by each batch and gone after the last",
    "worker_epochs": "a number",
    "origin_labels": "of origins",
    "form_labels": "of forms",
    "deal_companies": "companies",
    "deal_amounts": "money of deals: the company's books",
    "daily_credit": "sums over people, computed anew",
    "daily_ledger": "sums over people, computed anew",
    "monthly_credit": "sums over people, computed anew",
    "latest_runs": "moments",
    "first_touches": "moments",
    "origin_labels_history": "of origins",
    "deal_companies_history": "companies",
}
"""Tables that hold nothing of a person, by name: why."""
