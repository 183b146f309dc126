"""The models that are computed from all journeys at once, beside those that weigh touches (`app.attribution.rules`)."""

from __future__ import annotations

DATA_DRIVEN = ("markov", "shapley")
"""Models that credit rows of a report, not touches (`app.attribution.estimate`)."""

ONE_DIMENSION = ("channel", "source", "campaign")
"""What data-driven models can group by, one at a time."""
