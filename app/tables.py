"""Every table, in the order of the flow: configuration, the log, the queues, what is derived.

The comments on tables and columns are the data dictionary (`docs/data-dictionary.md` is generated from them).

- Every primary key begins with `site_id`, and no statement of the pipeline spans two sites.
- *Heavy* tables (`events`, `touches`, `left_out_touches`, `goal_events`, `visitor_spans`, `touches_queue`, `spans_queue`) are keyed by
  (`site_id`, `visitor_id`, …) and computed visitor by visitor; the others are *light*, a few per cent of the volume.
- Nothing has a foreign key: derived tables are pure functions of the log, and `closedloop check` proves it.
- ID and key columns collate "C" on PostgreSQL, so that 'smallest' means the same on both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    FromClause,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s__%(column_0_N_name)s", "pk": "pk_%(table_name)s"})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

BEGINNING = 0
"""Start of the first span of a visitor: before every time that validation lets in, in microseconds."""
END_OF_TIME = 253_402_300_799_999_999
"""End of the last span of a visitor: 9999-12-31T23:59:59.999999Z, in microseconds."""


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; exact (no float on the way)."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


class Moment(TypeDecorator[datetime]):
    """A UTC time, stored as integer microseconds since 1970: both databases compare and subtract it alike.

    Binds an aware datetime or an integer (already microseconds); answers an aware datetime.
    For arithmetic in SQL use `micros(column)`, which is the bare integer.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Dialect) -> int | None:
        return to_micros(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self


Key = Text().with_variant(Text(collation="C"), "postgresql")
"""An ID or a key: compared byte by byte on both databases."""


def of_site(table: FromClause) -> ColumnElement[bool]:
    """Rows of the site at hand."""
    return table.c.site_id == bindparam("site_id")


def _table(name: str, comment: str, *columns: Column[Any] | Index) -> Table:
    return Table(name, metadata, *columns, comment=comment)


def _id(name: str, comment: str, *, nullable: bool = False) -> Column[Any]:
    """A column that is part of the primary key."""
    return Column(name, Key, primary_key=True, nullable=nullable, comment=comment)


def _site() -> Column[Any]:
    return _id("site_id", "The tenant; first column of every key.")


def _key(name: str, comment: str, *, null: bool = False, default: str | None = None) -> Column[Any]:
    return Column(name, Key, nullable=null, comment=comment, server_default=default)


def _text(name: str, comment: str, *, null: bool = False, default: str | None = None) -> Column[Any]:
    return Column(name, Text, nullable=null, comment=comment, server_default=default)


def _at(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Moment, nullable=null, comment=f"{comment} UTC microseconds.")


def _int(name: str, comment: str, *, null: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=null, comment=comment)


def _small(name: str, comment: str) -> Column[Any]:
    return Column(name, SmallInteger, nullable=False, comment=comment)


def _flag(name: str, comment: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, comment=comment)


def _run() -> Column[Any]:
    """Makes a light derived table one with history: what a swap replaces in it is kept in its twin in `history`."""
    comment = "The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed."
    return Column("run_id", BigInteger, nullable=False, server_default="0", comment=comment)


# ---------------------------------------------------------------- configuration

sites = _table(
    "sites",
    "A tenant: one brand or company.",
    _site(),
    Column(
        "hash_key", LargeBinary, nullable=False, comment="Secret of the keyed hashes of e-mails, phones and IDs; made once, never rotated."
    ),
    _int("settings_version", "The version of `site_versions` in force."),
    Column(
        "erasures",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="How often something was erased: a batch that was computed before an erasure is not written after it.",
    ),
    _at("created_at", "When the site was made."),
)

site_versions = _table(
    "site_versions",
    "Every version of a site's settings: an input of the pipeline.",
    _site(),
    Column("version", BigInteger, primary_key=True, comment="1, 2, 3, …"),
    _text("settings", "The whole of the settings as JSON (`app.sites.settings.SiteSettings`)."),
    _at("created_at", "When this version came into force."),
)

models = _table(
    "models",
    "Models of a site's own, each time they changed: weights of milestones, together 1,000.",
    _site(),
    _id("name", "What `model=` calls it."),
    Column("changed_at", Moment, primary_key=True, comment="When it was made, changed or removed: UTC microseconds."),
    _int("first_permille", "What the first touch gets, in tenths of a per cent."),
    _int("lead_permille", "The last touch at or before the lead."),
    _int("opportunity_permille", "The last touch at or before the opportunity."),
    _int("last_permille", "The last touch."),
    _int("rest_permille", "Divided over the touches that hold no milestone."),
    _flag("is_gone", "It was removed."),
)

keys = _table(
    "keys",
    "API keys. A secret key that reads several sites has one row for each.",
    _site(),
    _id("key_id", "Public name of the key."),
    _text("kind", "`write` (public, stands in a web page) or `secret`."),
    _key("key_hash", "SHA-256 of the key, hex."),
    _text("scopes", "Scopes of a secret key, separated by spaces: `ingest`, `read`, `admin`."),
    _text("label", "What its owner calls it.", default=""),
    _text("public_value", "The key itself, for write keys only (they are public).", null=True),
    _at("created_at", "When it was made."),
    _at("revoked_at", "When it stopped being valid.", null=True),
    Index("ix_keys__key_hash", "key_hash"),
)

connections = _table(
    "connections",
    "A CRM that sends webhooks.",
    _site(),
    _id("connection_id", "Chosen by the caller; stands in the webhook's path; unique over all sites."),
    _text("provider", "`generic` and, later, one for each CRM."),
    _text("secrets", "JSON list of the one or two live signing secrets, newest first."),
    _text("api_token", "Token to fetch details with.", null=True),
    _text("api_base_url", "Where to fetch details.", null=True),
    _text("settings", "JSON: `won_stages`, `lost_stages`, …"),
    _flag("reports_activities", "Whether calls, meetings and e-mails of sales arrive through it."),
    _at("created_at", "When it was made."),
    Index("ix_connections__connection_id", "connection_id", unique=True),
)

notice_endpoints = _table(
    "notice_endpoints",
    "Where a site wants to be told what happens: outgoing webhooks.",
    _site(),
    _id("endpoint_id", "Chosen by the caller."),
    _text("url", "Where it is posted to."),
    _text("secrets", "JSON list of the one or two live signing secrets, newest first."),
    _text("format", "`standard` (Standard Webhooks) or `slack` (a text that chat systems show)."),
    _text("kinds", "What it is told of, separated by spaces: `stage_changed`, `contact_due`, `hot_visit`."),
    _at("created_at", "When it was made: what happened before is not told."),
    _at("paused_until", "When to send to it again, where it asked for a pause or failed; null: it did not.", null=True),
    _at("disabled_at", "When it was disabled; null: it is not.", null=True),
    _text("disabled_because", "Why, in words.", null=True),
)

local_days = _table(
    "local_days",
    "When each local day of a site starts (SQLite knows no time zones); made anew when the zone changes.",
    _site(),
    _id("day", "Local date, YYYY-MM-DD."),
    _at("starts_at", "First instant of that day in the site's zone."),
    Index("ix_local_days__starts_at", "site_id", "starts_at", "day"),
)

open_hours = _table(
    "open_hours",
    "When sales is at work, as stretches of time, from the settings in force: how long somebody waits is counted within them.",
    _site(),
    Column("starts_at", Moment, primary_key=True, comment="First instant of the stretch. UTC microseconds."),
    _at("ends_at", "First instant after it."),
    _int("open_before", "Microseconds at work in all the stretches before it."),
    Index("ix_open_hours__open_before", "site_id", "open_before"),
)

goal_rules = _table(
    "goal_rules",
    "What events of visitors the site has a name for, as rows for the pipeline's statements; from the settings in force.",
    _site(),
    _id("purpose", "`goal`: makes conversions; `score`: gives points (`score_rules`); `hot`: is told of, of contacts of open deals."),
    _id("goal", "Name of the goal, which is the name of its conversions, or of the rule."),
    _text("event_type", "Type of event that reaches it; empty: any.", default=""),
    _text("path", "Path of the page, folded by nothing; empty: any.", default=""),
    _flag("path_is_prefix", "Whether `path` is a beginning (a `*` stood at its end)."),
    _text("form", "Name of the form that is submitted; empty: any.", default=""),
    _text("once_per", "`person` or `event`."),
)

score_rules = _table(
    "score_rules",
    "What a lead's score is made of, from the settings in force: what people do (`goal_rules`), and what they are.",
    _site(),
    _id("rule", "Name of the rule."),
    _int("points", "Points that it gives; negative ones take away."),
    _int("at_most", "How often it gives them to one person: the newest times; null: it is a property that does.", null=True),
    _int("half_life", "Days after which what somebody did counts half; null: it never fades.", null=True),
    _text("of", "`person` or `company` where it is a property that gives the points; empty: an event."),
    _text("property", "Name of the property, as sent.", default=""),
    _key("value", "Value that it must have; null: any.", null=True),
)

excluded_pages = _table(
    "excluded_pages",
    "Pages of the site's own that make neither touches nor goals; from the settings in force.",
    _site(),
    _id("host", "Host name; empty: any."),
    _id("path", "Path; empty: any."),
    Column("path_is_prefix", Boolean, primary_key=True, comment="Whether `path` is a beginning."),
)

customer_pages = _table(
    "customer_pages",
    "What tells a page of the area that customers log in to; from the settings in force. Paths are in lower case, with one `/` at their end.",
    _site(),
    _id("part", "What is compared: `host`, `label` (the host's first), `path`, `prefix` (of the path), `first` (the path's first segment, after a language); `outside`: the same, and then the page does not lie there."),
    _id("value", "What it must be."),
)

erasures = _table(
    "erasures",
    "That a person was erased, and when; nothing of who it was.",
    _site(),
    _id("erasure_id", "Random."),
    _at("erased_at", "When."),
    _text("key_id", "The API key that asked for it: `keys`; `command line` for the command."),
    _text("row_counts", "JSON: by table, how many rows were deleted or emptied."),
)

deal_stages = _table(
    "deal_stages",
    "Which stages of a connection's pipelines mean won, lost or that the deal counts not (yet); from the connections' settings.",
    _site(),
    _id("space", "Deal space: `generic` or a connection ID."),
    _id("stage", "Name of the stage, as the CRM sends it."),
    _text("outcome", "`won`, `lost` or `ignored`."),
)

deal_pipelines = _table(
    "deal_pipelines",
    "The pipelines of a space whose deals count, where its connections name any; from the connections' settings.",
    _site(),
    _id("space", "Deal space: `generic` or a connection ID."),
    _id("pipeline", "The CRM's ID of the pipeline."),
    _text("name", "What people call it.", default=""),
)

excluded_deals = _table(
    "excluded_deals",
    "Names of deals that count not (tests, demonstrations), from the settings in force.",
    _site(),
    _id("pattern", "The name, its ASCII letters in lower case, as a pattern of LIKE with the escape `\\`; a `%` at its beginning or end stands for any text."),
)

excluded_keys = _table(
    "excluded_keys",
    "Contacts who count not (staff, tests), from the settings in force.",
    _site(),
    _id("key_id", "Key of an e-mail; empty where a whole domain is meant."),
    _id("domain", "Domain of e-mails; empty where one address is meant."),
)

# ---------------------------------------------------------------- the log

events = _table(
    "events",
    "One fact about one visitor that arrived; append-only. Heavy.",
    _site(),
    _id("visitor_id", "Cookie ID of the browser, or the pseudo-visitor of a key (`~` and the key ID)."),
    _id("event_id", "Unique within the visitor; sent by the client or derived."),
    _text("type", "`visit`, `pageview`, `form_submit`, `identify`, `engagement`, `touch`, or the site's own."),
    _at("occurred_at", "When it happened: the client's time, corrected for skew, never in the future."),
    _int("sequence", "Order among events of the same instant, if the client sent one, else 0."),
    _small("type_rank", "0 for `visit`, 1 for all else: a visit sorts first among equals."),
    _small(
        "start_rank",
        "2: may start a session (`visit`, `pageview`, `touch`, an explicit source); 0: never does (`engagement`, `identify`); 1: only where the visitor has no event of rank 2.",
    ),
    _flag("is_web", "Keeps a session alive: a fact of the website (not an offline touch, not a server's event without a page)."),
    _at("received_at", "When it came in."),
    _key("origin_id", "Where it came from: `origins`."),
    _int(
        "campaign_key",
        "64-bit hash of (source, medium, campaign, click ID), case folded; null where it carries neither a campaign nor a click ID.",
        null=True,
    ),
    _flag("has_internal_referrer", "The referrer has the page's own registrable domain."),
    _text("host", "Host of the page, lower case, without `www.`.", default=""),
    _text("path", "Path of the page.", default=""),
    _text("url", "Address of the page as sent, without user info.", null=True),
    _text("referrer", "Referrer as sent.", null=True),
    _text("title", "Title of the page.", null=True),
    _key("form_id", "Which form was submitted: `forms`.", null=True),
    _flag("has_email", "An e-mail came with it (its hash is in `sightings`)."),
    _text("click_id", "Value of the ad click ID.", null=True),
    _int("engaged_ms", "For `engagement`: milliseconds in the foreground.", null=True),
    _flag("is_trusted", "It came with a secret key."),
    _text("reported_by", "`crm` or `import` where somebody else tells of it afterwards; empty: seen by ourselves.", default=""),
    _text("properties", "JSON object of the sender's own.", null=True),
    Index("ix_events__order", "site_id", "visitor_id", "occurred_at", "sequence", "type_rank", "event_id"),
)

origins = _table(
    "origins",
    "A distinct tuple of where visits come from. An absent part is an empty text.",
    _site(),
    _id("origin_id", "128-bit hash of the tuple (22 characters, base64url)."),
    _text("explicit_channel", "Channel that a secret key stated.", default=""),
    _text("source", "utm_source or explicit source, as sent.", default=""),
    _text("medium", "utm_medium or explicit medium, as sent.", default=""),
    _text("campaign", "utm_campaign or explicit campaign, as sent.", default=""),
    _text("term", "utm_term or explicit term.", default=""),
    _text("content", "utm_content or explicit content.", default=""),
    _text("referring_host", "Host of the referrer, lower case, without `www.`; empty if the page's own.", default=""),
    _text("click_id_kind", "Parameter that carried the click ID: `gclid`, `fbclid`, …", default=""),
)

forms = _table(
    "forms",
    "A distinct pair of form name and page path.",
    _site(),
    _id("form_id", "128-bit hash of the pair."),
    _text("name", "Name of the form as sent."),
    _text("path", "Path of the page it was on."),
)

sightings = _table(
    "sightings",
    "One subject (an event, a contact in a CRM fact) seen carrying keys, and the visitor it was seen on.",
    _site(),
    _id("link_id", "Which keys: `link_keys`."),
    _id("visitor_id", "Visitor it was seen on; empty if none."),
    _id("fact_id", "The event or CRM fact."),
    _at("occurred_at", "When the subject was seen."),
    _int("sequence", "Order among sightings of one instant: the event's."),
    _flag("is_trusted", "It came with a secret key or from a CRM."),
    _at("received_at", "When it came in."),
    Index("ix_sightings__visitor", "site_id", "visitor_id", "occurred_at"),
    Index("ix_sightings__fact", "site_id", "fact_id"),
)

link_keys = _table(
    "link_keys",
    "The keys of a distinct set of keys that a subject carried together.",
    _site(),
    _id("link_id", "128-bit hash of the sorted set of keys."),
    _id("key_id", "`c_`, `e_`, `p_` or `u_` (CRM contact, e-mail, phone, user ID) and a keyed hash."),
    Index("ix_link_keys__key", "site_id", "key_id", "link_id"),
)

key_domains = _table(
    "key_domains",
    "The domain of the e-mail that a key stands for: people with one domain, free-mail providers' apart, are of one company.",
    _site(),
    _id("key_id", "Key of an e-mail."),
    _key("domain", "What follows the `@`, in lower case, as Unicode writes it."),
    Index("ix_key_domains__domain", "site_id", "domain", "key_id"),
)

contact_companies = _table(
    "contact_companies",
    "The company that one fact said a contact is of. The last by (occurred_at, fact_id) holds.",
    _site(),
    _id("key_id", "The contact's first key: its CRM contact ID, else its e-mail, phone or user ID."),
    _id("space", "Space of the company's ID: `generic` or the connection ID."),
    _id("fact_id", "The fact that said so."),
    _key("company_id", "The CRM's ID of the company; null: of none any more.", null=True),
    _at("occurred_at", "When it came to hold."),
    Index("ix_contact_companies__company", "site_id", "space", "company_id"),
)

unlinks = _table(
    "unlinks",
    "Joins that a person has undone: sightings of these keys on this visitor count no more.",
    _site(),
    _id("visitor_id", "Visitor of the undone sighting; empty if it had none."),
    _id("link_id", "Keys of the undone sighting."),
    _key("fact_id", "The fact that was named when it was undone."),
    _at("created_at", "When it was undone."),
)

contacts = _table(
    "contacts",
    "Names and addresses, for display and export only; decides nothing.",
    _site(),
    _id("key_id", "The key that this is the clear text of, or the CRM contact."),
    _text("kind", "`email`, `phone`, `user_id` or `contact`."),
    _text("value", "The address, number or ID itself."),
    _text("name", "Name of the person.", null=True),
    _text("company", "Company, as the CRM says.", null=True),
    _text("lead_source", "The CRM's own lead source.", null=True),
    _text("email_domain", "Domain of the e-mail.", null=True),
    Column("may_contact", Boolean, nullable=True, comment="Whether the person may be contacted."),
    _at("occurred_at", "Time of the newest fact that wrote this row."),
)

crm_facts = _table(
    "crm_facts",
    "One fact that a CRM (or a `deal_closed` event) reported, as it came.",
    _site(),
    _id("fact_id", "128-bit hash of (connection or `events`, message ID)."),
    _key("connection_id", "Connection it came through; empty for an event."),
    _key("space", "Deal and contact space: `generic` or the connection ID."),
    _text("type", "`deal.won`, `contact.created`, `activity.logged`, …"),
    _key("deal_id", "Deal that it is about; empty if none."),
    _at("occurred_at", "When it happened, by the CRM."),
    _at("received_at", "When it came in."),
    _text("body", "The payload's `data` as JSON, without e-mails and phone numbers."),
    Index("ix_crm_facts__deal", "site_id", "space", "deal_id"),
)

deal_fields = _table(
    "deal_fields",
    "One field of a deal that one fact sent. The fold takes the last by (occurred_at, fact_id).",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The CRM's ID of the deal."),
    _id(
        "field",
        "`name`, `amount`, `currency`, `stage`, `opened_at`, `closed_on`, `pipeline`, `type`, `company_id`, `company_name`, `company_domain`, `owner`, `lost_reason`, `account_manager`, `recurring`, `recurring_period`, `visitor_id`, `url`, `contacts`.",
    ),
    _id("fact_id", "The fact that sent it."),
    _at("occurred_at", "When the value came to hold."),
    _key("value", "The value (times in microseconds, money in ten-thousandths of the unit, whatever its currency; `contacts`: their number); null clears.", null=True),
    Index(
        "ix_deal_fields__visitor",
        "site_id",
        "value",
        sqlite_where=text("field = 'visitor_id'"),
        postgresql_where=text("field = 'visitor_id'"),
    ),
)

deal_changes = _table(
    "deal_changes",
    "One thing that happened to a deal, other than a value of a field.",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The CRM's ID of the deal."),
    _id("fact_id", "The fact that said so."),
    _text("change", "`seen` (created or updated), `won`, `lost`, `reopened`, `adjusted`, `churned`, `deleted`."),
    _at("occurred_at", "When it happened."),
    _int("amount", "For `adjusted`: the signed change, in ten-thousandths of the unit of the deal's currency.", null=True),
)

deal_contacts = _table(
    "deal_contacts",
    "The contacts that one fact listed for a deal; a later list replaces the whole.",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The CRM's ID of the deal."),
    _id("fact_id", "The fact that sent the list."),
    _id("link_id", "Keys of the contact: `link_keys`."),
    Index("ix_deal_contacts__link", "site_id", "link_id"),
)

person_fields = _table(
    "person_fields",
    "One property of a human that one fact sent: a form, an `identify`, a contact of a CRM. A trusted sender's outranks a page's.",
    _site(),
    _id("link_id", "Keys of the human: `link_keys`."),
    _id("field", "Name of the property, as sent; empty: the company they work for."),
    _id("visitor_id", "Visitor that the event was seen on; empty if none."),
    _id("fact_id", "The event or CRM fact that sent it."),
    _at("occurred_at", "When the value came to hold."),
    _flag("is_trusted", "It came with a secret key or from a CRM."),
    _key("value", "The value as text (of a company: its `record_id`); null clears.", null=True),
)

record_fields = _table(
    "record_fields",
    "One property of a deal or a company that one fact sent.",
    _site(),
    _id("record_id", "`deal:<space>/<deal ID>`, or `company:<space>/` with `id:`, `domain:` or `name:` and its value."),
    _id("field", "Name of the property, as sent."),
    _id("fact_id", "The fact that sent it."),
    _at("occurred_at", "When the value came to hold."),
    _key("value", "The value as text; null clears.", null=True),
)

activities = _table(
    "activities",
    "What one fact told of a call, a meeting or an e-mail of sales. Of one activity, the last by (told_at, fact_id) holds.",
    _site(),
    _id("space", "Space of its ID and of the deal's."),
    _id("activity_id", "The CRM's ID; the fact's where it has none."),
    _id("fact_id", "The fact that told of it."),
    _at("told_at", "When that came to hold."),
    _text("kind", "`call`, `email`, `meeting`, `other`."),
    _text("direction", "`inbound`, `outbound` or empty.", default=""),
    _flag("is_automated", "Sent by a machine, or to many at once: never counts as contact."),
    _flag("is_gone", "It did not take place (yet), or was deleted."),
    _text("title", "What it was about.", null=True),
    _text("told_by", "Who of sales did it.", null=True),
    _key("link_id", "Keys of the contact it was with; null if only a deal was named.", null=True),
    _key("deal_id", "Deal it was about; null if only a contact was named.", null=True),
    _at("occurred_at", "When it took place."),
    Index("ix_activities__deal", "site_id", "space", "deal_id"),
    Index("ix_activities__link", "site_id", "link_id"),
)

contact_marks = _table(
    "contact_marks",
    "What sales or marketing said of a contact.",
    _site(),
    _id("fact_id", "The fact that said so."),
    _text("mark", "`lead`, `mql`, `mql_rejected`, `sql` (qualified), `disqualified` or `recycled`."),
    _key("link_id", "Keys of the contact."),
    _text("marked_by", "Who said so.", null=True),
    _text("reason", "Why it was rejected, disqualified or recycled.", null=True),
    _text("bant", "JSON of the four booleans, the evidence of a qualification.", null=True),
    _at("occurred_at", "When it was said."),
    Index("ix_contact_marks__link", "site_id", "link_id"),
)

crm_statements = _table(
    "crm_statements",
    "What a CRM answered when it was asked for the deals won in a month: what our figures are held against.",
    _site(),
    _id("space", "Deal space."),
    _id("month", "YYYY-MM of the close date, as the CRM has it."),
    _id("deal_id", "The CRM's ID of the deal; empty in the row that says the month was asked for."),
    _text("name", "Name of the deal.", null=True),
    _int("amount", "In ten-thousandths of the unit of its currency.", null=True),
    _text("currency", "ISO 4217.", null=True),
    _text("closed_on", "Close date, YYYY-MM-DD.", null=True),
    _at("stated_at", "When the CRM answered."),
)

quarantine = _table(
    "quarantine",
    "What could not be understood or stored: kept 30 days, visible and replayable.",
    _site(),
    _id("quarantine_id", "128-bit hash of door and body: the same body sent again is one row."),
    _text("door", "`events`, `segment`, `segment:deal` (its event is stored, the deal is not) or `webhook:<connection>`."),
    _text("reason", "Why it was refused, in words."),
    _text("body", "What was sent, as text (capped)."),
    _flag("is_trusted", "It came with a secret key."),
    _at("received_at", "When it came in: kept on replay."),
    Index("ix_quarantine__received_at", "site_id", "received_at"),
)

drops = _table(
    "drops",
    "What was dropped at the door, counted by day and reason.",
    _site(),
    _id("day", "UTC date, YYYY-MM-DD."),
    _id("reason", "`bot`, `prefetch`, `gpc`, `dnt`, `excluded_network`, `bad_signature:<connection>`, …"),
    _int("count", "How many."),
)

visitor_salts = _table(
    "visitor_salts",
    "Keys of the hashes that name a browser for one day, where no cookie names it; deleted when the day is over.",
    _site(),
    _id("day", "Day in the site's time zone, YYYY-MM-DD."),
    Column("salt", LargeBinary, nullable=False, comment="Random."),
)

# ---------------------------------------------------------------- calls of ours to others

crm_fetches = _table(
    "crm_fetches",
    "Records of a CRM that changed and are still to be fetched; a row a notice, deleted once what was fetched is stored.",
    _site(),
    _id("connection_id", "The connection."),
    _id("kind", "Kind of record: `deals`, `contacts`, …"),
    _id("record_id", "The CRM's ID."),
    _id("fact_id", "The notice that asked for it."),
    _at("next_try_at", "When to ask next; while it is asked, when somebody else may."),
    _int("tries", "How often it was tried."),
    _text("last_error", "What went wrong the last time.", null=True),
    _at("received_at", "When the notice came in."),
    Index("ix_crm_fetches__due", "site_id", "connection_id", "next_try_at"),
)

crm_polls = _table(
    "crm_polls",
    "How far a connection has been read by asking: a row a kind of record.",
    _site(),
    _id("connection_id", "The connection."),
    _id("kind", "Kind of record: `contacts`, `deals`, `activities`, …"),
    _at("since", "What changed at this moment or later is being read, or will be next."),
    _text("cursor", "The next page; null: it begins anew.", null=True),
    _at("began_at", "When the round under way began; null: none is.", null=True),
    _at("next_try_at", "When to ask next; while it is asked, when somebody else may."),
    _int("tries", "How often the same page has failed in a row."),
    _text("last_error", "What went wrong the last time.", null=True),
    _int("records", "Messages read so far."),
    _at("finished_at", "When a round was last read to its end.", null=True),
)

crm_pauses = _table(
    "crm_pauses",
    "Calls of a connection's API that are not made for a while: it asked for a pause, it is down, or it denies.",
    _site(),
    _id("connection_id", "The connection."),
    _id("kind", "Fetches of one kind of record; empty: every call."),
    _at("paused_until", "When to call again."),
    _int("tries", "How often in a row it has failed."),
    _text("reason", "Why, in words."),
    _at("paused_at", "When the pause began."),
)

notices = _table(
    "notices",
    "What endpoints are told: once each, whatever is computed anew. Kept 30 days after it was taken or given up.",
    _site(),
    _id("endpoint_id", "The endpoint."),
    _id("notice_id", "Names what is told, the same whenever it is found again: the `webhook-id`."),
    _text("kind", "`stage_changed`, `contact_due` or `hot_visit`."),
    _key("person_id", "Who it is about, by the ID of then; empty: a deal.", default=""),
    _key("space", "Deal space; empty for a person.", default=""),
    _key("deal_id", "The deal; empty for a person.", default=""),
    _key("mark", "What of it, told once: the stage and which time it is entered; the hot page and the day; empty for `contact_due`.", default=""),
    _key("fact_id", "The event or CRM fact behind a change of stage; empty: none.", default=""),
    _text("body", "What is sent, as JSON; `{}`: it was erased before it was sent."),
    _at("occurred_at", "When it happened, or will."),
    _at("next_try_at", "When to try next; while it is sent, when somebody else may; the end of time: never again."),
    _int("tries", "How often it was tried."),
    _at("delivered_at", "When it was taken; null: not yet.", null=True),
    _at("given_up_at", "When it was given up; null: it was not.", null=True),
    _text("last_error", "What went wrong the last time.", null=True),
    Index("ix_notices__due", "site_id", "endpoint_id", "next_try_at"),
    Index("ix_notices__about", "site_id", "endpoint_id", "deal_id", "space", "person_id"),
    Index("ix_notices__fact", "site_id", "endpoint_id", "fact_id"),
)

# ---------------------------------------------------------------- the queues (one for each stage)


def _queue(name: str, comment: str, *dirty: str, is_once: bool = False) -> Table:
    """A stage's queue: append-only, no unique key but its own number, so that no writer waits for another.

    `is_once`: only the pipeline writes it, and never a key that waits in it already.
    """
    return _table(
        name,
        comment,
        Column(
            "queue_id",
            BigInteger().with_variant(Integer, "sqlite"),
            Identity(),
            primary_key=True,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        Column("site_id", Key, nullable=False, comment="The tenant."),
        *(_key(column, "What is dirty.", default="") for column in dirty),
        _at("received_at", "When the oldest fact behind this row came in."),
        Index(f"ix_{name}__site", "site_id", "queue_id"),
        *([Index(f"ix_{name}__key", "site_id", *dirty)] if is_once else []),
    )


labels_queue = _queue("labels_queue", "Origins and forms to label: exactly one of the two is set.", "origin_id", "form_id")
touches_queue = _queue("touches_queue", "Visitors whose touches and goals may have changed. Heavy.", "visitor_id")
identity_queue = _queue("identity_queue", "Keys whose person may have changed.", "key_id")
spans_queue = _queue("spans_queue", "Visitors whose spans may have changed. Heavy.", "visitor_id")
properties_queue = _queue("properties_queue", "People, deals and companies whose properties may have changed.", "holder_id")
deals_queue = _queue("deals_queue", "Deals to fold anew.", "space", "deal_id")
conversions_queue = _queue(
    "conversions_queue",
    "People, or deals (then `person_id` is empty), whose conversions may have changed.",
    "person_id",
    "space",
    "deal_id",
)
activities_queue = _queue("activities_queue", "Activities of sales to fold anew.", "space", "activity_id")
opportunities_queue = _queue(
    "opportunities_queue",
    "People, or deals (then `person_id` is empty), of whom it may have changed whether they wait to be contacted.",
    "person_id",
    "space",
    "deal_id",
)
stages_queue = _queue(
    "stages_queue",
    "People, or deals (then `person_id` is empty), whose stages may have changed.",
    "person_id",
    "space",
    "deal_id",
)
journeys_queue = _queue("journeys_queue", "Conversions whose journeys may have changed.", "kind", "holder_id", "fact_id")
sums_queue = _queue("sums_queue", "Days of a kind of conversion whose sums may have changed.", "kind", "day", is_once=True)
months_queue = _queue("months_queue", "Months of a kind of conversion whose sums may have changed.", "kind", "month", is_once=True)

failed_keys = _table(
    "failed_keys",
    "What made a stage fail, even alone: set aside so that the rest goes on.",
    _site(),
    _id("stage", "Name of the stage."),
    _id("dirty_key", "JSON list of the dirty key's parts."),
    _text("error", "What the database or the code said."),
    _at("failed_at", "When it was set aside."),
)

rebuilds = _table(
    "rebuilds",
    "A rebuild under way: a cursor, moved in the same transaction as the swap of its chunk.",
    _site(),
    _text("stage", "Stage being rebuilt."),
    _text("after_key", "JSON list: the last dirty key done in that stage; empty list at its beginning."),
    _int("keys_left", "How many keys are left in this stage and the ones after it, about."),
    _int("keys_total", "How many there were at the start, about."),
    _at("started_at", "When it was asked for."),
)

worker_epochs = _table(
    "worker_epochs",
    "Who may swap: a worker that takes the site's lock raises the epoch, and confirms it in each swap.",
    _site(),
    _int("epoch", "Raised by each worker that takes over."),
)

# ---------------------------------------------------------------- derived: touches

origin_labels = _table(
    "origin_labels",
    "What the rules in force say of an origin.",
    _site(),
    _id("origin_id", "`origins`."),
    _text("channel", "Channel, by the first rule that fired."),
    _text("rule", "Name of that rule, for explanations."),
    _text("source", "Source after aliases and defaults (`google`, `(direct)`)."),
    _text("medium", "Medium after defaults (`organic`, `referral`, `(none)`)."),
    _text("campaign", "Campaign after aliases; `(not set)` if none."),
    _text("term", "Term; `(not set)` if none."),
    _text("content", "Content; `(not set)` if none."),
    _text("referrer", "Referring host; `(none)` if none."),
    _flag("is_ignored", "The referrer means nothing (own host, payment gateway, sign-in) and there is no campaign or click ID."),
    Column("is_spam", Boolean, nullable=False, server_default=text("false"), comment="The referrer, or the source, is a known spammer's."),
    _run(),
)

form_labels = _table(
    "form_labels",
    "What the settings in force say of a form.",
    _site(),
    _id("form_id", "`forms`."),
    _text("name", "Name of the form."),
    _flag("is_lead_form", "Whether submitting it makes a lead."),
    _flag("needs_email", "Whether it does so only with an e-mail (the default rule)."),
)

touches = _table(
    "touches",
    "One arrival through an origin. Carries no person. Heavy.",
    _site(),
    _id("visitor_id", "The visitor."),
    _id("event_id", "The event that was the arrival."),
    _at("occurred_at", "When."),
    _int("sequence", "The event's."),
    _small("type_rank", "The event's."),
    _at("session_started_at", "Start of the session that it lies in."),
    _key("origin_id", "Where it came from; the all-empty origin where an ignored referrer brought a visitor's very first session."),
    _flag("is_reported", "Somebody else told of it afterwards (the CRM, a list); false: seen by ourselves."),
    _int("touches_left_out", "On a visitor's first touch: how many later ones the cap left out; else 0."),
    Index("ix_touches__order", "site_id", "visitor_id", "occurred_at"),
)

left_out_touches = _table(
    "left_out_touches",
    "What would have been a touch, but for a rule: of a program, of spam, of a customer who logs in. Heavy.",
    _site(),
    _id("visitor_id", "The visitor."),
    _id("event_id", "The event that was the arrival."),
    _at("occurred_at", "When."),
    _at("ends_at", "First instant of what no longer belongs to it: the next touch; of a customer who logs in, the next session."),
    _text("reason", "`too_fast`, `spam_referrer` or `customer_area`."),
    Index("ix_left_out_touches__occurred_at", "site_id", "occurred_at"),
)

goal_events = _table(
    "goal_events",
    "An event that reaches a goal: `lead`, `form:<name>`, or the site's own; or that scores or is hot. Heavy.",
    _site(),
    _id("visitor_id", "The visitor."),
    _id("event_id", "The event."),
    _id("purpose", "As in `goal_rules`."),
    _id("goal", "Name of the goal."),
    _at("occurred_at", "When."),
    _int("sequence", "The event's."),
    _text("once_per", "`person` or `event`."),
    Index(
        "ix_goal_events__hot",
        "site_id",
        "occurred_at",
        sqlite_where=text("purpose = 'hot'"),
        postgresql_where=text("purpose = 'hot'"),
    ),
)

# ---------------------------------------------------------------- derived: identity

key_people = _table(
    "key_people",
    "Which person each key belongs to now.",
    _site(),
    _id("key_id", "The key."),
    _key("person_id", "Smallest key of the connected component."),
    _flag("is_crowded", "The component had more than 10 keys of one kind, so each key stands alone."),
    Index("ix_key_people__person", "site_id", "person_id"),
)

crowded_days = _table(
    "crowded_days",
    "A key seen on more than 20 visitors on one UTC day: on it, its sightings through a write key join nothing.",
    _site(),
    _id("key_id", "The key."),
    Column("day_number", BigInteger, primary_key=True, comment="Days since 1970, UTC."),
    _int("visitors", "On how many visitors it was seen."),
)

visitor_spans = _table(
    "visitor_spans",
    "Which person a visitor was, from when to when. Every visitor with a touch, a goal or a sighting has at least one. Heavy.",
    _site(),
    _id("visitor_id", "The visitor."),
    Column("starts_at", Moment, primary_key=True, comment="First instant of the span; 0 for the first. UTC microseconds."),
    _at("ends_at", "First instant after it; the end of time for the last."),
    _key("person_id", "The person; `v_` and the visitor ID where nobody has identified."),
    _key("fact_id", "The event or CRM fact whose sighting began it: the evidence; null for an unidentified visitor.", null=True),
    _key("link_id", "Keys of that sighting.", null=True),
    _at("first_touched_at", "First touch within the span.", null=True),
    _key("first_touch_event_id", "The event of that touch.", null=True),
    Index("ix_visitor_spans__person", "site_id", "person_id"),
    Index("ix_visitor_spans__first_touch", "site_id", "first_touched_at"),
)

properties = _table(
    "properties",
    "What is said of a person, a deal or a company now: the last value of each property that has one.",
    _site(),
    _id("holder_id", "A person, or a record as in `record_fields`."),
    _id("property", "Name of the property, as sent; empty: the company that a person works for."),
    _key("value", "Its value as text; of the empty property the company's `record_id`."),
    _at("occurred_at", "Since when it holds: what is said again goes on holding."),
    _key("fact_id", "The event or CRM fact that said so first."),
    _run(),
    # Who works for a company.
    Index("ix_properties__value", "site_id", "value", sqlite_where=text("property = ''"), postgresql_where=text("property = ''")),
)

# ---------------------------------------------------------------- derived: deals

deals = _table(
    "deals",
    "A CRM opportunity as it stands now.",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The CRM's ID."),
    _text("name", "Name.", null=True),
    _text("outcome", "`open`, `won` or `lost`."),
    _at("first_seen_at", "Time of the earliest fact about it."),
    _at("opened_at", "When it was opened: as the CRM says, else the earliest fact, never after the win."),
    _at("won_at", "The latest transition to won, if it is won now.", null=True),
    _at("lost_at", "The latest transition to lost, if it is lost now.", null=True),
    _at("churned_at", "When the customer left.", null=True),
    _text("closed_on", "The CRM's close date, YYYY-MM-DD.", null=True),
    _text("currency", "ISO currency of its amounts.", null=True),
    _int("amount_minor", "Amount now, adjustments included, in minor units.", null=True),
    _int("recurring_minor", "Amount of each period, for a subscription.", null=True),
    _text("recurring_period", "`month` or `year`.", null=True),
    _text("stage", "The CRM's stage.", null=True),
    _text("pipeline", "The CRM's pipeline.", null=True),
    _text("type", "`new`, `expansion` or `renewal`.", null=True),
    _key("company_id", "The CRM's company.", null=True),
    _text("company_name", "Its name.", null=True),
    _text("company_domain", "Its domain.", null=True),
    _text("owner", "Who owns the deal.", null=True),
    _text("lost_reason", "Why it was lost.", null=True),
    _text("url", "Where the CRM shows it.", null=True),
    _text("account_manager", "Who looks after the customer.", null=True),
    _text("ignored_because", "Why it counts not: `deleted`, `pipeline`, `stage`, `excluded` (by its name), `internal` (by all its contacts); null: it counts.", null=True),
    _flag("has_contacts", "It names at least one contact, or a visitor where it names none."),
    _run(),
    Index("ix_deals__company", "site_id", "company_id"),
)

deal_companies = _table(
    "deal_companies",
    "The companies of a deal whose people share its journey; empty where the site does not want it (`account_journeys`).",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The deal."),
    _id("company_space", "Empty where an e-mail domain names the company; else the deal's space, whose CRM company it is."),
    _id("company", "The domain, or the CRM's ID of the company."),
    _flag("is_crowded", "More than 1,000 addresses or contacts of it are known: none of them shares the journey."),
    _run(),
    Index("ix_deal_companies__company", "site_id", "company", "company_space"),
)

deal_people = _table(
    "deal_people",
    "The people of a deal: its contacts' persons, or its visitor's where it names no contact; and those of its companies.",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The deal."),
    _id("person_id", "The person."),
    _flag("is_contact", "Whether the deal itself names the person; false: the person is of its company (`deal_companies`)."),
    Index("ix_deal_people__person", "site_id", "person_id"),
)

deal_amounts = _table(
    "deal_amounts",
    "The net amount of a won deal, each time it changed: at the win, and with each later adjustment.",
    _site(),
    _id("space", "Deal space."),
    _id("deal_id", "The deal."),
    Column("entry", BigInteger, primary_key=True, comment="0 for the win, then 1, 2, … in order of time."),
    _at("occurred_at", "When the net amount came to hold."),
    _int("before_minor", "Net before, in minor units; 0 for the win."),
    _int("after_minor", "Net after, in minor units."),
    _key("fact_id", "The fact that changed it."),
)

# ---------------------------------------------------------------- derived: sales

sales_activities = _table(
    "sales_activities",
    "A call, a meeting or an e-mail of sales that took place, with whom it was.",
    _site(),
    _id("space", "Space of its ID and of the deal's."),
    _id("activity_id", "The activity."),
    _text("kind", "`call`, `email`, `meeting`, `other`."),
    _text("direction", "`inbound`, `outbound` or empty."),
    _flag("is_automated", "Sent by a machine, or to many at once."),
    _text("title", "What it was about.", null=True),
    _text("told_by", "Who of sales did it.", null=True),
    _key("person_id", "Whom it was with; empty: only a deal was named.", default=""),
    _key("deal_id", "What it was about; empty: only a contact was named.", default=""),
    _at("occurred_at", "When it took place."),
    _key("fact_id", "The fact that told of it last."),
    Index("ix_sales_activities__person", "site_id", "person_id", "occurred_at"),
    Index("ix_sales_activities__deal", "site_id", "space", "deal_id", "occurred_at"),
)

opportunities = _table(
    "opportunities",
    "Whoever needs contact: a deal, or a lead that has no deal. What became of it is told by these times and the moment of reading.",
    _site(),
    _id("person_id", "The lead; empty for a deal."),
    _id("space", "Deal space; empty for a lead."),
    _id("deal_id", "The deal; empty for a lead."),
    _key("contact_id", "The deal's first contact by ID of the person, or the lead; empty: nobody is known.", default=""),
    _at("started_at", "When it was created: the clock of the promise starts."),
    _at("due_at", "By when it was promised to be contacted, within the hours at work; null: beyond those known.", null=True),
    _at("contacted_at", "The first activity that counts as contact.", null=True),
    _int("waited", "Microseconds at work from the start to the first contact; 0 where that came before.", null=True),
    _at("last_activity_at", "The newest activity of sales that no machine did, of any kind.", null=True),
    _at("closed_at", "When it was won, lost or disqualified.", null=True),
    _text("closed_as", "`won`, `lost`, `disqualified`; empty: neither.", default=""),
    _text("reason", "Why it was lost or disqualified.", null=True),
    Index("ix_opportunities__contact", "site_id", "contact_id"),
    Index("ix_opportunities__started", "site_id", "started_at"),
)

stage_changes = _table(
    "stage_changes",
    "The stages that a person, or a deal, has gone through, in order.",
    _site(),
    _id("person_id", "The person; empty for a deal."),
    _id("space", "Deal space; empty for a person."),
    _id("deal_id", "The deal; empty for a person."),
    Column("position", BigInteger, primary_key=True, autoincrement=False, comment="1, 2, … in order of time."),
    _text("stage", "Of a person: a lifecycle stage, `lost`, `recycled`, `mql_rejected` or `disqualified`. Of a deal: the CRM's own, `won`, `lost` or `reopened`."),
    _at("entered_at", "When."),
    _flag("is_implied", "Only a later stage says that it was passed."),
    _text("moved_by", "What moved it: `form`, `visit`, `score`, `crm`, `marketing`, `sales`, `deal`, `crm_stage`; empty: implied."),
    _key("visitor_id", "Visitor of the event that did; empty: no event.", default=""),
    _key("fact_id", "The event or CRM fact that did; empty where a later stage implies it.", default=""),
    _key("moving_space", "Space of the deal that moved a person; empty: none did.", default=""),
    _key("moving_deal_id", "That deal.", default=""),
    _text("detail", "Evidence or reason, as text: BANT, why it was rejected, which form. (Why a deal was lost, `deals` has.)", null=True),
    Index("ix_stage_changes__entered", "site_id", "entered_at"),
)

# ---------------------------------------------------------------- derived: journeys


def _conversion_key() -> tuple[Column[Any], Column[Any], Column[Any]]:
    return (
        _id("kind", "`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal."),
        _id("holder_id", "Visitor ID, the deal space, or `crm` where a CRM says so of a contact."),
        _id("fact_id", "Event ID (or the CRM fact, where a CRM says so), or the deal ID."),
    )


conversions = _table(
    "conversions",
    "A moment that counts.",
    _site(),
    *_conversion_key(),
    _key("person_id", "Whose it is; empty for a deal (see `conversion_people`).", default=""),
    _at("occurred_at", "The change of stage: where the journey ends."),
    _text("currency", "Currency of its money; null where it has none.", null=True),
    _flag("has_people", "Whether anybody is known of it: a deal that names nobody is credited to nobody."),
    _at("lead_at", "The earliest lead of its people at or before it; of a deal's company only where none of its contacts was one.", null=True),
    _at("opportunity_at", "When its deal became an opportunity, for `customer` and `opportunity`.", null=True),
    _run(),
    Index("ix_conversions__person", "site_id", "person_id"),
)

conversion_people = _table(
    "conversion_people",
    "The people whose touches make up the journey of a conversion.",
    _site(),
    *_conversion_key(),
    _id("person_id", "The person."),
    _flag("is_contact", "Whose conversion it is, or a contact of its deal; false: only of the deal's company."),
    _run(),
    Index("ix_conversion_people__person", "site_id", "person_id"),
)

ledger_entries = _table(
    "ledger_entries",
    "What a conversion counts, and when: one entry at the conversion, one for each later change of its net amount.",
    _site(),
    *_conversion_key(),
    Column("entry", BigInteger, primary_key=True, comment="0 for the conversion itself, then its adjustments in order of time."),
    _at(
        "counted_at", "The moment by which intervals take it: the start of the CRM's close date in the site's zone, else when it happened."
    ),
    _key("counted_on", "The local day of that moment, YYYY-MM-DD; empty before the first of `local_days`.", default=""),
    _at("occurred_at", "When it happened."),
    _small("counts", "1 for the conversion itself, 0 for an adjustment."),
    _int("before_minor", "Net amount before, in minor units of the conversion's currency."),
    _int("after_minor", "Net amount after."),
    _run(),
    Index("ix_ledger_entries__counted", "site_id", "kind", "counted_at"),
    Index("ix_ledger_entries__day", "site_id", "kind", "counted_on"),
)

journeys = _table(
    "journeys",
    "One conversion's journey as a whole.",
    _site(),
    *_conversion_key(),
    _at("first_touched_at", "The first touch of its people at or before it, however long ago; null: none.", null=True),
    _int("touches_left_out", "Touches within 730 days that the cap of 1,000 left out."),
    _run(),
)

journey_touches = _table(
    "journey_touches",
    "The touches within 730 days before a conversion, of all its people: the first and the newest 999.",
    _site(),
    *_conversion_key(),
    _id("touch_visitor_id", "Visitor of the touch."),
    _id("touch_event_id", "Event of the touch."),
    _int("position", "1, 2, … in order of (occurred_at, sequence, visit first, event ID, visitor ID)."),
    _at("occurred_at", "When."),
    _key("origin_id", "Where it came from."),
    _flag("is_reported", "Somebody else told of it afterwards; false: seen by ourselves."),
    _run(),
)

# ---------------------------------------------------------------- derived: ready-made sums


def _credited() -> tuple[Column[Any], ...]:
    return (
        _id("model", "The rule model."),
        _id("origin_id", "Where the credited touches came from."),
        _int("millionths", "Credited millionths of conversions."),
        _int("minor", "Credited money in minor units of the site's currency, signed."),
    )


daily_credit = _table(
    "daily_credit",
    "Credit by day and origin, for each rule model at the site's own look-back and half-life.",
    _site(),
    _id("kind", "Kind of conversion."),
    _id("day", "Local day on which the conversions count: `ledger_entries.counted_on`."),
    *_credited(),
)

daily_ledger = _table(
    "daily_ledger",
    "What conversions count by day, and why no touch earned some of them, at the site's own look-back.",
    _site(),
    _id("kind", "Kind of conversion."),
    _id("day", "Local day on which they count."),
    _id("reason", "Why no touch earned them; empty: touches did."),
    _id("currency", "Currency of the money; empty where there is none."),
    _flag("is_convertible", "Whether it is the site's own currency, or none."),
    _int("millionths", "Millionths of conversions."),
    _int("minor", "Money in minor units of its currency, signed."),
    _int("early_millionths", "Millionths of conversions whose first touch lies before the look-back."),
    _text("models", "The models whose credit `daily_credit` has for this day, separated by spaces."),
)

monthly_credit = _table(
    "monthly_credit",
    "`daily_credit` by month, so that a year is summed from twelve rows an origin.",
    _site(),
    _id("kind", "Kind of conversion."),
    _id("month", "YYYY-MM: the beginning of the day."),
    *_credited(),
)

QUEUES: tuple[Table, ...] = (
    labels_queue,
    touches_queue,
    identity_queue,
    spans_queue,
    properties_queue,
    deals_queue,
    conversions_queue,
    stages_queue,
    journeys_queue,
    sums_queue,
    months_queue,
    activities_queue,
    opportunities_queue,
)
QUEUED_ONCE: tuple[Table, ...] = (sums_queue, months_queue)
"""Queues that hold each key at most once."""
DERIVED: tuple[Table, ...] = (
    origin_labels,
    form_labels,
    touches,
    left_out_touches,
    goal_events,
    key_people,
    crowded_days,
    visitor_spans,
    properties,
    deals,
    deal_companies,
    deal_people,
    deal_amounts,
    sales_activities,
    opportunities,
    stage_changes,
    conversions,
    conversion_people,
    ledger_entries,
    journeys,
    journey_touches,
    daily_credit,
    daily_ledger,
    monthly_credit,
)

# ---------------------------------------------------------------- history: what swaps replaced


def _history(target: Table) -> Table:
    """The twin of a derived table: what a swap replaced, with the run that ended it. The same indexes serve the same statements."""
    is_key = {c.name: c.primary_key or c.name == "run_id" for c in target.columns}
    columns = [Column(c.name, c.type, primary_key=is_key[c.name], nullable=c.nullable, comment=c.comment) for c in target.columns]
    name = f"{target.name}_history"
    return _table(
        name,
        f"Rows of `{target.name}` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
        *columns,
        _int("ended_by_run", "The swap that replaced or deleted the row: it stood until then, exclusively."),
        Index(f"ix_{name}__ended", "site_id", "ended_by_run"),
        *(Index(str(index.name).replace(f"ix_{target.name}__", f"ix_{name}__"), *index.columns.keys()) for index in target.indexes),
    )


latest_runs = _table(
    "latest_runs",
    "The latest swap of a site that wrote something, and how far back its history reaches.",
    _site(),
    _int("run_id", "That swap, named by its moment: UTC microseconds, increasing from swap to swap."),
    _int("kept_since", "The earliest moment that `as_of` answers, UTC microseconds: what ended by then may be deleted."),
)

first_touches = _table(
    "first_touches",
    "The earliest touch of a site, each time that it changed: what is earlier happened before tracking began.",
    _site(),
    Column("run_id", BigInteger, primary_key=True, autoincrement=False, comment="The swap that changed it."),
    _at("first_touched_at", "The earliest touch from that swap on; null: none.", null=True),
)

history: dict[str, Table] = {target.name: _history(target) for target in DERIVED if "run_id" in target.c}
"""By name of the derived table: its twin. An erasure has to cover them all."""

# ---------------------------------------------------------------- staging (unlogged on PostgreSQL, temporary on SQLite)

staging = MetaData()
"""Tables that hold one stage's work between computing and swapping. Made by a migration on PostgreSQL (permanent and
unlogged, so that they can be distributed), for each worker's connection on SQLite."""


def _staged(target: Table) -> Table:
    """The staging twin of a derived table: same key, all else nullable, and `is_gone` for rows to delete."""
    computed = [c for c in target.columns if c.name != "run_id"]
    columns = [Column(c.name, c.type, primary_key=c.primary_key, nullable=not c.primary_key) for c in computed]
    gone = Column("is_gone", Boolean, nullable=False)
    return Table(f"staged_{target.name}", staging, *columns, gone)


def _keyed_like(prefix: str, queue: Table) -> Table:
    """A set of dirty keys of a queue."""
    keys = [Column(c.name, c.type, primary_key=True) for c in queue.columns if c.name not in ("queue_id", "received_at")]
    return Table(f"{prefix}_{queue.name.removesuffix('_queue')}", staging, *keys)


staged: dict[str, Table] = {target.name: _staged(target) for target in DERIVED}
"""Staging twin by name of the derived table."""
dirty: dict[str, Table] = {queue.name: _keyed_like("dirty", queue) for queue in QUEUES}
"""By name of the queue: the keys that the stage is computing now."""
enqueued: dict[str, Table] = {queue.name: _keyed_like("enqueued", queue) for queue in QUEUES}
"""By name of the queue: the keys that the stage will enqueue in its swap."""
taken_rows = Table(
    "taken_rows",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("queue_name", Key, primary_key=True),
    Column("queue_id", BigInteger, primary_key=True, autoincrement=False),
)
staged_keys = Table(
    "staged_keys",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("key_id", Key, primary_key=True),
    Column("label", Key, nullable=False),
    Column("reached_in", Integer, nullable=False),
)
"""The closure of the dirty keys over raw joins; `label` is the smallest key found so far in the component."""
staged_links = Table(
    "staged_links",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("link_id", Key, primary_key=True),
    Column("label", Key, nullable=False),
    Column("reached_in", Integer, nullable=False),
)
"""The joins of that closure that hold; `label` is the smallest label of their keys."""
customer_arrivals = Table(
    "customer_arrivals",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("visitor_id", Key, primary_key=True),
    Column("event_id", Key, primary_key=True),
    Column("occurred_at", BigInteger, nullable=False),
)
"""The touches of the dirty visitors that no campaign or ad brought to the area that customers log in to."""
concerned_deals = Table(
    "concerned_deals",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("space", Key, primary_key=True),
    Column("deal_id", Key, primary_key=True),
)
"""The deals whose conversions are being computed: the dirty ones, and those of dirty people."""
concerned_opportunities = Table(
    "concerned_opportunities",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("person_id", Key, primary_key=True),
    Column("space", Key, primary_key=True),
    Column("deal_id", Key, primary_key=True),
)
"""The people and deals of whom it is being computed whether they wait to be contacted: the dirty ones, the deals of dirty
people and the contacts of dirty deals."""
concerned_conversions = Table(
    "concerned_conversions",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("kind", Key, primary_key=True),
    Column("holder_id", Key, primary_key=True),
    Column("fact_id", Key, primary_key=True),
)
"""The conversions that stood, or were computed, for the dirty people and the concerned deals."""
folded_deals = Table(
    "folded_deals",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("space", Key, primary_key=True),
    Column("deal_id", Key, primary_key=True),
    *(
        Column(name, Key)
        for name in (
            "name", "currency", "closed_on", "stage", "pipeline", "type", "company_id", "company_name", "company_domain", "owner",
            "lost_reason", "account_manager", "recurring_period", "url", "visitor_id", "contacts_fact_id", "money_field",
        )
    ),
    *(
        Column(name, BigInteger)
        for name in ("opened_at", "per_minor", "amount_minor", "recurring_minor", "money_minor", "visitor_named_at")
    ),
)  # fmt: skip
"""The last value of each field of the dirty deals; which fact sent the list of contacts; when the visitor was named;
how many ten-thousandths of the unit one minor unit of the currency is; which field is the deal's money (`amount`, or
`recurring` where no amount is known), and what it holds in minor units."""
deal_outcomes = Table(
    "deal_outcomes",
    staging,
    Column("site_id", Key, primary_key=True),
    Column("space", Key, primary_key=True),
    Column("deal_id", Key, primary_key=True),
    Column("outcome", Key, nullable=False),
    Column("turned_at", BigInteger, nullable=False),
    Column("fact_id", Key, nullable=False),
    Column("reopened_at", BigInteger),
    Column("reopening_fact_id", Key),
)
"""The outcome (`won`, `lost`, `reopened`) that holds of the dirty deals that ever had one, the fact that turned it, and
the fact that last reopened the deal."""
