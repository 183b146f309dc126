"""The service's own settings: `CLOSEDLOOP_*` variables, or a `.env` file in the working directory."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_PATH = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+"


class Settings(BaseSettings):
    """Every setting of the process. What differs from site to site is in `app.sites.settings.SiteSettings`."""

    model_config = SettingsConfigDict(
        env_prefix="CLOSEDLOOP_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: str = Field(
        "sqlite:///closedloop.db",
        description="Where everything is stored: `sqlite:///file` or `postgresql://user:password@host/name`.",
    )
    write_key: str | None = Field(None, min_length=8, description="Public write key of the site `default`, made at first start.")
    secret_key: SecretStr | None = Field(None, min_length=16, description="Secret key of the site `default`, with every scope, made at first start.")
    public_url: str | None = Field(None, description="The address that others call, if a proxy stands before the service: `https://loop.example.com`.")
    snippet_path: str = Field(
        "/loop.js",
        pattern=_PATH + r"\.js$",
        description="Where the snippet is served too, and beside it its companions (`/js/a.js`: `/js/a-links.js`): for lists that block it by name.",
    )
    collect_path: str = Field(
        "/v1/events",
        pattern=_PATH + "$",
        description="Where pages may send their events too, for the same reason: `data-to` in the tag, as `closedloop snippet` prints it.",
    )
    allow_private_addresses: bool = Field(False, description="Let the service call private addresses (a CRM in the same network).")
    poll_minutes: float = Field(10, gt=0, le=10_080, description="Minutes between two rounds in which a CRM is asked what changed, for connections with an API token.")
    log_level: str = Field("INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.")
    trusted_proxies: str = Field("127.0.0.1", description="Addresses of proxies whose `X-Forwarded-For` is believed, with commas; `*` for any.")
    max_event_bytes: int = Field(32 * 1024, gt=0, description="Largest single event, in bytes after decompression.")
    max_batch_bytes: int = Field(500 * 1024, gt=0, description="Largest body of a request, in bytes after decompression.")
    max_batch_events: int = Field(2_500, gt=0, description="Most events in one request.")
    quarantine_days: int = Field(30, gt=0, description="Days for which what could not be understood is kept.")
    history_days: int = Field(400, gt=0, description="Days for which reports can be asked `as_of` a moment; what ended before is deleted.")
    quarantine_cap: int = Field(100_000, gt=0, description="Most rows that one site's quarantine holds; the oldest go first.")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
