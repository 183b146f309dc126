"""rebuild, check."""

from __future__ import annotations

import asyncio

import typer

from app import pipeline
from app.commands.running import now, opened, run, site_of
from app.commands.terminal import note, print_rows, progress_bar, say
from app.db import Database


def rebuild_site(site_id: str) -> None:
    """`closedloop rebuild`."""

    async def rebuild() -> None:
        async with opened() as database:
            await site_of(database, site_id)
            await pipeline.start_rebuild(database, site_id, now())
            if await pipeline.is_worker_running(database, site_id):
                note("A worker is running: it rebuilds, and this command only watches.")
                await _watch(database, site_id)
                return
            watching = asyncio.create_task(_watch(database, site_id))
            try:
                await pipeline.run_until_idle(database, site_id)
                await watching
            finally:
                watching.cancel()

    run(rebuild())
    say("Rebuilt.")


async def _watch(database: Database, site_id: str) -> None:
    with progress_bar() as progress:
        bar = progress.add_task("Rebuilding", total=None)
        while under_way := await pipeline.rebuild_progress(database, site_id):
            total, left = under_way["keys_total"], under_way["keys_left"]
            progress.update(bar, description=f"Rebuilding {under_way['stage']}", total=total, completed=total - left)
            await asyncio.sleep(0.2)
        progress.update(bar, description="Rebuilt", total=1, completed=1)


def check_site(site_id: str) -> None:
    """`closedloop check`."""

    async def check() -> list[pipeline.Difference]:
        async with opened() as database:
            site = await site_of(database, site_id)
            if under_way := await pipeline.rebuild_progress(database, site_id):
                note(f"A rebuild is under way, in stage {under_way['stage']}: what it has yet to reach may differ. Check again after it.")
            with progress_bar() as progress:
                bars = {stage.name: progress.add_task(f"Checking {stage.name}", total=None, visible=False) for stage in pipeline.STAGES}
                return await pipeline.check(database, site, lambda stage, keys: progress.update(bars[stage], advance=keys, visible=True))

    differences = run(check())
    if not differences:
        say("Everything stored is what the log gives.")
        return
    print_rows(("stage", "table", "rows that differ"), [(each.stage, each.table, each.rows) for each in differences])
    note("`closedloop rebuild` computes it anew.")
    raise typer.Exit(1)
