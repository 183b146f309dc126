"""What every report's endpoint does: it reads one snapshot of a site, and answers as JSON or as a file of CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from app.reports.parameters import AttributionFilters
from app.reports.remembered import Remembered
from app.sites.authorisation import reading_site
from app.sites.site import Site

ReadingSite = Annotated[Site, Depends(reading_site)]
"""The site that the request's key may read."""


@asynccontextmanager
async def snapshot(request: Request) -> AsyncIterator[AsyncConnection]:
    """A connection to the service's database that sees one snapshot."""
    async with request.app.state.database.read() as connection:
        yield connection


@asynccontextmanager
async def snapshot_in_turn(request: Request, filters: AttributionFilters) -> AsyncIterator[AsyncConnection]:
    """As `snapshot`, but where data-driven models are asked for, only once nobody else computes some. Whoever waits holds no
    connection: a few who ask for the same would leave none to those who send events."""
    turn = Remembered.of(request.app.state.database.engine).turn if filters.data_driven else nullcontext()
    async with turn, snapshot(request) as connection:
        yield connection


def csv_file(text: str, name: str) -> Response:
    """CSV as a file to download."""
    return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})
