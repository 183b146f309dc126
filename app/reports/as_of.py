"""Reports of an earlier moment: what they would have said then, from the rows and the settings of that moment."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Unprocessable
from app.history import reach_of_history
from app.reports.figures import as_rfc3339
from app.sites.days import first_instant
from app.sites.site import Site, load_site_then
from app.tables import from_micros, to_micros

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
# A plus sign that a client left bare in a query string arrives as a space.
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+ -][0-9]{2}:[0-9]{2})\Z")


def _as_of(text: str) -> str:
    """A day, or a moment in RFC 3339, as text. ValueError if it is neither."""
    try:
        if _DAY.match(text):
            date.fromisoformat(text)
            return text
        if _MOMENT.match(text):
            return datetime.fromisoformat(text.upper().replace(" ", "+")).isoformat()
    except ValueError:
        pass
    raise ValueError("a day such as 2026-03-31 or a moment such as 2026-03-31T12:00:00Z is needed")


AsOf = Annotated[str, AfterValidator(_as_of)]
"""A day, which means its end in the site's zone, or a moment with its offset."""


def moment_of(as_of: str, timezone: str) -> int:
    """The moment that is meant, in microseconds: for a day the last one of it in the zone."""
    if not _DAY.match(as_of):
        return to_micros(datetime.fromisoformat(as_of).astimezone(UTC))
    return to_micros(first_instant(date.fromisoformat(as_of) + timedelta(days=1), ZoneInfo(timezone))) - 1


async def site_then(connection: AsyncConnection, site: Site, as_of: str | None, now: datetime) -> Site:
    """The site as it was at the moment asked for, with the settings in force then; as it is where none is asked for.

    Unprocessable, naming what is allowed, if the moment is to come, or before what history still holds.
    """
    if as_of is None:
        return site
    moment = moment_of(as_of, site.settings.timezone)
    reach = (await connection.execute(reach_of_history(), {"site_id": site.site_id})).one_or_none()
    if reach is None:
        raise Unprocessable("as_of: nothing has been computed for this site yet, so there is no earlier state.")
    if moment > max(to_micros(now), reach.run_id):
        raise Unprocessable(f"as_of: a moment of the past is needed; it is {as_rfc3339(now)} now.")
    if moment < reach.kept_since:
        earliest = as_rfc3339(from_micros(reach.kept_since))
        raise Unprocessable(f"as_of: history is kept since {earliest}; that is the earliest moment allowed.")
    return await load_site_then(connection, site, moment)
