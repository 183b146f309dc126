"""The doors of pages under another name (`CLOSEDLOOP_COLLECT_PATH`), for lists that block them by the usual one."""

from __future__ import annotations

from fastapi import APIRouter

from app.collect.door import PlainRoute
from app.collect.endpoints import collect, preflight
from app.collect.links import make_token, read_token
from app.collect.snippet import EVENTS_PATH
from app.settings import Settings


def alias_router(settings: Settings) -> APIRouter:
    """Events at `collect_path`, and what links between domains need at `links` below it. Empty where it is the usual path."""
    router = APIRouter(include_in_schema=False)
    path = settings.collect_path
    if path == EVENTS_PATH:
        return router
    for where, door, method in (
        (path, collect, "POST"),
        (f"{path}/links", make_token, "POST"),
        (f"{path}/links/{{token}}", read_token, "GET"),
    ):
        router.add_api_route(where, door, methods=[method], route_class_override=PlainRoute)
    router.add_api_route(path, preflight, methods=["OPTIONS"])
    return router
