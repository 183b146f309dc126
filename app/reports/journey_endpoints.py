"""Reports on journeys as a whole, over HTTP: how long, how many touches, in which order, together with what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.reports import content as content_report
from app.reports import overlap as overlap_report
from app.reports import path_length as path_length_report
from app.reports import paths as paths_report
from app.reports import pipeline as pipeline_report
from app.reports import self_reported as self_reported_report
from app.reports import sourced as sourced_report
from app.reports import time_lag as time_lag_report
from app.reports.answering import ReadingSite, csv_file, snapshot
from app.reports.content import ContentFilters
from app.reports.overlap import OverlapFilters
from app.reports.path_length import PathLengthFilters
from app.reports.paths import PathFilters
from app.reports.pipeline import PipelineFilters
from app.reports.self_reported import SelfReportedFilters
from app.reports.sourced import SourcedFilters
from app.reports.time_lag import TimeLagFilters

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/path-length", summary="Touches before a conversion", response_model=None)
async def report_path_length(
    request: Request, site: ReadingSite, filters: Annotated[PathLengthFilters, Query()]
) -> dict[str, Any] | Response:
    """How many touches the conversions took; those without a touch stand under 0, so that the rows add up to the total."""
    async with snapshot(request) as connection:
        answer = await path_length_report.path_length(connection, site, filters, datetime.now(UTC))
    return csv_file(path_length_report.as_table(answer, filters), "path-length") if filters.format == "csv" else answer


@router.get("/time-lag", summary="Days from first touch to conversion", response_model=None)
async def report_time_lag(request: Request, site: ReadingSite, filters: Annotated[TimeLagFilters, Query()]) -> dict[str, Any] | Response:
    """How many days the conversions took from the first touch in reach, with median and 90th percentile."""
    async with snapshot(request) as connection:
        answer = await time_lag_report.time_lag(connection, site, filters, datetime.now(UTC))
    return csv_file(time_lag_report.as_table(answer, filters), "time-lag") if filters.format == "csv" else answer


@router.get("/paths", summary="Top journeys", response_model=None)
async def report_paths(request: Request, site: ReadingSite, filters: Annotated[PathFilters, Query()]) -> dict[str, Any] | Response:
    """The sequences of channels that most conversions took, and the share of journeys of the same sequence that converted."""
    async with snapshot(request) as connection:
        answer = await paths_report.top_paths(connection, site, filters, datetime.now(UTC))
    return csv_file(paths_report.as_table(answer, filters), "paths") if filters.format == "csv" else answer


@router.get("/overlap", summary="Channels that meet", response_model=None)
async def report_overlap(request: Request, site: ReadingSite, filters: Annotated[OverlapFilters, Query()]) -> dict[str, Any] | Response:
    """Which channels meet in the same journeys, and which are alone (`b` is null); a conversion counts under each pair."""
    async with snapshot(request) as connection:
        answer = await overlap_report.overlap(connection, site, filters, datetime.now(UTC))
    return csv_file(overlap_report.as_table(answer, filters), "overlap") if filters.format == "csv" else answer


@router.get("/sourced", summary="Sourced by marketing, sales or partners", response_model=None)
async def report_sourced(request: Request, site: ReadingSite, filters: Annotated[SourcedFilters, Query()]) -> dict[str, Any] | Response:
    """Who brought the conversions, by the channel of the first touch in reach; the rows add up to the total."""
    async with snapshot(request) as connection:
        answer = await sourced_report.sourced(connection, site, filters, datetime.now(UTC))
    return csv_file(sourced_report.as_table(answer, filters), "sourced") if filters.format == "csv" else answer


@router.get("/self-reported", summary="What people say, beside what was tracked", response_model=None)
async def report_self_reported(
    request: Request, site: ReadingSite, filters: Annotated[SelfReportedFilters, Query()]
) -> dict[str, Any] | Response:
    """What people say brought them, by the channel of the first touch in reach; where both agree, and what no touch shows."""
    async with snapshot(request) as connection:
        answer = await self_reported_report.self_reported(connection, site, filters, datetime.now(UTC))
    return csv_file(self_reported_report.as_table(answer), "self-reported") if filters.format == "csv" else answer


@router.get("/content", summary="What people read, and what came of it", response_model=None)
async def report_content(request: Request, site: ReadingSite, filters: Annotated[ContentFilters, Query()]) -> dict[str, Any] | Response:
    """Pages, sections, forms or assets: readers, views, engaged time, and the conversions of people who had read them before."""
    async with snapshot(request) as connection:
        answer = await content_report.content(connection, site, filters, datetime.now(UTC))
    return csv_file(content_report.as_table(answer), "content") if filters.format == "csv" else answer


@router.get("/pipeline", summary="Pipeline at creation and now", response_model=None)
async def report_pipeline(request: Request, site: ReadingSite, filters: Annotated[PipelineFilters, Query()]) -> dict[str, Any] | Response:
    """What opportunities were worth when they opened, as they are, and what of it is still open, credited by a rule model."""
    async with snapshot(request) as connection:
        answer = await pipeline_report.pipeline(connection, site, filters, datetime.now(UTC))
    return csv_file(pipeline_report.as_table(answer), "pipeline") if filters.format == "csv" else answer
