"""closedloop people: everything kept of a person, and how to erase it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.terminal import counted, fail, note, print_rows, say

if TYPE_CHECKING:
    from app.db import Database
    from app.privacy.erasure import Erasure
    from app.sites.site import Site

people = typer.Typer(help="Export or erase what is kept of a person.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
Person = Annotated[str, typer.Argument(help="An e-mail address, or the ID of the person, of a key or of a visitor.", show_default=False)]

_ASKED_BY = "command line"


@people.command("export")
def export_person(person: Person, site: SiteOption = "default") -> None:
    """Print every row that is kept of a person, by table, as JSON."""
    from app.commands.running import opened, run, site_of
    from app.privacy.export import export

    async def load() -> dict[str, Any]:
        async with opened() as database:
            owner = await site_of(database, site)
            async with database.read() as connection:
                return await export(connection, owner, await _found(database, owner, person))

    say(json.dumps(run(load()), ensure_ascii=False, indent=2))


@people.command("erase")
def erase_person(
    person: Person,
    site: SiteOption = "default",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete what is kept of a person, for good. Its deals stay, with their amounts.

    Erase it in the CRM too, and first: whatever sends it again makes it known again.
    """
    from app import pipeline
    from app.commands.running import now, opened, run, site_of
    from app.privacy.erasure import erase

    async def erase_now() -> Erasure:
        async with opened() as database:
            if not await pipeline.is_worker_running(database, site):
                await pipeline.run_until_idle(database, site)
            owner = await site_of(database, site)
            person_id = await _found(database, owner, person)
            if not yes and not typer.confirm(f"Erase {person} ({person_id}) and all that is kept of it, for good?", err=True):
                fail("nothing was erased.")
            return await erase(database, owner, person_id, key_id=_ASKED_BY, now=now())

    erasure = run(erase_now())
    print_rows(("table", "rows"), list(erasure.row_counts.items()))
    say(f"Erased: {counted(sum(erasure.row_counts.values()), 'row')} in all. Backups keep what they have.")


@people.command("erasures")
def list_erasures(site: SiteOption = "default") -> None:
    """List when people were erased, by which key, and how many rows went. It is not kept who they were."""
    from app.commands.running import opened, run
    from app.privacy.erasure import erasures_of

    async def load() -> list[Erasure]:
        async with opened() as database, database.read() as connection:
            return await erasures_of(connection, site)

    rows = run(load())
    print_rows(("erasure", "erased_at", "key", "rows"), [(r.erasure_id, r.erased_at, r.key_id, sum(r.row_counts.values())) for r in rows])
    if not rows:
        note("Nobody was erased.")


async def _found(database: Database, site: Site, person: str) -> str:
    """The ID of a person who is named by any of its IDs or its e-mail. NotFound, or a complaint, if there is none."""
    from app.reports.people import PeopleFilters, resolve
    from app.reports.people import people as find

    async with database.read() as connection:
        if "@" not in person:
            return await resolve(connection, site, person)
        found = (await find(connection, site, PeopleFilters(email=person)))["people"]
        if not found:
            fail(f"nobody is known by {person}.")
        return await resolve(connection, site, found[0]["id"])
