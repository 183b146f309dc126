"""`/v1/people/{id}/export` and `/v1/people/{id}/erase`, for keys with the scope `admin`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from app.privacy import erasure
from app.privacy.export import export
from app.reports.people import resolve
from app.sites.authorisation import Caller, administered, administrator
from app.sites.site import Site

router = APIRouter(prefix="/v1", tags=["people"])


class Erased(BaseModel):
    """That a person was erased. Nothing here says who it was."""

    erasure_id: str
    erased_at: datetime
    key_id: str = Field(description="The key that asked for it.")
    row_counts: dict[str, int] = Field(description="By table: rows deleted or emptied.")


class Erasures(BaseModel):
    """Every erasure of a site."""

    erasures: list[Erased]


@router.get("/people/{member_id}/export", summary="Everything kept of a person")
async def export_person(request: Request, member_id: str, site: Annotated[Site, Depends(administered)]) -> dict[str, Any]:
    """Every row that is kept of a person, by table, addresses in clear; any key's or visitor's ID leads to its person."""
    async with request.app.state.database.read() as connection:
        return await export(connection, site, member_id)


@router.post("/people/{member_id}/erase", summary="Erase a person")
async def erase_person(
    request: Request, member_id: str, site: Annotated[Site, Depends(administered)], caller: Annotated[Caller, Depends(administrator)]
) -> Erased:
    """Delete what is kept of a person, for good. Once it is gone, its ID is unknown: asking again answers 404.

    Its deals stay with their amounts. 409 while facts of the person wait to be computed.
    """
    database = request.app.state.database
    async with database.read() as connection:
        person_id = await resolve(connection, site, member_id)
    done = await erasure.erase(database, site, person_id, key_id=caller.key_id, now=datetime.now(UTC))
    return Erased.model_validate(done, from_attributes=True)


@router.get("/erasures", summary="Which erasures there were")
async def list_erasures(request: Request, site: Annotated[Site, Depends(administered)]) -> Erasures:
    """When persons were erased, by which key, and how many rows went; the newest first."""
    async with request.app.state.database.read() as connection:
        done = await erasure.erasures_of(connection, site.site_id)
    return Erasures(erasures=[Erased.model_validate(each, from_attributes=True) for each in done])
