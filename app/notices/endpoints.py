"""`/v1/notice-endpoints`: where a site is told what happens, for keys with the scope `admin`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response

from app.notices import receivers
from app.notices.delivery import Notifier, send_test
from app.notices.receivers import NewReceiver
from app.notices.shown import receiver_shown
from app.sites.authorisation import administered
from app.sites.site import Site

router = APIRouter(prefix="/v1/notice-endpoints", tags=["administration"])

OfSite = Annotated[Site, Depends(administered)]
Changes = Annotated[
    dict[str, Any], Body(description="JSON merge patch (RFC 7396) of `url`, `kinds`, `format`, `secret`, `previous_secret`, `disabled`.")
]


def _now() -> datetime:
    return datetime.now(UTC)


@router.get("")
async def list_endpoints(request: Request, site: OfSite) -> dict[str, Any]:
    """The notice endpoints of the site."""
    async with request.app.state.database.read() as connection:
        found = await receivers.load_receivers(connection, site.site_id)
    return {"notice_endpoints": [receiver_shown(each) for each in found]}


@router.get("/{endpoint_id}")
async def show_endpoint(request: Request, endpoint_id: str, site: OfSite) -> dict[str, Any]:
    """One notice endpoint; none of its secrets."""
    async with request.app.state.database.read() as connection:
        return receiver_shown(await receivers.load_receiver(connection, site.site_id, endpoint_id))


@router.post("", status_code=201)
async def create_endpoint(request: Request, new: NewReceiver, site: OfSite) -> dict[str, Any]:
    """Have an address told of changes of stages, contacts that are due and hot visits. Its signing secret is in this answer."""
    async with request.app.state.database.write() as connection:
        made = await receivers.create_receiver(connection, site.site_id, new, _now())
    return receiver_shown(made, made.secrets[0])


@router.patch("/{endpoint_id}")
async def change_endpoint(request: Request, endpoint_id: str, changes: Changes, site: OfSite) -> dict[str, Any]:
    """Change an endpoint. A new `secret` (null: one is made) signs beside the one before until `"previous_secret": null`."""
    async with request.app.state.database.write() as connection:
        made = await receivers.change_receiver(connection, site.site_id, endpoint_id, changes, _now())
    return receiver_shown(made, made.secrets[0] if "secret" in changes else None)


@router.delete("/{endpoint_id}", status_code=204)
async def delete_endpoint(request: Request, endpoint_id: str, site: OfSite) -> Response:
    """Forget an endpoint, and what waits for it."""
    async with request.app.state.database.write() as connection:
        await receivers.delete_receiver(connection, site.site_id, endpoint_id)
    return Response(status_code=204)


@router.post("/{endpoint_id}/test")
async def test_endpoint(request: Request, endpoint_id: str, site: OfSite) -> dict[str, Any]:
    """Send a message of type `test` now, and say what the endpoint answered."""
    async with request.app.state.database.read() as connection:
        receiver = await receivers.load_receiver(connection, site.site_id, endpoint_id)
    answer = await send_test(Notifier.configured(request.app.state.database, request.app.state.settings), receiver)
    return {"delivered": answer.error is None, "status": answer.status, "error": answer.error}
