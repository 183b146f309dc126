"""The tracking doctor over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.reports.answering import ReadingSite, csv_file, snapshot
from app.reports.doctor.report import DoctorFilters, as_table, doctor

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/doctor", summary="What is wrong with the tracking", response_model=None)
async def report_doctor(request: Request, site: ReadingSite, filters: Annotated[DoctorFilters, Query()]) -> dict[str, Any] | Response:
    """What is wrong with how the site is tracked: each finding with the conversions and money that it affects, and what to change."""
    async with snapshot(request) as connection:
        answer = await doctor(connection, site, filters, datetime.now(UTC))
    return csv_file(as_table(answer), "doctor") if filters.format == "csv" else answer
