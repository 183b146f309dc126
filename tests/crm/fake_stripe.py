"""Stripe's API as far as it is called: lists, the newest first, single objects, and which payment paid which invoice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crm.fake_server import FakeServer, Refused

TOKEN = "rk_live_made_up_for_tests"
ACCOUNT = "acct_1"
_LISTS = {"checkout.session": ["checkout", "sessions"], "invoice": ["invoices"], "subscription": ["subscriptions"], "refund": ["refunds"],
          "dispute": ["disputes"], "event": ["events"]}  # fmt: skip


@dataclass
class FakeStripe(FakeServer):
    """What the account holds."""

    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {kind: {} for kind in _LISTS})
    paid_by: dict[str, str] = field(default_factory=dict)
    """Invoice by payment."""
    zone: str = "Etc/UTC"

    def put(self, told: dict[str, Any]) -> dict[str, Any]:
        """An object as it is now."""
        return self.objects[told["object"]].setdefault(told["id"], told)

    def is_known(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {TOKEN}" and headers.get("stripe-version") == "2025-03-31.basil"

    def found(self, path: list[str], query: dict[str, str]) -> Any:
        match path[1:]:
            case ["account"]:
                return {"id": ACCOUNT, "object": "account", "settings": {"dashboard": {"display_name": "Acme", "timezone": self.zone}}}
            case ["invoice_payments"]:
                if query.get("payment[type]") != "payment_intent":
                    raise Refused(400, {"error": {"message": "Missing required param: payment[type]."}})
                invoice_id = self.paid_by.get(query["payment[payment_intent]"])
                return {"data": [{"id": "inpay_1", "invoice": self.objects["invoice"][invoice_id]}] if invoice_id else [], "has_more": False}
            case [*where]:
                kind = next((kind for kind, place in _LISTS.items() if where[: len(place)] == place), None)
                if kind is None:
                    return None
                rest = where[len(_LISTS[kind]) :]
                return self.objects[kind].get(rest[0]) if rest else self._listed(kind, query)
        return None

    def _listed(self, kind: str, query: dict[str, str]) -> Any:
        since, until = int(query.get("created[gte]", 0)), int(query.get("created[lt]", 2**40))
        method = query.get("collection_method")
        known = [
            each for each in self.objects[kind].values()
            if since <= each["created"] < until and query.get("charge") in {None, each.get("charge")}
            and method in {None, each.get("collection_method", "charge_automatically")}
        ]  # fmt: skip
        newest_first = sorted(known, key=lambda each: (each["created"], each["id"]), reverse=True)
        ids = [each["id"] for each in newest_first]
        start = ids.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        end = start + self.limited(query, most=100)
        return {"object": "list", "data": newest_first[start:end], "has_more": end < len(newest_first)}
