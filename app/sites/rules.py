"""A site's settings in the database's own terms, and what must be computed anew when they change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, Table, bindparam, delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids, tables
from app.db import insert_new
from app.errors import Unprocessable
from app.log.rows import insert_rows
from app.sites.customer_area import parts_of
from app.sites.days import day_starts
from app.sites.hours import open_stretches
from app.sites.settings import SiteSettings
from app.sites.site import Site

GENERIC_SPACE = "generic"
"""The space of deal and contact IDs that `deal_closed` events and every connection of the provider `generic` share."""

_LABELLED_BY = (
    "hosts", "ignored_hosts", "spam_referrers", "allowed_referrers", "channel_rules", "source_aliases", "campaign_aliases", "lead_forms",
)  # fmt: skip
_COMPUTED_BY = (
    "goals", "hot_pages", "scoring", "excluded_hosts", "excluded_paths", "most_pages_an_hour", "session_gap_minutes", "touch_cap",
    "currency", "timezone", "customer_space", "crm_touches",
)  # fmt: skip
_COMPANIES_BY = ("free_mail_domains", "hosts")
_COUNTED_BY = ("excluded_deals", "internal_contacts")
_QUALIFIED_BY = ("bant_minimum",)
_SUMMED_BY = ("lookback_days", "half_life_days")
_AT_WORK_BY = ("timezone", "business_hours", "holidays")
_PROMISED_BY = (*_AT_WORK_BY, "contact_counts", "first_contact_hours", "contact_before_days")
_STAGES = tuple(queue.name.removesuffix("_queue") for queue in tables.QUEUES)


def space_of(provider: str, connection_id: str) -> str:
    """The space of a connection's deal and contact IDs."""
    return GENERIC_SPACE if provider == "generic" else connection_id


async def with_customer_space(connection: AsyncConnection, site_id: str, settings: SiteSettings) -> SiteSettings:
    """The settings with `customer_space` as the space of the connection that it names. Unprocessable if there is none."""
    named = settings.customer_space
    if named is None or named == GENERIC_SPACE:
        return settings
    known = tables.connections.c
    rows = await connection.execute(select(known.connection_id, known.provider).where(known.site_id == site_id))
    spaces = {connection_id: space_of(provider, connection_id) for connection_id, provider in rows}
    if named not in spaces:
        allowed = ", ".join([GENERIC_SPACE, *sorted(spaces)])
        raise Unprocessable(f"customer_space: there is no connection {named[:64]!r}; allowed: {allowed}.")
    return settings.model_copy(update={"customer_space": spaces[named]})


async def follow(connection: AsyncConnection, before: Site, after: Site, now: datetime) -> None:
    """Bring the rows that come from settings up to date, and have computed anew what depends on what changed."""
    changed = {name for name in SiteSettings.model_fields if getattr(before.settings, name) != getattr(after.settings, name)}
    if "timezone" in changed:
        await write_days(connection, after)
    if changed.intersection(_AT_WORK_BY):
        await write_hours(connection, after)
    moves_area = customer_page_rows(before) != customer_page_rows(after)
    if moves_area or changed & {"goals", "hot_pages", "scoring", "excluded_hosts", "excluded_paths", *_COUNTED_BY}:
        await write_rules(connection, after)
    if changed.intersection(_LABELLED_BY):
        await connection.execute(origins_to_label(), {"of_site": after.site_id, "now": now})
        await connection.execute(forms_to_label(), {"of_site": after.site_id, "now": now})
    if moves_area or changed.intersection(_COMPUTED_BY):
        await request_rebuild(connection, after.site_id, "touches", now)
    if changed & {"account_journeys", *_COUNTED_BY} or (after.settings.account_journeys and changed.intersection(_COMPANIES_BY)):
        await request_rebuild(connection, after.site_id, "deals", now)
    if changed.intersection(_QUALIFIED_BY):
        await request_rebuild(connection, after.site_id, "conversions", now)
    if changed.intersection(_SUMMED_BY):
        await request_rebuild(connection, after.site_id, "sums", now)
    if changed.intersection(_PROMISED_BY):
        await request_rebuild(connection, after.site_id, "opportunities", now)


# ---------------------------------------------------------------- rows that come from settings


async def write_days(connection: AsyncConnection, site: Site) -> None:
    """The local days of the site's zone, in place of those that stood there."""
    days = [{"site_id": site.site_id, "day": day, "starts_at": start} for day, start in day_starts(site.settings.timezone)]
    await _replace(connection, tables.local_days, site.site_id, days)


async def write_hours(connection: AsyncConnection, site: Site) -> None:
    """The stretches at work of the settings, in place of those that stood there."""
    settings = site.settings
    stretches = open_stretches(settings.timezone, settings.business_hours, settings.holidays)
    hours = [{"site_id": site.site_id, **stretch._asdict()} for stretch in stretches]
    await _replace(connection, tables.open_hours, site.site_id, hours)


async def write_rules(connection: AsyncConnection, site: Site) -> None:
    """The goals, the rules of the score, and what counts not, of the settings, in place of what stood there."""
    await _replace(connection, tables.goal_rules, site.site_id, goal_rows(site))
    await _replace(connection, tables.score_rules, site.site_id, score_rows(site))
    await _replace(connection, tables.excluded_pages, site.site_id, excluded_page_rows(site))
    await _replace(connection, tables.customer_pages, site.site_id, customer_page_rows(site))
    await _replace(connection, tables.excluded_deals, site.site_id, excluded_deal_rows(site))
    await _replace(connection, tables.excluded_keys, site.site_id, excluded_key_rows(site))


def goal_rows(site: Site) -> list[dict[str, Any]]:
    """Rows of `goal_rules`."""
    goals = [
        {
            "site_id": site.site_id, "purpose": "goal", "goal": goal.name, "event_type": goal.event or "", "form": "",
            "once_per": goal.once_per, **_path(goal.path or ""),
        }
        for goal in site.settings.goals
    ]  # fmt: skip
    scored = [
        {
            "site_id": site.site_id, "purpose": "score", "goal": rule.name, "event_type": rule.event or "", "form": rule.form or "",
            "once_per": "event", **_path(rule.path or ""),
        }
        for rule in site.settings.scoring.rules
    ]  # fmt: skip
    any_event = {"site_id": site.site_id, "purpose": "hot", "event_type": "", "form": "", "once_per": "event"}
    return goals + scored + [{**any_event, "goal": path, **_path(path)} for path in site.settings.hot_pages]


def score_rows(site: Site) -> list[dict[str, Any]]:
    """Rows of `score_rules`."""
    scoring, here = site.settings.scoring, {"site_id": site.site_id}
    done = [
        {
            **here, "rule": rule.name, "points": rule.points, "at_most": rule.at_most, "of": "", "property": "", "value": None,
            "half_life": (scoring.half_life_days if rule.half_life_days is None else rule.half_life_days) or None,
        }
        for rule in scoring.rules
    ]  # fmt: skip
    held = [
        {
            **here, "rule": fit.name, "points": fit.points, "at_most": None, "of": fit.of, "property": fit.property, "value": fit.value,
            "half_life": None,
        }
        for fit in scoring.fits
    ]  # fmt: skip
    return done + held


def excluded_page_rows(site: Site) -> list[dict[str, Any]]:
    """Rows of `excluded_pages`."""
    hosts = [{"site_id": site.site_id, "host": host, **_path("")} for host in site.settings.excluded_hosts]
    paths = [{"site_id": site.site_id, "host": "", **_path(path)} for path in site.settings.excluded_paths]
    return hosts + paths


def customer_page_rows(site: Site) -> list[dict[str, Any]]:
    """Rows of `customer_pages`."""
    return [{"site_id": site.site_id, "part": part, "value": value} for part, value in parts_of(site.settings)]


def excluded_deal_rows(site: Site) -> list[dict[str, Any]]:
    """Rows of `excluded_deals`. Only ASCII letters are folded: SQLite knows no others, and both databases must agree."""
    patterns = dict.fromkeys(_as_like(pattern) for pattern in site.settings.excluded_deals)
    return [{"site_id": site.site_id, "pattern": pattern} for pattern in patterns]


def _as_like(pattern: str) -> str:
    literal_text = re.sub(r"([\\%_])", r"\\\1", pattern.removeprefix("*").removesuffix("*"))
    folded = re.sub("[A-Z]+", lambda found: found[0].lower(), literal_text)
    return "%" * pattern.startswith("*") + folded + "%" * pattern.endswith("*")


def excluded_key_rows(site: Site) -> list[dict[str, Any]]:
    """Rows of `excluded_keys`."""
    named = dict.fromkeys(site.settings.internal_contacts)
    keys = [(ids.key_id(site.hash_key, "e", each), "") if "@" in each else ("", each) for each in named]
    return [{"site_id": site.site_id, "key_id": key_id, "domain": domain} for key_id, domain in keys]


def _path(pattern: str) -> dict[str, Any]:
    return {"path": pattern.removesuffix("*"), "path_is_prefix": pattern.endswith("*")}


OfSpace = Mapping[tuple[str, str], str]
"""A word by (space, stage or pipeline)."""


async def write_deal_stages(connection: AsyncConnection, site_id: str, outcomes: OfSpace, pipelines: OfSpace, now: datetime) -> None:
    """Which (space, stage) means `won`, `lost` or `ignored`, and which (space, pipeline) counts, by its name; where that
    changes, every deal is folded anew."""
    stages, counted = tables.deal_stages.c, tables.deal_pipelines.c
    rows = await connection.execute(select(stages.space, stages.stage, stages.outcome).where(stages.site_id == site_id))
    listed = await connection.execute(select(counted.space, counted.pipeline, counted.name).where(counted.site_id == site_id))
    before = ({(space, stage): outcome for space, stage, outcome in rows}, {(space, each): name for space, each, name in listed})
    if before == (dict(outcomes), dict(pipelines)):
        return
    here = {"site_id": site_id}
    wanted = [{**here, "space": space, "stage": stage, "outcome": outcome} for (space, stage), outcome in outcomes.items()]
    await _replace(connection, tables.deal_stages, site_id, wanted)
    named = [{**here, "space": space, "pipeline": pipeline, "name": name} for (space, pipeline), name in pipelines.items()]
    await _replace(connection, tables.deal_pipelines, site_id, named)
    await request_rebuild(connection, site_id, "deals", now)


async def _replace(connection: AsyncConnection, table: Table, site_id: str, rows: Iterable[dict[str, Any]]) -> None:
    await connection.execute(delete(table).where(_of_site(table)), {"of_site": site_id})
    await insert_rows(connection, connection.dialect.name == "sqlite", table, list(rows))


# ---------------------------------------------------------------- what must be computed anew


def origins_to_label() -> Insert:
    """Rows of `labels_queue`: every origin of the site `:of_site`. Index: the key of `origins`."""
    origin = tables.origins
    rows = select(origin.c.site_id, origin.c.origin_id, literal(""), _now()).where(_of_site(origin))
    return _enqueue_labels(rows)


def forms_to_label() -> Insert:
    """Rows of `labels_queue`: every form of the site `:of_site`. Index: the key of `forms`."""
    form = tables.forms
    rows = select(form.c.site_id, literal(""), form.c.form_id, _now()).where(_of_site(form))
    return _enqueue_labels(rows)


async def request_rebuild(connection: AsyncConnection, site_id: str, stage: str, now: datetime) -> None:
    """Have a stage and all after it computed anew.

    A rebuild that is under way before that stage will come to it by itself; one that has reached it begins it again,
    with a new `started_at`, by which the worker sees that its cursor was moved under it.
    """
    started = {"site_id": site_id, "stage": stage, "after_key": "[]", "keys_left": 1, "keys_total": 1, "started_at": now}
    made = await connection.execute(insert_new(connection.dialect.name == "sqlite", tables.rebuilds), started)
    if made.rowcount == 1:
        return
    rebuild = tables.rebuilds
    has_reached = rebuild.c.stage.in_(_STAGES[_STAGES.index(stage) :])
    await connection.execute(
        update(rebuild).where(_of_site(rebuild), has_reached).values(stage=stage, after_key="[]", started_at=now), {"of_site": site_id}
    )


def _enqueue_labels(rows: Select[Any]) -> Insert:
    return insert(tables.labels_queue).from_select(["site_id", "origin_id", "form_id", "received_at"], rows)


def _now() -> ColumnElement[Any]:
    return bindparam("now", type_=tables.Moment())


def _of_site(table: Table) -> ColumnElement[bool]:
    # Not `:site_id`: an INSERT or UPDATE would take that for a value of its own column.
    condition: ColumnElement[bool] = table.c.site_id == bindparam("of_site")
    return condition
