"""What Salesforce's records say, by the name of their object, and what has to be fetched besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from app.crm.messages import Said, snapshot
from app.crm.salesforce_activities import event_said, task_said
from app.crm.salesforce_deals import deal_field_history_said, opportunity_said, role_said, stage_history_said
from app.crm.salesforce_people import contact_said, lead_history_said, lead_said, member_said
from app.crm.salesforce_values import Org, Record, at, full_id, is_deleted

SAID: dict[str, Callable[[Org, Record], list[Said]]] = {
    "Opportunity": opportunity_said,
    "OpportunityContactRole": role_said,
    "OpportunityHistory": stage_history_said,
    "OpportunityFieldHistory": deal_field_history_said,
    "Contact": contact_said,
    "Lead": lead_said,
    "LeadHistory": lead_history_said,
    "CampaignMember": member_said,
    "Task": task_said,
    "Event": event_said,
    "Account": lambda org, record: [],
}
"""By name of the object: what its records say."""


def wanted_of(object_name: str, record: Record, said: Sequence[Said]) -> list[tuple[str, str]]:
    """(kind, record ID) of what has to be fetched to know what a message left out."""
    record_id, data = full_id(at(record, "Id")), said[0].data if said else {}
    wanted: list[tuple[str, Any]] = []
    if object_name in _KINDS and not is_deleted(record):
        kind, must_be_sent, must_be_said = _KINDS[object_name]
        is_whole = all(name in record for name in must_be_sent) and (not said or all(name in data for name in must_be_said))
        wanted += [] if is_whole else [(kind, record_id)]
    if object_name == "OpportunityContactRole":
        wanted.append(("deals", full_id(at(record, "OpportunityId"))))
    if object_name == "Lead":
        wanted.append(("deals", full_id(at(record, "ConvertedOpportunityId"))))
    return [(kind, each) for kind, each in wanted if isinstance(each, str) and 15 <= len(each) <= 18]


_KINDS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Opportunity": ("deals", (), ("contacts", "owner")),
    "Contact": ("contacts", (), ("email", "owner")),
    "Lead": ("leads", (), ("email", "owner")),
    "Task": ("activities", ("WhoId", "WhatId"), ("by",)),
    "Event": ("activities", ("WhoId", "WhatId"), ("by",)),
    "CampaignMember": ("members", ("Campaign",), ()),
    "Account": ("accounts", ("an Account by itself never says which deals are its",), ()),
}
"""The kind to fetch; the fields that a message must carry, and what it must say, so that nothing needs to be fetched."""


def named_by(said: Said, key: str) -> Said:
    """A message without a time of its own, named by the notification that brought it: sent again, it is the same."""
    return said if said.id else replace(said, id=snapshot(said.type, key, said.data, 0).id)
