"""`POST /v1/webhooks/{connection_id}`: the door for CRMs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.collect.fields import MicrosOrDay
from app.collect.quarantine import READERS
from app.collect.schemas import Accepted, Rejected
from app.crm.facts import DOOR, facts_of, not_understood, replay_webhook
from app.crm.messages import TYPES
from app.crm.providers import Delivery, NotUnderstood, Provider
from app.crm.registry import PROVIDERS
from app.crm.waiting import read_again
from app.errors import BadRequest, NotFound, Unauthorized
from app.log import Refused
from app.sites.authorisation import administered
from app.sites.connections import Connection, find_connection, load_connection
from app.sites.settings import Name
from app.sites.site import Site
from app.tables import from_micros

router = APIRouter(tags=["crm"])

logger = structlog.get_logger(__name__)

OfSite = Annotated[Site, Depends(administered)]

READERS[DOOR] = replay_webhook
# Read as bytes, because that is what is signed; so the schema is told to the documentation by hand.
_MESSAGE = {
    "type": "object",
    "required": ["type", "data"],
    "properties": {
        "type": {"type": "string", "enum": list(TYPES)},
        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened; absent: when it was sent."},
        "data": {"type": "object", "description": "A deal, a contact, an activity, or an event."},
    },
    "description": "Of the provider `generic`. The others take what their CRM sends.",
}
_SIGNED = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": "Of the provider `generic`."}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
]
_DOCUMENTED = {"parameters": _SIGNED, "requestBody": {"required": True, "content": {"application/json": {"schema": _MESSAGE}}}}


@router.post("/v1/webhooks/{connection_id}", status_code=202, response_model=Accepted, openapi_extra=_DOCUMENTED)
async def receive(request: Request, connection_id: str) -> Any:
    """Take what a CRM sends. What is signed but cannot be understood is set aside, and the sender need not repeat it."""
    async with request.app.state.database.read() as connection:
        sender = await find_connection(connection, connection_id)
    if sender is None:
        raise NotFound("There is no such connection.")
    provider, delivery = PROVIDERS[sender.fields.provider], await _delivery(request)
    if not provider.is_authentic(delivery, sender):
        await request.app.state.log.append([], dropped={(sender.site_id, f"bad_signature:{connection_id}"): 1})
        raise Unauthorized("No live secret of this connection proves who sent this, or it is too old. Nothing was stored.")
    site = await request.app.state.directory.site(sender.site_id)
    accepted = await _take(request, site, sender, provider, delivery)
    # Whoever wants an answer of its own repeats what has none, so it gets that one whatever became of the parts.
    answer = provider.answer(delivery)
    return accepted if answer is None else Response(answer, 200, media_type=provider.answer_type)


class Sync(BaseModel):
    """What to ask a CRM for again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: MicrosOrDay | None = Field(None, description="Everything that changed since then; absent: what is new.")
    kinds: list[Name] | None = Field(None, max_length=20, description="`contacts`, `deals`, …; absent: all that the provider knows.")


@router.post("/v1/connections/{connection_id}/sync", status_code=202, tags=["administration"])
async def sync(request: Request, connection_id: str, wanted: Sync, site: OfSite) -> dict[str, Any]:
    """Ask the CRM again, page by page. What is known already changes nothing; `/v1/status` says how far it is."""
    since = None if wanted.since is None else from_micros(wanted.since)
    async with request.app.state.database.write() as connection:
        sender = await load_connection(connection, site.site_id, connection_id)
        kinds = await read_again(connection, sender, wanted.kinds, since, datetime.now(UTC))
    return {"id": connection_id, "kinds": kinds, "since": since}


async def _delivery(request: Request) -> Delivery:
    """The request as it came, at the address that its sender called."""
    received_at, public_url = time.time_ns() // 1_000, request.app.state.settings.public_url
    url = urlsplit(str(request.url))
    if public_url:
        public = urlsplit(public_url)
        url = url._replace(scheme=public.scheme, netloc=public.netloc, path=public.path.rstrip("/") + url.path)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Delivery(request.method, urlunsplit(url), headers, await request.body(), received_at)


async def _take(request: Request, site: Site, sender: Connection, provider: Provider, delivery: Delivery) -> Accepted:
    """Store what the delivery says, and what has to be fetched, in one transaction."""
    try:
        read = provider.read(delivery, sender)
    except NotUnderstood as error:
        await request.app.state.log.append([], quarantined=[not_understood(site, sender, provider, delivery, str(error))])
        if not error.is_readable:
            raise BadRequest(f"{error} It is kept in the quarantine.") from error
        return Accepted(accepted=0, duplicates=0, rejected=[Rejected(index=0, reason=str(error))])
    except Exception as error:
        # A fault of ours: its sender would repeat it to no other end, and then drop it for good.
        logger.exception("a delivery could not be read", connection=sender.connection_id, provider=provider.name)
        reason = f"The service failed to read this ({type(error).__name__}); its log says why."
        await request.app.state.log.append([], quarantined=[not_understood(site, sender, provider, delivery, reason)])
        return Accepted(accepted=0, duplicates=0, rejected=[Rejected(index=0, reason=reason)])
    rejected: list[Rejected] = []
    facts, quarantined = facts_of(site, sender, read, delivery.received_at, rejected)
    ignored = {(site.site_id, f"{reason}:{sender.connection_id}"): count for reason, count in read.ignored.items()}
    outcomes = await request.app.state.log.append(facts, quarantined=quarantined, dropped=ignored)
    refused = [Rejected(index=index, reason=outcome.reason) for index, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
    stored = sum(bool(outcome) for outcome in outcomes)
    return Accepted(accepted=stored, duplicates=len(outcomes) - stored - len(refused), rejected=[*rejected, *refused])
