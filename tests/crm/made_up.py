"""A CRM that does not exist: its server, on a real port, and its provider. `python -m tests.crm.made_up` is `closedloop` with it.

The server does what servers do when one needs them: it fails, throttles, stalls, answers nonsense, and dies.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.crm.messages import Said, snapshot
from app.crm.providers import Client, Delivery, Page, Pipeline, Provider, Read, Stage, Wanted
from app.crm.registry import PROVIDERS
from app.sites.connections import Connection

TOKEN = "made-up-token-1234"
SECRET = "made-up-secret"
STAND_IN = "hubspot"
"""The name under which connections know it: only names of real CRMs are allowed."""


# ---------------------------------------------------------------- the provider


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    return any(hmac.compare_digest(delivery.headers.get("x-secret", ""), secret) for secret in connection.secrets)


def _read(delivery: Delivery, connection: Connection) -> Read:
    """A notice names the record, not what became of it."""
    changes = json.loads(delivery.body)["changes"]
    return Read(wanted=tuple(Wanted(each["id"], each["kind"], each["record"], each.get("at")) for each in changes))


def _said(kind: str, record: dict[str, Any]) -> Said:
    type_ = {"deals": "deal.updated", "contacts": "contact.updated"}[kind]
    return snapshot(type_, record["id"], {name: value for name, value in record.items() if name != "updated_at"}, record["updated_at"])


async def _fetch(client: Client, connection: Connection, kind: str, ids: Sequence[str]) -> Sequence[Said]:
    found = (await client.post(f"/records/{kind}", {"ids": list(ids)}))["records"]
    return [_said(kind, record) for record in found]


async def _poll(client: Client, connection: Connection, kind: str, since: int, cursor: str | None) -> Page:
    asked = {"since": since} if cursor is None else {"since": since, "after": cursor}
    answer = await client.get(f"/changes/{kind}", asked)
    return Page(tuple(_said(kind, record) for record in answer["records"]), answer["next"])


async def _pipelines(client: Client, connection: Connection) -> Sequence[Pipeline]:
    found = (await client.get("/pipelines"))["pipelines"]
    return [Pipeline(each["id"], each["name"], tuple(Stage(**stage) for stage in each["stages"])) for each in found]


async def _account(client: Client, connection: Connection) -> str:
    return str((await client.get("/me"))["name"])


PROVIDER = Provider(
    name=STAND_IN,
    title="Made-up CRM",
    is_authentic=_is_authentic,
    read=_read,
    fetches=("deals", "contacts"),
    most_fetched=10,
    fetch=_fetch,
    polls=("contacts", "deals"),
    poll=_poll,
    pipelines=_pipelines,
    account=_account,
)


# ---------------------------------------------------------------- the server


@dataclass
class MadeUpCrm:
    """What the server holds, what it was asked, and what goes wrong."""

    port: int = 0
    page_size: int = 3
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {"deals": {}, "contacts": {}})
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """(path, ids or query) of each call."""
    faults: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    """Answers in place of the next ones: (status, headers, body). Status 0: the connection breaks; 1: it stalls."""
    poisoned: set[str] = field(default_factory=set)
    """Records for which it answers 400 whenever they are among those asked for."""
    denied: set[str] = field(default_factory=set)
    """Kinds that the token may not read."""
    is_down: bool = False
    grants: dict[str, str] = field(default_factory=dict)
    """Access tokens by the secret that they are given for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, kind: str, record: str, updated_at: int, **data: Any) -> None:
        self.records[kind][record] = {"id": record, "updated_at": updated_at, **data}

    def fetched(self, kind: str = "deals") -> list[list[str]]:
        """The IDs of each call that asked for records."""
        return [ids for path, ids in self.asked if path == f"/records/{kind}"]

    def answer(self, path: str, asked: Any) -> tuple[int, dict[str, str], bytes]:
        self.asked.append((path, asked))
        if self.faults:
            return self.faults.popleft()
        if self.is_down:
            return 503, {}, b"down"
        what, _, kind = path.strip("/").partition("/")
        if kind in self.denied:
            return 403, {}, b'{"message": "missing scope: ' + kind.encode() + b'"}'
        if what == "records" and self.poisoned & set(asked):
            return 400, {}, b'{"message": "cannot read that record"}'
        return 200, {}, json.dumps(self._found(what, kind, asked)).encode()

    def _found(self, what: str, kind: str, asked: Any) -> Any:
        if what == "records":
            return {"records": [self.records[kind][record] for record in asked if record in self.records[kind]]}
        if what == "changes":
            changed = sorted((each for each in self.records[kind].values() if each["updated_at"] >= int(asked["since"])), key=lambda each: (each["updated_at"], each["id"]))
            begin = int(asked.get("after", 0))
            end = begin + self.page_size
            return {"records": changed[begin:end], "next": str(end) if end < len(changed) else None}
        if what == "pipelines":
            stages = [("new", "New", ""), ("offer", "Offer sent", ""), ("won", "Closed won", "won"), ("lost", "Closed lost", "lost"), ("test", "Test", "")]
            sales = {"id": "sales", "name": "Sales", "stages": [{"id": i, "name": n, "meaning": m} for i, n, m in stages]}
            return {"pipelines": [sales, {"id": "hiring", "name": "Hiring", "stages": [{"id": "applied", "name": "Applied"}]}]}
        return {"name": "Example Ltd"}


class _Replies(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _handler(crm: MadeUpCrm) -> type[BaseHTTPRequestHandler]:
    class Handler(_Replies):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            self._answer(url.path, dict(parse_qsl(url.query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/oauth/token":
                return self._grant(dict(parse_qsl(body.decode()))["client_secret"])
            return self._answer(self.path, json.loads(body)["ids"])

        def _grant(self, secret: str) -> None:
            crm.asked.append((self.path, secret))
            if secret in crm.grants:
                return self._send(200, {}, json.dumps({"access_token": crm.grants[secret]}).encode())
            refused = {"error": "invalid_grant", "error_description": f"no client with {secret}"}
            return self._send(400, {}, json.dumps(refused).encode())

        def _answer(self, path: str, asked: Any) -> None:
            if self.headers["authorization"] not in {f"Bearer {token}" for token in (*crm.grants.values(), TOKEN)}:
                return self._send(401, {}, json.dumps({"message": f"bad token {self.headers['authorization']}"}).encode())
            status, headers, body = crm.answer(path, asked)
            if status == 0:
                self.close_connection = True
                return self.connection.close()
            if status == 1:
                time.sleep(1.0)
            return self._send(status if status > 1 else 200, headers, body)

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""


@contextmanager
def serving(crm: MadeUpCrm) -> Iterator[MadeUpCrm]:
    """The CRM on a port of its own (the same again, if it had one)."""
    with _Server(("127.0.0.1", crm.port), _handler(crm)) as server:
        crm.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield crm
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    from app.cli import main

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    PROVIDERS[STAND_IN] = PROVIDER
    main()
