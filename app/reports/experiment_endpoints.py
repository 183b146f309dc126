"""Experiments over HTTP, beside what the models say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.reports import holdout as holdout_report
from app.reports.answering import ReadingSite, csv_file, snapshot_in_turn
from app.reports.holdout import HoldoutFilters

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/holdout", summary="A holdout test beside the credit", response_model=None)
async def report_holdout(request: Request, site: ReadingSite, filters: Annotated[HoldoutFilters, Query()]) -> dict[str, Any] | Response:
    """What showing a channel changed, with its interval, beside the conversions that each model credits the channel with."""
    async with snapshot_in_turn(request, filters.of_credit()) as connection:
        answer = await holdout_report.holdout(connection, site, filters, datetime.now(UTC))
    return csv_file(holdout_report.as_table(answer), "holdout") if filters.format == "csv" else answer
