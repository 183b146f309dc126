"""What Salesforce's tasks and events say: what sales did."""

from __future__ import annotations

from typing import Any

from app.crm.messages import Said
from app.crm.salesforce_values import (
    ABSENT,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    Org,
    Record,
    at,
    day_of,
    first_said,
    flag,
    full_id,
    is_deleted,
    message_of,
    micros_at,
    modified_at,
    own_field,
    owner_of,
    said_of,
    text_at,
    time_of,
    time_text,
)


def task_said(org: Org, record: Record) -> list[Said]:
    """What a Task says, if it is about a lead, a contact or an opportunity."""
    subject = text_at(record, "Subject") or ""
    completed_at = micros_at(record, "CompletedDateTime")
    # What does not say that it is done is not: a task that is planned must not hide that nobody has called yet.
    is_done = flag(at(record, "IsClosed")) or (text_at(record, "Status") or "").lower() == "completed" or completed_at is not None
    is_bulk = text_at(record, "TaskSubtype") == "ListEmail" or subject.lower().startswith(("list email", "mass email"))
    direction = (text_at(record, "CallType") or "").lower()
    told = {
        "kind": _task_kind(record, subject),
        "direction": direction if direction in {"inbound", "outbound"} else ABSENT,
        "automated": is_bulk or flag(own_field(org, record, "automated")) is True,
        "done": is_done,
        "took_place_at": _when_done(record, completed_at),
    }
    return _activity_said(org, record, told)


def event_said(org: Org, record: Record) -> list[Said]:
    """What an Event says. One in the future is told with its time, since nobody tells when it is over."""
    named = f"{text_at(record, 'Type') or ''} {text_at(record, 'EventSubtype') or ''}".lower()
    start = first_said(record, "StartDateTime", "ActivityDateTime", "ActivityDate")
    told = {
        "kind": "call" if "call" in named else "email" if "mail" in named else "meeting",
        "automated": flag(own_field(org, record, "automated")) is True,
        "done": True,
        "took_place_at": time_of(start) if isinstance(start, str) else ABSENT,
    }
    return _activity_said(org, record, told)


def _task_kind(record: Record, subject: str) -> str:
    words = (text_at(record, "TaskSubtype") or "", text_at(record, "Type") or "", subject.partition(":")[0])
    for word in (each.lower() for each in words):
        for sign, kind in (("mail", "email"), ("call", "call"), ("meeting", "meeting"), ("demo", "meeting")):
            if sign in word:
                return kind
    return "other"


def _when_done(record: Record, completed_at: int | None) -> Any:
    """When a task took place: when it was closed, else its day, unless it was logged on that day and so says the hour."""
    if completed_at is not None:
        return time_text(completed_at)
    created, day = time_of(at(record, "CreatedDate")), day_of(at(record, "ActivityDate"))
    if isinstance(day, str) and not str(created).startswith(day):
        return day
    return ABSENT if created is None else created


def _activity_said(org: Org, record: Record, told: dict[str, Any]) -> list[Said]:
    record_id = full_id(at(record, "Id"))
    if is_deleted(record):
        return [message_of("activity.deleted", record_id, {"id": record_id}, micros_at(record, "SystemModstamp", "LastModifiedDate"))]
    who, what = full_id(at(record, "WhoId")), full_id(at(record, "WhatId"))
    about = {
        "contact": {"lead_id": who} if _is_of(who, LEAD) else {"id": who} if _is_of(who, CONTACT) else ABSENT,
        "deal": what if _is_of(what, OPPORTUNITY) else ABSENT,
    }
    if about["contact"] is ABSENT and about["deal"] is ABSENT:
        return []
    data = said_of({"id": record_id, **told, "title": at(record, "Subject"), "by": owner_of(org, record), **about})
    return [message_of("activity.logged", record_id, data, modified_at(record))]


def _is_of(record_id: Any, prefix: str) -> bool:
    return isinstance(record_id, str) and record_id.startswith(prefix)
