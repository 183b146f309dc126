"""closedloop quarantine: what could not be understood or stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.terminal import fail, note, print_rows, say

if TYPE_CHECKING:
    from app.collect.quarantine import QuarantinedItem, Replayed

quarantine = typer.Typer(help="What could not be understood: look at it, try it again, throw it away.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
_EVERYTHING = 1_000_000
_SHOWN_OF_REASON = 100


@quarantine.command("list")
def list_quarantine(site: SiteOption = "default", limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50) -> None:
    """List what is set aside and why, the newest first."""
    rows = _load(site, limit)
    print_rows(
        ("id", "received_at", "door", "reason"), [(each.id, each.received_at, each.door, each.reason[:_SHOWN_OF_REASON]) for each in rows]
    )


@quarantine.command("show")
def show_quarantined(
    quarantine_id: Annotated[str, typer.Argument(help="The ID, as `quarantine list` shows it.", show_default=False)],
    site: SiteOption = "default",
) -> None:
    """Show one entry as it came."""
    found = next((row for row in _load(site, _EVERYTHING) if row.id == quarantine_id), None)
    if found is None:
        fail(f"the quarantine of {site} holds no {quarantine_id}.")
    note(f"{found.received_at} {found.door}: {found.reason}")
    say(found.body)


@quarantine.command("replay")
def replay_quarantined(
    quarantine_ids: Annotated[list[str] | None, typer.Argument(help="Only these; else everything.", show_default=False)] = None,
    site: SiteOption = "default",
) -> None:
    """Try again what is set aside; what is stored now leaves the quarantine. It keeps the time at which it came in."""
    # Each door registers who reads again what came in through it.
    import app.collect.endpoints
    import app.crm.endpoints  # noqa: F401
    from app.collect import quarantine
    from app.commands.running import opened, run, site_of
    from app.log import Log

    async def replay() -> Replayed:
        async with opened() as database:
            owner, log = await site_of(database, site), Log(database)
            await log.start()
            try:
                return await quarantine.replay(database, log, owner, quarantine_ids or None)
            finally:
                await log.stop()

    replayed = run(replay())
    say(f"{replayed.stored} stored, {replayed.duplicates} were stored already, {len(replayed.refused)} still refused.")
    if replayed.refused:
        print_rows(("id", "reason"), [(each.id, each.reason) for each in replayed.refused])
        raise typer.Exit(1)


@quarantine.command("purge")
def purge_quarantine(
    days: Annotated[int | None, typer.Option(min=0, help="Throw away what is older; CLOSEDLOOP_QUARANTINE_DAYS if not said.")] = None,
) -> None:
    """Throw away what is too old or too much, of every site. The service does so by itself."""
    from app.collect import quarantine
    from app.commands.running import now, opened, run
    from app.settings import settings

    async def purge() -> None:
        kept = settings().quarantine_days if days is None else days
        async with opened() as database:
            await quarantine.purge(database, now(), days=kept, cap=settings().quarantine_cap)

    run(purge())
    say("Purged.")


def _load(site: str, limit: int) -> list[QuarantinedItem]:
    from app.collect.quarantine import listed
    from app.commands.running import opened, run, site_of

    async def load() -> list[QuarantinedItem]:
        async with opened() as database:
            await site_of(database, site)
            return await listed(database, site, limit)

    return run(load())
