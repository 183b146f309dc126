"""What a provider read, as facts of the log; and what could not be understood, as rows of the quarantine."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from app import ids, tables
from app.collect.quarantine import Quarantined, quarantine_row
from app.collect.schemas import Rejected
from app.crm.messages import Said, fact_of
from app.crm.providers import Delivery, Provider, Read, Wanted
from app.log import Fact
from app.sites.connections import Connection
from app.sites.site import Site

DOOR = "webhook"
"""The quarantine's name for the way in, before a colon and the connection."""


def facts_of(
    site: Site, sender: Connection, read: Read, received_at: int, rejected: list[Rejected] | None = None
) -> tuple[list[Fact], list[dict[str, Any]]]:
    """(facts, rows of the quarantine) of what was read: what one message lacks is not its neighbours' loss.

    Adds to `rejected` what could not be understood, by its place.
    """
    facts: list[Fact] = []
    quarantined: list[dict[str, Any]] = []
    for index, said in enumerate(read.said):
        refused = partial(_part, site, sender, said, received_at)
        try:
            fact = fact_of(site, sender.connection_id, sender.space, said, received_at=received_at, sent_at=read.sent_at)
        except ValueError as error:
            quarantined.append(refused(str(error)))
            if rejected is not None:
                rejected.append(Rejected(index=index, reason=str(error)))
        else:
            facts.append(replace(fact, refused=refused))
    facts += [_wanted_fact(site, sender, wanted, read.sent_at, received_at) for wanted in read.wanted]
    return facts, quarantined


def _wanted_fact(site: Site, sender: Connection, wanted: Wanted, sent_at: int | None, received_at: int) -> Fact:
    """The notice that a record changed, and that it is to be fetched: a notice that comes again asks for nothing more."""
    here = {"site_id": site.site_id, "connection_id": sender.connection_id, "fact_id": ids.digest(sender.connection_id, wanted.id)}
    fetch = {**here, "kind": wanted.kind, "record_id": wanted.record_id, "next_try_at": received_at, "tries": 0, "received_at": received_at}
    told_at = wanted.occurred_at if wanted.occurred_at is not None else sent_at
    occurred_at = received_at if told_at is None else min(told_at, received_at)
    body = json.dumps({"kind": wanted.kind})  # not the ID, which may be a human's
    about = {"space": sender.space, "type": "record.changed", "deal_id": "", "body": body}
    row = {**here, **about, "occurred_at": occurred_at, "received_at": received_at}
    return Fact(tables.crm_facts, row, ((tables.crm_fetches, fetch),))


# ---------------------------------------------------------------- what cannot be understood


def not_understood(site: Site, sender: Connection, provider: Provider, delivery: Delivery, reason: str) -> dict[str, Any]:
    """A row of `quarantine`: a body of which nothing could be read."""
    headers = {name: delivery.headers.get(name, "") for name in provider.kept_headers}
    return _row(site, sender, {"headers": headers, "body": delivery.body.decode(errors="replace")}, delivery.received_at, reason)


def _part(site: Site, sender: Connection, said: Said, received_at: int, reason: str) -> dict[str, Any]:
    """A row of `quarantine`: one message, so that it can be read again."""
    return _row(site, sender, {"space": sender.space, "said": asdict(said)}, received_at, reason)


def _row(site: Site, sender: Connection, kept: dict[str, Any], received_at: int, reason: str) -> dict[str, Any]:
    door = f"{DOOR}:{sender.connection_id}"
    return quarantine_row(site.site_id, door, reason, json.dumps(kept, ensure_ascii=False), is_trusted=True, received_at=received_at)


def replay_webhook(site: Site, kept: Quarantined) -> Fact:
    """A quarantined message as a fact. ValueError if it cannot be understood still.

    Where the message said no time, it happened when it came in.
    """
    connection_id = kept.door.partition(":")[2]
    try:
        envelope = json.loads(kept.body)
    except ValueError:
        raise ValueError("it was too long to be kept whole") from None
    if "said" not in envelope:
        raise ValueError("nothing of it could be read: let the CRM send it again, or fetch what it said with `closedloop crm sync`")
    said = Said(**envelope["said"])
    return fact_of(site, connection_id, envelope["space"], said, received_at=kept.received_at)
