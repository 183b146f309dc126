"""What has to be computed anew once a person is gone: enqueued in the transaction that erases, before its rows go.

Nothing of the person itself is: its rows are deleted, not recomputed, so that no swap keeps them as history.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CompoundSelect, Insert, Select, Table, and_, exists, func, insert, literal, or_, select, tuple_, union

from app import tables
from app.db import greatest, least, micros
from app.identity.concerned_deals import BY_DOMAIN
from app.journeys.conversions import same_conversion
from app.privacy.scope import Scope
from app.queue import dirty_columns

_NOBODY = literal("", tables.Key)
_NEVER = literal(tables.END_OF_TIME, BigInteger)


def enqueued(scope: Scope, now: datetime) -> Iterator[Insert]:
    """Statements that enqueue what depends on the person, in the order of the flow."""
    deals = _deals(scope).subquery("deals_concerned")
    for queue, keys in (
        (tables.touches_queue, scope.shared_visitors()),
        (tables.identity_queue, _keys_of_others(scope)),
        (tables.spans_queue, _visitors_of_others(scope)),
        (tables.deals_queue, select(deals.c.space, deals.c.deal_id)),
        (tables.conversions_queue, select(_NOBODY, deals.c.space, deals.c.deal_id)),
        (tables.opportunities_queue, select(_NOBODY, deals.c.space, deals.c.deal_id)),
        (tables.stages_queue, select(_NOBODY, deals.c.space, deals.c.deal_id)),
        (tables.sums_queue, _days(scope)),
    ):
        yield _enqueue(queue, keys, scope, now)


def _enqueue(queue: Table, keys: Select[Any] | CompoundSelect[Any], scope: Scope, now: datetime) -> Insert:
    names, found = dirty_columns(queue), keys.subquery("found")
    rows = select(literal(scope.site_id), *found.c, literal(now, tables.Moment)).distinct()
    if queue in tables.QUEUED_ONCE:
        rows = rows.where(~exists().where(scope.here(queue), *(queue.c[n] == c for n, c in zip(names, found.c, strict=True))))
    return insert(queue).from_select(["site_id", *names, "received_at"], rows)


def _keys_of_others(scope: Scope) -> Select[Any]:
    """A row a key of somebody else that was seen together with the person's, or on a visitor while it was the person."""
    key, sighting = tables.link_keys, tables.sightings
    seen = select(sighting.c.link_id).where(scope.is_within_spans(sighting))
    concerned = or_(key.c.link_id.in_(scope.links()), key.c.link_id.in_(seen))
    return select(key.c.key_id).where(scope.here(key), concerned, key.c.key_id.not_in(scope.keys()))


def _visitors_of_others(scope: Scope) -> Select[Any]:
    """A row a visitor that stays, on which the person's keys were seen without its having become the person."""
    sighting = tables.sightings
    seen = and_(scope.here(sighting), sighting.c.link_id.in_(scope.links()), sighting.c.visitor_id != "")
    return select(sighting.c.visitor_id).where(seen, sighting.c.visitor_id.not_in(scope.own_visitors()))


def _deals(scope: Scope) -> CompoundSelect[Any]:
    """A row for each deal of which the person has part, or that is of a company that the person is said to be of."""
    person, field, deal = tables.deal_people, tables.deal_fields, tables.deal_companies
    said, domain = tables.contact_companies, tables.key_domains
    company = select(said.c.company_id, said.c.space).where(scope.has_key(said))
    by_domain = select(domain.c.domain, literal(BY_DOMAIN)).where(scope.has_key(domain))
    naming = scope.deals().subquery("deals_naming")
    return union(
        select(naming.c.space, naming.c.deal_id),
        select(person.c.space, person.c.deal_id).where(scope.has_name(person)),
        select(field.c.space, field.c.deal_id).where(scope.names_visitor(field)),
        *(
            select(deal.c.space, deal.c.deal_id).where(scope.here(deal), tuple_(deal.c.company, deal.c.company_space).in_(of))
            for of in (company, by_domain)
        ),
    )


def _days(scope: Scope) -> CompoundSelect[Any]:
    """A row (`kind`, `day`) for each day on which a conversion counts of which the person has part; and those of other
    conversions without a touch that turn out to be before tracking began, or after, as the site's first touch goes."""
    entry, conversion, journey, person = tables.ledger_entries, tables.conversions, tables.journeys, tables.conversion_people
    day = (entry.c.kind, entry.c.counted_on)
    has_part = and_(scope.has_name(person), same_conversion(person.c, entry.c))
    spans = tables.visitor_spans
    first = select(func.coalesce(func.min(micros(spans.c.first_touched_at)), _NEVER)).where(scope.here(spans))
    before, after = first.scalar_subquery(), first.where(spans.c.person_id != scope.person_id).scalar_subquery()
    ended_at = micros(conversion.c.occurred_at)
    return union(
        select(*day).where(scope.is_conversion(entry)),
        select(*day).where(scope.here(entry), exists().where(has_part)),
        select(*day)
        .join_from(conversion, journey, and_(scope.here(journey), same_conversion(journey.c, conversion.c)))
        .join(entry, and_(scope.here(entry), same_conversion(entry.c, conversion.c)))
        .where(scope.here(conversion), before != after, ended_at >= least(before, after), ended_at < greatest(before, after))
        .where(journey.c.first_touched_at.is_(None)),
    )
