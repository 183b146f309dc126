"""The providers, by name: a new one is one file and one entry here."""

from __future__ import annotations

from app.crm import calendly, calltracking, generic, hubspot, pipedrive, salesforce, stripe, typeform
from app.crm.providers import Provider

PROVIDERS: dict[str, Provider] = {
    each.PROVIDER.name: each.PROVIDER
    for each in (generic, hubspot, pipedrive, salesforce, stripe, calendly, typeform, calltracking)
}
