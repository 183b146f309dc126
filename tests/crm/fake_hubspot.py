"""HubSpot's API as far as it is called, on a real port: searches, batches, histories, associations, owners, the recycle bin.

It is strict where HubSpot is (how much may be asked for at once), and does what servers do when one needs them: it
fails, throttles, stalls, and answers in part.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "pat-eu1-00000000-1111-2222-3333-444444444444"
PORTAL = 2_519_445
BREAKS, STALLS = 0, 1
"""In place of a status: the connection breaks; the answer comes after three seconds."""
Answer = tuple[int, dict[str, str], Any]


def iso(at: datetime) -> str:
    """As HubSpot writes times: milliseconds, and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Refused(Exception):
    """A call that HubSpot answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Stored:
    """A record."""

    id: str
    created_at: datetime
    properties: dict[str, str | None] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    archived_at: datetime | None = None


@dataclass
class FakeHubspot:
    """What the account holds, what was asked, and what goes wrong."""

    port: int = 0
    records: dict[str, dict[str, Stored]] = field(default_factory=dict)
    links: dict[tuple[str, str, str], dict[str, bool]] = field(default_factory=dict)
    """(kind, ID, other kind) → other IDs, and whether that is the primary one."""
    owners: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    participations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    zone: str = "Europe/Berlin"
    most_listed: int = 100
    """Results of one page of a list, and associations of one record in one answer."""
    asked: list[str] = field(default_factory=list)
    """`METHOD /path` of each call."""
    faults: deque[Answer] = field(default_factory=deque)
    """Answers in place of the next ones."""
    is_down: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ------------------------------------------------------------ what happens in the account

    def put(self, kind: str, record_id: str | int, at: datetime, *, by: int | None = None, **properties: Any) -> None:
        """A record is made or changed: what is given is written, with its history."""
        record = self.records.setdefault(kind, {}).setdefault(str(record_id), Stored(str(record_id), at))
        for name, value in properties.items():
            record.properties[name] = None if value is None else str(value)
            entry = {"value": "" if value is None else str(value), "timestamp": iso(at), "sourceType": "CRM_UI"}
            record.history.setdefault(name, []).insert(0, entry | ({} if by is None else {"sourceId": f"userId:{by}", "updatedByUserId": by}))
        self.touch(kind, record_id, at)

    def touch(self, kind: str, record_id: str | int, at: datetime) -> None:
        """HubSpot notes that a record changed."""
        record = self.records[kind][str(record_id)]
        changed_at = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
        record.properties |= {"hs_object_id": record.id, "createdate": iso(record.created_at), changed_at: iso(at)}

    def link(self, kind: str, record_id: str | int, other: str, *other_ids: str | int, primary: bool = False) -> None:
        """Associate records, both ways."""
        for other_id in other_ids:
            self.links.setdefault((kind, str(record_id), other), {})[str(other_id)] = primary
            self.links.setdefault((other, str(other_id), kind), {})[str(record_id)] = False

    def archive(self, kind: str, record_id: str | int, at: datetime) -> None:
        """Delete a record: it lies in the recycle bin."""
        self.records[kind][str(record_id)].archived_at = at

    def calls(self) -> Counter[str]:
        """How often each path was called since this was asked last."""
        counted = Counter(self.asked)
        self.asked.clear()
        return counted

    # ------------------------------------------------------------ what it answers

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        self.asked.append(f"{method} {path}")
        if self.faults:
            return self.faults.popleft()
        if self.is_down:
            return 503, {}, {"message": "service unavailable"}
        try:
            return 200, {}, self._found(path.strip("/").split("/"), query, body)
        except Refused as refused:
            return refused.status, {}, {"status": "error", "message": str(refused), "category": "VALIDATION_ERROR"}

    def _found(self, path: list[str], query: dict[str, str], body: Any) -> Any:
        found = self._records_found(path, query, body) if path[0] == "crm" else self._account_found(path, query)
        if found is None:
            raise Refused(404, "resource not found")
        return found

    def _records_found(self, path: list[str], query: dict[str, str], body: Any) -> Any:
        match path[1:]:
            case ["v3", "objects", kind, "search"]:
                return self._search(kind, body)
            case ["v3", "objects", kind, "batch", "read"]:
                return self._batch(kind, body, is_archived=query.get("archived") == "true")
            case ["v3", "objects", kind]:
                bin_ = [each for each in self._of(kind) if (each.archived_at is not None) == (query.get("archived") == "true")]
                return self._page([self._shown(each, query.get("properties", "").split(",")) for each in bin_], query)
            case ["v4", "associations", kind, other, "batch", "read"]:
                return self._associations(kind, other, body)
            case ["v3", "owners"]:
                return self._page([each for each in self.owners if each["archived"] == (query.get("archived") == "true")], query)
            case ["v3", "pipelines", "deals"]:
                return {"results": PIPELINES}

    def _account_found(self, path: list[str], query: dict[str, str]) -> Any:
        match path:
            case ["account-info", "v3", "details"]:
                told = {"portalId": PORTAL, "accountType": "STANDARD", "timeZone": self.zone, "companyCurrency": "EUR"}
                return told | {"additionalCurrencies": ["USD"], "uiDomain": "app-eu1.hubspot.com", "dataHostingLocation": "eu1"}
            case ["marketing", "v3", "marketing-events"]:
                return self._page(self.events, query)
            case ["marketing", "v3", "marketing-events", "participations", event_id, "breakdown"]:
                there = [each for each in self.participations.get(event_id, []) if each["properties"]["attendanceState"] == query["state"]]
                return self._page(there, query)

    def _of(self, kind: str) -> list[Stored]:
        return sorted(self.records.get(kind, {}).values(), key=lambda each: int(each.id))

    def _search(self, kind: str, body: Any) -> Any:
        """By the rules of the search API: ten thousand results at most, of what is not deleted."""
        [group], [sort] = body["filterGroups"], body["sorts"]
        if sort != {"propertyName": "hs_object_id", "direction": "ASCENDING"}:
            raise Refused(400, "this stand-in sorts by hs_object_id alone")
        start = int(body.get("after", 0))
        if start + body["limit"] > 10_000 or body["limit"] > 200:
            raise Refused(400, "paging beyond ten thousand")
        found = [each for each in self._of(kind) if each.archived_at is None and all(_holds(each, filter_) for filter_ in group["filters"])]
        end = start + body["limit"]
        paging = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
        return {"total": len(found), "results": [self._shown(each, body["properties"]) for each in found[start:end]]} | paging

    def _batch(self, kind: str, body: Any, *, is_archived: bool) -> Any:
        wanted, histories = [each["id"] for each in body["inputs"]], body.get("propertiesWithHistory") or []
        most = 50 if histories else 100
        if not wanted or len(wanted) > most or len(set(wanted)) < len(wanted):
            raise Refused(400, f"The maximum number of inputs supported in a batch request is {most}, each once.")
        stored = self.records.get(kind, {})
        found = [stored[each] for each in wanted if each in stored and (stored[each].archived_at is not None) == is_archived]
        missing = sorted(set(wanted) - {each.id for each in found})
        errors = [{"status": "error", "category": "OBJECT_NOT_FOUND", "message": f"Could not get some {kind}", "context": {"ids": missing}}]
        shown = [self._shown(each, body.get("properties") or [], histories) for each in found]
        return {"status": "COMPLETE", "results": shown} | ({"numErrors": 1, "errors": errors} if missing else {})

    def _shown(self, record: Stored, properties: Sequence[str], histories: Sequence[str] = ()) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": record.id,
            "properties": {name: record.properties.get(name) for name in (*properties, "hs_object_id") if name},
            "createdAt": iso(record.created_at),
            "archived": record.archived_at is not None,
        }
        shown |= {"propertiesWithHistory": {name: record.history.get(name, []) for name in histories}} if histories else {}
        return shown | ({"archivedAt": iso(record.archived_at)} if record.archived_at else {})

    def _associations(self, kind: str, other: str, body: Any) -> Any:
        if len(body["inputs"]) > 1_000:
            raise Refused(400, "at most 1000 inputs")
        results, errors = [], []
        for wanted in body["inputs"]:
            others = list(self.links.get((kind, wanted["id"], other), {}).items())
            start = int(wanted.get("after", 0))
            end = start + self.most_listed
            to = [
                {"toObjectId": int(each), "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary" if is_primary else None}]}
                for each, is_primary in others[start:end]
            ]
            if to:
                results.append({"from": {"id": wanted["id"]}, "to": to} | ({"paging": {"next": {"after": str(end)}}} if end < len(others) else {}))
            else:
                told = {"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
                errors.append({"status": "error", **told, "message": f"No {other} is associated with {kind} {wanted['id']}."})
        return {"status": "COMPLETE", "results": results} | ({"numErrors": len(errors), "errors": errors} if errors else {})

    def _page(self, everything: list[Any], query: dict[str, str]) -> Any:
        start = int(query.get("after", 0))
        end = start + min(int(query["limit"]), self.most_listed)
        return {"results": everything[start:end]} | ({"paging": {"next": {"after": str(end)}}} if end < len(everything) else {})


def _holds(record: Stored, filter_: dict[str, str]) -> bool:
    """Whether a filter holds. A time is compared in milliseconds, an ID as a number."""
    text = record.properties.get(filter_["propertyName"]) or ""
    if filter_["operator"] == "EQ":
        return text == filter_["value"]
    value = int(datetime.fromisoformat(text).timestamp() * 1_000 + 0.5) if "T" in text else int(text)
    wanted = int(filter_["value"])
    return {"GTE": value >= wanted, "GT": value > wanted, "LT": value < wanted}[filter_["operator"]]


def _stages(*stages: tuple[str, str, str, str]) -> list[dict[str, Any]]:
    return [{"id": id_, "label": label, "metadata": {"isClosed": closed, "probability": probability}} for id_, label, closed, probability in stages]


PIPELINES = [
    {
        "id": "default",
        "label": "Sales Pipeline",
        "stages": _stages(
            ("appointmentscheduled", "Appointment Scheduled", "false", "0.2"),
            ("contractsent", "Contract Sent", "false", "0.9"),
            ("closedwon", "Closed Won", "true", "1.0"),
            ("closedlost", "Closed Lost", "true", "0.0"),
        ),
    },
    {"id": "hiring", "label": "Hiring", "stages": _stages(("applied", "Applied", "false", "0.0"))},
]


# ---------------------------------------------------------------- the server


def _handler(fake: FakeHubspot) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET", None)

        def do_POST(self) -> None:
            self._answer("POST", json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, method: str, body: Any) -> None:
            url = urlsplit(self.path)
            if self.headers["authorization"] != f"Bearer {TOKEN}":
                return self._send(401, {}, {"status": "error", "message": "Authentication credentials not found.", "category": "INVALID_AUTHENTICATION"})
            status, headers, answered = fake.answer(method, url.path, dict(parse_qsl(url.query)), body)
            if status == BREAKS:
                self.close_connection = True
                return self.connection.close()
            if status == STALLS:
                time.sleep(3.0)
            return self._send(max(status, 200), headers, answered)

        def _send(self, status: int, headers: dict[str, str], answered: Any) -> None:
            body = json.dumps(answered).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""


@contextmanager
def serving(fake: FakeHubspot) -> Iterator[FakeHubspot]:
    """The account's API on a port that the system chooses (the same again, if it had one)."""
    with _Server(("127.0.0.1", fake.port), _handler(fake)) as server:
        fake.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
