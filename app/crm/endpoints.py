"""`POST /v1/webhooks/{connection_id}`: the door for CRMs."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

from fastapi import APIRouter, Request

from app.collect.quarantine import READERS, Quarantined, quarantine_row
from app.collect.schemas import Accepted, Rejected
from app.crm import generic
from app.errors import BadRequest, NotFound, Unauthorized
from app.log import Fact, Refused
from app.sites.connections import Connection, find_connection
from app.sites.rules import space_of
from app.sites.site import Site

router = APIRouter(tags=["crm"])

DOOR = "webhook"
# Read as bytes, because that is what is signed; so the schema is told to the documentation by hand.
_MESSAGE = {
    "type": "object",
    "required": ["type", "data"],
    "properties": {
        "type": {"type": "string", "enum": list(generic.TYPES)},
        "timestamp": {"type": "string", "format": "date-time", "description": "When it happened; absent: when it was sent."},
        "data": {"type": "object", "description": "A deal, a contact or an activity."},
    },
}
_SIGNED = [
    {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
]
_DOCUMENTED = {"parameters": _SIGNED, "requestBody": {"required": True, "content": {"application/json": {"schema": _MESSAGE}}}}


@router.post("/v1/webhooks/{connection_id}", status_code=202, openapi_extra=_DOCUMENTED)
async def receive(request: Request, connection_id: str) -> Accepted:
    """Take one message of a CRM. What is signed but cannot be understood is set aside, and the sender need not repeat it."""
    received_at = time.time_ns() // 1_000
    body = await request.body()
    async with request.app.state.database.read() as connection:
        sender = await find_connection(connection, connection_id)
    if sender is None:
        raise NotFound("There is no such connection.")
    if not generic.is_signed(body, request.headers, sender.secrets):
        await request.app.state.log.append([], dropped={(sender.site_id, f"bad_signature:{connection_id}"): 1})
        raise Unauthorized("No live secret of this connection signed this within the last five minutes. Nothing was stored.")
    site = await request.app.state.directory.site(sender.site_id)
    return await _take(request, site, sender, body.decode(), received_at)


async def _take(request: Request, site: Site, sender: Connection, body: str, received_at: int) -> Accepted:
    message_id = request.headers["webhook-id"]
    refused = partial(_quarantined, site, sender, message_id, body, received_at)
    try:
        sent_at = int(float(request.headers["webhook-timestamp"])) * 1_000_000
        fact = generic.fact_of(site, sender.connection_id, sender.space, message_id, body, sent_at=sent_at, received_at=received_at)
    except ValueError as error:
        await request.app.state.log.append([], quarantined=[refused(str(error))])
        if isinstance(error, generic.NotJson):
            raise BadRequest("The body is not JSON. It is kept in the quarantine.") from error
        return Accepted(accepted=0, duplicates=0, rejected=[Rejected(index=0, reason=str(error))])
    [outcome] = await request.app.state.log.append([Fact(fact.table, fact.row, fact.satellites, refused)])
    if isinstance(outcome, Refused):
        return Accepted(accepted=0, duplicates=0, rejected=[Rejected(index=0, reason=outcome.reason)])
    return Accepted(accepted=int(outcome), duplicates=int(not outcome), rejected=[])


# ---------------------------------------------------------------- what cannot be understood


def _quarantined(site: Site, sender: Connection, message_id: str, body: str, received_at: int, reason: str) -> dict[str, Any]:
    """A row of `quarantine`: the message with its ID, so that it can be read again."""
    kept = json.dumps({"webhook-id": message_id, "body": body}, ensure_ascii=False)
    door = f"{DOOR}:{sender.connection_id}"
    return quarantine_row(site.site_id, door, reason, kept, is_trusted=True, received_at=received_at)


def replay_webhook(site: Site, kept: Quarantined) -> Fact:
    """A quarantined message as a fact. ValueError if it cannot be understood still.

    Where the message said no `timestamp`, it happened when it came in: its signature proves that to five minutes.
    """
    connection_id = kept.door.partition(":")[2]
    try:
        envelope = json.loads(kept.body)
    except ValueError:
        raise ValueError("it was too long to be kept whole") from None
    message_id, body, moment = envelope["webhook-id"], envelope["body"], kept.received_at
    space = space_of("generic", connection_id)
    return generic.fact_of(site, connection_id, space, message_id, body, sent_at=moment, received_at=moment)


READERS[DOOR] = replay_webhook
