"""The stages, in order."""

from __future__ import annotations

from app.attribution import months_stage as months
from app.attribution import sums_stage as sums
from app.deals import stage as deals
from app.identity import spans_stage as spans
from app.identity import stage as identity
from app.journeys import conversions_stage as conversions
from app.journeys import journeys_stage as journeys
from app.properties import stage as properties
from app.sales import activities_stage as activities
from app.sales import opportunities_stage as opportunities
from app.sales import stages_stage as stages
from app.swap import Stage
from app.touches import labels
from app.touches import stage as touches

STAGES: tuple[Stage, ...] = (
    labels.STAGE,
    touches.STAGE,
    identity.STAGE,
    spans.STAGE,
    properties.STAGE,
    deals.STAGE,
    conversions.STAGE,
    stages.STAGE,
    journeys.STAGE,
    sums.STAGE,
    months.STAGE,
    activities.STAGE,
    opportunities.STAGE,
)
