"""What a provider is: who may send, what its payloads say, and how its API is asked.

A provider is one file beside this one that ends in `PROVIDER = Provider(…)`, and one entry in `app.crm.registry`. It
decides nothing: it turns what its CRM sends into messages of one vocabulary (`app.crm.messages`), and the rest follows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.crm.messages import Said
from app.sites.connections import Connection


@dataclass(frozen=True)
class Delivery:
    """One call of a CRM, as it came."""

    method: str
    url: str
    """As the CRM called it, with its query: `CLOSEDLOOP_PUBLIC_URL` says the scheme and host where it is set."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    received_at: int
    """Microseconds."""


class NotUnderstood(ValueError):
    """A body of which nothing can be read, in words. It is kept in the quarantine as it came."""

    def __init__(self, reason: str, *, is_readable: bool = True) -> None:
        """`is_readable`: it is in the format that the provider sends (JSON, XML), and only says nothing known."""
        super().__init__(reason)
        self.is_readable = is_readable


@dataclass(frozen=True)
class Wanted:
    """A record that changed, and that has to be fetched to know how."""

    id: str
    """Names the notice within its connection: one that is sent again asks for nothing more."""
    kind: str
    """One of the provider's `fetches`."""
    record_id: str
    occurred_at: int | None = None
    """When it changed, in microseconds; None: when it was sent."""


@dataclass(frozen=True)
class Read:
    """What a payload says."""

    said: tuple[Said, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    """How much of it is none of our business, by reason: counted among the drops."""
    sent_at: int | None = None
    """When it was sent, in microseconds; None: it does not say."""


class Client(Protocol):
    """Calls the API of a connection's CRM: `path` follows `api_base_url`. Answers parsed JSON.

    Raises what `app.crm.api` names: Throttled, Failed, Denied, Missing. Only `httpx` below it knows of sockets.
    """

    async def get(self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()) -> Any:
        """`GET`."""

    async def post(self, path: str, json: Any) -> Any:
        """`POST`, of what only reads (a search, a batch of IDs)."""


@dataclass(frozen=True)
class Page:
    """A page of what changed."""

    said: tuple[Said, ...]
    cursor: str | None
    """Where the next page begins; None: this was the last."""


@dataclass(frozen=True)
class Stage:
    """A stage of a pipeline, and what the CRM itself says that it means (`won`, `lost` or empty)."""

    id: str
    name: str
    meaning: str = ""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of deals."""

    id: str
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class StatedDeal:
    """A deal that the CRM says to be won in a month."""

    id: str
    name: str | None = None
    amount: str | float | None = None
    """In whole units of its currency."""
    currency: str | None = None
    """ISO 4217; None: the site's."""
    closed_on: str | None = None
    """YYYY-MM-DD."""


IsAuthentic = Callable[[Delivery, Connection], bool]
ReadDelivery = Callable[[Delivery, Connection], Read]
Fetch = Callable[[Client, Connection, str, Sequence[str]], Awaitable[Sequence[Said]]]
"""(client, connection, kind, record IDs) -> what those records say now. A record that is gone says that it was deleted."""
Poll = Callable[[Client, Connection, str, int, str | None], Awaitable[Page]]
"""(client, connection, kind, since, cursor) -> a page of what changed at or after `since` (microseconds), oldest first."""


@dataclass(frozen=True)
class Provider:
    """One CRM. What it cannot do is empty or None."""

    name: str
    is_authentic: IsAuthentic
    """Whether a delivery comes from who knows a live secret of the connection."""
    read: ReadDelivery
    """What a delivery says. NotUnderstood if nothing of it can be read. What is bad in a part of it, the log refuses alone."""
    title: str = ""
    """How people write its name; empty: as it is."""
    answer: Callable[[Delivery], str | None] = lambda delivery: None
    """Body of the answer to what was taken, where the CRM asks for one of its own; None: JSON that counts it."""
    answer_type: str = "application/json"
    kept_headers: tuple[str, ...] = ()
    """Headers that the quarantine keeps with a body."""
    secret_is: str = ""
    """Where its signing secret comes from, in words for its user; empty: one is made by us."""
    base_url: str = ""
    """Where its API is, unless the connection says otherwise."""
    authorisation: Callable[[str], Mapping[str, str]] = lambda token: {"Authorization": f"Bearer {token}"}
    """Headers that carry an API token."""
    token_request: Callable[[str], tuple[str, Mapping[str, str]] | None] = lambda token: None
    """Path and form of the call that exchanges what the connection has for an access token, which OAuth answers as
    `access_token`; None: it is one."""
    fetches: tuple[str, ...] = ()
    """Kinds of records that `fetch` knows."""
    most_fetched: int = 100
    """Records of one `fetch`."""
    fetch: Fetch | None = None
    polls: tuple[str, ...] = ()
    """Kinds that `poll` knows, in the order in which they are asked for: `contacts`, `leads`, `deals`, `stages`, `activities`."""
    poll: Poll | None = None
    pipelines: Callable[[Client, Connection], Awaitable[Sequence[Pipeline]]] | None = None
    account: Callable[[Client, Connection], Awaitable[str]] | None = None
    """Whose account the token opens, in words; raises Denied if it opens none."""
    won_in: Callable[[Client, Connection, str], Awaitable[Sequence[StatedDeal]]] | None = None
    """(client, connection, month YYYY-MM) -> every deal that is won and whose close date lies in that month, of all pipelines."""
