"""`/v1/segments`: filters saved under a name, for keys with the scope `admin`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response

from app.sites import segments
from app.sites.authorisation import administered
from app.sites.properties import Segment
from app.sites.site import Site, load_site

router = APIRouter(prefix="/v1/segments", tags=["administration"])

OfSite = Annotated[Site, Depends(administered)]
Changes = Annotated[dict[str, Any], Body(description="JSON merge patch (RFC 7396) of `name` and `filters`.")]


def _now() -> datetime:
    return datetime.now(UTC)


@router.get("")
async def list_segments(request: Request, site: OfSite) -> dict[str, Any]:
    """The segments of the site."""
    async with request.app.state.database.read() as connection:
        return {"segments": segments.segments_of((await load_site(connection, site.site_id)).settings)}


@router.get("/{name:path}")
async def show_segment(request: Request, name: str, site: OfSite) -> dict[str, Any]:
    """One segment."""
    async with request.app.state.database.read() as connection:
        return segments.segment_of((await load_site(connection, site.site_id)).settings, name)


@router.post("", status_code=201)
async def create_segment(request: Request, new: Segment, site: OfSite) -> dict[str, Any]:
    """Save filters under a name; every report then takes `segment=`."""
    async with request.app.state.database.write() as connection:
        changed = await segments.create_segment(connection, site.site_id, new.model_dump(mode="json"), _now())
    request.app.state.directory.forget(site.site_id)
    return segments.segment_of(changed.settings, new.name)


@router.patch("/{name:path}")
async def change_segment(request: Request, name: str, changes: Changes, site: OfSite) -> dict[str, Any]:
    """Change the name or the filters."""
    async with request.app.state.database.write() as connection:
        changed = await segments.change_segment(connection, site.site_id, name, changes, _now())
    request.app.state.directory.forget(site.site_id)
    return segments.segment_of(changed.settings, changes.get("name", name).strip())


@router.delete("/{name:path}", status_code=204)
async def delete_segment(request: Request, name: str, site: OfSite) -> Response:
    """Forget a segment; reports that name it are refused from then on."""
    async with request.app.state.database.write() as connection:
        await segments.delete_segment(connection, site.site_id, name, _now())
    request.app.state.directory.forget(site.site_id)
    return Response(status_code=204)
