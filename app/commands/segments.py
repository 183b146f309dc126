"""closedloop segments: filters saved under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.terminal import print_rows, say

if TYPE_CHECKING:
    from app.sites.site import Site

segments = typer.Typer(help="Filters saved under a name, for segment= in reports.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
Name = Annotated[str, typer.Argument(help="The segment's name.", show_default=False)]
FilterOption = Annotated[
    list[str], typer.Option("--filter", help="industry:Software,Finance or country:!DE. Several times: all must hold.", show_default=False)
]


@segments.command("list")
def list_segments(site: SiteOption = "default") -> None:
    """List a site's segments."""
    from app.commands.running import opened, run, site_of

    async def load() -> Site:
        async with opened() as database:
            return await site_of(database, site)

    print_rows(("segment", "filters"), [(each.name, " ".join(each.filters)) for each in run(load()).settings.segments])


@segments.command("create")
def create_segment(name: Name, filters: FilterOption, site: SiteOption = "default") -> None:
    """Save filters: `closedloop segments create "Tech in Germany" --filter industry:Software --filter country:DE`."""
    from app.commands.running import now, opened, run
    from app.sites import segments as saved

    async def create() -> None:
        async with opened() as database, database.write() as connection:
            await saved.create_segment(connection, site, {"name": name, "filters": filters}, now())

    run(create())
    say(f"Saved the segment {name}.")


@segments.command("change")
def change_segment(name: Name, filters: FilterOption, site: SiteOption = "default") -> None:
    """Put other filters in place of a segment's."""
    from app.commands.running import now, opened, run
    from app.sites import segments as saved

    async def change() -> None:
        async with opened() as database, database.write() as connection:
            await saved.change_segment(connection, site, name, {"filters": filters}, now())

    run(change())
    say(f"Changed the segment {name}.")


@segments.command("delete")
def delete_segment(name: Name, site: SiteOption = "default") -> None:
    """Forget a segment."""
    from app.commands.running import now, opened, run
    from app.sites import segments as saved

    async def delete() -> None:
        async with opened() as database, database.write() as connection:
            await saved.delete_segment(connection, site, name, now())

    run(delete())
    say(f"Forgot the segment {name}.")
