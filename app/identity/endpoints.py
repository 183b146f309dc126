"""`POST /v1/people/unlink`: undo a wrong join."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.collect.fields import Name
from app.identity.unlink import unlink
from app.sites.authorisation import administered
from app.sites.site import Site

router = APIRouter(prefix="/v1/people", tags=["people"])


class Undo(BaseModel):
    """The fact that joined, as journeys and explanations show it: an event of a visitor, or a CRM fact."""

    model_config = ConfigDict(extra="forbid")

    visitor_id: Name | None = Field(None, description="With `event_id`: the visitor of the event.")
    event_id: Name | None = Field(None, description="With `visitor_id`: the event.")
    fact_id: Name | None = Field(None, description="Alone: the CRM fact.")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Undo:
        is_event = self.visitor_id is not None and self.event_id is not None and self.fact_id is None
        is_fact = self.fact_id is not None and self.visitor_id is None and self.event_id is None
        if not (is_event or is_fact):
            raise ValueError('give {"visitor_id", "event_id"} or {"fact_id"}')
        return self


class Undone(BaseModel):
    """What was undone."""

    visitors: list[str] = Field(description="The visitors whose spans are computed anew.")


@router.post("/unlink", status_code=202)
async def undo(request: Request, body: Undo, site: Annotated[Site, Depends(administered)]) -> Undone:
    """Undo a wrong join. Sightings of the same keys on the same visitor count no more; nothing is deleted."""
    fact_id = body.fact_id or body.event_id or ""
    database = request.app.state.database
    async with database.write() as connection:
        visitors = await unlink(
            connection, database.is_sqlite, site.site_id, fact_id=fact_id, visitor_id=body.visitor_id, now=datetime.now(UTC)
        )
    return Undone(visitors=visitors)
