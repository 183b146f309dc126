"""One task that finds what there is to tell, and sends it; several processes may do so at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import structlog

from app.log.failures import in_words
from app.notices import queries
from app.notices.delivery import Notifier, deliver
from app.notices.finding import find_notices
from app.notices.receivers import Receiver, read_receiver

_IDLE_SECONDS = 1.0
_BETWEEN_FINDS = timedelta(seconds=5)
_BETWEEN_PURGES = timedelta(hours=1)
KEPT_FOR = timedelta(days=30)
_LONGEST_WAIT_SECONDS = 10.0
_MOST_AT_ONCE = 4

log = structlog.get_logger(__name__)


async def run_notices(notifier: Notifier, stop: asyncio.Event) -> None:
    """Tell all endpoints, until told to stop. Failures of the database are waited out; what is under way then is given back."""
    found_at = purged_at = datetime.min.replace(tzinfo=notifier.clock().tzinfo)
    at_work: dict[tuple[str, str], asyncio.Task[None]] = {}
    stopped = asyncio.create_task(stop.wait(), name="notices stop")
    wait = _IDLE_SECONDS
    try:
        while not stop.is_set():
            now = notifier.clock()
            try:
                if now - found_at >= _BETWEEN_FINDS:
                    found_at = now
                    await find_notices(notifier.database, now)
                if now - purged_at >= _BETWEEN_PURGES:
                    purged_at = now
                    await forget_old(notifier, now)
                for receiver in await _due(notifier):
                    key = (receiver.site_id, receiver.endpoint_id)
                    if len(at_work) < _MOST_AT_ONCE and key not in at_work:
                        at_work[key] = asyncio.create_task(_patiently(notifier, receiver), name=f"notices {receiver.endpoint_id}")
                wait = _IDLE_SECONDS
            except Exception as error:  # noqa: BLE001  whatever it was, the loop must come back
                log.warning("notices start over", error=in_words(error), wait_seconds=wait)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
            await asyncio.wait({stopped, *at_work.values()}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for name in [name for name, task in at_work.items() if task.done()]:
                del at_work[name]
    finally:
        for task in (stopped, *at_work.values()):
            task.cancel()
        await asyncio.gather(stopped, *at_work.values(), return_exceptions=True)


async def _due(notifier: Notifier) -> list[Receiver]:
    async with notifier.database.read() as connection:
        rows = await connection.execute(queries.receivers_to_call(), {"now": notifier.clock()})
        return [read_receiver(row) for row in rows]


async def _patiently(notifier: Notifier, receiver: Receiver) -> None:
    """Send some; rest where nothing came of it, so that the database is not asked without pause for nothing."""
    try:
        rest = 0.0 if await deliver(notifier, receiver) else _IDLE_SECONDS
    except Exception as error:  # noqa: BLE001  whatever it was, others must not suffer
        log.warning("an endpoint could not be told", endpoint=receiver.endpoint_id, error=in_words(error))
        rest = _LONGEST_WAIT_SECONDS
    await asyncio.sleep(rest)


async def deliver_due(notifier: Notifier) -> int:
    """Find what there is to tell, and send what is due, once. How many were tried."""
    await find_notices(notifier.database, notifier.clock())
    return sum([await deliver(notifier, receiver) for receiver in await _due(notifier)])


async def forget_old(notifier: Notifier, now: datetime) -> int:
    """Forget what was taken or given up 30 days ago. How much that was."""
    async with notifier.database.write() as connection:
        return (await connection.execute(queries.old_notices(), {"before": now - KEPT_FOR})).rowcount


@contextlib.asynccontextmanager
async def notifying(notifier: Notifier) -> AsyncIterator[None]:
    """Tells all endpoints while the block runs."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_notices(notifier, stop), name="notices")
    try:
        yield
    finally:
        stop.set()
        await task
