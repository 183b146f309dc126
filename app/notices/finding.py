"""What there is to tell, written down once for each endpoint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select

from app import ids, tables
from app.db import Database, insert_new
from app.notices import queries
from app.notices.bodies import body_of
from app.notices.receivers import Receiver, live_receivers, read_receiver
from app.sales.outcomes import are_activities_reported
from app.sites.site import Site, load_site
from app.tables import to_micros

OLDEST = timedelta(days=7)
"""What happened longer ago when it is first found is not told: a rebuild, or facts of long ago, must not flood anybody."""
_ROWS_AT_ONCE = 500
_BATCHES = 20
"""Of one kind, before others get their turn; the rest is found the next time."""

_STATEMENTS: dict[str, Callable[[], Select[Any]]] = {
    "stage_changed": queries.changed_stages,
    "contact_due": queries.contacts_due,
    "hot_visit": queries.hot_visits,
}


async def find_notices(database: Database, now: datetime) -> int:
    """Write down what there is to tell all endpoints of all sites. How much that is; others may be doing the same."""
    async with database.read() as connection:
        receivers = [read_receiver(row) for row in await connection.execute(live_receivers())]
        sites = {each.site_id: await load_site(connection, each.site_id) for each in receivers}
    found = 0
    for each in receivers:
        for kind in each.fields.kinds:
            found += await _find(database, sites[each.site_id], each, kind, now)
    return found


async def _find(database: Database, site: Site, receiver: Receiver, kind: str, now: datetime) -> int:
    found = 0
    for _ in range(_BATCHES):
        rows = await _rows(database, site, receiver, kind, now)
        if rows:
            async with database.write() as connection:
                await connection.execute(insert_new(database.is_sqlite, tables.notices), [_notice(receiver, row, now) for row in rows])
        found += len(rows)
        if len(rows) < _ROWS_AT_ONCE:
            break
    return found


async def _rows(database: Database, site: Site, receiver: Receiver, kind: str, now: datetime) -> list[RowMapping]:
    since = max(receiver.created_at, now - OLDEST)
    times = {"now": to_micros(now), "since": to_micros(since)}
    if kind == "contact_due":
        times["until"] = to_micros(now + timedelta(hours=site.settings.notice_hours))
    here = {"site_id": site.site_id, "endpoint_id": receiver.endpoint_id}
    async with database.read() as connection:
        if kind == "contact_due" and not await connection.scalar(are_activities_reported(), {"site_id": site.site_id}):
            return []
        return list((await connection.execute(_STATEMENTS[kind](), {**here, **times, "limit": _ROWS_AT_ONCE})).mappings())


def _notice(receiver: Receiver, row: RowMapping, now: datetime) -> dict[str, Any]:
    about = {name: row[name] for name in ("kind", "person_id", "space", "deal_id", "mark")}
    return {
        "site_id": receiver.site_id,
        "endpoint_id": receiver.endpoint_id,
        "notice_id": "notice_" + ids.digest(receiver.site_id, *about.values()),
        **about,
        "fact_id": row["fact_id"],
        "body": body_of(row),
        "occurred_at": row["occurred_at"],
        "next_try_at": now,
        "tries": 0,
        "delivered_at": None,
        "given_up_at": None,
        "last_error": None,
    }
