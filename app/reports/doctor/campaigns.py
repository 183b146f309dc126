"""How campaigns are tagged: paid clicks without a campaign, spellings that differ, tags that no rule knows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import RowMapping, bindparam, or_

from app import tables
from app.reports.doctor.affected import only_direct, with_touch
from app.reports.doctor.findings import (
    EXAMPLES,
    MOST_NAMES,
    Affected,
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
from app.reports.doctor.referrals import CAME_FROM_HOSTS, hosts_shown, touches_by, untagged
from app.touches.channels import DIRECT_CHANNEL, folded
from app.touches.known_sites import CLICK_IDS, known_host

_origin = tables.origins.c
_LEAST_TOUCHES = 100
_MUCH = 0.7
"""A share of Direct beyond what is usual."""
_FIELDS = ("source", "medium", "campaign")
# Between digits a separator tells 1-1 from 11.
_SEPARATORS = re.compile(r"(?<!\d)(?:[\s_+-]|%20)+|(?:[\s_+-]|%20)+(?!\d)")
_TEMPLATES = {
    "google": "{lpurl}?utm_source=google&utm_medium=cpc&utm_campaign={campaignid}",
    "bing": "{lpurl}?utm_source=bing&utm_medium=cpc&utm_campaign={CampaignId}",
    "linkedin": "utm_source=linkedin&utm_medium=paid-social&utm_campaign={{CAMPAIGN_NAME}}",
    "tiktok": "utm_source=tiktok&utm_medium=paid-social&utm_campaign=__CAMPAIGN_NAME__",
}
"""What an ad platform fills in by itself, by the name that reports show for it."""
_ANY_TEMPLATE = "utm_source=…&utm_medium=cpc&utm_campaign=…"


async def untagged_paid_clicks(reading: Reading) -> Outcome:
    """Visits with the click ID of an ad, and no campaign."""
    paid = {kind for kind, click in CLICK_IDS.items() if click.medium}
    clicks = [row for row in reading.arrivals if row["click_id_kind"].lower() in paid]
    by_kind: Counter[str] = Counter()
    for row in clicks:
        if not row["campaign"]:
            by_kind[row["click_id_kind"]] += row["touches"]
    if not by_kind:
        return None
    every, number = sum(row["touches"] for row in clicks), by_kind.total()
    sources = list(dict.fromkeys(CLICK_IDS[kind.lower()].source for kind, _ in by_kind.most_common()))
    template = next((_TEMPLATES[source] for source in sources if source in _TEMPLATES), _ANY_TEMPLATE)
    is_untagged = (_origin.campaign == "", _origin.click_id_kind.in_(bindparam("kinds", expanding=True)))
    return Finding(
        "warning",
        f"{number:,} of {counted(every, 'paid click')} ({percent(number, every)}) {verb(number, 'names', 'name')} no campaign: clicks on "
        f"ads of {listed(sources)}.",
        Change(
            "Let the ad platform name the campaign: a click ID says who was paid, not for what, and costs cannot be set against it. "
            f"As its tracking template, for all campaigns at once: {template}"
        ),
        await reading.affected(with_touch(*is_untagged), {"kinds": list(by_kind)}),
        [{"click_id": kind, "source": CLICK_IDS[kind.lower()].source, "touches": number} for kind, number in by_kind.most_common(EXAMPLES)],
    )


# ---------------------------------------------------------------- spellings


async def names_differ_in_case(reading: Reading) -> Outcome:
    """One name, written in several ways that only case and white space tell apart: reports take them for one."""
    groups = _groups(reading.arrivals, lambda row, field: folded(row[field]))
    if not groups:
        return None
    return Finding(
        "advice",
        f"{counted(len(groups), 'name')} of sources, media or campaigns {verb(len(groups), 'stands', 'stand')} in several ways that differ "
        "in case or white space only: "
        f"{listed([_spelled(spellings) for _, spellings in groups])}.",
        Change(
            "Write them in one way, best in lower case. Reports here take them for one name; ad platforms, spreadsheets and the costs that "
            "you send may not."
        ),
        await _affected(reading, groups),
        _shown(groups),
    )


async def names_differ_in_spelling(reading: Reading) -> Outcome:
    """Names that differ only by what stands between their words: reports take them for several."""
    groups = _groups(reading.arrivals, lambda row, field: _squeezed(row[f"labelled_{field}"] or ""), spelled="labelled_")
    if not groups:
        return None
    aliases: dict[str, dict[str, str]] = defaultdict(dict)
    for field, spellings in groups:
        meant = spellings.most_common(1)[0][0]
        if field != "medium":
            aliases[f"{field}_aliases"].update({name: meant for name in spellings if name != meant})
    advice = "Make the others aliases of the one that is used most"
    if any(field == "medium" for field, _ in groups):
        advice += "; media have no aliases: write them in one way in your links"
    return Finding(
        "warning",
        f"{counted(len(groups), 'name')} of sources, media or campaigns {verb(len(groups), 'is', 'are')} split in reports by what stands "
        "between the words: "
        f"{listed([_spelled(spellings) for _, spellings in groups])}.",
        Change(f"{advice}.", dict(aliases) or None),
        await _affected(reading, _as_sent(reading.arrivals, groups)),
        _shown(groups),
    )


Groups = list[tuple[str, Counter[str]]]
"""(field, touches by spelling) of each name that is written in several ways, those with most touches first."""


def _groups(rows: Iterable[RowMapping], name_of: Any, spelled: str = "") -> Groups:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        for field in _FIELDS:
            if row[field]:
                found[field, name_of(row, field)][row[f"{spelled}{field}"]] += row["touches"]
    several = [(field, spellings) for (field, _), spellings in found.items() if len(spellings) > 1]
    return sorted(several, key=lambda group: (-group[1].total(), group[0], min(group[1])))


def _squeezed(name: str) -> str:
    return _SEPARATORS.sub("", name)


def _as_sent(rows: Iterable[RowMapping], groups: Groups) -> Groups:
    """Groups of labels as groups of what was sent for them."""
    place = {(field, label): at for at, (field, labels) in enumerate(groups) for label in labels}
    sent: Groups = [(field, Counter()) for field, _ in groups]
    for row in rows:
        for field in _FIELDS:
            at = place.get((field, row[f"labelled_{field}"])) if row[field] else None
            if at is not None:
                sent[at][1][row[field]] += row["touches"]
    return sent


def _spelled(spellings: Counter[str]) -> str:
    return " / ".join(name for name, _ in spellings.most_common(3))


def _shown(groups: Groups) -> list[dict[str, Any]]:
    return [
        {"field": field, "spellings": [name for name, _ in spellings.most_common(EXAMPLES)], "touches": spellings.total()}
        for field, spellings in groups[:EXAMPLES]
    ]


async def _affected(reading: Reading, groups: Groups) -> Affected:
    sent = {field: [name for each, spellings in groups if each == field for name in spellings][:MOST_NAMES] for field in _FIELDS}
    is_one = or_(*(_origin[field].in_(bindparam(f"{field}_names", expanding=True)) for field in _FIELDS))
    return await reading.affected(with_touch(is_one), {f"{field}_names": names for field, names in sent.items()})


# ---------------------------------------------------------------- tags that say too little


async def tags_without_source(reading: Reading) -> Outcome:
    """A campaign or medium without a source: nobody can tell where it ran."""
    rows = [row for row in reading.arrivals if (row["campaign"] or row["medium"]) and not row["source"] and not row["click_id_kind"]]
    by_tags = Counter({(row["medium"], row["campaign"]): 0 for row in rows})
    for row in rows:
        by_tags[row["medium"], row["campaign"]] += row["touches"]
    if not by_tags:
        return None
    names = [campaign or medium for (medium, campaign), _ in by_tags.most_common()]
    is_such = (_origin.source == "", _origin.click_id_kind == "", or_(_origin.medium != "", _origin.campaign != ""))
    return Finding(
        "warning",
        f"{counted(by_tags.total(), 'visit')} came by tagged links without a source: {listed(names)}.",
        Change("Give each link `utm_source`, `utm_medium` and `utm_campaign`, all three."),
        await reading.affected(with_touch(*is_such)),
        [{"medium": medium, "campaign": campaign, "touches": n} for (medium, campaign), n in by_tags.most_common(EXAMPLES)],
    )


async def channel_unassigned(reading: Reading) -> Outcome:
    """Tagged visits that no channel rule knows."""
    unknown = [row for row in reading.arrivals if row["channel"] == "Unassigned" and (row["source"] or row["medium"])]
    by_pair: Counter[tuple[str, str]] = Counter()
    for row in unknown:
        by_pair[row["labelled_source"], row["labelled_medium"]] += row["touches"]
    if not by_pair:
        return None
    is_unassigned = (tables.origin_labels.c.channel == "Unassigned", or_(_origin.source != "", _origin.medium != ""))
    return Finding(
        "warning",
        f"{counted(by_pair.total(), 'visit')} came by links whose tags no channel rule knows: "
        f"{listed([f'{source} / {medium}' for (source, medium), _ in by_pair.most_common()])}.",
        Change(
            "Use a medium that the rules know (`cpc`, `email`, `social`, `referral`, `display`, `affiliate`, …), or give the site a rule "
            "of its own in `channel_rules` that names the channel of this source or medium."
        ),
        await reading.affected(with_touch(*is_unassigned)),
        [{"source": source, "medium": medium, "touches": n} for (source, medium), n in by_pair.most_common(EXAMPLES)],
    )


async def untagged_mail_clicks(reading: Reading) -> Outcome:
    """Visits out of people's mail programs by links without tags: nobody can tell which mail it was."""
    mails = [row for row in untagged(reading.arrivals) if (site := known_host(row["referring_host"])) and site.kind == "email"]
    touches = touches_by(mails, "referring_host")
    if not touches:
        return None
    return Finding(
        "advice",
        f"{counted(touches.total(), 'visit')} came from mail programs by links without tags: "
        f"{listed([host for host, _ in touches.most_common()])}.",
        Change(
            "Give the links in your mails `utm_source`, `utm_medium=email` and `utm_campaign`; most newsletter programs do it by a switch."
        ),
        await reading.affected(with_touch(CAME_FROM_HOSTS), {"hosts": list(touches)[:MOST_NAMES]}),
        hosts_shown(touches),
    )


async def much_direct(reading: Reading) -> Outcome:
    """Direct visits beyond what is usual: links without tags in mails, apps and documents, or redirects that lose the referrer."""
    every = sum(row["touches"] for row in reading.arrivals)
    direct = sum(row["touches"] for row in reading.arrivals if row["channel"] == DIRECT_CHANNEL)
    if every < _LEAST_TOUCHES:
        return NotEnoughData(f"Fewer than {_LEAST_TOUCHES} touches in this time.")
    if direct < _MUCH * every:
        return None
    return Finding(
        "advice",
        f"{direct:,} of {counted(every, 'touch', 'touches')} ({percent(direct, every)}) are Direct: where they came from is not known.",
        Change("Tag the links in mails, apps, documents and signatures, and see whether redirects of yours keep the address's parameters."),
        await reading.affected(only_direct),
    )


CHECKS: Sequence[Check] = (
    Check("untagged_paid_clicks", "Clicks on ads that name no campaign", untagged_paid_clicks),
    Check("names_differ_in_spelling", "Names that are split by hyphens, underscores or spaces", names_differ_in_spelling),
    Check("names_differ_in_case", "Names that differ in case only", names_differ_in_case),
    Check("tags_without_source", "Tagged links that name no source", tags_without_source),
    Check("untagged_mail_clicks", "Visits from mail programs by links without tags", untagged_mail_clicks),
    Check("much_direct", "The share of Direct", much_direct),
    Check("channel_unassigned", "Tags that no channel rule knows", channel_unassigned),
)
