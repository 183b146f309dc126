"""How far people and deals have come, over HTTP: scores, the stages that each went through, and the report on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from app.reports.answering import ReadingSite, snapshot
from app.reports.score import ScoreFilters, score

router = APIRouter()


@router.get("/v1/people/{member_id}/score", summary="Score of a person", tags=["people"])
async def score_of_person(
    request: Request, member_id: str, site: ReadingSite, filters: Annotated[ScoreFilters, Query()]
) -> dict[str, Any]:
    """What a person's score is made of at a moment, and when it rose; rules and threshold are the site's settings `scoring`."""
    async with snapshot(request) as connection:
        return await score(connection, site, member_id, filters, datetime.now(UTC))
