"""What an endpoint is sent: IDs, times and what happened; names only in the texts of chat systems, looked up when they are sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.money import as_decimal_text
from app.notices import queries
from app.tables import from_micros

_LONGEST_NAME = 200
_LONGEST_DETAIL = 1_000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_INVISIBLE = "\u200b"
_PERSON = {"lead": "became a lead", "mql": "is marketing qualified", "sql": "is sales qualified", "opportunity": "has an open deal"} | {
    "customer": "bought", "repeat_customer": "bought again", "lost": "was lost", "recycled": "went back to marketing",
    "mql_rejected": "was rejected by sales", "disqualified": "was disqualified",
}  # fmt: skip
_DEAL = {"won": "was won", "lost": "was lost", "reopened": "was reopened"}


def body_of(row: RowMapping) -> str:
    """The body of a notice, from a row of what there is to tell. Nobody's name and address stand in it."""
    # Of a visit that is to be told, the deal is what it is about.
    deal = (row["of_space"], row["of_deal"]) if "of_deal" in row else (row["space"], row["deal_id"])
    has_amount = row["amount_minor"] is not None and row["currency"]
    data = {
        "person_id": ids.public(row["person_id"]) if row["person_id"] else None,
        "space": deal[0] or None,
        "deal_id": deal[1] or None,
        **{name: row[name] for name in ("stage", "moved_by", "page") if name in row},
        **({"detail": row["detail"] and row["detail"][:_LONGEST_DETAIL]} if "detail" in row else {}),
        **({"started_at": _rfc3339(row["started_at"]), "due_at": _rfc3339(row["occurred_at"])} if "started_at" in row else {}),
        "owner": row["owner"],
        "amount": as_decimal_text(row["amount_minor"], row["currency"]) if has_amount else None,
        "currency": row["currency"] if has_amount else None,
        "url": row["url"],
    }
    return envelope(row["kind"], row["occurred_at"], data)


def envelope(type_: str, at: datetime, data: Mapping[str, Any]) -> str:
    """The JSON of Standard Webhooks: `type`, `timestamp`, `data`."""
    return json.dumps({"type": type_, "timestamp": _rfc3339(at), "data": data}, ensure_ascii=False, separators=(",", ":"))


def _rfc3339(moment: datetime | int) -> str:
    at = from_micros(moment) if isinstance(moment, int) else moment
    return at.isoformat().replace("+00:00", "Z")


# ---------------------------------------------------------------- texts for chat systems


@dataclass
class Names:
    """What the people and deals of some notices are called now."""

    people: dict[str, str] = field(default_factory=dict)
    deals: dict[tuple[str, str], str] = field(default_factory=dict)


async def names_for(connection: AsyncConnection, site_id: str, bodies: Iterable[tuple[str, str]]) -> Names:
    """The names for the texts of notices, each given as (person ID or empty, body)."""
    people, deals, here = set(), set(), {"site_id": site_id}
    for person_id, body in bodies:
        data = json.loads(body).get("data", {})
        people |= {person_id} - {""}
        if data.get("deal_id"):
            deals.add((data["space"], data["deal_id"]))
    names = Names()
    if people:
        known: dict[str, dict[str, str]] = {}
        for row in await connection.execute(queries.names_of_people(), {**here, "people": sorted(people)}):
            found = known.setdefault(row.asked, {})
            for kind, value in (("name", row.name), ("company", row.company), (row.kind, row.value)):
                if value:
                    found.setdefault(kind, value)
        names.people = {person: _called(found) for person, found in known.items() if _called(found)}
    if deals:
        rows = await connection.execute(queries.names_of_deals(), {**here, "deals": sorted(deals)})
        names.deals = {(row.space, row.deal_id): row.name or row.company_name for row in rows if row.name or row.company_name}
    return names


def _called(known: Mapping[str, str]) -> str:
    name = known.get("name") or known.get("email") or known.get("phone") or ""
    return f"{name} ({known['company']})" if name and known.get("company") else name


def text_of(body: str, person_id: str, names: Names, timezone: str) -> str:
    """One or two lines in plain words: what happened, to whom, and where the CRM shows it."""
    told = json.loads(body)
    data, zone = told["data"], ZoneInfo(timezone)
    deal = _deal(data, names)
    person = _plain(names.people.get(person_id) or data.get("person_id") or "somebody")
    line = {"stage_changed": _stage_changed, "contact_due": _contact_due, "hot_visit": _hot_visit}.get(told["type"], _test)
    sentence = line(data, person, deal, lambda text: datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M"))
    owner = f" Owner: {_plain(data['owner'])}." if data.get("owner") else ""
    # Line separators within an address would end it.
    link = f"\n{_plain(data['url'], longest=2_000)}" if data.get("url") else ""
    return sentence + owner + link


def _deal(data: Mapping[str, Any], names: Names) -> str:
    if not data.get("deal_id"):
        return ""
    called = _plain(names.deals.get((data["space"], data["deal_id"])) or data["deal_id"])
    return f"the deal {called}" + (f" ({data['amount']} {data['currency']})" if data.get("amount") else "")


def _stage_changed(data: Mapping[str, Any], person: str, deal: str, _at: Any) -> str:
    stage = data["stage"]
    because = f": {_plain(data['detail'])}" if data.get("detail") else ""
    if deal:
        return f"{deal[0].upper()}{deal[1:]} {_DEAL.get(stage, f'is now in the stage {_plain(stage)}')}{because}."
    return f"{person} {_PERSON.get(stage, f'is now {_plain(stage)}')}{because}."


def _contact_due(data: Mapping[str, Any], person: str, deal: str, at: Any) -> str:
    return f"Nobody has contacted {deal or person} yet. It was promised by {at(data['due_at'])}."


def _hot_visit(data: Mapping[str, Any], person: str, deal: str, _at: Any) -> str:
    return f"{person}, of {deal}, is on {_plain(data['page'])}."


def _test(_data: Mapping[str, Any], _person: str, _deal: str, _at: Any) -> str:
    return "A test from Closed Loop: notices arrive here."


def _plain(text: str, longest: int = _LONGEST_NAME) -> str:
    """A text from outside as a text and nothing else: no markup of Slack's, no mention, no link of Markdown's, no line of its own."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@" + _INVISIBLE).replace("](", "]" + _INVISIBLE + "(") if "://" not in line[:8] else escaped
