"""The providers, by name: a new one is one file and one entry here."""

from __future__ import annotations

from app.crm import generic, hubspot, salesforce
from app.crm.providers import Provider

PROVIDERS: dict[str, Provider] = {each.name: each for each in (generic.PROVIDER, hubspot.PROVIDER, salesforce.PROVIDER)}
