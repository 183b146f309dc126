"""A CRM of the provider `generic`, which signs what it sends: for tests of what follows from its messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.world import SECRET_KEY

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}


class Crm:
    """A connection, and the CRM behind it."""

    def __init__(self, client: httpx.AsyncClient, connection_id: str, secret: str) -> None:
        self.client, self.connection_id, self.secret = client, connection_id, secret
        self._numbers = count(1)

    @classmethod
    async def connected(cls, client: httpx.AsyncClient, connection_id: str = "crm", **fields: Any) -> Crm:
        """Make a connection, and answer the CRM behind it."""
        made = await client.post("/v1/connections", json={"id": connection_id, **fields}, headers=ADMIN)
        assert made.status_code == 201, made.text
        return cls(client, connection_id, made.json()["secret"])

    async def say(self, type_: str, at: str, data: dict[str, Any], message_id: str | None = None) -> dict[str, Any]:
        """One message, of the moment `at`; the answer, which must be a good one that refuses nothing."""
        body = json.dumps({"type": type_, "timestamp": at, "data": data})
        name, now = message_id or f"{self.connection_id}-{next(self._numbers)}", datetime.now(UTC)
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(name, now, body),
        }
        answer = await self.client.post(f"/v1/webhooks/{self.connection_id}", content=body, headers=headers)
        assert (answer.status_code, answer.json()["rejected"]) == (202, []), answer.text
        taken: dict[str, Any] = answer.json()
        return taken
