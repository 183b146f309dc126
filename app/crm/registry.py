"""The providers, by name: a new one is one file and one entry here."""

from __future__ import annotations

from app.crm import generic, hubspot, pipedrive, salesforce
from app.crm.providers import Provider

PROVIDERS: dict[str, Provider] = {each.name: each for each in (generic.PROVIDER, hubspot.PROVIDER, pipedrive.PROVIDER, salesforce.PROVIDER)}
"""Every CRM that is understood."""
