"""Saved segments: filters under a name, part of a site's settings, so that a report's `settings_version` says what they meant.

Every function works within the caller's transaction; `now` is when it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Conflict, NotFound
from app.sites.administration import change_settings, lock_site
from app.sites.settings import SiteSettings, merge_patch
from app.sites.site import Site, load_site

Shown = dict[str, Any]
"""A segment as it is given and shown: `name` and `filters`."""


def segments_of(settings: SiteSettings) -> list[Shown]:
    """The segments that are saved, in the order in which they were made."""
    return [segment.model_dump(mode="json") for segment in settings.segments]


def segment_of(settings: SiteSettings, name: str) -> Shown:
    """The segment of that name. NotFound, naming those that are saved, if there is none."""
    named = {each["name"]: each for each in segments_of(settings)}
    if name not in named:
        raise NotFound(f"There is no segment {name[:60]!r}; saved are: {', '.join(named) or 'none'}.")
    return named[name]


async def create_segment(connection: AsyncConnection, site_id: str, new: Mapping[str, Any], now: datetime) -> Site:
    """Save a segment. Conflict if the name is taken; Unprocessable if a filter is none that the site's reports know."""

    def with_new(settings: SiteSettings) -> list[Shown]:
        if any(each.name == new.get("name") for each in settings.segments):
            raise Conflict(f"There is a segment {str(new['name'])[:60]!r} already.")
        return [*segments_of(settings), dict(new)]

    return await _change(connection, site_id, with_new, now)


async def change_segment(connection: AsyncConnection, site_id: str, name: str, changes: Mapping[str, Any], now: datetime) -> Site:
    """Change a segment's name or filters, by a JSON merge patch. NotFound; Unprocessable as for a new one."""

    def with_changed(settings: SiteSettings) -> list[Shown]:
        before = segment_of(settings, name)
        return [merge_patch(each, dict(changes)) if each == before else each for each in segments_of(settings)]

    return await _change(connection, site_id, with_changed, now)


async def delete_segment(connection: AsyncConnection, site_id: str, name: str, now: datetime) -> Site:
    """Forget a segment. NotFound."""

    def without_it(settings: SiteSettings) -> list[Shown]:
        gone = segment_of(settings, name)
        return [each for each in segments_of(settings) if each != gone]

    return await _change(connection, site_id, without_it, now)


async def _change(connection: AsyncConnection, site_id: str, segments: Callable[[SiteSettings], list[Shown]], now: datetime) -> Site:
    await lock_site(connection, site_id)
    before = await load_site(connection, site_id)
    return await change_settings(connection, site_id, {"segments": segments(before.settings)}, now)
