"""Our figures beside the CRM's, over HTTP; and asking the CRM for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.crm.statements import ask
from app.errors import Unprocessable
from app.reports.answering import ReadingSite, csv_file, snapshot
from app.reports.reconciliation import ReconciliationFilters, as_table, reconciliation
from app.sites.authorisation import administered
from app.sites.connections import load_connection
from app.sites.site import Site

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get("/reconciliation", summary="Our figures beside the CRM's", response_model=None)
async def report_reconciliation(
    request: Request, site: ReadingSite, filters: Annotated[ReconciliationFilters, Query()]
) -> dict[str, Any] | Response:
    """The deals won in a month, by the CRM and by us: counts, sums, and each deal that differs, with its reason."""
    async with snapshot(request) as connection:
        answer = await reconciliation(connection, site, filters, datetime.now(UTC))
    return csv_file(as_table(answer), "reconciliation") if filters.format == "csv" else answer


@router.post("/reconciliation", summary="Ask the CRM for its figures", response_model=None)
async def ask_for_statement(
    request: Request, site: Annotated[Site, Depends(administered)], filters: Annotated[ReconciliationFilters, Query()]
) -> dict[str, Any]:
    """Ask the CRM for the deals won in a month, keep what it states, and answer the report by it."""
    if filters.connection is None:
        raise Unprocessable("connection: say which CRM to ask.")
    state, now = request.app.state, datetime.now(UTC)
    async with snapshot(request) as connection:
        sender = await load_connection(connection, site.site_id, filters.connection)
    await ask(state.database, sender, filters.month, now, allow_private=state.settings.allow_private_addresses)
    async with snapshot(request) as connection:
        return await reconciliation(connection, site, filters, now)
