"""The SQL of credit as both databases get it, so that a review shows it. Rewrite with `pytest --snapshot-update`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import postgresql, sqlite
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from app.attribution.arithmetic import arithmetic_of_touches
from app.attribution.credit import credit_by
from app.attribution.daily import credit_of_days, ledger_of_days
from app.attribution.ledger import ledger_by_reason
from app.attribution.observed_queries import converting_journeys, non_converting_journeys
from app.attribution.rules import MODELS
from app.attribution.sums import credit_by_from_sums, ledger_from_sums
from app.sites.properties import CUSTOMER, Condition, Property
from tests.attribution.ledgers import DAY, NOON, question

SOME = (Property("country", "person", "Land"), Property("industry", "company", "Branch"), Property("product", "deal", "Plan"))
INTERVAL = question(starts_at=NOON, ends_at=NOON + DAY)
STATEMENTS = {
    "credit_by_channel_time_decay": credit_by(INTERVAL, "time_decay", ["channel"]),
    "credit_by_landing_page_last_non_direct": credit_by(question(exclude_direct=True), "last_non_direct", ["landing_page", "campaign"]),
    "arithmetic_of_touches_position_based": arithmetic_of_touches(question(conversion=("generic", "d1"), has_money=False), "position_based"),
    "credit_by_properties_first_touch": credit_by(question(grouped=SOME), "first_touch", ["channel", *(each.name for each in SOME)]),
    "credit_by_channel_full_path": credit_by(question(touches_until="opportunity"), "full_path", ["channel"]),
    "ledger_by_reason": ledger_by_reason(INTERVAL),
    "converting_journeys": converting_journeys(INTERVAL, "channel"),
    "non_converting_journeys": non_converting_journeys(INTERVAL, "campaign"),
    "ledger_by_reason_until_lead": ledger_by_reason(question(touches_until="lead", exclude_direct=True)),
    "ledger_by_reason_of_new_customers": ledger_by_reason(question(conditions=(Condition(CUSTOMER, ("new",)),))),
    "credit_of_days": credit_of_days(question(), {name: MODELS[name] for name in ("linear", "last_non_direct")}),
    "ledger_of_days": ledger_of_days(question(), ["linear"]),
    "credit_by_from_sums": credit_by_from_sums(question(), ["channel"]),
    "ledger_from_sums": ledger_from_sums(),
}
DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]
    "postgresql": postgresql.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]
}


class SqlFiles(SingleFileSnapshotExtension):
    """One `.sql` file a statement and database, under tests/snapshots/attribution/test_sql."""

    file_extension = "sql"
    _write_mode = WriteMode.TEXT

    @classmethod
    def dirname(cls, *, test_location: Any) -> str:
        return str(Path(test_location.filepath).parents[1] / "snapshots" / "attribution" / test_location.basename)


def text_of(statement: Select[Any], dialect: Dialect) -> str:
    """The statement with its constants written out; what each question brings stays `:named`."""
    compiled = statement.compile(dialect=dialect)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    written = re.sub(r":(\w+)", lambda found: repr(constants[found[1]]) if found[1] in constants else found[0], str(compiled))
    return re.sub(r" (FROM|WHERE|GROUP BY|HAVING|ORDER BY|LEFT OUTER JOIN|JOIN) ", r"\n\1 ", written).replace(" \n", "\n") + "\n"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_sql(name: str, dialect: str, snapshot: SnapshotAssertion) -> None:
    assert text_of(STATEMENTS[name], DIALECTS[dialect]) == snapshot(extension_class=SqlFiles)
