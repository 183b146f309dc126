"""An organization of Salesforce, on a real port: it answers SOQL, in pages, and fails, throttles, stalls and forgets tokens."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

ORGANIZATION = "00D000000000001EAA"
CLIENT, CLIENT_SECRET = "3MVG9consumer", "consumersecret"
TOKEN = "00D000!access-token"
_DATA = "/services/data/v62.0"
_ALWAYS = "Id IsDeleted CreatedDate LastModifiedDate SystemModstamp"
_PERSON = f"{_ALWAYS} FirstName LastName Name Email Phone MobilePhone OwnerId LeadSource HasOptedOutOfEmail DoNotCall"
_ACTIVITY = f"{_ALWAYS} WhoId WhatId Subject OwnerId ActivityDate Type Status"
SCHEMA = {
    "Opportunity": f"{_ALWAYS} Name Amount StageName IsWon IsClosed CloseDate LastStageChangeDate Type OwnerId AccountId",
    "OpportunityContactRole": f"{_ALWAYS} OpportunityId ContactId IsPrimary Role",
    "Contact": f"{_PERSON} AccountId",
    "Lead": f"{_PERSON} Company Website Status IsConverted ConvertedContactId ConvertedOpportunityId utm_source__c",
    "CampaignMember": f"{_ALWAYS} CampaignId LeadId ContactId Status HasResponded FirstRespondedDate",
    "OpportunityHistory": "Id IsDeleted OpportunityId StageName Amount CloseDate CreatedDate",
    "LeadHistory": "Id IsDeleted LeadId Field OldValue NewValue CreatedDate",
    "Task": f"{_ACTIVITY} TaskSubtype IsClosed CompletedDateTime CallType",
    "Event": f"{_ACTIVITY} EventSubtype StartDateTime ActivityDateTime",
    "OpportunityStage": "Id ApiName MasterLabel IsWon IsClosed IsActive SortOrder",
    "RecordType": "Id Name SobjectType IsActive",
    "Organization": "Id Name IsSandbox",
}
"""The fields that its integration user may see. There is one currency, and opportunities have no record types."""


class Organization:
    """What it holds, and what goes wrong next."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMA}
        self.visible = {name: set(fields.split()) for name, fields in SCHEMA.items()}
        self.batch = 2
        """Records of one answer: the rest comes by `nextRecordsUrl`."""
        self.mishaps: deque[str] = deque()
        """`expired`, `limit`, `down`, `stall`, `nonsense`: for the calls to come."""
        self.calls: list[str] = []
        self.tokens = {TOKEN}
        self._cursors: dict[str, list[dict[str, Any]]] = {}
        self.put("Organization", Id=ORGANIZATION, Name="Acme", IsSandbox=False)
        for place, (stage, is_won, is_closed) in enumerate((("Discovery", False, False), ("Signed", True, True), ("Dropped", False, True))):
            self.put("OpportunityStage", Id=f"01J00000000000{place}AAA", ApiName=stage, MasterLabel=stage, IsWon=is_won, IsClosed=is_closed,
                     IsActive=True, SortOrder=place)  # fmt: skip

    def put(self, object_name: str, **fields: Any) -> None:
        """A record as it is now, in place of what it was. Its `SystemModstamp` is its `LastModifiedDate`."""
        stamp = {"SystemModstamp": fields["LastModifiedDate"]} if "LastModifiedDate" in fields else {}
        rest = [record for record in self.records[object_name] if record["Id"] != fields["Id"]]
        self.records[object_name] = [*rest, {"IsDeleted": False, **stamp, **fields}]

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """(status, JSON) of an authorised GET."""
        if path.startswith(f"{_DATA}/sobjects/"):
            name = path.split("/")[5]
            if name not in self.visible:
                return 404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
            return 200, {"name": name, "fields": [{"name": field} for field in sorted(self.visible[name])]}
        if path in {f"{_DATA}/query", f"{_DATA}/queryAll"}:
            try:
                return 200, self._page(self._query(query["q"][0], path.endswith("queryAll")))
            except LookupError as error:
                return 400, [{"errorCode": "INVALID_FIELD", "message": f"No such column {error} on entity"}]
        cursor = path.rpartition("/")[2]
        if cursor in self._cursors:
            return 200, self._page(self._cursors.pop(cursor))
        return 400, [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}]

    def _page(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        page = {"totalSize": len(records), "done": len(records) <= self.batch, "records": records[: self.batch]}
        if not page["done"]:
            cursor = f"01g{len(self._cursors)}{time.monotonic_ns()}-{self.batch}"
            self._cursors[cursor] = records[self.batch :]
            page["nextRecordsUrl"] = f"{_DATA}/query/{cursor}"
        return page

    def _query(self, soql: str, with_deleted: bool) -> list[dict[str, Any]]:
        found = re.match(
            r"SELECT (?P<fields>.+) FROM (?P<name>\w+)(?: WHERE (?P<where>.+?))?(?: ORDER BY (?P<order>[\w, ]+?))?(?: LIMIT (?P<limit>\d+))?\Z",
            soql,
        )
        assert found is not None, soql
        where = _Condition(found["where"]) if found["where"] else None
        rows = [record for record in self.records[found["name"]] if with_deleted or not record["IsDeleted"]]
        rows = [record for record in rows if where is None or where.holds(record)]
        if found["order"]:
            keys = found["order"].split(", ")
            rows.sort(key=lambda record: [str(record.get(key)) for key in keys])
        return [self._projected(found["name"], found["fields"], record) for record in rows[: int(found["limit"] or 2_000)]]

    def _projected(self, name: str, fields: str, record: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"attributes": {"type": name, "url": f"{_DATA}/sobjects/{name}/{record['Id']}"}}
        for field in re.findall(r"\([^)]*\)|[\w.]+", fields):
            if field.startswith("("):
                roles = [each for each in self.records["OpportunityContactRole"] if each["OpportunityId"] == record["Id"]]
                found = re.match(r"\(SELECT (.+) FROM OpportunityContactRoles\)", field)
                assert found is not None
                listed = [self._projected("OpportunityContactRole", found[1], role) for role in roles]
                row["OpportunityContactRoles"] = self._page(listed) if listed else None
            elif "." in field:
                relation, _, inner = field.partition(".")
                related = record.get(relation)
                row[relation] = None if related is None else {**(row.get(relation) or {}), inner: related.get(inner)}
            elif field not in self.visible[name]:
                raise LookupError(field)
            else:
                row[field] = record.get(field)
        return row


class _Condition:
    """A WHERE clause, as far as the provider writes them."""

    def __init__(self, text: str) -> None:
        self.tokens = re.findall(r"'(?:\\.|[^'\\])*'|>=|[=<>(),]|[\w.:+-]+", text)

    def holds(self, record: dict[str, Any]) -> bool:
        self.left = list(self.tokens)
        result = self._any(record)
        assert not self.left, self.tokens
        return result

    def _any(self, record: dict[str, Any]) -> bool:
        result = self._all(record)
        while self.left[:1] == ["OR"]:
            self.left.pop(0)
            result = self._all(record) or result
        return result

    def _all(self, record: dict[str, Any]) -> bool:
        result = self._one(record)
        while self.left[:1] == ["AND"]:
            self.left.pop(0)
            result = self._one(record) and result
        return result

    def _one(self, record: dict[str, Any]) -> bool:
        first = self.left.pop(0)
        if first == "(":
            result = self._any(record)
            assert self.left.pop(0) == ")"
            return result
        held, sign, value = _plain(record.get(first)), self.left.pop(0), self.left.pop(0)
        if sign == "IN":
            values = []
            while (token := self.left.pop(0)) != ")":
                values += [] if token == "," else [_literal(token)]
            return held in values
        literal = _literal(value)
        return {"=": held == literal, ">": held > literal, ">=": held >= literal, "<": held < literal}[sign]


def _literal(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith("'") else _plain(token)


def _plain(value: Any) -> str:
    return (
        str(value).replace("+0000", "Z").lower()
        if isinstance(value, bool) or str(value) in {"TRUE", "FALSE"}
        else str(value).replace("+0000", "Z")
    )


class _Handler(BaseHTTPRequestHandler):
    organization: Organization

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url, org = urlsplit(self.path), self.organization
        org.calls.append(url.path)
        mishap = org.mishaps.popleft() if org.mishaps else ""
        if mishap == "stall":
            time.sleep(1.0)
        if mishap == "expired" or self.headers.get("Authorization", "").removeprefix("Bearer ") not in org.tokens:
            self._send(401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
        elif mishap == "limit":
            self._send(403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])
        elif mishap == "down":
            self._send(503, [{"message": "Server unavailable", "errorCode": "SERVER_UNAVAILABLE"}])
        else:
            self._send(*org.answer(url.path, parse_qs(url.query)))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        org = self.organization
        org.calls.append(self.path)
        if self.path != "/services/oauth2/token" or (form["client_id"], form["client_secret"]) != ([CLIENT], [CLIENT_SECRET]):
            self._send(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
            return
        token = f"{TOKEN}-{len(org.tokens)}"
        org.tokens.add(token)
        self._send(200, {"access_token": token, "token_type": "Bearer"})

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except BrokenPipeError:
            return  # whoever asked has given up


@contextmanager
def serving(organization: Organization) -> Iterator[str]:
    """Its address, while it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"organization": organization}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# ---------------------------------------------------------------- what it sends


def notification(number: int, object_name: str, **fields: Any) -> str:
    """One `<Notification>`; None is `xsi:nil`."""
    told = "".join(
        f'<sf:{name} xsi:nil="true"/>' if value is None else f"<sf:{name}>{escape(str(value))}</sf:{name}>"
        for name, value in fields.items()
    )
    return (
        f"<Notification><Id>04l{number:012}AAA</Id>"
        f'<sObject xsi:type="sf:{object_name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{told}</sObject></Notification>'
    )


def outbound_message(*notifications: str, organization: str = ORGANIZATION) -> str:
    """The whole SOAP message."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f'<OrganizationId>{organization}</OrganizationId><ActionId>04k000000000001AAA</ActionId><SessionId xsi:nil="true"/>'
        "<EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/62.0/00D000000000000</EnterpriseUrl>"
        "<PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/62.0/00D000000000000</PartnerUrl>"
        f"{''.join(notifications)}</notifications></soapenv:Body></soapenv:Envelope>"
    )
