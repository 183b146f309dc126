"""A year's attribution report from ready-made sums, beside the same report from journeys, on both databases.

Conversions and their journeys are made in SQL: spread over a year and 500 origins, three touches each.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from app.db import Database
from app.pipeline import run_until_idle, start_rebuild
from app.reports.attribution import attribution
from app.reports.parameters import AttributionFilters
from app.settings import Settings
from app.sites.authorisation import ensure_first_site
from app.sites.site import load_site
from app.tables import to_micros
from tests.bench.load import BEGINNING, SITE
from tests.bench.stitching import fresh_databases, vacuum

_YEAR = {"from": "2026-01-01", "to": "2027-01-01"}
_ODD_YEAR = {"from": "2026-01-15", "to": "2027-01-15"}
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < :most - 1) "
_AT = "(CAST(:began AS BIGINT) + (n * 7919 % 365) * 86400000000 + n % 80000 * 1000000)"
"""When conversion `n` is: any of a year's days."""
_STATEMENTS = (
    "INSERT INTO origins (site_id, origin_id) SELECT :site, 'origin-' || n FROM numbers WHERE n < 500",
    (
        "INSERT INTO origin_labels (site_id, origin_id, channel, rule, source, medium, campaign, term, content, referrer, is_ignored, run_id) "
        "SELECT :site, 'origin-' || n, 'Channel ' || n % 12, '', 'source ' || n % 60, '', 'campaign ' || n, '', '', '', false, 1 "
        "FROM numbers WHERE n < 500"
    ),
    (
        "INSERT INTO conversions (site_id, kind, holder_id, fact_id, person_id, occurred_at, currency, has_people, run_id) "
        f"SELECT :site, 'customer', 'generic', 'd' || n, '', {_AT}, 'USD', true, 1 FROM numbers"
    ),
    (
        "INSERT INTO ledger_entries (site_id, kind, holder_id, fact_id, entry, counted_at, counted_on, occurred_at, counts, before_minor, "
        "after_minor, run_id) "
        "SELECT site_id, kind, holder_id, fact_id, 0, occurred_at, (SELECT day FROM local_days WHERE local_days.site_id = :site "
        "AND starts_at <= occurred_at ORDER BY starts_at DESC LIMIT 1), occurred_at, 1, 0, 123456, 1 FROM conversions"
    ),
    (
        "INSERT INTO journeys (site_id, kind, holder_id, fact_id, first_touched_at, touches_left_out, run_id) "
        "SELECT site_id, kind, holder_id, fact_id, occurred_at - 20 * 86400000000, 0, 1 FROM conversions"
    ),
    (
        "INSERT INTO journey_touches (site_id, kind, holder_id, fact_id, touch_visitor_id, touch_event_id, position, occurred_at, origin_id, "
        f"is_reported, run_id) SELECT :site, 'customer', 'generic', 'd' || n, 'v' || n, 'e' || place, place, {_AT} - (23 - place) * 86400000000, "
        "'origin-' || (n * 31 + place * 977 + n / 500) % 500, false, 1 FROM numbers "
        "CROSS JOIN (SELECT 1 AS place UNION ALL SELECT 2 UNION ALL SELECT 3) AS places"
    ),
)


async def fill(database: Database, conversions: int) -> None:
    """Write conversions with their ledger and journeys, as the pipeline would have."""
    values = {"site": SITE, "most": max(conversions, 500), "began": to_micros(BEGINNING)}
    async with database.write() as connection:
        for statement in _STATEMENTS:
            used = {name: value for name, value in values.items() if f":{name}" in statement or name == "most"}
            numbered = _with_numbers(statement)
            await connection.execute(text(numbered), used if numbered != statement else {k: v for k, v in used.items() if k != "most"})


def _with_numbers(statement: str) -> str:
    """The statement with the numbers ahead of its SELECT, where it takes from them."""
    return statement.replace(" SELECT ", f" {_NUMBERS} SELECT ", 1) if "FROM numbers" in statement else statement


async def milliseconds(database: Database, **asked: Any) -> float:
    """Of a report: the median of five."""
    filters = AttributionFilters.model_validate({"conversion": "customer", "by": "campaign", **asked})
    taken = []
    for _ in range(5):
        async with database.read() as connection:
            site = await load_site(connection, SITE)
            began = time.perf_counter()
            await attribution(connection, site, filters, datetime.now(UTC))
            taken.append((time.perf_counter() - began) * 1_000)
    return statistics.median(taken)


async def measure(url: str, conversions: int) -> None:
    """Print how long the sums took to make, what one more conversion costs, and how long reports take."""
    database = Database(url)
    await ensure_first_site(database, Settings(_env_file=None, database_url=url), datetime.now(UTC))
    await fill(database, conversions)
    if not database.is_sqlite:
        await vacuum(database)
    began = time.perf_counter()
    await start_rebuild(database, SITE, datetime.now(UTC), "sums")
    await run_until_idle(database, SITE)
    made = time.perf_counter() - began
    if not database.is_sqlite:
        await vacuum(database)
    began = time.perf_counter()
    async with database.write() as connection:
        queued = "INSERT INTO sums_queue (site_id, kind, day, received_at) VALUES (:site, 'customer', '2026-03-01', 1)"
        await connection.execute(text(queued), {"site": SITE})
    await run_until_idle(database, SITE)
    day = time.perf_counter() - began
    year, odd = [await milliseconds(database, **days) for days in (_YEAR, _ODD_YEAR)]
    journeys = await milliseconds(database, **_YEAR, lookback_days=364)
    print(
        f"{database.url.get_backend_name():10} {conversions:>9,} conversions: sums made in {made:.1f} s, one day in {day * 1_000:,.0f} ms; "
        f"a year's report {year:,.0f} ms, from the 15th to the 15th {odd:,.0f} ms; from journeys {journeys:,.0f} ms ({journeys / year:,.0f} x)",
        flush=True,
    )
    await database.dispose()


def main(conversions: int, kinds: list[str]) -> None:
    """Measure on each database."""
    for kind in kinds:
        with fresh_databases() as urls:
            asyncio.run(measure(urls[kind], conversions))


if __name__ == "__main__":
    sizes = [int(float(argument)) for argument in sys.argv[1:] if argument[0].isdigit()]
    main((sizes or [50_000])[0], [argument for argument in sys.argv[1:] if not argument[0].isdigit()] or ["sqlite", "postgresql"])
