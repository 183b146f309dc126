"""`/v1/models`: the models that a site names itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response

from app.attribution import own_models
from app.attribution.models import DATA_DRIVEN
from app.attribution.own_models import NewModel
from app.attribution.rules import MODELS
from app.sites.authorisation import administered, looked_at
from app.sites.site import Site, load_site
from app.sites.weights import OwnModel

router = APIRouter(prefix="/v1/models", tags=["administration"])

OfSite = Annotated[Site, Depends(administered)]
SeenSite = Annotated[Site, Depends(looked_at)]
Patch = Annotated[dict[str, Any], Body(description='JSON merge patch: `{"weights": {"first": 50, "last": 10}}`.')]


def _shown(model: OwnModel) -> dict[str, Any]:
    return {"name": model.name, "weights": model.weights.as_numbers(), "changed_at": model.changed_at}


@router.get("", summary="Models of a site")
async def list_models(request: Request, site: SeenSite) -> dict[str, Any]:
    """The site's own models with their weights, and the names of the built-in ones. Needs the scope `read` or `admin`."""
    async with request.app.state.database.read() as connection:
        own = (await load_site(connection, site.site_id)).models
    return {"models": [_shown(each) for each in own], "built_in": [*MODELS, *DATA_DRIVEN]}


@router.get("/{name}", summary="One model")
async def show_model(request: Request, name: str, site: SeenSite) -> dict[str, Any]:
    """One of the site's own models."""
    async with request.app.state.database.read() as connection:
        return _shown(await own_models.find_model(connection, site.site_id, name))


@router.post("", status_code=201, summary="Make a model")
async def create_model(request: Request, new: NewModel, site: OfSite) -> dict[str, Any]:
    """Name weights of milestones; reports take the name in `model=` from then on."""
    async with request.app.state.database.write() as connection:
        made = await own_models.create_model(connection, site.site_id, new, datetime.now(UTC))
    request.app.state.directory.forget(site.site_id)
    return _shown(made)


@router.patch("/{name}", summary="Change a model")
async def change_model(request: Request, name: str, changes: Patch, site: OfSite) -> dict[str, Any]:
    """Change weights. Credit is computed when it is read, so every report under this name changes with it, and shows the weights."""
    async with request.app.state.database.write() as connection:
        made = await own_models.change_model(connection, site.site_id, name, changes, datetime.now(UTC))
    request.app.state.directory.forget(site.site_id)
    return _shown(made)


@router.delete("/{name}", status_code=204, summary="Remove a model")
async def delete_model(request: Request, name: str, site: OfSite) -> Response:
    """Remove one of the site's own models. Answers of an earlier moment (`as_of`) still have it."""
    async with request.app.state.database.write() as connection:
        await own_models.delete_model(connection, site.site_id, name, datetime.now(UTC))
    request.app.state.directory.forget(site.site_id)
    return Response(status_code=204)
