"""Visits that say no more than which host they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from sqlalchemy import RowMapping, and_, bindparam

from app import tables
from app.reports.doctor.findings import EXAMPLES, MOST_NAMES
from app.reports.doctor.queries import is_untagged

CAME_FROM_HOSTS = and_(is_untagged(), tables.origins.c.referring_host.in_(bindparam("hosts", expanding=True)))
"""Of an origin: an untagged referral from one of `:hosts`."""


def untagged(rows: Iterable[RowMapping]) -> Iterator[RowMapping]:
    """Rows of `arrivals_by_origin` that say no more than their referrer."""
    for row in rows:
        if row["referring_host"] and not (row["source"] or row["medium"] or row["campaign"] or row["click_id_kind"]):
            yield row


def touches_by(rows: Iterable[RowMapping], column: str) -> Counter[str]:
    """Touches by what stands in a column."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row[column]] += row["touches"]
    return found


def hosts_shown(touches: Counter[str]) -> list[dict[str, object]]:
    """The first few hosts, as examples."""
    return [{"host": host, "touches": number} for host, number in touches.most_common(EXAMPLES)]


def from_hosts(hosts: Iterable[str]) -> dict[str, list[str]]:
    """The parameter of `CAME_FROM_HOSTS`."""
    return {"hosts": list(hosts)[:MOST_NAMES]}
