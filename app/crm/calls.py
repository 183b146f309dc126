"""What every call to a CRM needs, how long to wait after one that failed, and who is left in peace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.crm import queries
from app.crm.api import Denied, Failed, Missing, Throttled
from app.crm.facts import facts_of
from app.crm.messages import Said
from app.crm.providers import Provider, Read
from app.crm.registry import PROVIDERS
from app.db import Database, replace_rows
from app.ids import digest_64
from app.log import Log
from app.settings import Settings
from app.sites.connections import Connection
from app.sites.directory import Directory

LEASE = timedelta(minutes=3)
"""For how long what is asked for is nobody else's. After a crash it is asked for again when that is over."""
PATIENCE_SECONDS = 120.0
"""How long one step of calls may take: well within its lease."""
_FIRST_SECONDS, _LONGEST_SECONDS = 10.0, 3600.0
_LONGEST_OUTAGE_SECONDS = 600.0
"""A CRM that is down is asked at least this often, so that its return is seen."""
DENIED_FOR = timedelta(hours=1)
"""A permission may be given in the CRM without a word to us."""
EVERYTHING = ""
"""The kind of a pause that holds for every call."""


@dataclass(frozen=True)
class Calls:
    """How calls are made, and where what they answer goes."""

    database: Database
    log: Log
    directory: Directory
    allow_private: bool = False
    poll_every: timedelta = timedelta(minutes=10)
    seconds: float = 30.0
    """How long to wait for the next part of an answer."""
    providers: Mapping[str, Provider] = field(default_factory=lambda: PROVIDERS)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def configured(cls, database: Database, log: Log, directory: Directory, settings: Settings) -> Calls:
        """As the process's settings say."""
        every = timedelta(minutes=settings.poll_minutes)
        return cls(database, log, directory, allow_private=settings.allow_private_addresses, poll_every=every)

    async def store(self, sender: Connection, said: tuple[Said, ...]) -> int:
        """Store what a CRM answered: how much of it is new. On disk when it returns; Unavailable if that cannot be."""
        site = await self.directory.site(sender.site_id)
        facts, quarantined = facts_of(site, sender, Read(said=said), tables.to_micros(self.clock()))
        return sum(bool(outcome) for outcome in await self.log.append(facts, quarantined=quarantined))


def here(sender: Connection) -> dict[str, Any]:
    """The parameters of every statement of `app.crm.queries`."""
    return {"of_site": sender.site_id, "of_connection": sender.connection_id}


def seconds_to_wait(tries: int, name: str) -> float:
    """After so many failures in a row: 10 s, doubled with each, at most an hour; a quarter more or less by what it is of.

    The same for the same name and number: so nothing is tried in step with everything else, and a test knows when.
    """
    jitter = 0.75 + (digest_64(name, str(tries)) % 1000) / 2000
    return min(_FIRST_SECONDS * 2.0 ** min(tries, 20), _LONGEST_SECONDS) * jitter


def is_outage(error: BaseException) -> bool:
    """Whether the CRM as a whole is at fault, so that another question would fare no better."""
    return isinstance(error, TimeoutError) or (isinstance(error, Failed) and error.is_outage)


def in_words(error: BaseException) -> str:
    """Why a call failed. What is not one of the four failures is not quoted: it may hold what the CRM said."""
    if isinstance(error, Throttled | Failed | Denied | Missing):
        return error.reason
    if isinstance(error, TimeoutError):
        return "it took too long"
    return f"the answer could not be understood ({type(error).__name__})"


async def pause_after(connection: AsyncConnection, sender: Connection, kind: str, error: BaseException, now: datetime) -> None:
    """Make no calls for a while where the failure tells so: all of the connection's, or fetches of `kind` where only those are denied."""
    if isinstance(error, Throttled):
        await _pause(connection, sender, EVERYTHING, now + timedelta(seconds=error.seconds), 0, error, now)
    elif isinstance(error, Denied):
        await _pause(connection, sender, EVERYTHING if error.is_token else kind, now + DENIED_FOR, 0, error, now)
    elif is_outage(error):
        pauses = {row.kind: row.tries for row in await connection.execute(queries.pauses_of_connection(), here(sender))}
        tries = pauses.get(EVERYTHING, 0)
        seconds = min(seconds_to_wait(tries, sender.connection_id), _LONGEST_OUTAGE_SECONDS)
        await _pause(connection, sender, EVERYTHING, now + timedelta(seconds=seconds), tries + 1, error, now)


async def _pause(
    connection: AsyncConnection, sender: Connection, kind: str, until: datetime, tries: int, error: BaseException, now: datetime
) -> None:
    row = {"site_id": sender.site_id, "connection_id": sender.connection_id, "kind": kind, "paused_until": until}
    why = {"tries": tries, "reason": in_words(error), "paused_at": now}
    await connection.execute(replace_rows(connection.dialect.name == "sqlite", tables.crm_pauses), {**row, **why})


async def end_pauses(connection: AsyncConnection, sender: Connection, *kinds: str) -> None:
    """A call went through: the CRM is up, and lets us in."""
    await connection.execute(queries.end_pauses(), {**here(sender), "kinds": [EVERYTHING, *kinds]})
