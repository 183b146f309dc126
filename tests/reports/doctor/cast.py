"""A site on which everything that the doctor looks for has gone wrong, each thing once, and each with money of its own.

The amounts are powers of two, so that a sum says whose it is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app import ids, tables
from app.db import Database
from app.pipeline import run_until_idle
from tests.crm.messages import ADMIN
from tests.facts import put
from tests.reports.story import tell

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOST = "https://acme.example"

Facts = list[dict[str, Any]]


def seen(who: str, *pages: dict[str, Any]) -> Facts:
    """What somebody looked at on 2 March from ten o'clock on, and the form that they sent at noon."""
    visits = [
        {"id": f"{who}-{at}", "type": "visit", "visitor_id": f"v-{who}", "occurred_at": f"2026-03-02T10:{at:02d}:00Z", "url": HOST + "/", **page}
        for at, page in zip((0, 5, 45), pages, strict=False)
    ]
    form = {
        "id": f"{who}-form", "type": "form_submit", "visitor_id": f"v-{who}", "occurred_at": "2026-03-02T12:00:00Z", "url": HOST + "/contact",
        "form": "contact", "email": f"{who}@buyer.example",
    }  # fmt: skip
    return [*visits, form]


def won(who: str, dollars: int | None, *emails: str, **more: Any) -> Facts:
    """A deal of theirs that is won on 10 March, worth so many dollars."""
    money = {} if dollars is None else {"amount": f"{dollars}.00", "currency": "USD"}
    deal = {"id": who, "outcome": "won", "contacts": list(emails or (f"{who}@buyer.example",)), **money, **more}
    return [{"id": f"won-{who}", "type": "deal_closed", "occurred_at": "2026-03-10T18:00:00Z", "deal": deal}]


def page(query: str = "", referrer: str | None = None, host: str = HOST) -> dict[str, Any]:
    return {"url": f"{host}/{query}", **({"referrer": referrer} if referrer else {})}


FROM_GATEWAY = page("thanks", "https://returns.example/")
CAST: dict[str, Facts] = {
    "own host": [*seen("own", page(referrer="https://acme-shop.example/cart")), *won("own", 1), *seen("shopper", page(host="https://acme-shop.example"))],
    "like the site": [*seen("alike", page(referrer="https://acme.pages.example/")), *won("alike", 2)],
    "gateway by its name": [*seen("payer", page(referrer="https://pay.bank.example/")), *won("payer", 4)],
    "gateway by what it does": [
        *(fact for who in ("back1", "back2", "back3") for fact in seen(who, page(), page("checkout"), FROM_GATEWAY)),
        *won("back1", 8),
    ],
    "internal link": [
        *seen("hero", page(referrer="https://www.google.com/"), page("prices?utm_source=home&utm_medium=banner&utm_campaign=hero", HOST + "/")),
        *won("hero", 16),
    ],
    "another host": [*seen("staging", page(host="https://staging.elsewhere.example")), *won("staging", 32)],
    "untagged click": [*seen("click", page("?gclid=abc")), *won("click", 64), *seen("tagged", page("?gclid=d&utm_source=google&utm_medium=cpc&utm_campaign=x"))],
    "case": [
        *seen("upper", page("?utm_source=google&utm_medium=cpc&utm_campaign=Spring")), *won("upper", 128),
        *seen("lower", page("?utm_source=google&utm_medium=cpc&utm_campaign=spring")), *won("lower", 256),
    ],
    "spelling": [
        *seen("hyphen", page("?utm_source=news&utm_medium=email&utm_campaign=autumn-sale")), *won("hyphen", 512),
        *seen("hyphen2", page("?utm_source=news&utm_medium=email&utm_campaign=autumn-sale")),
        *seen("score", page("?utm_source=news&utm_medium=email&utm_campaign=autumn_sale")), *won("score", 1_024),
    ],
    "no source": [*seen("lonely", page("?utm_campaign=lonely")), *won("lonely", 2_048)],
    "mail without tags": [*seen("mail", page(referrer="https://mail.yahoo.com/")), *won("mail", 1_048_576)],
    "no rule": [*seen("odd", page("?utm_source=foo&utm_medium=bar&utm_campaign=baz")), *won("odd", 4_096)],
    "nobody": won("nobody", 8_192, contacts=[]),
    "never seen": won("unseen", 16_384),
    "long ago": [
        *({**fact, "id": f"{fact['id']}-old", "occurred_at": fact["occurred_at"].replace("2026", "2025")} for fact in seen("old", page())),
        *won("old", 32_768),
    ],
    "future": [*seen("future", page()), *won("future", 65_536, closed_on="2026-05-01")],
    "before": [*seen("before", page()), *won("before", 131_072, closed_on="2026-03-04", opened_at="2026-03-08T09:00:00Z")],
    "no amount": [*seen("free", page()), *won("free", None)],
    "euro": [*seen("euro", page()), *won("euro", 100, currency="EUR")],
    "page gone silent": [*seen("old-page", page("old<b>")), *won("old-page", 262_144)],
    "host gone silent": [*seen("old-host", page(host="https://old.acme.example")), *won("old-host", 524_288)],
    "a stranger with the public key": seen("stranger", page(host="https://www.google.com")),
    "leads": [fact for number in range(9) for fact in seen(f"lead{number}", page())],
    "form without e-mail": [
        {"id": f"mute-{number}", "type": "form_submit", "visitor_id": f"v-mute{number}", "occurred_at": f"2026-03-03T10:0{number}:00Z",
         "url": HOST + "/demo", "form": "=demo", **({"email": "m@buyer.example"} if number == 5 else {})}
        for number in range(6)
    ],
}  # fmt: skip


async def play(client: httpx.AsyncClient, database: Database) -> None:
    """Tell the whole cast to the service, and let happen what no sender can tell."""
    settings = {"hosts": ["acme.example"], "goals": [{"name": "moved", "path": "/was-here"}, {"name": "prices", "path": "/prices"}]}
    assert (await client.patch("/v1/sites/default", json=settings, headers=ADMIN)).is_success
    assert (await client.post("/v1/connections", json={"id": "crm"}, headers=ADMIN)).status_code == 201
    await run_until_idle(database)
    await tell(client, database, *(fact for facts in CAST.values() for fact in facts))
    await _put_traffic(database)
    await _put_what_was_refused(database)


def views(host: str, path: str, *moments: datetime) -> Facts:
    """Rows of `events`: page views of one visitor, of which nothing is computed."""
    row = {
        "site_id": "default", "visitor_id": "v-everyone", "type": "pageview", "sequence": 0, "type_rank": 1, "start_rank": 2, "is_web": True,
        "origin_id": ids.digest(*[""] * 8), "has_internal_referrer": False, "host": host, "path": path, "has_email": False, "is_trusted": False,
    }  # fmt: skip
    return [{**row, "event_id": f"{host}{path}{at}", "occurred_at": at, "received_at": at} for at in moments]


def daily(first_day: int, days: int, *hours: int) -> list[datetime]:
    """Moments of so many days from so many days ago on, each so many hours earlier than now is."""
    return [NOW - timedelta(days=first_day - number, hours=hour) for number in range(days) for hour in hours]


async def _put_traffic(database: Database) -> None:
    alive = views("acme.example", "/alive", *daily(34, 35, 1, 2))
    old_page = views("acme.example", "/old<b>", *daily(34, 27, 1))
    seldom = views("acme.example", "/seldom", *daily(34, 13, 1))
    old_host = views("old.acme.example", "/", *daily(34, 27, 1))
    await put(database, tables.events, *alive, *old_page, *seldom, *old_host)


async def _put_what_was_refused(database: Database) -> None:
    here = {"site_id": "default"}
    fact = {"connection_id": "crm", "space": "generic", "type": "contact.updated", "deal_id": "", "body": "{}"}
    told = [{**here, **fact, "fact_id": f"f{n}", "occurred_at": at, "received_at": at} for n, at in enumerate(daily(34, 14, 1, 2))]
    drops = [("bad_signature:crm", 3), ("bot", 700), ("gpc", 300), ("webhook_ignored:crm", 5)]
    odd = [(NOW - timedelta(days=n % 6, hours=1), f"o{n}") for n in range(12)] + [(NOW - timedelta(days=9), "older")]
    await put(database, tables.crm_facts, *told)
    await put(database, tables.drops, *({**here, "day": "2026-03-20", "reason": reason, "count": count} for reason, count in drops))
    await put(
        database, tables.quarantine,
        *({**here, "quarantine_id": name, "door": "events", "reason": "<b>no</b> type", "body": "{}", "is_trusted": False, "received_at": at}
          for at, name in odd),
    )  # fmt: skip
    crowded = {**here, "key_id": "e_test", "day_number": 20_517, "visitors": 40}
    await put(database, tables.crowded_days, crowded)
    contact = {**here, "key_id": "e_test", "kind": "email", "value": "=test@test.example", "occurred_at": NOW}
    await put(database, tables.contacts, contact)
    await put(database, tables.failed_keys, {**here, "stage": "deals", "dirty_key": "[]", "error": "no", "failed_at": NOW})
    pause = {"connection_id": "crm", "kind": "", "paused_until": NOW + timedelta(hours=1), "tries": 2, "reason": "The token is not valid.", "paused_at": NOW}
    await put(database, tables.crm_pauses, {**here, **pause})
