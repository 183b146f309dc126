"""closedloop sites: the tenants and their settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.terminal import fail, print_rows, say

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


@sites.command("spam")
def add_spam_referrers(
    site: SiteId,
    source: Annotated[str, typer.Argument(metavar="LIST", help="A file, or an https:// address: a domain a line.", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Have the site's own list be this one, instead of adding to it.")] = False,
) -> None:
    """Take in a list of referrer spam that others keep: `closedloop sites spam default spammers.txt`."""
    from app.commands.running import now, opened, run, site_of
    from app.sites import administration
    from app.touches.spam import domains_of_list

    domains, refused = domains_of_list(_read_list(source).splitlines())
    if not domains:
        fail(f"there is no domain in {source}: one is wanted on each line.")

    async def add() -> int:
        async with opened() as database:
            known = [] if replace else (await site_of(database, site)).settings.spam_referrers
            listed = list(dict.fromkeys([*known, *domains]))
            async with database.write() as connection:
                await administration.change_settings(connection, site, {"spam_referrers": listed}, now())
            return len(listed)

    say(f"{len(domains)} domains were read; {run(add())} are spam to {site}, besides the shipped list.")
    if refused:
        say(f"{refused} lines hold no domain and were left out.")


_LONGEST_LIST = 2_000_000


def _read_list(source: str) -> str:
    """The text of a file or an address. Exits, saying why, if it cannot be read."""
    import httpx

    from app.commands.running import run
    from app.outgoing import PrivateAddress

    try:
        return run(_download(source)) if source.startswith("https://") else Path(source).read_text(encoding="utf-8")
    except (OSError, ValueError, httpx.HTTPError, PrivateAddress) as error:
        fail(f"{source} cannot be read: {error}")


async def _download(address: str) -> str:
    from app.outgoing import outgoing_client
    from app.settings import settings

    text = b""
    client = outgoing_client(allow_private=settings().allow_private_addresses, follow_redirects=True)
    async with client, client.stream("GET", address) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            text += part
            if len(text) > _LONGEST_LIST:
                raise ValueError("it is longer than 2 MB")
    return text.decode()


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
