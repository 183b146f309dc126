"""closedloop connections: the CRMs that send webhooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.terminal import fail, print_rows, say

if TYPE_CHECKING:
    from app.sites.connections import Connection

connections = typer.Typer(help="CRMs that send webhooks.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
ConnectionId = Annotated[str, typer.Argument(help="The connection's ID, which stands in the webhook's path.", show_default=False)]


@connections.command("list")
def list_connections(site: SiteOption = "default") -> None:
    """List a site's connections."""
    from app.commands.running import opened, run
    from app.sites.connections import load_connections

    async def load() -> list[Connection]:
        async with opened() as database, database.read() as connection:
            return await load_connections(connection, site)

    rows = [(c.connection_id, c.fields.provider, len(c.secrets), c.fields.reports_activities, c.created_at) for c in run(load())]
    print_rows(("connection", "provider", "live_secrets", "reports_activities", "created_at"), rows)


@connections.command("create")
def create_connection(
    connection_id: ConnectionId,
    site: SiteOption = "default",
    provider: Annotated[
        str, typer.Option(help="Who sends: generic, hubspot, salesforce, pipedrive, stripe, calendly, typeform or calltracking.")
    ] = "generic",
    secret: Annotated[str | None, typer.Option(help="Signing secret, as the CRM shows it; made up if not given.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="CLOSEDLOOP_CRM_TOKEN", show_envvar=True, help="API token: to fetch details, and to ask what changed."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Where its API is, if not where its provider's usually is.")] = None,
    setting: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="A further setting, its value as JSON or a text: account_id=123. Several times.")
    ] = [],  # noqa: B006
    won_stage: Annotated[list[str], typer.Option("--won-stage", help="A stage that means won. Several times for several.")] = [],  # noqa: B006 - typer copies it
    lost_stage: Annotated[list[str], typer.Option("--lost-stage", help="A stage that means lost.")] = [],  # noqa: B006
    no_activities: Annotated[
        bool, typer.Option("--no-activities", help="Calls, meetings and e-mails of sales do not arrive through it.")
    ] = False,
) -> None:
    """Make a connection and print its signing secret: it is shown this once."""
    from app.commands.running import now, opened, run, site_of
    from app.sites import connections as stored

    fields: dict[str, object] = {"id": connection_id, "provider": provider, "secret": secret, "api_token": token, "api_base_url": base_url}
    fields |= {"reports_activities": False} if no_activities else {}
    stages = {"won_stages": won_stage, "lost_stages": lost_stage, **dict(map(_setting, setting))}

    async def create() -> Connection:
        async with opened() as database:
            owner = await site_of(database, site)
            async with database.write() as connection:
                return await stored.create_connection(connection, owner, {**fields, "settings": stages}, now())

    made = run(create())
    print_rows(("connection", "path", "secret"), [(made.connection_id, f"/v1/webhooks/{made.connection_id}", made.secrets[0])])


def _setting(text: str) -> tuple[str, object]:
    """(name, value) of `NAME=VALUE`; a number is a text too, because IDs are."""
    name, is_there, value = text.partition("=")
    if not is_there:
        fail(f"--setting {text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value) if value[:1] in {"{", "[", "n"} else value
    except ValueError:
        return name, value


@connections.command("rotate")
def rotate_secret(
    connection_id: ConnectionId,
    site: SiteOption = "default",
    end_previous: Annotated[bool, typer.Option("--end-previous", help="Make none; end the secret before the newest.")] = False,
) -> None:
    """Make a new signing secret. The one before stays valid until `--end-previous`, so no message is lost."""
    from app.commands.running import now, opened, run, site_of
    from app.sites import connections as stored

    async def rotate() -> Connection:
        changes = {"previous_secret": None} if end_previous else {"secret": None}
        async with opened() as database:
            owner = await site_of(database, site)
            async with database.write() as connection:
                return await stored.change_connection(connection, owner, connection_id, changes, now())

    changed = run(rotate())
    if end_previous:
        say(f"Only the newest secret of {connection_id} is valid now.")
    else:
        print_rows(("connection", "secret"), [(connection_id, changed.secrets[0])])


@connections.command("delete")
def delete_connection(connection_id: ConnectionId, site: SiteOption = "default") -> None:
    """End a connection; what arrived through it stays."""
    from app.commands.running import opened, run, site_of
    from app.sites import connections as stored

    async def delete() -> None:
        async with opened() as database:
            owner = await site_of(database, site)
            async with database.write() as connection:
                await stored.delete_connection(connection, owner, connection_id)

    run(delete())
    say(f"Ended the connection {connection_id}.")
