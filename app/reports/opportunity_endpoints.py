"""Whom to contact, and what became of whoever needed it, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.reports import opportunity_list, opportunity_report
from app.reports import sla as sla_report
from app.reports.answering import ReadingSite, csv_file, snapshot
from app.reports.opportunity_list import OpportunityFilters
from app.reports.opportunity_report import OpportunityReportFilters
from app.reports.sla import SlaFilters

router = APIRouter()


@router.get("/v1/opportunities", summary="Whom to contact", tags=["people"], response_model=None)
async def list_opportunities(
    request: Request, site: ReadingSite, filters: Annotated[OpportunityFilters, Query()]
) -> dict[str, Any] | Response:
    """A row for each deal, or lead that needs contact and has no deal, the most expected first; `next` is the cursor of the next page."""
    async with snapshot(request) as connection:
        answer = await opportunity_list.opportunities(connection, site, filters, datetime.now(UTC))
    return csv_file(opportunity_list.as_table(answer), "opportunities") if filters.format == "csv" else answer


@router.get("/v1/reports/opportunities", summary="Missed, lost, open", tags=["reports"], response_model=None)
async def report_opportunities(
    request: Request, site: ReadingSite, filters: Annotated[OpportunityReportFilters, Query()]
) -> dict[str, Any] | Response:
    """How many were missed, lost, open and won, by channel, owner, reason, …; how quick the first contact was, and what slowness cost."""
    async with snapshot(request) as connection:
        answer = await opportunity_report.opportunity_report(connection, site, filters, datetime.now(UTC))
    return csv_file(opportunity_report.as_table(answer), "opportunities") if filters.format == "csv" else answer


@router.get("/v1/reports/sla", summary="What was promised, and what is broken", tags=["reports"], response_model=None)
async def report_sla(request: Request, site: ReadingSite, filters: Annotated[SlaFilters, Query()]) -> dict[str, Any] | Response:
    """Qualified leads of a month against the target, first contacts within the promise by owner, and whoever is overdue now."""
    async with snapshot(request) as connection:
        answer = await sla_report.sla(connection, site, filters, datetime.now(UTC))
    return csv_file(sla_report.as_table(answer), "sla") if filters.format == "csv" else answer
