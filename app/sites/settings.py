"""A site's settings: versioned, an input of the pipeline. Every field has a default that a newcomer can live with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Lookback = Annotated[int, Field(ge=1, le=730)]


class Goal(BaseModel):
    """A conversion of the site's own: an event of a type, on a page, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100, description="Name of the goal and of its conversions.")
    event: str | None = Field(None, description="Type of event that reaches it; absent: any.")
    path: str | None = Field(None, description="Path of the page, exact or ending in `*`; absent: any.")
    once_per: Literal["person", "event"] = Field("person", description="Count each person once (the earliest), or each event.")


class ChannelRule(BaseModel):
    """A rule of the site's own, tried before the shipped ones. Every condition that is given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str = Field(min_length=1, max_length=100, description="The channel that it gives.")
    source: str | None = Field(None, description="Exact source, case folded.")
    medium: str | None = Field(None, description="Exact medium, case folded.")
    campaign: str | None = Field(None, description="Campaign, exact or ending in `*`, case folded.")
    referrer: str | None = Field(None, description="Host of the referrer, or a domain above it.")
    click_id: str | None = Field(None, description="Parameter that carried the click ID: `gclid`, ….")


class Lookbacks(BaseModel):
    """Default look-back of each kind of conversion, in days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lead: Lookback = 90
    mql: Lookback = 90
    sql: Lookback = 90
    opportunity: Lookback = 365
    customer: Lookback = 365
    goal: Lookback = 90


class SiteSettings(BaseModel):
    """The settings of one site."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str = Field("UTC", description="IANA time zone in which days begin: `Europe/Berlin`.")
    currency: str = Field("USD", description="ISO 4217 currency of the reports.")
    country: str | None = Field(None, description="ISO country whose national phone numbers are understood: `DE`.")
    hosts: list[str] = Field(default=[], description="Host names of the site's own pages.")
    ignored_hosts: list[str] = Field(default=[], description="Referrers that mean nothing, besides the shipped list (payment gateways, sign-in providers).")
    excluded_hosts: list[str] = Field(default=[], description="Hosts of the site's own whose pages make neither touches nor goals.")
    excluded_paths: list[str] = Field(default=[], description="Paths that make neither touches nor goals, exact or ending in `*`.")
    excluded_networks: list[str] = Field(default=[], description="Networks whose visits are dropped at the door: `203.0.113.0/24`. No address is kept.")
    channel_rules: list[ChannelRule] = Field(default=[], description="Channel rules of the site's own, tried in order before the shipped ones.")
    source_aliases: dict[str, str] = Field(default={}, description="Other spellings of a source, case folded: `{\"fb\": \"facebook\"}`.")
    campaign_aliases: dict[str, str] = Field(default={}, description="Other spellings of a campaign, case folded.")
    lead_forms: list[str] | None = Field(None, description="Names of the forms that make a lead; null: any form with an e-mail, except log-in, check-out and newsletter.")
    goals: list[Goal] = Field(default=[], description="Conversions of the site's own.")
    lookback_days: Lookbacks = Field(default=Lookbacks(), description="Default look-back of each kind of conversion.")
    half_life_days: float = Field(7.0, gt=0, le=365, description="Half-life of the model `time_decay`.")
    session_gap_minutes: int = Field(30, ge=1, le=24 * 60, description="Minutes without a web event after which a session ends.")
    touch_cap: int = Field(1_000, ge=2, le=1_000, description="Most touches kept of one visitor: the first and the newest.")
    honour_gpc: bool = Field(True, description="Drop events of browsers that send Global Privacy Control.")
    honour_dnt: bool = Field(False, description="Drop events of browsers that send Do Not Track.")
    customer_space: str | None = Field(None, description="Connection whose deals count as `customer`; null: every connection's.")

    def as_json(self) -> str:
        """The settings as stored: every field, in order."""
        return self.model_dump_json()

    def changed(self, changes: dict[str, Any]) -> SiteSettings:
        """These settings with some fields replaced. ValidationError if a value is not allowed."""
        return SiteSettings.model_validate({**self.model_dump(), **changes})
