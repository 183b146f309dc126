"""Stripe: signed events, and its API. A checkout and its first invoice are one deal; what follows changes what it is worth."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app import tables
from app.crm.api import Api, Denied, Failed, Throttled, api_of
from app.crm.calls import Calls
from app.crm.connecting import preview
from app.crm.facts import facts_of
from app.crm.fetching import fetch_batch
from app.crm.messages import Said
from app.crm.polling import begin_polls, poll_page
from app.crm.providers import Delivery, NotUnderstood, Read, StatedDeal
from app.crm.stripe import PROVIDER
from app.crm.stripe_records import amount_text
from app.db import Database
from app.pipeline import run_until_idle
from app.settings import Settings
from app.sites.connections import Connection, ConnectionFields, ConnectionSettings, load_connection
from app.tables import from_micros, to_micros
from tests.crm.fake_server import BREAKS, STALLS, serving
from tests.crm.fake_stripe import ACCOUNT, TOKEN, FakeStripe
from tests.rows import assert_rows
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {SECRET_KEY}"}
SECRET = "whsec_made_up_for_tests"
DOOR = "/v1/webhooks/shop"
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)


def day(number: int, hour: int = 10) -> datetime:
    """A moment in March 2026."""
    return datetime(2026, 3, number, hour, tzinfo=UTC)


MARCH, PAID_AT = day(1), day(3, 11)


def unix(at: datetime) -> int:
    return int(at.timestamp())


def sender(*secrets: str, token: str | None = TOKEN, **settings: Any) -> Connection:
    fields = ConnectionFields(provider="stripe", api_token=token, settings=ConnectionSettings(**settings), reports_activities=False)
    return Connection("default", "shop", secrets or (SECRET,), fields, AT)


# ---------------------------------------------------------------- what Stripe sends


def signed(body: bytes, *secrets: str, age: timedelta = timedelta(0)) -> dict[str, str]:
    """`Stripe-Signature`, as Stripe makes it: a signature by each live secret."""
    stamp = str(int(time.time() - age.total_seconds()))
    made = [hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest() for secret in secrets or (SECRET,)]
    return {"Stripe-Signature": ",".join([f"t={stamp}", *(f"v1={each}" for each in made), "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"])}


def event(type_: str, told: dict[str, Any], at: datetime = AT, **more: Any) -> dict[str, Any]:
    base = {"id": f"evt_{type_}_{told['id']}_{unix(at)}", "object": "event", "api_version": "2025-03-31.basil", "created": unix(at), "livemode": True}
    return {**base, "type": type_, "data": {"object": told}, "pending_webhooks": 1, **more}


def checkout(**more: Any) -> dict[str, Any]:
    """A subscription, bought."""
    return {
        "id": "cs_1", "object": "checkout.session", "amount_total": 4_900, "currency": "usd", "client_reference_id": "v1", "created": unix(day(3)),
        "customer": "cus_1", "customer_details": {"email": "ada@initech.example", "name": "Ada Adams", "phone": None}, "customer_email": None,
        "invoice": "in_1", "livemode": True, "metadata": {}, "mode": "subscription", "payment_intent": None, "payment_status": "paid", "status": "complete",
        "subscription": "sub_1", **more,
    }  # fmt: skip


def invoice(number: int = 1, at: datetime = PAID_AT, *, is_older: bool = False, **more: Any) -> dict[str, Any]:
    """An invoice of the subscription, in the shape before or since API version 2025-03-31."""
    parent = {"subscription": "sub_1", "subscription_details": {"metadata": {}}} if is_older else {
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}}
    }  # fmt: skip
    return {
        "id": f"in_{number}", "object": "invoice", "amount_paid": 4_900, "currency": "usd", "created": unix(at), "customer": "cus_1", "livemode": True,
        "customer_email": "ada@initech.example", "customer_name": "Ada Adams", "status": "paid", "status_transitions": {"paid_at": unix(at)}, "metadata": {},
        "billing_reason": "subscription_create" if number == 1 else "subscription_cycle", "lines": {"data": [{"description": "1 × Pro"}]}, **parent, **more,
    }  # fmt: skip


def subscription(**more: Any) -> dict[str, Any]:
    price = {"unit_amount": 4_900, "recurring": {"interval": "month", "interval_count": 1}}
    return {
        "id": "sub_1", "object": "subscription", "status": "active", "created": unix(day(3)), "start_date": unix(day(3)), "currency": "usd", "livemode": True,
        "customer": "cus_1", "ended_at": None, "trial_end": None, "collection_method": "charge_automatically", "metadata": {},
        "items": {"data": [{"quantity": 1, "price": price, "current_period_start": unix(day(3))}]}, **more,
    }  # fmt: skip


def refund(**more: Any) -> dict[str, Any]:
    return {
        "id": "re_1", "object": "refund", "amount": 1_000, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1", "status": "succeeded",
        "created": unix(day(9)), **more,
    }  # fmt: skip


@pytest.fixture
async def door(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The service, with a connection to Stripe."""
    wanted = {"id": "shop", "provider": "stripe", "secret": SECRET, "api_token": TOKEN}
    made = await client.post("/v1/connections", json=wanted, headers=ADMIN)
    assert (made.status_code, made.json()["reports_activities"]) == (201, False)
    return client


async def post(door: httpx.AsyncClient, told: Any, **signing: Any) -> httpx.Response:
    body = json.dumps(told).encode()
    return await door.post(DOOR, content=body, headers=signed(body, **signing))


async def test_an_event_is_stored_once_however_often_it_is_sent(database: Database, door: httpx.AsyncClient) -> None:
    told = event("checkout.session.completed", checkout())
    assert [(await post(door, told)).json() for _ in range(2)] == [{"accepted": n, "duplicates": 1 - n, "rejected": []} for n in (1, 0)]
    await assert_rows(database, tables.deal_changes, ["space", "deal_id", "change", "occurred_at"], [["shop", "sub_1", "won", day(3)]])


async def test_wrong_stale_and_foreign_signatures_store_nothing(database: Database, door: httpx.AsyncClient) -> None:
    body = json.dumps(event("checkout.session.completed", checkout())).encode()
    good = signed(body)["Stripe-Signature"]
    stamp, first, _ = good.split(",")
    wrong = [
        {}, signed(body, "whsec_another"), signed(body + b" "), signed(body, age=timedelta(minutes=6)), signed(body, age=timedelta(minutes=-6)),
        {"Stripe-Signature": ""}, {"Stripe-Signature": first}, {"Stripe-Signature": stamp}, {"Stripe-Signature": f"t=soon,{first}"},
        {"Stripe-Signature": f"t={int(stamp[2:]) + 1},{first}"}, {"Stripe-Signature": f"{stamp},v0={first[3:]}"}, {"Stripe-Signature": f"{stamp},v1=é"},
    ]  # fmt: skip
    for headers in wrong:
        sent = {name: value.encode("latin-1") for name, value in headers.items()}
        assert (await door.post(DOOR, content=body, headers=sent)).status_code == 401, headers
    await assert_rows(database, tables.crm_facts, ["fact_id"], [])
    await assert_rows(database, tables.drops, ["reason", "count"], [["bad_signature:shop", len(wrong)]])


def test_both_live_secrets_hold_and_one_of_several_signatures_is_enough() -> None:
    for secrets, holds in ((["newest"], True), (["the-one-before"], True), (["ended"], False), (["ended", "newest"], True)):
        headers = {name.lower(): value for name, value in signed(b"{}", *secrets).items()}
        delivery = Delivery("POST", DOOR, headers, b"{}", to_micros(datetime.now(UTC)))
        assert PROVIDER.is_authentic(delivery, sender("newest", "the-one-before")) is holds


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(4_900, "USD", "49.00"), (5, "EUR", "0.05"), (-1_050, "USD", "-10.50"), (500, "JPY", "500"), (500, "MGA", "500"), (500, "UGX", "5.00"), (1_500, "KWD", "1.500"),
     (0, "USD", "0.00"), (None, "USD", "0.00")],
)  # fmt: skip
def test_amounts_have_stripes_own_decimals(minor: int | None, currency: str, text: str) -> None:
    assert amount_text(minor, currency) == text


# ---------------------------------------------------------------- what events say


def read(told: Any, connection: Connection | None = None) -> Read:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return PROVIDER.read(Delivery("POST", DOOR, {}, body, to_micros(AT)), connection or sender())


def plain(said: Sequence[Said]) -> list[tuple[str, dict[str, Any], datetime | None]]:
    return [(each.type, each.data, None if each.occurred_at is None else from_micros(each.occurred_at)) for each in said]


ADA = {"id": "cus_1", "email": "ada@initech.example", "name": "Ada Adams"}
SUBSCRIBED = {"id": "sub_1", "pipeline": "subscription", "url": "https://dashboard.stripe.com/subscriptions/sub_1", "currency": "USD"}
BOUGHT = {**SUBSCRIBED, "visitor_id": "v1", "contacts": [{**ADA, "visitor_id": "v1"}], "amount": "49.00"}


def test_a_checkout_is_a_won_deal_with_its_buyer_and_browser() -> None:
    assert plain(read(event("checkout.session.completed", checkout())).said) == [("deal.won", BOUGHT, day(3))]
    again = event("checkout.session.async_payment_succeeded", checkout(), at=day(5))
    assert read(again).said == read(event("checkout.session.completed", checkout())).said


@pytest.mark.parametrize(
    ("changes", "type_", "says"),
    [
        ({"payment_status": "unpaid"}, "deal.created", {"id": "sub_1", "amount": "49.00"}),
        ({"payment_status": "no_payment_required", "amount_total": 0}, "deal.created", {"id": "sub_1", "amount": "0.00"}),
        ({"mode": "payment", "subscription": None, "invoice": None, "payment_intent": "pi_1", "currency": "jpy"}, "deal.won", {"id": "pi_1", "amount": "4900", "currency": "JPY"}),
        ({"mode": "payment", "subscription": None, "payment_intent": "pi_1"}, "deal.won", {"id": "in_1", "pipeline": "payment"}),
        ({"mode": "payment", "subscription": None, "invoice": None, "payment_status": "no_payment_required", "amount_total": 0}, "deal.won", {"id": "cs_1", "amount": "0.00"}),
        ({"client_reference_id": "order-7", "metadata": {"visitor_id": "v2"}}, "deal.won", {"visitor_id": "v2"}),
        ({"livemode": False}, "deal.won", {"url": "https://dashboard.stripe.com/test/subscriptions/sub_1"}),
    ],
)  # fmt: skip
def test_checkouts_of_every_kind(changes: dict[str, Any], type_: str, says: dict[str, Any]) -> None:
    told = event("checkout.session.completed", checkout(**changes), livemode=changes.get("livemode", True))
    [(said, data, _)] = plain(read(told, sender(fields={"test_mode": "1"})).said)
    assert (said, data | says) == (type_, data)


def test_settings_say_what_the_reference_and_the_metadata_are() -> None:
    fields = {"user_id": "client_reference_id", "visitor_id": "browser", "plan": "plan"}
    told = event("checkout.session.completed", checkout(metadata={"browser": "v9", "plan": "Pro"}))
    [(_, data, _)] = plain(read(told, sender(fields=fields)).said)
    assert (data["visitor_id"], data["contacts"][0]["user_id"], data["properties"]) == ("v9", "v1", {"plan": "Pro"})
    [(_, data, _)] = plain(read(event("checkout.session.completed", checkout()), sender(fields={"user_id": "client_reference_id"})).said)
    assert ("visitor_id" in data, data["contacts"][0]["user_id"]) == (False, "v1")


def test_a_payment_that_failed_later_is_lost() -> None:
    said = plain(read(event("checkout.session.async_payment_failed", checkout(payment_status="unpaid"), at=day(6))).said)
    assert [(type_, at) for type_, _, at in said] == [("deal.created", day(3)), ("deal.lost", day(6))]
    assert said[1][1] == {"id": "sub_1", "lost_reason": "payment failed"}


@pytest.mark.parametrize("is_older", [False, True])
def test_the_first_invoice_is_the_win_and_the_later_ones_change_it(is_older: bool) -> None:
    first = read(event("invoice.paid", invoice(is_older=is_older)))
    paid = {**SUBSCRIBED, "contacts": [ADA], "amount": "49.00"}
    assert plain(first.said) == [("deal.won", {**paid, "name": "1 × Pro"}, day(3, 11))]
    assert [(each.kind, each.record_id) for each in first.wanted] == [("subscriptions", "sub_1")]
    later = invoice(2, day(20), is_older=is_older, amount_paid=5_900)
    assert plain(read(event("invoice.paid", later)).said) == [("deal.adjusted", {**paid, "amount": "59.00"}, day(20))]
    assert read(event("invoice.payment_succeeded", later, at=day(21))).said == read(event("invoice.paid", later)).said
    assert read(event("invoice.paid", invoice(3, amount_paid=0)), sender(token=None)).ignored == {"says_nothing": 1}


def test_an_invoice_of_its_own_is_a_deal_of_its_own() -> None:
    alone = invoice(7, billing_reason="manual", parent=None, amount_paid=100_000)
    [(type_, data, at)] = plain(read(event("invoice.paid", alone), sender(token=None)).said)
    assert (type_, data["id"], data["amount"], data["pipeline"], at) == ("deal.won", "in_7", "1000.00", "payment", day(3, 11))


STATE = {**SUBSCRIBED, "opened_at": "2026-03-03T10:00:00Z", "recurring": {"amount": "49.00", "period": "month"}}
TRIAL = {"trial_end": unix(day(17))}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, [("deal.won", day(3))]),
        ({"status": "incomplete"}, []),
        ({"status": "incomplete_expired", "ended_at": unix(day(4))}, [("deal.lost", day(4))]),
        ({"collection_method": "send_invoice"}, []),
        ({**TRIAL, "status": "trialing"}, []),
        ({**TRIAL}, [("deal.won", day(17))]),
        ({**TRIAL, "status": "canceled", "ended_at": unix(day(17))}, [("deal.lost", day(17))]),
        ({**TRIAL, "status": "canceled", "ended_at": unix(day(25))}, [("deal.won", day(17)), ("deal.churned", day(25))]),
        ({"status": "canceled", "ended_at": unix(day(25))}, [("deal.won", day(3)), ("deal.churned", day(25))]),
        ({"items": {"data": [{"quantity": 1, "price": {"unit_amount": 0, "recurring": {"interval": "month", "interval_count": 1}}}]}}, []),
    ],
)
def test_how_a_subscription_stands(changes: dict[str, Any], says: list[tuple[str, datetime]]) -> None:
    [(type_, data, _), *turns] = plain(read(event("customer.subscription.updated", subscription(**changes))).said)
    assert (type_, {**data, "recurring": STATE["recurring"]}) == ("deal.updated", STATE)
    assert [(turn, at) for turn, _, at in turns] == says


@pytest.mark.parametrize(("interval", "count", "quantity", "recurring"), [
    ("month", 1, 3, {"amount": "147.00", "period": "month"}), ("year", 1, 1, {"amount": "49.00", "period": "year"}),
    ("month", 12, 1, {"amount": "49.00", "period": "year"}), ("month", 3, 1, None), ("week", 1, 1, None),
])  # fmt: skip
def test_what_a_subscription_brings_each_period(interval: str, count: int, quantity: int, recurring: Any) -> None:
    price = {"unit_amount": 4_900, "recurring": {"interval": interval, "interval_count": count}}
    told = subscription(items={"data": [{"quantity": quantity, "price": price}]})
    assert plain(read(event("customer.subscription.created", told)).said)[0][1].get("recurring") == recurring


def test_what_is_given_back_is_asked_for_or_taken_as_it_is() -> None:
    back = event("refund.created", refund())
    charge = {"id": "ch_1", "object": "charge", "amount_refunded": 1_000, "payment_intent": "pi_1", "refunds": {"data": [refund(payment_intent=None) | {"payment_intent": "pi_1"}]}}
    lost = event("charge.dispute.closed", {"id": "dp_1", "object": "dispute", "status": "lost", "amount": 4_900, "currency": "usd", "payment_intent": "pi_1", "created": unix(day(9))})
    for told, kind in ((back, "refunds"), (event("charge.refunded", charge), "charges"), (lost, "disputes")):
        assert [(each.kind, each.record_id) for each in read(told).wanted] == [(kind, told["data"]["object"]["id"])]
        assert read(told).said == ()
    bare = sender(token=None)
    taken = ("deal.adjusted", {"id": "pi_1", "amount": "-10.00", "currency": "USD"}, day(9))
    assert plain(read(back, bare).said) == [taken]
    # The charge tells of the same refund: once.
    assert read(event("charge.refunded", charge), bare).said == read(back, bare).said
    assert plain(read(lost, bare).said) == [("deal.adjusted", {"id": "pi_1", "amount": "-49.00", "currency": "USD"}, day(9))]
    failed = plain(read(event("refund.failed", refund(status="failed")), bare).said)
    assert [data["amount"] for _, data, _ in failed] == ["-10.00", "10.00"]
    assert read(event("charge.refunded", charge | {"invoice": "in_1"}), bare).ignored == {"refund_of_invoice": 1}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (event("checkout.session.completed", checkout(), livemode=False), "test_mode"), (event("customer.created", {"id": "cus_1"}), "not_read"),
        (event("checkout.session.completed", checkout(), account="acct_2"), "other_account"),
        (event("checkout.session.completed", checkout(mode="setup")), "says_nothing"),
        (event("charge.dispute.created", {"id": "dp_1"}), "not_read"),
    ],
)  # fmt: skip
def test_what_is_none_of_our_business_is_counted(told: dict[str, Any], reason: str) -> None:
    found = read(told, sender(account_id=ACCOUNT))
    assert (found.said, found.wanted, found.ignored) == ((), (), {reason: 1})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{}", b'{"type": "invoice.paid"}', b'{"type": "invoice.paid", "data": {"object": 7}}', b"[" * 5_000])
def test_what_cannot_be_understood_says_so(body: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(body)


# ---------------------------------------------------------------- the API


@pytest.fixture
def stripe() -> Iterator[FakeStripe]:
    """A shop with a subscription that was paid twice, refunded in part and ended, and one order."""
    fake = FakeStripe()
    ended = subscription(status="canceled", ended_at=unix(day(28)))
    order = checkout(id="cs_2", mode="payment", subscription=None, invoice=None, payment_intent="pi_9", amount_total=2_000, created=unix(day(6)), client_reference_id=None)
    for told in (checkout(), order, invoice(), invoice(2, day(20), amount_paid=5_900), ended, refund(), refund(id="re_2", payment_intent="pi_9", amount=500)):
        fake.put(told)
    fake.paid_by["pi_1"] = "in_1"
    for type_, told, at in (("invoice.paid", invoice(), day(3, 11)), ("refund.created", refund(), day(9)), ("customer.subscription.deleted", ended, day(28))):
        fake.put(event(type_, told, at))
    with serving(fake):
        yield fake


@pytest.fixture
async def api(stripe: FakeStripe) -> AsyncIterator[Api]:
    async with api_waiting(stripe, seconds=30) as opened:
        yield opened


@asynccontextmanager
async def api_waiting(stripe: FakeStripe, seconds: float) -> AsyncIterator[Api]:
    there = sender()
    there = replace(there, fields=there.fields.model_copy(update={"api_base_url": stripe.url}))
    async with api_of(there, PROVIDER, allow_private=True, seconds=seconds) as opened:
        yield opened


async def fetch(api: Api, kind: str, *record_ids: str, **settings: Any) -> list[Said]:
    assert PROVIDER.fetch is not None
    return [*await PROVIDER.fetch(api, sender(**settings), kind, record_ids)]


async def poll(api: Api, since: datetime = MARCH, **settings: Any) -> list[Said]:
    """Every page of a round."""
    assert PROVIDER.poll is not None
    said: list[Said] = []
    cursor: str | None = None
    while True:
        page = await PROVIDER.poll(api, sender(**settings), "deals", to_micros(since), cursor)
        said += page.said
        assert page.cursor is None or page.cursor != cursor
        cursor = page.cursor
        if cursor is None:
            return said


async def test_a_refund_is_of_the_deal_whose_payment_it_gives_back(api: Api) -> None:
    said = [*await fetch(api, "refunds", "re_1", "re_2", "re_9"), *await fetch(api, "charges", "ch_1")]
    assert [(each.data["id"], each.data["amount"]) for each in said] == [("sub_1", "-10.00"), ("pi_9", "-5.00"), ("pi_9", "-5.00"), ("sub_1", "-10.00")]
    assert len({each.id for each in said}) == 2


async def test_polling_says_what_events_and_fetching_say(stripe: FakeStripe, api: Api) -> None:
    at_once = [*read(event("checkout.session.completed", checkout())).said, *read(event("invoice.paid", invoice())).said]
    fetched = [*await fetch(api, "subscriptions", "sub_1"), *await fetch(api, "refunds", "re_1", "re_2")]
    polled = {said.id: said for said in await poll(api)}
    assert {said.id: said for said in [*at_once, *fetched]}.items() <= polled.items()
    assert sorted(said.type for said in polled.values()) == ["deal.adjusted"] * 3 + ["deal.churned", "deal.updated", *["deal.won"] * 4]
    stripe.page_size = 1
    assert {said.id for said in await poll(api)} == set(polled)
    assert {said.type for said in await poll(api, since=day(25))} == {"deal.updated", "deal.won", "deal.churned"}


async def test_test_cards_buy_nothing(stripe: FakeStripe, api: Api) -> None:
    stripe.put(checkout(id="cs_3", subscription="sub_3", livemode=False))
    stripe.put(event("checkout.session.completed", checkout(id="cs_4", subscription="sub_4", livemode=False), livemode=False))
    assert not {"sub_3", "sub_4"} & {said.data["id"] for said in await poll(api)}
    assert {"sub_3", "sub_4"} <= {said.data["id"] for said in await poll(api, fields={"test_mode": "1"})}


async def test_a_preview_shows_what_was_bought_and_not_what_was_given_back(api: Api) -> None:
    shown = await preview(api, sender(), PROVIDER, [], day(1))
    assert sorted((each.name, each.amount, each.counts_as) for each in shown) == [("1 × Pro", "49.00 USD", "won"), ("pi_9", "20.00 USD", "won")]


async def test_the_account(api: Api) -> None:
    assert PROVIDER.account is not None
    assert await PROVIDER.account(api, sender()) == f"Acme ({ACCOUNT})"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ((429, {"retry-after": "7"}, {"error": {"message": "Request rate limit exceeded."}}), Throttled),
        ((500, {}, {"error": {"type": "api_error"}}), Failed),
        ((BREAKS, {}, {}), Failed),
        ((403, {}, {"error": {"message": "The provided key does not have the required permissions"}}), Denied),
        ((200, {}, {"object": "refund"}), Failed),
    ],
)
async def test_trouble_is_never_taken_for_an_answer(stripe: FakeStripe, api: Api, fault: Any, error: type[Exception]) -> None:
    for calls in range(2):
        stripe.calls_before_faults = calls
        stripe.faults.append(fault)
        with pytest.raises(error) as raised:
            await fetch(api, "charges", "ch_1")
        assert TOKEN not in str(raised.value)
    assert len(await fetch(api, "charges", "ch_1")) == 2


async def test_an_answer_that_does_not_come_is_no_answer(stripe: FakeStripe) -> None:
    stripe.faults.append((STALLS, {}, {"data": [], "has_more": False}))
    async with api_waiting(stripe, seconds=0.5) as hasty:
        with pytest.raises(Failed, match="in time"):
            await fetch(hasty, "charges", "ch_1")


# ---------------------------------------------------------------- the deals won in a month


def order(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    """Something that was paid once."""
    return checkout(id=f"cs_{number}", mode="payment", subscription=None, invoice=None, payment_intent=f"pi_{number}", created=unix(at), **more)


def of(subscription_id: str) -> dict[str, Any]:
    """What makes an invoice one of that subscription."""
    return {"parent": {"subscription_details": {"subscription": subscription_id, "metadata": {}}}}


async def won_in(api: Api, month: str, **settings: Any) -> dict[str, StatedDeal]:
    assert PROVIDER.won_in is not None
    stated = await PROVIDER.won_in(api, sender(**settings), month)
    assert len({each.id for each in stated}) == len(stated)
    return {each.id: each for each in stated}


async def test_deals_won_in_a_month(stripe: FakeStripe, api: Api) -> None:
    february, january = datetime(2026, 2, 28, 23, 50, tzinfo=UTC), datetime(2026, 1, 10, tzinfo=UTC)
    on_trial = subscription(id="sub_2", created=unix(january), start_date=unix(january), trial_end=unix(day(14)))
    given_up = {"created": unix(january), "start_date": unix(january), "trial_end": unix(day(14)), "status": "canceled", "ended_at": unix(day(14))}
    for told in (
        # The checkout began in February, so the deal was won then, though it was paid in March.
        order(10, february, payment_status="paid") | {"invoice": "in_10"}, invoice(10, day(1, 0), billing_reason="manual", parent=None),
        # A trial is worth nothing before it ends.
        on_trial, invoice(20, january, billing_reason="subscription_create", amount_paid=0, **of("sub_2")), invoice(21, day(14, 11), **of("sub_2")),
        subscription(id="sub_3", **given_up),
        # The trial ended in March, and was charged for in April.
        subscription(id="sub_5", **given_up | {"trial_end": unix(day(31, 23)), "status": "active", "ended_at": None}),
        invoice(51, datetime(2026, 4, 1, tzinfo=UTC), **of("sub_5")),
        # A renewal wins nothing.
        subscription(id="sub_4", created=unix(january), start_date=unix(january)), invoice(40, day(10), billing_reason="subscription_cycle", **of("sub_4")),
        # What was sent in January was paid in March.
        invoice(50, january, billing_reason="manual", parent=None, collection_method="send_invoice", amount_paid=500, currency="jpy",
                status_transitions={"paid_at": unix(day(30))}),
        order(60, day(31, 23)), order(61, day(8), payment_status="unpaid"), order(62, day(8), livemode=False),
    ):  # fmt: skip
        stripe.put(told)
    stripe.page_size = 1
    stated = await won_in(api, "2026-03")
    # Neither the second invoice of `sub_1` nor what was given back is a part of its win.
    assert stated == {
        "sub_1": StatedDeal("sub_1", "1 × Pro", "49.00", "USD", "2026-03-03"), "pi_9": StatedDeal("pi_9", None, "20.00", "USD", "2026-03-06"),
        "sub_2": StatedDeal("sub_2", "1 × Pro", "49.00", "USD", "2026-03-14"), "in_50": StatedDeal("in_50", "1 × Pro", "500", "JPY", "2026-03-30"),
        "pi_60": StatedDeal("pi_60", None, "49.00", "USD", "2026-03-31"), "sub_5": StatedDeal("sub_5", None, "49.00", "USD", "2026-03-31"),
    }  # fmt: skip
    stripe.page_size = None
    assert set(await won_in(api, "2026-03", fields={"test_mode": "1"})) == {*stated, "pi_62"}
    assert (set(await won_in(api, "2026-02")), set(await won_in(api, "2026-01")), await won_in(api, "2026-04")) == ({"in_10"}, {"sub_4"}, {})
    stripe.zone = "Asia/Tokyo"
    assert (set(await won_in(api, "2026-02")), set(await won_in(api, "2026-04"))) == (set(), {"pi_60", "sub_5"})


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allow_private_addresses": True})


async def test_our_figures_beside_what_it_states(
    database: Database, application: FastAPI, door: httpx.AsyncClient, stripe: FakeStripe
) -> None:
    assert (await door.patch("/v1/connections/shop", json={"api_base_url": stripe.url}, headers=ADMIN)).status_code == 200
    stripe.put(order(10, day(12)))
    calls = Calls(database, application.state.log, application.state.directory, allow_private=True)
    async with database.write() as connection:
        shop = await load_connection(connection, "default", "shop")
        await begin_polls(connection, shop, PROVIDER.polls, day(1), datetime.now(UTC))
    async with api_waiting(stripe, seconds=5) as opened:
        while await poll_page(calls, shop, PROVIDER, opened):
            pass
    await run_until_idle(database)
    stripe.put(order(11, day(13)))
    answer = await door.post("/v1/reports/reconciliation", params={"month": "2026-03", "connection": "shop"}, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["according_to"], report["crm"]["count"], report["crm"]["sum"]) == ("statement", 4, "167.00")
    assert (report["ours"]["count"], report["ours"]["sum"], report["difference"]) == (3, "162.00", {"count": -1, "sum": "-5.00"})
    # Ours are net: of the second invoice, and of what was given back. Of one order nobody has told us.
    amounts = [(each["deal_id"], each["reason"], each["crm"]["amount"], each["ours"] and each["ours"]["amount"]) for each in report["deals"]]
    assert amounts == [("pi_11", "not_received", "49.00", None), ("pi_9", "amount_differs", "20.00", "15.00"), ("sub_1", "amount_differs", "49.00", "98.00")]
    stripe.is_down = True
    down = await door.post("/v1/reports/reconciliation", params={"month": "2026-03", "connection": "shop"}, headers=ADMIN)
    assert (down.status_code, "Stripe did not answer" in down.text) == (502, True)


# ---------------------------------------------------------------- from a click to the deal


@pytest.mark.parametrize("way", ["webhooks", "polling"])
async def test_from_a_click_to_the_attributed_deal(
    database: Database, application: FastAPI, door: httpx.AsyncClient, stripe: FakeStripe, way: str
) -> None:
    """Ada clicked an ad and subscribed; what she paid, and what she got back, is the ad's, whichever way it is heard of."""
    click = {"url": "https://shop.example/?utm_source=google&utm_medium=cpc", "visitor_id": "v1"}
    events = [{**click, "type": "visit", "occurred_at": "2026-03-01T08:00:00Z"}]
    assert (await door.post("/v1/events", json={"events": events}, headers=ADMIN)).json()["accepted"] == 1
    assert (await door.patch("/v1/connections/shop", json={"api_base_url": stripe.url}, headers=ADMIN)).status_code == 200
    for kind, gone in (("checkout.session", "cs_2"), ("refund", "re_2")):
        del stripe.objects[kind][gone]
    calls = Calls(database, application.state.log, application.state.directory, allow_private=True)
    async with database.read() as connection:
        shop = await load_connection(connection, "default", "shop")
    async with api_waiting(stripe, seconds=5) as opened:
        if way == "webhooks":
            # The later invoice comes first, and the checkout last.
            told = [
                event("refund.created", refund()), event("invoice.paid", invoice(2, day(20), amount_paid=5_900)), event("invoice.paid", invoice()),
                event("checkout.session.completed", checkout()),
            ]  # fmt: skip
            for each in told:
                assert (await post(door, each)).status_code == 202
            # The service at the other end of the answer is down at first.
            stripe.is_down = True
            assert await fetch_batch(calls, shop, PROVIDER, opened)
            stripe.is_down = False
            calls = replace(calls, clock=lambda: datetime.now(UTC) + timedelta(hours=2))
            while await fetch_batch(calls, shop, PROVIDER, opened):
                pass
        else:
            async with database.write() as connection:
                await begin_polls(connection, shop, PROVIDER.polls, day(1), datetime.now(UTC))
            while await poll_page(calls, shop, PROVIDER, opened):
                pass
    await run_until_idle(database)
    asked = {"conversion": "customer", "model": "linear", "by": "channel", "from": "2026-01-01", "to": "2027-01-01"}
    answer = (await door.get("/v1/reports/attribution", params=asked, headers=ADMIN)).json()
    assert answer["rows"] == [{"channel": "Paid Search", "conversions": 1, "revenue": "98.00"}]
    await assert_rows(database, tables.deals, ["deal_id", "outcome", "won_at", "churned_at", "recurring_minor"], [["sub_1", "won", day(3), day(28), 4_900]])
    await assert_rows(database, tables.deal_amounts, ["occurred_at", "after_minor"], [[day(3), 4_900], [day(9), 3_900], [day(20), 9_800]])
    await assert_rows(database, tables.crm_fetches, ["record_id"], [])
    await assert_rows(database, tables.quarantine, ["reason"], [])


# ---------------------------------------------------------------- what becomes of it

TABLES = (
    (tables.deals, {"site_id", "space"}),
    (tables.conversions, {"site_id", "space", "fact_id", "holder_id", "person_id"}),
    (tables.ledger_entries, {"site_id", "space", "fact_id", "holder_id"}),
)


async def rows(database: Database, site_id: str, table: Any, without: set[str]) -> list[Any]:
    columns = [column for column in table.c if column.name not in {*without, "run_id"}]
    async with database.read() as connection:
        return sorted((tuple(row) for row in await connection.execute(select(*columns).where(table.c.site_id == site_id))), key=repr)


async def test_any_order_any_way_and_any_number_of_times_gives_the_same_tables(
    database: Database, application: FastAPI, client: httpx.AsyncClient, stripe: FakeStripe, api: Api
) -> None:
    order = stripe.objects["checkout.session"]["cs_2"]
    told = [
        read(event("checkout.session.completed", checkout())).said, read(event("invoice.paid", invoice())).said, read(event("checkout.session.completed", order)).said,
        read(event("invoice.paid", invoice(2, day(20), amount_paid=5_900))).said, await fetch(api, "refunds", "re_1", "re_2"), await fetch(api, "subscriptions", "sub_1"),
    ]  # fmt: skip
    shuffled = [each for group in [*told, *told] for each in group]
    Random(3).shuffle(shuffled)
    for site_id, groups in (("default", told), ("shuffled", [shuffled]), ("polled", [await poll(api)])):
        if site_id != "default":
            assert (await client.post("/v1/sites", json={"id": site_id}, headers=ADMIN)).status_code == 201
        wanted_ = {"id": site_id, "provider": "stripe", "secret": SECRET}
        assert (await client.post(f"/v1/connections?site={site_id}", json=wanted_, headers=ADMIN)).status_code == 201
        site = await application.state.directory.site(site_id)
        connection = Connection(site_id, site_id, (SECRET,), sender().fields, AT)
        for group in groups:
            facts, quarantined = facts_of(site, connection, Read(said=tuple(group)), to_micros(day(30)))
            assert quarantined == []
            await application.state.log.append(facts)
    await run_until_idle(database)
    for table, without in TABLES:
        expected = await rows(database, "default", table, without)
        assert expected, table.name
        for site_id in ("shuffled", "polled"):
            assert await rows(database, site_id, table, without) == expected, (site_id, table.name)
    deals_now = [["sub_1", "won", day(3), day(28), 9_800], ["pi_9", "won", day(6), None, 1_500]]
    columns = ["site_id", "deal_id", "outcome", "won_at", "churned_at", "amount_minor"]
    await assert_rows(database, tables.deals, columns, [[site_id, *row] for site_id in ("default", "shuffled", "polled") for row in deals_now])
