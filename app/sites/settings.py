"""A site's settings: versioned, an input of the pipeline. Every field has a default that a newcomer can live with."""

from __future__ import annotations

import difflib
import ipaddress
import re
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import available_timezones

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.money import currency_code
from app.sites.addresses import normal_domain, normal_email
from app.sites.hours import BusinessHours, Holidays
from app.sites.properties import MappedProperty, Segment, conditions_of, properties_of_site
from app.sites.tracked_deals import TrackedDeal

T = TypeVar("T")

RESERVED_GOALS = frozenset({"lead", "mql", "sql", "opportunity", "customer"})
"""The conversions that every site has; a goal may not take their names, nor begin with `form:`."""

ContactKind = Literal[
    "call", "call:inbound", "call:outbound", "call:unknown", "meeting", "meeting:inbound", "meeting:outbound", "meeting:unknown",
    "email", "email:inbound", "email:outbound", "email:unknown", "other", "other:inbound", "other:outbound", "other:unknown",
]  # fmt: skip
"""A kind of activity, in any direction or in one."""

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


# ---------------------------------------------------------------- values


def fold(text: str) -> str:
    """A name as it is compared: without its case and the space around it."""
    return text.strip().casefold()


def normal_host(text: str) -> str:
    """A host name in lower case, in ASCII, without a leading `www.` or a final dot. ValueError if it is none."""
    host = text.strip().lower().removesuffix(".")
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        host = ""
    host = host.removeprefix("www.")
    if not _HOST.match(host):
        raise ValueError(f"{text[:80]!r} is not a host name: give it alone, such as shop.example.com, without https://, port or path")
    return host


def _known_zone(name: str) -> str:
    if name in _zones():
        return name
    likely = difflib.get_close_matches(name[:60], _zones(), 3)
    instead = f"; did you mean {' or '.join(likely)}?" if likely else ""
    raise ValueError(f"{name[:60]!r} is not an IANA time zone such as UTC, Europe/Berlin or America/New_York{instead}")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # Files beside the zones in some systems' folder: they name no place.
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def _known_region(code: str) -> str:
    if code.strip().upper() not in SUPPORTED_REGIONS:
        raise ValueError(f"{code[:20]!r} is not an ISO 3166 country code of two letters such as DE, US or IN")
    return code.strip().upper()


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a network such as 203.0.113.0/24 or 2001:db8::/32, nor an address") from None


def _path(text: str) -> str:
    path = text.strip()
    if not path.startswith("/") or "*" in path[:-1] or "?" in path or "#" in path:
        raise ValueError(f"{text[:80]!r} is not a path: it begins with /, has no ? or #, and a * only at its end")
    return path


def _printable(text: str) -> str:
    name = text.strip()
    if not name or _UNPRINTABLE.search(name):
        raise ValueError("a name must have at least one character and no control characters")
    return name


def _folded(text: str) -> str:
    return fold(_printable(text))


def _once_each(values: list[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _goal_name(name: str) -> str:
    if fold(name) in RESERVED_GOALS or fold(name).startswith("form:"):
        reserved = ", ".join(sorted(RESERVED_GOALS))
        raise ValueError(f"{name[:60]!r} is taken: {reserved} and names that begin with form: are conversions of every site")
    return name


def _goal_event(event: str) -> str:
    if event == "deal_closed":
        raise ValueError("deal_closed is a fact about a deal and counts as customer; a goal is reached by an event of a visitor")
    return event


def _aliases(aliases: dict[str, str]) -> dict[str, str]:
    folded: dict[str, str] = {}
    for spelling, meant in aliases.items():
        if folded.setdefault(_folded(spelling), _printable(meant)) != _printable(meant):
            raise ValueError(f"{spelling[:60]!r} stands for two different names; case does not tell aliases apart")
    return folded


def _deal_pattern(pattern: str) -> str:
    inside = pattern.removeprefix("*").removesuffix("*")
    if not inside.strip() or "*" in inside:
        raise ValueError(f"{pattern[:80]!r} is not a pattern of names: it has a * only at its beginning or end, and a text besides")
    return pattern


def _email_or_domain(text: str) -> str:
    found = normal_email(text) if "@" in text else normal_domain(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is neither an e-mail address nor a domain such as example.com")
    return found


def _host_or_path(text: str) -> str:
    return _path(text) if text.strip().startswith("/") else normal_host(text)


Name = Annotated[str, Field(max_length=500), AfterValidator(_printable)]
Line = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Folded = Annotated[str, Field(max_length=200), AfterValidator(_folded)]
Host = Annotated[str, AfterValidator(normal_host)]
Hosts = Annotated[list[Host], Field(max_length=1_000), AfterValidator(_once_each)]
Domains = Annotated[list[Host], Field(max_length=10_000), AfterValidator(_once_each)]
HostOrPath = Annotated[str, Field(max_length=2_000), AfterValidator(_printable), AfterValidator(_host_or_path)]
Path = Annotated[str, Field(max_length=2_000), AfterValidator(_printable), AfterValidator(_path)]
Paths = Annotated[list[Path], Field(max_length=1_000), AfterValidator(_once_each)]
Network = Annotated[str, AfterValidator(_network)]
Networks = Annotated[list[Network], Field(max_length=1_000), AfterValidator(_once_each)]
Parameter = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Parameters = Annotated[list[Parameter], Field(max_length=1_000), AfterValidator(_once_each)]
Aliases = Annotated[dict[str, str], Field(max_length=10_000), AfterValidator(_aliases)]
DealPattern = Annotated[Name, AfterValidator(_deal_pattern)]
EmailOrDomain = Annotated[str, Field(max_length=320), AfterValidator(_printable), AfterValidator(_email_or_domain)]
Lookback = Annotated[int, Field(ge=1, le=730)]


# ---------------------------------------------------------------- the settings


class Goal(BaseModel):
    """A conversion of the site's own: an event of a type, on a page, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[Name, Field(max_length=100), AfterValidator(_goal_name)] = Field(description="Name of the goal and of its conversions.")
    event: Annotated[Name, AfterValidator(_goal_event)] | None = Field(None, description="Type of event that reaches it; absent: any.")
    path: Path | None = Field(None, description="Path of the page, exact or ending in `*`; absent: any.")
    once_per: Literal["person", "event"] = Field("person", description="Count each person once (the earliest), or each event.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.event is None and self.path is None:
            raise ValueError("a goal needs an event, a path, or both: without either, everything would reach it")
        return self


Points = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
HalfLife = Annotated[int, Field(ge=0, le=3_650)]


class ScoreRule(BaseModel):
    """Points for what somebody does: an event of a type, a page, a form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[Name, Field(max_length=100)] = Field(description="Name of the rule, which a score gives as its reason.")
    points: Points = Field(description="Points for each time; negative ones take away.")
    event: Annotated[Name, AfterValidator(_goal_event)] | None = Field(None, description="Type of event; absent: any.")
    path: Path | None = Field(None, description="Path of the page, exact or ending in `*`; absent: any.")
    form: Name | None = Field(None, description="Name of the form that is submitted; absent: any.")
    at_most: int = Field(100, ge=1, le=100, description="How many times count for one person: the newest.")
    half_life_days: HalfLife | None = Field(None, description="Days after which it counts half; 0: it never fades; absent: the site's.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.event is None and self.path is None and self.form is None:
            raise ValueError("a rule of the score needs an event, a path or a form: without any, everything would give points")
        return self


class Fit(BaseModel):
    """Points for what somebody, or the company they work for, is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[Name, Field(max_length=100)] = Field(description="Name of the rule, which a score gives as its reason.")
    points: Points = Field(description="Points while it holds; negative ones take away.")
    of: Literal["person", "company"] = Field("person", description="Whose property it is.")
    property: Annotated[Name, Field(max_length=100)] = Field(description="Name of the property, as it is sent.")
    value: Annotated[Name, Field(max_length=500)] | None = Field(None, description="Value that it must have, as text; absent: any.")


class Scoring(BaseModel):
    """What the score of a lead is made of, and from which on marketing takes it for qualified."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: int | None = Field(None, ge=1, le=1_000_000_000, description="Points that make an `mql`; null: no score does.")
    half_life_days: HalfLife = Field(90, description="Days after which what somebody did counts half, unless its rule says otherwise; 0: it never fades.")
    rules: list[ScoreRule] = Field([], max_length=200, description="Points for what people do.")
    fits: list[Fit] = Field([], max_length=200, description="Points for what they are.")

    @model_validator(mode="after")
    def _rules_have_names_of_their_own(self) -> Self:
        names = [*(rule.name for rule in self.rules), *(fit.name for fit in self.fits)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules of the score are named {twice[0][:60]!r}; a score gives them as its reasons")
        return self


class ChannelRule(BaseModel):
    """A rule of the site's own, tried before the shipped ones. Every condition that is given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Annotated[Name, Field(max_length=100)] = Field(description="The channel that it gives.")
    source: Folded | None = Field(None, description="Exact source, case folded.")
    medium: Folded | None = Field(None, description="Exact medium, case folded.")
    campaign: Folded | None = Field(None, description="Campaign, exact or ending in `*`, case folded.")
    referrer: Host | None = Field(None, description="Host of the referrer, or a domain above it.")
    click_id: Name | None = Field(None, description="Parameter that carried the click ID: `gclid`, ….")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.source, self.medium, self.campaign, self.referrer, self.click_id)):
            raise ValueError("a channel rule needs a condition: source, medium, campaign, referrer or click_id")
        return self


class Lookbacks(BaseModel):
    """Default look-back of each kind of conversion, in days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lead: Lookback = 90
    mql: Lookback = 90
    sql: Lookback = 90
    opportunity: Lookback = 365
    customer: Lookback = 365
    goal: Lookback = 90

    def of(self, kind: str) -> int:
        """The look-back of a kind of conversion, in days; of `goal` for the site's own and for forms."""
        days: int = getattr(self, kind if kind in type(self).model_fields else "goal")
        return days


def _word_lists(channels: dict[str, str]) -> dict[str, str]:
    for words, channel in channels.items():
        _printable(channel)
        if not all(word.strip() for word in words.split("|")):
            raise ValueError(f"{words[:60]!r} is no list of words: they stand between |, and none is empty")
    return channels


class SelfReported(BaseModel):
    """What people say themselves of where they heard of the site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    properties: Annotated[list[Name], Field(max_length=10)] = Field(
        [], description="Properties of people that hold their answers, as sent by forms or the CRM; the first that has one counts."
    )
    channels: Annotated[dict[Annotated[str, Field(max_length=1_000)], str], Field(max_length=500), AfterValidator(_word_lists)] = Field(
        {}, description='Words in an answer, separated by `|`, and the channel that they mean, before the shipped list: `{"fair|expo": "Events"}`.'
    )


class SiteSettings(BaseModel):
    """The settings of one site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: Annotated[str, AfterValidator(_known_zone)] = Field("UTC", description="IANA time zone in which days begin: `Europe/Berlin`.")
    currency: Annotated[str, AfterValidator(currency_code)] = Field("USD", description="ISO 4217 currency of the reports.")
    country: Annotated[str, AfterValidator(_known_region)] | None = Field(
        None, description="ISO country whose national phone numbers are understood: `DE`."
    )
    hosts: Hosts = Field([], description="Host names of the site's own pages.")
    ignored_hosts: Hosts = Field(
        [], description="Referrers that mean nothing, besides the shipped list (payment gateways, sign-in providers)."
    )
    excluded_hosts: Hosts = Field([], description="Hosts of the site's own whose pages make neither touches nor goals.")
    excluded_paths: Paths = Field([], description="Paths that make neither touches nor goals, exact or ending in `*`.")
    excluded_networks: Networks = Field(
        [], description="Networks whose visits are dropped at the door: `203.0.113.0/24`. No address is kept."
    )
    spam_referrers: Domains = Field(
        [], description="Domains whose visits are spam, besides the shipped list: such a visit is no touch, and what follows it no goal."
    )
    allowed_referrers: Domains = Field([], description="Domains that are no spam, although the shipped list or `spam_referrers` says so.")
    most_pages_an_hour: int = Field(
        1_000,
        ge=0,
        le=1_000_000,
        description="Pages that one visitor may see within an hour by the clock: who sees more is a program, and makes neither touches nor "
        "goals. Pages sent with a secret key are not counted; 0: no limit.",
    )
    customer_area: Annotated[list[HostOrPath], Field(max_length=1_000), AfterValidator(_once_each)] | None = Field(
        None,
        description="Where customers log in: hosts, and paths, exact or ending in `*`. A session that saw nothing else, made no lead, and that no "
        "campaign or ad brought, is no touch. null: paths such as `/login` and `/account`, hosts such as `app.` and `login.`, but nowhere "
        "`/sign-up` and the like; []: nowhere.",
    )
    channel_rules: list[ChannelRule] = Field(
        [], max_length=1_000, description="Channel rules of the site's own, tried in order before the shipped ones."
    )
    source_aliases: Aliases = Field({}, description='Other spellings of a source, case folded: `{"fb": "facebook"}`.')
    campaign_aliases: Aliases = Field({}, description="Other spellings of a campaign, case folded.")
    lead_forms: Annotated[list[Name], Field(max_length=1_000), AfterValidator(_once_each)] | None = Field(
        None, description="Names of the forms that make a lead; null: any form with an e-mail, except log-in, check-out and newsletter."
    )
    goals: list[Goal] = Field([], max_length=200, description="Conversions of the site's own.")
    lookback_days: Lookbacks = Field(default=Lookbacks(), description="Default look-back of each kind of conversion.")
    half_life_days: float = Field(7.0, gt=0, le=365, description="Half-life of the model `time_decay`.")
    session_gap_minutes: int = Field(30, ge=1, le=24 * 60, description="Minutes without a web event after which a session ends.")
    touch_cap: int = Field(1_000, ge=2, le=1_000, description="Most touches kept of one visitor: the first and the newest.")
    honour_gpc: bool = Field(True, description="Drop events of browsers that send Global Privacy Control.")
    honour_dnt: bool = Field(False, description="Drop events of browsers that send Do Not Track.")
    consent: Literal["always", "opt_in", "cookieless"] = Field(
        "always",
        description="`always`; `opt_in`: the collector sets no cookie of its own accord; `cookieless`: it sets none, and names a browser by a hash that lasts a day, whatever name its page sends.",
    )
    server_cookie: bool = Field(
        True, description="Whether the collector renews the visitor's cookie, which Safari keeps for seven days only if a script set it."
    )
    form_fields: Parameters = Field(
        [], description="Fields that a form without scripts may send besides `email`, `phone` and `user_id`; kept as `properties`."
    )
    stripped_parameters: Parameters = Field(
        [], description="Parameters of addresses that are taken out before anything is stored, besides the shipped list (email, phone, token, …)."
    )
    kept_parameters: Parameters = Field(
        [], description="Parameters on the shipped list that are kept. A value that is an e-mail address or a phone number goes all the same."
    )
    account_journeys: bool = Field(
        False,
        description="Whether a deal's journey takes in everyone of its company (the same company ID in the deal's CRM, or the same "
        "e-mail domain), not only its contacts.",
    )
    free_mail_domains: Hosts = Field(
        [], description="E-mail domains that name no company, besides the shipped list (gmail.com, qq.com, …) and the site's own hosts."
    )
    scoring: Scoring = Field(default=Scoring(), description="What the score of a lead is made of: `threshold`, `rules`, `fits`.")
    bant_minimum: int = Field(
        0, ge=0, le=4, description="How many of budget, authority, need and timeline a qualification by sales must name for an `sql`."
    )
    crm_touches: bool = Field(
        True, description="Whether touches that a CRM reports (its stored original source, campaigns, events) take part in journeys."
    )
    segment_deals: list[TrackedDeal] = Field(
        [],
        max_length=100,
        description='Events of Segment\'s SDKs that are facts of deals: `{"event": "Order Completed", "outcome": "won"}`, or `lost`, `open`, '
        "`refunded`; `id`, `amount` and `currency` list the properties that hold them; `write_key` lets the public key say so.",
    )
    excluded_deals: list[DealPattern] = Field(
        [], max_length=1_000, description="Names of deals that count not, ASCII letters in either case, with `*` at their ends: `*test*`."
    )
    internal_contacts: list[EmailOrDomain] = Field(
        [],
        max_length=1_000,
        description="E-mail addresses, or domains of them, of staff and testers: such people make no conversions, nor do deals that name nobody "
        "else.",
    )
    customer_space: Name | None = Field(None, description="Connection whose deals count as `customer`; null: every connection's.")

    contact_counts: Annotated[list[ContactKind], AfterValidator(_once_each)] = Field(
        ["call", "meeting", "email:outbound", "email:unknown"],
        description="Which activities of sales count as contact: `call`, `meeting`, `email` or `other`, in any direction, or only "
        "`:inbound`, `:outbound` or `:unknown`. What is automated, or went to many at once, never does.",
    )
    first_contact_hours: float = Field(
        24, gt=0, le=10_000, description="Hours at work within which a lead or deal is promised to be contacted."
    )
    business_hours: BusinessHours | None = Field(
        None, description='When sales are at work, by weekday: `{"mon": ["09:00-12:00", "13:00-17:30"]}`; null: always.'
    )
    holidays: Holidays = Field([], description="Days without work: `2026-04-06`, or `12-25` for every year.")
    contact_before_days: int = Field(
        30, ge=0, le=730, description="Days before a deal was created in which an activity with its contact, and naming no deal, counts."
    )
    stale_after_days: int = Field(14, ge=1, le=3_650, description="Days without an activity after which an open deal is stale.")
    next_steps: Annotated[dict[Folded, Line], Field(max_length=200)] = Field(
        {"lead": "educate", "mql": "educate", "sql": "solve", "opportunity": "negotiate"},
        description="What to do next, by stage: `lead`, `mql`, `sql` of people without a deal; the CRM's own stages of a deal, else "
        "`opportunity`.",
    )
    hot_pages: Paths = Field(
        [], max_length=100, description="Pages of which sales wants to know at once that a contact of an open deal is on them, exact or "
        "ending in `*`.",
    )  # fmt: skip
    notice_hours: float = Field(4, gt=0, le=168, description="Hours before a promised first contact is due in which `contact_due` is told.")
    qualified_leads_a_month: int | None = Field(
        None, ge=1, le=1_000_000, description="Qualified leads that marketing promises to sales for each month; null: none are promised."
    )
    qualified_by: Literal["mql", "sql"] = Field("mql", description="Which conversion counts as a qualified lead.")

    self_reported: SelfReported = Field(
        default=SelfReported(), description="Where the answers to 'How did you hear about us?' stand, and what they mean."
    )
    properties: list[MappedProperty] = Field(
        [],
        max_length=100,
        description='What reports can be filtered and grouped by: `{"name": "industry", "of": "company", "from": "Branch"}`.',
    )
    segments: list[Segment] = Field([], max_length=500, description="Filters under a name, for `segment=`.")

    @model_validator(mode="after")
    def _properties_and_segments_are_told_apart(self) -> Self:
        for names in ([each.name for each in self.properties], [each.name for each in self.segments]):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{twice[0][:60]!r} is named twice")
        known = properties_of_site(self.properties)
        for segment in self.segments:
            try:
                conditions_of(segment.filters, known)
            except ValueError as error:
                raise ValueError(f"segment {segment.name[:60]!r}: {error}") from None
        return self

    @model_validator(mode="after")
    def _events_mean_one_thing_of_a_deal(self) -> Self:
        events = [fold(each.event) for each in self.segment_deals]
        if twice := sorted({event for event in events if events.count(event) > 1}):
            raise ValueError(f"segment_deals names {twice[0][:60]!r} twice; case does not tell events apart")
        return self

    @model_validator(mode="after")
    def _goals_have_names_of_their_own(self) -> Self:
        names = [goal.name for goal in self.goals]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two goals are named {twice[0][:60]!r}; a goal's name is the name of its conversions")
        return self

    @cached_property
    def spam_domains(self) -> frozenset[str]:
        """`spam_referrers`, to look into for each origin."""
        return frozenset(self.spam_referrers)

    @cached_property
    def allowed_domains(self) -> frozenset[str]:
        """`allowed_referrers`, likewise."""
        return frozenset(self.allowed_referrers)

    def as_json(self) -> str:
        """The settings as stored: every field, in order."""
        return self.model_dump_json()

    def changed(self, changes: dict[str, Any]) -> SiteSettings:
        """These settings with a JSON merge patch (RFC 7396) applied: objects are merged, lists are replaced, and null
        takes a field back to its default. ValidationError if a value is not allowed."""
        patched = merge_patch(self.model_dump(mode="json"), changes)
        return SiteSettings.model_validate(patched)


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` with a JSON merge patch applied (RFC 7396): null removes a member, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
