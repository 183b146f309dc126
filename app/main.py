"""The application: its doors, what lives as long as it does, and how it answers when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app import __version__, history
from app.attribution import endpoints as models
from app.body_limit import BodyLimit
from app.collect import endpoints as events
from app.collect import form_endpoints as forms
from app.collect import links, opt_out, pixel, quarantine, segment, snippet
from app.collect.alias import alias_router
from app.collect.daily import DailyVisitors
from app.crm import endpoints as webhooks
from app.crm.calls import Calls
from app.crm.running import calling
from app.db import Database
from app.errors import BadRequest, Problem, Unavailable, Unprocessable
from app.identity import endpoints as identity
from app.log import Log
from app.notices import endpoints as notices
from app.notices.delivery import Notifier
from app.notices.running import notifying
from app.pipeline import run_worker
from app.privacy import endpoints as privacy
from app.reports import doctor_endpoints as doctor
from app.reports import endpoints as reports
from app.reports import experiment_endpoints as experiments
from app.reports import journey_endpoints as journey_reports
from app.reports import opportunity_endpoints as opportunities
from app.reports import reconciliation_endpoints as reconciliation
from app.reports import stage_endpoints as stage_reports
from app.settings import Settings
from app.sites import endpoints as administration
from app.sites import segment_endpoints as segments
from app.sites.authorisation import KeyRing, ensure_first_site
from app.sites.directory import Directory

logger = structlog.get_logger(__name__)

_BETWEEN_PURGES_SECONDS = 3600

_DESCRIPTION = """
Which marketing touches led to the deals that the CRM really closed.

Send web events to `/v1/events` and CRM webhooks to `/v1/webhooks/{connection_id}`; read the credit of each channel from
`/v1/reports/attribution`, and open any number in it through `/v1/conversions/{id}/explain`.

* A **write key** is public and may only send web events: `?key=`, `Authorization: Bearer`, or `"key"` in the body.
* A **secret key** (`Authorization: Bearer …`) sends anything and reads, within its scopes `ingest`, `read` and `admin`.
* Times are RFC 3339, days `YYYY-MM-DD`, intervals half-open; money is a decimal string beside its currency.
* Errors are `application/problem+json` (RFC 9457). An answer of 2xx to an event means: committed to disk.
"""

_TAGS = [
    {"name": "collect", "description": "Events from web pages and servers, and the snippet that sends them."},
    {"name": "segment", "description": "The same from the SDKs of Segment and RudderStack, with only their host and key changed."},
    {"name": "crm", "description": "Webhooks of CRMs."},
    {"name": "reports", "description": "Credit, funnels, conversions and why each channel got what it got."},
    {"name": "people", "description": "Who is who, what they did, how to undo a wrong join, and how to export or erase a person."},
    {"name": "administration", "description": "Sites, keys, connections and models."},
    {"name": "status", "description": "Whether the service is well, and how far it has computed."},
]

_PROBLEM: dict[str, Any] = {
    "description": "What is wrong, and what to do about it.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "errors": {
                        "type": "array",
                        "description": "Of 422: each value that is not allowed.",
                        "items": {"type": "object", "properties": {"where": {"type": "string"}, "what": {"type": "string"}}},
                    },
                },
            }
        }
    },
}
"""The answer to a request in which something is wrong, in OpenAPI: without it, the framework documents answers of its own."""


def create_app(settings: Settings, *, run_pipeline: bool = True) -> FastAPI:
    """The ASGI application over one migrated database. `run_pipeline`: compute in this process too."""
    # Its page of documentation needs no other host: the service may stand where there is none to ask.
    app = FastAPIOffline(
        title="Closed Loop",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        redoc_url=None,
        responses={"4XX": _PROBLEM},
        lifespan=_lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.run_pipeline = run_pipeline
    app.add_middleware(BodyLimit, largest=settings.max_batch_bytes)
    collecting = (events, forms, links, opt_out, pixel, segment, webhooks)
    ours = (administration, segments, models, notices, identity, privacy)
    read = (reports, journey_reports, opportunities, stage_reports, reconciliation, experiments, doctor)
    for door in (*collecting, *ours, *read):
        app.include_router(door.router)
    app.include_router(snippet.scripts_router(settings))
    app.include_router(alias_router(settings))
    app.add_api_route("/", _front_page, include_in_schema=False)
    _add_error_handlers(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    database = Database(settings.database_url)
    async with AsyncExitStack() as until_stopped:
        until_stopped.push_async_callback(database.dispose)
        await ensure_first_site(database, settings, datetime.now(UTC))
        app.state.database = database
        app.state.keyring = KeyRing(database)
        app.state.directory = Directory(database)
        app.state.daily_visitors = DailyVisitors(database)
        await app.state.daily_visitors.purge(datetime.now(UTC))
        if app.state.run_pipeline:
            await until_stopped.enter_async_context(_pipeline(database))
        await until_stopped.enter_async_context(_purging(app))
        app.state.log = Log(database)
        await app.state.log.start()
        if app.state.run_pipeline:
            calls = Calls.configured(database, app.state.log, app.state.directory, settings)
            await until_stopped.enter_async_context(calling(calls))
            await until_stopped.enter_async_context(notifying(Notifier.configured(database, settings)))
        # The first to stop: whoever still waits for an answer gets it before anything else ends.
        until_stopped.push_async_callback(app.state.log.stop)
        yield


@asynccontextmanager
async def _pipeline(database: Database) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(database, stop), name="pipeline")
    try:
        yield
    finally:
        stop.set()
        await worker


@asynccontextmanager
async def _purging(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    database: Database = app.state.database

    async def purge_now_and_then() -> None:
        while True:
            await asyncio.sleep(_BETWEEN_PURGES_SECONDS)
            try:
                await app.state.daily_visitors.purge(datetime.now(UTC))
                await quarantine.purge(database, datetime.now(UTC), days=settings.quarantine_days, cap=settings.quarantine_cap)
                await history.prune(database, datetime.now(UTC), days=settings.history_days)
            except (SQLAlchemyError, OSError) as error:
                logger.warning("what is kept for some time was not purged", error=type(error).__name__)

    purging = asyncio.create_task(purge_now_and_then(), name="purge")
    try:
        yield
    finally:
        purging.cancel()


async def _front_page() -> RedirectResponse:
    return RedirectResponse("/docs")


# ---------------------------------------------------------------- errors


def _add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_unexpected)
    for error in (DBAPIError, PoolTimeout, OSError):
        app.add_exception_handler(error, _on_storage_error)


def _answer(status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, headers=dict(headers or {}), media_type="application/problem+json")


async def _on_problem(_request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return _answer(problem.status, problem.as_dict(), problem.headers)


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    body = {"type": "about:blank", "title": title, "status": error.status_code, "detail": error.detail or title}
    return _answer(error.status_code, body, error.headers)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Says what is wrong and where, and never echoes what was sent: it may be a secret in the wrong place."""
    assert isinstance(error, RequestValidationError)
    found = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"].removeprefix("Value error, ")} for each in error.errors()]
    in_words = "; ".join(f"{each['where']}: {each['what']}" for each in found)
    is_unreadable = any(each["type"] == "json_invalid" for each in error.errors())
    return await _on_problem(request, (BadRequest if is_unreadable else Unprocessable)(in_words, errors=found))


async def _on_storage_error(request: Request, error: Exception) -> JSONResponse:
    if not _is_outage(error):
        return await _on_unexpected(request, error)
    logger.error("storage is not available", path=_path(request), error=type(error).__name__)
    return await _on_problem(request, Unavailable("The database cannot be reached or is full. Nothing was stored; try again."))


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", method=request.method, path=_path(request), exc_info=error)
    return await _on_problem(request, Problem("Something went wrong here; the log of the service says what."))


def _path(request: Request) -> str:
    """The path as the route writes it: what stands in its places may name a person, or a visitor."""
    return str(getattr(request.scope.get("route"), "path", request.url.path))


_OUTAGE_CLASSES = ("08", "53", "57", "58")
"""PostgreSQL's SQLSTATE classes of connection, resources, operator intervention (shutdown) and system errors."""


def _is_outage(error: Exception) -> bool:
    """Whether storage failed, rather than the statement."""
    if not isinstance(error, DBAPIError):
        return True
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated or sqlstate.startswith(_OUTAGE_CLASSES)
