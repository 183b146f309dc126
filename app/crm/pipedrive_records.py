"""What Pipedrive's records say: deals, persons, leads and activities, in the shapes of both of its APIs, as messages.

Version 2 names related records by their IDs, version 1 embeds them; its times are in UTC and say no zone, its custom
fields stand among the others. A record says its state as of its last change; that a deal was closed, and since when it
is in its stage, it says as of the time that Pipedrive gives for that. So whoever asks, and whenever, hears the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from app.collect.fields import micros_of
from app.crm.messages import Said, snapshot, stamp
from app.crm.providers import StatedDeal
from app.tables import from_micros

KINDS = ("deals", "contacts", "leads", "activities")
MOST_AT_ONCE = 10
"""More participants of one e-mail were written to in bulk; so many of an activity stand as activities of their own."""
_LONGEST_LINE = 1_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?\Z")

_BANT = ("budget", "authority", "need", "timeline")
_TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id")
_OURS = {
    *_BANT, *_TAGS, "touched_at", "visitor_id", "lead_source", "may_contact", "account_manager", "disqualified_reason", "call_types",
    "meeting_types", "email_types", "mail_sent", "mail_received",
}  # fmt: skip
"""Words of `settings.fields` that mean something to us; any other names a property of the site's own."""
_OF_DEAL, _OF_COMPANY = "deal.", "company."


# ---------------------------------------------------------------- values


def micros(value: object) -> int | None:
    """A time in microseconds: RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or seconds since 1970. None if it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) * 1_000_000 if 0 < value < 2**35 else None
    text = str(value or "").strip()
    if text.isascii() and text.isdigit():
        return micros(int(text[:12]))
    try:
        return micros_of(text if text.upper().endswith("Z") or "+" in text else f"{text}Z")
    except ValueError:
        return None


def plain(value: object) -> str | None:
    """A value as text, whatever it is wrapped in: `{"value": …}`, `{"id": …}`, a list of options."""
    if isinstance(value, dict):
        return plain(value.get("value", value.get("id")))
    if isinstance(value, list):
        return ",".join(text for text in map(plain, value) if text) or None
    if value is None:
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.replace("\x00", "").strip() or None


@dataclass(frozen=True)
class Record:
    """One record, of either version."""

    told: Mapping[str, Any]

    def get(self, *names: str) -> str | None:
        """The text of the first of these fields, of its own or the site's own, that holds one."""
        return next((text for name in names if (text := plain(self._value(name))) is not None), None)

    def line(self, *names: str) -> str | None:
        """The same, cut to what is kept of a text."""
        text = self.get(*names)
        return None if text is None else text[:_LONGEST_LINE]

    def at(self, *names: str) -> int | None:
        """The first of these times, in microseconds."""
        return next((at for name in names if (at := micros(self.told.get(name))) is not None), None)

    def has(self, name: str | None) -> bool:
        """Whether it says anything of a field, be it that there is nothing."""
        return name is not None and (name in self.told or name in self._custom())

    def embedded(self, *names: str) -> Record:
        """What version 1 embeds of a related record; nothing in version 2."""
        return Record(next((value for name in names if isinstance(value := self.told.get(name), dict)), {}))

    def is_true(self, name: str) -> bool:
        """Whether a flag is set: version 1 writes 1."""
        return self.told.get(name) in (True, 1, "1", "true")

    @property
    def id(self) -> str:
        return self.get("id") or ""

    @property
    def changed_at(self) -> int:
        """When it changed last; what says no time is as old as can be, and yields to what does."""
        return self.at("update_time", "add_time") or 0

    @property
    def is_deleted(self) -> bool:
        return self.is_true("is_deleted") or self.is_true("deleted") or self.told.get("status") == "deleted"

    def each(self, *names: str) -> list[str]:
        """The e-mails or phones that it lists, the primary one first."""
        listed: Any = next((self.told[name] for name in names if self.told.get(name)), [])
        entries = listed if isinstance(listed, list) else [listed]
        in_order = sorted(entries, key=lambda entry: not (isinstance(entry, dict) and entry.get("primary")))
        return list(dict.fromkeys(text for text in map(plain, in_order) if text))

    def _custom(self) -> Mapping[str, Any]:
        custom = self.told.get("custom_fields")
        return custom if isinstance(custom, dict) else {}

    def _value(self, name: str) -> Any:
        return self._custom()[name] if name in self._custom() else self.told.get(name)


NOBODY = Record({})


@dataclass(frozen=True)
class Around:
    """What the records of one call refer to, as far as it was asked for."""

    host: str = ""
    """Where people see the records: `acme.pipedrive.com`."""
    zone: tzinfo | None = None
    """In which days are meant; None: not known."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """`settings.fields`."""
    owners: Mapping[str, str] = field(default_factory=dict)
    persons: Mapping[str, Record] = field(default_factory=dict)
    organizations: Mapping[str, Record] = field(default_factory=dict)
    participants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """IDs of the persons of a deal, of those that have more than one."""

    def url(self, kind: str, record_id: str) -> str | None:
        """Where people see a record."""
        return f"https://{self.host}/{kind}/{record_id}" if self.host else None


def said_of(kind: str, record: Record, around: Around) -> list[Said]:
    """What a record of a kind says now."""
    of_kind = {"deals": _deal_said, "contacts": _person_said, "leads": _lead_said, "activities": _activity_said}
    return of_kind[kind](record, around) if record.id else []


def deleted(kind: str, record_id: str, at: int) -> list[Said]:
    """That a record is gone since `at`. Of a person or a lead nothing follows: what they did happened."""
    if kind == "deals":
        return [snapshot("deal.deleted", record_id, {"id": record_id}, at)]
    if kind == "activities":
        return [snapshot("activity.deleted", each, {"id": each}, at) for each in _parts(record_id, MOST_AT_ONCE)]
    return []


# ---------------------------------------------------------------- deals

_STANDING = {"won": "deal.won", "lost": "deal.lost", "open": "deal.reopened"}


def turns_said(deal: Record) -> list[Said]:
    """How the deal stands and since when, and when it entered its stage: what every payload tells alike.

    An open deal says so too: only so is it heard that a deal was opened again. The last change says the outcome once
    more, because the time of a win can be written back to before the deal was last open.
    """
    said: list[Said] = []
    status, stage = str(deal.told.get("status") or ""), deal.get("stage_id")
    entered_at = deal.at("stage_change_time", "add_time")
    if stage is not None and entered_at is not None:
        entered = {"id": deal.id, "stage": stage} | ({"pipeline": pipeline} if (pipeline := deal.get("pipeline_id")) else {})
        said.append(snapshot("deal.updated", deal.id, entered, entered_at))
    if status in _STANDING:
        data = {"id": deal.id} | ({"lost_reason": deal.line("lost_reason")} if status == "lost" else {})
        closed_at = deal.at(f"{status}_time", "close_time") if status != "open" else None
        said += [snapshot(_STANDING[status], deal.id, data, at) for at in (closed_at, deal.changed_at) if at is not None]
    return said


def _deal_said(deal: Record, around: Around) -> list[Said]:
    if deal.is_deleted:
        return deleted("deals", deal.id, deal.changed_at)
    return [*turns_said(deal), snapshot("deal.updated", deal.id, _deal_data(deal, around), deal.changed_at), *_buyer_said(deal, around)]


def _deal_data(deal: Record, around: Around) -> dict[str, Any]:
    fields = _of(around.fields, _OF_DEAL)
    names = {"account_manager": fields.get("account_manager", around.fields.get("account_manager"))}
    names["visitor_id"] = fields.get("visitor_id", around.fields.get("visitor_id"))
    known = {word: deal.line(name) for word, name in names.items() if name and deal.has(name)}
    known |= (
        {"account_manager": around.owners.get(known["account_manager"] or "", known["account_manager"])}
        if "account_manager" in known
        else {}
    )
    mrr = deal.get("mrr")
    if mrr is not None and _number(mrr) > 0:
        known["recurring"] = {"amount": mrr, "period": "month"}  # type: ignore[assignment]
    own = {word: name for word, name in fields.items() if word not in names} | _unnamed(around.fields)
    return {
        "id": deal.id,
        "name": deal.line("title"),
        "amount": deal.get("value"),
        "currency": deal.get("currency"),
        "stage": deal.get("stage_id"),
        "pipeline": deal.get("pipeline_id"),
        "opened_at": stamp(deal.at("add_time")),
        "lost_reason": deal.line("lost_reason"),
        "contacts": [_named(each, deal, around) for each in _people(deal, around)],
        **_closed_on(deal, around),
        **_company(deal, around),
        **_owner(deal, around),
        **_url(around, "deal", deal.id),
        **known,
        **_own_properties(deal, own),
    }


def stated(deal: Record, around: Around) -> StatedDeal:
    """A won deal as Pipedrive states it when it is asked: with the close date that its messages say."""
    return StatedDeal(deal.id, deal.line("title"), deal.get("value"), deal.get("currency"), _closed_on(deal, around).get("closed_on"))


def _closed_on(deal: Record, around: Around) -> dict[str, Any]:
    """The day of the close where the company is, or the one that is expected; nothing where only the time is known."""
    closed_at = deal.at("won_time", "lost_time", "close_time") if deal.told.get("status") in ("won", "lost") else None
    local = deal.get("local_won_date", "local_lost_date", "local_close_date")
    if closed_at is None:
        day = deal.get("expected_close_date")
    elif around.zone is not None:
        day = from_micros(closed_at).astimezone(around.zone).date().isoformat()
    elif local is not None:
        day = local
    else:
        return {}
    return {"closed_on": day if day and _DAY.match(day) else None}


def _people(deal: Record, around: Around) -> list[str]:
    """IDs of the deal's persons, the primary one first."""
    primary = _person_id(deal)
    others = sorted(around.participants.get(deal.id, ()), key=lambda each: (len(each), each))
    return list(dict.fromkeys([*([primary] if primary else []), *others]))


def _buyer_said(deal: Record, around: Around) -> Iterator[Said]:
    """Where the deal's person came from, if the deal keeps that."""
    touches, person_id = reported_touches(deal, around.fields), _person_id(deal)
    if touches and person_id:
        yield snapshot("contact.updated", deal.id, {"id": person_id, "reported_touches": touches}, deal.changed_at)


# ---------------------------------------------------------------- persons and leads


def _person_said(person: Record, around: Around) -> list[Said]:
    if person.is_deleted:
        return []
    data = _names(person.id, person) | {
        **_company(person, around),
        **_owner(person, around),
        **_url(around, "person", person.id),
        **_sales_fields(person, around),
    }
    own = {word: name for word, name in around.fields.items() if word not in _OURS and not word.startswith((_OF_DEAL, _OF_COMPANY))}
    data |= _own_properties(person, own)
    touches = reported_touches(person, around.fields)
    data |= {"reported_touches": touches} if touches else {}
    made_at = person.at("add_time")
    said = [snapshot("contact.updated", person.id, data, person.changed_at)]
    if made_at is not None:
        others = person.each("emails", "email")[1:]
        said.append(snapshot("contact.created", person.id, {"id": person.id}, made_at))
        said += (snapshot("contact.updated", person.id, {"id": person.id, "email": each}, made_at) for each in others)
    return [*said, *_marks(person, around), *_mails(person, around)]


_MARKETING = {"subscribed": True, "unsubscribed": False}
"""`no_consent` is what every person has whom nobody asked, and says nothing of calls."""


def _sales_fields(person: Record, around: Around) -> dict[str, Any]:
    fields = around.fields
    found: dict[str, Any] = {
        word: person.line(fields[word]) for word in ("visitor_id", "lead_source", "account_manager") if person.has(fields.get(word))
    }
    if found.get("account_manager") is not None:
        found["account_manager"] = around.owners.get(found["account_manager"], found["account_manager"])
    if person.has(fields.get("may_contact")):
        told = person.get(fields["may_contact"])
        found["may_contact"] = None if told is None else _is_yes(told)
    elif str(person.told.get("marketing_status")) in _MARKETING:
        found["may_contact"] = _MARKETING[str(person.told["marketing_status"])]
    return found


def _marks(person: Record, around: Around) -> Iterator[Said]:
    """That sales qualified a person, with the evidence, or put it aside: as far as settings name fields for that."""
    told = {word: person.get(around.fields[word]) for word in (*_BANT, "disqualified_reason") if word in around.fields}
    reason = told.pop("disqualified_reason", None)
    bant = {word: _is_yes(text) for word, text in told.items() if text is not None}
    if any(bant.values()):
        yield snapshot("contact.qualified", person.id, {"id": person.id, "bant": bant}, person.changed_at)
    if reason is not None:
        data = {"id": person.id, "reason": reason[:_LONGEST_LINE]}
        yield snapshot("contact.disqualified", person.id, data, person.changed_at)


def _mails(person: Record, around: Around) -> Iterator[Said]:
    """The last e-mail to and from a person, where settings name these fields: each is an activity, once."""
    for word, direction in (("mail_sent", "outbound"), ("mail_received", "inbound")):
        at = person.at(around.fields[word]) if word in around.fields else None
        if at is not None:
            mail = {"id": f"mail:{direction}:{person.id}:{at}", "kind": "email", "direction": direction, "took_place_at": stamp(at)}
            yield snapshot("activity.logged", person.id, {**mail, "contact": {"id": person.id}}, at)


def _lead_said(lead: Record, around: Around) -> list[Said]:
    """What a lead of the inbox says of its person: that it is a lead since then, whose it is, and where it came from."""
    person_id, made_at = _person_id(lead), lead.at("add_time")
    if person_id is None or lead.is_deleted:
        return []
    data = _named(person_id, lead, around) | _owner(lead, around) | _url(around, "leads/inbox", lead.id)
    data |= {"lead_source": source} if (source := lead.line("source_name")) else {}
    touches = reported_touches(lead, around.fields)
    data |= {"reported_touches": touches} if touches else {}
    said = [snapshot("contact.updated", lead.id, data, lead.changed_at)]
    return said if made_at is None else [*said, snapshot("contact.lead", lead.id, {"id": person_id}, made_at)]


def reported_touches(record: Record, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """The touch that fields of the site's own tell of: `{"occurred_at", "source", "medium", …}`, what is not known left out."""
    named = {word.removeprefix("utm_"): record.line(fields[word]) for word in _TAGS if word in fields}
    told = {word: text for word, text in named.items() if text is not None}
    touched_at = fields.get("touched_at")
    at = (micros(record.get(touched_at)) if touched_at else None) or record.at("add_time")
    return [{"occurred_at": stamp(at), **told}] if told and at is not None else []


# ---------------------------------------------------------------- activities

_WORDS = (("call", ("call",)), ("email", ("mail",)), ("meeting", ("meet", "lunch", "demo", "visit")))


def _activity_said(activity: Record, around: Around) -> list[Said]:
    """An activity with several participants is one with each: one activity names one contact."""
    if activity.is_deleted or activity.told.get("active_flag") is False:
        return deleted("activities", activity.id, activity.changed_at)
    people, deal_id = _participants(activity), activity.get("deal_id")
    if not people and deal_id is None:
        # With an organization alone, or with nobody any more.
        return deleted("activities", activity.id, activity.changed_at)[:1]
    kind = _kind(activity.get("type") or "", around.fields)
    done = activity.is_true("done")
    data: dict[str, Any] = {"kind": kind, "done": done, "automated": kind == "email" and len(people) > MOST_AT_ONCE}
    took_place_at = _when(activity, kind, done=done)
    data |= {"took_place_at": stamp(took_place_at)} if took_place_at is not None else {}
    data |= {"title": title} if (title := activity.line("subject")) else {}
    data |= {"by": owner["owner"]} if (owner := _owner(activity, around)) else {}
    about = [{"contact": _named(each, activity, around)} for each in people[:MOST_AT_ONCE]] or [{}]
    with_deal = {} if deal_id is None else {"deal": deal_id}
    return [
        snapshot("activity.logged", activity.id, {"id": part, **data, **who, **with_deal}, activity.changed_at)
        for part, who in zip(_parts(activity.id, len(about)), about, strict=True)
    ]


def _participants(activity: Record) -> list[str]:
    listed = activity.told.get("participants") or []
    others = [plain(each.get("person_id")) for each in listed if isinstance(each, dict)]
    return list(dict.fromkeys(each for each in (_person_id(activity), *others) if each))


def _kind(type_: str, fields: Mapping[str, str]) -> str:
    """`call`, `email`, `meeting` or `other`: as settings say of a type, else by what it is called."""
    for kind in ("call", "email", "meeting"):
        if type_ in {each.strip() for each in fields.get(f"{kind}_types", "").split(";") if each.strip()}:
            return kind
    return next((kind for kind, words in _WORDS if any(word in type_.lower() for word in words)), "other")


def _when(activity: Record, kind: str, *, done: bool) -> int | None:
    """When it took place. What was planned and ticked off later took place when it was ticked off, a meeting when it was
    due; what was written down afterwards, when it says."""
    day, clock = activity.get("due_date") or "", activity.get("due_time") or ""
    due_at = micros(f"{day} {_clock(clock)}") if _DAY.match(day) else None
    ticked_at = activity.at("marked_as_done_time") if done else None
    if due_at is None or ticked_at is None:
        return due_at if ticked_at is None else ticked_at
    if not clock and day == str(stamp(ticked_at))[:10]:
        return ticked_at
    was_written_afterwards = due_at < (activity.at("add_time") or 0)
    return min(due_at, ticked_at) if kind == "meeting" or was_written_afterwards else ticked_at


def _clock(text: str) -> str:
    return f"{text}:00"[:8] if _CLOCK.match(text) else "00:00:00"


def _parts(record_id: str, count: int) -> list[str]:
    """IDs of the activities that one activity is."""
    return [record_id, *(f"{record_id}:{place}" for place in range(1, count))]


# ---------------------------------------------------------------- what they share


def _person_id(record: Record) -> str | None:
    return record.get("person_id")


def _names(person_id: str, person: Record) -> dict[str, Any]:
    emails, phones = person.each("emails", "email"), person.each("phones", "phone")
    found = {"email": next(iter(emails), None), "phone": next(iter(phones), None), "name": person.line("name")}
    return {"id": person_id} | {word: text for word, text in found.items() if text is not None}


def _named(person_id: str, record: Record, around: Around) -> dict[str, Any]:
    """A person as another record names it: with what was asked for, or what version 1 embeds."""
    embedded = record.embedded("person_id") if person_id == _person_id(record) else NOBODY
    return _names(person_id, around.persons.get(person_id, embedded))


def _company(record: Record, around: Around) -> dict[str, Any]:
    company_id = record.get("org_id", "organization_id")
    if company_id is None:
        return {"company": None}
    organization = around.organizations.get(company_id, record.embedded("org_id", "organization_id"))
    found = {"name": organization.line("name") or record.line("org_name"), "domain": organization.line("website")}
    known = {word: text for word, text in found.items() if text is not None}
    return {"company": {"id": company_id, **known, **_own_properties(organization, _of(around.fields, _OF_COMPANY))}}


def _owner(record: Record, around: Around) -> dict[str, Any]:
    """`owner`: the name, else the ID; nothing if the record does not say."""
    owner_id = record.get("owner_id", "user_id")
    if owner_id is None:
        return {}
    embedded = record.embedded("owner_id", "user_id").line("name") or record.line("owner_name")
    return {"owner": around.owners.get(owner_id) or embedded or owner_id}


def _url(around: Around, kind: str, record_id: str) -> dict[str, Any]:
    url = around.url(kind, record_id)
    return {} if url is None else {"url": url}


def _own_properties(record: Record, fields: Mapping[str, str]) -> dict[str, Any]:
    told = {word: record.get(name) for word, name in fields.items() if record.has(name)}
    return {"properties": told} if told else {}


def _of(fields: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The fields of one kind of record, their words without its name."""
    return {word.removeprefix(prefix): name for word, name in fields.items() if word.startswith(prefix)}


_HASH = re.compile(r"[0-9a-f]{40}\Z")


def _unnamed(fields: Mapping[str, str]) -> dict[str, str]:
    """Properties that say not of what kind of record: a hash is one field's, so it is found wherever it is."""
    return {word: name for word, name in fields.items() if word not in _OURS and "." not in word and _HASH.match(name)}


def _is_yes(text: str) -> bool:
    return text.lower() not in {"false", "no", "0", "none", "n/a", "unknown"}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
