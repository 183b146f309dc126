"""Running the stages: until nothing is queued, or until told to stop."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from app.db import Database
from app.locks import holding
from app.log.failures import in_words
from app.pipeline.batches import SettingsChanged, Worker, run_stage
from app.pipeline.rebuild import rebuild_chunk
from app.pipeline.stages import STAGES
from app.queue import is_anything_queued
from app.sites.site import Site, load_sites

_IDLE_SECONDS = 0.25

log = structlog.get_logger(__name__)


async def run_once(worker: Worker, site: Site) -> int:
    """One batch of each stage, in order, then one chunk of a rebuild. Answers how much was done."""
    done, has_backlog = 0, False
    try:
        for stage in STAGES:
            if has_backlog and stage.waits_for_backlog:
                continue
            most = worker.batch_of(stage)
            taken = await run_stage(worker, stage, site)
            has_backlog |= taken >= most
            done += taken
        return done + await rebuild_chunk(worker, site)
    except SettingsChanged:
        return done + 1


async def run_until_idle(database: Database, site_id: str | None = None) -> None:
    """Run every site (or one) until no queue holds a row and no rebuild is under way.

    RuntimeError if another worker holds a site's lock.
    """
    async with database.worker() as connection:
        with holding(database) as locks:
            worker = Worker(database, connection, locks)
            for site in await _sites(database, site_id):
                if not await locks.take(connection, site.site_id):
                    raise RuntimeError(f"another worker is at work on site {site.site_id!r}")
                await _run_site(worker, site.site_id)


async def _run_site(worker: Worker, site_id: str) -> None:
    """Run one site until it is idle, with the settings in force at each round."""
    done = 1
    while done:
        (site,) = await _sites(worker.database, site_id)
        done = await run_once(worker, site)


async def run_worker(database: Database, stop: asyncio.Event) -> None:
    """Run every site whose lock can be had, until told to stop. Failures of the database are waited out."""
    wait = _IDLE_SECONDS
    while not stop.is_set():
        try:
            await _work(database, stop)
        except Exception as error:  # noqa: BLE001  whatever it was, the worker must come back
            log.warning("worker starts over", error=in_words(error), wait_seconds=wait)
            await _sleep(stop, wait)
            wait = min(wait * 2, 10.0)
        else:
            wait = _IDLE_SECONDS


async def _work(database: Database, stop: asyncio.Event) -> None:
    async with database.worker() as connection:
        with holding(database) as locks:
            worker = Worker(database, connection, locks)
            while not stop.is_set():
                done = 0
                for site in await _sites(database, None):
                    if await locks.take(connection, site.site_id) and await _is_anything_queued(database, site):
                        done += await run_once(worker, site)
                    if stop.is_set():
                        break
                if not done:
                    await _sleep(stop, _IDLE_SECONDS)


async def _is_anything_queued(database: Database, site: Site) -> bool:
    """Whether there is work at all: one statement where a round of every stage takes dozens, four times a second."""
    async with database.read() as connection:
        return bool(await connection.scalar(is_anything_queued(), {"site_id": site.site_id}))


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _sites(database: Database, site_id: str | None) -> list[Site]:
    async with database.read() as connection:
        sites = await load_sites(connection)
    return [site for site in sites if site_id in (None, site.site_id)]


async def is_worker_running(database: Database, site_id: str) -> bool:
    """Whether some worker holds the site's lock."""
    async with database.worker() as connection:
        with holding(database) as locks:
            return not await locks.take(connection, site_id)
