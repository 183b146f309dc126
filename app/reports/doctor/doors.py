"""What came in, what was refused at the door, and what could not be computed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import RowMapping

from app.crm.waiting import calls_of_site
from app.reports.doctor.conversions import RECIPE
from app.reports.doctor.findings import (
    EXAMPLES,
    Change,
    Check,
    Finding,
    NotEnoughData,
    Outcome,
    Reading,
    counted,
    listed,
    percent,
    verb,
)
from app.reports.doctor.queries import (
    BEFORE_DAYS,
    RECENT_DAYS,
    crowded_keys,
    drops_of_interval,
    forms_without_email,
    leads_and_the_crm,
    quarantined,
)
from app.reports.figures import as_rfc3339
from app.reports.status import failures
from app.sites.connections import load_connections
from app.tables import from_micros

_OFTEN = 0.2
"""A share from which on it is no exception any more."""
_LEAST_LEADS = 5
_LEAST_FACTS = 28
_LEAST_REQUESTS = 100
_MANY_QUARANTINED = 10
_LONGEST_REASON = 200


# ---------------------------------------------------------------- forms and the CRM


async def forms_send_no_email(reading: Reading) -> Outcome:
    """Forms of leads whose e-mail does not arrive: nobody can tie the browser to the CRM, nor, by the default rule, is it a lead."""
    rows = await reading.rows(forms_without_email())
    if not rows:
        return NotEnoughData("No form of leads was submitted in this time.")
    often = [row for row in rows if row["submissions"] >= _LEAST_LEADS and row["without_email"] >= _OFTEN * row["submissions"]]
    if not often:
        return None
    without, submitted = (sum(row[name] for row in often) for name in ("without_email", "submissions"))
    return Finding(
        "warning",
        f"{without:,} of {counted(submitted, 'submission')} ({percent(without, submitted)}) came without an e-mail, by browsers of which "
        f"nobody is known: {listed([row['name'] or '(no name)' for row in often])}.",
        Change(
            'Give the e-mail\'s input `type="email"` or `name="email"`, or send it by `closedloop.identify`. Forms that are none of leads '
            "are told apart by the setting `lead_forms`."
        ),
        examples=[dict(row) for row in often[:EXAMPLES]],
    )


async def leads_not_in_crm(reading: Reading) -> Outcome:
    """Leads whom the CRM does not know."""
    if not any(row["records"] for row in reading.connections_heard):
        return NotEnoughData("No CRM has told anything yet.")
    rows = await reading.rows(leads_and_the_crm())
    leads, in_crm = (sum(row[name] for row in rows) for name in ("leads", "in_crm"))
    if leads < _LEAST_LEADS:
        return NotEnoughData(f"Fewer than {_LEAST_LEADS} leads in this time.")
    if leads - in_crm < _OFTEN * leads:
        return None
    return Finding(
        "warning",
        f"{leads - in_crm:,} of {counted(leads, 'lead')} ({percent(leads - in_crm, leads)}) are unknown to the CRM by contact and deal.",
        Change(f"See whether each form reaches the CRM, and under the same e-mail. {RECIPE}"),
        examples=[dict(row) for row in rows if row["in_crm"] < row["leads"]][:EXAMPLES],
    )


async def crm_silent(reading: Reading) -> Outcome:
    """Connections that have stopped to tell anything."""
    regular = [row for row in reading.connections_heard if row["before"] >= _LEAST_FACTS and row["days"] >= BEFORE_DAYS // 4]
    if not regular:
        return NotEnoughData(f"No connection told {_LEAST_FACTS} things in the {BEFORE_DAYS} days before the last {RECENT_DAYS}.")
    silent = [row for row in regular if not row["recent"]]
    if not silent:
        return None
    return Finding(
        "error",
        f"{counted(len(silent), 'connection')} told nothing for {RECENT_DAYS} days, after something on most days: "
        f"{listed([row['connection_id'] for row in silent])}.",
        Change(
            "See in the CRM whether its webhooks are still switched on, and ask it for what was missed.",
            command=_sync(reading, silent[0]["connection_id"]),
        ),
        examples=[
            {"connection": row["connection_id"], "facts_in_28_days": row["before"], "last_at": as_rfc3339(from_micros(row["last_at"]))}
            for row in silent[:EXAMPLES]
        ],
    )


def _sync(reading: Reading, connection_id: str) -> str:
    return f"closedloop crm sync {shlex.quote(connection_id)}" + _of_site(reading)


def _of_site(reading: Reading) -> str:
    return "" if reading.site.site_id == "default" else f" --site {shlex.quote(reading.site.site_id)}"


async def crm_never_heard(reading: Reading) -> Outcome:
    """Connections that have told nothing since they were made, a day ago or more."""
    connections = await load_connections(reading.connection, reading.site.site_id)
    if not connections:
        return NotEnoughData("The site has no connection.")
    heard = {row["connection_id"] for row in reading.connections_heard}
    a_day_ago = from_micros(reading.now) - timedelta(days=1)
    mute = [each for each in connections if each.connection_id not in heard and each.created_at <= a_day_ago]
    if not mute:
        return None
    return Finding(
        "warning",
        f"{counted(len(mute), 'connection')} {verb(len(mute), 'has', 'have')} told nothing since {verb(len(mute), 'it was', 'they were')} "
        f"made: {listed([each.connection_id for each in mute])}.",
        Change("Enter the webhook's address in the CRM, or give the connection an API token, so that it is asked what changed."),
        examples=[
            {"connection": each.connection_id, "provider": each.fields.provider, "since": as_rfc3339(each.created_at)}
            for each in mute[:EXAMPLES]
        ],
    )


async def crm_calls_failing(reading: Reading) -> Outcome:
    """Connections whose API cannot be called: it denies, it is down, or records wait for days."""
    calls = await calls_of_site(reading.connection, reading.site.site_id, from_micros(reading.now))
    if not calls:
        return NotEnoughData("The site has no connection.")
    failing = []
    for each in calls:
        errors = [poll["last_error"] for poll in each["polls"] if poll["last_error"]] + [pause["reason"] for pause in each["paused"]]
        if each["fetches"]["stuck"]:
            errors.append(f"{counted(each['fetches']['stuck'], 'record')} waited for days: {each['fetches']['last_error']}")
        if errors:
            failing.append({"connection": each["id"], "error": errors[0][:_LONGEST_REASON]})
    if not failing:
        return None
    return Finding(
        "error",
        f"Calls to {counted(len(failing), 'CRM')} fail: {listed([each['connection'] for each in failing])}.",
        Change(
            "Renew the API token, or give it the scopes that the error names; nothing is lost, it is tried again by itself.",
            command="closedloop crm status" + _of_site(reading),
        ),
        examples=failing[:EXAMPLES],
    )


# ---------------------------------------------------------------- what was refused


async def webhooks_refused(reading: Reading) -> Outcome:
    """Webhooks whose signature no live secret proves, or that are too old: nothing of them is kept."""
    rows = [row for row in await _drops(reading) if row["reason"].startswith("bad_signature:")]
    if not rows:
        return None
    connections = [row["reason"].partition(":")[2] for row in rows]
    number = sum(row["count"] for row in rows)
    return Finding(
        "error",
        f"{counted(number, 'webhook')} {verb(number, 'was', 'were')} refused, because no live secret proves who sent them, or the "
        f"sender's clock is wrong: {listed(connections)}.",
        Change(
            "Compare the signing secret in the CRM with the connection's; both may be live while one takes the other's place. Then ask the "
            "CRM again for what was lost.",
            command=_sync(reading, connections[0]),
        ),
        examples=[
            {"connection": connection, "refused": row["count"], "last_on": row["last_on"]}
            for connection, row in zip(connections, rows[:EXAMPLES], strict=False)
        ],
    )


async def much_dropped(reading: Reading) -> Outcome:
    """Requests of which nothing is kept: bots, browsers that object, networks left out."""
    # What has a colon is of a connection.
    dropped = Counter({row["reason"]: row["count"] for row in await _drops(reading) if ":" not in row["reason"]})
    pages = sum(row["pages"] for row in reading.hosts)
    whole = dropped.total() + pages
    if whole < _LEAST_REQUESTS:
        return NotEnoughData(f"Fewer than {_LEAST_REQUESTS} page views and dropped requests in this time.")
    if dropped.total() < _OFTEN * whole:
        return None
    words = ", ".join(f"{reason} {number:,}" for reason, number in dropped.most_common())
    advice = {
        "gpc": "`honour_gpc` says whether Global Privacy Control is honoured; where it is, no report sees these visitors.",
        "excluded_network": "See whether `excluded_networks` holds a network that is not only the office's: a proxy, a CDN.",
        "dnt": "`honour_dnt` says whether Do Not Track is honoured.",
    }
    most = dropped.most_common(1)[0][0]
    return Finding(
        "advice",
        f"{counted(dropped.total(), 'request')} of {whole:,} ({percent(dropped.total(), whole)}) were dropped at the door: {words}.",
        Change(advice.get(most, "Bots are normal for a public page; `/v1/reports/excluded` says what else counts not.")),
        examples=[{"reason": reason, "requests": number} for reason, number in dropped.most_common(EXAMPLES)],
    )


async def _drops(reading: Reading) -> Sequence[RowMapping]:
    starts_at, ends_at = reading.question.starts_at, reading.question.ends_at
    first, after = (from_micros(at if at is not None else reading.now) for at in (starts_at, ends_at))
    days = {"first_day": first.date().isoformat(), "last_day": (after - timedelta(microseconds=1)).date().isoformat()}
    return await reading.rows(drops_of_interval(), **days)


async def quarantine_growing(reading: Reading) -> Outcome:
    """What could not be understood of late."""
    rows = [row for row in await reading.rows(quarantined()) if row["recent"] or row["before"]]
    recent, before = (sum(row[name] for row in rows) for name in ("recent", "before"))
    if not recent:
        return None
    is_growing = recent >= _MANY_QUARANTINED and recent > before
    shown = [row for row in rows if row["recent"]][:EXAMPLES]
    return Finding(
        "warning" if is_growing else "advice",
        f"{counted(recent, 'message')} could not be understood in the last {RECENT_DAYS} days, after {before:,} in the {RECENT_DAYS} days "
        "before; what is in the quarantine counts nowhere.",
        Change(
            "Look at the reasons, correct the sender, and have them tried again; they are kept for 30 days.",
            command="closedloop quarantine list" + _of_site(reading),
        ),
        examples=[{**dict(row), "reason": row["reason"][:_LONGEST_REASON]} for row in shown],
    )


async def shared_keys(reading: Reading) -> Outcome:
    """E-mails, phones or user IDs that many browsers have used on one day: test addresses, a shared account."""
    rows = await reading.rows(crowded_keys())
    if not rows:
        return None
    names = [row["value"] or row["key_id"] for row in rows]
    return Finding(
        "warning",
        f"{counted(len(rows), 'key')} {verb(len(rows), 'was', 'were')} seen on more than 20 browsers on one day: {listed(names)}.",
        Change(
            "On such a day the key ties nobody together. If it is staff or a test, name it in `internal_contacts`; if a page fills it in "
            "for everybody, correct the page."
        ),
        examples=[{"key": row["value"] or row["key_id"], "visitors": row["visitors"], "days": row["days"]} for row in rows[:EXAMPLES]],
    )


async def computation_failed(reading: Reading) -> Outcome:
    """What made a stage of the pipeline fail, and was set aside."""
    rows = await reading.rows(failures())
    if not rows:
        return None
    number = sum(row["count"] for row in rows)
    return Finding(
        "error",
        f"{counted(number, 'key')} could not be computed and {verb(number, 'is', 'are')} set aside, so figures miss what they "
        f"concern: {listed([row['stage'] for row in rows])}.",
        Change(
            "The service's log says why. Once that is repaired, have everything computed anew.",
            command="closedloop rebuild" + _of_site(reading),
        ),
        examples=[dict(row) for row in rows[:EXAMPLES]],
    )


CHECKS: Sequence[Check] = (
    Check("forms_send_no_email", "Forms whose e-mail does not arrive", forms_send_no_email),
    Check("leads_not_in_crm", "Leads whom the CRM does not know", leads_not_in_crm),
    Check("crm_silent", "Connections that tell nothing any more", crm_silent),
    Check("crm_never_heard", "Connections that have never told anything", crm_never_heard),
    Check("crm_calls_failing", "Calls to CRMs that fail", crm_calls_failing),
    Check("webhooks_refused", "Webhooks refused for their signature or their age", webhooks_refused),
    Check("quarantine_growing", "Messages that could not be understood", quarantine_growing),
    Check("much_dropped", "Requests dropped at the door: bots, browsers that object", much_dropped),
    Check("shared_keys", "Addresses that many browsers share", shared_keys),
    Check("computation_failed", "What could not be computed", computation_failed),
)
