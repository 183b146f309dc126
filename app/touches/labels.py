"""The stage `labels`: dirty origins and forms -> what the rules and settings in force say of them.

Python labels each distinct origin and form once; everything after it joins to the labels. Reports read channel and source
from them directly, so most changes of a rule show at once. Three things are baked into touches and goals, and enqueue the
visitors concerned: whether a referrer is ignored or spam, and which forms make a lead. That is for labels that exist already: a
new origin's visitors are in the queue of touches anyway, and that stage waits for this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.collect.origins import Origin
from app.sites.settings import SiteSettings
from app.sites.site import Site
from app.swap import NOT_SET, Enqueue, Stage, Target
from app.tables import of_site
from app.touches.channels import DIRECT_CHANNEL, label_origin
from app.touches.forms import is_lead_form, needs_email

Label = Callable[[Row[Any], SiteSettings], dict[str, Any]]
"""Columns of a label, of a row of what it labels."""

_AT_A_TIME = 200
_dirty = tables.dirty["labels_queue"]


def dirty_origins() -> Select[Any]:
    """A row a dirty origin: its ID and the fields of `Origin`. Reads `origins` by primary key."""
    origins = tables.origins
    fields = [origins.c[name] for name in Origin._fields]
    return select(origins.c.origin_id, *fields).where(of_site(origins), origins.c.origin_id.in_(_dirty_ids(_dirty.c.origin_id)))


def dirty_forms() -> Select[Any]:
    """A row a dirty form: its ID, name and path. Reads `forms` by primary key."""
    forms = tables.forms
    return select(forms.c.form_id, forms.c.name, forms.c.path).where(of_site(forms), forms.c.form_id.in_(_dirty_ids(_dirty.c.form_id)))


def visitors_of_changed(label: Table, changes: ColumnElement[bool], event_column: ColumnElement[Any]) -> Select[Any]:
    """A row a visitor with an event of an origin (or a form) whose label stands already and changes.

    Reads the staged labels, then `events` by nothing better than `ix_events__order`, once: the outer join keeps that
    order, so that events are read only where some label does change.
    """
    staged = tables.staged[label.name]
    events = tables.events
    id_name = [key.name for key in label.primary_key.columns][1]
    is_same = and_(staged.c.site_id == label.c.site_id, staged.c[id_name] == label.c[id_name])
    is_staged = and_(of_site(staged), staged.c.is_gone.is_(False))
    ids = select(staged.c.site_id, staged.c[id_name].label("changed_id")).where(is_staged, exists().where(is_same, changes))
    changed = ids.cte(f"changed_{label.name}")
    any_changed = select(changed.c.site_id).limit(1).cte(f"any_changed_{label.name}")
    is_concerned = and_(events.c.site_id == bindparam("site_id"), event_column.in_(select(changed.c.changed_id)))
    with_events = any_changed.outerjoin(events, is_concerned)
    visitor = func.coalesce(events.c.visitor_id, "").label("visitor_id")
    visitors = select(any_changed.c.site_id, visitor).select_from(with_events).distinct().subquery("visitors_concerned")
    return select(visitors.c.site_id, visitors.c.visitor_id).where(visitors.c.visitor_id != "")


def days_of_changed_direct() -> Select[Any]:
    """A row of `sums_queue`'s key for each day with credit of an origin that becomes Direct, or is it no more: the model
    `last_non_direct` looks at that when sums are made, not when they are read.

    Reads the staged labels, then all of `daily_credit`, once, where there is such an origin.
    """
    staged, stored, daily = tables.staged["origin_labels"], tables.origin_labels, tables.daily_credit
    is_same = and_(stored.c.site_id == staged.c.site_id, stored.c.origin_id == staged.c.origin_id)
    was_direct, is_direct = func.coalesce(stored.c.channel, "") == DIRECT_CHANNEL, staged.c.channel == DIRECT_CHANNEL
    is_staged = and_(of_site(staged), staged.c.is_gone.is_(False))
    changed = select(staged.c.origin_id).outerjoin_from(staged, stored, is_same).where(is_staged, was_direct != is_direct)
    days = select(daily.c.site_id, daily.c.kind, daily.c.day).distinct()
    return days.where(of_site(daily), exists(changed), daily.c.origin_id.in_(changed))


async def compute(connection: AsyncConnection, site: Site) -> None:
    """Label the dirty origins and forms. They are held in memory: the caller bounds how many are dirty."""
    here = {"site_id": site.site_id}
    origins = (await connection.execute(dirty_origins(), here)).all()
    await _stage(connection, site, tables.origin_labels, _origin_label, origins)
    forms = (await connection.execute(dirty_forms(), here)).all()
    await _stage(connection, site, tables.form_labels, _form_label, forms)


async def _stage(connection: AsyncConnection, site: Site, target: Table, label: Label, rows: Sequence[Row[Any]]) -> None:
    """Label rows, a few at a time: ingestion runs on the same event loop, and must not wait for all of them."""
    for start in range(0, len(rows), _AT_A_TIME):
        labelled = [label(row, site.settings) | {"site_id": site.site_id, "is_gone": False} for row in rows[start : start + _AT_A_TIME]]
        await connection.execute(insert(tables.staged[target.name]), labelled)


def _origin_label(row: Row[Any], settings: SiteSettings) -> dict[str, Any]:
    origin_id, *parts = tuple(row)
    return {"origin_id": origin_id} | vars(label_origin(Origin(*parts), settings))


def _form_label(row: Row[Any], settings: SiteSettings) -> dict[str, Any]:
    return {
        "form_id": row.form_id,
        "name": row.name,
        "is_lead_form": is_lead_form(row.name, row.path, settings),
        "needs_email": needs_email(settings),
    }


def _dirty_ids(column: ColumnElement[Any]) -> Select[Any]:
    return select(column).where(of_site(_dirty))


def _meaning_changes() -> ColumnElement[bool]:
    staged, stored = tables.staged["origin_labels"].c, tables.origin_labels.c
    return (staged.is_ignored != stored.is_ignored) | (staged.is_spam != stored.is_spam)


def _lead_changes() -> ColumnElement[bool]:
    staged, stored = tables.staged["form_labels"].c, tables.form_labels.c
    return (staged.is_lead_form != stored.is_lead_form) | (staged.needs_email != stored.needs_email)


STAGE = Stage(
    name="labels",
    queue=tables.labels_queue,
    targets=(
        Target(tables.origin_labels, tables.origin_labels.c.origin_id.in_(_dirty_ids(_dirty.c.origin_id))),
        Target(tables.form_labels, tables.form_labels.c.form_id.in_(_dirty_ids(_dirty.c.form_id))),
    ),
    compute=compute,
    enqueues=(
        Enqueue(tables.touches_queue, visitors_of_changed(tables.origin_labels, _meaning_changes(), tables.events.c.origin_id)),
        Enqueue(tables.touches_queue, visitors_of_changed(tables.form_labels, _lead_changes(), tables.events.c.form_id)),
        Enqueue(tables.sums_queue, days_of_changed_direct()),
    ),
    sources=(
        (tables.origins.c.site_id, tables.origins.c.origin_id, NOT_SET),
        (tables.origin_labels.c.site_id, tables.origin_labels.c.origin_id, NOT_SET),
        (tables.forms.c.site_id, NOT_SET, tables.forms.c.form_id),
        (tables.form_labels.c.site_id, NOT_SET, tables.form_labels.c.form_id),
    ),
)
