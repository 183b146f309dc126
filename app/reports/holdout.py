"""An experiment beside the credit of its channel: what showing it changed, and what each model says it earned."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports.as_of import site_then
from app.reports.attribution import attribution
from app.reports.conversions import check_channel
from app.reports.figures import as_csv
from app.reports.heading import heading
from app.reports.lift import CONFIDENCE, Estimate, Group, Lift, lift
from app.reports.parameters import AttributionFilters, Filters, Format, ModelName, QueryText
from app.reports.tables import counted
from app.sites.site import Site

Answer = dict[str, Any]

# Fisher's test takes the longer the more people there are, and the service does nothing else meanwhile: a second for these at worst.
_MOST_PEOPLE = 10**8
People = Annotated[int, Field(ge=1, le=_MOST_PEOPLE)]
Conversions = Annotated[int, Field(ge=0, le=_MOST_PEOPLE)]


class HoldoutFilters(Filters):
    """`GET /v1/reports/holdout`: the four counts of an experiment, and the credit to compare them with."""

    channel: QueryText = Field(max_length=200, description="The channel that the experiment was about.")
    shown_people: People = Field(description="People whom it was shown to.")
    shown_conversions: Conversions = Field(description="How many of them converted.")
    held_out_people: People = Field(description="People, chosen at random, whom it was kept from.")
    held_out_conversions: Conversions = Field(description="How many of them converted all the same.")
    model: ModelName = Field("all", description="Whose credit to compare it with; `all`: every one's.")
    format: Format = "json"

    @model_validator(mode="after")
    def _counts_are_possible(self) -> Self:
        for name in ("shown", "held_out"):
            people, conversions = getattr(self, f"{name}_people"), getattr(self, f"{name}_conversions")
            if conversions > people:
                most = f"{name}_conversions may be at most {name}_people ({people}), not {conversions}"
                raise ValueError(f"{most}: a person converts once or not at all")
        return self

    @property
    def groups(self) -> tuple[Group, Group]:
        """Those shown, and those held out."""
        return Group(self.shown_people, self.shown_conversions), Group(self.held_out_people, self.held_out_conversions)

    def of_credit(self) -> AttributionFilters:
        """The attribution report of the same conversions, by channel."""
        common = {name: getattr(self, name) for name in Filters.model_fields}
        return AttributionFilters.model_construct(**common, model=self.model, by="channel")


async def holdout(connection: AsyncConnection, site: Site, filters: HoldoutFilters, now: datetime) -> Answer:
    """The report. Unprocessable if there is no such conversion or channel."""
    site = await site_then(connection, site, filters.as_of, now)
    await check_channel(connection, filters.question(site), filters.channel)
    answer = await attribution(connection, site, filters.of_credit(), now)
    models: dict[str, Answer] = answer.get("models", {filters.model: answer})
    # In a thread: the statistics take seconds to import, and whoever sends events must not wait for that.
    found = await asyncio.to_thread(lift, *filters.groups)
    any_answer = next(iter(models.values()))
    return {
        **heading(site, filters, channel=filters.channel, model=filters.model),
        "shown": _group(filters.shown_people, filters.shown_conversions, found.shown),
        "held_out": _group(filters.held_out_people, filters.held_out_conversions, found.held_out),
        "confidence": CONFIDENCE,
        "absolute_lift": _rounded(found.absolute, 9),
        "relative_lift": found.relative and _rounded(found.relative, 6),
        "p_value": float(f"{found.p_value:.4g}"),
        "incremental_conversions": _rounded(found.incremental, 3),
        "rows": [_row(model, _credited(each, filters.channel), found.incremental) for model, each in models.items()],
        "in_words": _in_words(filters, found),
        "warnings": list(_warnings(filters, found, any_answer["totals"]["conversions"])),
        **{name: any_answer[name] for name in ("as_of", "computed_through", "rebuilding")},
    }


def as_table(answer: Answer) -> str:
    """The rows as CSV: each model's credit beside what the experiment says."""
    found = answer["incremental_conversions"]
    header = ["model", "credited", "compared", "incremental", "low", "high"]
    figures = [found[name] for name in ("value", "low", "high")]
    return as_csv(header, ([row["model"], counted(row["credited"]), row["compared"], *figures] for row in answer["rows"]))


def _group(people: int, conversions: int, found: Estimate) -> Answer:
    return {"people": people, "conversions": conversions, "rate": _rounded(found, 9)}


def _rounded(found: Estimate, places: int) -> Answer:
    return {"value": round(found.value, places), "low": round(found.low, places), "high": round(found.high, places)}


def _credited(report: Answer, channel: str) -> float:
    return next((row["conversions"] for row in report["rows"] if row["channel"] == channel), 0)


def _row(model: str, credited: float, found: Estimate) -> Answer:
    compared = found.compared(credited)
    more = {"above": "more than the experiment allows", "below": "less than the experiment allows", "within": "in line with it"}
    words = f"{model} credits {_count(credited)}; the experiment says {_count(found.low)} to {_count(found.high)}: {more[compared]}."
    return {"model": model, "credited": credited, "compared": compared, "in_words": words}


# ---------------------------------------------------------------- in words


def _count(conversions: float) -> str:
    """Whole from ten on, where a decimal would promise too much."""
    text = f"{Decimal(str(conversions)):.{0 if abs(conversions) >= 10 else 1}f}"
    whole = text.removesuffix(".0")
    return "0" if whole == "-0" else whole


def _in_words(filters: HoldoutFilters, found: Lift) -> str:
    shown, held_out, more = found.shown.value, found.held_out.value, found.incremental
    return (
        f"{shown:.3%} of those shown {filters.channel} converted, and {held_out:.3%} of those held out. Among the {filters.shown_people:,} "
        f"shown it made {_count(more.value)} conversions that would not have been, between {_count(more.low)} and {_count(more.high)} "
        f"at {CONFIDENCE:.0%} confidence."
    )


def _warnings(filters: HoldoutFilters, found: Lift, conversions: float) -> Iterator[str]:
    if found.is_small:
        yield "The groups are too small: in one of them fewer than five conversions, or fewer than five others, are to be expected."
    if found.absolute.low <= 0 <= found.absolute.high:
        yield f"The interval holds zero: this experiment does not show that {filters.channel} makes any conversion."
    if found.absolute.high < 0:
        yield f"The interval lies below zero: people converted less often where {filters.channel} was shown."
    if found.relative is None:
        yield "A group without a conversion has no relative lift."
    if filters.shown_conversions + filters.held_out_conversions > conversions:
        yield (
            f"The experiment counts {filters.shown_conversions + filters.held_out_conversions:,} conversions, and this site only "
            f"{_count(conversions)} of {filters.conversion} in the interval: `from`, `to` or `conversion` are not those of the experiment."
        )
