"""What every report about conversions says of what it was asked."""

from __future__ import annotations

from typing import Any

from app.reports.parameters import Filters
from app.sites.site import Site


def heading(site: Site, filters: Filters, **asked: object) -> dict[str, Any]:
    """The common filters as they were understood; what is `asked` beside them follows the conversion."""
    return {
        "conversion": filters.conversion,
        **asked,
        **filters.sliced_by,
        "from": filters.from_day and filters.from_day.isoformat(),
        "to": filters.to_day and filters.to_day.isoformat(),
        "timezone": site.settings.timezone,
        "currency": site.settings.currency,
        "lookback_days": filters.lookback(site),
        "exclude_direct": filters.exclude_direct,
        "touches_until": filters.touches_until,
        "settings_version": site.settings_version,
    }


def about_model(site: Site, filters: Filters, model: str) -> dict[str, Any]:
    """What a model depends on besides the journey: its half-life, or the weights that the site gave it."""
    if model == "time_decay":
        return {"half_life_days": filters.half_life_days or site.settings.half_life_days}
    own = next((each for each in site.models if each.name == model), None)
    return {} if own is None else {"weights": own.weights.as_numbers()}
