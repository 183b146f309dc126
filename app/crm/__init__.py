"""The door for CRMs: one file a provider, from a signed payload to facts in the log."""
