"""The CRM's facts, folded: deals as they stand now, their people, stages and net amounts."""
