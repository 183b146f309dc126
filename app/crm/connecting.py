"""Connecting a CRM by its token alone: which of its stages mean what, and what that would make of its deals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.crm.messages import Said
from app.crm.providers import Client, Pipeline, Provider, Stage
from app.sites.connections import Connection, ConnectionSettings, PipelineSettings
from app.tables import to_micros

MEANINGS = ("won", "lost", "ignored")
_OUTCOMES = ("won", "lost", "open")
_MOST_PAGES = 5


class Unknown(ValueError):
    """A name that nothing has; the message names what there is."""


@dataclass(frozen=True)
class Choice:
    """What the stages of one pipeline mean."""

    pipeline: Pipeline
    stages: dict[str, tuple[Stage, ...]] = field(default_factory=dict)
    """By meaning: `won`, `lost`, `ignored`. A stage in none of them leaves a deal open."""


def as_the_crm_says(pipeline: Pipeline) -> Choice:
    """The meanings that the CRM itself gives its stages."""
    return Choice(pipeline, {meaning: tuple(each for each in pipeline.stages if each.meaning == meaning) for meaning in MEANINGS})


def chosen_pipelines(pipelines: Sequence[Pipeline], named: Sequence[str]) -> list[Pipeline]:
    """Those of these names or IDs; all if none is named. Unknown if there is no such pipeline."""
    return [_named(name, pipelines, "pipeline") for name in named] or list(pipelines)


def with_meanings(choices: Sequence[Choice], named: Mapping[str, Sequence[str]]) -> list[Choice]:
    """The choices, with the stages that are named (by ID or name) of that meaning and no other. Unknown if there is none."""
    stages = [stage for each in choices for stage in each.pipeline.stages]
    told = {_named(name, stages, "stage").id: meaning for meaning, names in named.items() for name in names}
    return [_told(each, told) for each in choices]


def _told(choice: Choice, told: dict[str, str]) -> Choice:
    said = {stage.id: meaning for meaning, stages in choice.stages.items() for stage in stages}
    meant = {stage.id: told.get(stage.id, said.get(stage.id, "")) for stage in choice.pipeline.stages}
    return Choice(choice.pipeline, {meaning: tuple(s for s in choice.pipeline.stages if meant[s.id] == meaning) for meaning in MEANINGS})


def _named(name: str, among: Sequence[Any], what: str) -> Any:
    found = [each for each in among if each.id == name] or [each for each in among if each.name.casefold() == name.casefold()]
    if found:
        return found[0]
    known = ", ".join(f"{each.name} ({each.id})" for each in among)
    raise Unknown(f"there is no {what} {name[:60]!r}; there are {known or 'none'}")


def settings_of(choices: Sequence[Choice]) -> ConnectionSettings:
    """The choices as settings of a connection."""
    return ConnectionSettings(pipelines={each.pipeline.id: _pipeline_settings(each) for each in choices})


def _pipeline_settings(choice: Choice) -> PipelineSettings:
    meanings = {meaning: [stage.id for stage in choice.stages.get(meaning, ())] for meaning in MEANINGS}
    return PipelineSettings(name=choice.pipeline.name, won=meanings["won"], lost=meanings["lost"], ignored=meanings["ignored"])


# ---------------------------------------------------------------- a preview


@dataclass(frozen=True)
class Previewed:
    """A deal as it would be taken."""

    name: str
    stage: str
    amount: str
    counts_as: str
    """`won`, `lost`, `open`, or why it does not count."""


async def preview(
    client: Client, sender: Connection, provider: Provider, pipelines: Sequence[Pipeline], since: datetime, *, most: int = 10
) -> list[Previewed]:
    """The first deals that changed since then. None if the provider cannot be asked for deals."""
    if provider.poll is None or "deals" not in provider.polls:
        return []
    names = {stage.id: f"{pipeline.name}: {stage.name}" for pipeline in pipelines for stage in pipeline.stages}
    deals: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await provider.poll(client, sender, "deals", to_micros(since), cursor)
        for said in sorted(page.said, key=lambda said: said.occurred_at or 0):
            deal_id = str(said.data.get("id"))
            if said.type.startswith("deal.") and (len(deals) < most or deal_id in deals):
                deals[deal_id] = deals.get(deal_id, {}) | _told_by(said)
        cursor = page.cursor
        if cursor is None or len(deals) >= most:
            break
    return [_previewed(data, names, sender.fields.settings) for data in deals.values()]


def _told_by(said: Said) -> dict[str, Any]:
    """What a message adds to what is known of its deal."""
    change = said.type.removeprefix("deal.")
    outcome = {"reopened": "open"}.get(change, change)
    told = {name: value for name, value in said.data.items() if value is not None}
    if change == "adjusted":
        # A change of what the deal is worth: a refund, a later invoice.
        told.pop("amount", None)
    return told | ({"outcome": outcome} if outcome in _OUTCOMES else {})


def _previewed(data: dict[str, Any], names: dict[str, str], settings: ConnectionSettings) -> Previewed:
    stage = str(data.get("stage") or "")
    amount = " ".join(str(data[name]) for name in ("amount", "currency") if name in data)
    return Previewed(str(data.get("name") or data.get("id")), names.get(stage, stage), amount, counts_as(data, settings))


def counts_as(data: dict[str, Any], settings: ConnectionSettings) -> str:
    """What a deal would count as: what the CRM says outright, else what its stage means."""
    pipeline, stage = data.get("pipeline"), data.get("stage")
    if settings.pipelines and pipeline is not None and str(pipeline) not in settings.pipelines:
        return "ignored (pipeline)"
    meant = [meaning for meaning, stages in settings.meanings().items() if str(stage) in stages]
    if meant == ["ignored"]:
        return "ignored (stage)"
    said = data.get("outcome")
    return str(said) if said in _OUTCOMES else meant[0] if meant else "open"
