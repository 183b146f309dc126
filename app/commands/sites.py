"""closedloop sites: the tenants and their settings."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from app.commands.terminal import print_rows, say

sites = typer.Typer(help="Sites and their settings.", no_args_is_help=True)

SiteId = Annotated[str, typer.Argument(help="The site's ID.", show_default=False)]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="FIELD=VALUE", help="A setting; VALUE is JSON, or plain text. Several times for several."),
]


@sites.command("list")
def list_sites() -> None:
    """List the sites."""
    from app.commands.running import opened, run
    from app.sites.site import Site, load_sites

    async def load() -> list[Site]:
        async with opened() as database, database.read() as connection:
            return await load_sites(connection)

    columns = ("site", "timezone", "currency", "hosts", "settings_version")
    rows = [(s.site_id, s.settings.timezone, s.settings.currency, " ".join(s.settings.hosts), s.settings_version) for s in run(load())]
    print_rows(columns, rows)


@sites.command("show")
def show_site(site: SiteId) -> None:
    """Show a site's settings in force, as JSON."""
    from app.commands.running import opened, run, site_of

    async def load() -> str:
        async with opened() as database:
            return (await site_of(database, site)).settings.model_dump_json(indent=2)

    say(run(load()))


@sites.command("create")
def create_site(site: SiteId, changes: Set = []) -> None:  # noqa: B006 - typer copies it
    """Make a site: `closedloop sites create shop --set timezone=Europe/Berlin --set currency=EUR`."""
    from app.commands.running import now, opened, run
    from app.sites import administration

    async def create() -> None:
        async with opened() as database, database.write() as connection:
            await administration.create_site(connection, site, _settings(changes), now())

    run(create())
    say(f"Made the site {site}. `closedloop keys create --site {site}` makes a key for it.")


@sites.command("change")
def change_site(site: SiteId, changes: Set) -> None:
    """Change settings of a site; whatever must be computed anew is, by itself."""
    from app.commands.running import now, opened, run
    from app.sites import administration

    async def change() -> int:
        async with opened() as database, database.write() as connection:
            return (await administration.change_settings(connection, site, _settings(changes), now())).settings_version

    say(f"Version {run(change())} of the settings of {site} is in force.")


@sites.command("delete")
def delete_site(site: SiteId) -> None:
    """Delete a site that holds no facts."""
    from app.commands.running import opened, run
    from app.sites import administration

    async def delete() -> None:
        async with opened() as database, database.write() as connection:
            await administration.delete_site(connection, site)

    run(delete())
    say(f"Deleted the site {site}.")


def _settings(changes: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise typer.BadParameter(f"{change!r} is not FIELD=VALUE", param_hint="--set")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings
