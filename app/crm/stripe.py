"""The provider `stripe`: signed events, and its API. What objects say is in `app.crm.stripe_records`; see `docs/crm/stripe.md`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from app import ids
from app.crm.api import Failed, Missing
from app.crm.messages import Said, snapshot
from app.crm.providers import Client, Delivery, NotUnderstood, Page, Provider, Read, StatedDeal, Wanted
from app.crm.senders import has_timed_signature
from app.crm.stripe_records import Around, id_of, said_of, subscription_of
from app.sites.connections import Connection
from app.sites.days import first_instant
from app.tables import from_micros

# ---------------------------------------------------------------- who may send


def _is_authentic(delivery: Delivery, connection: Connection) -> bool:
    """Whether one of the live secrets signed this, within five minutes of now."""
    return has_timed_signature(delivery, connection, "stripe-signature")


# ---------------------------------------------------------------- events

_SAID = {
    "checkout.session.completed", "checkout.session.async_payment_succeeded", "invoice.paid", "invoice.payment_succeeded",
    "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
}  # fmt: skip
_GIVEN_BACK = {
    "charge.refunded": "charges", "refund.created": "refunds", "refund.updated": "refunds", "refund.failed": "refunds",
    "charge.refund.updated": "refunds", "charge.dispute.closed": "disputes",
}  # fmt: skip
"""Which payment was given back is all that such an event says: whose it was, has to be asked."""
_FAILED = "checkout.session.async_payment_failed"
TYPES = (*sorted(_SAID), *_GIVEN_BACK, _FAILED)
"""The events that are read."""


def _read(delivery: Delivery, connection: Connection) -> Read:
    try:
        event = from_json(delivery.body, allow_inf_nan=False)
    except ValueError as error:
        raise NotUnderstood("This is no JSON.", is_readable=False) from error
    told = (event.get("data") or {}).get("object") if isinstance(event, dict) and isinstance(event.get("data"), dict) else None
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or not isinstance(event.get("type"), str):
        raise NotUnderstood("This is no event of Stripe: it has no type, or no data.object.")
    reason = _ignored_because(event, connection)
    if reason is not None:
        return Read(ignored={reason: 1})
    has_token = bool(connection.fields.api_token)
    said = _said_of_event(event, connection, Around()) if event["type"] not in _GIVEN_BACK or not has_token else []
    wanted = _wanted(event, told) if has_token else []
    sent_at = event.get("created") * 1_000_000 if isinstance(event.get("created"), int) else None
    return Read(tuple(said), tuple(wanted), {} if said or wanted else {"says_nothing": 1}, sent_at)


def _ignored_because(event: Mapping[str, Any], connection: Connection) -> str | None:
    settings = connection.fields.settings
    if event.get("livemode") is False and settings.fields.get("test_mode") != "1":
        return "test_mode"
    if settings.account_id is not None and event.get("account") not in {None, settings.account_id}:
        return "other_account"
    if event["type"] not in TYPES:
        return "not_read"
    # Before API version 2025-03-31 a charge names its invoice, and the invoice alone knows the subscription.
    is_of_invoice = event["type"] in _GIVEN_BACK and event["data"]["object"].get("invoice") and not connection.fields.api_token
    return "refund_of_invoice" if is_of_invoice else None


def _said_of_event(event: Mapping[str, Any], connection: Connection, around: Around) -> list[Said]:
    """What an event says. The same object says the same, whichever event or list brings it."""
    told = event["data"]["object"]
    is_change = event["type"] == "customer.subscription.updated"
    around = replace(
        _with_settings(around, connection), at=event.get("created") if is_change else None, is_test=event.get("livemode") is False
    )
    said = said_of(told, around)
    if event["type"] == _FAILED and said:
        deal_id = said[0].data["id"]
        said.append(
            snapshot("deal.lost", deal_id, {"id": deal_id, "lost_reason": "payment failed"}, int(event.get("created") or 0) * 1_000_000)
        )
    return said


def _with_settings(around: Around, connection: Connection) -> Around:
    return replace(around, fields=connection.fields.settings.fields)


def _wanted(event: Mapping[str, Any], told: Mapping[str, Any]) -> list[Wanted]:
    """What has to be asked: whose payment was given back, and since when a subscription is one."""
    kind, record_id = _GIVEN_BACK.get(event["type"]), str(told["id"])
    if kind is None and told.get("object") == "invoice":
        kind, record_id = "subscriptions", subscription_of(told) or ""
    if kind is None or not _ID.match(record_id):
        return []
    at = event["created"] * 1_000_000 if isinstance(event.get("created"), int) else None
    return [Wanted(ids.digest("event", str(event.get("id")), kind), kind, record_id, at)]


# ---------------------------------------------------------------- the API

_ID = re.compile(r"[A-Za-z0-9_]{1,200}\Z")
_PATHS = {"subscriptions": "/v1/subscriptions", "refunds": "/v1/refunds", "disputes": "/v1/disputes"}


async def _fetch(client: Client, connection: Connection, kind: str, record_ids: Sequence[str]) -> Sequence[Said]:
    """What those objects say now: Stripe gives them one by one."""
    found: list[Mapping[str, Any]] = []
    for each in dict.fromkeys(record_ids):
        if kind == "charges":
            found += _listed(await client.get("/v1/refunds", {"charge": each, "limit": 100}))
            continue
        try:
            found.append(await client.get(f"{_PATHS[kind]}/{each}"))
        except Missing:
            continue
    return await _said_of_all(client, connection, found)


async def _said_of_all(client: Client, connection: Connection, objects: Sequence[Mapping[str, Any]]) -> list[Said]:
    given_back = [each for each in objects if _is_given_back(each)]
    payments = [payment for each in given_back if (payment := id_of(_content(each).get("payment_intent"))) is not None]
    around = Around(deals={payment: await _deal_of(client, payment) for payment in dict.fromkeys(payments)})
    return [said for each in objects for said in _said_of_one(each, connection, around)]


def _is_given_back(told: Mapping[str, Any]) -> bool:
    return told.get("type") in _GIVEN_BACK if told.get("object") == "event" else told.get("object") in {"refund", "dispute"}


def _content(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return told["data"]["object"] if told.get("object") == "event" else told


def _said_of_one(told: Mapping[str, Any], connection: Connection, around: Around) -> list[Said]:
    """What an object, or the one of an event, says. What was bought with test cards, nothing."""
    is_event = told.get("object") == "event"
    if _ignored_because(told if is_event else {**told, "type": TYPES[0]}, connection) is not None:
        return []
    if is_event:
        return _said_of_event(told, connection, around)
    return said_of(told, replace(_with_settings(around, connection), is_test=told.get("livemode") is False))


async def _deal_of(client: Client, payment_id: str) -> str:
    """The subscription or the invoice that a payment paid, else the payment itself."""
    asked = {"payment[type]": "payment_intent", "payment[payment_intent]": payment_id, "limit": 1, "expand[]": "data.invoice"}
    for each in _listed(await client.get("/v1/invoice_payments", asked)):
        invoice = each.get("invoice")
        return (subscription_of(invoice) if isinstance(invoice, dict) else None) or id_of(invoice) or payment_id
    return payment_id


def _listed(answer: Any) -> list[Mapping[str, Any]]:
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise Failed("Stripe answered with something that is no list")
    return list(answer["data"])


# ---------------------------------------------------------------- what changed


@dataclass(frozen=True)
class _Source:
    """A list to read. `limit` is small where each object needs a call of its own."""

    path: str
    params: tuple[tuple[str, str], ...] = ()
    limit: int = 100


_CHECKOUTS = _Source("/v1/checkout/sessions", (("status", "complete"),))
_INVOICES = _Source("/v1/invoices", (("status", "paid"), ("expand[]", "data.parent.subscription_details.subscription")))
_SUBSCRIPTIONS = _Source("/v1/subscriptions", (("status", "all"),))
_SOURCES = (
    _CHECKOUTS,
    _INVOICES,
    _SUBSCRIPTIONS,
    _Source("/v1/refunds", limit=25),
    _Source("/v1/disputes", limit=25),
    _Source("/v1/events", tuple(("types[]", each) for each in TYPES), limit=25),
)
"""Lists know what was made since, as far back as one asks; events know what changed, for thirty days."""


async def _poll(client: Client, connection: Connection, _kind: str, since: int, cursor: str | None) -> Page:
    """A page of what was made, and of what changed, at or after `since`.

    Stripe lists the newest first, from an object on: what is made meanwhile comes with the next round.
    """
    number, _, after = (cursor or "0:").partition(":")
    source = _SOURCES[int(number)]
    asked = [
        *source.params,
        ("created[gte]", str(since // 1_000_000)),
        ("limit", str(source.limit)),
        *([("starting_after", after)] if after else []),
    ]
    answer = await client.get(source.path, asked)
    objects = _listed(answer)
    said = await _said_of_all(client, connection, objects)
    if answer.get("has_more") and objects:
        return Page(tuple(said), f"{number}:{objects[-1]['id']}")
    following = int(number) + 1
    return Page(tuple(said), f"{following}:" if following < len(_SOURCES) else None)


# ---------------------------------------------------------------- what was won in a month


def _invoices(collection_method: str) -> _Source:
    return replace(_INVOICES, params=(*_INVOICES.params, ("collection_method", collection_method)))


_WON_BY = (
    (_CHECKOUTS, timedelta(days=31)),
    (_SUBSCRIPTIONS, timedelta(days=366)),
    (_invoices("charge_automatically"), timedelta(days=62)),
    (_invoices("send_invoice"), timedelta(days=366)),
)
"""What wins a deal, and how long before the month it can have been made: lists have no filter by when something was paid.
A card is tried for two months at most; a trial, and an invoice that was sent, may take longer."""
_UNTIL_CHARGED = timedelta(days=1)
"""The invoice of a trial's end is paid about an hour after it."""


async def _won_in(client: Client, connection: Connection, month: str) -> list[StatedDeal]:
    """The deals won in a month of the account's time zone: what its objects say, as messages say it, each deal folded to its win."""
    zone = _zone(await client.get("/v1/account"))
    first = date.fromisoformat(f"{month}-01")
    starts_at, ends_at = (first_instant(day, zone) for day in (first, (first + timedelta(days=31)).replace(day=1)))
    said: dict[str, list[Said]] = {}
    for source, before in _WON_BY:
        made = (int((starts_at - before).timestamp()), int((ends_at + _UNTIL_CHARGED).timestamp()))
        for told in await _made_between(client, source, *made):
            for each in _said_of_one(told, connection, Around()):
                said.setdefault(each.data["id"], []).append(each)
    stated = [_stated(deal_id, of_deal, zone) for deal_id, of_deal in said.items()]
    return [each for each in stated if each is not None and (each.closed_on or "").startswith(month)]


async def _made_between(client: Client, source: _Source, since: int, until: int) -> list[Mapping[str, Any]]:
    """Every object of a list that was made then, `until` excluded; seconds."""
    asked = [*source.params, ("created[gte]", str(since)), ("created[lt]", str(until)), ("limit", str(source.limit))]
    found: list[Mapping[str, Any]] = []
    while True:
        answer = await client.get(source.path, [*asked, *([("starting_after", found[-1]["id"])] if found else [])])
        objects = _listed(answer)
        found += objects
        if not objects or not answer.get("has_more"):
            return found


def _stated(deal_id: str, said: Sequence[Said], zone: ZoneInfo) -> StatedDeal | None:
    """A deal with the day of its win, and the amount that it was won with; None: it is not won.

    A trial is won with what is paid at its end. Later invoices, and what was given back, are no part of the win.
    """
    in_order = sorted(said, key=lambda each: each.occurred_at or 0)
    turns = [each for each in in_order if each.type in {"deal.won", "deal.lost"}]
    if not turns or turns[-1].type == "deal.lost":
        return None
    won_at = next(each.occurred_at or 0 for each in turns if each.type == "deal.won")
    prices = [each.data["amount"] for each in in_order if each.type in {"deal.won", "deal.created"} and "amount" in each.data]
    later = [each.data["amount"] for each in in_order if each.type == "deal.adjusted" and (each.occurred_at or 0) >= won_at]
    amount = next((each for each in [*prices[-1:], *later] if float(each)), None)
    name, currency = (next((each.data[word] for each in in_order if word in each.data), None) for word in ("name", "currency"))
    return StatedDeal(deal_id, name, amount, currency, from_micros(won_at).astimezone(zone).date().isoformat())


def _zone(account: Mapping[str, Any]) -> ZoneInfo:
    """The time zone in which the account's own reports count."""
    try:
        return ZoneInfo(str(((account.get("settings") or {}).get("dashboard") or {}).get("timezone")))
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")


# ---------------------------------------------------------------- the account


async def _account(client: Client, _connection: Connection) -> str:
    """Whose account the key opens."""
    told = await client.get("/v1/account")
    name = ((told.get("settings") or {}).get("dashboard") or {}).get("display_name") or (told.get("business_profile") or {}).get("name")
    return f"{name or 'an account'} ({told.get('id')})"


PROVIDER = Provider(
    name="stripe",
    title="Stripe",
    is_authentic=_is_authentic,
    read=_read,
    secret_is="the signing secret that Stripe shows of the webhook endpoint (whsec_…)",  # noqa: S106
    base_url="https://api.stripe.com",
    authorisation=lambda token: {"Authorization": f"Bearer {token}", "Stripe-Version": "2025-03-31.basil"},
    fetches=("charges", "refunds", "disputes", "subscriptions"),
    most_fetched=25,
    fetch=_fetch,
    polls=("deals",),
    poll=_poll,
    account=_account,
    won_in=_won_in,
)
