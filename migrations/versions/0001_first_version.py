"""The first version of every table. Written by migrations/regenerate.py from app/tables.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

# The digest tells a database of one pre-release schema from one of another.
revision = "6f843693"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sites",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "hash_key",
            sa.LargeBinary(),
            nullable=False,
            comment="Secret of the keyed hashes of e-mails, phones and IDs; made once, never rotated.",
        ),
        sa.Column("settings_version", sa.BigInteger(), nullable=False, comment="The version of `site_versions` in force."),
        sa.Column(
            "erasures",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="How often something was erased: a batch that was computed before an erasure is not written after it.",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the site was made. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_sites")),
        comment="A tenant: one brand or company.",
    )
    op.create_table(
        "site_versions",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="1, 2, 3, …"),
        sa.Column("settings", sa.Text(), nullable=False, comment="The whole of the settings as JSON (`app.sites.settings.SiteSettings`)."),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When this version came into force. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "version", name=op.f("pk_site_versions")),
        comment="Every version of a site's settings: an input of the pipeline.",
    )
    op.create_table(
        "models",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="What `model=` calls it."),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="When it was made, changed or removed: UTC microseconds."),
        sa.Column("first_permille", sa.BigInteger(), nullable=False, comment="What the first touch gets, in tenths of a per cent."),
        sa.Column("lead_permille", sa.BigInteger(), nullable=False, comment="The last touch at or before the lead."),
        sa.Column("opportunity_permille", sa.BigInteger(), nullable=False, comment="The last touch at or before the opportunity."),
        sa.Column("last_permille", sa.BigInteger(), nullable=False, comment="The last touch."),
        sa.Column("rest_permille", sa.BigInteger(), nullable=False, comment="Divided over the touches that hold no milestone."),
        sa.Column("is_gone", sa.Boolean(), nullable=False, comment="It was removed."),
        sa.PrimaryKeyConstraint("site_id", "name", "changed_at", name=op.f("pk_models")),
        comment="Models of a site's own, each time they changed: weights of milestones, together 1,000.",
    )
    op.create_table(
        "keys",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Public name of the key."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="`write` (public, stands in a web page) or `secret`."),
        sa.Column(
            "key_hash", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="SHA-256 of the key, hex."
        ),
        sa.Column("scopes", sa.Text(), nullable=False, comment="Scopes of a secret key, separated by spaces: `ingest`, `read`, `admin`."),
        sa.Column("label", sa.Text(), server_default="", nullable=False, comment="What its owner calls it."),
        sa.Column("public_value", sa.Text(), nullable=True, comment="The key itself, for write keys only (they are public)."),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was made. UTC microseconds."),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True, comment="When it stopped being valid. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "key_id", name=op.f("pk_keys")),
        comment="API keys. A secret key that reads several sites has one row for each.",
    )
    op.create_index("ix_keys__key_hash", "keys", ["key_hash"], unique=False)
    op.create_table(
        "connections",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "connection_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Chosen by the caller; stands in the webhook's path; unique over all sites.",
        ),
        sa.Column("provider", sa.Text(), nullable=False, comment="`generic` and, later, one for each CRM."),
        sa.Column("secrets", sa.Text(), nullable=False, comment="JSON list of the one or two live signing secrets, newest first."),
        sa.Column("api_token", sa.Text(), nullable=True, comment="Token to fetch details with."),
        sa.Column("api_base_url", sa.Text(), nullable=True, comment="Where to fetch details."),
        sa.Column("settings", sa.Text(), nullable=False, comment="JSON: `won_stages`, `lost_stages`, …"),
        sa.Column(
            "reports_activities", sa.Boolean(), nullable=False, comment="Whether calls, meetings and e-mails of sales arrive through it."
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was made. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "connection_id", name=op.f("pk_connections")),
        comment="A CRM that sends webhooks.",
    )
    op.create_index("ix_connections__connection_id", "connections", ["connection_id"], unique=True)
    op.create_table(
        "notice_endpoints",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "endpoint_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Chosen by the caller."
        ),
        sa.Column("url", sa.Text(), nullable=False, comment="Where it is posted to."),
        sa.Column("secrets", sa.Text(), nullable=False, comment="JSON list of the one or two live signing secrets, newest first."),
        sa.Column(
            "format", sa.Text(), nullable=False, comment="`standard` (Standard Webhooks) or `slack` (a text that chat systems show)."
        ),
        sa.Column(
            "kinds",
            sa.Text(),
            nullable=False,
            comment="What it is told of, separated by spaces: `stage_changed`, `contact_due`, `hot_visit`.",
        ),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="When it was made: what happened before is not told. UTC microseconds."
        ),
        sa.Column(
            "paused_until",
            sa.BigInteger(),
            nullable=True,
            comment="When to send to it again, where it asked for a pause or failed; null: it did not. UTC microseconds.",
        ),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True, comment="When it was disabled; null: it is not. UTC microseconds."),
        sa.Column("disabled_because", sa.Text(), nullable=True, comment="Why, in words."),
        sa.PrimaryKeyConstraint("site_id", "endpoint_id", name=op.f("pk_notice_endpoints")),
        comment="Where a site wants to be told what happens: outgoing webhooks.",
    )
    op.create_table(
        "local_days",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Local date, YYYY-MM-DD."),
        sa.Column("starts_at", sa.BigInteger(), nullable=False, comment="First instant of that day in the site's zone. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "day", name=op.f("pk_local_days")),
        comment="When each local day of a site starts (SQLite knows no time zones); made anew when the zone changes.",
    )
    op.create_index("ix_local_days__starts_at", "local_days", ["site_id", "starts_at", "day"], unique=False)
    op.create_table(
        "open_hours",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("starts_at", sa.BigInteger(), nullable=False, comment="First instant of the stretch. UTC microseconds."),
        sa.Column("ends_at", sa.BigInteger(), nullable=False, comment="First instant after it. UTC microseconds."),
        sa.Column("open_before", sa.BigInteger(), nullable=False, comment="Microseconds at work in all the stretches before it."),
        sa.PrimaryKeyConstraint("site_id", "starts_at", name=op.f("pk_open_hours")),
        comment="When sales is at work, as stretches of time, from the settings in force: how long somebody waits is counted within them.",
    )
    op.create_index("ix_open_hours__open_before", "open_hours", ["site_id", "open_before"], unique=False)
    op.create_table(
        "goal_rules",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "purpose",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`goal`: makes conversions; `score`: gives points (`score_rules`); `hot`: is told of, of contacts of open deals.",
        ),
        sa.Column(
            "goal",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Name of the goal, which is the name of its conversions, or of the rule.",
        ),
        sa.Column("event_type", sa.Text(), server_default="", nullable=False, comment="Type of event that reaches it; empty: any."),
        sa.Column("path", sa.Text(), server_default="", nullable=False, comment="Path of the page, folded by nothing; empty: any."),
        sa.Column("path_is_prefix", sa.Boolean(), nullable=False, comment="Whether `path` is a beginning (a `*` stood at its end)."),
        sa.Column("form", sa.Text(), server_default="", nullable=False, comment="Name of the form that is submitted; empty: any."),
        sa.Column("once_per", sa.Text(), nullable=False, comment="`person` or `event`."),
        sa.PrimaryKeyConstraint("site_id", "purpose", "goal", name=op.f("pk_goal_rules")),
        comment="What events of visitors the site has a name for, as rows for the pipeline's statements; from the settings in force.",
    )
    op.create_table(
        "score_rules",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("rule", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Name of the rule."),
        sa.Column("points", sa.BigInteger(), nullable=False, comment="Points that it gives; negative ones take away."),
        sa.Column(
            "at_most",
            sa.BigInteger(),
            nullable=True,
            comment="How often it gives them to one person: the newest times; null: it is a property that does.",
        ),
        sa.Column(
            "half_life", sa.BigInteger(), nullable=True, comment="Days after which what somebody did counts half; null: it never fades."
        ),
        sa.Column(
            "of", sa.Text(), nullable=False, comment="`person` or `company` where it is a property that gives the points; empty: an event."
        ),
        sa.Column("property", sa.Text(), server_default="", nullable=False, comment="Name of the property, as sent."),
        sa.Column(
            "value",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="Value that it must have; null: any.",
        ),
        sa.PrimaryKeyConstraint("site_id", "rule", name=op.f("pk_score_rules")),
        comment="What a lead's score is made of, from the settings in force: what people do (`goal_rules`), and what they are.",
    )
    op.create_table(
        "excluded_pages",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("host", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Host name; empty: any."),
        sa.Column("path", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Path; empty: any."),
        sa.Column("path_is_prefix", sa.Boolean(), nullable=False, comment="Whether `path` is a beginning."),
        sa.PrimaryKeyConstraint("site_id", "host", "path", "path_is_prefix", name=op.f("pk_excluded_pages")),
        comment="Pages of the site's own that make neither touches nor goals; from the settings in force.",
    )
    op.create_table(
        "customer_pages",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "part",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What is compared: `host`, `label` (the host's first), `path`, `prefix` (of the path), `first` (the path's first segment, after a language); `outside`: the same, and then the page does not lie there.",
        ),
        sa.Column("value", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="What it must be."),
        sa.PrimaryKeyConstraint("site_id", "part", "value", name=op.f("pk_customer_pages")),
        comment="What tells a page of the area that customers log in to; from the settings in force. Paths are in lower case, with one `/` at their end.",
    )
    op.create_table(
        "erasures",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("erasure_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Random."),
        sa.Column("erased_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column("key_id", sa.Text(), nullable=False, comment="The API key that asked for it: `keys`; `command line` for the command."),
        sa.Column("row_counts", sa.Text(), nullable=False, comment="JSON: by table, how many rows were deleted or emptied."),
        sa.PrimaryKeyConstraint("site_id", "erasure_id", name=op.f("pk_erasures")),
        comment="That a person was erased, and when; nothing of who it was.",
    )
    op.create_table(
        "deal_stages",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Deal space: `generic` or a connection ID.",
        ),
        sa.Column(
            "stage",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Name of the stage, as the CRM sends it.",
        ),
        sa.Column("outcome", sa.Text(), nullable=False, comment="`won`, `lost` or `ignored`."),
        sa.PrimaryKeyConstraint("site_id", "space", "stage", name=op.f("pk_deal_stages")),
        comment="Which stages of a connection's pipelines mean won, lost or that the deal counts not (yet); from the connections' settings.",
    )
    op.create_table(
        "deal_pipelines",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Deal space: `generic` or a connection ID.",
        ),
        sa.Column(
            "pipeline",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The CRM's ID of the pipeline.",
        ),
        sa.Column("name", sa.Text(), server_default="", nullable=False, comment="What people call it."),
        sa.PrimaryKeyConstraint("site_id", "space", "pipeline", name=op.f("pk_deal_pipelines")),
        comment="The pipelines of a space whose deals count, where its connections name any; from the connections' settings.",
    )
    op.create_table(
        "excluded_deals",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "pattern",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The name, its ASCII letters in lower case, as a pattern of LIKE with the escape `\\`; a `%` at its beginning or end stands for any text.",
        ),
        sa.PrimaryKeyConstraint("site_id", "pattern", name=op.f("pk_excluded_deals")),
        comment="Names of deals that count not (tests, demonstrations), from the settings in force.",
    )
    op.create_table(
        "excluded_keys",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "key_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Key of an e-mail; empty where a whole domain is meant.",
        ),
        sa.Column(
            "domain",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Domain of e-mails; empty where one address is meant.",
        ),
        sa.PrimaryKeyConstraint("site_id", "key_id", "domain", name=op.f("pk_excluded_keys")),
        comment="Contacts who count not (staff, tests), from the settings in force.",
    )
    op.create_table(
        "events",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Cookie ID of the browser, or the pseudo-visitor of a key (`~` and the key ID).",
        ),
        sa.Column(
            "event_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Unique within the visitor; sent by the client or derived.",
        ),
        sa.Column(
            "type",
            sa.Text(),
            nullable=False,
            comment="`visit`, `pageview`, `form_submit`, `identify`, `engagement`, `touch`, or the site's own.",
        ),
        sa.Column(
            "occurred_at",
            sa.BigInteger(),
            nullable=False,
            comment="When it happened: the client's time, corrected for skew, never in the future. UTC microseconds.",
        ),
        sa.Column(
            "sequence", sa.BigInteger(), nullable=False, comment="Order among events of the same instant, if the client sent one, else 0."
        ),
        sa.Column(
            "type_rank", sa.SmallInteger(), nullable=False, comment="0 for `visit`, 1 for all else: a visit sorts first among equals."
        ),
        sa.Column(
            "start_rank",
            sa.SmallInteger(),
            nullable=False,
            comment="2: may start a session (`visit`, `pageview`, `touch`, an explicit source); 0: never does (`engagement`, `identify`); 1: only where the visitor has no event of rank 2.",
        ),
        sa.Column(
            "is_web",
            sa.Boolean(),
            nullable=False,
            comment="Keeps a session alive: a fact of the website (not an offline touch, not a server's event without a page).",
        ),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="When it came in. UTC microseconds."),
        sa.Column(
            "origin_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Where it came from: `origins`.",
        ),
        sa.Column(
            "campaign_key",
            sa.BigInteger(),
            nullable=True,
            comment="64-bit hash of (source, medium, campaign, click ID), case folded; null where it carries neither a campaign nor a click ID.",
        ),
        sa.Column("has_internal_referrer", sa.Boolean(), nullable=False, comment="The referrer has the page's own registrable domain."),
        sa.Column("host", sa.Text(), server_default="", nullable=False, comment="Host of the page, lower case, without `www.`."),
        sa.Column("path", sa.Text(), server_default="", nullable=False, comment="Path of the page."),
        sa.Column("url", sa.Text(), nullable=True, comment="Address of the page as sent, without user info."),
        sa.Column("referrer", sa.Text(), nullable=True, comment="Referrer as sent."),
        sa.Column("title", sa.Text(), nullable=True, comment="Title of the page."),
        sa.Column(
            "form_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="Which form was submitted: `forms`.",
        ),
        sa.Column("has_email", sa.Boolean(), nullable=False, comment="An e-mail came with it (its hash is in `sightings`)."),
        sa.Column("click_id", sa.Text(), nullable=True, comment="Value of the ad click ID."),
        sa.Column("engaged_ms", sa.BigInteger(), nullable=True, comment="For `engagement`: milliseconds in the foreground."),
        sa.Column("is_trusted", sa.Boolean(), nullable=False, comment="It came with a secret key."),
        sa.Column(
            "reported_by",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="`crm` or `import` where somebody else tells of it afterwards; empty: seen by ourselves.",
        ),
        sa.Column("properties", sa.Text(), nullable=True, comment="JSON object of the sender's own."),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id", name=op.f("pk_events")),
        comment="One fact about one visitor that arrived; append-only. Heavy.",
    )
    op.create_index(
        "ix_events__order", "events", ["site_id", "visitor_id", "occurred_at", "sequence", "type_rank", "event_id"], unique=False
    )
    op.create_table(
        "origins",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "origin_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="128-bit hash of the tuple (22 characters, base64url).",
        ),
        sa.Column("explicit_channel", sa.Text(), server_default="", nullable=False, comment="Channel that a secret key stated."),
        sa.Column("source", sa.Text(), server_default="", nullable=False, comment="utm_source or explicit source, as sent."),
        sa.Column("medium", sa.Text(), server_default="", nullable=False, comment="utm_medium or explicit medium, as sent."),
        sa.Column("campaign", sa.Text(), server_default="", nullable=False, comment="utm_campaign or explicit campaign, as sent."),
        sa.Column("term", sa.Text(), server_default="", nullable=False, comment="utm_term or explicit term."),
        sa.Column("content", sa.Text(), server_default="", nullable=False, comment="utm_content or explicit content."),
        sa.Column(
            "referring_host",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Host of the referrer, lower case, without `www.`; empty if the page's own.",
        ),
        sa.Column(
            "click_id_kind",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Parameter that carried the click ID: `gclid`, `fbclid`, …",
        ),
        sa.PrimaryKeyConstraint("site_id", "origin_id", name=op.f("pk_origins")),
        comment="A distinct tuple of where visits come from. An absent part is an empty text.",
    )
    op.create_table(
        "forms",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "form_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="128-bit hash of the pair."
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the form as sent."),
        sa.Column("path", sa.Text(), nullable=False, comment="Path of the page it was on."),
        sa.PrimaryKeyConstraint("site_id", "form_id", name=op.f("pk_forms")),
        comment="A distinct pair of form name and page path.",
    )
    op.create_table(
        "sightings",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "link_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Which keys: `link_keys`."
        ),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor it was seen on; empty if none.",
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The event or CRM fact."
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When the subject was seen. UTC microseconds."),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="Order among sightings of one instant: the event's."),
        sa.Column("is_trusted", sa.Boolean(), nullable=False, comment="It came with a secret key or from a CRM."),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="When it came in. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "link_id", "visitor_id", "fact_id", name=op.f("pk_sightings")),
        comment="One subject (an event, a contact in a CRM fact) seen carrying keys, and the visitor it was seen on.",
    )
    op.create_index("ix_sightings__fact", "sightings", ["site_id", "fact_id"], unique=False)
    op.create_index("ix_sightings__visitor", "sightings", ["site_id", "visitor_id", "occurred_at"], unique=False)
    op.create_table(
        "link_keys",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "link_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="128-bit hash of the sorted set of keys.",
        ),
        sa.Column(
            "key_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`c_`, `e_`, `p_` or `u_` (CRM contact, e-mail, phone, user ID) and a keyed hash.",
        ),
        sa.PrimaryKeyConstraint("site_id", "link_id", "key_id", name=op.f("pk_link_keys")),
        comment="The keys of a distinct set of keys that a subject carried together.",
    )
    op.create_index("ix_link_keys__key", "link_keys", ["site_id", "key_id", "link_id"], unique=False)
    op.create_table(
        "key_domains",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Key of an e-mail."),
        sa.Column(
            "domain",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What follows the `@`, in lower case, as Unicode writes it.",
        ),
        sa.PrimaryKeyConstraint("site_id", "key_id", name=op.f("pk_key_domains")),
        comment="The domain of the e-mail that a key stands for: people with one domain, free-mail providers' apart, are of one company.",
    )
    op.create_index("ix_key_domains__domain", "key_domains", ["site_id", "domain", "key_id"], unique=False)
    op.create_table(
        "contact_companies",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "key_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contact's first key: its CRM contact ID, else its e-mail, phone or user ID.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Space of the company's ID: `generic` or the connection ID.",
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that said so."
        ),
        sa.Column(
            "company_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="The CRM's ID of the company; null: of none any more.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it came to hold. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "key_id", "space", "fact_id", name=op.f("pk_contact_companies")),
        comment="The company that one fact said a contact is of. The last by (occurred_at, fact_id) holds.",
    )
    op.create_index("ix_contact_companies__company", "contact_companies", ["site_id", "space", "company_id"], unique=False)
    op.create_table(
        "unlinks",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor of the undone sighting; empty if it had none.",
        ),
        sa.Column(
            "link_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Keys of the undone sighting."
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The fact that was named when it was undone.",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was undone. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "link_id", name=op.f("pk_unlinks")),
        comment="Joins that a person has undone: sightings of these keys on this visitor count no more.",
    )
    op.create_table(
        "contacts",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "key_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The key that this is the clear text of, or the CRM contact.",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="`email`, `phone`, `user_id` or `contact`."),
        sa.Column("value", sa.Text(), nullable=False, comment="The address, number or ID itself."),
        sa.Column("name", sa.Text(), nullable=True, comment="Name of the person."),
        sa.Column("company", sa.Text(), nullable=True, comment="Company, as the CRM says."),
        sa.Column("lead_source", sa.Text(), nullable=True, comment="The CRM's own lead source."),
        sa.Column("email_domain", sa.Text(), nullable=True, comment="Domain of the e-mail."),
        sa.Column("may_contact", sa.Boolean(), nullable=True, comment="Whether the person may be contacted."),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="Time of the newest fact that wrote this row. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "key_id", name=op.f("pk_contacts")),
        comment="Names and addresses, for display and export only; decides nothing.",
    )
    op.create_table(
        "crm_facts",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="128-bit hash of (connection or `events`, message ID).",
        ),
        sa.Column(
            "connection_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Connection it came through; empty for an event.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Deal and contact space: `generic` or the connection ID.",
        ),
        sa.Column("type", sa.Text(), nullable=False, comment="`deal.won`, `contact.created`, `activity.logged`, …"),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Deal that it is about; empty if none.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it happened, by the CRM. UTC microseconds."),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="When it came in. UTC microseconds."),
        sa.Column("body", sa.Text(), nullable=False, comment="The payload's `data` as JSON, without e-mails and phone numbers."),
        sa.PrimaryKeyConstraint("site_id", "fact_id", name=op.f("pk_crm_facts")),
        comment="One fact that a CRM (or a `deal_closed` event) reported, as it came.",
    )
    op.create_index("ix_crm_facts__deal", "crm_facts", ["site_id", "space", "deal_id"], unique=False)
    op.create_table(
        "deal_fields",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column(
            "deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The CRM's ID of the deal."
        ),
        sa.Column(
            "field",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`name`, `amount`, `currency`, `stage`, `opened_at`, `closed_on`, `pipeline`, `type`, `company_id`, `company_name`, `company_domain`, `owner`, `lost_reason`, `account_manager`, `recurring`, `recurring_period`, `visitor_id`, `url`, `contacts`.",
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that sent it."
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When the value came to hold. UTC microseconds."),
        sa.Column(
            "value",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="The value (times in microseconds, money in ten-thousandths of the unit, whatever its currency; `contacts`: their number); null clears.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "field", "fact_id", name=op.f("pk_deal_fields")),
        comment="One field of a deal that one fact sent. The fold takes the last by (occurred_at, fact_id).",
    )
    op.create_index(
        "ix_deal_fields__visitor",
        "deal_fields",
        ["site_id", "value"],
        unique=False,
        sqlite_where=sa.text("field = 'visitor_id'"),
        postgresql_where=sa.text("field = 'visitor_id'"),
    )
    op.create_table(
        "deal_changes",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column(
            "deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The CRM's ID of the deal."
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that said so."
        ),
        sa.Column(
            "change",
            sa.Text(),
            nullable=False,
            comment="`seen` (created or updated), `won`, `lost`, `reopened`, `adjusted`, `churned`, `deleted`.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it happened. UTC microseconds."),
        sa.Column(
            "amount",
            sa.BigInteger(),
            nullable=True,
            comment="For `adjusted`: the signed change, in ten-thousandths of the unit of the deal's currency.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "fact_id", name=op.f("pk_deal_changes")),
        comment="One thing that happened to a deal, other than a value of a field.",
    )
    op.create_table(
        "deal_contacts",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column(
            "deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The CRM's ID of the deal."
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that sent the list."
        ),
        sa.Column(
            "link_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Keys of the contact: `link_keys`.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "fact_id", "link_id", name=op.f("pk_deal_contacts")),
        comment="The contacts that one fact listed for a deal; a later list replaces the whole.",
    )
    op.create_index("ix_deal_contacts__link", "deal_contacts", ["site_id", "link_id"], unique=False)
    op.create_table(
        "person_fields",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "link_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Keys of the human: `link_keys`.",
        ),
        sa.Column(
            "field",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Name of the property, as sent; empty: the company they work for.",
        ),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor that the event was seen on; empty if none.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The event or CRM fact that sent it.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When the value came to hold. UTC microseconds."),
        sa.Column("is_trusted", sa.Boolean(), nullable=False, comment="It came with a secret key or from a CRM."),
        sa.Column(
            "value",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="The value as text (of a company: its `record_id`); null clears.",
        ),
        sa.PrimaryKeyConstraint("site_id", "link_id", "field", "visitor_id", "fact_id", name=op.f("pk_person_fields")),
        comment="One property of a human that one fact sent: a form, an `identify`, a contact of a CRM. A trusted sender's outranks a page's.",
    )
    op.create_table(
        "record_fields",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "record_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`deal:<space>/<deal ID>`, or `company:<space>/` with `id:`, `domain:` or `name:` and its value.",
        ),
        sa.Column(
            "field", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Name of the property, as sent."
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that sent it."
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When the value came to hold. UTC microseconds."),
        sa.Column(
            "value", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True, comment="The value as text; null clears."
        ),
        sa.PrimaryKeyConstraint("site_id", "record_id", "field", "fact_id", name=op.f("pk_record_fields")),
        comment="One property of a deal or a company that one fact sent.",
    )
    op.create_table(
        "activities",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Space of its ID and of the deal's.",
        ),
        sa.Column(
            "activity_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The CRM's ID; the fact's where it has none.",
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that told of it."
        ),
        sa.Column("told_at", sa.BigInteger(), nullable=False, comment="When that came to hold. UTC microseconds."),
        sa.Column("kind", sa.Text(), nullable=False, comment="`call`, `email`, `meeting`, `other`."),
        sa.Column("direction", sa.Text(), server_default="", nullable=False, comment="`inbound`, `outbound` or empty."),
        sa.Column("is_automated", sa.Boolean(), nullable=False, comment="Sent by a machine, or to many at once: never counts as contact."),
        sa.Column("is_gone", sa.Boolean(), nullable=False, comment="It did not take place (yet), or was deleted."),
        sa.Column("title", sa.Text(), nullable=True, comment="What it was about."),
        sa.Column("told_by", sa.Text(), nullable=True, comment="Who of sales did it."),
        sa.Column(
            "link_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="Keys of the contact it was with; null if only a deal was named.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="Deal it was about; null if only a contact was named.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it took place. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "space", "activity_id", "fact_id", name=op.f("pk_activities")),
        comment="What one fact told of a call, a meeting or an e-mail of sales. Of one activity, the last by (told_at, fact_id) holds.",
    )
    op.create_index("ix_activities__deal", "activities", ["site_id", "space", "deal_id"], unique=False)
    op.create_index("ix_activities__link", "activities", ["site_id", "link_id"], unique=False)
    op.create_table(
        "contact_marks",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that said so."
        ),
        sa.Column(
            "mark", sa.Text(), nullable=False, comment="`lead`, `mql`, `mql_rejected`, `sql` (qualified), `disqualified` or `recycled`."
        ),
        sa.Column("link_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Keys of the contact."),
        sa.Column("marked_by", sa.Text(), nullable=True, comment="Who said so."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was rejected, disqualified or recycled."),
        sa.Column("bant", sa.Text(), nullable=True, comment="JSON of the four booleans, the evidence of a qualification."),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it was said. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "fact_id", name=op.f("pk_contact_marks")),
        comment="What sales or marketing said of a contact.",
    )
    op.create_index("ix_contact_marks__link", "contact_marks", ["site_id", "link_id"], unique=False)
    op.create_table(
        "crm_statements",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column(
            "month",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="YYYY-MM of the close date, as the CRM has it.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The CRM's ID of the deal; empty in the row that says the month was asked for.",
        ),
        sa.Column("name", sa.Text(), nullable=True, comment="Name of the deal."),
        sa.Column("amount", sa.BigInteger(), nullable=True, comment="In ten-thousandths of the unit of its currency."),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217."),
        sa.Column("closed_on", sa.Text(), nullable=True, comment="Close date, YYYY-MM-DD."),
        sa.Column("stated_at", sa.BigInteger(), nullable=False, comment="When the CRM answered. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "space", "month", "deal_id", name=op.f("pk_crm_statements")),
        comment="What a CRM answered when it was asked for the deals won in a month: what our figures are held against.",
    )
    op.create_table(
        "quarantine",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "quarantine_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="128-bit hash of door and body: the same body sent again is one row.",
        ),
        sa.Column(
            "door",
            sa.Text(),
            nullable=False,
            comment="`events`, `segment`, `segment:deal` (its event is stored, the deal is not) or `webhook:<connection>`.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why it was refused, in words."),
        sa.Column("body", sa.Text(), nullable=False, comment="What was sent, as text (capped)."),
        sa.Column("is_trusted", sa.Boolean(), nullable=False, comment="It came with a secret key."),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="When it came in: kept on replay. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "quarantine_id", name=op.f("pk_quarantine")),
        comment="What could not be understood or stored: kept 30 days, visible and replayable.",
    )
    op.create_index("ix_quarantine__received_at", "quarantine", ["site_id", "received_at"], unique=False)
    op.create_table(
        "drops",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="UTC date, YYYY-MM-DD."),
        sa.Column(
            "reason",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`bot`, `prefetch`, `gpc`, `dnt`, `excluded_network`, `bad_signature:<connection>`, …",
        ),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="How many."),
        sa.PrimaryKeyConstraint("site_id", "day", "reason", name=op.f("pk_drops")),
        comment="What was dropped at the door, counted by day and reason.",
    )
    op.create_table(
        "visitor_salts",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "day",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Day in the site's time zone, YYYY-MM-DD.",
        ),
        sa.Column("salt", sa.LargeBinary(), nullable=False, comment="Random."),
        sa.PrimaryKeyConstraint("site_id", "day", name=op.f("pk_visitor_salts")),
        comment="Keys of the hashes that name a browser for one day, where no cookie names it; deleted when the day is over.",
    )
    op.create_table(
        "crm_fetches",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("connection_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The connection."),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Kind of record: `deals`, `contacts`, …",
        ),
        sa.Column("record_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The CRM's ID."),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The notice that asked for it."
        ),
        sa.Column(
            "next_try_at",
            sa.BigInteger(),
            nullable=False,
            comment="When to ask next; while it is asked, when somebody else may. UTC microseconds.",
        ),
        sa.Column("tries", sa.BigInteger(), nullable=False, comment="How often it was tried."),
        sa.Column("last_error", sa.Text(), nullable=True, comment="What went wrong the last time."),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="When the notice came in. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "connection_id", "kind", "record_id", "fact_id", name=op.f("pk_crm_fetches")),
        comment="Records of a CRM that changed and are still to be fetched; a row a notice, deleted once what was fetched is stored.",
    )
    op.create_index("ix_crm_fetches__due", "crm_fetches", ["site_id", "connection_id", "next_try_at"], unique=False)
    op.create_table(
        "crm_polls",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("connection_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The connection."),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Kind of record: `contacts`, `deals`, `activities`, …",
        ),
        sa.Column(
            "since",
            sa.BigInteger(),
            nullable=False,
            comment="What changed at this moment or later is being read, or will be next. UTC microseconds.",
        ),
        sa.Column("cursor", sa.Text(), nullable=True, comment="The next page; null: it begins anew."),
        sa.Column("began_at", sa.BigInteger(), nullable=True, comment="When the round under way began; null: none is. UTC microseconds."),
        sa.Column(
            "next_try_at",
            sa.BigInteger(),
            nullable=False,
            comment="When to ask next; while it is asked, when somebody else may. UTC microseconds.",
        ),
        sa.Column("tries", sa.BigInteger(), nullable=False, comment="How often the same page has failed in a row."),
        sa.Column("last_error", sa.Text(), nullable=True, comment="What went wrong the last time."),
        sa.Column("records", sa.BigInteger(), nullable=False, comment="Messages read so far."),
        sa.Column("finished_at", sa.BigInteger(), nullable=True, comment="When a round was last read to its end. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "connection_id", "kind", name=op.f("pk_crm_polls")),
        comment="How far a connection has been read by asking: a row a kind of record.",
    )
    op.create_table(
        "crm_pauses",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("connection_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The connection."),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Fetches of one kind of record; empty: every call.",
        ),
        sa.Column("paused_until", sa.BigInteger(), nullable=False, comment="When to call again. UTC microseconds."),
        sa.Column("tries", sa.BigInteger(), nullable=False, comment="How often in a row it has failed."),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in words."),
        sa.Column("paused_at", sa.BigInteger(), nullable=False, comment="When the pause began. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "connection_id", "kind", name=op.f("pk_crm_pauses")),
        comment="Calls of a connection's API that are not made for a while: it asked for a pause, it is down, or it denies.",
    )
    op.create_table(
        "notices",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("endpoint_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The endpoint."),
        sa.Column(
            "notice_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Names what is told, the same whenever it is found again: the `webhook-id`.",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="`stage_changed`, `contact_due` or `hot_visit`."),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="Who it is about, by the ID of then; empty: a deal.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="Deal space; empty for a person.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="The deal; empty for a person.",
        ),
        sa.Column(
            "mark",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What of it, told once: the stage and which time it is entered; the hot page and the day; empty for `contact_due`.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="The event or CRM fact behind a change of stage; empty: none.",
        ),
        sa.Column("body", sa.Text(), nullable=False, comment="What is sent, as JSON; `{}`: it was erased before it was sent."),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it happened, or will. UTC microseconds."),
        sa.Column(
            "next_try_at",
            sa.BigInteger(),
            nullable=False,
            comment="When to try next; while it is sent, when somebody else may; the end of time: never again. UTC microseconds.",
        ),
        sa.Column("tries", sa.BigInteger(), nullable=False, comment="How often it was tried."),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True, comment="When it was taken; null: not yet. UTC microseconds."),
        sa.Column("given_up_at", sa.BigInteger(), nullable=True, comment="When it was given up; null: it was not. UTC microseconds."),
        sa.Column("last_error", sa.Text(), nullable=True, comment="What went wrong the last time."),
        sa.PrimaryKeyConstraint("site_id", "endpoint_id", "notice_id", name=op.f("pk_notices")),
        comment="What endpoints are told: once each, whatever is computed anew. Kept 30 days after it was taken or given up.",
    )
    op.create_index("ix_notices__about", "notices", ["site_id", "endpoint_id", "deal_id", "space", "person_id"], unique=False)
    op.create_index("ix_notices__due", "notices", ["site_id", "endpoint_id", "next_try_at"], unique=False)
    op.create_index("ix_notices__fact", "notices", ["site_id", "endpoint_id", "fact_id"], unique=False)
    op.create_table(
        "labels_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "origin_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "form_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_labels_queue")),
        comment="Origins and forms to label: exactly one of the two is set.",
    )
    op.create_index("ix_labels_queue__site", "labels_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "touches_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_touches_queue")),
        comment="Visitors whose touches and goals may have changed. Heavy.",
    )
    op.create_index("ix_touches_queue__site", "touches_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "identity_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "key_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_identity_queue")),
        comment="Keys whose person may have changed.",
    )
    op.create_index("ix_identity_queue__site", "identity_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "spans_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_spans_queue")),
        comment="Visitors whose spans may have changed. Heavy.",
    )
    op.create_index("ix_spans_queue__site", "spans_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "properties_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_properties_queue")),
        comment="People, deals and companies whose properties may have changed.",
    )
    op.create_index("ix_properties_queue__site", "properties_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "deals_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_deals_queue")),
        comment="Deals to fold anew.",
    )
    op.create_index("ix_deals_queue__site", "deals_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "conversions_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_conversions_queue")),
        comment="People, or deals (then `person_id` is empty), whose conversions may have changed.",
    )
    op.create_index("ix_conversions_queue__site", "conversions_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "activities_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "activity_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_activities_queue")),
        comment="Activities of sales to fold anew.",
    )
    op.create_index("ix_activities_queue__site", "activities_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "opportunities_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_opportunities_queue")),
        comment="People, or deals (then `person_id` is empty), of whom it may have changed whether they wait to be contacted.",
    )
    op.create_index("ix_opportunities_queue__site", "opportunities_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "stages_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_stages_queue")),
        comment="People, or deals (then `person_id` is empty), whose stages may have changed.",
    )
    op.create_index("ix_stages_queue__site", "stages_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "journeys_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_journeys_queue")),
        comment="Conversions whose journeys may have changed.",
    )
    op.create_index("ix_journeys_queue__site", "journeys_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "sums_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), server_default="", nullable=False, comment="What is dirty."
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_sums_queue")),
        comment="Days of a kind of conversion whose sums may have changed.",
    )
    op.create_index("ix_sums_queue__key", "sums_queue", ["site_id", "kind", "day"], unique=False)
    op.create_index("ix_sums_queue__site", "sums_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "months_queue",
        sa.Column(
            "queue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
            comment="Names the row; says nothing of order (numbers do not commit in order).",
        ),
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The tenant."),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "month",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What is dirty.",
        ),
        sa.Column(
            "received_at", sa.BigInteger(), nullable=False, comment="When the oldest fact behind this row came in. UTC microseconds."
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_months_queue")),
        comment="Months of a kind of conversion whose sums may have changed.",
    )
    op.create_index("ix_months_queue__key", "months_queue", ["site_id", "kind", "month"], unique=False)
    op.create_index("ix_months_queue__site", "months_queue", ["site_id", "queue_id"], unique=False)
    op.create_table(
        "failed_keys",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("stage", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Name of the stage."),
        sa.Column(
            "dirty_key",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="JSON list of the dirty key's parts.",
        ),
        sa.Column("error", sa.Text(), nullable=False, comment="What the database or the code said."),
        sa.Column("failed_at", sa.BigInteger(), nullable=False, comment="When it was set aside. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", "stage", "dirty_key", name=op.f("pk_failed_keys")),
        comment="What made a stage fail, even alone: set aside so that the rest goes on.",
    )
    op.create_table(
        "rebuilds",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("stage", sa.Text(), nullable=False, comment="Stage being rebuilt."),
        sa.Column(
            "after_key", sa.Text(), nullable=False, comment="JSON list: the last dirty key done in that stage; empty list at its beginning."
        ),
        sa.Column(
            "keys_left", sa.BigInteger(), nullable=False, comment="How many keys are left in this stage and the ones after it, about."
        ),
        sa.Column("keys_total", sa.BigInteger(), nullable=False, comment="How many there were at the start, about."),
        sa.Column("started_at", sa.BigInteger(), nullable=False, comment="When it was asked for. UTC microseconds."),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_rebuilds")),
        comment="A rebuild under way: a cursor, moved in the same transaction as the swap of its chunk.",
    )
    op.create_table(
        "worker_epochs",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="Raised by each worker that takes over."),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_worker_epochs")),
        comment="Who may swap: a worker that takes the site's lock raises the epoch, and confirms it in each swap.",
    )
    op.create_table(
        "origin_labels",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="`origins`."),
        sa.Column("channel", sa.Text(), nullable=False, comment="Channel, by the first rule that fired."),
        sa.Column("rule", sa.Text(), nullable=False, comment="Name of that rule, for explanations."),
        sa.Column("source", sa.Text(), nullable=False, comment="Source after aliases and defaults (`google`, `(direct)`)."),
        sa.Column("medium", sa.Text(), nullable=False, comment="Medium after defaults (`organic`, `referral`, `(none)`)."),
        sa.Column("campaign", sa.Text(), nullable=False, comment="Campaign after aliases; `(not set)` if none."),
        sa.Column("term", sa.Text(), nullable=False, comment="Term; `(not set)` if none."),
        sa.Column("content", sa.Text(), nullable=False, comment="Content; `(not set)` if none."),
        sa.Column("referrer", sa.Text(), nullable=False, comment="Referring host; `(none)` if none."),
        sa.Column(
            "is_ignored",
            sa.Boolean(),
            nullable=False,
            comment="The referrer means nothing (own host, payment gateway, sign-in) and there is no campaign or click ID.",
        ),
        sa.Column(
            "is_spam",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="The referrer, or the source, is a known spammer's.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "origin_id", name=op.f("pk_origin_labels")),
        comment="What the rules in force say of an origin.",
    )
    op.create_table(
        "form_labels",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("form_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="`forms`."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the form."),
        sa.Column("is_lead_form", sa.Boolean(), nullable=False, comment="Whether submitting it makes a lead."),
        sa.Column("needs_email", sa.Boolean(), nullable=False, comment="Whether it does so only with an e-mail (the default rule)."),
        sa.PrimaryKeyConstraint("site_id", "form_id", name=op.f("pk_form_labels")),
        comment="What the settings in force say of a form.",
    )
    op.create_table(
        "touches",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The visitor."),
        sa.Column(
            "event_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The event that was the arrival.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="The event's."),
        sa.Column("type_rank", sa.SmallInteger(), nullable=False, comment="The event's."),
        sa.Column("session_started_at", sa.BigInteger(), nullable=False, comment="Start of the session that it lies in. UTC microseconds."),
        sa.Column(
            "origin_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Where it came from; the all-empty origin where an ignored referrer brought a visitor's very first session.",
        ),
        sa.Column(
            "is_reported",
            sa.Boolean(),
            nullable=False,
            comment="Somebody else told of it afterwards (the CRM, a list); false: seen by ourselves.",
        ),
        sa.Column(
            "touches_left_out",
            sa.BigInteger(),
            nullable=False,
            comment="On a visitor's first touch: how many later ones the cap left out; else 0.",
        ),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id", name=op.f("pk_touches")),
        comment="One arrival through an origin. Carries no person. Heavy.",
    )
    op.create_index("ix_touches__order", "touches", ["site_id", "visitor_id", "occurred_at"], unique=False)
    op.create_table(
        "left_out_touches",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The visitor."),
        sa.Column(
            "event_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The event that was the arrival.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column(
            "ends_at",
            sa.BigInteger(),
            nullable=False,
            comment="First instant of what no longer belongs to it: the next touch; of a customer who logs in, the next session. UTC microseconds.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="`too_fast`, `spam_referrer` or `customer_area`."),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id", name=op.f("pk_left_out_touches")),
        comment="What would have been a touch, but for a rule: of a program, of spam, of a customer who logs in. Heavy.",
    )
    op.create_index("ix_left_out_touches__occurred_at", "left_out_touches", ["site_id", "occurred_at"], unique=False)
    op.create_table(
        "goal_events",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The visitor."),
        sa.Column("event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The event."),
        sa.Column("purpose", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="As in `goal_rules`."),
        sa.Column("goal", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Name of the goal."),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="The event's."),
        sa.Column("once_per", sa.Text(), nullable=False, comment="`person` or `event`."),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id", "purpose", "goal", name=op.f("pk_goal_events")),
        comment="An event that reaches a goal: `lead`, `form:<name>`, or the site's own; or that scores or is hot. Heavy.",
    )
    op.create_index(
        "ix_goal_events__hot",
        "goal_events",
        ["site_id", "occurred_at"],
        unique=False,
        sqlite_where=sa.text("purpose = 'hot'"),
        postgresql_where=sa.text("purpose = 'hot'"),
    )
    op.create_table(
        "key_people",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The key."),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Smallest key of the connected component.",
        ),
        sa.Column(
            "is_crowded", sa.Boolean(), nullable=False, comment="The component had more than 10 keys of one kind, so each key stands alone."
        ),
        sa.PrimaryKeyConstraint("site_id", "key_id", name=op.f("pk_key_people")),
        comment="Which person each key belongs to now.",
    )
    op.create_index("ix_key_people__person", "key_people", ["site_id", "person_id"], unique=False)
    op.create_table(
        "crowded_days",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The key."),
        sa.Column("day_number", sa.BigInteger(), nullable=False, comment="Days since 1970, UTC."),
        sa.Column("visitors", sa.BigInteger(), nullable=False, comment="On how many visitors it was seen."),
        sa.PrimaryKeyConstraint("site_id", "key_id", "day_number", name=op.f("pk_crowded_days")),
        comment="A key seen on more than 20 visitors on one UTC day: on it, its sightings through a write key join nothing.",
    )
    op.create_table(
        "visitor_spans",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The visitor."),
        sa.Column("starts_at", sa.BigInteger(), nullable=False, comment="First instant of the span; 0 for the first. UTC microseconds."),
        sa.Column(
            "ends_at", sa.BigInteger(), nullable=False, comment="First instant after it; the end of time for the last. UTC microseconds."
        ),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The person; `v_` and the visitor ID where nobody has identified.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="The event or CRM fact whose sighting began it: the evidence; null for an unidentified visitor.",
        ),
        sa.Column("link_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True, comment="Keys of that sighting."),
        sa.Column("first_touched_at", sa.BigInteger(), nullable=True, comment="First touch within the span. UTC microseconds."),
        sa.Column(
            "first_touch_event_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
            comment="The event of that touch.",
        ),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "starts_at", name=op.f("pk_visitor_spans")),
        comment="Which person a visitor was, from when to when. Every visitor with a touch, a goal or a sighting has at least one. Heavy.",
    )
    op.create_index("ix_visitor_spans__first_touch", "visitor_spans", ["site_id", "first_touched_at"], unique=False)
    op.create_index("ix_visitor_spans__person", "visitor_spans", ["site_id", "person_id"], unique=False)
    op.create_table(
        "properties",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="A person, or a record as in `record_fields`.",
        ),
        sa.Column(
            "property",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Name of the property, as sent; empty: the company that a person works for.",
        ),
        sa.Column(
            "value",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its value as text; of the empty property the company's `record_id`.",
        ),
        sa.Column(
            "occurred_at",
            sa.BigInteger(),
            nullable=False,
            comment="Since when it holds: what is said again goes on holding. UTC microseconds.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The event or CRM fact that said so first.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "holder_id", "property", name=op.f("pk_properties")),
        comment="What is said of a person, a deal or a company now: the last value of each property that has one.",
    )
    op.create_index(
        "ix_properties__value",
        "properties",
        ["site_id", "value"],
        unique=False,
        sqlite_where=sa.text("property = ''"),
        postgresql_where=sa.text("property = ''"),
    )
    op.create_table(
        "deals",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The CRM's ID."),
        sa.Column("name", sa.Text(), nullable=True, comment="Name."),
        sa.Column("outcome", sa.Text(), nullable=False, comment="`open`, `won` or `lost`."),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False, comment="Time of the earliest fact about it. UTC microseconds."),
        sa.Column(
            "opened_at",
            sa.BigInteger(),
            nullable=False,
            comment="When it was opened: as the CRM says, else the earliest fact, never after the win. UTC microseconds.",
        ),
        sa.Column("won_at", sa.BigInteger(), nullable=True, comment="The latest transition to won, if it is won now. UTC microseconds."),
        sa.Column("lost_at", sa.BigInteger(), nullable=True, comment="The latest transition to lost, if it is lost now. UTC microseconds."),
        sa.Column("churned_at", sa.BigInteger(), nullable=True, comment="When the customer left. UTC microseconds."),
        sa.Column("closed_on", sa.Text(), nullable=True, comment="The CRM's close date, YYYY-MM-DD."),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO currency of its amounts."),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True, comment="Amount now, adjustments included, in minor units."),
        sa.Column("recurring_minor", sa.BigInteger(), nullable=True, comment="Amount of each period, for a subscription."),
        sa.Column("recurring_period", sa.Text(), nullable=True, comment="`month` or `year`."),
        sa.Column("stage", sa.Text(), nullable=True, comment="The CRM's stage."),
        sa.Column("pipeline", sa.Text(), nullable=True, comment="The CRM's pipeline."),
        sa.Column("type", sa.Text(), nullable=True, comment="`new`, `expansion` or `renewal`."),
        sa.Column("company_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True, comment="The CRM's company."),
        sa.Column("company_name", sa.Text(), nullable=True, comment="Its name."),
        sa.Column("company_domain", sa.Text(), nullable=True, comment="Its domain."),
        sa.Column("owner", sa.Text(), nullable=True, comment="Who owns the deal."),
        sa.Column("lost_reason", sa.Text(), nullable=True, comment="Why it was lost."),
        sa.Column("url", sa.Text(), nullable=True, comment="Where the CRM shows it."),
        sa.Column("account_manager", sa.Text(), nullable=True, comment="Who looks after the customer."),
        sa.Column(
            "ignored_because",
            sa.Text(),
            nullable=True,
            comment="Why it counts not: `deleted`, `pipeline`, `stage`, `excluded` (by its name), `internal` (by all its contacts); null: it counts.",
        ),
        sa.Column("has_contacts", sa.Boolean(), nullable=False, comment="It names at least one contact, or a visitor where it names none."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", name=op.f("pk_deals")),
        comment="A CRM opportunity as it stands now.",
    )
    op.create_index("ix_deals__company", "deals", ["site_id", "company_id"], unique=False)
    op.create_table(
        "deal_companies",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The deal."),
        sa.Column(
            "company_space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Empty where an e-mail domain names the company; else the deal's space, whose CRM company it is.",
        ),
        sa.Column(
            "company",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The domain, or the CRM's ID of the company.",
        ),
        sa.Column(
            "is_crowded",
            sa.Boolean(),
            nullable=False,
            comment="More than 1,000 addresses or contacts of it are known: none of them shares the journey.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "company_space", "company", name=op.f("pk_deal_companies")),
        comment="The companies of a deal whose people share its journey; empty where the site does not want it (`account_journeys`).",
    )
    op.create_index("ix_deal_companies__company", "deal_companies", ["site_id", "company", "company_space"], unique=False)
    op.create_table(
        "deal_people",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The deal."),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The person."),
        sa.Column(
            "is_contact",
            sa.Boolean(),
            nullable=False,
            comment="Whether the deal itself names the person; false: the person is of its company (`deal_companies`).",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "person_id", name=op.f("pk_deal_people")),
        comment="The people of a deal: its contacts' persons, or its visitor's where it names no contact; and those of its companies.",
    )
    op.create_index("ix_deal_people__person", "deal_people", ["site_id", "person_id"], unique=False)
    op.create_table(
        "deal_amounts",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The deal."),
        sa.Column("entry", sa.BigInteger(), nullable=False, comment="0 for the win, then 1, 2, … in order of time."),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When the net amount came to hold. UTC microseconds."),
        sa.Column("before_minor", sa.BigInteger(), nullable=False, comment="Net before, in minor units; 0 for the win."),
        sa.Column("after_minor", sa.BigInteger(), nullable=False, comment="Net after, in minor units."),
        sa.Column(
            "fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The fact that changed it."
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "entry", name=op.f("pk_deal_amounts")),
        comment="The net amount of a won deal, each time it changed: at the win, and with each later adjustment.",
    )
    op.create_table(
        "sales_activities",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Space of its ID and of the deal's.",
        ),
        sa.Column("activity_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The activity."),
        sa.Column("kind", sa.Text(), nullable=False, comment="`call`, `email`, `meeting`, `other`."),
        sa.Column("direction", sa.Text(), nullable=False, comment="`inbound`, `outbound` or empty."),
        sa.Column("is_automated", sa.Boolean(), nullable=False, comment="Sent by a machine, or to many at once."),
        sa.Column("title", sa.Text(), nullable=True, comment="What it was about."),
        sa.Column("told_by", sa.Text(), nullable=True, comment="Who of sales did it."),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="Whom it was with; empty: only a deal was named.",
        ),
        sa.Column(
            "deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="What it was about; empty: only a contact was named.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it took place. UTC microseconds."),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The fact that told of it last.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "activity_id", name=op.f("pk_sales_activities")),
        comment="A call, a meeting or an e-mail of sales that took place, with whom it was.",
    )
    op.create_index("ix_sales_activities__deal", "sales_activities", ["site_id", "space", "deal_id", "occurred_at"], unique=False)
    op.create_index("ix_sales_activities__person", "sales_activities", ["site_id", "person_id", "occurred_at"], unique=False)
    op.create_table(
        "opportunities",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The lead; empty for a deal."
        ),
        sa.Column(
            "space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space; empty for a lead."
        ),
        sa.Column(
            "deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The deal; empty for a lead."
        ),
        sa.Column(
            "contact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="The deal's first contact by ID of the person, or the lead; empty: nobody is known.",
        ),
        sa.Column(
            "started_at", sa.BigInteger(), nullable=False, comment="When it was created: the clock of the promise starts. UTC microseconds."
        ),
        sa.Column(
            "due_at",
            sa.BigInteger(),
            nullable=True,
            comment="By when it was promised to be contacted, within the hours at work; null: beyond those known. UTC microseconds.",
        ),
        sa.Column("contacted_at", sa.BigInteger(), nullable=True, comment="The first activity that counts as contact. UTC microseconds."),
        sa.Column(
            "waited",
            sa.BigInteger(),
            nullable=True,
            comment="Microseconds at work from the start to the first contact; 0 where that came before.",
        ),
        sa.Column(
            "last_activity_at",
            sa.BigInteger(),
            nullable=True,
            comment="The newest activity of sales that no machine did, of any kind. UTC microseconds.",
        ),
        sa.Column("closed_at", sa.BigInteger(), nullable=True, comment="When it was won, lost or disqualified. UTC microseconds."),
        sa.Column("closed_as", sa.Text(), server_default="", nullable=False, comment="`won`, `lost`, `disqualified`; empty: neither."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was lost or disqualified."),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id", name=op.f("pk_opportunities")),
        comment="Whoever needs contact: a deal, or a lead that has no deal. What became of it is told by these times and the moment of reading.",
    )
    op.create_index("ix_opportunities__contact", "opportunities", ["site_id", "contact_id"], unique=False)
    op.create_index("ix_opportunities__started", "opportunities", ["site_id", "started_at"], unique=False)
    op.create_table(
        "stage_changes",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The person; empty for a deal.",
        ),
        sa.Column(
            "space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space; empty for a person."
        ),
        sa.Column(
            "deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The deal; empty for a person."
        ),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False, comment="1, 2, … in order of time."),
        sa.Column(
            "stage",
            sa.Text(),
            nullable=False,
            comment="Of a person: a lifecycle stage, `lost`, `recycled`, `mql_rejected` or `disqualified`. Of a deal: the CRM's own, `won`, `lost` or `reopened`.",
        ),
        sa.Column("entered_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column("is_implied", sa.Boolean(), nullable=False, comment="Only a later stage says that it was passed."),
        sa.Column(
            "moved_by",
            sa.Text(),
            nullable=False,
            comment="What moved it: `form`, `visit`, `score`, `crm`, `marketing`, `sales`, `deal`, `crm_stage`; empty: implied.",
        ),
        sa.Column(
            "visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="Visitor of the event that did; empty: no event.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="The event or CRM fact that did; empty where a later stage implies it.",
        ),
        sa.Column(
            "moving_space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="Space of the deal that moved a person; empty: none did.",
        ),
        sa.Column(
            "moving_deal_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="That deal.",
        ),
        sa.Column(
            "detail",
            sa.Text(),
            nullable=True,
            comment="Evidence or reason, as text: BANT, why it was rejected, which form. (Why a deal was lost, `deals` has.)",
        ),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id", "position", name=op.f("pk_stage_changes")),
        comment="The stages that a person, or a deal, has gone through, in order.",
    )
    op.create_index("ix_stage_changes__entered", "stage_changes", ["site_id", "entered_at"], unique=False)
    op.create_table(
        "conversions",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="Whose it is; empty for a deal (see `conversion_people`).",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="The change of stage: where the journey ends. UTC microseconds."),
        sa.Column("currency", sa.Text(), nullable=True, comment="Currency of its money; null where it has none."),
        sa.Column(
            "has_people",
            sa.Boolean(),
            nullable=False,
            comment="Whether anybody is known of it: a deal that names nobody is credited to nobody.",
        ),
        sa.Column(
            "lead_at",
            sa.BigInteger(),
            nullable=True,
            comment="The earliest lead of its people at or before it; of a deal's company only where none of its contacts was one. UTC microseconds.",
        ),
        sa.Column(
            "opportunity_at",
            sa.BigInteger(),
            nullable=True,
            comment="When its deal became an opportunity, for `customer` and `opportunity`. UTC microseconds.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", name=op.f("pk_conversions")),
        comment="A moment that counts.",
    )
    op.create_index("ix_conversions__person", "conversions", ["site_id", "person_id"], unique=False)
    op.create_table(
        "conversion_people",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The person."),
        sa.Column(
            "is_contact",
            sa.Boolean(),
            nullable=False,
            comment="Whose conversion it is, or a contact of its deal; false: only of the deal's company.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "person_id", name=op.f("pk_conversion_people")),
        comment="The people whose touches make up the journey of a conversion.",
    )
    op.create_index("ix_conversion_people__person", "conversion_people", ["site_id", "person_id"], unique=False)
    op.create_table(
        "ledger_entries",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column("entry", sa.BigInteger(), nullable=False, comment="0 for the conversion itself, then its adjustments in order of time."),
        sa.Column(
            "counted_at",
            sa.BigInteger(),
            nullable=False,
            comment="The moment by which intervals take it: the start of the CRM's close date in the site's zone, else when it happened. UTC microseconds.",
        ),
        sa.Column(
            "counted_on",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default="",
            nullable=False,
            comment="The local day of that moment, YYYY-MM-DD; empty before the first of `local_days`.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it happened. UTC microseconds."),
        sa.Column("counts", sa.SmallInteger(), nullable=False, comment="1 for the conversion itself, 0 for an adjustment."),
        sa.Column(
            "before_minor", sa.BigInteger(), nullable=False, comment="Net amount before, in minor units of the conversion's currency."
        ),
        sa.Column("after_minor", sa.BigInteger(), nullable=False, comment="Net amount after."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "entry", name=op.f("pk_ledger_entries")),
        comment="What a conversion counts, and when: one entry at the conversion, one for each later change of its net amount.",
    )
    op.create_index("ix_ledger_entries__counted", "ledger_entries", ["site_id", "kind", "counted_at"], unique=False)
    op.create_index("ix_ledger_entries__day", "ledger_entries", ["site_id", "kind", "counted_on"], unique=False)
    op.create_table(
        "journeys",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column(
            "first_touched_at",
            sa.BigInteger(),
            nullable=True,
            comment="The first touch of its people at or before it, however long ago; null: none. UTC microseconds.",
        ),
        sa.Column("touches_left_out", sa.BigInteger(), nullable=False, comment="Touches within 730 days that the cap of 1,000 left out."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", name=op.f("pk_journeys")),
        comment="One conversion's journey as a whole.",
    )
    op.create_table(
        "journey_touches",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column(
            "touch_visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor of the touch.",
        ),
        sa.Column(
            "touch_event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Event of the touch."
        ),
        sa.Column(
            "position",
            sa.BigInteger(),
            nullable=False,
            comment="1, 2, … in order of (occurred_at, sequence, visit first, event ID, visitor ID).",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Where it came from."),
        sa.Column("is_reported", sa.Boolean(), nullable=False, comment="Somebody else told of it afterwards; false: seen by ourselves."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.PrimaryKeyConstraint(
            "site_id", "kind", "holder_id", "fact_id", "touch_visitor_id", "touch_event_id", name=op.f("pk_journey_touches")
        ),
        comment="The touches within 730 days before a conversion, of all its people: the first and the newest 999.",
    )
    op.create_table(
        "daily_credit",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Kind of conversion."),
        sa.Column(
            "day",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Local day on which the conversions count: `ledger_entries.counted_on`.",
        ),
        sa.Column("model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The rule model."),
        sa.Column(
            "origin_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Where the credited touches came from.",
        ),
        sa.Column("millionths", sa.BigInteger(), nullable=False, comment="Credited millionths of conversions."),
        sa.Column("minor", sa.BigInteger(), nullable=False, comment="Credited money in minor units of the site's currency, signed."),
        sa.PrimaryKeyConstraint("site_id", "kind", "day", "model", "origin_id", name=op.f("pk_daily_credit")),
        comment="Credit by day and origin, for each rule model at the site's own look-back and half-life.",
    )
    op.create_table(
        "daily_ledger",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Kind of conversion."),
        sa.Column(
            "day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Local day on which they count."
        ),
        sa.Column(
            "reason",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Why no touch earned them; empty: touches did.",
        ),
        sa.Column(
            "currency",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Currency of the money; empty where there is none.",
        ),
        sa.Column("is_convertible", sa.Boolean(), nullable=False, comment="Whether it is the site's own currency, or none."),
        sa.Column("millionths", sa.BigInteger(), nullable=False, comment="Millionths of conversions."),
        sa.Column("minor", sa.BigInteger(), nullable=False, comment="Money in minor units of its currency, signed."),
        sa.Column(
            "early_millionths",
            sa.BigInteger(),
            nullable=False,
            comment="Millionths of conversions whose first touch lies before the look-back.",
        ),
        sa.Column(
            "models", sa.Text(), nullable=False, comment="The models whose credit `daily_credit` has for this day, separated by spaces."
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "day", "reason", "currency", name=op.f("pk_daily_ledger")),
        comment="What conversions count by day, and why no touch earned some of them, at the site's own look-back.",
    )
    op.create_table(
        "monthly_credit",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Kind of conversion."),
        sa.Column(
            "month",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="YYYY-MM: the beginning of the day.",
        ),
        sa.Column("model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The rule model."),
        sa.Column(
            "origin_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Where the credited touches came from.",
        ),
        sa.Column("millionths", sa.BigInteger(), nullable=False, comment="Credited millionths of conversions."),
        sa.Column("minor", sa.BigInteger(), nullable=False, comment="Credited money in minor units of the site's currency, signed."),
        sa.PrimaryKeyConstraint("site_id", "kind", "month", "model", "origin_id", name=op.f("pk_monthly_credit")),
        comment="`daily_credit` by month, so that a year is summed from twelve rows an origin.",
    )
    op.create_table(
        "latest_runs",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="That swap, named by its moment: UTC microseconds, increasing from swap to swap.",
        ),
        sa.Column(
            "kept_since",
            sa.BigInteger(),
            nullable=False,
            comment="The earliest moment that `as_of` answers, UTC microseconds: what ended by then may be deleted.",
        ),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_latest_runs")),
        comment="The latest swap of a site that wrote something, and how far back its history reaches.",
    )
    op.create_table(
        "first_touches",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The swap that changed it."),
        sa.Column(
            "first_touched_at",
            sa.BigInteger(),
            nullable=True,
            comment="The earliest touch from that swap on; null: none. UTC microseconds.",
        ),
        sa.PrimaryKeyConstraint("site_id", "run_id", name=op.f("pk_first_touches")),
        comment="The earliest touch of a site, each time that it changed: what is earlier happened before tracking began.",
    )
    op.create_table(
        "origin_labels_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="`origins`."),
        sa.Column("channel", sa.Text(), nullable=False, comment="Channel, by the first rule that fired."),
        sa.Column("rule", sa.Text(), nullable=False, comment="Name of that rule, for explanations."),
        sa.Column("source", sa.Text(), nullable=False, comment="Source after aliases and defaults (`google`, `(direct)`)."),
        sa.Column("medium", sa.Text(), nullable=False, comment="Medium after defaults (`organic`, `referral`, `(none)`)."),
        sa.Column("campaign", sa.Text(), nullable=False, comment="Campaign after aliases; `(not set)` if none."),
        sa.Column("term", sa.Text(), nullable=False, comment="Term; `(not set)` if none."),
        sa.Column("content", sa.Text(), nullable=False, comment="Content; `(not set)` if none."),
        sa.Column("referrer", sa.Text(), nullable=False, comment="Referring host; `(none)` if none."),
        sa.Column(
            "is_ignored",
            sa.Boolean(),
            nullable=False,
            comment="The referrer means nothing (own host, payment gateway, sign-in) and there is no campaign or click ID.",
        ),
        sa.Column("is_spam", sa.Boolean(), nullable=False, comment="The referrer, or the source, is a known spammer's."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint("site_id", "origin_id", "run_id", name=op.f("pk_origin_labels_history")),
        comment="Rows of `origin_labels` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_origin_labels_history__ended", "origin_labels_history", ["site_id", "ended_by_run"], unique=False)
    op.create_table(
        "properties_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="A person, or a record as in `record_fields`.",
        ),
        sa.Column(
            "property",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Name of the property, as sent; empty: the company that a person works for.",
        ),
        sa.Column(
            "value",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its value as text; of the empty property the company's `record_id`.",
        ),
        sa.Column(
            "occurred_at",
            sa.BigInteger(),
            nullable=False,
            comment="Since when it holds: what is said again goes on holding. UTC microseconds.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The event or CRM fact that said so first.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint("site_id", "holder_id", "property", "run_id", name=op.f("pk_properties_history")),
        comment="Rows of `properties` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_properties_history__ended", "properties_history", ["site_id", "ended_by_run"], unique=False)
    op.create_index("ix_properties_history__value", "properties_history", ["site_id", "value"], unique=False)
    op.create_table(
        "deals_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The CRM's ID."),
        sa.Column("name", sa.Text(), nullable=True, comment="Name."),
        sa.Column("outcome", sa.Text(), nullable=False, comment="`open`, `won` or `lost`."),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False, comment="Time of the earliest fact about it. UTC microseconds."),
        sa.Column(
            "opened_at",
            sa.BigInteger(),
            nullable=False,
            comment="When it was opened: as the CRM says, else the earliest fact, never after the win. UTC microseconds.",
        ),
        sa.Column("won_at", sa.BigInteger(), nullable=True, comment="The latest transition to won, if it is won now. UTC microseconds."),
        sa.Column("lost_at", sa.BigInteger(), nullable=True, comment="The latest transition to lost, if it is lost now. UTC microseconds."),
        sa.Column("churned_at", sa.BigInteger(), nullable=True, comment="When the customer left. UTC microseconds."),
        sa.Column("closed_on", sa.Text(), nullable=True, comment="The CRM's close date, YYYY-MM-DD."),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO currency of its amounts."),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True, comment="Amount now, adjustments included, in minor units."),
        sa.Column("recurring_minor", sa.BigInteger(), nullable=True, comment="Amount of each period, for a subscription."),
        sa.Column("recurring_period", sa.Text(), nullable=True, comment="`month` or `year`."),
        sa.Column("stage", sa.Text(), nullable=True, comment="The CRM's stage."),
        sa.Column("pipeline", sa.Text(), nullable=True, comment="The CRM's pipeline."),
        sa.Column("type", sa.Text(), nullable=True, comment="`new`, `expansion` or `renewal`."),
        sa.Column("company_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True, comment="The CRM's company."),
        sa.Column("company_name", sa.Text(), nullable=True, comment="Its name."),
        sa.Column("company_domain", sa.Text(), nullable=True, comment="Its domain."),
        sa.Column("owner", sa.Text(), nullable=True, comment="Who owns the deal."),
        sa.Column("lost_reason", sa.Text(), nullable=True, comment="Why it was lost."),
        sa.Column("url", sa.Text(), nullable=True, comment="Where the CRM shows it."),
        sa.Column("account_manager", sa.Text(), nullable=True, comment="Who looks after the customer."),
        sa.Column(
            "ignored_because",
            sa.Text(),
            nullable=True,
            comment="Why it counts not: `deleted`, `pipeline`, `stage`, `excluded` (by its name), `internal` (by all its contacts); null: it counts.",
        ),
        sa.Column("has_contacts", sa.Boolean(), nullable=False, comment="It names at least one contact, or a visitor where it names none."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "run_id", name=op.f("pk_deals_history")),
        comment="Rows of `deals` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_deals_history__company", "deals_history", ["site_id", "company_id"], unique=False)
    op.create_index("ix_deals_history__ended", "deals_history", ["site_id", "ended_by_run"], unique=False)
    op.create_table(
        "deal_companies_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Deal space."),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The deal."),
        sa.Column(
            "company_space",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Empty where an e-mail domain names the company; else the deal's space, whose CRM company it is.",
        ),
        sa.Column(
            "company",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The domain, or the CRM's ID of the company.",
        ),
        sa.Column(
            "is_crowded",
            sa.Boolean(),
            nullable=False,
            comment="More than 1,000 addresses or contacts of it are known: none of them shares the journey.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint(
            "site_id", "space", "deal_id", "company_space", "company", "run_id", name=op.f("pk_deal_companies_history")
        ),
        comment="Rows of `deal_companies` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_deal_companies_history__company", "deal_companies_history", ["site_id", "company", "company_space"], unique=False)
    op.create_index("ix_deal_companies_history__ended", "deal_companies_history", ["site_id", "ended_by_run"], unique=False)
    op.create_table(
        "conversions_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column(
            "person_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Whose it is; empty for a deal (see `conversion_people`).",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="The change of stage: where the journey ends. UTC microseconds."),
        sa.Column("currency", sa.Text(), nullable=True, comment="Currency of its money; null where it has none."),
        sa.Column(
            "has_people",
            sa.Boolean(),
            nullable=False,
            comment="Whether anybody is known of it: a deal that names nobody is credited to nobody.",
        ),
        sa.Column(
            "lead_at",
            sa.BigInteger(),
            nullable=True,
            comment="The earliest lead of its people at or before it; of a deal's company only where none of its contacts was one. UTC microseconds.",
        ),
        sa.Column(
            "opportunity_at",
            sa.BigInteger(),
            nullable=True,
            comment="When its deal became an opportunity, for `customer` and `opportunity`. UTC microseconds.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "run_id", name=op.f("pk_conversions_history")),
        comment="Rows of `conversions` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_conversions_history__ended", "conversions_history", ["site_id", "ended_by_run"], unique=False)
    op.create_index("ix_conversions_history__person", "conversions_history", ["site_id", "person_id"], unique=False)
    op.create_table(
        "conversion_people_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="The person."),
        sa.Column(
            "is_contact",
            sa.Boolean(),
            nullable=False,
            comment="Whose conversion it is, or a contact of its deal; false: only of the deal's company.",
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint(
            "site_id", "kind", "holder_id", "fact_id", "person_id", "run_id", name=op.f("pk_conversion_people_history")
        ),
        comment="Rows of `conversion_people` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_conversion_people_history__ended", "conversion_people_history", ["site_id", "ended_by_run"], unique=False)
    op.create_index("ix_conversion_people_history__person", "conversion_people_history", ["site_id", "person_id"], unique=False)
    op.create_table(
        "ledger_entries_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column("entry", sa.BigInteger(), nullable=False, comment="0 for the conversion itself, then its adjustments in order of time."),
        sa.Column(
            "counted_at",
            sa.BigInteger(),
            nullable=False,
            comment="The moment by which intervals take it: the start of the CRM's close date in the site's zone, else when it happened. UTC microseconds.",
        ),
        sa.Column(
            "counted_on",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The local day of that moment, YYYY-MM-DD; empty before the first of `local_days`.",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When it happened. UTC microseconds."),
        sa.Column("counts", sa.SmallInteger(), nullable=False, comment="1 for the conversion itself, 0 for an adjustment."),
        sa.Column(
            "before_minor", sa.BigInteger(), nullable=False, comment="Net amount before, in minor units of the conversion's currency."
        ),
        sa.Column("after_minor", sa.BigInteger(), nullable=False, comment="Net amount after."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "entry", "run_id", name=op.f("pk_ledger_entries_history")),
        comment="Rows of `ledger_entries` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_ledger_entries_history__counted", "ledger_entries_history", ["site_id", "kind", "counted_at"], unique=False)
    op.create_index("ix_ledger_entries_history__day", "ledger_entries_history", ["site_id", "kind", "counted_on"], unique=False)
    op.create_index("ix_ledger_entries_history__ended", "ledger_entries_history", ["site_id", "ended_by_run"], unique=False)
    op.create_table(
        "journeys_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column(
            "first_touched_at",
            sa.BigInteger(),
            nullable=True,
            comment="The first touch of its people at or before it, however long ago; null: none. UTC microseconds.",
        ),
        sa.Column("touches_left_out", sa.BigInteger(), nullable=False, comment="Touches within 730 days that the cap of 1,000 left out."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "run_id", name=op.f("pk_journeys_history")),
        comment="Rows of `journeys` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_journeys_history__ended", "journeys_history", ["site_id", "ended_by_run"], unique=False)
    op.create_table(
        "journey_touches_history",
        sa.Column(
            "site_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The tenant; first column of every key.",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal.",
        ),
        sa.Column(
            "holder_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor ID, the deal space, or `crm` where a CRM says so of a contact.",
        ),
        sa.Column(
            "fact_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Event ID (or the CRM fact, where a CRM says so), or the deal ID.",
        ),
        sa.Column(
            "touch_visitor_id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Visitor of the touch.",
        ),
        sa.Column(
            "touch_event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Event of the touch."
        ),
        sa.Column(
            "position",
            sa.BigInteger(),
            nullable=False,
            comment="1, 2, … in order of (occurred_at, sequence, visit first, event ID, visitor ID).",
        ),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False, comment="When. UTC microseconds."),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="Where it came from."),
        sa.Column("is_reported", sa.Boolean(), nullable=False, comment="Somebody else told of it afterwards; false: seen by ourselves."),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that wrote the row, named by its moment: UTC microseconds. Not part of what is computed.",
        ),
        sa.Column(
            "ended_by_run",
            sa.BigInteger(),
            nullable=False,
            comment="The swap that replaced or deleted the row: it stood until then, exclusively.",
        ),
        sa.PrimaryKeyConstraint(
            "site_id",
            "kind",
            "holder_id",
            "fact_id",
            "touch_visitor_id",
            "touch_event_id",
            "run_id",
            name=op.f("pk_journey_touches_history"),
        ),
        comment="Rows of `journey_touches` that a swap replaced or deleted: they stood from `run_id` until `ended_by_run`.",
    )
    op.create_index("ix_journey_touches_history__ended", "journey_touches_history", ["site_id", "ended_by_run"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        create_staging()


def create_staging() -> None:
    """One stage's work between computing and swapping; SQLite has these as temporary tables of a connection."""
    op.create_table(
        "staged_origin_labels",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("medium", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("term", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column("is_ignored", sa.Boolean(), nullable=True),
        sa.Column("is_spam", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "origin_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_form_labels",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("form_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("is_lead_form", sa.Boolean(), nullable=True),
        sa.Column("needs_email", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "form_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_touches",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("type_rank", sa.SmallInteger(), nullable=True),
        sa.Column("session_started_at", sa.BigInteger(), nullable=True),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_reported", sa.Boolean(), nullable=True),
        sa.Column("touches_left_out", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_left_out_touches",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_goal_events",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("purpose", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("goal", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("once_per", sa.Text(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id", "purpose", "goal"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_key_people",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_crowded", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "key_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_crowded_days",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("day_number", sa.BigInteger(), nullable=False),
        sa.Column("visitors", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "key_id", "day_number"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_visitor_spans",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("link_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("first_touched_at", sa.BigInteger(), nullable=True),
        sa.Column("first_touch_event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "starts_at"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_properties",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("property", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("value", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "holder_id", "property"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_deals",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("won_at", sa.BigInteger(), nullable=True),
        sa.Column("lost_at", sa.BigInteger(), nullable=True),
        sa.Column("churned_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_on", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("recurring_minor", sa.BigInteger(), nullable=True),
        sa.Column("recurring_period", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("pipeline", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("company_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("company_name", sa.Text(), nullable=True),
        sa.Column("company_domain", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lost_reason", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("account_manager", sa.Text(), nullable=True),
        sa.Column("ignored_because", sa.Text(), nullable=True),
        sa.Column("has_contacts", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_deal_companies",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("company_space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("company", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("is_crowded", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "company_space", "company"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_deal_people",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("is_contact", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "person_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_deal_amounts",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("before_minor", sa.BigInteger(), nullable=True),
        sa.Column("after_minor", sa.BigInteger(), nullable=True),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id", "entry"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_sales_activities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("activity_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("is_automated", sa.Boolean(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("told_by", sa.Text(), nullable=True),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "activity_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_opportunities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("contact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("contacted_at", sa.BigInteger(), nullable=True),
        sa.Column("waited", sa.BigInteger(), nullable=True),
        sa.Column("last_activity_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_as", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_stage_changes",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("entered_at", sa.BigInteger(), nullable=True),
        sa.Column("is_implied", sa.Boolean(), nullable=True),
        sa.Column("moved_by", sa.Text(), nullable=True),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("moving_space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("moving_deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id", "position"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_conversions",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("has_people", sa.Boolean(), nullable=True),
        sa.Column("lead_at", sa.BigInteger(), nullable=True),
        sa.Column("opportunity_at", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_conversion_people",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("is_contact", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "person_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_ledger_entries",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=True),
        sa.Column("counted_on", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("counts", sa.SmallInteger(), nullable=True),
        sa.Column("before_minor", sa.BigInteger(), nullable=True),
        sa.Column("after_minor", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "entry"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_journeys",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("first_touched_at", sa.BigInteger(), nullable=True),
        sa.Column("touches_left_out", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_journey_touches",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("touch_visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("touch_event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("is_reported", sa.Boolean(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id", "touch_visitor_id", "touch_event_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_daily_credit",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=True),
        sa.Column("minor", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "day", "model", "origin_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_daily_ledger",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("reason", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("currency", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("is_convertible", sa.Boolean(), nullable=True),
        sa.Column("millionths", sa.BigInteger(), nullable=True),
        sa.Column("minor", sa.BigInteger(), nullable=True),
        sa.Column("early_millionths", sa.BigInteger(), nullable=True),
        sa.Column("models", sa.Text(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "day", "reason", "currency"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_monthly_credit",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("month", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=True),
        sa.Column("minor", sa.BigInteger(), nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "month", "model", "origin_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_labels",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("form_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "origin_id", "form_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_touches",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_identity",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "key_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_spans",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_properties",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "holder_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_deals",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_conversions",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_stages",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_journeys",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_sums",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "day"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_months",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("month", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "month"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_activities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("activity_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "activity_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "dirty_opportunities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_labels",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("origin_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("form_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "origin_id", "form_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_touches",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_identity",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "key_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_spans",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_properties",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "holder_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_deals",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_conversions",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_stages",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_journeys",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_sums",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("day", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "day"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_months",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("month", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "month"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_activities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("activity_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "activity_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "enqueued_opportunities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "taken_rows",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("queue_name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("queue_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("site_id", "queue_name", "queue_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_keys",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("key_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("label", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("reached_in", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "key_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "staged_links",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("link_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("label", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("reached_in", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "link_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "customer_arrivals",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("event_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "visitor_id", "event_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "concerned_deals",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "concerned_opportunities",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "person_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "concerned_conversions",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("holder_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "holder_id", "fact_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "folded_deals",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("currency", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("closed_on", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("stage", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("pipeline", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("type", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("company_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("company_name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("company_domain", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("owner", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("lost_reason", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("account_manager", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("recurring_period", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("url", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("visitor_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("contacts_fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("money_field", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("per_minor", sa.BigInteger(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("recurring_minor", sa.BigInteger(), nullable=True),
        sa.Column("money_minor", sa.BigInteger(), nullable=True),
        sa.Column("visitor_named_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "deal_outcomes",
        sa.Column("site_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("space", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("deal_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("outcome", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("turned_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("reopened_at", sa.BigInteger(), nullable=True),
        sa.Column("reopening_fact_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("site_id", "space", "deal_id"),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        drop_staging()
    op.drop_table("journey_touches_history")
    op.drop_table("journeys_history")
    op.drop_table("ledger_entries_history")
    op.drop_table("conversion_people_history")
    op.drop_table("conversions_history")
    op.drop_table("deal_companies_history")
    op.drop_table("deals_history")
    op.drop_table("properties_history")
    op.drop_table("origin_labels_history")
    op.drop_table("first_touches")
    op.drop_table("latest_runs")
    op.drop_table("monthly_credit")
    op.drop_table("daily_ledger")
    op.drop_table("daily_credit")
    op.drop_table("journey_touches")
    op.drop_table("journeys")
    op.drop_table("ledger_entries")
    op.drop_table("conversion_people")
    op.drop_table("conversions")
    op.drop_table("stage_changes")
    op.drop_table("opportunities")
    op.drop_table("sales_activities")
    op.drop_table("deal_amounts")
    op.drop_table("deal_people")
    op.drop_table("deal_companies")
    op.drop_table("deals")
    op.drop_table("properties")
    op.drop_table("visitor_spans")
    op.drop_table("crowded_days")
    op.drop_table("key_people")
    op.drop_table("goal_events")
    op.drop_table("left_out_touches")
    op.drop_table("touches")
    op.drop_table("form_labels")
    op.drop_table("origin_labels")
    op.drop_table("worker_epochs")
    op.drop_table("rebuilds")
    op.drop_table("failed_keys")
    op.drop_table("months_queue")
    op.drop_table("sums_queue")
    op.drop_table("journeys_queue")
    op.drop_table("stages_queue")
    op.drop_table("opportunities_queue")
    op.drop_table("activities_queue")
    op.drop_table("conversions_queue")
    op.drop_table("deals_queue")
    op.drop_table("properties_queue")
    op.drop_table("spans_queue")
    op.drop_table("identity_queue")
    op.drop_table("touches_queue")
    op.drop_table("labels_queue")
    op.drop_table("notices")
    op.drop_table("crm_pauses")
    op.drop_table("crm_polls")
    op.drop_table("crm_fetches")
    op.drop_table("visitor_salts")
    op.drop_table("drops")
    op.drop_table("quarantine")
    op.drop_table("crm_statements")
    op.drop_table("contact_marks")
    op.drop_table("activities")
    op.drop_table("record_fields")
    op.drop_table("person_fields")
    op.drop_table("deal_contacts")
    op.drop_table("deal_changes")
    op.drop_table("deal_fields")
    op.drop_table("crm_facts")
    op.drop_table("contacts")
    op.drop_table("unlinks")
    op.drop_table("contact_companies")
    op.drop_table("key_domains")
    op.drop_table("link_keys")
    op.drop_table("sightings")
    op.drop_table("forms")
    op.drop_table("origins")
    op.drop_table("events")
    op.drop_table("excluded_keys")
    op.drop_table("excluded_deals")
    op.drop_table("deal_pipelines")
    op.drop_table("deal_stages")
    op.drop_table("erasures")
    op.drop_table("customer_pages")
    op.drop_table("excluded_pages")
    op.drop_table("score_rules")
    op.drop_table("goal_rules")
    op.drop_table("open_hours")
    op.drop_table("local_days")
    op.drop_table("notice_endpoints")
    op.drop_table("connections")
    op.drop_table("keys")
    op.drop_table("models")
    op.drop_table("site_versions")
    op.drop_table("sites")


def drop_staging() -> None:
    op.drop_table("deal_outcomes")
    op.drop_table("folded_deals")
    op.drop_table("concerned_conversions")
    op.drop_table("concerned_opportunities")
    op.drop_table("concerned_deals")
    op.drop_table("customer_arrivals")
    op.drop_table("staged_links")
    op.drop_table("staged_keys")
    op.drop_table("taken_rows")
    op.drop_table("enqueued_opportunities")
    op.drop_table("enqueued_activities")
    op.drop_table("enqueued_months")
    op.drop_table("enqueued_sums")
    op.drop_table("enqueued_journeys")
    op.drop_table("enqueued_stages")
    op.drop_table("enqueued_conversions")
    op.drop_table("enqueued_deals")
    op.drop_table("enqueued_properties")
    op.drop_table("enqueued_spans")
    op.drop_table("enqueued_identity")
    op.drop_table("enqueued_touches")
    op.drop_table("enqueued_labels")
    op.drop_table("dirty_opportunities")
    op.drop_table("dirty_activities")
    op.drop_table("dirty_months")
    op.drop_table("dirty_sums")
    op.drop_table("dirty_journeys")
    op.drop_table("dirty_stages")
    op.drop_table("dirty_conversions")
    op.drop_table("dirty_deals")
    op.drop_table("dirty_properties")
    op.drop_table("dirty_spans")
    op.drop_table("dirty_identity")
    op.drop_table("dirty_touches")
    op.drop_table("dirty_labels")
    op.drop_table("staged_monthly_credit")
    op.drop_table("staged_daily_ledger")
    op.drop_table("staged_daily_credit")
    op.drop_table("staged_journey_touches")
    op.drop_table("staged_journeys")
    op.drop_table("staged_ledger_entries")
    op.drop_table("staged_conversion_people")
    op.drop_table("staged_conversions")
    op.drop_table("staged_stage_changes")
    op.drop_table("staged_opportunities")
    op.drop_table("staged_sales_activities")
    op.drop_table("staged_deal_amounts")
    op.drop_table("staged_deal_people")
    op.drop_table("staged_deal_companies")
    op.drop_table("staged_deals")
    op.drop_table("staged_properties")
    op.drop_table("staged_visitor_spans")
    op.drop_table("staged_crowded_days")
    op.drop_table("staged_key_people")
    op.drop_table("staged_goal_events")
    op.drop_table("staged_left_out_touches")
    op.drop_table("staged_touches")
    op.drop_table("staged_form_labels")
    op.drop_table("staged_origin_labels")
