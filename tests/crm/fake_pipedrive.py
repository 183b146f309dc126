"""Pipedrive's API as far as it is called: lists of version 2 by IDs and by change, leads and users of version 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crm.fake_server import FakeServer, Refused

TOKEN = "0123456789abcdef0123456789abcdef01234567"
COMPANY = 12_882_925
DOMAIN = "acme"
USERS = [{"id": 91, "name": "Olga Owner", "email": "olga@acme.example", "active_flag": True}, {"id": 92, "name": "Left Long-Ago", "active_flag": False}]
PIPELINES = [{"id": 2, "name": "Hiring", "order_nr": 2, "is_deleted": False}, {"id": 1, "name": "Sales", "order_nr": 1, "is_deleted": False}]
STAGES = [
    {"id": 12, "name": "Offer", "pipeline_id": 1, "order_nr": 2, "is_deleted": False},
    {"id": 11, "name": "New", "pipeline_id": 1, "order_nr": 1, "is_deleted": False},
    {"id": 13, "name": "Gone", "pipeline_id": 1, "order_nr": 3, "is_deleted": True},
    {"id": 21, "name": "Applied", "pipeline_id": 2, "order_nr": 1, "is_deleted": False},
]


@dataclass
class FakePipedrive(FakeServer):
    """What the company holds, in the shape of version 2."""

    records: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {"deals": {}, "persons": {}, "organizations": {}, "activities": {}, "leads": {}}
    )
    has_campaigns: bool = True
    """Whether persons have a `marketing_status`."""
    zone: str = "Europe/Berlin"

    def put(self, kind: str, record_id: int | str, **fields: Any) -> dict[str, Any]:
        """A record is made or changed. Answers it as it is now."""
        record = self.records[kind].setdefault(str(record_id), {"id": record_id, "is_deleted": False})
        if kind in {"deals", "leads"}:
            record.setdefault("is_archived", False)
        record.update(fields)
        return record

    def is_known(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-api-token") == TOKEN

    def found(self, path: list[str], query: dict[str, str]) -> Any:
        match path:
            case ["api", "v2", "pipelines" | "stages" as what]:
                return self._page(PIPELINES if what == "pipelines" else STAGES, query)
            case ["api", "v2", "deals", "archived"]:
                return self._listed([each for each in self.records["deals"].values() if each["is_archived"]], query)
            case ["api", "v2", "persons"] if "deal_id" in query:
                return self._page(self._people_of(query["deal_id"]), query)
            case ["api", "v2", "deals" | "persons" | "organizations" | "activities" as kind]:
                return self._listed([self._shown(kind, each, query) for each in self._live(kind, query)], query)
            case ["v1", *rest]:
                return self._older_found(rest, query)
        return None

    def _older_found(self, path: list[str], query: dict[str, str]) -> Any:
        """What version 1 answers."""
        match path:
            case ["leads", "archived"]:
                return self._leads(query, is_archived=True)
            case ["leads"]:
                return self._leads(query, is_archived=False)
            case ["leads", lead_id]:
                lead = self.records["leads"].get(lead_id)
                return None if lead is None else {"success": True, "data": lead}
            case ["users"]:
                return {"success": True, "data": USERS}
            case ["users", "me"]:
                me = {**USERS[0], "company_id": COMPANY, "company_name": "Acme", "company_domain": DOMAIN, "timezone_name": self.zone}
                return {"success": True, "data": me}
        return None

    def _live(self, kind: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """What a list shows: of deals those that are not archived, by status; of the rest what is not deleted."""
        everyone = list(self.records[kind].values())
        if kind != "deals":
            return [each for each in everyone if not each["is_deleted"]]
        statuses = query.get("status", "open,won,lost").split(",")
        return [each for each in everyone if not each["is_archived"] and ("deleted" if each["is_deleted"] else each["status"]) in statuses]

    def _shown(self, kind: str, record: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        """A record with the fields that are included on request only."""
        on_request = {"deals": {"participants_count"}, "persons": {"marketing_status", "last_outgoing_mail_time", "last_incoming_mail_time"}}.get(kind, set())
        asked = {each for each in query.get("include_fields", "").split(",") if each}
        if asked - on_request or ("marketing_status" in asked and not self.has_campaigns):
            raise Refused(400, {"success": False, "error": "Parameter 'include_fields' has a value that is not allowed", "code": "ERR_SCHEMA_VALIDATION_FAILED"})
        return {name: value for name, value in record.items() if name not in on_request - asked and name != "participants"} | (
            {"participants": record["participants"]} if kind == "activities" and "participants" in record else {}
        )

    def _people_of(self, deal_id: str) -> list[dict[str, Any]]:
        deal = self.records["deals"][deal_id]
        return [self.records["persons"][str(each)] for each in deal["participants"]]

    def _listed(self, records: list[dict[str, Any]], query: dict[str, str]) -> Any:
        if "ids" in query:
            wanted = query["ids"].split(",")
            if len(wanted) > 100:
                raise Refused(400, {"success": False, "error": "ids: at most 100"})
            return self._page([each for each in records if str(each["id"]) in wanted], query)
        since = query.get("updated_since", "")
        changed = [each for each in records if each["update_time"] >= since]
        if query.get("sort_by") == "update_time":
            changed.sort(key=lambda each: (each["update_time"], each["id"]))
        return self._page(changed, query)

    def _page(self, records: list[dict[str, Any]], query: dict[str, str]) -> Any:
        start = int(query.get("cursor", "at-0").removeprefix("at-"))
        end = start + self.limited(query, most=500)
        return {"success": True, "data": records[start:end], "additional_data": {"next_cursor": f"at-{end}" if end < len(records) else None}}

    def _leads(self, query: dict[str, str], *, is_archived: bool) -> Any:
        if query.get("sort") != "update_time DESC":
            raise Refused(400, {"success": False, "error": "this stand-in sorts by update_time alone"})
        leads = [each for each in self.records["leads"].values() if each["is_archived"] == is_archived]
        leads.sort(key=lambda each: each["update_time"], reverse=True)
        start = int(query.get("start", 0))
        end = start + self.limited(query, most=500)
        more = {"start": start, "limit": end - start, "more_items_in_collection": end < len(leads)}
        return {"success": True, "data": leads[start:end], "additional_data": more}
