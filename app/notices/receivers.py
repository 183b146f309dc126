"""Where a site wants to be told what happens. A secret is shown once, when it is made or set.

Every function works within the caller's transaction; `now` is when it happens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.errors import Conflict, NotFound, Unprocessable
from app.sites.administration import lock_site, unprocessable
from app.sites.connections import new_secret, signing_secret
from app.sites.settings import merge_patch

KINDS = ("stage_changed", "contact_due", "hot_visit")
Kind = Literal["stage_changed", "contact_due", "hot_visit"]
_MOST = 50

_row = tables.notice_endpoints


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        is_one = False
    if not is_one or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("an address is https://host/path or http://host/path, without a user name in it")
    return text


def _in_order(kinds: list[Kind]) -> list[Kind]:
    return [kind for kind in ("stage_changed", "contact_due", "hot_visit") if kind in kinds]


class ReceiverFields(BaseModel):
    """What can be set of an endpoint, besides its ID and its secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(max_length=2_000), AfterValidator(_address)] = Field(description="Where it is posted to.")
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=10), AfterValidator(_in_order)] = Field(
        default=["stage_changed", "contact_due", "hot_visit"], description="What it is told of."
    )
    format: Literal["standard", "slack"] = Field(
        "standard", description='`standard`: signed, as Standard Webhooks says; `slack`: `{"text": …}`, which chat systems show.'
    )


class NewReceiver(ReceiverFields):
    """An endpoint to make."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="Chosen by the caller.")
    secret: str | None = Field(None, max_length=500, description="What it is signed with, `whsec_…`; absent: one is made.")


@dataclass(frozen=True)
class Receiver:
    """An endpoint as stored."""

    site_id: str
    endpoint_id: str
    secrets: tuple[str, ...]
    """Newest first: each signs, so that the receiver can change from one to the next."""
    fields: ReceiverFields
    created_at: datetime
    paused_until: datetime | None = None
    disabled_at: datetime | None = None
    disabled_because: str | None = None


# ---------------------------------------------------------------- reading


def receivers_of_site() -> Select[Any]:
    """A row an endpoint of the site `:of_site`, by ID. Index: the primary key."""
    return select(_row).where(of_this_site(_row)).order_by(_row.c.endpoint_id)


def live_receivers() -> Select[Any]:
    """A row an endpoint of any site that is not disabled. Reads `notice_endpoints`, which is small."""
    return select(_row).where(_row.c.disabled_at.is_(None)).order_by(_row.c.site_id, _row.c.endpoint_id)


async def load_receivers(connection: AsyncConnection, site_id: str) -> list[Receiver]:
    """The site's endpoints, by ID."""
    return [read_receiver(row) for row in await connection.execute(receivers_of_site(), {"of_site": site_id})]


async def load_receiver(connection: AsyncConnection, site_id: str, endpoint_id: str) -> Receiver:
    """One endpoint of the site. NotFound if it has none of that ID."""
    for each in await load_receivers(connection, site_id):
        if each.endpoint_id == endpoint_id:
            return each
    raise NotFound(f"This site has no notice endpoint {endpoint_id[:64]!r}.")


def read_receiver(row: Row[Any]) -> Receiver:
    """An endpoint from its row, with whatever else stands in it."""
    fields = ReceiverFields(url=row.url, kinds=row.kinds.split(), format=row.format)
    state = (row.paused_until, row.disabled_at, row.disabled_because)
    return Receiver(row.site_id, row.endpoint_id, tuple(json.loads(row.secrets)), fields, row.created_at, *state)


# ---------------------------------------------------------------- changing


async def create_receiver(connection: AsyncConnection, site_id: str, fields: Mapping[str, Any] | NewReceiver, now: datetime) -> Receiver:
    """Make an endpoint, with a secret if none is given; what happened before is not told.

    Unprocessable if a value is not allowed; Conflict if there is one of that ID, or there are 50 already.
    """
    wanted = fields if isinstance(fields, NewReceiver) else _checked(NewReceiver, fields)
    only = ReceiverFields(**{name: getattr(wanted, name) for name in ReceiverFields.model_fields})
    made = Receiver(site_id, wanted.id, (_secret(wanted.secret),), only, now)
    await lock_site(connection, site_id)
    there = await load_receivers(connection, site_id)
    if any(each.endpoint_id == wanted.id for each in there):
        raise Conflict(f"There is a notice endpoint {wanted.id!r} already.")
    if len(there) >= _MOST:
        raise Conflict(f"A site has at most {_MOST} notice endpoints.")
    await connection.execute(insert(_row), _as_row(made))
    return made


async def change_receiver(
    connection: AsyncConnection, site_id: str, endpoint_id: str, changes: Mapping[str, Any], now: datetime
) -> Receiver:
    """Apply a JSON merge patch. Answers the endpoint as it is now; what waits for it is sent at once.

    A new `secret` signs beside the one before; null makes one up. `"previous_secret": null` ends the one before.
    `"disabled": false` enables an endpoint again, true disables it.
    """
    await lock_site(connection, site_id)
    before = await load_receiver(connection, site_id, endpoint_id)
    changes = dict(changes)
    live, state = _rotated(before, changes), _enabled(before, changes, now)
    fields = _checked(ReceiverFields, merge_patch(before.fields.model_dump(mode="json"), changes))
    after = replace(state, secrets=live, fields=fields, paused_until=None)
    values = {name: value for name, value in _as_row(after).items() if name not in ("site_id", "endpoint_id", "created_at")}
    await connection.execute(update(_row).where(is_receiver(_row)).values(**values), names_of(after))
    return after


async def delete_receiver(connection: AsyncConnection, site_id: str, endpoint_id: str) -> None:
    """Forget an endpoint and what it was, or was to be, told. NotFound if there is none."""
    await lock_site(connection, site_id)
    gone = await load_receiver(connection, site_id, endpoint_id)
    for table in (tables.notices, _row):
        await connection.execute(delete(table).where(is_receiver(table)), names_of(gone))


def _rotated(before: Receiver, changes: dict[str, Any]) -> tuple[str, ...]:
    """The live secrets, newest first, after what `changes` says of them; takes that out of `changes`."""
    live = before.secrets
    if "previous_secret" in changes:
        if changes.pop("previous_secret") is not None:
            raise Unprocessable("previous_secret: only null is allowed, which ends it; a new secret goes into secret.")
        live = live[:1]
    if "secret" not in changes:
        return live
    newest = _secret(changes.pop("secret"))
    return live if newest == live[0] else (newest, live[0])


def _enabled(before: Receiver, changes: dict[str, Any], now: datetime) -> Receiver:
    """The endpoint after what `changes` says of whether it is disabled; takes that out of `changes`."""
    wanted = changes.pop("disabled", before.disabled_at is not None)
    if not isinstance(wanted, bool):
        raise Unprocessable("disabled: true or false.")
    if wanted is (before.disabled_at is not None):
        return before
    return replace(before, disabled_at=now if wanted else None, disabled_because="by hand" if wanted else None)


def _secret(text: object) -> str:
    try:
        return new_secret() if text is None else signing_secret(str(text))
    except ValueError as error:
        raise Unprocessable(f"secret: {error}") from None


def _checked(model: type[Any], given: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise unprocessable(error) from None


def _as_row(made: Receiver) -> dict[str, Any]:
    return {
        "site_id": made.site_id,
        "endpoint_id": made.endpoint_id,
        "url": made.fields.url,
        "secrets": json.dumps(made.secrets),
        "format": made.fields.format,
        "kinds": " ".join(made.fields.kinds),
        "created_at": made.created_at,
        "paused_until": made.paused_until,
        "disabled_at": made.disabled_at,
        "disabled_because": made.disabled_because,
    }


def names_of(made: Receiver) -> dict[str, str]:
    """The parameters that name an endpoint."""
    return {"of_site": made.site_id, "of_endpoint": made.endpoint_id}


def is_receiver(table: Table) -> ColumnElement[bool]:
    """Rows of the endpoint. Index: a key that begins with (`site_id`, `endpoint_id`)."""
    return and_(of_this_site(table), table.c.endpoint_id == bindparam("of_endpoint"))


def of_this_site(table: Table) -> ColumnElement[bool]:
    """Rows of the site. Not `:site_id`: an INSERT or UPDATE would take that for a value of its own column."""
    condition: ColumnElement[bool] = table.c.site_id == bindparam("of_site")
    return condition
