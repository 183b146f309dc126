"""Reports on journeys as a whole, over HTTP: how long, how many touches, in which order, together with what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.reports import path_length as path_length_report
from app.reports import time_lag as time_lag_report
from app.reports.answering import ReadingSite, csv_file, snapshot
from app.reports.path_length import PathLengthFilters
from app.reports.time_lag import TimeLagFilters

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/path-length", summary="Touches before a conversion", response_model=None)
async def report_path_length(
    request: Request, site: ReadingSite, filters: Annotated[PathLengthFilters, Query()]
) -> dict[str, Any] | Response:
    """How many touches the conversions took; those without a touch stand under 0, so that the rows add up to the total."""
    async with snapshot(request) as connection:
        answer = await path_length_report.path_length(connection, site, filters, datetime.now(UTC))
    return csv_file(path_length_report.as_table(answer), "path-length") if filters.format == "csv" else answer


@router.get("/time-lag", summary="Days from first touch to conversion", response_model=None)
async def report_time_lag(request: Request, site: ReadingSite, filters: Annotated[TimeLagFilters, Query()]) -> dict[str, Any] | Response:
    """How many days the conversions took from the first touch in reach, with median and 90th percentile."""
    async with snapshot(request) as connection:
        answer = await time_lag_report.time_lag(connection, site, filters, datetime.now(UTC))
    return csv_file(time_lag_report.as_table(answer, filters), "time-lag") if filters.format == "csv" else answer
