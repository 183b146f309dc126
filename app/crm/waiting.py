"""What is still to be fetched from CRMs, and how far each was read: shown, and begun again on request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.crm import queries
from app.crm.calls import here
from app.crm.polling import FIRST_MONTHS, begin_anew, begin_polls, months_before
from app.crm.registry import PROVIDERS
from app.errors import Unprocessable
from app.sites.connections import Connection, load_connections

STUCK_AFTER = timedelta(days=3)
"""What has waited so long is not given up, but somebody should look."""


async def calls_of_site(connection: AsyncConnection, site_id: str, now: datetime) -> list[dict[str, Any]]:
    """Of each connection: `id`, `provider`, whether it has a token, `fetches`, what is `paused`, and `polls`."""
    here = {"of_site": site_id, "now": now, "stuck_before": now - STUCK_AFTER}
    fetches = {row.connection_id: row for row in await connection.execute(queries.fetches_by_connection(), here)}
    polls, pauses = defaultdict(list), defaultdict(list)
    for row in await connection.execute(queries.polls_of_site(), here):
        polls[row.connection_id].append(_poll_shown(row))
    for row in await connection.execute(queries.pauses_of_site(), here):
        pauses[row.connection_id].append({"kind": row.kind or None, "until": row.paused_until, "reason": row.reason})
    return [
        {
            "id": each.connection_id,
            "provider": each.fields.provider,
            "has_api_token": each.fields.api_token is not None,
            "fetches": _fetches_shown(fetches.get(each.connection_id)),
            "paused": pauses[each.connection_id],
            "polls": _in_order(each, polls[each.connection_id]),
        }
        for each in await load_connections(connection, site_id)
    ]


def _fetches_shown(row: Any) -> dict[str, Any]:
    names = ("waiting", "stuck", "oldest_at", "last_error")
    if row is None:
        return dict(zip(names, (0, 0, None, None), strict=True))
    return dict(zip(names, (row.waiting, int(row.stuck), row.oldest_at, row.last_error), strict=True))


def _poll_shown(row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("kind", "since", "records", "finished_at", "last_error", "next_try_at")}
    return {**shown, "is_under_way": row.began_at is not None}


def _in_order(each: Connection, polls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = PROVIDERS[each.fields.provider].polls if each.fields.provider in PROVIDERS else ()
    return sorted(polls, key=lambda poll: (order.index(poll["kind"]) if poll["kind"] in order else len(order), poll["kind"]))


async def read_again(
    connection: AsyncConnection, sender: Connection, kinds: Sequence[str] | None, since: datetime | None, now: datetime
) -> list[str]:
    """Have these kinds (None: all) asked for now: everything that changed since then, or, without `since`, what is next.

    Answers the kinds. Unprocessable if the connection cannot be asked for them.
    """
    wanted = kinds_of(sender, kinds)
    if since is not None:
        await begin_anew(connection, sender, wanted, since, now)
    else:
        await begin_polls(connection, sender, wanted, months_before(now, FIRST_MONTHS), now)
        await connection.execute(queries.poll_at_once(), {**here(sender), "kinds": wanted, "now": now})
    return wanted


def kinds_of(sender: Connection, kinds: Sequence[str] | None) -> list[str]:
    """The kinds, in the order in which they are asked for. Unprocessable if the connection cannot be asked for one."""
    provider = PROVIDERS[sender.fields.provider]
    title = provider.title or provider.name
    if provider.poll is None:
        raise Unprocessable(f"{title} cannot be asked what changed; it says so itself, by webhooks.")
    if sender.fields.api_token is None:
        raise Unprocessable("The connection has no api_token: set it first.")
    if unknown := [kind for kind in kinds or () if kind not in provider.polls]:
        raise Unprocessable(f"kinds: {title} has no {unknown[0][:60]!r}; it has {', '.join(provider.polls)}.")
    return [kind for kind in provider.polls if kinds is None or not kinds or kind in kinds]
