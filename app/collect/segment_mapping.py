"""What a message of a Segment SDK is to us: an event, and perhaps a fact of a deal.

| message | event |
|---|---|
| `page`, `screen` | `pageview` |
| `track` | an event of that name |
| `identify`, `alias` | `identify` |
| `group` | `group`, and properties of the company |

What has no place of its own is kept in the event's properties under `$segment`. Not kept at all are the address and user
agent of the human (`context.ip`, `context.userAgent`), which are looked at when bots and excluded networks are dropped,
nor, beside their keys, e-mail and phone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from app import ids
from app.collect.deal_facts import Change, Company, Contact, Deal, company_satellites, deal_facts, employer, membership_rows
from app.collect.keys import Row, link_id, subject_keys
from app.collect.origins import arrival
from app.collect.personal import personal_names, without_personal_in
from app.collect.properties import LONGEST_VALUE, person_satellites
from app.collect.schemas import Event, in_words
from app.collect.segment_messages import Message
from app.collect.steps import NotAllowed, Sender, fact_of, occurred_at, with_subject
from app.log import Fact
from app.sites.addresses import normal_email
from app.sites.settings import SiteSettings, fold
from app.sites.tracked_deals import TrackedDeal

REST = "$segment"
"""The property that holds what has no place of its own."""
GENERIC = "generic"
PUBLIC_COMPANIES = ":segment"
"""Space of the companies that a write key describes: what a page says is not said of the companies of deals. No connection can
have it: its ID begins with a letter or digit."""

_LONGEST_TYPE = 64
_LONGEST_LINE = 1_000
_LONGEST_ID = 128
_OURS = frozenset({"visit", "pageview", "identify", "engagement", "touch", "deal_closed", "group"})
"""Types of event that mean something of their own: what is tracked under such a name does not. (`form_submit` does.)"""
_OF_PAGE = ("url", "referrer", "title", "path", "search", "tab_url")
_CAMPAIGN = {"source": "source", "medium": "medium", "name": "campaign", "term": "term", "content": "content"}
_PRIVATE = ("email", "phone")
_NO_REFERRER = "$direct"
_CHANGES: dict[str, Change] = {"won": "won", "lost": "lost", "open": "seen", "refunded": "adjusted"}

Refused = Callable[[str], dict[str, Any]]


def event_fact(message: Message, sender: Sender, refused: Refused | None = None) -> Fact:
    """The event that a message is. ValueError, in words, if it cannot be taken."""
    event = event_of(message, sender.site.settings)
    fact = fact_of(event, _clock_of(message, sender), refused, other_user_id=_other_user_id(message))
    return fact if message.type != "group" else replace(fact, satellites=(*fact.satellites, *_company_rows(message, event, sender, fact)))


def deal_fact(message: Message, sender: Sender, refused: Refused | None = None) -> Fact | None:
    """The fact of a deal that a message tells beside; None where it tells none. ValueError if it may not, or cannot be read."""
    meant = _meant(message, sender)
    if meant is None:
        return None
    if not (sender.is_trusted or meant.write_key):
        raise NotAllowed(
            f"a deal needs a secret key, and this is a write key: send {meant.event!r} from a server, or let write keys say it "
            "(write_key: true in its entry of segment_deals), then replay this"
        )
    deal, change = _deal_of(message, meant)
    event = event_of(message, sender.site.settings)
    if meant.outcome in ("won", "open"):
        # Who orders is the buyer; who pays back, or cancels, may be somebody of the shop.
        deal = with_subject(deal, event.model_copy(update={"visitor_id": sender.visitor(event.visitor_id)}))
    clock = _clock_of(message, sender)
    fact = deal_facts(
        sender.site,
        deal,
        change,
        fact_id=ids.digest("segment", event.visitor_id or "", event.id or event.model_dump_json()),
        fact_type=f"deal.{'updated' if change == 'seen' else change}",
        occurred_at=occurred_at(event, clock),
        received_at=sender.received_at,
        is_trusted=sender.is_trusted,
    )
    return replace(fact, refused=refused)


def _clock_of(message: Message, sender: Sender) -> Sender:
    return sender._replace(sent_at=message.sent_at, is_sdk=True)


# ---------------------------------------------------------------- events


def event_of(message: Message, settings: SiteSettings) -> Event:
    """The event, before anything is decided of it. ValueError, in words, if a value of it is too long or of the wrong kind."""
    fields: dict[str, Any] = {
        "id": _name_of(message.message_id),
        "type": _type_of(message),
        "visitor_id": _visitor_of(message),
        "occurred_at": None,
        **_human(message),
        **_page(message),
    }
    if not any(fields[name] for name in ("visitor_id", "user_id", "email", "phone")):
        raise ValueError("userId or anonymousId is needed")
    fields |= _campaign(message, fields["url"])
    if fields["type"] == "form_submit":
        fields["form"] = _line(message.properties.get("form"))
        fields["email"] = fields["email"] or _line(message.properties.get("email"))
    try:
        event = Event.model_validate(fields)
    except ValidationError as error:
        raise ValueError(in_words(error)) from error
    # Both were checked with the message.
    properties, happened_at = _properties(message, settings), message.timestamp or message.original_timestamp
    text = json.dumps(properties, ensure_ascii=False, separators=(",", ":")) if properties else None
    return event.model_copy(update={"occurred_at": happened_at, "properties": text})


def _name_of(message_id: str | None) -> str | None:
    """What is longer than an event's ID may be has one of its own: the same, whenever it is sent."""
    return ids.digest("message", message_id) if message_id and len(message_id) > _LONGEST_ID else message_id


def _type_of(message: Message) -> str:
    if message.type in ("page", "screen"):
        return "pageview"
    if message.type == "track":
        name = (message.event or "").strip()
        if not name:
            raise ValueError("track needs event")
        return f"track:{name}" if name in _OURS else name[:_LONGEST_TYPE]
    return "group" if message.type == "group" else "identify"


def _visitor_of(message: Message) -> str | None:
    """The browser. An alias of one is about it, whether it says so beside or not."""
    if message.type != "alias":
        return message.anonymous_id
    if message.previous_id is None or message.user_id is None:
        raise ValueError("alias needs previousId and userId")
    return message.anonymous_id or message.previous_id


def _other_user_id(message: Message) -> str | None:
    """The user ID before, of an alias: both are of one human. What is the browser's own ID was no user ID."""
    return message.previous_id if message.type == "alias" and message.previous_id != message.anonymous_id else None


def _human(message: Message) -> dict[str, Any]:
    """The keys of the human. A user ID that is an e-mail address is one, too."""
    traits = _traits(message)
    email = _line(traits.get("email"))
    if not email and message.user_id and "@" in message.user_id and normal_email(message.user_id):
        email = message.user_id
    return {"user_id": message.user_id, "email": email, "phone": _line(traits.get("phone"))}


def _traits(message: Message) -> dict[str, Any]:
    """What is known of the human: the traits of a `group` are the company's."""
    of_context = _part(message.context, "traits")
    return {**of_context, **message.traits} if message.type == "identify" else of_context


def _page(message: Message) -> dict[str, Any]:
    page = _part(message.context, "page")
    if message.type == "page":
        page = {**page, **{name: message.properties[name] for name in _OF_PAGE if message.properties.get(name)}}
    referrer = _text(page.get("referrer"))
    title = _line(page.get("title")) or (_line(message.name) if message.type in ("page", "screen") else None)
    return {"url": _address(page), "referrer": None if referrer == _NO_REFERRER else referrer, "title": title}


def _address(page: Mapping[str, Any]) -> str | None:
    """The page's address with the query it was opened with: a canonical address may come without."""
    address, search = _text(page.get("url")) or _text(page.get("path")), _text(page.get("search"))
    if not address or not search or search.lstrip("?") in address:
        return address
    before, mark, fragment = address.partition("#")
    return f"{before}{'&' if '?' in before else '?'}{search.lstrip('?')}{mark}{fragment}"


def _campaign(message: Message, url: str | None) -> dict[str, Any]:
    """The campaign that the sender states, where the address names none."""
    if url and any(arrival(url, None).origin[1:6]):
        return {}
    campaign = _part(message.context, "campaign")
    return {ours: text for theirs, ours in _CAMPAIGN.items() if (text := _line(campaign.get(theirs)))}


# ---------------------------------------------------------------- what is kept beside


def _properties(message: Message, settings: SiteSettings) -> dict[str, Any]:
    """The sender's own properties or traits, and the rest, of whose addresses nothing personal is kept."""
    names = personal_names(settings)
    if message.type == "identify":
        own = _without(_traits(message), _PRIVATE)
    elif message.type == "group":
        own = _without(message.traits, _PRIVATE)
    elif message.type == "page":
        own = without_personal_in(_without(message.properties, _OF_PAGE), names)
    elif _type_of(message) == "form_submit":
        own = _without(message.properties, ("form", *_PRIVATE))
    else:
        own = dict(message.properties) if message.type in ("track", "screen") else {}
    rest = without_personal_in(_rest(message), names)
    return {**own, REST: rest} if rest else own


def _rest(message: Message) -> dict[str, Any]:
    rest = _without(message.model_extra or {}, ("_metadata",))
    if message.type == "track" and message.event != _type_of(message):
        rest["event"] = message.event
    if message.name is not None:
        rest["name"] = message.name
    if message.group_id is not None:
        rest["groupId"] = message.group_id
    if message.type == "alias":
        rest["type"] = "alias"
    if message.type == "screen":
        rest["type"] = "screen"
    if message.traits and message.type not in ("identify", "group"):
        rest["traits"] = _without(message.traits, _PRIVATE)
    if message.properties and message.type not in ("track", "page", "screen"):
        rest["properties"] = message.properties
    if context := _rest_of_context(message):
        rest["context"] = context
    return {name: value for name, value in rest.items() if value not in (None, {})}


def _rest_of_context(message: Message) -> dict[str, Any]:
    rest = _without(message.context, ("ip", "userAgent", "page", "campaign", "traits"))
    if page := _without(_part(message.context, "page"), _OF_PAGE):
        rest["page"] = page
    if campaign := _without(_part(message.context, "campaign"), tuple(_CAMPAIGN)):
        rest["campaign"] = campaign
    if message.type != "identify" and (traits := _without(_part(message.context, "traits"), _PRIVATE)):
        rest["traits"] = traits
    return rest


def _without(part: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in names}


def _part(of: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = of.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _line(value: object) -> str | None:
    """A text, or a number as one, cut to what a field holds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    text = _text(value)
    return text[:_LONGEST_LINE] if text else None


# ---------------------------------------------------------------- companies


def _company_rows(message: Message, event: Event, sender: Sender, fact: Fact) -> list[Row]:
    """What a `group` says of the company, and that the human works for it."""
    if message.group_id is None:
        raise ValueError("group needs groupId")
    space = GENERIC if sender.is_trusted else PUBLIC_COMPANIES
    company = Company(id=message.group_id, name=_line(message.traits.get("name")), properties=_without(message.traits, _PRIVATE))
    fact_id, happened_at = fact.row["event_id"], fact.row["occurred_at"]
    rows = company_satellites(sender.site, company, space, fact_id, happened_at, sender.received_at)
    keys = subject_keys(sender.site, email=event.email, phone=event.phone, user_id=event.user_id)
    if not keys:
        return rows
    texts, visitor_id = employer(company, space), fact.row["visitor_id"]
    rows += person_satellites(
        sender.site, link_id(keys), visitor_id, fact_id, happened_at, is_trusted=sender.is_trusted, texts=texts
    )
    return rows + membership_rows(sender.site, Contact(company=company), keys[0], space, fact_id, happened_at)


# ---------------------------------------------------------------- deals


def _meant(message: Message, sender: Sender) -> TrackedDeal | None:
    if message.type != "track" or not message.event or not sender.site.settings.segment_deals:
        return None
    named = fold(message.event)
    return next((each for each in sender.site.settings.segment_deals if fold(each.event) == named), None)


def _deal_of(message: Message, meant: TrackedDeal) -> tuple[Deal, Change]:
    sent = message.properties
    deal_id = _first(sent, meant.id)
    if deal_id is None:
        raise ValueError(f"{meant.event!r} names no deal: none of its properties {', '.join(meant.id)} is sent")
    fields: dict[str, Any] = {"id": deal_id}
    change = _CHANGES[meant.outcome]
    amount = _first(sent, meant.amount)
    if meant.outcome == "refunded":
        amount, change = _paid_back(amount)
    if amount is not None:
        fields["amount"] = amount
    if (currency := _first(sent, meant.currency)) is not None:
        fields["currency"] = currency
    if (company_id := _first(message.context, ["groupId"])) and meant.outcome != "refunded":
        fields["company"] = {"id": company_id}
    told = {*meant.id, *meant.amount, *meant.currency, *_PRIVATE}
    if meant.outcome != "refunded" and (properties := _single(sent, told)):
        fields["properties"] = properties
    try:
        return Deal.model_validate(fields), change
    except ValidationError as error:
        raise ValueError(in_words(error)) from error


def _first(sent: Mapping[str, Any], names: list[str]) -> Any:
    return next((sent[name] for name in names if sent.get(name) not in (None, "")), None)


def _paid_back(amount: Any) -> tuple[Any, Change]:
    """The signed change; without an amount, all of it: the deal is worth nothing from then on."""
    if amount is None:
        return 0, "seen"
    if isinstance(amount, str):
        return f"-{amount.strip().lstrip('+-')}", "adjusted"
    return (-abs(amount), "adjusted") if isinstance(amount, int | float) and not isinstance(amount, bool) else (amount, "adjusted")


def _single(sent: Mapping[str, Any], told: set[str]) -> dict[str, Any]:
    """Properties that a report could be grouped by: single values."""
    return {
        name: value
        for name, value in sent.items()
        if name not in told and not isinstance(value, dict | list) and len(str(value)) <= LONGEST_VALUE
    }
