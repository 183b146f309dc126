"""Reports, conversions, people and status over HTTP. Each report reads one snapshot of the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports.attribution import as_table, attribution
from app.reports.parameters import AttributionFilters
from app.reports.status import status
from app.sites.authorisation import reading_site
from app.sites.site import Site

router = APIRouter()

ReadingSite = Annotated[Site, Depends(reading_site)]


@asynccontextmanager
async def _snapshot(request: Request) -> AsyncIterator[AsyncConnection]:
    async with request.app.state.database.read() as connection:
        yield connection


def _csv(text: str, name: str) -> Response:
    return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})


@router.get("/v1/reports/attribution", tags=["reports"], response_model=None)
async def report_attribution(
    request: Request, site: ReadingSite, filters: Annotated[AttributionFilters, Query()]
) -> dict[str, Any] | Response:
    """Which channels (campaigns, pages, …) earned the conversions and their money, to the cent."""
    async with _snapshot(request) as connection:
        answer = await attribution(connection, site, filters, datetime.now(UTC))
    return _csv(as_table(answer, filters), "attribution") if filters.format == "csv" else answer


# ---------------------------------------------------------------- how the service is


@router.get("/v1/status", tags=["status"])
async def site_status(request: Request, site: ReadingSite) -> dict[str, Any]:
    """What came in, what was refused, and how far it has been computed: `pending` is 0 when the figures hold everything."""
    async with _snapshot(request) as connection:
        return await status(connection, site, datetime.now(UTC))


@router.get("/healthz", tags=["status"])
async def is_alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", tags=["status"])
async def is_ready(request: Request) -> dict[str, str]:
    """The process answers and reaches its database; 503 where it does not."""
    async with _snapshot(request) as connection:
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}
