"""Where the figures of a report come from: ready-made sums where these answer the question, journeys where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.attribution.credit import credit_by
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import Question
from app.attribution.sums import credit_by_from_sums, days_of, has_sums, ledger_from_sums, unsettled
from app.sites.site import Site


@dataclass(frozen=True)
class Source:
    """What answers one question, grouped in one way, within one snapshot."""

    question: Question
    by: Sequence[str]
    ledger: Sequence[RowMapping]
    """Rows as of `ledger_by_reason`: the same, wherever they come from."""
    days: dict[str, str] = field(default_factory=dict)
    """The days asked about, where sums answer for `models`."""
    models: frozenset[str] = frozenset()

    async def credit(self, connection: AsyncConnection, model: str) -> Sequence[RowMapping]:
        """Rows as of `credit_by`. A model without sums (one that was added since they were made) is computed from journeys."""
        if model not in self.models:
            rows = await connection.execute(credit_by(self.question, model, self.by), self.question.parameters)
        else:
            values = {**self.question.parameters, **self.days, "model": model}
            rows = await connection.execute(credit_by_from_sums(self.question, self.by), values)
        found: Sequence[RowMapping] = rows.mappings().all()
        return found


async def source_of(connection: AsyncConnection, site: Site, question: Question, by: Sequence[str]) -> Source:
    """The quickest source that answers the question."""
    days = days_of(question, site.settings.timezone) if has_sums(site, question, by) else None
    if days is not None and not await connection.scalar(unsettled(), {**question.parameters, **days}):
        ledger = (await connection.execute(ledger_from_sums(), {**question.parameters, **days})).mappings().all()
        if ledger:  # else nothing counts, which journeys tell as quickly; or nothing was ever summed
            summed = frozenset.intersection(*(frozenset(row["models"].split()) for row in ledger))
            return Source(question, by, ledger, days, summed)
    ledger = (await connection.execute(ledger_by_reason(question), question.parameters)).mappings().all()
    return Source(question, by, ledger)
