"""What ties each visitor of a journey to its person, as an explanation shows it: the fact, when, with which kinds of keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app import ids
from app.attribution.question import Question
from app.reports.explanation_queries import evidence_of_conversion
from app.reports.figures import as_rfc3339
from app.reports.people_queries import keys_of_links

_KINDS = {"c": "contact", "e": "email", "p": "phone", "u": "user_id"}
"""By the first letter of a key; the order is that of keys."""
_KINDS_IN_WORDS = {"contact": "a CRM contact ID", "email": "an e-mail", "phone": "a phone number", "user_id": "a user ID"}
_NOTHING = "nothing has identified this visitor, which is a person of its own"


async def ties_of_conversion(connection: AsyncConnection, question: Question, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The visitors of the conversion's people, and what ties each to its person; never the address or number itself."""
    spans = (await connection.execute(evidence_of_conversion(question), parameters)).mappings().all()
    kinds = await _kinds_of_keys(connection, question.site_id, sorted({span["link_id"] for span in spans if span["link_id"]}))
    return [tie(span) | _evidence(span, kinds[span["link_id"]]) for span in spans]


async def _kinds_of_keys(connection: AsyncConnection, site_id: str, link_ids: Sequence[str]) -> dict[str | None, list[str]]:
    """By link: the kinds of the keys that were seen together."""
    found: dict[str | None, list[str]] = defaultdict(list)
    if link_ids:
        for row in await connection.execute(keys_of_links(), {"site_id": site_id, "link_ids": link_ids}):
            found[row.link_id].append(_KINDS[row.key_id[0]])
    return found


def _evidence(span: RowMapping, kinds: Sequence[str]) -> dict[str, Any]:
    if span["fact_id"] is None or span["fact_at"] is None:
        return {"is_contact": span["is_contact"], "evidence": None, "in_words": _NOTHING}
    seen = {"type": span["fact_type"], "occurred_at": as_rfc3339(span["fact_at"]), "keys": list(kinds)}
    where = "" if span["is_event"] else " of the CRM"
    words = f"{span['fact_type']}{where} on {span['fact_at']:%Y-%m-%d} with {listed(_KINDS_IN_WORDS[kind] for kind in kinds)}"
    return {"is_contact": span["is_contact"], "evidence": seen, "in_words": words}


def tie(span: RowMapping) -> dict[str, Any]:
    """Which person a visitor was, from when to when, and the fact that says so, as `POST /v1/people/unlink` takes it."""
    return {
        "visitor_id": span["visitor_id"],
        "person_id": ids.public(span["person_id"]),
        "from": _unless(span["starts_at"], 1970),
        "to": _unless(span["ends_at"], 9999),
        "because_of": unlinkable(span),
    }


def _unless(moment: datetime, year: int) -> str | None:
    """A time; null in the year that stands for the beginning, or the end, of time."""
    return None if moment.year == year else as_rfc3339(moment)


def unlinkable(fact: RowMapping) -> dict[str, str] | None:
    """The fact as `unlink` takes it; null for a visitor whom nothing has identified."""
    if fact["fact_id"] is None:
        return None
    return {"visitor_id": fact["visitor_id"], "event_id": fact["fact_id"]} if fact["is_event"] else {"fact_id": fact["fact_id"]}


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *rest, last = words
    return f"{', '.join(rest)} and {last}" if rest else last
