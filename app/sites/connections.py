"""Connections: the CRMs that send webhooks, and the secrets that prove it is they who send.

One or two secrets of a connection are live, so that the sender can change from one to the next without losing a
message. A secret is shown once, when it is made or set; it is stored as it is, because signatures are computed from it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import insert_new
from app.errors import Conflict, NotFound, Unprocessable
from app.sites import rules
from app.sites.administration import lock_site, unprocessable
from app.sites.settings import Line, Name, merge_patch
from app.sites.site import Site

Provider = Literal["generic", "hubspot", "salesforce", "pipedrive", "stripe", "calendly", "typeform", "calltracking"]
_NO_ACTIVITIES = frozenset({"stripe", "calendly", "typeform", "calltracking"})
"""Providers that are no CRM: a site whose sales work in one hears of calls and meetings from there, and of each once."""
LONGEST_ID = 64

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_PRINTED = re.compile(r"[!-~]{8,500}\Z")
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
_SECRET_BYTES = 24
_ENDED = "[]"


def _checked_secret(provider: Provider, text: str) -> str:
    """A secret as its provider's is. ValueError if it is none; the message never holds it."""
    if provider == "generic":
        return signing_secret(text)
    if not _PRINTED.match(text.strip()):
        raise ValueError("a secret is 8 to 500 characters without spaces, as the CRM shows it; without one, one is made")
    return text.strip()


def signing_secret(text: str) -> str:
    """A secret of Standard Webhooks. Anything looser would be accepted by the library in silence, and sign nothing."""
    try:
        encoded = text.strip().removeprefix(_SECRET_PREFIX)
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not text.strip().startswith(_SECRET_PREFIX) or len(raw) < _SECRET_BYTES:
        raise ValueError(f"a secret is {_SECRET_PREFIX} and base64 of at least {_SECRET_BYTES} random bytes; without one, one is made")
    return text.strip()


Stages = Annotated[list[Name], Field(max_length=1_000)]


class PipelineSettings(BaseModel):
    """A pipeline whose deals count, and what its stages mean. A stage that is not named leaves a deal open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line = Field("", description="What people call it.")
    won: Stages = Field([], description="Stages that mean won, as the CRM names them.")
    lost: Stages = Field([], description="Stages that mean lost.")
    ignored: Stages = Field([], description="Stages in which a deal counts not (yet).")


class ConnectionSettings(BaseModel):
    """What the CRM's own words mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    won_stages: Stages = Field([], description="Stages of any pipeline that mean won, as the CRM names them.")
    lost_stages: Stages = Field([], description="Stages of any pipeline that mean lost.")
    pipelines: dict[Name, PipelineSettings] = Field(
        {},
        max_length=200,
        description="The pipelines whose deals count, by the CRM's ID; none named: every one's. Deals of others are kept, and counted as "
        "ignored.",
    )
    fields: dict[Name, Name] = Field(
        {}, max_length=200, description='Which field of the CRM holds what: `{"budget": "bant_budget__c"}`; each provider has its own.'
    )
    account_id: Name | None = Field(None, description="Whose messages are meant: HubSpot's portal, Salesforce's organization; null: any.")

    def meanings(self) -> dict[str, list[str]]:
        """The stages that mean `won`, `lost` and `ignored`."""
        named = self.pipelines.values()
        return {
            "won": [*self.won_stages, *(stage for each in named for stage in each.won)],
            "lost": [*self.lost_stages, *(stage for each in named for stage in each.lost)],
            "ignored": [stage for each in named for stage in each.ignored],
        }

    @model_validator(mode="after")
    def _a_stage_means_one_thing(self) -> Self:
        meanings = [(stage, meaning) for meaning, stages in self.meanings().items() for stage in stages]
        first: dict[str, str] = {}
        for stage, meaning in meanings:
            if first.setdefault(stage, meaning) != meaning:
                raise ValueError(f"the stage {stage[:60]!r} cannot mean both {first[stage]} and {meaning}")
        return self


class ConnectionFields(BaseModel):
    """What can be set of a connection, besides its ID and its secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Provider = Field("generic", description="Who sends, and so in which format.")
    api_token: Name | None = Field(None, description="Token to fetch details with; never shown again.")
    api_base_url: str | None = Field(None, max_length=2_000, pattern=r"^https?://[^\s\x00]+$", description="Where to fetch details.")
    settings: ConnectionSettings = Field(default=ConnectionSettings())
    reports_activities: bool = Field(
        True,
        description="Whether calls, meetings and e-mails of sales arrive through it; if none does, nobody can say who was contacted. Of a "
        "new connection to what is no CRM (Stripe, Calendly, Typeform, call tracking) the default is false.",
    )


class NewConnection(ConnectionFields):
    """A connection to make."""

    id: str = Field(description="Chosen by the caller: it stands in the webhook's path.")
    secret: str | None = Field(
        None, description="What the CRM signs or authenticates with: for `generic` and Stripe `whsec_…`; absent: one is made."
    )

    @model_validator(mode="after")
    def _secret_is_its_providers(self) -> Self:
        if self.secret is not None:
            object.__setattr__(self, "secret", _checked_secret(self.provider, self.secret))
        return self

    @model_validator(mode="after")
    def _only_crms_know_activities(self) -> Self:
        if self.provider in _NO_ACTIVITIES and "reports_activities" not in self.model_fields_set:
            object.__setattr__(self, "reports_activities", False)
        return self


@dataclass(frozen=True)
class Connection:
    """A connection as stored."""

    site_id: str
    connection_id: str
    secrets: tuple[str, ...]
    """Newest first; none where it was ended."""
    fields: ConnectionFields
    created_at: datetime

    @property
    def space(self) -> str:
        """The space of its deal and contact IDs."""
        return rules.space_of(self.fields.provider, self.connection_id)


def new_secret() -> str:
    """A signing secret of 256 random bits."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


# ---------------------------------------------------------------- reading


def connections_named() -> Select[Any]:
    """At most one row: the connection `:connection_id`, of whatever site. Index: `ix_connections__connection_id`."""
    return select(tables.connections).where(tables.connections.c.connection_id == bindparam("connection_id"))


def connections_of_site() -> Select[Any]:
    """A row a connection of the site `:of_site`, by ID. Index: the key of `connections`."""
    return select(tables.connections).where(_of_site()).order_by(tables.connections.c.connection_id)


async def find_connection(connection: AsyncConnection, connection_id: str) -> Connection | None:
    """The connection of that ID, of whatever site; None if there is none, or it was ended."""
    if not _ID.match(connection_id):
        return None
    row = (await connection.execute(connections_named(), {"connection_id": connection_id})).one_or_none()
    found = None if row is None else read_connection(row)
    return found if found is not None and found.secrets else None


async def load_connection(connection: AsyncConnection, site_id: str, connection_id: str) -> Connection:
    """One connection of the site. NotFound if it has none of that ID."""
    found = await find_connection(connection, connection_id)
    if found is None or found.site_id != site_id:
        raise NotFound(f"This site has no connection {connection_id[:LONGEST_ID]!r}.")
    return found


async def load_connections(connection: AsyncConnection, site_id: str) -> list[Connection]:
    """The site's connections, by ID."""
    return [each for each in await _with_ended(connection, site_id) if each.secrets]


async def _with_ended(connection: AsyncConnection, site_id: str) -> list[Connection]:
    return [read_connection(row) for row in await connection.execute(connections_of_site(), {"of_site": site_id})]


# ---------------------------------------------------------------- changing


async def create_connection(
    connection: AsyncConnection, site: Site, fields: Mapping[str, Any] | NewConnection, now: datetime
) -> Connection:
    """Make a connection of the site, with a secret of its own if none is given.

    Unprocessable if a value is not allowed; Conflict if some site has a connection of that ID.
    """
    wanted = fields if isinstance(fields, NewConnection) else _checked(NewConnection, fields)
    if not _ID.match(wanted.id):
        raise Unprocessable(f"id: 1 to {LONGEST_ID} letters, digits, - or _, beginning with a letter or digit; it stands in an address.")
    only = ConnectionFields(**{name: getattr(wanted, name) for name in ConnectionFields.model_fields})
    made = Connection(site.site_id, wanted.id, (wanted.secret or new_secret(),), only, now)
    await lock_site(connection, site.site_id)
    await connection.execute(delete(tables.connections).where(_is_named(), tables.connections.c.secrets == _ENDED), _names(made))
    stored = await connection.execute(insert_new(connection.dialect.name == "sqlite", tables.connections), _row(made))
    if stored.rowcount != 1:
        raise Conflict(f"There is a connection {wanted.id!r} already; its ID stands in the webhook's path, so it is unique over all sites.")
    await _forget_calls(connection, made)
    await _follow(connection, site.site_id, now)
    return made


async def change_connection(
    connection: AsyncConnection, site: Site, connection_id: str, changes: Mapping[str, Any], now: datetime
) -> Connection:
    """Apply a JSON merge patch. Answers the connection as it is now.

    A new `secret` keeps the one before it valid; null makes one up. `"previous_secret": null` ends the one before.
    """
    await lock_site(connection, site.site_id)
    before = await load_connection(connection, site.site_id, connection_id)
    changes = dict(changes)
    live = _rotated(before, changes)
    patched = merge_patch(before.fields.model_dump(mode="json"), changes)
    after = replace(before, secrets=live, fields=checked_fields(patched))
    if after.fields.provider != before.fields.provider:
        raise Unprocessable("The provider of a connection cannot change: what arrived through it was read in its format. Make another.")
    await _write(connection, after)
    await _follow(connection, site.site_id, now)
    await _call_at_once(connection, after, now)
    return after


async def delete_connection(connection: AsyncConnection, site: Site, connection_id: str) -> None:
    """End a connection: it takes nothing more, and its ID is free for the site. NotFound if there is none.

    What arrived through it stays, and so does what it said that stages mean: a deal that was won stays won.
    """
    await lock_site(connection, site.site_id)
    gone = await load_connection(connection, site.site_id, connection_id)
    await _write(connection, replace(gone, secrets=()))
    await _forget_calls(connection, gone)


async def _forget_calls(connection: AsyncConnection, of: Connection) -> None:
    """Forget what was to be called. A call that is under way when a connection ends may write of it once more, so whoever makes one of
    the same ID does this too: else its rounds would begin where those of the one before ended."""
    for calls in (tables.crm_fetches, tables.crm_polls, tables.crm_pauses):
        await connection.execute(delete(calls).where(_is_named(calls)), _names(of))


async def _call_at_once(connection: AsyncConnection, changed: Connection, now: datetime) -> None:
    """Whoever changes a connection may have mended what its CRM denied: its API is called without waiting."""
    pauses, polls = tables.crm_pauses, tables.crm_polls
    await connection.execute(delete(pauses).where(_is_named(pauses)), _names(changed))
    failed = and_(_is_named(polls), polls.c.last_error.is_not(None))
    await connection.execute(update(polls).where(failed).values(next_try_at=now), _names(changed))


async def _write(connection: AsyncConnection, after: Connection) -> None:
    values = {name: value for name, value in _row(after).items() if name not in ("site_id", "connection_id", "created_at")}
    await connection.execute(update(tables.connections).where(_is_named()).values(**values), _names(after))


def _rotated(before: Connection, changes: dict[str, Any]) -> tuple[str, ...]:
    """The live secrets, newest first, after what `changes` says of them; takes that out of `changes`."""
    live = before.secrets
    if "previous_secret" in changes:
        if changes.pop("previous_secret") is not None:
            raise Unprocessable("previous_secret: only null is allowed, which ends it; a new secret goes into secret.")
        live = live[:1]
    if "secret" not in changes:
        return live
    secret = changes.pop("secret")
    try:
        newest = new_secret() if secret is None else _checked_secret(before.fields.provider, str(secret))
    except ValueError as error:
        raise Unprocessable(f"secret: {error}") from None
    return live if newest == live[0] else (newest, live[0])


async def _follow(connection: AsyncConnection, site_id: str, now: datetime) -> None:
    """What the connections' settings say of stages, as rows. Unprocessable if two that share a space contradict each other."""
    outcomes: dict[tuple[str, str], str] = {}
    pipelines: dict[tuple[str, str], str] = {}
    # Those that were ended come last: what still holds goes before what held.
    for each in sorted(await _with_ended(connection, site_id), key=lambda each: not each.secrets):
        for pipeline, settings in each.fields.settings.pipelines.items():
            pipelines.setdefault((each.space, pipeline), settings.name)
        for outcome, stages in each.fields.settings.meanings().items():
            for stage in stages:
                known = outcomes.setdefault((each.space, stage), outcome)
                if known != outcome and each.secrets:
                    raise Unprocessable(
                        f"The stage {stage[:60]!r} means {known} in one connection and {outcome} in another of the same deals."
                    )
    await rules.write_deal_stages(connection, site_id, outcomes, pipelines, now)


def checked_fields(fields: Mapping[str, Any]) -> ConnectionFields:
    """The fields of a connection. Unprocessable, which holds no token, if a value is not allowed."""
    checked: ConnectionFields = _checked(ConnectionFields, fields)
    return checked


def _checked(model: type[Any], fields: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise unprocessable(error) from None


def _row(made: Connection) -> dict[str, Any]:
    return {
        "site_id": made.site_id,
        "connection_id": made.connection_id,
        "provider": made.fields.provider,
        "secrets": json.dumps(made.secrets),
        "api_token": made.fields.api_token,
        "api_base_url": made.fields.api_base_url,
        "settings": made.fields.settings.model_dump_json(),
        "reports_activities": made.fields.reports_activities,
        "created_at": made.created_at,
    }


def read_connection(row: Row[Any]) -> Connection:
    """A connection from its row, with whatever else stands in it."""
    fields = ConnectionFields(
        provider=row.provider,
        api_token=row.api_token,
        api_base_url=row.api_base_url,
        settings=ConnectionSettings.model_validate_json(row.settings),
        reports_activities=row.reports_activities,
    )
    return Connection(row.site_id, row.connection_id, tuple(json.loads(row.secrets)), fields, row.created_at)


def _names(made: Connection) -> dict[str, str]:
    return {"of_site": made.site_id, "of_connection": made.connection_id}


def _is_named(table: Table = tables.connections) -> ColumnElement[bool]:
    return _of_site(table) & (table.c.connection_id == bindparam("of_connection"))


def _of_site(table: Table = tables.connections) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.c.site_id == bindparam("of_site")
    return condition
