"""What credit is asked for: the words of the question, and the values of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import FromClause, Table

from app.attribution.rules import MODELS, Model, by_milestones
from app.errors import Unprocessable
from app.history import rows_then
from app.sites.properties import Condition, Property
from app.sites.weights import OwnModel

MILLION = 1_000_000
DIMENSIONS = ("channel", "source", "medium", "campaign", "term", "content", "landing_page", "referrer")
"""What credit can be grouped by."""

REASONS = ("no_contact", "before_tracking_began", "no_touch", "outside_lookback", "no_milestone", "after_milestone", "only_direct")
"""Why no touch earned a conversion, in the order in which they are tried."""


@dataclass(frozen=True)
class Question:
    """What credit is asked for. Times are microseconds; the interval is half-open and open-ended where None."""

    site_id: str
    kind: str
    currency: str
    """The site's: amounts in another currency are not credited until they can be converted."""
    lookback_seconds: int
    half_life_seconds: int
    exclude_direct: bool = False
    touches_until: Literal["close", "opportunity", "lead"] = "close"
    """Only touches at or before this milestone of the conversion take part."""
    own_models: tuple[OwnModel, ...] = ()
    """The models that the site names itself."""
    has_money: bool = True
    """Whether to split money at all: leads and goals have none."""
    worth: Literal["ledger", "creation", "open"] = "ledger"
    """What an opportunity is worth: as the ledger says, its deal's amount when it opened, or now if it is still open
    (`app.attribution.worth`)."""
    starts_at: int | None = None
    ends_at: int | None = None
    conversion: tuple[str, str] | None = None
    """(holder_id, fact_id), to ask about one conversion only."""
    conditions: tuple[Condition, ...] = ()
    """Which conversions are asked about, by what is known of them and theirs: all must hold (`counted`)."""
    grouped: tuple[Property, ...] = ()
    """The properties among what credit is grouped by."""
    as_of: int | None = None
    """The moment of which the answer is wanted, in microseconds; None: now."""
    until: int | None = None
    """Another moment to compare with, in microseconds: that of the tables named in `newer`, and of `stood`."""
    newer: frozenset[str] = frozenset()
    """Names of the tables whose rows are those of `until`."""
    stood: Literal["both", "then_only"] | None = None
    """Only conversions that the ledger holds at both moments, or at `as_of` only."""

    def rows(self, table: Table) -> FromClause:
        """The rows of a light derived table that stood at the moment asked about: every statement of a report reads it so.

        The same object for each call, so its columns may be named wherever the statement needs them.
        """
        if self.as_of is None:
            return table
        return rows_then(table, "until" if table.name in self.newer else "as_of")

    @property
    def models(self) -> dict[str, Model]:
        """The rule models that can be asked for by name: the built-in ones, then the site's own."""
        return {**MODELS, **{each.name: partial(by_milestones, **each.weights.permille) for each in self.own_models}}

    def model(self, name: str) -> Model:
        """The rule model of that name. Unprocessable, naming the others, if there is none."""
        if name not in self.models:
            raise Unprocessable(f"Unknown model {name[:64]!r}; allowed: {', '.join(self.models)}.")
        return self.models[name]

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the statements' bound parameters."""
        holder_id, fact_id = self.conversion or (None, None)
        every = {
            "site_id": self.site_id,
            "kind": self.kind,
            "currency": self.currency,
            "lookback": self.lookback_seconds * MILLION,
            "half_life": self.half_life_seconds * MILLION,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "holder_id": holder_id,
            "fact_id": fact_id,
            "as_of": self.as_of,
            "until": self.until,
        }
        return {name: value for name, value in every.items() if value is not None}
