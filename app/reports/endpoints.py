"""Reports, conversions, people and status over HTTP. Each report reads one snapshot of the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import text

from app.reports import attribution as attribution_report
from app.reports import conversions as conversion_list
from app.reports import diff as diff_report
from app.reports import excluded as excluded_report
from app.reports import funnel as funnel_report
from app.reports import lookback as lookback_report
from app.reports import models as models_report
from app.reports.answering import ReadingSite, csv_file, snapshot, snapshot_in_turn
from app.reports.conversions import ConversionFilters
from app.reports.diff import DiffFilters
from app.reports.excluded import ExcludedFilters
from app.reports.explanation import ExplainFilters, explanation
from app.reports.lookback import LookbackFilters
from app.reports.models import ModelsFilters
from app.reports.parameters import AttributionFilters, FunnelFilters
from app.reports.people import PeopleFilters, journey, people
from app.reports.status import status

router = APIRouter()


@router.get("/v1/reports/attribution", summary="Credit by channel, campaign, …", tags=["reports"], response_model=None)
async def report_attribution(
    request: Request, site: ReadingSite, filters: Annotated[AttributionFilters, Query()]
) -> dict[str, Any] | Response:
    """Which channels (campaigns, pages, …) earned the conversions and their money, to the cent."""
    async with snapshot_in_turn(request, filters) as connection:
        answer = await attribution_report.attribution(connection, site, filters, datetime.now(UTC))
    return csv_file(attribution_report.as_table(answer, filters), "attribution") if filters.format == "csv" else answer


@router.get("/v1/reports/lookback", summary="Credit at several look-backs", tags=["reports"], response_model=None)
async def report_lookback(request: Request, site: ReadingSite, filters: Annotated[LookbackFilters, Query()]) -> dict[str, Any] | Response:
    """The credit of each channel at a look-back of 7, 30, 90, 180, 365 and 730 days, and what no touch earned at each."""
    async with snapshot(request) as connection:
        answer = await lookback_report.lookback(connection, site, filters, datetime.now(UTC))
    return csv_file(lookback_report.as_table(answer, filters), "lookback") if filters.format == "csv" else answer


@router.get("/v1/reports/models", summary="Models side by side", tags=["reports"], response_model=None)
async def report_models(request: Request, site: ReadingSite, filters: Annotated[ModelsFilters, Query()]) -> dict[str, Any] | Response:
    """What every model gives each channel, side by side, and how far the models are apart; their totals are the same."""
    async with snapshot_in_turn(request, filters) as connection:
        answer = await models_report.models(connection, site, filters, datetime.now(UTC))
    return csv_file(models_report.as_table(answer, filters), "models") if filters.format == "csv" else answer


@router.get("/v1/reports/attribution/diff", summary="What moved credit between two moments", tags=["reports"], response_model=None)
async def report_diff(request: Request, site: ReadingSite, filters: Annotated[DiffFilters, Query()]) -> dict[str, Any] | Response:
    """What moved each row of the attribution report between two moments: late deals, refunds, touches and people, rules."""
    async with snapshot(request) as connection:
        answer = await diff_report.diff(connection, site, filters, datetime.now(UTC))
    return csv_file(diff_report.as_table(answer, filters), "attribution-diff") if filters.format == "csv" else answer


@router.get("/v1/reports/funnel", summary="Funnel of a cohort", tags=["reports"], response_model=None)
async def report_funnel(request: Request, site: ReadingSite, filters: Annotated[FunnelFilters, Query()]) -> dict[str, Any] | Response:
    """How far the people have come whose first touch lies in the interval."""
    async with snapshot(request) as connection:
        answer = await funnel_report.funnel(connection, site, filters, datetime.now(UTC))
    return csv_file(funnel_report.as_table(answer, filters), "funnel") if filters.format == "csv" else answer


@router.get("/v1/reports/excluded", summary="What counts not, by reason", tags=["reports"], response_model=None)
async def report_excluded(request: Request, site: ReadingSite, filters: Annotated[ExcludedFilters, Query()]) -> dict[str, Any] | Response:
    """What was dropped at the door, and what the site's rules leave out until they go: programs, spam, customers who log in, …."""
    async with snapshot(request) as connection:
        answer = await excluded_report.excluded(connection, site, filters, datetime.now(UTC))
    return csv_file(excluded_report.as_table(answer), "excluded") if filters.format == "csv" else answer


@router.get("/v1/conversions", summary="Conversions behind a number", tags=["reports"], response_model=None)
async def list_conversions(
    request: Request, site: ReadingSite, filters: Annotated[ConversionFilters, Query()]
) -> dict[str, Any] | Response:
    """The conversions behind a number, the latest first; `next` is the cursor of the next page."""
    async with snapshot(request) as connection:
        answer = await conversion_list.conversions(connection, site, filters, datetime.now(UTC))
    return csv_file(conversion_list.as_table(answer), "conversions") if filters.format == "csv" else answer


@router.get("/v1/conversions/{conversion_id}/explain", summary="One conversion, explained", tags=["reports"])
async def explain_conversion(
    request: Request, conversion_id: str, site: ReadingSite, filters: Annotated[ExplainFilters, Query()]
) -> dict[str, Any]:
    """Which touches earned a conversion, by which rule, which were left out and why, and what ties them to its people."""
    async with snapshot(request) as connection:
        return await explanation(connection, site, conversion_id, filters)


@router.get("/v1/people", summary="Find a person", tags=["people"])
async def find_people(request: Request, site: ReadingSite, filters: Annotated[PeopleFilters, Query()]) -> dict[str, Any]:
    """Whom an e-mail address, phone number or user ID belongs to."""
    async with snapshot(request) as connection:
        return await people(connection, site, filters)


@router.get("/v1/people/{member_id}/journey", summary="Journey of a person", tags=["people"])
async def journey_of_person(request: Request, member_id: str, site: ReadingSite) -> dict[str, Any]:
    """What a person did, and why we believe that it is one; any key's or visitor's ID leads to its person."""
    async with snapshot(request) as connection:
        return await journey(connection, site, member_id, datetime.now(UTC))


# ---------------------------------------------------------------- how the service is


@router.get("/v1/status", summary="Status of a site", tags=["status"])
async def site_status(request: Request, site: ReadingSite) -> dict[str, Any]:
    """What came in, what was refused, and how far it has been computed: `pending` is 0 when the figures hold everything."""
    async with snapshot(request) as connection:
        return await status(connection, site, datetime.now(UTC))


@router.get("/healthz", summary="Health", tags=["status"])
async def is_alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", summary="Readiness", tags=["status"])
async def is_ready(request: Request) -> dict[str, str]:
    """The process answers and reaches its database; 503 where it does not."""
    async with snapshot(request) as connection:
        await connection.execute(text("SELECT 1"))
    return {"status": "ok"}
