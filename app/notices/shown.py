"""Endpoints and what waits for them, as they are shown."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.notices import queries
from app.notices.receivers import Receiver, load_receivers


def receiver_shown(made: Receiver, secret: str | None = None) -> dict[str, Any]:
    """An endpoint; with `secret` where that was just made or set."""
    shown = {
        "id": made.endpoint_id,
        "site": made.site_id,
        **made.fields.model_dump(mode="json"),
        "has_previous_secret": len(made.secrets) > 1,
        "created_at": made.created_at,
        **_state(made),
    }
    return shown if secret is None else {**shown, "secret": secret}


def _state(made: Receiver) -> dict[str, Any]:
    return {"paused_until": made.paused_until, "disabled_at": made.disabled_at, "disabled_because": made.disabled_because}


async def notices_of_site(connection: AsyncConnection, site_id: str) -> list[dict[str, Any]]:
    """Of each endpoint: how many notices wait, were `delivered` and `given_up` in the last 30 days, and what went wrong last."""
    rows = {row.endpoint_id: row for row in await connection.execute(queries.notices_by_receiver(), {"of_site": site_id})}
    return [
        {"id": each.endpoint_id, **_counts(rows.get(each.endpoint_id)), **_state(each)}
        for each in await load_receivers(connection, site_id)
    ]


def _counts(row: Any) -> dict[str, Any]:
    counted = {name: 0 if row is None else int(getattr(row, name)) for name in ("waiting", "delivered", "given_up")}
    return counted | {name: None if row is None else getattr(row, name) for name in ("oldest_at", "last_error")}
