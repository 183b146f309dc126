"""What a check looks at, and what it answers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from urllib.parse import quote

from pydantic import ValidationError
from sqlalchemy import Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.question import Question
from app.reports.doctor.affected import Condition, conversions_affected
from app.reports.figures import Figures
from app.sites.site import Site

Severity = Literal["error", "warning", "advice"]
"""`error`: figures are wrong, or facts are lost; `warning`: they probably are; `advice`: they could tell more."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")
EXAMPLES = 5
"""Most examples that a finding shows, of each kind."""
MOST_NAMES = 5_000
"""Most hosts, pages or names that one finding is about: a statement takes no more than some thousand parameters."""


@dataclass(frozen=True)
class Affected:
    """The conversions that a finding concerns, each whole and once, and the first few of them by money."""

    figures: Figures = field(default_factory=Figures)
    such_as: tuple[tuple[str, str, str], ...] = ()
    """(kind, holder_id, fact_id)."""


@dataclass(frozen=True)
class Change:
    """What to change: a sentence, and the settings of ours that do it, where there are any."""

    advice: str
    settings: Mapping[str, Any] | None = None
    """A merge patch of the site's settings."""
    command: str | None = None
    """Another command of ours than the one that changes settings."""

    def as_dict(self, site: Site) -> dict[str, Any]:
        """`advice`, `command` and `request`; the latter two are null where nothing of ours does it, or the site's settings would
        not take it (a host name that is none)."""
        patch = None if self.settings is None or not _is_allowed(site, self.settings) else dict(self.settings)
        request = None if patch is None else {"method": "PATCH", "path": f"/v1/sites/{quote(site.site_id, safe='')}", "body": patch}
        return {"advice": self.advice, "command": self.command or _command(site, patch), "request": request}


def _is_allowed(site: Site, patch: Mapping[str, Any]) -> bool:
    """Whether the site's settings take the change, and differ after it."""
    try:
        return site.settings.changed(dict(patch)) != site.settings
    except ValidationError:
        return False


def _command(site: Site, patch: Mapping[str, Any] | None) -> str | None:
    if patch is None:
        return None
    values = (f"--set {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in patch.items())
    return " ".join(["closedloop sites change", shlex.quote(site.site_id), *values])


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    severity: Severity
    seen: str
    """One sentence."""
    change: Change
    affected: Affected | None = None
    """None: it cannot be told (nobody knows what was refused at the door)."""
    examples: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class NotEnoughData:
    """A check that cannot say anything, and why."""

    why: str


Outcome = Finding | NotEnoughData | None
"""None: all is well."""


@dataclass(frozen=True)
class Reading:
    """One site at one moment: what is asked, and what several checks look at."""

    connection: AsyncConnection
    site: Site
    question: Question
    money: str | None
    """What the money of the conversions is called; None: they have none."""
    now: int
    """Microseconds."""
    today: date
    """In the site's zone."""
    tomorrow_at: int
    """When the day after it begins, in microseconds."""
    arrivals: Sequence[RowMapping] = ()
    """Rows of `arrivals_by_origin`."""
    hosts: Sequence[RowMapping] = ()
    """Rows of `views_of_hosts_and_pages`: the hosts."""
    regular_pages: Sequence[RowMapping] = ()
    """Rows of `views_of_hosts_and_pages`: the pages with regular traffic."""
    connections_heard: Sequence[RowMapping] = ()
    """Rows of `facts_by_connection`."""
    totals: Mapping[str, Any] = field(default_factory=dict)
    """What counts, credited and not, as the attribution report has it."""

    async def rows(self, statement: Executable, **parameters: Any) -> Sequence[RowMapping]:
        """A statement's rows; it may name the parameters of the question and `now`."""
        found = await self.connection.execute(statement, {**self.question.parameters, "now": self.now, **parameters})
        return found.mappings().all()

    async def affected(
        self, condition: Condition, parameters: Mapping[str, Any] | None = None, *, question: Question | None = None
    ) -> Affected:
        """The conversions of the question (another one, if given) that meet a condition, which may need parameters of its own."""
        asked = question or self.question
        values = {**asked.parameters, "now": self.now, **(parameters or {})}
        rows = (await self.connection.execute(conversions_affected(asked, condition, limit=EXAMPLES), values)).mappings().all()
        if not rows:
            return Affected()
        such_as = tuple((asked.kind, row["holder_id"], row["fact_id"]) for row in rows)
        return Affected(Figures(rows[0]["all_millionths"], rows[0]["all_minor"]), such_as)


@dataclass(frozen=True)
class Check:
    """One thing that the doctor looks for."""

    code: str
    """Stable: programs go by it."""
    looks_for: str
    look: Callable[[Reading], Awaitable[Outcome]]


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b and c`, `a, b, c and 4 more`: names for a sentence, in the order given."""
    shown, more = list(names[:most]), len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 visit`, `1,200 visits`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def verb(number: int, one: str, many: str) -> str:
    """The form of a verb that goes with a number."""
    return one if number == 1 else many


def percent(part: int, whole: int) -> str:
    """A share in words: `12.5 %`."""
    return f"{100 * part / whole:.1f} %"
