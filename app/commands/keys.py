"""closedloop keys: who may send and read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from app.commands.terminal import print_rows, say

keys = typer.Typer(help="API keys.", no_args_is_help=True)


class Kind(StrEnum):
    """What a key is for."""

    WRITE = "write"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@keys.command("list")
def list_keys(site: Annotated[str | None, typer.Option(help="Only of this site.")] = None) -> None:
    """List the keys, the revoked ones too. Of secret keys only the hash is stored, so they cannot be shown."""
    from app.commands.running import opened, run
    from app.sites.administration import keys_of_sites
    from app.sites.site import load_sites

    async def load() -> list[Any]:
        async with opened() as database, database.read() as connection:
            named = [site] if site else [each.site_id for each in await load_sites(connection)]
            return list(await connection.execute(keys_of_sites(named)))

    columns = ("site", "key", "kind", "scopes", "label", "value", "created_at", "revoked_at")
    print_rows(columns, [(k.site_id, k.key_id, k.kind, k.scopes, k.label, k.public_value, k.created_at, k.revoked_at) for k in run(load())])


@keys.command("create")
def create_key(
    site: Annotated[list[str], typer.Option("--site", help="Which site; several times for a secret key of several.")] = ["default"],  # noqa: B006 - typer copies it
    kind: Annotated[Kind, typer.Option(help="write: public, for web pages. secret: sends anything and reads.")] = Kind.SECRET,
    scope: Annotated[list[str], typer.Option("--scope", help="ingest, read or admin; several times for several.")] = ["ingest", "read"],  # noqa: B006
    label: Annotated[str, typer.Option(help="What you call it.")] = "",
) -> None:
    """Make a key and print it: a secret one is shown this once."""
    from app.commands.running import now, opened, run
    from app.sites import administration

    async def create() -> administration.NewKey:
        async with opened() as database, database.write() as connection:
            return await administration.create_key(connection, site, kind.value, now(), scopes=scope, label=label)

    made = run(create())
    print_rows(("key", "value"), [(made.key_id, made.value)])


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's ID, as `keys list` shows it.", show_default=False)]) -> None:
    """End a key. Running services take it for up to two seconds more."""
    from app.commands.running import now, opened, run
    from app.sites import administration

    async def revoke() -> None:
        async with opened() as database, database.write() as connection:
            await administration.revoke_key(connection, key, now())

    run(revoke())
    say(f"Revoked {key}.")
