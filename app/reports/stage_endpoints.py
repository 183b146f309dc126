"""How far people and deals have come, over HTTP: scores, the stages that each went through, and the report on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.reports import stages as stages_report
from app.reports.answering import ReadingSite, csv_file, snapshot
from app.reports.parameters import FunnelFilters
from app.reports.score import ScoreFilters, score

router = APIRouter()


@router.get("/v1/people/{member_id}/score", summary="Score of a person", tags=["people"])
async def score_of_person(
    request: Request, member_id: str, site: ReadingSite, filters: Annotated[ScoreFilters, Query()]
) -> dict[str, Any]:
    """What a person's score is made of at a moment, and when it rose; rules and threshold are the site's settings `scoring`."""
    async with snapshot(request) as connection:
        return await score(connection, site, member_id, filters, datetime.now(UTC))


@router.get("/v1/people/{member_id}/stages", summary="Stages of a person", tags=["people"])
async def stages_of_person(request: Request, member_id: str, site: ReadingSite) -> dict[str, Any]:
    """The stages that a person went through, from visitor to customer, each with what moved it there."""
    async with snapshot(request) as connection:
        return await stages_report.stages_of_person(connection, site, member_id)


@router.get("/v1/deals/{space}/{deal_id}/stages", summary="Stages of a deal", tags=["people"])
async def stages_of_deal(request: Request, space: str, deal_id: str, site: ReadingSite) -> dict[str, Any]:
    """The stages of its CRM that a deal entered, and when it was won, lost or reopened; `space` is `generic` or a connection's ID."""
    async with snapshot(request) as connection:
        return await stages_report.stages_of_deal(connection, site, space, deal_id)


@router.get("/v1/reports/stages", summary="Who entered which stage", tags=["reports"], response_model=None)
async def report_stages(request: Request, site: ReadingSite, filters: Annotated[FunnelFilters, Query()]) -> dict[str, Any] | Response:
    """How many people entered each stage in the interval, how long it took them since the stage before, and why some were turned away."""
    async with snapshot(request) as connection:
        answer = await stages_report.report(connection, site, filters, datetime.now(UTC))
    return csv_file(stages_report.as_table(answer), "stages") if filters.format == "csv" else answer
