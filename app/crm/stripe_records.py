"""What Stripe's objects say: checkouts, invoices, subscriptions, refunds and disputes, as messages.

A deal is a subscription, or what was paid once (its invoice, else its payment). Each object says the same whether an
event, a list or a fetch brings it, and money only once: the first invoice of a subscription is what the deal is worth,
every later one a change of it. So the order in which they are heard of does not matter. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app import ids
from app.crm.messages import Said, snapshot, stamp

Told = Mapping[str, Any]
_NO_DECIMALS = {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
_THREE_DECIMALS = {"BHD", "JOD", "KWD", "OMR", "TND"}
_LONGEST_VISITOR_ID = 128
_LONGEST_LINE = 1_000
_A_DAY = 24 * 3_600
"""A subscription whose first payment fails ends within 23 hours."""


@dataclass(frozen=True)
class Around:
    """What is known beside an object."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """`settings.fields`."""
    deals: Mapping[str, str] = field(default_factory=dict)
    """Deal by ID of the payment, where it is not the payment itself."""
    at: int | None = None
    """When a subscription came to be as it is, in seconds; None: not known."""
    is_test: bool = False


def said_of(told: Told, around: Around) -> list[Said]:
    """What an object says; nothing if it is of another kind, or is not paid."""
    tell = _TELLERS.get(str(told.get("object")))
    return [] if tell is None else list(tell(told, around))


def amount_text(minor: object, currency: str) -> str:
    """Stripe's smallest units as a decimal text. Its decimals are not ISO 4217's: 500 UGX are 5, 500 MGA are 500."""
    places = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    units = minor if isinstance(minor, int) and not isinstance(minor, bool) else 0
    digits = str(abs(units)).rjust(places + 1, "0")
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[: len(digits) - places]}.{digits[len(digits) - places :]}" if places else f"{sign}{digits}"


# ---------------------------------------------------------------- what was paid


def _session_said(session: Told, around: Around) -> Iterator[Said]:
    """A checkout that was completed. The buyer's journey ends where it began: on Stripe's page there are no touches."""
    mode, paid, subscription_id = session.get("mode"), session.get("payment_status"), subscription_of(session)
    if mode not in {"payment", "subscription"} or session.get("status", "complete") != "complete":
        return
    deal_id = (
        subscription_id
        if mode == "subscription"
        else id_of(session.get("invoice")) or id_of(session.get("payment_intent")) or session["id"]
    )
    if deal_id is None:
        return
    buyer = session.get("customer_details") or {}
    contact = _contact(session, buyer.get("email") or session.get("customer_email"), buyer.get("phone"), buyer.get("name"))
    reference = session.get("client_reference_id")
    data = _deal(deal_id, session, contact, around, reference) | _amount("amount", session.get("amount_total"), session)
    is_free_order = mode == "payment" and paid == "no_payment_required"
    yield snapshot("deal.won" if paid == "paid" or is_free_order else "deal.created", deal_id, data, _micros(session.get("created")))


def _invoice_said(invoice: Told, around: Around) -> Iterator[Said]:
    """An invoice that was paid: the win with its amount, or a change of a subscription's."""
    subscription = _parent(invoice).get("subscription") or invoice.get("subscription")
    subscription_id, paid = id_of(subscription), invoice.get("amount_paid")
    if isinstance(subscription, dict):
        yield from _subscription_said(subscription, around)
    if not isinstance(paid, int) or invoice.get("status", "paid") != "paid":
        return
    contact = _contact(invoice, invoice.get("customer_email"), invoice.get("customer_phone"), invoice.get("customer_name"))
    deal_id = subscription_id or str(invoice["id"])
    data = _deal(deal_id, invoice, contact, around, None) | _amount("amount", paid, invoice)
    paid_at = _micros((invoice.get("status_transitions") or {}).get("paid_at") or invoice.get("created"))
    if subscription_id is None or invoice.get("billing_reason") == "subscription_create":
        # Nothing is paid when a trial begins: that is no win yet.
        yield snapshot("deal.won" if paid else "deal.created", deal_id, data | _name(invoice), paid_at)
    elif paid:
        yield Said(ids.digest("invoice", str(invoice["id"])), "deal.adjusted", data, paid_at)


def _subscription_said(subscription: Told, around: Around) -> Iterator[Said]:
    """How a subscription stands: what it brings each period, that its trial became a contract, that it ended."""
    deal_id, begun, ended = (
        str(subscription["id"]),
        _seconds(subscription.get("start_date") or subscription.get("created")),
        subscription.get("ended_at"),
    )
    price = _price(subscription)
    data = _deal(deal_id, subscription, None, around, None) | {"opened_at": stamp(begun * 1_000_000)}
    data |= {"recurring": recurring} if (recurring := _recurring(subscription, price)) else {}
    yield snapshot("deal.updated", deal_id, data, _micros(around.at or _period_start(subscription) or begun))
    won = _won_at(subscription, begun, price)
    if won is not None:
        yield snapshot("deal.won", deal_id, {"id": deal_id}, won * 1_000_000)
    if subscription.get("status") == "incomplete_expired":
        yield snapshot("deal.lost", deal_id, {"id": deal_id, "lost_reason": "payment failed"}, _micros(ended or begun))
    elif subscription.get("status") == "canceled" and ended:
        is_trials_end = _seconds(ended) <= _seconds(subscription.get("trial_end"))
        lost = {"id": deal_id, "lost_reason": "trial ended"}
        yield (
            snapshot("deal.lost", deal_id, lost, _micros(ended))
            if is_trials_end
            else snapshot("deal.churned", deal_id, {"id": deal_id}, _micros(ended))
        )


def _won_at(subscription: Told, begun: int, price: int | None) -> int | None:
    """When it became a contract, as far as it says so itself: a trial that went on, or a start that was charged for."""
    ended, trial_end = _seconds(subscription.get("ended_at")), _seconds(subscription.get("trial_end"))
    if price == 0 or subscription.get("status") not in {"active", "past_due", "unpaid", "canceled"}:
        return None
    if trial_end:
        return trial_end if not ended or ended > trial_end else None
    is_charged = subscription.get("collection_method") != "send_invoice" and (not ended or ended - begun >= _A_DAY)
    return begun if is_charged else None


# ---------------------------------------------------------------- what was given back


def _refund_said(refund: Told, around: Around) -> Iterator[Said]:
    """Money given back. A refund that failed afterwards is taken back, so both are said."""
    yield from _taken("refund", refund, around)
    if refund.get("status") in {"failed", "canceled"}:
        data = {"id": _deal_of(refund, around), **_amount("amount", refund.get("amount"), refund)}
        yield Said(ids.digest("refund failed", str(refund["id"])), "deal.adjusted", data, _micros(refund.get("created")))


def _dispute_said(dispute: Told, around: Around) -> Iterator[Said]:
    if dispute.get("status") == "lost":
        yield from _taken("dispute", dispute, around)


def _charge_said(charge: Told, around: Around) -> Iterator[Said]:
    for refund in (charge.get("refunds") or {}).get("data") or ():
        yield from _refund_said({"payment_intent": charge.get("payment_intent"), **refund}, around)


def _taken(what: str, told: Told, around: Around) -> Iterator[Said]:
    amount = told.get("amount")
    if isinstance(amount, int) and amount:
        data = {"id": _deal_of(told, around), **_amount("amount", -amount, told)}
        yield Said(ids.digest(what, str(told["id"])), "deal.adjusted", data, _micros(told.get("created")))


def _deal_of(told: Told, around: Around) -> str:
    payment = id_of(told.get("payment_intent")) or id_of(told.get("charge")) or str(told["id"])
    return around.deals.get(payment, payment)


_TELLERS = {
    "checkout.session": _session_said,
    "invoice": _invoice_said,
    "subscription": _subscription_said,
    "refund": _refund_said,
    "charge": _charge_said,
    "dispute": _dispute_said,
}


# ---------------------------------------------------------------- what they share


def id_of(value: object) -> str | None:
    """The ID of a related object, expanded or not."""
    told = value.get("id") if isinstance(value, dict) else value
    return told if isinstance(told, str) and told else None


def subscription_of(told: Told) -> str | None:
    """The subscription of an invoice or a checkout, in the shapes before and since API version 2025-03-31."""
    return id_of(_parent(told).get("subscription") or told.get("subscription"))


def _parent(told: Told) -> Told:
    parent = told.get("parent")
    details = parent.get("subscription_details") if isinstance(parent, dict) else told.get("subscription_details")
    return details if isinstance(details, dict) else {}


def _deal(deal_id: str, told: Told, contact: dict[str, Any] | None, around: Around, reference: object) -> dict[str, Any]:
    """What every object says of its deal: who bought, and with which browser."""
    metadata = {**(_parent(told).get("metadata") or {}), **(told.get("metadata") or {})}
    visitor_id = _visitor_id(metadata, reference, around.fields)
    user_id = _named("user_id", metadata, reference, around.fields)
    who = (contact or {}) | ({"user_id": user_id} if user_id and contact is not None else {})
    is_subscription = deal_id.startswith("sub_")
    page = "subscriptions" if is_subscription else "invoices" if deal_id.startswith("in_") else "payments"
    data: dict[str, Any] = {
        "id": deal_id,
        "pipeline": "subscription" if is_subscription else "payment",
        "url": f"https://dashboard.stripe.com/{'test/' if around.is_test else ''}{page}/{deal_id}",
    }
    data |= {"currency": _currency(told)} if told.get("currency") else {}
    data |= {"visitor_id": visitor_id} if visitor_id else {}
    properties = {word: metadata[name] for word, name in around.fields.items() if word not in _OURS and name in metadata}
    data |= {"properties": properties} if properties else {}
    if not who:
        return data
    return data | {"contacts": [who | ({"visitor_id": visitor_id} if visitor_id else {})]}


_OURS = {"visitor_id", "user_id", "test_mode"}
_REFERENCE = "client_reference_id"


def _visitor_id(metadata: Told, reference: object, fields: Mapping[str, str]) -> str | None:
    """The browser: as settings say, else `visitor_id` of the metadata, else the checkout's reference, unless that is a user's."""
    if "visitor_id" in fields:
        found = _named("visitor_id", metadata, reference, fields)
    else:
        is_users = fields.get("user_id") == _REFERENCE
        found = _text(metadata.get("visitor_id")) or (None if is_users else _text(reference))
    return found if found and len(found) <= _LONGEST_VISITOR_ID else None


def _named(word: str, metadata: Told, reference: object, fields: Mapping[str, str]) -> str | None:
    name = fields.get(word)
    if name is None:
        return None
    return _text(reference) if name == _REFERENCE else _text(metadata.get(name))


def _text(value: object) -> str | None:
    return (value.replace("\x00", "").strip()[:200] or None) if isinstance(value, str) else None


def _contact(told: Told, email: object, phone: object, name: object) -> dict[str, Any]:
    found = {"id": id_of(told.get("customer")), "email": _text(email), "phone": _text(phone), "name": _text(name)}
    return {word: text for word, text in found.items() if text is not None}


def _amount(word: str, minor: object, told: Told) -> dict[str, str]:
    currency = _currency(told)
    return {word: amount_text(minor, currency), "currency": currency}


def _currency(told: Told) -> str:
    return str(told.get("currency") or "").upper()


def _name(invoice: Told) -> dict[str, str]:
    """What was bought: the first line of the invoice."""
    lines = (invoice.get("lines") or {}).get("data") or [{}]
    text = lines[0].get("description")
    return {"name": text[:_LONGEST_LINE]} if isinstance(text, str) and text else {}


def _items(subscription: Told) -> list[Told]:
    return list((subscription.get("items") or {}).get("data") or ())


def _price(subscription: Told) -> int | None:
    """What it costs each period, in the smallest unit; None: that depends on use."""
    total = 0
    for item in _items(subscription):
        each = (item.get("price") or {}).get("unit_amount")
        if not isinstance(each, int):
            return None
        total += each * int(item.get("quantity") or 1)
    return total if _items(subscription) else None


def _recurring(subscription: Told, price: int | None) -> dict[str, str] | None:
    """The amount of each month or year; None where it is billed otherwise."""
    periods = {(item["price"].get("recurring") or {}).get("interval", "") for item in _items(subscription) if item.get("price")}
    counts = {(item["price"].get("recurring") or {}).get("interval_count", 1) for item in _items(subscription) if item.get("price")}
    if not price or len(periods) != 1 or len(counts) != 1:
        return None
    period = {("month", 1): "month", ("month", 12): "year", ("year", 1): "year"}.get((periods.pop(), counts.pop()))
    return None if period is None else {"amount": amount_text(price, _currency(subscription)), "period": period}


def _period_start(subscription: Told) -> int:
    starts = [_seconds(item.get("current_period_start")) for item in _items(subscription)]
    return max([_seconds(subscription.get("current_period_start")), *starts])


def _seconds(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 2**35 else 0


def _micros(value: object) -> int:
    return _seconds(value) * 1_000_000
